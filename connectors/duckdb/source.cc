#include "connectors/duckdb/source.h"

#include <algorithm>

#include <arrow/api.h>
#include <arrow/util/byte_size.h>

#include "base/error.h"
#include "connectors/duckdb/arrays.h"
#include "connectors/duckdb/catalog.h"
#include "connectors/duckdb/types.h"
#include "connectors/sql/select.h"

namespace dxt::duckdb {
namespace {

/// The type to which the text of a bound value is cast. Wide integers so that a filter's
/// value outside a column's range compares instead of failing.
std::string ValueType(const FieldType& type) {
  switch (type.dtype) {
    case DType::kInt8:
    case DType::kInt16:
    case DType::kInt32:
    case DType::kInt64:
    case DType::kUint8:
    case DType::kUint16:
    case DType::kUint32:
      return "BIGINT";
    case DType::kUint64:
      return "HUGEINT";
    case DType::kDecimal:
      return type.precision == 0 ? "BIGNUM" : StagedType(type);
    default:
      return StagedType(type);
  }
}

/// A statement's text and the values bound to its placeholders.
struct Query {
  std::string text;
  std::vector<Parameter> parameters;
};

sql::SelectDialect Dialect(std::vector<Parameter>& parameters) {
  sql::SelectDialect dialect;
  dialect.value = [&parameters](std::string_view value,
                                const FieldType& type) -> arrow::Result<std::string> {
    parameters.emplace_back(std::string(value));
    const std::string placeholder = "$" + std::to_string(parameters.size());
    return "CAST(" + placeholder + " AS " + ValueType(type) + ")";
  };
  dialect.bytewise = [](std::string_view text) {
    return "(" + std::string(text) + " COLLATE \"binary\")";
  };
  dialect.item = [](const ColumnRead& column) {
    const std::string text = column.expression.empty()
                                 ? sql::QuoteIdentifier(column.column)
                                 : "(" + column.expression + "\n)";
    return ReadItem(column.native.system == kSystem ? column.native.type : "VARCHAR",
                    text) +
           " AS " + sql::QuoteIdentifier(column.name);
  };
  return dialect;
}

/// Slices what DuckDB gives into batches of at most `batch_rows`.
class DuckdbReader : public Reader {
 public:
  DuckdbReader(std::unique_ptr<Session> session, std::unique_ptr<ResultStream> rows,
               std::shared_ptr<arrow::Schema> schema, int64_t batch_rows)
      : session_(std::move(session)),
        rows_(std::move(rows)),
        schema_(std::move(schema)),
        batch_rows_(std::max<int64_t>(batch_rows, 1)) {}

  const std::shared_ptr<arrow::Schema>& schema() const override { return schema_; }
  int64_t bytes_read() const override { return bytes_read_; }

  arrow::Result<ReadStep> Next(std::stop_token stop) override {
    while (!current_ || at_ >= current_->num_rows()) {
      ARROW_ASSIGN_OR_RAISE(auto batch, rows_->Next(stop));
      if (!batch) {
        rows_.reset();
        return ReadStep{.batch = nullptr, .position = std::nullopt, .end = true};
      }
      ARROW_ASSIGN_OR_RAISE(current_, FromDuckdb(*batch, schema_));
      at_ = 0;
    }
    ReadStep step;
    step.batch = current_->num_rows() <= batch_rows_ ? current_
                                                     : current_->Slice(at_, batch_rows_);
    at_ += step.batch->num_rows();
    bytes_read_ += arrow::util::TotalBufferSize(*step.batch) * step.batch->num_rows() /
                   std::max<int64_t>(current_->num_rows(), 1);
    return step;
  }

 private:
  std::unique_ptr<Session> session_;  // Outlives its rows.
  std::unique_ptr<ResultStream> rows_;
  std::shared_ptr<arrow::Schema> schema_;
  std::shared_ptr<arrow::RecordBatch> current_;
  int64_t at_ = 0;
  const int64_t batch_rows_;
  int64_t bytes_read_ = 0;
};

class DuckdbSource : public Source {
 public:
  DuckdbSource(std::shared_ptr<Database> database, std::string default_schema)
      : database_(std::move(database)), default_schema_(std::move(default_schema)) {}

