#pragma once
#include <string>

#include <arrow/result.h>

#include "connectors/sdk/destination.h"
#include "connectors/sqlite/catalogue.h"

namespace dxt::sqlite {

/// A catalogue's entry as the engine wants it; `empty` is left to the caller.
TargetTable TargetOf(const TableEntry& table);

/// Destination::PlanTable.
arrow::Result<TablePlan> PlanTable(const TableSpec& wanted, const TargetTable& existing);

/// The texts of TablePlan::strategy that a window acts on.
inline constexpr char kByIndex[] = "upsert by unique index";
inline constexpr char kByJoin[] = "upsert by update and insert";
inline constexpr char kSwap[] = "swap";
inline constexpr char kRecreate[] = "recreate";

}  // namespace dxt::sqlite
