#pragma once
// What the targets of tables have in common where a load finds rows by their keys.
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

#include "connectors/sdk/destination.h"

namespace dxt::sql {

/// kConfig "load.keys_required" where the mode needs keys and there are none,
/// "load.key_missing" where one is no column of the stream, "load.key_twice".
arrow::Status CheckKeys(const TableSpec& wanted);

/// Whether the column of the target in which loads set times can hold them, and nothing
/// where it must: `is_time` says so of its type. kConfig "target.column_missing" where
/// `column` is null, "target.time_column"; `native_type` is what the hints name.
arrow::Status CheckTimeColumn(const TargetTable& existing, const TimeColumn& wanted,
                              const TargetColumn* column, std::string_view native_type,
                              bool (*is_time)(std::string_view type));

/// Whether the target's `column` is one that loads set times in.
bool IsTimeColumn(const TableSpec& wanted, std::string_view column);

/// kHistory: kConfig "history.unique_key" where a unique index of the target on nothing
/// but keys would refuse a second version.
arrow::Status CheckHistoryKeys(const TableSpec& wanted, const TargetTable& existing);

/// "mirror.tracking_lost": `keys` is the table that held them.
LoadWarning TrackingLost(const std::string& keys);

/// kData "history.two_open": `keys` (for people) have several open versions in the
/// target.
arrow::Status TwoOpen(const std::string& table, const HistorySpec& history,
                      const std::vector<std::string>& keys);

/// kData "history.ahead": a version begins or ends at `moment`, which is no time or more
/// than a day ahead of the clock, so no load can open one behind it.
arrow::Status VersionAhead(const std::string& table, const HistorySpec& history,
                           const std::string& moment);

}  // namespace dxt::sql