  arrow::Status Check(std::stop_token stop) override {
    ARROW_ASSIGN_OR_RAISE(auto session, Connect(stop));
    return session->Rows("SELECT 1", "Reading " + database_->path(), stop).status();
  }

  arrow::Result<std::vector<StreamInfo>> Discover(const std::string& schema,
                                                  std::stop_token stop) override {
    ARROW_ASSIGN_OR_RAISE(auto session, Connect(stop));
    return DiscoverTables(*session, schema, stop);
  }

  arrow::Result<StreamInfo> Describe(const StreamRef& ref,
                                     std::stop_token stop) override {
    ARROW_ASSIGN_OR_RAISE(auto session, Connect(stop));
    StreamInfo info;
    info.kind = ref.kind;
    if (ref.kind == StreamKind::kQuery) {
      info.name = "query";
      ARROW_ASSIGN_OR_RAISE(auto query, QueryShape(ref));
      ARROW_ASSIGN_OR_RAISE(
          info.columns.fields,
          DescribeSelect(*session, query, "Describing the query", stop));
      return info;
    }
    ARROW_ASSIGN_OR_RAISE(auto name, Find(*session, ref, stop));
    ARROW_ASSIGN_OR_RAISE(auto columns, ColumnsOf(*session, name, stop));
    ARROW_ASSIGN_OR_RAISE(auto constraints, ConstraintsOf(*session, name, stop));
    info.kind = name.is_view ? StreamKind::kView : StreamKind::kTable;
    info.schema = name.schema;
    info.name = name.table;
    info.reference = name.Quoted();
    for (const auto& column : columns) {
      Field field;
      field.name = column.name;
      field.type = ReadTypeOf(column.native).type;
      field.nullable = column.nullable;
      field.native = {kSystem, column.native};
      info.columns.fields.push_back(std::move(field));
    }
    for (const auto& constraint : constraints) {
      if (constraint.kind == "PRIMARY KEY") info.columns.primary_key = constraint.columns;
    }
    return info;
  }

  arrow::Result<std::vector<Field>> DescribeExpressions(
      const StreamRef& ref, const std::vector<std::string>& expressions,
      std::stop_token stop) override {
    ARROW_ASSIGN_OR_RAISE(auto session, Connect(stop));
    std::string from;
    if (ref.kind == StreamKind::kQuery) {
      ARROW_ASSIGN_OR_RAISE(auto query, QueryShape(ref));
      from = "(" + query + "\n) AS _dxt_q";
    } else {
      ARROW_ASSIGN_OR_RAISE(auto name, Find(*session, ref, stop));
      from = name.Quoted();
    }
    std::string select = "SELECT ";
    for (size_t i = 0; i < expressions.size(); ++i) {
      select += (i > 0 ? ", (" : "(") + expressions[i] + "\n) AS c" + std::to_string(i);
    }
    ARROW_ASSIGN_OR_RAISE(
        auto fields, DescribeSelect(*session, select + " FROM " + from,
                                    "Describing the expressions of the fields", stop));
    if (fields.size() != expressions.size()) {
      return MakeError(ErrorClass::kConfig, "duckdb.expression",
                       "An expression of the fields is not a single value");
    }
    return fields;
  }

  arrow::Result<ReadPlan> PlanRead(const ReadSpec& spec, int,
                                   std::stop_token stop) override {
    ARROW_ASSIGN_OR_RAISE(auto session, Connect(stop));
    ARROW_ASSIGN_OR_RAISE(auto query, Select(*session, spec, stop));
    ReadPlan plan;
    plan.splits.push_back({});
    plan.text = query.text;
    return plan;
  }

