#include "connectors/sql/keyed.h"

#include <algorithm>
#include <set>
#include <vector>

#include "base/error.h"
#include "base/spelling.h"
#include "connectors/sql/identifier.h"

namespace dxt::sql {

arrow::Status CheckKeys(const TableSpec& wanted) {
  if (IsKeyed(wanted.mode) && wanted.keys.empty()) {
    return MakeError(ErrorClass::kConfig, "load.keys_required",
                     "Mode " + std::string(LoadModeName(wanted.mode)) + " needs keys",
                     "Set load.upsert_keys");
  }
  std::vector<std::string> names;
  for (const auto& column : wanted.columns) names.push_back(column.name);
  std::set<std::string> seen;
  for (const auto& key : wanted.keys) {
    if (std::find(names.begin(), names.end(), key) == names.end()) {
      const std::string nearest = NearestSpelling(key, names);
      return MakeError(ErrorClass::kConfig, "load.key_missing",
                       "The key column '" + key + "' is not among the stream's columns",
                       nearest.empty() ? "Add it to `fields`, or name another key"
                                       : "Did you mean '" + nearest + "'?");
    }
    if (!seen.insert(key).second) {
      return MakeError(ErrorClass::kConfig, "load.key_twice",
                       "The key column '" + key + "' is named twice");
    }
  }
  return arrow::Status::OK();
}

arrow::Status CheckTimeColumn(const TargetTable& existing, const TimeColumn& wanted,
                              const TargetColumn* column, std::string_view native_type,
                              bool (*is_time)(std::string_view type)) {
  if (column == nullptr) {
    return MakeError(ErrorClass::kConfig, "target.column_missing",
                     "The target " + existing.reference + " has no column '" +
                         wanted.name + "', in which the load sets times",
                     "ALTER TABLE " + existing.reference + " ADD COLUMN " +
                         QuoteIdentifier(wanted.name) + " " + std::string(native_type));
  }
  const std::string& type = column->native.type;
  const bool holds_nothing = column->nullable || !wanted.nullable;
  if (holds_nothing && !column->generated && is_time(type)) return arrow::Status::OK();
  return MakeError(
      ErrorClass::kConfig, "target.time_column",
      "Column '" + wanted.name + "' of " + existing.reference + " is " +
          (column->generated ? "generated, "
           : holds_nothing   ? ""
                             : "NOT NULL, ") +
          (type.empty() ? "of no type" : "of type " + type) + ", and cannot hold a time" +
          (wanted.nullable ? " or nothing" : ""),
      "Name another " + wanted.key + "; it must be " + std::string(native_type) +
          (wanted.nullable ? " and may be NULL" : ""));
}

bool IsTimeColumn(const TableSpec& wanted, std::string_view column) {
  const auto times = wanted.TimeColumns();
  return std::any_of(times.begin(), times.end(),
                     [&](const auto& time) { return time.name == column; });
}

arrow::Status CheckHistoryKeys(const TableSpec& wanted, const TargetTable& existing) {
  if (wanted.mode != LoadMode::kHistory) return arrow::Status::OK();
  const auto is_key = [&](const std::string& column) {
    return std::find(wanted.keys.begin(), wanted.keys.end(), column) != wanted.keys.end();
  };
  for (const auto& unique : existing.unique_keys) {
    if (!std::all_of(unique.begin(), unique.end(), is_key)) continue;
    return MakeError(ErrorClass::kConfig, "history.unique_key",
                     "The target " + existing.reference + " is unique by " +
                         QuotedNames(unique) +
                         ", so it cannot hold a second version of a row",
                     "Make its key (" + QuotedNames(wanted.keys) + ", " +
                         QuoteIdentifier(wanted.history.valid_from) +
                         "), or load into a table that dxt makes");
  }
  return arrow::Status::OK();
}

LoadWarning TrackingLost(const std::string& keys) {
  return {"mirror.tracking_lost",
          "The keys that earlier loads left in " + keys +
              " are gone; nothing was deleted, and what was loaded now is tracked"};
}

arrow::Status TwoOpen(const std::string& table, const HistorySpec& history,
                      const std::vector<std::string>& keys) {
  const std::string to = QuoteIdentifier(history.valid_to);
  return MakeError(
      ErrorClass::kData, "history.two_open",
      "The target " + table + " has more than one open version of the key " +
          Joined(keys, ", ") + ", so none of them is the one that holds now",
      "With UPDATE " + table + ", set " + to + " in all of them but the latest");
}

arrow::Status VersionAhead(const std::string& table, const HistorySpec& history,
                           const std::string& moment) {
  return MakeError(
      ErrorClass::kData, "history.ahead",
      "The target " + table + " has a version that begins or ends at " + moment +
          ", which is no time or more than a day ahead of the clock, so no new one can "
          "follow it",
      "Correct " + QuoteIdentifier(history.valid_from) + " and " +
          QuoteIdentifier(history.valid_to) +
          " there (in open versions the latter is NULL), or the clock of the target");
}

}  // namespace dxt::sql
