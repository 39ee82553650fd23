#include "connectors/duckdb/writer.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include <arrow/api.h>
#include <arrow/util/byte_size.h>

#include "base/error.h"
#include "connectors/duckdb/arrays.h"
#include "connectors/duckdb/errors.h"
#include "connectors/duckdb/keyed.h"
#include "connectors/duckdb/keys.h"
#include "connectors/duckdb/plan.h"
#include "connectors/duckdb/statements.h"
#include "connectors/duckdb/swap.h"
#include "connectors/duckdb/types.h"
#include "connectors/sql/identifier.h"

namespace dxt::duckdb {
namespace {

namespace fs = std::filesystem;

// DuckDB's row group: the appender compresses in units of it.
constexpr int64_t kChunkRows = 122880;
constexpr int64_t kLeastChunkBytes = 4 << 20;

/// Rows of one window on their way. They go straight into the table to fill where its
/// columns are exactly those of the batches, else through a temporary table.
class DuckdbWriter : public Writer {
 public:
  DuckdbWriter(std::shared_ptr<Database> database, std::shared_ptr<HeldLoads> held,
               const WriteSpec& spec)
      : database_(std::move(database)), held_(std::move(held)), spec_(spec) {}

  ~DuckdbWriter() override { Abort(); }

  arrow::Status Begin(const std::string& default_schema, std::stop_token stop) {
    load_ = std::make_unique<HeldLoad>();
    ARROW_ASSIGN_OR_RAISE(load_->turn, database_->TakeTurn(stop));
    ARROW_ASSIGN_OR_RAISE(load_->session, database_->Connect(/*writable=*/true, stop));
    ARROW_RETURN_NOT_OK(Execute("BEGIN TRANSACTION", stop));
    ARROW_ASSIGN_OR_RAISE(load_->target, FindTable(*load_->session, spec_.table.reference,
                                                   default_schema, stop));
    name_ = load_->target.Quoted();
    if (load_->target.exists == spec_.plan.create) {
      return MakeError(ErrorClass::kTransient, "target.changed",
                       "The target " + name_ +
                           (spec_.plan.create ? " was made" : " vanished") +
                           " after the load was planned");
    }
    if (!load_->target.schema_exists) {
      ARROW_RETURN_NOT_OK(Execute(
          "CREATE SCHEMA IF NOT EXISTS " + sql::QuoteIdentifier(load_->target.schema),
          stop));
    }
    return MakeTables(stop);
  }

  arrow::Status Append(const arrow::RecordBatch& batch, std::stop_token stop) override {
    if (!load_) return Closed();
    if (IsKeyed(spec_.table.mode) && !spec_.null_keys_match) {
      ARROW_RETURN_NOT_OK(CheckNoNullKeys(batch, spec_.table.keys, rows_));
    }
    ARROW_ASSIGN_OR_RAISE(auto theirs, ToDuckdb(batch));
    if (!order_.empty()) {
      ARROW_ASSIGN_OR_RAISE(theirs, theirs->SelectColumns(order_));
    }
    chunk_rows_ += theirs->num_rows();
    chunk_bytes_ += arrow::util::TotalBufferSize(*theirs);
    rows_ += theirs->num_rows();
    bytes_ += arrow::util::TotalBufferSize(*theirs);
    if (theirs->num_rows() > 0) chunk_.push_back(std::move(theirs));
    const int64_t most = std::max(database_->memory_limit() / 16, kLeastChunkBytes);
    if (chunk_rows_ < kChunkRows && chunk_bytes_ < most) return arrow::Status::OK();
    return Flush(stop);
  }

  arrow::Status AppendFiles(std::span<const std::string> paths,
                            std::stop_token stop) override {
    if (!load_) return Closed();
    if (paths.empty()) return arrow::Status::OK();
    ARROW_RETURN_NOT_OK(Flush(stop));
    std::string list;
    for (const auto& path : paths) {
      ARROW_ASSIGN_OR_RAISE(auto reachable, Exchange(path));
      list += (list.empty() ? "[" : ", ") + sql::QuoteLiteral(reachable);
      std::error_code ignored;
      bytes_ += static_cast<int64_t>(fs::file_size(path, ignored));
    }
    const auto status = InsertFiles("read_parquet(" + list + "])", stop);
    RemoveLinks();
    return status;
  }

