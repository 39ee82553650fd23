#pragma once
#include <string>

#include <arrow/result.h>

namespace dxt::duckdb {

/// Puts the bytes of the file `image`, an empty database that is closed, at `path`: whole
/// or not at all, also when the process is killed meanwhile. DuckDB itself makes a file
/// first and fills it then; one that is cut short in between can never be opened again.
/// False when something stands at `path` already, which is left as it is.
arrow::Result<bool> PlaceNewFile(const std::string& image, const std::string& path);

}  // namespace dxt::duckdb
