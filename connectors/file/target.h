#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/result.h>

#include "connectors/file/format.h"
#include "connectors/file/location.h"

namespace dxt::file {

/// What a stream's target reference names: one file, or a folder of parts.
struct Target {
  std::shared_ptr<Store> store;
  std::string path;
  bool is_folder = false;
  FormatOptions options;

  /// Paths in ledger rows are relative to this folder.
  std::string base() const;
  /// Where ledger rows of all chains into this target lie.
  std::string ledger() const;
  /// Staged files of one load: a file beside the target, or a folder of parts. A replace
  /// of a folder is staged beside it, everything else inside.
  std::string Staging(std::string_view load_id, bool replace) const;
};

/// A name with a known extension is a file; without one, or with `/` behind it, a folder
/// (contracts 3.8). kConfig "file.unknown_format" when an extension says nothing.
arrow::Result<Target> ResolveTarget(const Location& location, std::string_view reference,
                                    const ConfigValue* stream_options);

/// Which files hold the target's rows now.
struct TargetFiles {
  std::vector<std::string> paths;
  int64_t bytes = 0;
  std::string ident;  ///< Changes whenever the files do; "" without files.
};

/// Ident of one file, and of a folder's files by (name, size).
std::string FileIdent(const Store& store, int64_t size, int64_t mtime_ns);
std::string FolderIdent(std::vector<std::pair<std::string, int64_t>> files);

}  // namespace dxt::file