  arrow::Result<WriteReceipt> Finish(std::stop_token stop) override {
    if (!load_) return Closed();
    ARROW_RETURN_NOT_OK(Flush(stop));
    if (staged_) {
      ARROW_RETURN_NOT_OK(
          IsKeyed(spec_.table.mode)
              ? ApplyKeyed(spec_, StageSql(), FillSql(), rows_, *load_, stop)
              : Move(stop));
      ARROW_RETURN_NOT_OK(Execute("DROP TABLE " + StageSql(), stop));
    } else {
      load_->result.rows_written = rows_;
      ARROW_RETURN_NOT_OK(CheckJson(stop));
    }
    if (!late_keys_.empty()) {
      TableName filled = load_->target;
      filled.table = load_->fill_table;
      ARROW_ASSIGN_OR_RAISE(const bool added,
                            AddPrimaryKey(*load_->session, filled, late_keys_, rows_,
                                          database_->memory_limit(), stop));
      if (!added) WarnOfNoKey();
    }
    WriteReceipt receipt;
    receipt.rows = rows_;
    receipt.bytes = bytes_;
    receipt.handle = spec_.load_id;
    const std::lock_guard lock(held_->mutex);
    held_->loads[receipt.handle] = std::move(load_);
    held_->writing = false;
    return receipt;
  }

  void Abort() noexcept override {
    chunk_.clear();
    RemoveLinks();
    if (!load_) return;
    load_.reset();
    const std::lock_guard lock(held_->mutex);
    held_->writing = false;
  }

 private:
  static arrow::Status Closed() {
    return MakeError(ErrorClass::kInternal, "duckdb.writer_closed",
                     "A writer was used after it had ended");
  }

  arrow::Status Execute(const std::string& sql, std::stop_token stop) {
    return load_->session->Execute(sql, "Writing to " + name_, stop).status();
  }

  void WarnOfNoKey() {
    load_->result.warnings.push_back(
        {"duckdb.no_primary_key",
         "The table " + name_ +
             " got no primary key: DuckDB holds its index in memory, "
             "and that of " +
             std::to_string(rows_) +
             " rows does not fit into the run's. "
             "The keys were proved unique and not NULL. Raise runtime.memory_limit and "
             "replace the table once to have it"});
  }

  std::string StageSql() const { return "temp." + sql::QuoteIdentifier(stage_); }
  std::string FillSql() const {
    return sql::QuoteReference({load_->target.schema, load_->fill_table});
  }
  const FieldType& Delivered(size_t i) const {
    return spec_.plan.columns[i].domain.deliver;
  }

  /// Makes the table to fill, and the temporary one where it is needed.
  arrow::Status MakeTables(std::stop_token stop) {
    stage_ = "_dxt_s_" + spec_.load_id;
    load_->fill_table = load_->target.table;
    staged_ = IsKeyed(spec_.table.mode);
    const bool replace = spec_.table.mode == LoadMode::kReplace && !spec_.plan.create;
    if (spec_.plan.create) {
      ARROW_RETURN_NOT_OK(CreateFill(stop));
    } else if (replace && spec_.plan.strategy == "rewrite") {
      staged_ = true;
      rewrite_ = true;
    } else if (replace) {
      load_->swap = true;
      load_->carry = spec_.plan.strategy != "recreate";
      load_->fill_table = stage_ + "_new";
      ARROW_RETURN_NOT_OK(load_->carry ? CloneFill(stop) : CreateFill(stop));
    } else if (!staged_) {
      ARROW_ASSIGN_OR_RAISE(auto constraints,
                            ConstraintsOf(*load_->session, load_->target, stop));
      const bool bare = std::all_of(constraints.begin(), constraints.end(),
                                    [](const auto& c) { return c.kind == "NOT NULL"; });
      ARROW_ASSIGN_OR_RAISE(const bool unique, HasUniqueIndex(stop));
      if (!bare || unique) staged_ = true;
      ARROW_RETURN_NOT_OK(TakeOrder(stop));
    }
    return staged_ ? CreateStage(stop) : arrow::Status::OK();
  }

  arrow::Result<bool> HasUniqueIndex(std::stop_token stop) {
    ARROW_ASSIGN_OR_RAISE(
        auto rows,
        load_->session->Rows("SELECT 1 FROM duckdb_indexes() WHERE schema_name = $1 AND "
                             "table_name = $2 AND is_unique "
                             "AND database_name = current_database()",
                             "Reading the catalogue", stop,
                             {load_->target.schema, load_->target.table}));
    return !rows.empty();
  }

  arrow::Status CreateFill(std::stop_token stop) {
    late_keys_ = spec_.table.PrimaryKey();
    for (const auto& column : spec_.plan.columns) {
      if (!Direct(column.native, column.domain.deliver)) staged_ = true;
    }
    return Execute(CreateTableSql(FillSql(), spec_.plan, {}, spec_.table.TimeColumns()),
                   stop);
  }

