#include "connectors/duckdb/keyed.h"

#include "connectors/duckdb/keys.h"
#include "connectors/duckdb/statements.h"
#include "connectors/sql/identifier.h"
#include "connectors/sql/keyed.h"
#include "connectors/sql/ledger.h"

namespace dxt::duckdb {
namespace {

/// One window between its temporary table and the target.
class KeyedLoad {
 public:
  KeyedLoad(const WriteSpec& spec, const std::string& stage, const std::string& fill,
            int64_t rows, HeldLoad& load, std::stop_token stop)
      : spec_(spec),
        stage_(stage),
        fill_(fill),
        keys_(sql::LedgerSql(load.target.schema, "", "").keys_table()),
        rows_(rows),
        load_(load),
        stop_(std::move(stop)) {}

  arrow::Status Apply() {
    CommitResult& result = load_.result;
    if (spec_.duplicate_keys_fail) {
      ARROW_RETURN_NOT_OK(CheckUnique(*load_.session, stage_, load_.target.Quoted(),
                                      spec_.table.keys,
                                      "Set on_duplicate_key: last, or choose other "
                                      "upsert_keys",
                                      stop_));
    }
    if (spec_.table.mode == LoadMode::kDeleteInsert) return DeleteInsert();
    if (spec_.table.mode == LoadMode::kHistory) return KeepVersions();
    ARROW_ASSIGN_OR_RAISE(const int64_t keys, Number(CountKeysSql(spec_, stage_), {}));
    result.rows_written = keys;
    result.rows_deduplicated = rows_ - keys;
    if (spec_.plan.create) {
      ARROW_RETURN_NOT_OK(Execute(InsertLatestSql(spec_, stage_, fill_)).status());
    } else if (spec_.table.mode == LoadMode::kInsertOnly) {
      ARROW_ASSIGN_OR_RAISE(result.rows_written,
                            Execute(InsertMissingSql(spec_, stage_, fill_)));
    } else {
      // Before the new rows come, which may have what is unique in those that go.
      if (mirror()) ARROW_RETURN_NOT_OK(DeleteUnseen());
      ARROW_RETURN_NOT_OK(Execute(MergeSql(spec_, stage_, fill_)).status());
    }
    return mirror() && tracked() ? TrackKeys() : arrow::Status::OK();
  }

 private:
  bool mirror() const { return spec_.table.mode == LoadMode::kMirror; }
  bool tracked() const { return spec_.table.mirror.scope == MirrorScope::kTracked; }

  arrow::Result<int64_t> Execute(const std::string& sql,
                                 const std::vector<Parameter>& parameters = {}) {
    return load_.session->Execute(sql, "Writing to " + load_.target.Quoted(), stop_,
                                  parameters);
  }

  arrow::Result<int64_t> Number(const std::string& sql,
                                const std::vector<Parameter>& parameters) {
    ARROW_ASSIGN_OR_RAISE(
        auto rows,
        load_.session->Rows(sql, "Counting the rows of " + load_.target.Quoted(), stop_,
                            parameters));
    return std::stoll(rows.at(0).at(0).value_or("0"));
  }

  std::vector<Parameter> Stream() const {
    return {spec_.identity.pipeline, spec_.identity.stream};
  }

  arrow::Status DeleteInsert() {
    CommitResult& result = load_.result;
    if (!spec_.plan.create) {
      ARROW_ASSIGN_OR_RAISE(result.rows_deleted,
                            Execute(DeleteSeenSql(spec_, stage_, fill_)));
    }
    result.rows_written = rows_;
    return Execute(InsertAllSql(spec_, stage_, fill_)).status();
  }

  /// Closes the versions that hold no longer and opens those that hold now.
  arrow::Status KeepVersions() {
    const std::string latest = "temp._dxt_last";
    CommitResult& result = load_.result;
    ARROW_RETURN_NOT_OK(Execute(CreateLatestSql(spec_, stage_, latest)).status());
    ARROW_ASSIGN_OR_RAISE(const int64_t keys, NumberOf(latest));
    result.rows_deduplicated = rows_ - keys;
    ARROW_RETURN_NOT_OK(RefuseTwoOpen(latest));
    ARROW_ASSIGN_OR_RAISE(const std::string moment, Moment());
    if (spec_.table.history.closes_unseen) {
      load_.rows_loaded = rows_;
      ARROW_ASSIGN_OR_RAISE(
          load_.rows_before,
          NumberOf(fill_ + " WHERE " +
                   sql::QuoteIdentifier(spec_.table.history.valid_to) + " IS NULL"));
      ARROW_ASSIGN_OR_RAISE(result.rows_deleted,
                            Execute(CloseUnseenSql(spec_, latest, fill_), {moment}));
    }
    if (const auto close = CloseChangedSql(spec_, latest, fill_); !close.empty()) {
      ARROW_RETURN_NOT_OK(Execute(close, {moment}).status());
    }
    ARROW_ASSIGN_OR_RAISE(result.rows_written,
                          Execute(OpenMissingSql(spec_, latest, fill_), {moment}));
    return Execute("DROP TABLE " + latest).status();
  }

