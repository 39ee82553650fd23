#include "connectors/postgres/source.h"

#include <algorithm>
#include <mutex>

#include "base/error.h"
#include "base/spelling.h"
#include "connectors/postgres/catalog.h"
#include "connectors/postgres/horizon.h"
#include "connectors/postgres/literal.h"
#include "connectors/postgres/reader.h"
#include "connectors/postgres/snapshot.h"
#include "connectors/postgres/type_map.h"
#include "connectors/sql/identifier.h"
#include "connectors/sql/select.h"

namespace dxt::postgres {
namespace {

/// From this version on a range of row addresses is read without looking at the rest.
constexpr int kTidRangeScans = 140000;

/// The text of a query without what would end the parentheses around it.
std::string QueryText(std::string text) {
  while (!text.empty() &&
         (text.back() == ';' || text.back() == ' ' || text.back() == '\n' ||
          text.back() == '\t' || text.back() == '\r')) {
    text.pop_back();
  }
  return text;
}

std::string Quoted(const CatalogTable& table) {
  return sql::QuoteReference({table.schema, table.name});
}

StreamInfo InfoOf(const CatalogTable& table) {
  StreamInfo info;
  info.kind =
      table.kind == 'v' || table.kind == 'm' ? StreamKind::kView : StreamKind::kTable;
  info.reference = sql::ReferenceText({table.schema, table.name});
  info.schema = table.schema;
  info.name = table.name;
  for (const auto& column : table.columns) info.columns.fields.push_back(FieldOf(column));
  info.columns.primary_key = table.primary_key;
  if (table.estimated_rows >= 0 && table.kind != 'v') {
    info.estimated_rows = table.estimated_rows;
  }
  return info;
}

class PostgresSource : public Source {
 public:
  explicit PostgresSource(ConnectOptions options) : pool_(std::move(options)) {}

  arrow::Status Check(std::stop_token stop) override {
    ARROW_ASSIGN_OR_RAISE(auto connection, Lease::Take(pool_, stop));
    return connection->Run("SELECT 1", "Checking the connection", stop).status();
  }

  arrow::Result<std::vector<StreamInfo>> Discover(const std::string& schema,
                                                  std::stop_token stop) override {
    ARROW_ASSIGN_OR_RAISE(auto connection, Lease::Take(pool_, stop));
    ARROW_ASSIGN_OR_RAISE(auto tables, LoadTables(*connection, schema, "", stop));
    if (tables.empty() && !schema.empty()) {
      ARROW_ASSIGN_OR_RAISE(auto schemas, SchemaNames(*connection, stop));
      const int at = sql::MatchName(schemas, schema);
      if (at < 0) return SchemaMissing(schema, schemas);
      if (schemas[at] != schema) {
        ARROW_ASSIGN_OR_RAISE(tables, LoadTables(*connection, schemas[at], "", stop));
      }
    }
    std::vector<StreamInfo> streams;
    for (const auto& table : tables) streams.push_back(InfoOf(table));
    return streams;
  }

  arrow::Result<StreamInfo> Describe(const StreamRef& ref,
                                     std::stop_token stop) override {
    ARROW_ASSIGN_OR_RAISE(auto connection, Lease::Take(pool_, stop));
    if (ref.kind == StreamKind::kQuery) {
      StreamInfo info;
      info.kind = StreamKind::kQuery;
      info.reference = ref.source;
      ARROW_ASSIGN_OR_RAISE(info.columns.fields,
                            DescribeSql(*connection, Probe(QueryText(ref.source)),
                                        "Describing the query", stop));
      return info;
    }
    ARROW_ASSIGN_OR_RAISE(auto table, Find(*connection, ref.source, stop));
    return InfoOf(table);
  }

  arrow::Result<std::vector<Field>> DescribeExpressions(
      const StreamRef& ref, const std::vector<std::string>& expressions,
      std::stop_token stop) override {
    ARROW_ASSIGN_OR_RAISE(auto connection, Lease::Take(pool_, stop));
    std::string sql = "SELECT ";
    for (size_t i = 0; i < expressions.size(); ++i) {
      sql += (i > 0 ? ", (" : "(") + expressions[i] + "\n)";
    }
    if (ref.kind == StreamKind::kQuery) {
      sql += " FROM (" + Probe(QueryText(ref.source)) + "\n) AS _dxt_q";
    } else {
      ARROW_ASSIGN_OR_RAISE(auto table, Find(*connection, ref.source, stop));
      sql += " FROM " + Quoted(table);
    }
    return DescribeSql(*connection, sql, "Describing the expressions", stop);
  }

