#include "connectors/duckdb/keys.h"

#include <arrow/api.h>

#include "base/error.h"
#include "connectors/sql/identifier.h"

namespace dxt::duckdb {
namespace {

constexpr int64_t kRowsNamed = 10;

}  // namespace

arrow::Status CheckUnique(Session& session, const std::string& table,
                          const std::string& target, const std::vector<std::string>& keys,
                          const std::string& hint, std::stop_token stop) {
  std::string list, object;
  for (const auto& key : keys) {
    const std::string name = sql::QuoteIdentifier(key);
    list += (list.empty() ? "" : ", ") + name;
    object += (object.empty() ? "" : ", ") + sql::QuoteLiteral(key) + ", " + name;
  }
  ARROW_ASSIGN_OR_RAISE(
      auto rows, session.Rows("SELECT CAST(json_object(" + object +
                                  ") AS VARCHAR), CAST(n AS BIGINT) "
                                  "FROM (SELECT " +
                                  list + ", count(*) AS n FROM " + table + " GROUP BY " +
                                  list + " HAVING count(*) > 1) LIMIT 1",
                              "Testing the keys of " + target, stop));
  if (rows.empty()) return arrow::Status::OK();
  ErrorInfo info;
  info.error_class = ErrorClass::kData;
  info.code = "load.duplicate_key";
  info.hint = hint;
  info.key = rows[0][0].value_or("");
  return MakeError(info, "Rows of the stream have equal keys: " + info.key + " came " +
                             rows[0][1].value_or("several") + " times for " + target);
}

arrow::Status CheckNoNullKeys(const arrow::RecordBatch& batch,
                              const std::vector<std::string>& keys, int64_t first_row) {
  int64_t nulls = 0;
  std::string named, column;
  for (const auto& key : keys) {
    const auto values = batch.GetColumnByName(key);
    if (!values || values->null_count() == 0) continue;
    if (column.empty()) column = key;
    for (int64_t row = 0; row < values->length(); ++row) {
      if (values->IsValid(row)) continue;
      if (nulls++ >= kRowsNamed) continue;
      named += (named.empty() ? "" : ", ") + std::to_string(first_row + row + 1);
    }
  }
  if (nulls == 0) return arrow::Status::OK();
  ErrorInfo info;
  info.error_class = ErrorClass::kData;
  info.code = "load.null_key";
  info.column = column;
  info.hint = "Filter such rows out, or name a key that is never NULL";
  return MakeError(info, "The key column '" + column + "' is NULL in row " + named +
                             (nulls > kRowsNamed ? " and more" : "") + " of the window");
}

}  // namespace dxt::duckdb
