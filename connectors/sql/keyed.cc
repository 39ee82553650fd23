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

arrow::Status CheckSoftDelete(const TargetTable& existing, const std::string& name,
                              const TargetColumn* column, std::string_view native_type,
                              bool (*is_time)(std::string_view type)) {
  if (column == nullptr) {
    return MakeError(ErrorClass::kConfig, "target.column_missing",
                     "The target " + existing.reference + " has no column '" + name + "'",
                     "ALTER TABLE " + existing.reference + " ADD COLUMN " +
                         QuoteIdentifier(name) + " " + std::string(native_type));
  }
  const std::string& type = column->native.type;
  if (column->nullable && !column->generated && is_time(type)) return arrow::Status::OK();
  return MakeError(ErrorClass::kConfig, "target.soft_delete_column",
                   "Column '" + name + "' of " + existing.reference + " is " +
                       (type.empty() ? "of no type" : type) +
                       (column->nullable ? "" : " NOT NULL") +
                       ", and cannot hold the time of a soft delete or nothing",
                   "Name another load.mirror.soft_delete_column; it must be " +
                       std::string(native_type) + " and may be NULL");
}

LoadWarning TrackingLost(const std::string& keys) {
  return {"mirror.tracking_lost",
          "The keys that earlier loads left in " + keys +
              " are gone; nothing was deleted, and what was loaded now is tracked"};
}

}  // namespace dxt::sql
