#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include <arrow/result.h>

struct sqlite3;
struct sqlite3_stmt;

namespace dxt {

/// The connection to the state database. Every use goes through a Transaction, which
/// holds the one mutex: there is one writer at a time, and no reader beside it.
class StateDatabase {
 public:
  using Value = std::variant<std::monostate, int64_t, std::string_view>;

  /// A result row; valid inside the callback it is handed to.
  class Row {
   public:
    explicit Row(sqlite3_stmt* statement) : statement_(statement) {}
    int64_t Integer(int column) const;
    std::string Text(int column) const;
    bool IsNull(int column) const;

   private:
    sqlite3_stmt* statement_;
  };
  using RowCallback = std::function<void(const Row&)>;

  /// Opens or creates the file, checks it and brings its schema up to date.
  static arrow::Result<std::unique_ptr<StateDatabase>> Open(const std::string& path);
  ~StateDatabase();
  StateDatabase(const StateDatabase&) = delete;
  StateDatabase& operator=(const StateDatabase&) = delete;

  /// BEGIN IMMEDIATE to COMMIT; rolls back when destroyed before Commit. Not to be
  /// nested.
  class Transaction {
   public:
    Transaction(Transaction&& other) noexcept;
    ~Transaction();
    /// Runs one statement to its end and returns the number of rows it changed.
    arrow::Result<int64_t> Run(std::string_view sql, const std::vector<Value>& values,
                               const RowCallback& on_row = {});
    arrow::Status Commit();

   private:
    friend class StateDatabase;
    Transaction(StateDatabase* database, std::unique_lock<std::mutex> lock);
    StateDatabase* database_;
    std::unique_lock<std::mutex> lock_;
  };
  arrow::Result<Transaction> Begin();

 private:
  explicit StateDatabase(std::string path) : path_(std::move(path)) {}
  arrow::Status Configure();
  arrow::Status Migrate();
  arrow::Status Script(const char* sql);
  arrow::Result<sqlite3_stmt*> Prepare(std::string_view sql);
  arrow::Result<int64_t> Step(std::string_view sql, const std::vector<Value>& values,
                              const RowCallback& on_row);
  arrow::Status Failure(std::string_view doing) const;

  const std::string path_;
  std::mutex mutex_;
  sqlite3* connection_ = nullptr;
  std::unordered_map<std::string, sqlite3_stmt*> statements_;
};

}  // namespace dxt
