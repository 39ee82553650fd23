#pragma once
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include <arrow/result.h>

#include "connectors/sdk/stream.h"

namespace dxt::postgres {

class Connection;

/// `column`, so written that min() and max() of it compare as cursors do; changes `read`
/// to how the outcome arrives.
std::string CursorOperand(const std::string& column, ColumnRead* read);

/// The one value that a statement returns, as a cursor of `type`; nullopt for NULL.
/// `read` says how it arrives.
arrow::Result<std::optional<std::string>> QueryCursor(
    Connection& connection, const std::string& sql, const ColumnRead& read,
    const FieldType& type, std::string_view doing, std::stop_token stop);

}  // namespace dxt::postgres
