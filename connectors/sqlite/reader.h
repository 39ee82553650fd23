#pragma once
#include <memory>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "connectors/sdk/source.h"
#include "connectors/sqlite/types.h"

namespace dxt::sqlite {

class Connection;

/// A value that stands for a parameter of a statement.
struct BoundValue {
  std::string text;
  FieldType type;
};

/// A SELECT with its parameters; `$1` is the first of `values`.
struct Selection {
  std::string sql;
  std::vector<BoundValue> values;
  bool has_rowid = false;  ///< The last result column is the rowid.
  NumericTime numbers = NumericTime::kNone;
};

/// Writes the statement that reads `spec`, or counts its rows.
arrow::Result<Selection> SelectionOf(Connection& connection, const ReadSpec& spec,
                                     bool count);

/// Binds the values of `selection` to its prepared statement.
arrow::Status BindValues(const Selection& selection, class Statement* statement);

/// Reads the selection inside one read transaction of `connection`, which it owns.
arrow::Result<std::unique_ptr<Reader>> MakeReader(std::unique_ptr<Connection> connection,
                                                  const ReadSpec& spec,
                                                  Selection selection);

}  // namespace dxt::sqlite
