#include "connectors/sqlite/destination.h"

#include <unistd.h>

#include <filesystem>
#include <mutex>

#include <arrow/api.h>

#include "base/error.h"
#include "connectors/sdk/cursor.h"
#include "connectors/sdk/guards.h"
#include "connectors/sql/identifier.h"
#include "connectors/sqlite/catalogue.h"
#include "connectors/sqlite/collations.h"
#include "connectors/sqlite/connection.h"
#include "connectors/sqlite/decode.h"
#include "connectors/sqlite/describe.h"
#include "connectors/sqlite/files.h"
#include "connectors/sqlite/ledger.h"
#include "connectors/sqlite/table_plan.h"
#include "connectors/sqlite/window.h"

namespace dxt::sqlite {
namespace {

/// What a Destination shares with its Writers, which may run on other threads.
struct Shared {
  std::mutex mutex;
  std::unique_ptr<Connection> connection;
  std::unique_ptr<Window> window;  ///< Uses `connection`.
  bool closed = false;

  void Close() {
    const std::lock_guard lock(mutex);
    closed = true;
    window.reset();
    connection.reset();
  }
};

class SqliteWriter final : public Writer {
 public:
  SqliteWriter(std::shared_ptr<Shared> shared, std::string load_id)
      : shared_(std::move(shared)), load_id_(std::move(load_id)) {}
  ~SqliteWriter() override {
    if (!finished_) Abort();
  }

  arrow::Status Append(const arrow::RecordBatch& batch, std::stop_token stop) override {
    const std::lock_guard lock(shared_->mutex);
    ARROW_ASSIGN_OR_RAISE(auto* window, Mine());
    shared_->connection->Watch(stop);
    ARROW_RETURN_NOT_OK(window->Append(batch));
    rows_ += batch.num_rows();
    if (!stop.stop_requested()) return arrow::Status::OK();
    return MakeError(ErrorClass::kCancelled, "cancelled", "Cancelled");
  }

  arrow::Result<WriteReceipt> Finish(std::stop_token stop) override {
    const std::lock_guard lock(shared_->mutex);
    ARROW_ASSIGN_OR_RAISE(auto* window, Mine());
    shared_->connection->Watch(stop);
    ARROW_RETURN_NOT_OK(window->Finish());
    finished_ = true;
    WriteReceipt receipt;
    receipt.rows = rows_;
    receipt.bytes = window->bytes();
    receipt.handle = load_id_;
    return receipt;
  }

  void Abort() noexcept override {
    const std::lock_guard lock(shared_->mutex);
    if (Mine().ok()) shared_->window.reset();
  }

 private:
  arrow::Result<Window*> Mine() {
    if (!shared_->closed && shared_->window &&
        shared_->window->spec().load_id == load_id_) {
      return shared_->window.get();
    }
    return MakeError(ErrorClass::kInternal, "sqlite.writer_closed",
                     "The writer's window was rolled back already");
  }

  std::shared_ptr<Shared> shared_;
  std::string load_id_;
  int64_t rows_ = 0;
  bool finished_ = false;
};

class SqliteDestination final : public Destination {
 public:
  SqliteDestination(std::string path, FileRegistry& files,
                    std::chrono::milliseconds lock_wait)
      : path_(std::move(path)),
        files_(files),
        lock_wait_(lock_wait),
        shared_(std::make_shared<Shared>()) {}
  ~SqliteDestination() override { shared_->Close(); }

  arrow::Status Check(std::stop_token stop) override {
    const std::lock_guard lock(shared_->mutex);
    ARROW_ASSIGN_OR_RAISE(const auto* connection, OpenExisting(stop));
    const std::filesystem::path folder = std::filesystem::path(path_).parent_path();
    std::error_code error;
    if (!connection && !std::filesystem::is_directory(folder, error)) {
      return MakeError(ErrorClass::kConfig, "sqlite.folder_missing",
                       "The SQLite file '" + path_ +
                           "' cannot be made: its folder does not "
                           "exist",
                       "mkdir -p " + folder.string());
    }
    // The journal stands beside the file, so the folder must be writable in both cases.
    const bool writable = ::access(folder.c_str(), W_OK) == 0 &&
                          (!connection || ::access(path_.c_str(), W_OK) == 0);
    if (writable) return arrow::Status::OK();
    return MakeError(ErrorClass::kAuth, "sqlite.read_only",
                     "The SQLite file '" + path_ + "' cannot be written",
                     "Check the permissions of the file and its folder");
  }