  arrow::Result<ReadPlan> PlanRead(const ReadSpec& spec, int max_splits,
                                   std::stop_token stop) override {
    ARROW_ASSIGN_OR_RAISE(auto connection, Lease::Take(pool_, stop));
    ReadPlan plan;
    ARROW_RETURN_NOT_OK(CheckItems(spec));
    ARROW_ASSIGN_OR_RAISE(const auto item, SourceSql(*connection, spec.ref, stop));
    ARROW_ASSIGN_OR_RAISE(plan.text,
                          sql::BuildSelect(spec, item.sql, Dialect(*connection), ""));
    const bool stamps = spec.cursor && (spec.cursor->type.dtype == DType::kTimestampTz ||
                                        spec.cursor->type.dtype == DType::kTimestamp);
    if (item.has_xmin && spec.hold_back && stamps) {
      ARROW_ASSIGN_OR_RAISE(auto hidden, HiddenTransactions(*connection, stop));
      if (!hidden.empty()) plan.notes.push_back(std::move(hidden));
    }
    if (spec.ref.kind != StreamKind::kQuery && spec.where.empty() &&
        spec.filters.empty() && !spec.cursor) {
      ARROW_ASSIGN_OR_RAISE(auto table, Find(*connection, spec.ref.source, stop));
      if (table.estimated_rows >= 0 && table.kind != 'v') {
        plan.estimated_rows = table.estimated_rows;
      }
    }
    if (spec.limit && (!plan.estimated_rows || *plan.estimated_rows > *spec.limit)) {
      plan.estimated_rows = spec.limit;
    }
    if (max_splits > 1 && item.splittable && !spec.limit && !spec.order_by_cursor &&
        connection->server_version() >= kTidRangeScans) {
      ARROW_RETURN_NOT_OK(
          PlanSplits(std::move(connection), spec, item, max_splits, &plan, stop));
    }
    if (plan.splits.empty()) plan.splits.push_back(Split{});
    return plan;
  }

  arrow::Result<std::unique_ptr<Reader>> OpenReader(const ReadSpec& spec,
                                                    const Split& split,
                                                    std::optional<Position> from,
                                                    std::stop_token stop) override {
    if (from) {
      return MakeError(ErrorClass::kUnsupported, "pg.no_positions",
                       "A PostgreSQL read cannot start in its middle");
    }
    if (!split.bytes.empty()) return OpenPart(spec, split, std::move(stop));
    ARROW_ASSIGN_OR_RAISE(auto connection, pool_.Take(stop));
    ARROW_RETURN_NOT_OK(CheckItems(spec));
    ARROW_ASSIGN_OR_RAISE(const auto item, SourceSql(*connection, spec.ref, stop));
    ReadSpec below = spec;
    ARROW_ASSIGN_OR_RAISE(auto held, Begin(*connection, item, &below, stop));
    ARROW_ASSIGN_OR_RAISE(const auto select,
                          sql::BuildSelect(below, item.sql, Dialect(*connection), ""));
    return OpenCopyReader(pool_, std::move(connection), spec, select, std::move(held),
                          nullptr, stop);
  }

  arrow::Result<std::optional<int64_t>> CountRows(const ReadSpec& spec,
                                                  std::stop_token stop) override {
    ARROW_ASSIGN_OR_RAISE(auto connection, Lease::Take(pool_, stop));
    ARROW_ASSIGN_OR_RAISE(auto source, SourceSql(*connection, spec.ref, stop));
    ARROW_ASSIGN_OR_RAISE(auto sql,
                          sql::BuildCount(spec, source.sql, Dialect(*connection)));
    constexpr std::string_view doing = "Counting the rows";
    ARROW_RETURN_NOT_OK(
        connection
            ->Run("BEGIN READ ONLY; " + SessionSettings(pool_.options()) + kLockPatience,
                  doing, stop)
            .status());
    ARROW_ASSIGN_OR_RAISE(auto count, connection->Query(sql, {}, doing, stop));
    ARROW_RETURN_NOT_OK(connection->Run("COMMIT", doing, stop).status());
    return std::optional<int64_t>(count.Int(0, 0));
  }

 private:
  static arrow::Status SchemaMissing(const std::string& schema,
                                     const std::vector<std::string>& schemas) {
    const std::string nearest = NearestSpelling(schema, schemas);
    return MakeError(ErrorClass::kConfig, "pg.schema_missing",
                     "There is no schema '" + schema + "'",
                     nearest.empty() ? "dxtctl discover lists what is there"
                                     : "Did you mean '" + nearest + "'?");
  }

