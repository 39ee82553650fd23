#pragma once
#include <functional>
#include <string>
#include <string_view>

#include <arrow/result.h>

#include "connectors/sdk/stream.h"
#include "connectors/sql/identifier.h"

namespace dxt::sql {

/// What differs between SQL systems when rows are selected. All members must be set but
/// `comparable`.
struct SelectDialect {
  Quoting quoting;
  /// Writes a value of a cursor, filter or variable into the statement: a bound parameter
  /// (returning its placeholder and remembering the value) where the system has them, a
  /// checked literal where not (contracts 2.5). The value is never text from a document
  /// pasted as SQL.
  std::function<arrow::Result<std::string>(std::string_view value, const FieldType& type)>
      value;
  /// Wraps a string cursor so that it compares bytewise, e.g. `(x COLLATE "C")`.
  std::function<std::string(std::string_view sql)> bytewise;
  /// Optional, in place of `bytewise`: wraps a cursor or a filtered column of any type so
  /// that it compares and orders as values of that type do.
  std::function<std::string(std::string_view sql, const FieldType& type)> comparable;
  /// Writes the select list's item for a column: quoted name or (expression), with the
  /// cast that makes it arrive as `column.type`.
  std::function<std::string(const ColumnRead& column)> item;
};

/// Builds `SELECT items FROM source WHERE … ORDER BY … LIMIT …` for a ReadSpec.
/// `source_sql` is the quoted table reference; for kind query the spec's own SQL is
/// wrapped as `(…) AS _dxt_q`, with `{{ cursor }}` and `{{ var.x }}` replaced by values.
/// `extra_predicate` (a split's range) is ANDed; "" = none.
/// A query without `{{ cursor }}` gets no cursor predicate: the engine filters its rows.
arrow::Result<std::string> BuildSelect(const ReadSpec& spec, std::string_view source_sql,
                                       const SelectDialect& dialect,
                                       std::string_view extra_predicate);
/// `SELECT count(*) …` over the same rows.
arrow::Result<std::string> BuildCount(const ReadSpec& spec, std::string_view source_sql,
                                      const SelectDialect& dialect);

/// Replaces `{{ cursor }}` and `{{ var.NAME }}` in a query's text, where the author wrote
/// them. Unknown names, and those within quotes, are kConfig "sql.placeholder".
arrow::Result<std::string> FillPlaceholders(const ReadSpec& spec,
                                            const SelectDialect& dialect);

}  // namespace dxt::sql
