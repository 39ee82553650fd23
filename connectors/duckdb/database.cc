#include "connectors/duckdb/database.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <system_error>

#include <arrow-adbc/adbc.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "connectors/duckdb/driver.h"
#include "connectors/duckdb/errors.h"
#include "connectors/duckdb/new_file.h"
#include "connectors/sdk/patience.h"
#include "connectors/sql/identifier.h"
#include "connectors/sql/made_file.h"

namespace dxt::duckdb {
namespace {

namespace fs = std::filesystem;

constexpr auto kRetryEvery = std::chrono::milliseconds(50);
constexpr int64_t kLeastMemory = 64 << 20;
// A file without a table has its three headers and nothing else.
constexpr int64_t kHeaders = 3 * 4096;

/// The limits of a database object, fixed when it is opened.
struct Limits {
  Clock* clock = nullptr;
  int64_t memory = 0;
  int threads = 1;
  std::chrono::milliseconds lock_wait{0};
  fs::path scratch;
};

Limits LimitsOf(const ConnectorContext& context) {
  Limits limits;
  limits.clock = context.clock ? context.clock : &SystemClock();
  limits.memory = std::max(context.memory_limit, kLeastMemory);
  limits.threads = std::max(context.threads, 1);
  limits.lock_wait = LockPatience(std::chrono::milliseconds(context.lock_wait_ms));
  std::error_code ignored;
  limits.scratch = context.scratch_dir.empty() ? fs::temp_directory_path(ignored)
                                               : context.scratch_dir;
  return limits;
}

/// An initialised AdbcDatabase; released with its scope, which checkpoints the file.
struct Handle {
  AdbcDatabase raw{};
  ~Handle() {
    DriverError error;
    if (raw.private_data) Driver()->DatabaseRelease(&raw, error.get());
  }
};

arrow::Result<std::unique_ptr<AdbcConnection>> NewConnection(Handle& handle) {
  const AdbcDriver& driver = *Driver();
  auto connection = std::make_unique<AdbcConnection>();
  DriverError error;
  if (driver.ConnectionNew(connection.get(), error.get()) != ADBC_STATUS_OK ||
      driver.ConnectionInit(connection.get(), &handle.raw, error.get()) !=
          ADBC_STATUS_OK) {
    driver.ConnectionRelease(connection.get(), error.get());
    return ErrorFromText(error.Text(), "Connecting to DuckDB");
  }
  return connection;
}

/// One attempt to open. Everything that a statement could misuse is shut before the first
/// user statement runs, and locked (contracts 2.10). `shown`: the path for messages.
arrow::Result<std::unique_ptr<Handle>> OpenOnce(const std::string& path, bool read_only,
                                                const Limits& limits,
                                                const fs::path& folder,
                                                const std::string& shown) {
  if (!Driver()) {
    return MakeError(ErrorClass::kInternal, "duckdb.driver",
                     "The DuckDB library does not speak ADBC 1.1");
  }
  const AdbcDriver& driver = *Driver();
  auto handle = std::make_unique<Handle>();
  DriverError error;
  const std::string action = "Opening the DuckDB database " + shown;
  if (driver.DatabaseNew(&handle->raw, error.get()) != ADBC_STATUS_OK) {
    return ErrorFromText(error.Text(), action);
  }
  const std::pair<const char*, std::string> options[] = {
      {"path", path},
      {"access_mode", read_only ? "READ_ONLY" : "READ_WRITE"},
      {"threads", std::to_string(limits.threads)},
      {"memory_limit", std::to_string(limits.memory) + "B"},
      {"temp_directory", (folder / "spill").string()},
      {"autoinstall_known_extensions", "false"},
      {"autoload_known_extensions", "false"},
      {"allow_community_extensions", "false"},
  };
  for (const auto& [key, value] : options) {
    if (path == kMemory && std::string_view(key) == "access_mode") continue;
    if (driver.DatabaseSetOption(&handle->raw, key, value.c_str(), error.get()) !=
        ADBC_STATUS_OK) {
      return ErrorFromText(error.Text() + " (" + key + ")", action);
    }
  }
  if (driver.DatabaseInit(&handle->raw, error.get()) != ADBC_STATUS_OK) {
    return ErrorFromText(error.Text(), action);
  }
  ARROW_ASSIGN_OR_RAISE(auto connection, NewConnection(*handle));
  Session session(std::move(connection), nullptr);
  for (const std::string& setting :
       {"allowed_directories = [" + sql::QuoteLiteral((folder / "files").string()) + "]",
        std::string("enable_external_access = false"), std::string("TimeZone = 'UTC'"),
        std::string("lock_configuration = true")}) {
    ARROW_RETURN_NOT_OK(session.Execute("SET GLOBAL " + setting, action).status());
  }
  return handle;
}

arrow::Status CancelledOpen(const std::string& path) {
  return MakeError(ErrorClass::kCancelled, "cancelled",
                   "Opening the DuckDB database " + path + " was cancelled");
}

/// Opens, waiting until `deadline` for a lock that another process holds.
arrow::Result<std::unique_ptr<Handle>> OpenWaiting(
    const std::string& path, bool read_only, const Limits& limits, const fs::path& folder,
    std::chrono::steady_clock::time_point deadline, std::stop_token stop) {
  while (true) {
    auto handle = OpenOnce(path, read_only, limits, folder, path);
    if (handle.ok() || !IsLocked(handle.status())) return handle;
    if (stop.stop_requested()) return CancelledOpen(path);
    const auto now = limits.clock->Tick();
    if (now >= deadline) return handle;
    const auto next =
        now +
        std::chrono::duration_cast<std::chrono::steady_clock::duration>(kRetryEvery);
    if (!limits.clock->WaitUntil(std::min(next, deadline), stop))
      return CancelledOpen(path);
  }
}

class FileDatabase : public Database, public std::enable_shared_from_this<FileDatabase> {
 public:
  FileDatabase(std::string path, Limits limits)
      : path_(std::move(path)), limits_(std::move(limits)) {}