  /// `{{ … }}` of a query stand where values may stand; NULL has every type.
  static std::string Probe(std::string text) {
    for (size_t open; (open = text.find("{{")) != std::string::npos;) {
      const size_t close = text.find("}}", open);
      if (close == std::string::npos) break;
      text.replace(open, close + 2 - open, "NULL");
    }
    return text;
  }

  arrow::Result<CatalogTable> Find(Connection& connection, const std::string& reference,
                                   std::stop_token stop) {
    const auto& options = pool_.options();
    ARROW_ASSIGN_OR_RAISE(
        auto wanted,
        ResolveName(connection, reference, options.database, options.schema, stop));
    ARROW_ASSIGN_OR_RAISE(auto found,
                          LoadTables(connection, wanted.schema, wanted.name, stop));
    if (found.size() == 1) return std::move(found.front());
    ARROW_ASSIGN_OR_RAISE(auto schemas, SchemaNames(connection, stop));
    const int schema = sql::MatchName(schemas, wanted.schema);
    if (schema < 0) return SchemaMissing(wanted.schema, schemas);
    ARROW_ASSIGN_OR_RAISE(auto names, TableNames(connection, schemas[schema], stop));
    const int name = sql::MatchName(names, wanted.name);
    if (name >= 0) {
      ARROW_ASSIGN_OR_RAISE(found,
                            LoadTables(connection, schemas[schema], names[name], stop));
      if (found.size() == 1) return std::move(found.front());
    }
    const std::string nearest = NearestSpelling(wanted.name, names);
    return MakeError(ErrorClass::kConfig, "pg.table_missing",
                     "There is no table or view '" + schemas[schema] + "." + wanted.name +
                         "' in database '" + options.database + "'",
                     nearest.empty()
                         ? "dxtctl discover lists what is there"
                         : "Did you mean '" + schemas[schema] + "." + nearest + "'?");
  }

  arrow::Result<std::vector<Field>> DescribeSql(Connection& connection,
                                                const std::string& sql,
                                                std::string_view doing,
                                                std::stop_token stop) {
    // In a transaction, so that a pooler keeps both messages on one server.
    ARROW_RETURN_NOT_OK(
        connection
            .Run("BEGIN READ ONLY; " + SessionSettings(pool_.options()), doing, stop)
            .status());
    auto described = connection.DescribeStatement(sql, doing, stop);
    if (!connection.broken()) {
      ARROW_RETURN_NOT_OK(connection.Run("COMMIT", doing, stop).status());
    }
    ARROW_ASSIGN_OR_RAISE(auto columns, std::move(described));
    std::vector<std::pair<uint32_t, int32_t>> types;
    for (const auto& column : columns) types.emplace_back(column.type, column.modifier);
    ARROW_ASSIGN_OR_RAISE(auto named, NameTypes(connection, types, stop));
    std::vector<Field> fields;
    for (size_t i = 0; i < columns.size(); ++i) {
      Field field;
      field.name = columns[i].name;
      field.native = {std::string(kSystem), named[i].type};
      field.type = ReadAs(ParseType(named[i].type), named[i].composite, 0);
      fields.push_back(std::move(field));
    }
    return fields;
  }

  sql::SelectDialect Dialect(const Connection& connection) const {
    sql::SelectDialect dialect;
    dialect.value = [&connection](std::string_view value, const FieldType& type) {
      return ValueLiteral(connection, value, type);
    };
    dialect.bytewise = [](std::string_view text) {
      return "(" + std::string(text) + "::text COLLATE \"C\")";
    };
    // SelectItem's refusals were found before the statement is built.
    dialect.item = [](const ColumnRead& column) {
      const std::string sql = column.expression.empty()
                                  ? sql::QuoteIdentifier(column.column)
                                  : "(" + column.expression + "\n)";
      return SelectItem(column, sql).ValueOr(sql);
    };
    return dialect;
  }

  /// What stands behind FROM; nothing for a query.
  struct FromItem {
    std::string sql;
    bool has_xmin =
        false;  ///< A table of this server's own, whose rows say who made them.
    bool splittable = false;
    int64_t oid = 0;
  };

  /// Begins the transaction of a read. What it must leave to a later one is taken out of
  /// `spec`.
  arrow::Result<std::optional<HeldBack>> Begin(Connection& connection,
                                               const FromItem& item, ReadSpec* spec,
                                               std::stop_token stop) {
    const std::string begin = BeginReadSql(pool_.options());
    const std::string doing = ReadingOf(*spec);
    if (!item.has_xmin || !spec->hold_back || !spec->cursor) {
      ARROW_RETURN_NOT_OK(connection.Run(begin, doing, stop).status());
      return std::nullopt;
    }
    ARROW_ASSIGN_OR_RAISE(
        const auto horizon,
        BeginBehindHorizon(connection, begin, pool_.options().session_timezone, doing,
                           stop));
    ARROW_ASSIGN_OR_RAISE(auto held, FindHeldBack(connection, horizon, *spec, item.sql,
                                                  Dialect(connection), doing, stop));
    if (held) spec->cursor->upper = held->from;
    return held;
  }

