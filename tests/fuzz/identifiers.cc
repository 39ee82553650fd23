// A name and a text, quoted, as SQLite's and DuckDB's own parsers take them (DuckDB's is
// PostgreSQL's scanner): one statement whose only column has that name and that value.
#include <sqlite3.h>

#include "connectors/sql/identifier.h"
#include "tests/fuzz/fuzz.h"

// The part of DuckDB's C interface that is called here; its library comes without a
// header.
extern "C" {
struct duckdb_result {
  uint64_t deprecated[3];
  void* deprecated_columns;
  char* deprecated_error;
  void* internal;
};
int duckdb_open(const char* path, void** database);
int duckdb_connect(void* database, void** connection);
uint64_t duckdb_extract_statements(void* connection, const char* sql, void** statements);
void duckdb_destroy_extracted(void** statements);
int duckdb_query(void* connection, const char* sql, duckdb_result* result);
const char* duckdb_column_name(duckdb_result* result, uint64_t column);
char* duckdb_value_varchar(duckdb_result* result, uint64_t column, uint64_t row);
void duckdb_destroy_result(duckdb_result* result);
void duckdb_free(void* pointer);
}

namespace dxt::fuzz {
namespace {

bool IsUtf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<uint8_t>(text[i]);
    const size_t length = lead < 0x80   ? 1
                          : lead < 0xC2 ? 0
                          : lead < 0xE0 ? 2
                          : lead < 0xF0 ? 3
                          : lead < 0xF5 ? 4
                                        : 0;
    if (length == 0 || i + length > text.size()) return false;
    uint32_t point = length == 1 ? lead : lead & (0x7F >> length);
    for (size_t k = 1; k < length; ++k) {
      const auto next = static_cast<uint8_t>(text[i + k]);
      if ((next & 0xC0) != 0x80) return false;
      point = (point << 6) | (next & 0x3F);
    }
    if ((length == 3 && point < 0x800) || (length == 4 && point < 0x10000) ||
        point > 0x10FFFF || (point >= 0xD800 && point < 0xE000))
      return false;
    i += length;
  }
  return true;
}

void CheckSqlite(const std::string& sql, const std::string& name,
                 const std::string& text) {
  static sqlite3* database = [] {
    sqlite3* opened = nullptr;
    sqlite3_open(":memory:", &opened);
    return opened;
  }();
  sqlite3_stmt* statement = nullptr;
  const char* tail = nullptr;
  const int code = sqlite3_prepare_v2(database, sql.data(), static_cast<int>(sql.size()),
                                      &statement, &tail);
  Promise(code == SQLITE_OK && statement, "SQLite takes what is quoted", sql);
  Promise(tail == sql.data() + sql.size(), "it is one statement to SQLite", sql);
  Promise(
      sqlite3_column_count(statement) == 1 && sqlite3_column_name(statement, 0) == name,
      "SQLite sees the name", sql);
  Promise(sqlite3_step(statement) == SQLITE_ROW, "SQLite gives a row", sql);
  const std::string got(reinterpret_cast<const char*>(sqlite3_column_text(statement, 0)),
                        static_cast<size_t>(sqlite3_column_bytes(statement, 0)));
  Promise(got == text, "SQLite sees the text", sql);
  sqlite3_finalize(statement);
}

void CheckDuckDb(const std::string& sql, const std::string& name,
                 const std::string& text) {
  static void* database = [] {
    void* opened = nullptr;
    duckdb_open(nullptr, &opened);
    return opened;
  }();
  static void* connection = [] {
    void* opened = nullptr;
    duckdb_connect(database, &opened);
    return opened;
  }();
  void* statements = nullptr;
  const uint64_t count = duckdb_extract_statements(connection, sql.c_str(), &statements);
  duckdb_destroy_extracted(&statements);
  Promise(count == 1, "it is one statement to DuckDB", sql);
  duckdb_result result{};
  Promise(duckdb_query(connection, sql.c_str(), &result) == 0,
          "DuckDB takes what is quoted", sql);
  Promise(duckdb_column_name(&result, 0) == name, "DuckDB sees the name", sql);
  char* value = duckdb_value_varchar(&result, 0, 0);
  Promise(value && value == text, "DuckDB sees the text", sql);
  duckdb_free(value);
  duckdb_destroy_result(&result);
}

}  // namespace
}  // namespace dxt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace dxt;
  fuzz::Input input(data, size);
  const std::string name = input.Line(), text(input.rest());
  const auto parts = sql::SplitReference(name);
  if (parts.ok()) {
    const auto again = sql::SplitReference(sql::ReferenceText(*parts));
    fuzz::Promise(again.ok() && *again == *parts, "a reference is written as it is read",
                  name);
  }
  const bool nul = (name + text).find('\0') != std::string::npos;
  if (nul)
    fuzz::Promise(!parts.ok() || name.find('\0') == std::string::npos,
                  "NUL is in no reference", name);
  // No system takes NUL or what is not UTF-8: those are refused before.
  if (nul || name.empty() || !fuzz::IsUtf8(name) || !fuzz::IsUtf8(text)) return 0;
  const std::string sql =
      "SELECT " + sql::QuoteLiteral(text) + " AS " + sql::QuoteIdentifier(name);
  fuzz::CheckSqlite(sql, name, text);
  fuzz::CheckDuckDb(sql, name, text);
  return 0;
}
