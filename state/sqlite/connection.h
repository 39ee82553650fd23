#pragma once
#include "state/sqlite/database.h"

namespace dxt {

/// One SQLite connection with its prepared statements. For one thread at a time.
class StateDatabase::Connection {
 public:
  /// A folder brings what the log holds into the file; the writer leaves that to it.
  enum class Kind : uint8_t { kWriter, kReader, kFolder };
  static constexpr char kInMemory[] = ":memory:";
  static arrow::Result<std::unique_ptr<Connection>> Open(const std::string& path,
                                                         Kind kind);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// As Transaction::Run.
  arrow::Result<int64_t> Step(std::string_view sql, const Values& values = {},
                              const RowCallback& on_row = {});
  /// Several statements without values.
  arrow::Status Script(const char* sql);
  /// Undoes the open transaction, if there is one.
  void RollBack();
  bool in_transaction() const;

  /// Checks the file's pages, then applies the migrations it lacks.
  arrow::Status Check();
  arrow::Status Migrate();
  /// Of the log, after the last commit of this connection.
  int log_pages() const { return log_pages_; }
  /// Writes the log's pages into the file, as far as no snapshot needs the older ones.
  /// Others read and write meanwhile.
  arrow::Status Fold();
  /// Copies what this connection sees into the empty file at `path`.
  arrow::Status CopyTo(const std::string& path);

 private:
  explicit Connection(std::string path) : path_(std::move(path)) {}
  arrow::Result<sqlite3_stmt*> Statement(std::string_view sql);
  arrow::Result<int64_t> Pragma(const char* sql);
  arrow::Status Failure(std::string_view doing) const;

  const std::string path_;
  sqlite3* handle_ = nullptr;
  int log_pages_ = 0;
  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  std::unordered_map<std::string, sqlite3_stmt*, TextHash, std::equal_to<>> statements_;
};

}  // namespace dxt