  arrow::Result<TargetTable> Describe(const std::string& reference,
                                      std::stop_token stop) override {
    const std::lock_guard lock(shared_->mutex);
    ARROW_ASSIGN_OR_RAISE(const auto wanted, TableOfReference(reference));
    TargetTable missing;
    missing.reference = sql::QuoteIdentifier(wanted);
    ARROW_ASSIGN_OR_RAISE(auto* connection, OpenExisting(stop));
    if (!connection) return missing;
    ARROW_ASSIGN_OR_RAISE(const auto name, FindTable(*connection, reference));
    if (!name) return missing;
    ARROW_ASSIGN_OR_RAISE(const auto table, ReadTable(*connection, *name));
    if (!table) return missing;
    TargetTable target = TargetOf(*table);
    ARROW_ASSIGN_OR_RAISE(
        auto row, connection->Prepare("SELECT 1 FROM " + target.reference + " LIMIT 1"));
    ARROW_ASSIGN_OR_RAISE(const bool filled, row.Step());
    target.empty = !filled;
    return target;
  }

  arrow::Result<TablePlan> PlanTable(const TableSpec& wanted,
                                     const TargetTable& existing) const override {
    return sqlite::PlanTable(wanted, existing);
  }

  arrow::Result<std::optional<int64_t>> CountRows(const std::string& reference,
                                                  std::stop_token stop) override {
    const std::lock_guard lock(shared_->mutex);
    ARROW_ASSIGN_OR_RAISE(auto* connection, OpenExisting(stop));
    if (!connection) return 0;
    ARROW_ASSIGN_OR_RAISE(const auto name, FindTable(*connection, reference));
    if (!name) return 0;
    ARROW_ASSIGN_OR_RAISE(auto count, connection->Prepare("SELECT count(*) FROM " +
                                                          sql::QuoteIdentifier(*name)));
    ARROW_RETURN_NOT_OK(count.Step());
    return count.Integer(0);
  }

  arrow::Result<std::optional<std::string>> MaxCursor(const std::string& reference,
                                                      const std::string& column,
                                                      const FieldType& type,
                                                      std::stop_token stop) override {
    const std::lock_guard lock(shared_->mutex);
    ARROW_ASSIGN_OR_RAISE(auto* connection, OpenExisting(stop));
    if (!connection) return std::nullopt;
    ARROW_ASSIGN_OR_RAISE(const auto name, FindTable(*connection, reference));
    if (!name) return std::nullopt;
    ARROW_ASSIGN_OR_RAISE(
        auto largest, connection->Prepare("SELECT max(" +
                                          Comparable(sql::QuoteIdentifier(column), type) +
                                          ") FROM " + sql::QuoteIdentifier(*name)));
    ARROW_RETURN_NOT_OK(largest.Step());
    if (largest.IsNull(0)) return std::nullopt;
    FieldType stored = type;
    stored.nanoseconds = false;
    if (type.dtype < DType::kInt64 ||
        (type.dtype > DType::kInt64 && type.dtype <= DType::kUint64)) {
      stored.dtype = DType::kInt64;
    }
    ARROW_ASSIGN_OR_RAISE(auto decoder, ColumnDecoder::Make(stored, NumericTime::kNone));
    ARROW_RETURN_NOT_OK(decoder->Reserve(1));
    int64_t bytes = 0;
    if (!decoder->Append(largest.handle(), 0, &bytes)) {
      ErrorInfo info;
      info.error_class = ErrorClass::kData;
      info.code = "sqlite.storage_class";
      info.column = column;
      return MakeError(std::move(info), "The column '" + column + "' of " + *name +
                                            " is no watermark: it holds " +
                                            DescribeValue(largest.handle(), 0) +
                                            ", not " + ToString(type));
    }
    ARROW_ASSIGN_OR_RAISE(const auto value, decoder->Finish());
    ARROW_ASSIGN_OR_RAISE(auto text, CursorText(*value, 0, stored));
    if (stored == type) return text;
    ARROW_ASSIGN_OR_RAISE(text, CanonicalCursor(text, type));
    return text;
  }

