#include "connectors/sqlite/unused_file.h"

#include <sqlite3.h>

#include <cstdint>
#include <memory>

#include "connectors/sql/made_file.h"

namespace dxt::sqlite {
namespace {

using Handle = std::unique_ptr<sqlite3, int (*)(sqlite3*)>;

/// The one number that a query yields; -1 when it fails.
int64_t Number(sqlite3* connection, const char* sql) {
  sqlite3_stmt* statement = nullptr;
  int64_t number = -1;
  if (sqlite3_prepare_v2(connection, sql, -1, &statement, nullptr) == SQLITE_OK &&
      sqlite3_step(statement) == SQLITE_ROW) {
    number = sqlite3_column_int64(statement, 0);
  }
  sqlite3_finalize(statement);
  return number;
}

bool HoldsNothing(sqlite3* connection) {
  if (Number(connection,
             "SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' "
             "ESCAPE '\\' AND tbl_name NOT IN ('_dxt_loads', '_dxt_fence')") != 0) {
    return false;
  }
  return Number(connection,
                "SELECT count(*) FROM sqlite_schema WHERE name = '_dxt_loads'") == 0 ||
         Number(connection, "SELECT count(*) FROM _dxt_loads") == 0;
}

}  // namespace

void RemoveUnused(const std::string& path) {
  sqlite3* opened = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &opened,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  Handle connection(opened, sqlite3_close);
  // The lock that the first read takes lets nobody commit until the look is taken; a
  // journal that was left is rolled back before it. A lock for writing would be stronger,
  // but takes space on the disk.
  if (code != SQLITE_OK ||
      sqlite3_exec(opened, "BEGIN", nullptr, nullptr, nullptr) != SQLITE_OK) {
    return;
  }
  std::unique_ptr<sql::MadeFile> file;
  if (HoldsNothing(opened)) {
    file = sql::MadeFile::Look(path, {path + "-journal", path + "-wal"});
  }
  sqlite3_exec(opened, "ROLLBACK", nullptr, nullptr, nullptr);
  // `file` outlives the connection: closing a descriptor drops the locks of all others.
  connection.reset();
  if (file && !file->HasBeside()) file->Remove();
}

}  // namespace dxt::sqlite
