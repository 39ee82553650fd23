#pragma once
#include <functional>
#include <string>
#include <vector>

#include "client/dxtctl/result.h"

namespace dxt::ctl {

/// A document to be stored.
struct ApplyFile {
  std::string path;  ///< Absolute.
  std::string text;
};

/// Files, `-` for stdin, and of folders their .yaml, .yml and .json files by name. Of a
/// folder only documents that `wanted` likes; a file that is named is taken as it is.
/// They are named by --file, by the words behind the verb, or by both; one at least.
Result<std::vector<ApplyFile>> ReadApplyFiles(
    const std::vector<std::string>& by_option, const std::vector<std::string>& by_word,
    const std::function<bool(const std::string& path)>& wanted);

}  // namespace dxt::ctl