  /// Cuts the table by its blocks, as far as it is worth it. Each split is the snapshot's
  /// id and a statement.
  arrow::Status PlanSplits(Lease lease, const ReadSpec& spec, const FromItem& item,
                           int most, ReadPlan* plan, std::stop_token stop) {
    // The sizes need a lock on the table, which is waited for as a read waits for it.
    const std::string doing = ReadingOf(spec);
    ARROW_RETURN_NOT_OK(lease->Run(BeginReadSql(pool_.options()), doing, stop).status());
    ARROW_ASSIGN_OR_RAISE(auto size,
                          lease->Query("SELECT pg_catalog.pg_relation_size($1::oid) / "
                                       "pg_catalog.current_setting('block_size')::int8, "
                                       "pg_catalog.pg_table_size($1::oid)",
                                       {std::to_string(item.oid)}, doing, stop));
    ARROW_RETURN_NOT_OK(lease->Run("COMMIT", doing, stop).status());
    const int64_t blocks = size.Int(0, 0);
    int64_t count = std::min<int64_t>(most, blocks);
    if (spec.split_bytes > 0) count = std::min(count, size.Int(0, 1) / spec.split_bytes);
    if (count < 2) return arrow::Status::OK();
    auto leader = lease.Keep();
    ReadSpec below = spec;
    ARROW_ASSIGN_OR_RAISE(auto held, Begin(*leader, item, &below, stop));
    for (const auto& range : CutBlocks(blocks, count)) {
      ARROW_ASSIGN_OR_RAISE(
          auto select,
          sql::BuildSelect(below, item.sql, Dialect(*leader), InRange(range)));
      plan->splits.push_back(
          {static_cast<int32_t>(plan->splits.size()), std::move(select)});
    }
    auto snapshot = SharedSnapshot::Export(pool_, std::move(leader), std::move(held),
                                           ReadingOf(spec), stop);
    if (!snapshot.ok()) {
      // One reader needs no snapshot but its own.
      plan->splits.clear();
      return stop.stop_requested() ? snapshot.status() : arrow::Status::OK();
    }
    for (auto& split : plan->splits) {
      split.bytes = (*snapshot)->id() + '\n' + split.bytes;
    }
    const std::lock_guard lock(mutex_);
    snapshot_ = *snapshot;
    plan->shared = std::move(*snapshot);
    return arrow::Status::OK();
  }

  arrow::Result<std::unique_ptr<Reader>> OpenPart(const ReadSpec& spec,
                                                  const Split& split,
                                                  std::stop_token stop) {
    std::shared_ptr<SharedSnapshot> snapshot;
    {
      const std::lock_guard lock(mutex_);
      snapshot = snapshot_.lock();
    }
    const size_t end = split.bytes.find('\n');
    if (!snapshot || snapshot->id() != split.bytes.substr(0, end)) {
      return MakeError(ErrorClass::kInternal, "pg.split",
                       "A split of a snapshot that is gone was asked for");
    }
    ARROW_ASSIGN_OR_RAISE(auto connection, snapshot->Take(ReadingOf(spec), stop));
    auto held = snapshot->held();
    return OpenCopyReader(pool_, std::move(connection), spec, split.bytes.substr(end + 1),
                          std::move(held), std::move(snapshot), std::move(stop));
  }

  arrow::Result<FromItem> SourceSql(Connection& connection, const StreamRef& ref,
                                    std::stop_token stop) {
    if (ref.kind == StreamKind::kQuery) return FromItem{};
    ARROW_ASSIGN_OR_RAISE(auto table, Find(connection, ref.source, stop));
    return FromItem{Quoted(table), table.kind == 'r' || table.kind == 'p',
                    table.splittable, table.oid};
  }

  static arrow::Status CheckItems(const ReadSpec& spec) {
    for (const auto& column : spec.columns) {
      ARROW_RETURN_NOT_OK(SelectItem(column, "").status());
    }
    return arrow::Status::OK();
  }

  ConnectionPool pool_;
  std::mutex mutex_;
  std::weak_ptr<SharedSnapshot> snapshot_;  ///< Of the newest plan with several splits.
};

}  // namespace

std::unique_ptr<Source> MakeSource(ConnectOptions options) {
  return std::make_unique<PostgresSource>(std::move(options));
}

}  // namespace dxt::postgres
