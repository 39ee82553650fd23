#pragma once
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <variant>
#include <vector>

#include <arrow/result.h>

struct sqlite3;
struct sqlite3_stmt;

namespace dxt {

/// The state database: one thread writes, callers read on connections of their own. Safe
/// from any thread.
class StateDatabase {
 public:
  struct Blob {
    std::string_view bytes;
  };
  using Value = std::variant<std::monostate, int64_t, std::string_view, Blob>;
  using Values = std::vector<Value>;

  /// A result row; valid inside the callback it is handed to.
  class Row {
   public:
    explicit Row(sqlite3_stmt* statement) : statement_(statement) {}
    int64_t Integer(int column) const;
    std::string Text(int column) const;  ///< Also the bytes of a blob.
    bool IsNull(int column) const;

   private:
    sqlite3_stmt* statement_;
  };
  using RowCallback = std::function<void(const Row&)>;

  class Connection;

  /// What a piece of work runs its statements in. Not to be kept.
  class Transaction {
   public:
    explicit Transaction(Connection& connection) : connection_(connection) {}
    /// Runs one statement to its end and returns the number of rows it changed.
    arrow::Result<int64_t> Run(std::string_view sql, const Values& values = {},
                               const RowCallback& on_row = {});

   private:
    Connection& connection_;
  };
  using Work = std::function<arrow::Status(Transaction&)>;

  /// Opens or creates the file, checks it and brings its schema up to date.
  static arrow::Result<std::unique_ptr<StateDatabase>> Open(const std::string& path);
  /// A private database without a file, for simulations: no thread, one connection.
  static arrow::Result<std::unique_ptr<StateDatabase>> OpenInMemory();
  /// Makes what is queued durable first.
  ~StateDatabase();
  StateDatabase(const StateDatabase&) = delete;
  StateDatabase& operator=(const StateDatabase&) = delete;

  /// Runs `work` once, on the writer thread, and returns when its changes are durable.
  /// What several threads hand in meanwhile is made durable by one sync. When `work`
  /// fails, its changes, and only its, are undone. It must not call Write or Read.
  arrow::Status Write(const Work& work);
  /// Runs `work` on one snapshot, which holds all that was durable when Read was called.
  /// It must be short: an open snapshot keeps the log from being folded into the file.
  arrow::Status Read(const Work& work);

  /// A consistent copy in a new file.
  arrow::Status BackUp(const std::string& path);

  const std::string& path() const { return path_; }

 private:
  struct Request;

  explicit StateDatabase(std::string path);
  arrow::Status Prepare();
  bool in_memory() const { return !thread_.joinable(); }
  void WriteUntilStopped();
  /// Brings what the log holds into the file, beside the writer.
  void FoldUntilStopped();
  void Fold(Connection& connection);
  /// After a failed sync nobody knows what the disk holds; a later success would lie.
  void BreakAfter(const arrow::Status& status);
  arrow::Status Broken();
  /// Runs and commits requests from the front, in one transaction; returns how many of
  /// them have got their status.
  size_t Commit(std::span<Request* const> batch);
  arrow::Status RunInSavepoint(const Work& work);
  arrow::Result<std::unique_ptr<Connection>> TakeReader();

  const std::string path_;
  std::unique_ptr<Connection> writer_;  ///< The writer thread's once it runs.

  std::mutex mutex_;
  std::condition_variable work_arrived_, log_grew_;
  std::deque<Request*> queue_;
  bool stopping_ = false;
  int log_pages_ = 0;  ///< That the log holds.
  int folded_at_ = 0;  ///< How many it held when it was last folded into the file.

  std::mutex broken_mutex_;
  arrow::Status broken_;  ///< Once set, it refuses every write.

  std::mutex readers_mutex_;
  std::condition_variable reader_returned_;
  std::vector<std::unique_ptr<Connection>> idle_readers_;
  int readers_ = 0;

  std::thread thread_, folding_;
};

}  // namespace dxt
