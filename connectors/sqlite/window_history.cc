// scd2: a table of versions, inside Commit's transaction.
#include <algorithm>

#include <arrow/type.h>

#include "connectors/sdk/guards.h"
#include "connectors/sdk/value_text.h"
#include "connectors/sql/identifier.h"
#include "connectors/sql/keyed.h"
#include "connectors/sqlite/connection.h"
#include "connectors/sqlite/window.h"

namespace dxt::sqlite {
namespace {

using sql::QuotedNames;
using sql::QuoteIdentifier;

constexpr int64_t kDayMicros = 24LL * 3600 * 1000000;

}  // namespace

arrow::Status Window::KeepVersions(const CommitGuards& guards, CommitResult* result) {
  const HistorySpec& history = spec_.table.history;
  const std::string to = QuoteIdentifier(history.valid_to);
  const std::string open = "_dxt_t." + to + " IS NULL";
  const std::string close = "UPDATE " + table_ + " AS _dxt_t SET " + to + " = $1";
  ARROW_RETURN_NOT_OK(RefuseTwoOpen());
  ARROW_ASSIGN_OR_RAISE(const std::string moment, Moment());
  if (history.closes_unseen) {
    ARROW_ASSIGN_OR_RAISE(const int64_t before, Number("SELECT count(*) FROM " + table_ +
                                                           " AS _dxt_t WHERE " + open,
                                                       /*for_stream=*/false));
    ARROW_ASSIGN_OR_RAISE(
        result->rows_deleted,
        ExecuteAt(moment, close + " WHERE " + open + " AND NOT EXISTS (SELECT 1 FROM " +
                              Stage() + " AS _dxt_s WHERE " + SameKey() + ")"));
    ARROW_RETURN_NOT_OK(CheckDeletes(guards, rows_, before, result->rows_deleted));
  }
  if (const std::string differs = Differs(); !differs.empty()) {
    ARROW_RETURN_NOT_OK(
        ExecuteAt(moment,
                  close + " FROM " + Stage() + " AS _dxt_s WHERE " + open + " AND " +
                      SameKey() + " AND (" + differs + ")" +
                      (spec_.keep_newer ? " AND " + NotOlder("_dxt_t.", "_dxt_s.") : ""))
            .status());
  }
  ARROW_ASSIGN_OR_RAISE(
      result->rows_written,
      ExecuteAt(moment, "INSERT INTO " + table_ + " (" + ColumnList("") + ", " +
                            QuoteIdentifier(history.valid_from) + ") SELECT " +
                            ColumnList("_dxt_s.") + ", $1 FROM " + Stage() +
                            " AS _dxt_s WHERE NOT EXISTS (SELECT 1 FROM " + table_ +
                            " AS _dxt_t WHERE " + open + " AND " + SameKey() +
                            ") ORDER BY " + QuotedNames(spec_.table.keys, "_dxt_s.")));
  return arrow::Status::OK();
}

arrow::Status Window::RefuseTwoOpen() {
  const std::string keys = QuotedNames(spec_.table.keys, "_dxt_s.");
  ARROW_ASSIGN_OR_RAISE(
      auto twice, connection_->Prepare(
                      "SELECT " + keys + " FROM " + table_ + " AS _dxt_t JOIN " +
                      Stage() + " AS _dxt_s ON " + SameKey() + " WHERE _dxt_t." +
                      QuoteIdentifier(spec_.table.history.valid_to) +
                      " IS NULL GROUP BY " + keys + " HAVING count(*) > 1 LIMIT 10"));
  std::vector<std::string> found;
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const bool more, twice.Step());
    if (!more) break;
    std::vector<std::string> key;
    for (size_t i = 0; i < spec_.table.keys.size(); ++i) {
      key.push_back(twice.Text(static_cast<int>(i)));
    }
    found.push_back("(" + sql::Joined(key) + ")");
  }
  if (found.empty()) return arrow::Status::OK();
  return sql::TwoOpen(table_, spec_.table.history, found);
}

arrow::Result<std::string> Window::Moment() {
  const HistorySpec& history = spec_.table.history;
  const auto latest = [](const std::string& column) {
    return "max(" + QuoteIdentifier(column) + " COLLATE dxt_instant)";
  };
  ARROW_ASSIGN_OR_RAISE(
      auto times, connection_->Prepare("SELECT strftime('%Y-%m-%d %H:%M:%f', 'now'), " +
                                       latest(history.valid_from) + ", " +
                                       latest(history.valid_to) + " FROM " + table_));
  ARROW_RETURN_NOT_OK(times.Step().status());
  const int64_t now = ParseTimestamp(times.Text(0), false, OffsetRule::kOptional).value();
  int64_t moment = now;
  for (const int column : {1, 2}) {
    if (times.IsNull(column)) continue;
    const auto known = ParseTimestamp(times.Text(column), false, OffsetRule::kOptional);
    if (!known || *known > now + kDayMicros) {
      return sql::VersionAhead(table_, history, times.Text(column));
    }
    moment = std::max(moment, *known + 1);
  }
  std::string text;
  AppendTimestamp(moment, /*nanoseconds=*/false, /*utc=*/true, &text);
  return text;
}

std::string Window::Differs() const {
  const auto& keys = spec_.table.keys;
  const auto& unwatched = spec_.table.history.unwatched;
  std::string differs;
  for (const auto& column : spec_.plan.columns) {
    const auto is_it = [&](const auto& names) {
      return std::find(names.begin(), names.end(), column.name) != names.end();
    };
    if (is_it(keys) || is_it(unwatched)) continue;
    const bool decimal = column.domain.deliver.dtype == DType::kDecimal;
    const std::string name = QuoteIdentifier(column.name);
    differs += (differs.empty() ? "_dxt_s." : " OR _dxt_s.") + name + " COLLATE " +
               (decimal ? "dxt_decimal" : "BINARY") + " IS NOT _dxt_t." + name;
  }
  return differs;
}

arrow::Result<int64_t> Window::ExecuteAt(const std::string& moment,
                                         const std::string& sql) {
  ARROW_ASSIGN_OR_RAISE(auto statement, connection_->Prepare(sql));
  ARROW_RETURN_NOT_OK(statement.BindText(1, moment));
  ARROW_RETURN_NOT_OK(statement.Step().status());
  return connection_->Changes();
}

}  // namespace dxt::sqlite
