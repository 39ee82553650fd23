#include "connectors/duckdb/errors.h"

#include <algorithm>
#include <optional>

#include "base/error.h"

namespace dxt::duckdb {
namespace {

bool Holds(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// One paragraph: DuckDB's own words without the excerpt of the statement and its advice.
std::string Paragraph(std::string_view text) {
  for (const std::string_view tail : {"\n\nLINE ", "\nLINE ", "\n\nPossible solutions",
                                      "\n\nSee also", ". See also https"}) {
    text = text.substr(0, text.find(tail));
  }
  std::string line;
  for (const char c : text) {
    const bool blank = c == '\n' || c == '\r' || c == ' ';
    if (blank && (line.empty() || line.back() == ' ')) continue;
    line += blank ? ' ' : c;
  }
  while (!line.empty() && (line.back() == ' ' || line.back() == '.')) line.pop_back();
  return line;
}

/// The text between `before` and `after`; "" when it is not there.
std::string Between(std::string_view text, std::string_view before,
                    std::string_view after) {
  const size_t from = text.find(before);
  if (from == std::string_view::npos) return {};
  text.remove_prefix(from + before.size());
  const size_t to = text.find(after);
  return std::string(to == std::string_view::npos ? text : text.substr(0, to));
}

std::string JsonText(std::string_view text) {
  std::string json = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') json += '\\';
    json += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return json + "\"";
}

ErrorInfo Info(ErrorClass error_class, std::string_view code, std::string_view hint) {
  ErrorInfo info;
  info.error_class = error_class;
  info.code = code;
  info.hint = hint;
  return info;
}

ErrorInfo OfConstraint(std::string_view text) {
  if (Holds(text, "NOT NULL constraint failed")) {
    ErrorInfo info =
        Info(ErrorClass::kData, "duckdb.not_null",
             "Fill the column at the source, or make the target column nullable");
    const std::string place = Between(text, "NOT NULL constraint failed: ", "\n");
    info.column = place.substr(place.rfind('.') + 1);
    return info;
  }
  if (Holds(text, "uplicate key")) {
    ErrorInfo info = Info(ErrorClass::kData, "duckdb.duplicate_key",
                          "Use load.mode: upsert, or remove the rows with equal keys");
    std::string key = Between(text, "uplicate key \"", "\" violates");
    if (key.ends_with('"')) key.pop_back();
    if (!key.empty()) info.key = JsonText(key);
    return info;
  }
  if (Holds(text, "CHECK constraint")) {
    return Info(ErrorClass::kData, "duckdb.check_failed",
                "Correct the rows at the source, or change the constraint of the target");
  }
  if (Holds(text, "foreign key") || Holds(text, "FOREIGN KEY")) {
    return Info(ErrorClass::kData, "duckdb.foreign_key",
                "Load the referenced table first, or drop the constraint");
  }
  return Info(ErrorClass::kData, "duckdb.constraint",
              "Look at the constraints of the target");
}

std::optional<ErrorInfo> OfMachine(std::string_view text) {
  if (Holds(text, "Could not set lock on file")) {
    const std::string pid = Between(text, "(PID ", ")");
    return Info(ErrorClass::kTransient, "duckdb.locked",
                pid.empty() ? "End the program that has the file open, or wait for it"
                            : "End the process " + pid + " or wait for it: ps -p " + pid);
  }
  if (Holds(text, "No space left on device") || Holds(text, "File too large") ||
      Holds(text, "Disk quota exceeded") || Holds(text, "max_temp_directory_size")) {
    return Info(ErrorClass::kTransient, "duckdb.no_space",
                "Free space on the disk of the database and of the state folder, then "
                "run again");
  }
  if (Holds(text, "Out of Memory") || Holds(text, "could not allocate block") ||
      Holds(text, "failed to allocate data") || Holds(text, "failed to pin block")) {
    return Info(ErrorClass::kConfig, "duckdb.out_of_memory",
                "Raise runtime.memory_limit of the pipeline");
  }
  if (Holds(text, "database file with version number") ||
      Holds(text, "storage version greater than the latest")) {
    return Info(ErrorClass::kConfig, "duckdb.newer_version",
                "It was made by a newer DuckDB; dxt reads files up to version 1.5. Write "
                "it again with an older one: EXPORT DATABASE, then IMPORT DATABASE");
  }
  if (Holds(text, "not a valid DuckDB database") || Holds(text, "Serialization Error")) {
    return Info(ErrorClass::kConfig, "duckdb.not_a_database",
                "Check the path; a file of a newer DuckDB cannot be read either");
  }
  if (Holds(text, "ermission denied") || Holds(text, "Read-only file system")) {
    return Info(
        ErrorClass::kAuth, "duckdb.permission_denied",
        "Give the user that dxtd runs as the right to use the file and its folder");
  }
  return std::nullopt;
}

std::optional<ErrorInfo> OfStatement(std::string_view text) {
  if (Holds(text, "onflict on ") || Holds(text, "Catalog write-write conflict") ||
      Holds(text, "write-write conflict") || Holds(text, "Transaction conflict")) {
    return Info(ErrorClass::kTransient, "duckdb.conflict",
                "Another transaction wrote the same rows; run again");
  }
  if (Holds(text, "onstraint Error") || Holds(text, "constraint violation")) {
    return OfConstraint(text);
  }
  if (Holds(text, "Conversion Error") || Holds(text, "Out of Range Error")) {
    return Info(ErrorClass::kData, "duckdb.conversion",
                "Give the field a dtype that holds all values");
  }
  if (text.starts_with("Catalog Error: Table with name") ||
      text.starts_with("Catalog Error: View with name")) {
    return Info(ErrorClass::kConfig, "duckdb.table_missing",
                "List the tables: dxtctl discover CONNECTION");
  }
  if (text.starts_with("Catalog Error"))
    return Info(ErrorClass::kConfig, "duckdb.catalog", "");
  if (text.starts_with("Binder Error")) {
    return Info(ErrorClass::kConfig, "duckdb.binder",
                "Correct the name or the expression");
  }
  if (text.starts_with("Parser Error")) {
    return Info(ErrorClass::kConfig, "duckdb.syntax", "Correct the SQL of the stream");
  }
  if (text.starts_with("Permission Error")) {
    return Info(ErrorClass::kConfig, "duckdb.forbidden",
                "SQL of a stream reads tables only; use a `file` connection for files");
  }
  if (text.starts_with("Invalid Input Error")) {
    return Info(ErrorClass::kData, "duckdb.invalid_input", "");
  }
  if (text.starts_with("Not implemented Error")) {
    return Info(ErrorClass::kUnsupported, "duckdb.unsupported", "");
  }
  if (text.starts_with("IO Error")) {
    return Info(ErrorClass::kTransient, "duckdb.io", "Check the disk, then run again");
  }
  return std::nullopt;
}

}  // namespace

arrow::Status ErrorFromText(std::string_view text, std::string_view action) {
  if (Holds(text, "INTERRUPT Error") || Holds(text, "Interrupted!")) {
    return MakeError(ErrorClass::kCancelled, "cancelled",
                     std::string(action) + " was cancelled");
  }
  std::optional<ErrorInfo> info = OfMachine(text);
  if (!info) info = OfStatement(text);
  if (!info) info = Info(ErrorClass::kInternal, "duckdb.error", "");
  return MakeError(std::move(*info), std::string(action) + " failed: " + Paragraph(text));
}

bool IsLocked(const arrow::Status& status) {
  return !status.ok() && GetErrorInfo(status).code == "duckdb.locked";
}

bool IsConflict(const arrow::Status& status) {
  return !status.ok() && GetErrorInfo(status).code == "duckdb.conflict";
}

}  // namespace dxt::duckdb
