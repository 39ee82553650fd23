#pragma once
#include <memory>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "connectors/file/target.h"
#include "connectors/sdk/destination.h"

namespace dxt::file {

/// What a finished writer left in a target's staging place.
struct StagedLoad {
  /// Parts in order; of a file target the one whole file.
  std::vector<std::string> paths;
  int64_t rows = 0;
  /// Ident of the file whose rows were copied; another one there at Commit is refused.
  std::string base_ident;
};
std::string EncodeStaged(const StagedLoad& staged);
arrow::Result<StagedLoad> DecodeStaged(const std::string& handle);

/// Writes a load into the staging place. `columns`: what the files hold, in order;
/// columns that the load lacks become NULL. `old`: files whose rows come first (append to
/// a file).
arrow::Result<std::unique_ptr<Writer>> OpenTargetWriter(const Target& target,
                                                        const WriteSpec& spec,
                                                        StreamSchema columns,
                                                        const TargetFiles& old);

}  // namespace dxt::file