  arrow::Result<std::unique_ptr<Reader>> OpenReader(const ReadSpec& spec, const Split&,
                                                    std::optional<Position> from,
                                                    std::stop_token stop) override {
    if (from) {
      return MakeError(ErrorClass::kUnsupported, "source.no_resume",
                       "A read of DuckDB cannot be resumed in the middle");
    }
    for (const auto& column : spec.columns) {
      if (!column.raw) continue;
      return MakeError(ErrorClass::kUnsupported, "source.no_raw",
                       "DuckDB hands out values, not bytes of its own");
    }
    ARROW_ASSIGN_OR_RAISE(auto session, Connect(stop));
    ARROW_ASSIGN_OR_RAISE(auto query, Select(*session, spec, stop));
    StreamSchema schema;
    for (const auto& column : spec.columns) {
      schema.fields.push_back({column.name, column.type, true, column.native});
    }
    ARROW_ASSIGN_OR_RAISE(auto rows,
                          session->Stream(query.text, "Reading " + NameOf(spec.ref), stop,
                                          query.parameters));
    return std::make_unique<DuckdbReader>(std::move(session), std::move(rows),
                                          ArrowSchema(schema), spec.batch_rows);
  }

  arrow::Result<std::optional<int64_t>> CountRows(const ReadSpec& spec,
                                                  std::stop_token stop) override {
    ARROW_ASSIGN_OR_RAISE(auto session, Connect(stop));
    Query query;
    ARROW_ASSIGN_OR_RAISE(auto source, SourceSql(*session, spec.ref, stop));
    ARROW_ASSIGN_OR_RAISE(query.text,
                          sql::BuildCount(spec, source, Dialect(query.parameters)));
    ARROW_ASSIGN_OR_RAISE(
        auto rows, session->Rows(query.text, "Counting rows", stop, query.parameters));
    return std::stoll(rows.at(0).at(0).value_or("0"));
  }

 private:
  static std::string NameOf(const StreamRef& ref) {
    return ref.kind == StreamKind::kQuery ? "the query" : ref.source;
  }

  arrow::Result<std::unique_ptr<Session>> Connect(std::stop_token stop) {
    return database_->Connect(/*writable=*/false, stop);
  }

  arrow::Result<TableName> Find(Session& session, const StreamRef& ref,
                                std::stop_token stop) {
    ARROW_ASSIGN_OR_RAISE(auto name,
                          FindTable(session, ref.source, default_schema_, stop));
    if (!name.exists) return TableMissing(name, database_->path());
    return name;
  }

  arrow::Result<std::string> SourceSql(Session& session, const StreamRef& ref,
                                       std::stop_token stop) {
    if (ref.kind == StreamKind::kQuery) return std::string();
    ARROW_ASSIGN_OR_RAISE(auto name, Find(session, ref, stop));
    return name.Quoted();
  }

  arrow::Result<Query> Select(Session& session, const ReadSpec& spec,
                              std::stop_token stop) {
    Query query;
    ARROW_ASSIGN_OR_RAISE(auto source, SourceSql(session, spec.ref, stop));
    ARROW_ASSIGN_OR_RAISE(query.text,
                          sql::BuildSelect(spec, source, Dialect(query.parameters), ""));
    return query;
  }

  /// The query with NULL where a value will stand, which is enough to learn its columns.
  static arrow::Result<std::string> QueryShape(const StreamRef& ref) {
    std::string shape;
    std::string_view text = ref.source;
    while (true) {
      const size_t open = text.find("{{");
      const size_t close = open == std::string_view::npos ? open : text.find("}}", open);
      shape += text.substr(0, close == std::string_view::npos ? text.size() : open);
      if (close == std::string_view::npos) break;
      shape += "NULL";
      text.remove_prefix(close + 2);
    }
    while (!shape.empty() &&
           std::string_view(" \t\r\n;").find(shape.back()) != std::string_view::npos) {
      shape.pop_back();
    }
    return "SELECT * FROM (" + shape + "\n) AS _dxt_q";
  }

  std::shared_ptr<Database> database_;
  const std::string default_schema_;
};

}  // namespace

std::unique_ptr<Source> MakeSource(std::shared_ptr<Database> database,
                                   std::string default_schema) {
  return std::make_unique<DuckdbSource>(std::move(database), std::move(default_schema));
}

}  // namespace dxt::duckdb
