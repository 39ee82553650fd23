#pragma once
#include <arrow/result.h>

#include "connectors/file/location.h"
#include "connectors/sdk/destination.h"

namespace dxt::file {

/// kUnsupported "file.no_upsert" for what files cannot do: they have no keys.
arrow::Status CheckFileMode(LoadMode mode);

/// Compares wanted and existing; writes nothing. See Destination::PlanTable.
arrow::Result<TablePlan> PlanFileTable(const Location& location, const TableSpec& wanted,
                                       const TargetTable& existing);

}  // namespace dxt::file
