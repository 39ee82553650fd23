#include "connectors/sqlite/source.h"

#include "base/error.h"
#include "connectors/sql/identifier.h"
#include "connectors/sqlite/connection.h"
#include "connectors/sqlite/describe.h"
#include "connectors/sqlite/files.h"
#include "connectors/sqlite/reader.h"

namespace dxt::sqlite {
namespace {

class SqliteSource final : public Source {
 public:
  SqliteSource(std::string path, FileRegistry& files, std::chrono::milliseconds lock_wait)
      : path_(std::move(path)), files_(files), lock_wait_(lock_wait) {}

  arrow::Status Check(std::stop_token stop) override { return Open(stop).status(); }

  arrow::Result<std::vector<StreamInfo>> Discover(const std::string& schema,
                                                  std::stop_token stop) override {
    ARROW_ASSIGN_OR_RAISE(auto* connection, Open(stop));
    std::vector<StreamInfo> streams;
    if (!schema.empty() && schema != "main") return streams;
    ARROW_ASSIGN_OR_RAISE(const auto names, TableNames(*connection));
    for (const auto& name : names) {
      auto info = DescribeNamed(*connection, name);
      if (info.ok()) {
        streams.push_back(info.MoveValueUnsafe());
      } else if (GetErrorInfo(info.status()).code != "sqlite.sql") {
        // "sqlite.sql": a view whose tables are gone cannot be read, so it is no stream.
        return info.status();
      }
    }
    return streams;
  }

  arrow::Result<StreamInfo> Describe(const StreamRef& ref,
                                     std::stop_token stop) override {
    ARROW_RETURN_NOT_OK(NumericTimeOf(ref.options));
    ARROW_ASSIGN_OR_RAISE(auto* connection, Open(stop));
    if (ref.kind == StreamKind::kQuery) return DescribeQuery(*connection, ref.source);
    ARROW_RETURN_NOT_OK(CheckKind(ref));
    ARROW_ASSIGN_OR_RAISE(const auto table, RequireTable(*connection, ref.source));
    return DescribeTable(*connection, table, Mixed::kRefuse);
  }

  arrow::Result<std::vector<Field>> DescribeExpressions(
      const StreamRef& ref, const std::vector<std::string>& expressions,
      std::stop_token stop) override {
    ARROW_ASSIGN_OR_RAISE(auto* connection, Open(stop));
    if (ref.kind == StreamKind::kQuery) {
      return sqlite::DescribeExpressions(*connection, QueryWithoutValues(ref.source),
                                         expressions);
    }
    ARROW_ASSIGN_OR_RAISE(const auto table, RequireTable(*connection, ref.source));
    return sqlite::DescribeExpressions(*connection, sql::QuoteIdentifier(table.name),
                                       expressions);
  }

  arrow::Result<ReadPlan> PlanRead(const ReadSpec& spec, int,
                                   std::stop_token stop) override {
    ARROW_RETURN_NOT_OK(CheckKind(spec.ref));
    ARROW_ASSIGN_OR_RAISE(auto* connection, Open(stop));
    ARROW_ASSIGN_OR_RAISE(const auto selection, SelectionOf(*connection, spec, false));
    ReadPlan plan;
    plan.splits.push_back({});
    plan.text = selection.sql;
    return plan;
  }

  arrow::Result<std::unique_ptr<Reader>> OpenReader(const ReadSpec& spec, const Split&,
                                                    std::optional<Position> from,
                                                    std::stop_token stop) override {
    if (from) {
      return MakeError(ErrorClass::kUnsupported, "source.no_resume",
                       "A read of a SQLite file cannot go on from a position");
    }
    for (const auto& column : spec.columns) {
      if (!column.raw) continue;
      return MakeError(ErrorClass::kUnsupported, "source.no_raw",
                       "SQLite values have no bytes of their own to pass on");
    }
    ARROW_RETURN_NOT_OK(CheckKind(spec.ref));
    ARROW_ASSIGN_OR_RAISE(
        auto connection,
        Connection::Open(path_, Connection::Mode::kRead, files_, lock_wait_, stop));
    ARROW_ASSIGN_OR_RAISE(auto selection, SelectionOf(*connection, spec, false));
    return MakeReader(std::move(connection), spec, std::move(selection));
  }

  arrow::Result<std::optional<int64_t>> CountRows(const ReadSpec& spec,
                                                  std::stop_token stop) override {
    ARROW_RETURN_NOT_OK(CheckKind(spec.ref));
    ARROW_ASSIGN_OR_RAISE(auto* connection, Open(stop));
    ARROW_ASSIGN_OR_RAISE(const auto selection, SelectionOf(*connection, spec, true));
    ARROW_ASSIGN_OR_RAISE(auto statement, connection->Prepare(selection.sql));
    ARROW_RETURN_NOT_OK(BindValues(selection, &statement));
    ARROW_RETURN_NOT_OK(statement.Step());
    const int64_t rows = statement.Integer(0);
    return spec.limit ? std::min(rows, *spec.limit) : rows;
  }

 private:
  static arrow::Result<StreamInfo> DescribeNamed(Connection& connection,
                                                 const std::string& name) {
    ARROW_ASSIGN_OR_RAISE(const auto table,
                          RequireTable(connection, sql::ReferenceText({name})));
    return DescribeTable(connection, table, Mixed::kText);
  }

  static arrow::Status CheckKind(const StreamRef& ref) {
    if (ref.kind == StreamKind::kTable || ref.kind == StreamKind::kView ||
        ref.kind == StreamKind::kQuery) {
      return arrow::Status::OK();
    }
    return MakeError(ErrorClass::kUnsupported, "sqlite.kind",
                     "A SQLite file has tables, views and queries only");
  }

  /// The connection for catalogue work, opened at first use.
  arrow::Result<Connection*> Open(std::stop_token stop) {
    if (!connection_) {
      ARROW_ASSIGN_OR_RAISE(connection_, Connection::Open(path_, Connection::Mode::kRead,
                                                          files_, lock_wait_, stop));
    }
    connection_->Watch(std::move(stop));
    return connection_.get();
  }

  std::string path_;
  FileRegistry& files_;
  std::chrono::milliseconds lock_wait_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace

std::unique_ptr<Source> MakeSource(std::string path, FileRegistry& files,
                                   std::chrono::milliseconds lock_wait) {
  return std::make_unique<SqliteSource>(std::move(path), files, lock_wait);
}

}  // namespace dxt::sqlite