  arrow::Status CloneFill(std::stop_token stop) {
    bool plain = false;
    ARROW_ASSIGN_OR_RAISE(auto create, CloneSql(*load_->session, load_->target,
                                                load_->fill_table, &plain, stop));
    ARROW_RETURN_NOT_OK(Execute(create, stop));
    if (!plain) {
      staged_ = true;
      return arrow::Status::OK();
    }
    ARROW_ASSIGN_OR_RAISE(auto constraints,
                          ConstraintsOf(*load_->session, load_->target, stop));
    for (const auto& constraint : constraints) {
      if (constraint.kind == "PRIMARY KEY") late_keys_ = constraint.columns;
    }
    return TakeOrder(stop);
  }

  /// True when the appender stores these values without a conversion.
  static bool Direct(const std::string& native, const FieldType& delivered) {
    return StoreCast(native, delivered) == "{}" ||
           (native == "JSON" && StagedType(delivered) == "VARCHAR");
  }

  /// Decides whether the batches can go straight into an existing table, and in which
  /// order of columns; stages them where not.
  arrow::Status TakeOrder(std::stop_token stop) {
    ARROW_ASSIGN_OR_RAISE(auto columns, ColumnsOf(*load_->session, load_->target, stop));
    std::vector<std::string> names;
    for (const auto& column : spec_.plan.columns) names.push_back(column.name);
    for (const auto& column : columns) {
      const int at = sql::MatchName(names, column.name);
      if (at < 0 || column.generated ||
          !Direct(column.native, Delivered(static_cast<size_t>(at)))) {
        staged_ = true;
        order_.clear();
        return arrow::Status::OK();
      }
      order_.push_back(at);
    }
    return arrow::Status::OK();
  }

  arrow::Status CreateStage(std::stop_token stop) {
    order_.clear();
    return Execute(CreateStageSql(spec_, stage_), stop);
  }

  arrow::Status Flush(std::stop_token stop) {
    auto chunk = std::move(chunk_);
    chunk_.clear();
    chunk_rows_ = chunk_bytes_ = 0;
    return load_->session->Ingest(load_->target.schema,
                                  staged_ ? stage_ : load_->fill_table, staged_,
                                  std::move(chunk), "Writing to " + name_, stop);
  }

  /// Makes a file reachable for DuckDB, which may read in one folder only.
  arrow::Result<std::string> Exchange(const std::string& path) {
    const fs::path link =
        database_->exchange_folder() /
        (spec_.load_id + "-" + std::to_string(links_.size()) + ".parquet");
    std::error_code failed;
    fs::create_hard_link(path, link, failed);
    if (failed) fs::copy_file(path, link, fs::copy_options::overwrite_existing, failed);
    if (failed) {
      return MakeError(
          ErrorClass::kTransient, "duckdb.io",
          "The file " + path + " could not be handed to DuckDB: " + failed.message());
    }
    links_.push_back(link.string());
    return link.string();
  }

  void RemoveLinks() noexcept {
    std::error_code ignored;
    for (const auto& link : links_) fs::remove(link, ignored);
    links_.clear();
  }

  arrow::Status InsertFiles(const std::string& source, std::stop_token stop) {
    ARROW_ASSIGN_OR_RAISE(auto found,
                          DescribeSelect(*load_->session, "SELECT * FROM " + source,
                                         "Reading Parquet files", stop));
    std::vector<std::string> names, values, file_names;
    for (const auto& field : found) file_names.push_back(field.name);
    for (size_t i = 0; i < spec_.plan.columns.size(); ++i) {
      const auto& column = spec_.plan.columns[i];
      const auto at = std::find(file_names.begin(), file_names.end(), column.name);
      if (at == file_names.end()) return NoSuchColumn(column.name);
      const Field& field = found[static_cast<size_t>(at - file_names.begin())];
      const std::string name = sql::QuoteIdentifier(column.name);
      const std::string staged = StagedType(Delivered(i));
      const bool json = field.native.type == "JSON" && staged == "VARCHAR";
      if (field.native.type != staged && !json) return OtherType(field, staged);
      const std::string value =
          json ? "CAST(" + name + " AS VARCHAR)" : Infinite(name, Delivered(i));
      names.push_back(name);
      values.push_back(staged_ ? value
                               : Filled(StoreCast(column.native, Delivered(i)), value));
    }
    ARROW_ASSIGN_OR_RAISE(
        const int64_t rows,
        load_->session->Execute("INSERT INTO " + (staged_ ? StageSql() : FillSql()) +
                                    " (" + sql::Joined(names) + ") SELECT " +
                                    sql::Joined(values) + " FROM " + source,
                                "Writing to " + name_, stop));
    rows_ += rows;
    if (!staged_ || !IsKeyed(spec_.table.mode) || spec_.null_keys_match) {
      return arrow::Status::OK();
    }
    return CheckNoNullsStaged(stop);
  }