  arrow::Result<int64_t> NumberOf(const std::string& rows) {
    return Number("SELECT CAST(count(*) AS BIGINT) FROM " + rows, {});
  }

  arrow::Status RefuseTwoOpen(const std::string& latest) {
    ARROW_ASSIGN_OR_RAISE(
        auto rows,
        load_.session->Rows(TwoOpenSql(spec_, latest, fill_),
                            "Reading the versions of " + load_.target.Quoted(), stop_));
    if (rows.empty()) return arrow::Status::OK();
    std::vector<std::string> keys;
    for (const auto& row : rows) keys.push_back("(" + row.at(0).value_or("") + ")");
    return sql::TwoOpen(load_.target.Quoted(), spec_.table.history, keys);
  }

  arrow::Result<std::string> Moment() {
    ARROW_ASSIGN_OR_RAISE(
        auto rows,
        load_.session->Rows(MomentSql(spec_, fill_),
                            "Reading the versions of " + load_.target.Quoted(), stop_));
    std::string moment = rows.at(0).at(0).value_or("");
    if (rows[0].at(1) == "1") {
      return sql::VersionAhead(load_.target.Quoted(), spec_.table.history, moment);
    }
    return moment;
  }

  arrow::Status DeleteUnseen() {
    load_.rows_loaded = rows_;
    const std::string& column = spec_.table.mirror.soft_delete_column;
    const std::string soft = column.empty() ? "" : sql::QuoteIdentifier(column);
    if (!tracked()) {
      ARROW_ASSIGN_OR_RAISE(
          load_.rows_before,
          Number("SELECT CAST(count(*) AS BIGINT) FROM " + fill_ +
                     (soft.empty() ? "" : " WHERE " + soft + " IS NULL"),
                 {}));
      ARROW_ASSIGN_OR_RAISE(load_.result.rows_deleted,
                            Execute(DeleteUnseenSql(spec_, stage_, fill_, "")));
      return arrow::Status::OK();
    }
    if (spec_.forget_keys) return arrow::Status::OK();
    ARROW_RETURN_NOT_OK(MakeKeys());
    ARROW_ASSIGN_OR_RAISE(load_.rows_before,
                          Number("SELECT CAST(count(*) AS BIGINT) FROM " + keys_ +
                                     " WHERE pipeline = $1 AND stream = $2",
                                 Stream()));
    load_.keys_lost = load_.rows_before == 0;
    ARROW_ASSIGN_OR_RAISE(
        load_.result.rows_deleted,
        Execute(DeleteUnseenSql(spec_, stage_, fill_, keys_), Stream()));
    return arrow::Status::OK();
  }

  arrow::Status MakeKeys() {
    // No index: DuckDB would hold all of it in memory, and whole scans are what is done.
    return Execute(
               sql::LedgerSql(load_.target.schema, "", "").CreateKeys(/*indexed=*/false))
        .status();
  }

  /// Makes `_dxt_keys` hold the keys of this load and no others of the stream.
  arrow::Status TrackKeys() {
    ARROW_RETURN_NOT_OK(MakeKeys());
    if (spec_.forget_keys || spec_.plan.create) {
      ARROW_RETURN_NOT_OK(
          Execute("DELETE FROM " + keys_ + " WHERE pipeline = $1 AND stream = $2",
                  Stream())
              .status());
    }
    ARROW_RETURN_NOT_OK(Execute("CREATE TEMPORARY TABLE _dxt_seen AS " +
                                SeenKeysSql(spec_, stage_, fill_))
                            .status());
    ARROW_RETURN_NOT_OK(
        Execute("DELETE FROM " + keys_ +
                    " AS k WHERE k.pipeline = $1 AND k.stream = $2 AND NOT EXISTS "
                    "(SELECT 1 FROM temp._dxt_seen AS s WHERE s.key = k.key)",
                Stream())
            .status());
    ARROW_RETURN_NOT_OK(
        Execute("INSERT INTO " + keys_ +
                    " (pipeline, stream, key) SELECT $1, $2, s.key FROM temp._dxt_seen "
                    "AS s WHERE NOT EXISTS (SELECT 1 FROM " +
                    keys_ +
                    " AS k WHERE k.pipeline = $1 AND k.stream = $2 AND k.key = s.key)",
                Stream())
            .status());
    return Execute("DROP TABLE temp._dxt_seen").status();
  }

  const WriteSpec& spec_;
  const std::string& stage_;
  const std::string& fill_;
  const std::string keys_;
  const int64_t rows_;
  HeldLoad& load_;
  const std::stop_token stop_;
};

}  // namespace

arrow::Status ApplyKeyed(const WriteSpec& spec, const std::string& stage,
                         const std::string& fill, int64_t rows, HeldLoad& load,
                         std::stop_token stop) {
  return KeyedLoad(spec, stage, fill, rows, load, std::move(stop)).Apply();
}

}  // namespace dxt::duckdb
