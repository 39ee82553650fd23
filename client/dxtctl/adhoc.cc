#include "client/dxtctl/adhoc.h"

#include <cctype>
#include <filesystem>

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

/// A JSON string is a YAML string; `${` in it must not be read as a variable's.
std::string Quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false,
                                   nlohmann::json::error_handler_t::replace);
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
  // The last '#': a connection string may hold others.
  const size_t hash = text.rfind('#');
  end.connection = AbsoluteConnection(text.substr(0, hash));
  if (hash != std::string::npos) end.table = text.substr(hash + 1);
  if (end.connection.empty() || (hash != std::string::npos && end.table.empty())) {
    return UsageError("'" + text + "' names no connection and table",
                      "Write CONNECTION#table, or the path of a file");
  }
  if (end.connection.find("://") != std::string::npos) {
    const bool names_file = end.table.empty() && IsDataFile(end.connection);
    if (names_file) {
      const size_t slash = end.connection.rfind('/');
      end.table = end.connection.substr(slash + 1);
      end.connection.resize(slash);
    }
    return end;
  }
  if (end.connection.starts_with("duckdb:")) return end;
  const fs::path path = fs::absolute(end.connection).lexically_normal();
  if (const std::string type = DatabaseType(path); !type.empty()) {
    end.connection = type + "://" + path.string();
  } else if (end.table.empty() && IsDataFile(path)) {
    end.connection = "file://" + path.parent_path().string();
    end.table = path.filename().string();
  }
  return end;
}

std::string AdhocPipeline(const std::string& name, const std::string& stream,
                          const AdhocEnd& source, const AdhocEnd& target,
                          const AdhocLoad& load) {
  std::string yaml = "version: 1\nname: " + name + "\n";
  yaml += "source: {connection: " + Quoted(source.connection) + "}\n";
  yaml += "target: {connection: " + Quoted(target.connection) + "}\n";
  yaml += "streams:\n  - id: " + Quoted(stream) + "\n";
  if (IsFileReference(source.table)) yaml += "    kind: file\n";
  yaml += "    source: " + Quoted(source.table) + "\n";
  yaml += "    target: " + Quoted(target.table) + "\n";
  if (!load.cursor.empty()) {
    yaml += "    extract: {mode: incremental, watermark_field: " + Quoted(load.cursor) +
            "}\n";
  }
  yaml += "    load: {mode: " + load.mode;
  if (load.partial) yaml += ", partial_replace: true";
  if (!load.keys.empty()) {
    yaml += ", upsert_keys: [";
    for (size_t i = 0; i < load.keys.size(); ++i) {
      yaml += (i ? ", " : "") + Quoted(load.keys[i]);
    }
    yaml += "]";
  }
  return yaml + "}\n";
}

}  // namespace dxt::ctl
