#pragma once
#include <chrono>
#include <cstdint>
#include <memory>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

#include "connectors/sdk/destination.h"

namespace dxt::memory {

struct KeptVersions {
  std::shared_ptr<arrow::RecordBatch> rows;
  int64_t opened = 0;        ///< Versions that begin with this load.
  int64_t unseen = 0;        ///< Versions closed because their key did not come.
  int64_t open_before = 0;   ///< Versions that were open.
  int64_t deduplicated = 0;  ///< Rows of `fresh` that lost against an equal key.
};

/// scd2: `old` is the table with its versions, `fresh` the load's rows.
arrow::Result<KeptVersions> KeepVersions(const std::shared_ptr<arrow::RecordBatch>& old,
                                         const std::shared_ptr<arrow::RecordBatch>& fresh,
                                         const WriteSpec& spec,
                                         std::chrono::system_clock::time_point now);

}  // namespace dxt::memory
