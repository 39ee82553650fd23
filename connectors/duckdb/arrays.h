#pragma once
#include <memory>
#include <string>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

namespace dxt::duckdb {

/// Gives DuckDB's batch the schema that was promised: same buffers, other names, and
/// DuckDB's -infinity of dates and timestamps as the smallest integer. kInternal when the
/// layouts differ.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> FromDuckdb(
    const arrow::RecordBatch& batch, const std::shared_ptr<arrow::Schema>& schema);

/// The way back: the smallest integer of dates and timestamps becomes DuckDB's -infinity.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> ToDuckdb(
    const arrow::RecordBatch& batch);

}  // namespace dxt::duckdb