  arrow::Result<std::optional<LoadRecord>> Peek(const StreamIdentity& identity,
                                                std::stop_token stop) override {
    const std::lock_guard lock(shared_->mutex);
    ARROW_ASSIGN_OR_RAISE(auto* connection, OpenExisting(stop));
    if (!connection) return std::nullopt;
    return NewestLoad(*connection, identity);
  }

  arrow::Result<std::vector<std::string>> Lanes(const StreamIdentity& identity,
                                                std::stop_token stop) override {
    const std::lock_guard lock(shared_->mutex);
    ARROW_ASSIGN_OR_RAISE(auto* connection, OpenExisting(stop));
    if (!connection) return std::vector<std::string>();
    return LanesOf(*connection, identity);
  }

  arrow::Result<bool> SharedTarget(const StreamIdentity& identity,
                                   std::stop_token stop) override {
    const std::lock_guard lock(shared_->mutex);
    ARROW_ASSIGN_OR_RAISE(auto* connection, OpenExisting(stop));
    if (!connection) return false;
    return HasOtherPipeline(*connection, identity);
  }

  arrow::Result<std::vector<Ownership>> Acquire(
      std::span<const StreamIdentity> identities, const Owner& owner,
      std::stop_token stop) override {
    const std::lock_guard lock(shared_->mutex);
    ARROW_ASSIGN_OR_RAISE(auto* connection, OpenOrCreate(stop));
    shared_->window.reset();
    ARROW_RETURN_NOT_OK(connection->BeginWrite());
    auto owned = AcquireInside(*connection, identities, owner);
    if (!owned.ok()) {
      connection->Rollback();
      return owned;
    }
    ARROW_RETURN_NOT_OK(connection->Commit());
    owner_ = owner.text;
    return owned;
  }

  arrow::Result<std::unique_ptr<Writer>> OpenWriter(const WriteSpec& spec,
                                                    std::stop_token stop) override {
    const std::lock_guard lock(shared_->mutex);
    ARROW_ASSIGN_OR_RAISE(auto* connection, OpenOrCreate(stop));
    if (!shared_->window) {
      shared_->window = std::make_unique<Window>(connection, spec);
    } else if (shared_->window->spec().load_id != spec.load_id) {
      return MakeError(ErrorClass::kInternal, "sqlite.two_windows",
                       "One destination writes one window at a time");
    }
    return std::make_unique<SqliteWriter>(shared_, spec.load_id);
  }

  arrow::Result<CommitResult> Commit(const WriteSpec& spec, const LoadRecord& record,
                                     std::span<const WriteReceipt> receipts,
                                     const CommitGuards& guards,
                                     std::stop_token stop) override {
    const std::lock_guard lock(shared_->mutex);
    ARROW_ASSIGN_OR_RAISE(auto* connection, OpenOrCreate(stop));
    CommitResult result;
    auto committed = CommitInside(*connection, spec, record, receipts, guards, &result);
    shared_->window.reset();
    connection->Rollback();
    ARROW_RETURN_NOT_OK(committed);
    return result;
  }

  void Discard(std::span<const WriteReceipt> receipts) noexcept override {
    const std::lock_guard lock(shared_->mutex);
    for (const auto& receipt : receipts) {
      if (shared_->window && shared_->window->spec().load_id == receipt.handle) {
        shared_->window.reset();
      }
    }
  }

  arrow::Result<bool> Resolve(const StreamIdentity&, std::string_view load_id,
                              std::stop_token stop) override {
    const std::lock_guard lock(shared_->mutex);
    ARROW_ASSIGN_OR_RAISE(auto* connection, OpenExisting(stop));
    if (!connection) return false;
    return IsCommitted(*connection, load_id);
  }