  ~FileDatabase() override {
    if (made_ && !kept_) {
      Unmake();
    } else {
      handle_.reset();
    }
    std::error_code ignored;
    if (!folder_.empty()) fs::remove_all(folder_, ignored);
  }

  arrow::Status Open(bool read_only, std::chrono::steady_clock::time_point deadline,
                     std::stop_token stop) {
    if (folder_.empty()) ARROW_RETURN_NOT_OK(MakeFolder());
    read_only_ = read_only;
    ARROW_ASSIGN_OR_RAISE(
        handle_, OpenWaiting(path_, read_only_, limits_, folder_, deadline, stop));
    return arrow::Status::OK();
  }

  /// Opens a file that is not there yet; neither a failure nor a kill leaves one behind
  /// that cannot be opened.
  arrow::Status MakeFile(std::stop_token stop) {
    ARROW_RETURN_NOT_OK(MakeFolder());
    const std::string image = (folder_ / "new").string();
    // Closed at once, which completes it.
    ARROW_RETURN_NOT_OK(
        OpenOnce(image, /*read_only=*/false, limits_, folder_, path_).status());
    sql::MadeFile::Sweep(path_);
    ARROW_ASSIGN_OR_RAISE(made_, PlaceNewFile(image, path_));
    auto opened = Open(/*read_only=*/false, Deadline(), stop);
    made_ = made_ && opened.ok();
    if (opened.ok() || IsLocked(opened)) return opened;
    const auto left = sql::MadeFile::Look(path_, {path_ + ".wal"});
    if (left && left->size() <= kHeaders && !left->HasBeside()) left->Remove();
    return opened;
  }

  const std::string& path() const override { return path_; }
  const fs::path& exchange_folder() const override { return exchange_; }
  int64_t memory_limit() const override { return limits_.memory; }
  std::mutex& taking_over() override { return taking_over_; }
  void Keep() override { kept_ = true; }

  arrow::Result<std::unique_ptr<Session>> Connect(bool writable,
                                                  std::stop_token stop) override {
    std::unique_lock lock(mutex_);
    const auto deadline = Deadline();
    if (!handle_) {
      ARROW_ASSIGN_OR_RAISE(handle_, Reopen(read_only_, deadline, stop));
    }
    if (writable && read_only_) ARROW_RETURN_NOT_OK(MakeWritable(lock, deadline, stop));
    ARROW_ASSIGN_OR_RAISE(auto connection, NewConnection(*handle_));
    ++sessions_;
    const auto released = [self = shared_from_this()] {
      const std::lock_guard guard(self->mutex_);
      --self->sessions_;
      self->changed_.notify_all();
    };
    return std::make_unique<Session>(std::move(connection), released,
                                     std::vector<std::string>{path_, folder_.string()});
  }

