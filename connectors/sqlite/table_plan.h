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

/// The texts of TablePlan::strategy that a window acts on: this one at its end, behind
/// the mode, the others whole.
inline constexpr char kByIndex[] = "by unique index";
inline constexpr char kSwap[] = "swap";
inline constexpr char kRecreate[] = "recreate";

}  // namespace dxt::sqlite