  arrow::Status Sweep(const StreamIdentity&, std::stop_token) override {
    return arrow::Status::OK();  // Stages are temporary tables and die with their owner.
  }

 private:
  /// Null when the file does not exist: then it holds nothing, and is not made by
  /// looking.
  arrow::Result<Connection*> OpenExisting(const std::stop_token& stop) {
    std::error_code error;
    if (!shared_->connection && !std::filesystem::exists(path_, error)) return nullptr;
    auto opened = Open(Connection::Mode::kWrite, stop);
    // A stream that failed may take its new file away at this moment.
    if (!opened.ok() && !std::filesystem::exists(path_, error)) return nullptr;
    return opened;
  }
  arrow::Result<Connection*> OpenOrCreate(const std::stop_token& stop) {
    return Open(Connection::Mode::kCreate, stop);
  }
  arrow::Result<Connection*> Open(Connection::Mode mode, const std::stop_token& stop) {
    if (!shared_->connection) {
      ARROW_ASSIGN_OR_RAISE(shared_->connection,
                            Connection::Open(path_, mode, files_, lock_wait_, stop));
    }
    shared_->connection->Watch(stop);
    return shared_->connection.get();
  }

  static arrow::Result<std::vector<Ownership>> AcquireInside(
      Connection& connection, std::span<const StreamIdentity> identities,
      const Owner& owner) {
    ARROW_RETURN_NOT_OK(CreateLedger(connection));
    std::vector<Ownership> owned;
    for (const auto& identity : identities) {
      if (owner.admits) {
        ARROW_ASSIGN_OR_RAISE(const auto lanes, LanesOf(connection, identity));
        ARROW_RETURN_NOT_OK(owner.admits(lanes));
      }
      Ownership ownership;
      ARROW_ASSIGN_OR_RAISE(ownership.epoch, BumpFence(connection, identity, owner.text));
      ARROW_ASSIGN_OR_RAISE(ownership.last, NewestLoad(connection, identity));
      owned.push_back(std::move(ownership));
    }
    return owned;
  }

  arrow::Status CommitInside(Connection& connection, const WriteSpec& spec,
                             const LoadRecord& record,
                             std::span<const WriteReceipt> receipts,
                             const CommitGuards& guards, CommitResult* result) {
    auto& window = shared_->window;
    const bool held = window && window->spec().load_id == spec.load_id;
    if (held) {
      ARROW_RETURN_NOT_OK(window->Open());
    } else {
      ARROW_RETURN_NOT_OK(connection.BeginWrite());
    }
    ARROW_ASSIGN_OR_RAISE(result->already, IsCommitted(connection, record.load_id));
    if (result->already) return arrow::Status::OK();
    if (!held && !receipts.empty()) {
      return MakeError(ErrorClass::kTransient, "sqlite.window_lost",
                       "The window's rows were rolled back before the commit",
                       "Run again");
    }
    ARROW_ASSIGN_OR_RAISE(const auto last, NewestLoad(connection, spec.identity));
    ARROW_RETURN_NOT_OK(CheckChain(last, record));
    if (held) ARROW_RETURN_NOT_OK(window->Apply(guards, last, result));
    LoadRecord row = record;
    row.rows = result->rows_written;
    row.rows_deleted = result->rows_deleted;
    ARROW_RETURN_NOT_OK(RecordLoad(connection, spec.identity, spec.epoch, owner_, row));
    return connection.Commit();
  }

  std::string path_;
  FileRegistry& files_;
  std::chrono::milliseconds lock_wait_;
  std::shared_ptr<Shared> shared_;
  std::string owner_;
};

}  // namespace

std::unique_ptr<Destination> MakeDestination(std::string path, FileRegistry& files,
                                             std::chrono::milliseconds lock_wait) {
  return std::make_unique<SqliteDestination>(std::move(path), files, lock_wait);
}

}  // namespace dxt::sqlite