  arrow::Result<std::unique_ptr<Turn>> TakeTurn(std::stop_token stop) override {
    std::unique_lock lock(mutex_);
    if (!changed_.wait(lock, stop, [&] { return !turn_taken_; })) {
      return MakeError(ErrorClass::kCancelled, "cancelled",
                       "Waiting for another writer of " + path_ + " was cancelled");
    }
    turn_taken_ = true;
    return std::make_unique<Turn>(shared_from_this());
  }

 private:
  void EndTurn() override {
    const std::lock_guard guard(mutex_);
    turn_taken_ = false;
    changed_.notify_all();
  }

  arrow::Status MakeFolder() {
    std::string pattern = (limits_.scratch / "duckdb-XXXXXX").string();
    std::error_code failed;
    if (!::mkdtemp(pattern.data())) failed.assign(errno, std::generic_category());
    if (!failed) folder_ = fs::canonical(pattern, failed);
    exchange_ = folder_ / "files";
    if (!failed) fs::create_directory(exchange_, failed);
    if (!failed) return arrow::Status::OK();
    return MakeError(ErrorClass::kTransient, "duckdb.scratch",
                     "A scratch folder for DuckDB could not be made in " +
                         limits_.scratch.string() + ": " + failed.message(),
                     "Free space on its disk and check its owner");
  }

  std::chrono::steady_clock::time_point Deadline() const {
    return limits_.clock->Tick() + limits_.lock_wait;
  }

  /// Closes a file that was made here and, if nothing but empty bookkeeping is in it,
  /// removes it. Until the close its lock keeps every other process from writing; who
  /// writes it between the close and the removal makes it stay.
  void Unmake() {
    bool empty = true;
    {
      auto connection = NewConnection(*handle_);
      if (connection.ok()) {
        Session session(std::move(*connection), nullptr);
        const auto foreign = session.Rows(
            "SELECT 1 FROM (SELECT table_name AS n, internal FROM "
            "duckdb_tables() UNION ALL SELECT view_name, internal FROM "
            "duckdb_views()) WHERE NOT internal AND "
            "NOT starts_with(n, '_dxt_') LIMIT 1",
            "Closing " + path_);
        // A full disk may leave a database that answers nothing; what was committed to
        // it, Keep() has told.
        empty = !foreign.ok() || foreign->empty();
        // Closing would else write the log into the file, and make it another one.
        if (empty) (void)session.Execute("CHECKPOINT", "Closing " + path_);
      }
    }
    if (!empty) return handle_.reset();
    const auto file = sql::MadeFile::Look(path_, {path_ + ".wal"});
    handle_.reset();
    if (file) file->Remove();
  }

  arrow::Result<std::unique_ptr<Handle>> Reopen(
      bool read_only, std::chrono::steady_clock::time_point deadline,
      std::stop_token stop) {
    return OpenWaiting(path_, read_only, limits_, folder_, deadline, stop);
  }

  arrow::Status MakeWritable(std::unique_lock<std::mutex>& lock,
                             std::chrono::steady_clock::time_point deadline,
                             std::stop_token stop) {
    const bool idle = changed_.wait_for(lock, stop, deadline - limits_.clock->Tick(),
                                        [&] { return sessions_ == 0 || !read_only_; });
    if (stop.stop_requested()) return CancelledOpen(path_);
    if (!read_only_) return arrow::Status::OK();
    if (!idle) {
      return MakeError(
          ErrorClass::kTransient, "duckdb.locked",
          "The DuckDB database " + path_ +
              " cannot be written: a stream of this dxtd still reads it",
          "Run the streams one after the other, or use buffer.format: parquet");
    }
    handle_.reset();
    ARROW_ASSIGN_OR_RAISE(handle_, Reopen(/*read_only=*/false, deadline, stop));
    read_only_ = false;
    return arrow::Status::OK();
  }

  const std::string path_;
  const Limits limits_;
  fs::path folder_, exchange_;

