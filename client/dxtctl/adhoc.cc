#include "client/dxtctl/adhoc.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <sstream>

#include <nlohmann/json.hpp>

namespace dxt::ctl {
namespace {

namespace fs = std::filesystem;

std::string Folded(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

/// Without .gz and .zst.
fs::path Uncompressed(const fs::path& path) {
  const std::string extension = Folded(path.extension().string());
  return extension == ".gz" || extension == ".zst" ? path.parent_path() / path.stem()
                                                   : path;
}

bool IsDataFile(const fs::path& path) {
  const std::string extension = Folded(Uncompressed(path).extension().string());
  for (const char* known : {".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet"}) {
    if (extension == known) return true;
  }
  return false;
}

/// "sqlite" or "duckdb" for the name of a database file, else "".
std::string DatabaseType(const fs::path& path) {
  const std::string extension = Folded(path.extension().string());
  if (extension == ".duckdb" || extension == ".ddb") return "duckdb";
  if (extension == ".db" || extension == ".sqlite" || extension == ".sqlite3")
    return "sqlite";
  return {};
}

/// A JSON string is a YAML string.
std::string Quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false,
                                   nlohmann::json::error_handler_t::replace);
}

/// A name as it was typed: `${` in it is no variable's.
std::string Literal(std::string text) {
  for (size_t at = text.find("${"); at != std::string::npos; at = text.find("${", at + 3))
    text.insert(at, 1, '$');
  return text;
}

/// A folder as a connection string, in which `%41` stands for a letter.
std::string FileConnection(const fs::path& path) {
  std::string text = path.string();
  for (size_t at = text.find('%'); at != std::string::npos; at = text.find('%', at + 1))
    text.replace(at, 1, "%25");
  return "file://" + Literal(std::move(text));
}

/// "sqlite:shop.db" as sqlite:///folder/shop.db: a path of the command line belongs to
/// the working folder. Other texts stay.
std::string AbsoluteConnection(const std::string& text) {
  const size_t colon = text.find(':');
  if (colon == std::string::npos) return text;
  const std::string scheme = Folded(text.substr(0, colon));
  const std::string path = text.substr(colon + 1);
  const bool names_path =
      scheme == "sqlite" || scheme == "sqlite3" || scheme == "duckdb" || scheme == "file";
  if (!names_path || path.empty() || path.starts_with("//") || path == ":memory:") {
    return text;
  }
  return scheme + "://" + fs::absolute(path).lexically_normal().string();
}

}  // namespace

bool IsFileReference(const std::string& table) {
  return table.find('/') != std::string::npos || table.find('*') != std::string::npos ||
         IsDataFile(table);
}

std::string BareTableName(const std::string& table) {
  std::string name = table;
  if (IsFileReference(table)) {
    while (name.ends_with('/')) name.pop_back();
    const fs::path path = Uncompressed(name);
    name = IsDataFile(table) ? path.stem().string() : path.filename().string();
  } else if (const size_t dot = name.rfind('.'); dot != std::string::npos) {
    name = name.substr(dot + 1);
  }
  std::erase_if(name,
                [](char c) { return c == '"' || c == '[' || c == ']' || c == '*'; });
  return name;
}

Result<AdhocEnd> ParseAdhocEnd(const std::string& text) {
  AdhocEnd end;
  // The last '#': a connection string may hold others. A file may have one in its name.
  std::error_code error;
  const bool names_file = IsDataFile(text) && fs::is_regular_file(text, error);
  const size_t hash = names_file ? std::string::npos : text.rfind('#');
  end.connection = AbsoluteConnection(text.substr(0, hash));
  if (hash != std::string::npos) end.table = text.substr(hash + 1);
  if (end.connection.empty() || (hash != std::string::npos && end.table.empty())) {
    return UsageError("'" + text + "' names no connection and table",
                      "Write CONNECTION#table, or the path of a file");
  }
  if (end.connection.find("://") != std::string::npos) {
    if (end.table.empty() && IsDataFile(end.connection)) {
      const size_t slash = end.connection.rfind('/');
      end.table = end.connection.substr(slash + 1);
      end.connection.resize(slash);
    }
    return end;
  }
  if (end.connection.starts_with("duckdb:")) return end;
  const fs::path path = fs::absolute(end.connection).lexically_normal();
  if (const std::string type = DatabaseType(path); !type.empty()) {
    end.connection = type + "://" + Literal(path.string());
  } else if (end.table.empty() && IsDataFile(path)) {
    end.connection = FileConnection(path.parent_path());
    end.table = path.filename().string();
  }
  return end;
}

std::string StreamIdOf(const std::string& name) {
  constexpr size_t kLongest = 128;
  std::string id;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0) == 0x80) continue;  // The rest of a character that became '_'.
    const bool inner = c == '-' || c == '.';
    const bool kept =
        byte < 0x80 && (std::isalnum(byte) || c == '_' || (inner && !id.empty()));
    id += kept ? c : '_';
    if (id.size() == kLongest) break;
  }
  return id.empty() ? "_" : id;
}

std::string TableReference(const std::string& name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c >= 0x80;
  });
  if (plain) return name;
  std::string quoted = "\"";
  for (const char c : name) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

Error WithoutPlaces(Error error, const std::string& document) {
  auto problems = nlohmann::ordered_json::parse(error.problems_json, nullptr, false);
  if (problems.is_object()) {
    for (auto& problem : problems["problems"]) {
      if (problem.value("file", "") != document) continue;
      problem["file"] = "";
      problem["line"] = 0;
      problem["column"] = 0;
    }
    error.problems_json = problems.dump();
  }
  std::string text;
  std::istringstream lines(error.problems_text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(document + ":")) line.erase(0, line.find(": ") + 2);
    text += line + "\n";
  }
  error.problems_text = text;
  return error;
}

std::string AdhocPipeline(const std::string& name, const std::string& stream,
                          const AdhocEnd& source, const AdhocEnd& target,
                          const AdhocLoad& load) {
  std::string yaml = "version: 1\nname: " + name + "\n";
  yaml += "source: {connection: " + Quoted(source.connection) + "}\n";
  yaml += "target: {connection: " + Quoted(target.connection) + "}\n";
  yaml += "streams:\n  - id: " + Quoted(stream) + "\n";
  if (IsFileReference(source.table)) yaml += "    kind: file\n";
  yaml += "    source: " + Quoted(Literal(source.table)) + "\n";
  yaml += "    target: " + Quoted(Literal(target.table)) + "\n";
  if (!load.cursor.empty()) {
    yaml += "    extract: {mode: incremental, watermark_field: " +
            Quoted(Literal(load.cursor)) + "}\n";
  }
  yaml += "    load: {mode: " + load.mode;
  if (load.partial) yaml += ", partial_replace: true";
  if (!load.keys.empty()) {
    yaml += ", upsert_keys: [";
    for (size_t i = 0; i < load.keys.size(); ++i) {
      yaml += (i ? ", " : "") + Quoted(Literal(load.keys[i]));
    }
    yaml += "]";
  }
  return yaml + "}\n";
}

}  // namespace dxt::ctl
