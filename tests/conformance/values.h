#pragma once
// Values as text, so that cases can be written down and compared across types.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

#include "connectors/sdk/types.h"

namespace dxt::conformance {

using Cell = std::optional<std::string>;  ///< nullopt = NULL.
using Row = std::vector<Cell>;
using Rows = std::vector<Row>;

/// An array of ArrowType(type) with these values. Texts are digits; shortest floats, NaN,
/// Infinity; true and false; ISO dates and times; base64 for binary; JSON for lists.
arrow::Result<std::shared_ptr<arrow::Array>> ArrayOf(const FieldType& type,
                                                     const std::vector<Cell>& cells);
/// The inverse, in one normal form: decimals without trailing zeros, floats as doubles,
/// timestamps as UTC with microseconds unless there are more digits, JSON reparsed.
arrow::Result<std::vector<Cell>> CellsOf(const arrow::Array& array,
                                         const FieldType& type);
/// ArrayOf and CellsOf: how a case file's text looks in normal form.
arrow::Result<std::vector<Cell>> NormalForm(const FieldType& type,
                                            const std::vector<Cell>& cells);

arrow::Result<std::shared_ptr<arrow::RecordBatch>> BatchOf(const StreamSchema& schema,
                                                           const Rows& rows);
/// All rows of a batch, sorted, so that the order of storage does not matter.
arrow::Result<Rows> SortedRows(const arrow::RecordBatch& batch);
Rows Sorted(Rows rows);
/// One row a line, NULL for NULL: what a failing comparison prints.
std::string TextOf(const Rows& rows);

}  // namespace dxt::conformance
