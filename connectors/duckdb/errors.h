#pragma once
#include <string>
#include <string_view>

#include <arrow/status.h>

namespace dxt::duckdb {

/// Turns DuckDB's error text into a classified status. `action` says what was being done
/// ("Reading orders"); it begins the message. DuckDB gives no codes, only texts whose
/// first words name the kind of error, so this function is the only place that reads
/// them.
arrow::Status ErrorFromText(std::string_view text, std::string_view action);

/// True for the error of an open that found the file's lock held by another process.
bool IsLocked(const arrow::Status& status);

/// True when two transactions wrote the same row.
bool IsConflict(const arrow::Status& status);

}  // namespace dxt::duckdb
