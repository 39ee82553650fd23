#pragma once
#include <string>
#include <string_view>

#include <grpcpp/support/status.h>

#include "state/state_store.h"

namespace dxt {

/// Puts the terms of an AIP-160 filter into a query: terms joined by AND, of state,
/// pipeline, trigger, dry_run (= only; state also !=), create_time and end_time
/// (< <= > >=). What it is not is INVALID_ARGUMENT naming the place.
grpc::Status ApplyFilter(std::string_view filter, RunQuery& query);

/// "create_time desc" and "" = newest first, "create_time" and "create_time asc" = oldest
/// first.
grpc::Status ApplyOrder(std::string_view order_by, RunQuery& query);

}  // namespace dxt