  std::mutex taking_over_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::unique_ptr<Handle> handle_;
  bool read_only_ = false;
  bool made_ = false;
  std::atomic<bool> kept_ = false;
  int sessions_ = 0;
  bool turn_taken_ = false;
};

/// Device and inode: what is one file.
using FileKey = std::pair<dev_t, ino_t>;

std::optional<FileKey> KeyOf(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return std::nullopt;
  return FileKey{info.st_dev, info.st_ino};
}

arrow::Status Missing(const std::string& path) {
  return MakeError(
      ErrorClass::kConfig, "duckdb.file_missing",
      "There is no DuckDB database at " + path,
      "Check `path`; a relative one belongs to the folder of the project file");
}

arrow::Status FolderMissing(const fs::path& path) {
  return MakeError(ErrorClass::kConfig, "duckdb.folder_missing",
                   "The DuckDB database " + path.string() +
                       " cannot be made: its folder does not exist",
                   "mkdir -p " + path.parent_path().string());
}

}  // namespace

Database::Turn::Turn(std::shared_ptr<Database> database)
    : database_(std::move(database)) {}
Database::Turn::~Turn() { database_->EndTurn(); }

struct DatabasePool::Files : std::enable_shared_from_this<Files> {
  std::mutex mutex;
  std::condition_variable_any changed;
  /// An entry whose pointer is expired is being opened or closed: wait for `changed`.
  std::map<FileKey, std::weak_ptr<Database>> open;
  std::shared_ptr<Database> memory;
  VainWaits vain;

  void Forget(const FileKey& key) {
    const std::lock_guard guard(mutex);
    open.erase(key);
    changed.notify_all();
  }

  /// A pointer whose end closes the file first and lets others open it only then.
  std::shared_ptr<Database> Share(std::unique_ptr<FileDatabase> database, FileKey key) {
    return std::shared_ptr<FileDatabase>(
        database.release(), [files = shared_from_this(), key](FileDatabase* last) {
          delete last;
          files->Forget(key);
        });
  }
};

DatabasePool::DatabasePool() : files_(std::make_shared<Files>()) {}
DatabasePool::~DatabasePool() = default;

arrow::Result<std::shared_ptr<Database>> DatabasePool::Open(
    const std::string& path, bool create, const ConnectorContext& context,
    std::stop_token stop) {
  Files& files = *files_;
  std::unique_lock lock(files.mutex);
  if (path == kMemory) {
    if (!files.memory) {
      auto database = std::make_shared<FileDatabase>(path, LimitsOf(context));
      ARROW_RETURN_NOT_OK(database->Open(/*read_only=*/false, {}, stop));
      files.memory = std::move(database);
    }
    return files.memory;
  }
  while (true) {
    std::error_code failed;
    const fs::path real = fs::weakly_canonical(path, failed);
    const std::string file = failed ? path : real.string();
    auto key = KeyOf(file);
    if (!key && !create) return Missing(file);
    const auto found = key ? files.open.find(*key) : files.open.end();
    if (found != files.open.end()) {
      if (auto live = found->second.lock()) return live;
      if (!files.changed.wait(lock, stop, [&] {
            const auto entry = files.open.find(*key);
            return entry == files.open.end() || !entry->second.expired();
          })) {
        return CancelledOpen(file);
      }
      continue;
    }
    auto database = std::make_unique<FileDatabase>(file, LimitsOf(context));
    if (!key) {
      // A new file has no lock to wait for; under the mutex nobody else can make it too.
      if (!fs::is_directory(real.parent_path(), failed)) return FolderMissing(real);
      ARROW_RETURN_NOT_OK(database->MakeFile(stop));
      key = KeyOf(file);
      if (!key) return Missing(file);
      auto shared = files.Share(std::move(database), *key);
      files.open[*key] = shared;
      return shared;
    }
    files.open[*key];
    lock.unlock();
    const bool writable = ::access(file.c_str(), W_OK) == 0;
    const Limits limits = LimitsOf(context);
    const auto opened = database->Open(
        /*read_only=*/!create || !writable,
        files.vain.Deadline(file, limits.clock->Tick(), limits.lock_wait), stop);
    if (!opened.ok() && IsLocked(opened)) files.vain.Note(file, limits.clock->Tick());
    const bool replaced = opened.ok() && KeyOf(file) != key;
    if (!opened.ok() || replaced) {
      database.reset();
      files.Forget(*key);
      if (!opened.ok()) return opened;
      lock.lock();
      continue;
    }
    auto shared = files.Share(std::move(database), *key);
    lock.lock();
    files.open[*key] = shared;
    files.changed.notify_all();
    return shared;
  }
}

}  // namespace dxt::duckdb