  static arrow::Status NoSuchColumn(const std::string& name) {
    return MakeError(ErrorClass::kData, "duckdb.parquet_column",
                     "A Parquet file has no column '" + name + "'");
  }

  static arrow::Status OtherType(const Field& field, const std::string& staged) {
    return MakeError(ErrorClass::kUnsupported, "duckdb.parquet_type",
                     "DuckDB reads column '" + field.name + "' of a Parquet file as " +
                         field.native.type + ", not as " + staged);
  }

  arrow::Status CheckNoNullsStaged(std::stop_token stop) {
    std::string condition;
    for (const auto& key : spec_.table.keys) {
      condition +=
          (condition.empty() ? "" : " OR ") + sql::QuoteIdentifier(key) + " IS NULL";
    }
    const Places places = PlacesOf(spec_, StageSql());
    ARROW_ASSIGN_OR_RAISE(
        auto rows,
        load_->session->Rows("SELECT CAST(" + places.column + " AS BIGINT) FROM " +
                                 places.from + " WHERE " + condition + " LIMIT 1",
                             "Testing the keys of " + name_, stop));
    if (rows.empty()) return arrow::Status::OK();
    return MakeError(ErrorClass::kData, "load.null_key",
                     "A key column is NULL in row " +
                         std::to_string(std::stoll(rows[0][0].value_or("0")) + 1) +
                         " of the window",
                     "Filter such rows out, or name a key that is never NULL");
  }

  /// Append and replace through the temporary table.
  arrow::Status Move(std::stop_token stop) {
    if (rewrite_) {
      ARROW_ASSIGN_OR_RAISE(
          load_->result.rows_deleted,
          load_->session->Execute("DELETE FROM " + name_, "Writing to " + name_, stop));
    }
    load_->result.rows_written = rows_;
    return Execute(InsertAllSql(spec_, StageSql(), FillSql()), stop);
  }

  /// The appender takes any text for JSON; reading such a table would fail later.
  arrow::Status CheckJson(std::stop_token stop) {
    for (const auto& column : spec_.plan.columns) {
      if (column.native != "JSON") continue;
      const std::string name = sql::QuoteIdentifier(column.name);
      ARROW_ASSIGN_OR_RAISE(
          auto rows, load_->session->Rows("SELECT CAST(" + name + " AS VARCHAR) FROM " +
                                              FillSql() + " WHERE NOT json_valid(CAST(" +
                                              name + " AS VARCHAR)) LIMIT 1",
                                          "Testing JSON of " + name_, stop));
      if (rows.empty()) continue;
      ErrorInfo info;
      info.error_class = ErrorClass::kData;
      info.code = "duckdb.invalid_json";
      info.column = column.name;
      info.hint = "Give the field dtype string";
      return MakeError(info, "Column '" + column.name +
                                 "' holds a text that is not JSON: " +
                                 rows[0][0].value_or("").substr(0, 80));
    }
    return arrow::Status::OK();
  }

  std::shared_ptr<Database> database_;
  std::shared_ptr<HeldLoads> held_;
  const WriteSpec spec_;
  std::unique_ptr<HeldLoad> load_;
  std::string name_;   ///< The target, quoted, for messages.
  std::string stage_;  ///< Temporary table.
  bool staged_ = false;
  bool rewrite_ = false;
  std::vector<int>
      order_;  ///< Columns of the batches in the table's order; empty = same.
  std::vector<std::string> late_keys_;
  std::vector<std::string> links_;
  std::vector<std::shared_ptr<arrow::RecordBatch>> chunk_;
  int64_t chunk_rows_ = 0, chunk_bytes_ = 0, rows_ = 0, bytes_ = 0;
};

}  // namespace

arrow::Result<std::unique_ptr<Writer>> MakeWriter(std::shared_ptr<Database> database,
                                                  std::shared_ptr<HeldLoads> held,
                                                  const WriteSpec& spec,
                                                  const std::string& default_schema,
                                                  std::stop_token stop) {
  {
    // The turn belongs to the file, so a second writer would wait for the first for ever.
    const std::lock_guard lock(held->mutex);
    if (held->writing || !held->loads.empty()) {
      return MakeError(ErrorClass::kUnsupported, "duckdb.one_writer",
                       "A DuckDB target takes one writer at a time");
    }
    held->writing = true;
  }
  auto writer = std::make_unique<DuckdbWriter>(std::move(database), held, spec);
  const auto begun = writer->Begin(default_schema, stop);
  if (begun.ok()) return writer;
  writer.reset();
  const std::lock_guard lock(held->mutex);
  held->writing = false;
  return begun;
}

}  // namespace dxt::duckdb
