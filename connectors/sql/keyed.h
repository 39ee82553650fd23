#pragma once
// What the targets of tables have in common where a load finds rows by their keys.
#include <string>
#include <string_view>

#include <arrow/result.h>

#include "connectors/sdk/destination.h"

namespace dxt::sql {

/// kConfig "load.keys_required" where the mode needs keys and there are none,
/// "load.key_missing" where one is no column of the stream, "load.key_twice".
arrow::Status CheckKeys(const TableSpec& wanted);

/// Whether `column` of the target, in which a mirror sets when a row went, can hold a
/// time or nothing: `is_time` says so of its type. kConfig "target.column_missing" where
/// there is none, "target.soft_delete_column"; `native_type` is what the hints name.
arrow::Status CheckSoftDelete(const TargetTable& existing, const std::string& name,
                              const TargetColumn* column, std::string_view native_type,
                              bool (*is_time)(std::string_view type));

/// "mirror.tracking_lost": `keys` is the table that held them.
LoadWarning TrackingLost(const std::string& keys);

}  // namespace dxt::sql
