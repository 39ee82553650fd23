#pragma once
// What is read: streams, columns, cursors, filters, positions.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/status.h>

#include "connectors/sdk/config.h"
#include "connectors/sdk/types.h"

namespace dxt {

enum class StreamKind : uint8_t { kTable, kView, kQuery, kFile, kApi };
std::string_view StreamKindName(StreamKind kind);

/// Names one dataset of a source as the document wrote it: a dotted reference for tables
/// and views (see SplitReference), SQL text for queries, a path or glob for files, an
/// endpoint for APIs.
struct StreamRef {
  StreamKind kind = StreamKind::kTable;
  std::string source;
  /// `extract.options` of the stream, free-form; each connector documents its own.
  ConfigValue options;
  /// What no row can be made of is told as a BadRecord where the connector can go on
  /// behind it, in place of ending the read.
  bool tells_bad_records = false;
};

/// A record of a source that cannot be taken apart, so that it has no columns.
struct BadRecord {
  arrow::Status why;  ///< kData.
  std::string file;
  int64_t line = 0;
  std::string text;  ///< As it stands there, without its line end.
};

/// What whoever runs a stream should know of what it reads.
struct StreamNote {
  std::string code;
  std::string message;
};

/// A dataset that a source found in its own catalogue.
struct StreamInfo {
  StreamKind kind = StreamKind::kTable;
  std::string reference;  ///< Can be used as StreamRef::source: quoted where needed.
  std::string schema;     ///< Container's name, for `--schema` and `schema.*`.
  std::string name;       ///< Bare name, for `target: "raw.{name}"`.
  StreamSchema columns;
  std::optional<int64_t> estimated_rows;
  /// The files that are read, each as TargetTable::file would name it.
  std::vector<std::string> files;
  std::vector<StreamNote> notes;
};

/// One column that a reader must deliver, under `name`, as `type`.
struct ColumnRead {
  std::string name;        ///< Field id: the name in the batches.
  std::string column;      ///< Source column, exactly as the catalogue has it.
  std::string expression;  ///< SQL instead of a column, or empty.
  FieldType type;
  NativeType native;
  /// Deliver the system's own bytes as Arrow binary instead of decoding (the engine asks
  /// for it only where both ends declare the same built-in native type).
  bool raw = false;
};

enum class FilterOp : uint8_t { kEq, kNe, kGt, kGte, kLt, kLte, kIn, kNotIn };

/// One row filter of the document (`filters:`). NULL never passes a filter.
struct Filter {
  std::string column;  ///< Source column.
  FilterOp op = FilterOp::kEq;
  std::vector<std::string> values;  ///< One, or several for kIn and kNotIn.
  FieldType type;                   ///< Of the column; decides how values compare.
};

/// The part of a stream that an incremental read asks for. Values are texts in the form
/// that CursorText writes; types decide how they compare; strings compare bytewise.
struct CursorRange {
  std::string name;        ///< Column of the batches that carries the cursor.
  std::string column;      ///< Source column, or
  std::string expression;  ///< SQL expression.
  FieldType type;
  std::optional<std::string> lower;
  bool lower_inclusive = false;
  std::optional<std::string> upper;  ///< Exclusive.
  bool include_null = false;         ///< Rows whose cursor is NULL are wanted too.
  /// For kind query: the SQL holds `{{ cursor }}`, to be replaced by the lower bound as a
  /// value (the query brings its own predicate). Without one, a query gets no predicate.
  bool placeholder = false;
};

/// All that a reader must know. Column order is the order of the batches' columns.
struct ReadSpec {
  StreamRef ref;
  std::vector<ColumnRead> columns;
  std::string where;  ///< `criteria.where`: SQL of the source's dialect, kind table only.
  std::vector<Filter> filters;
  std::optional<CursorRange> cursor;
  bool order_by_cursor = false;
  /// Leave to a later read what transactions that are still open may yet get rows below:
  /// the watermark must not pass them. Connectors that cannot tell ignore it.
  bool hold_back = false;
  std::optional<int64_t> limit;
  int64_t batch_rows = 10000;       ///< Most rows of a batch.
  int64_t batch_bytes = 256 << 10;  ///< A batch is closed when it passes this.
  int64_t split_bytes = 0;          ///< No split should have less to read than this.
  /// Values for `{{ var.x }}` in SQL, bound as text.
  std::vector<std::pair<std::string, std::string>> variables;
};

/// An independent part of a stream's read. Opaque to the engine but for its number, which
/// orders rows of different splits.
struct Split {
  int32_t number = 0;
  std::string bytes;
};

struct ReadPlan {
  std::vector<Split> splits;  ///< At least one.
  /// What several splits have in common (a snapshot): none can be opened once it is gone.
  std::shared_ptr<void> shared;
  std::optional<int64_t> estimated_rows;
  std::string text;  ///< The query or path, for `plan` and logs. Holds no secret.
  /// What the read cannot promise, for people.
  std::vector<std::string> notes;
};

/// What a reader left to a later read because of ReadSpec::hold_back.
struct HeldBack {
  std::string from;   ///< No row from this cursor on was read.
  std::string since;  ///< When the oldest of those transactions began; "" = unknown.
  int64_t open_seconds = 0;  ///< For how long it is open.
};

/// A resume point inside one split. Only the connector that made it can read `bytes`.
struct Position {
  int32_t version = 0;
  std::string bytes;
};

}  // namespace dxt
