#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

#include "connectors/sdk/types.h"

namespace dxt::memory {

/// What happens to a row of the target whose key comes again.
enum class KnownKeys : uint8_t {
  kUpdate,
  kUpdateOlder,  ///< Unless its `dedup_column` is larger.
  kStay
};

struct Merged {
  std::shared_ptr<arrow::RecordBatch> rows;
  int64_t written = 0;       ///< Rows updated or inserted, one a key.
  int64_t deduplicated = 0;  ///< Rows of `fresh` that lost against an equal key.
};

/// Joins batches of equal types into one; an empty one of `schema` when there are none.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> Joined(
    const std::vector<std::shared_ptr<arrow::RecordBatch>>& batches,
    const std::shared_ptr<arrow::Schema>& schema);

/// One text a row, equal for equal keys; kConfig "load.key_missing", kData
/// "load.null_key".
arrow::Result<std::vector<std::string>> KeysOf(const arrow::RecordBatch& batch,
                                               const std::vector<std::string>& names);
/// `values` at `rows`; NULL where there is none.
arrow::Result<std::shared_ptr<arrow::Array>> Taken(
    const std::shared_ptr<arrow::Array>& values,
    const std::vector<std::optional<int64_t>>& rows);

/// Whether of two rows with one key, ordered by `order` (may be null), the later one of
/// the load stays.
arrow::Result<bool> LaterWins(const arrow::Array* order, const FieldType& type,
                              int64_t earlier, int64_t later);

/// Brings `fresh` to the columns and order of `schema`; columns it lacks are NULL.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> Aligned(
    const std::shared_ptr<arrow::RecordBatch>& fresh,
    const std::shared_ptr<arrow::Schema>& schema);

/// Upserts `fresh` into `old` by `keys` (contracts 3.6): of equal keys in `fresh` the one
/// with the largest `dedup_column` wins, then the last; columns of `old` that `fresh`
/// lacks keep their values. A NULL key is kData "load.null_key"; equal keys are kData
/// "load.duplicate_key" where `duplicates_fail`.
arrow::Result<Merged> Merge(const std::shared_ptr<arrow::RecordBatch>& old,
                            const std::shared_ptr<arrow::RecordBatch>& fresh,
                            const std::vector<std::string>& keys,
                            const std::string& dedup_column, bool duplicates_fail,
                            KnownKeys known);

}  // namespace dxt::memory
