#include <cctype>
#include <filesystem>
#include <fstream>

#include "client/dxtctl/run_verb.h"
#include "client/dxtctl/verbs.h"

namespace dxt::ctl {
namespace {

namespace fs = std::filesystem;

struct TemplateFile {
  const char* path;
  const char* text;
};

struct Template {
  const char* name;
  const char* connections;
  std::vector<TemplateFile> files;
  /// Run once by init, so that the source of the pipeline is there; null = nothing to
  /// run.
  const char* seed;
};

constexpr char kOrders[] =
    "id,customer,total,placed_at\n"
    "1,Ada,19.90,2026-01-02 09:12:00\n"
    "2,Grace,5.00,2026-01-02 10:40:00\n"
    "3,Edsger,112.35,2026-01-03 08:05:00\n"
    "4,Barbara,48.00,2026-01-04 17:30:00\n";

constexpr char kCsvPipeline[] =
    "# CSV files into DuckDB: the table is made from what the files hold.\n"
    "version: 1\n"
    "name: orders\n"
    "source: {connection: files}\n"
    "target: {connection: warehouse}\n"
    "streams:\n"
    "  - id: orders\n"
    "    kind: file\n"
    "    source: orders.csv\n"
    "    target: orders\n"
    "    load: {mode: replace}\n";

constexpr char kSeed[] =
    "# Fills orders.db from data/orders.csv. `dxtctl init` ran it once.\n"
    "version: 1\n"
    "name: seed\n"
    "source: {connection: files}\n"
    "target: {connection: shop}\n"
    "streams:\n"
    "  - {id: orders, kind: file, source: orders.csv, target: orders, load: {mode: "
    "replace}}\n";

constexpr char kSqlitePipeline[] =
    "# SQLite into DuckDB. Each run reads only orders placed after those already there.\n"
    "version: 1\n"
    "name: orders\n"
    "source: {connection: shop}\n"
    "target: {connection: warehouse}\n"
    "streams:\n"
    "  - id: orders\n"
    "    source: orders\n"
    "    target: orders\n"
    "    extract: {mode: incremental, watermark_field: placed_at}\n"
    "    load: {mode: append}\n";

constexpr char kPostgresPipeline[] =
    "# PostgreSQL into a Parquet file. The query needs no table; put yours in its place, "
    "or\n"
    "# `kind: table` and a table's name.\n"
    "version: 1\n"
    "name: numbers\n"
    "source: {connection: postgres}\n"
    "target: {connection: lake}\n"
    "streams:\n"
    "  - id: numbers\n"
    "    kind: query\n"
    "    source: SELECT i AS id, i * i AS square FROM generate_series(1, 1000) AS i\n"
    "    target: numbers.parquet\n"
    "    load: {mode: replace}\n";

const std::vector<Template>& Templates() {
  static const std::vector<Template> kTemplates = {
      {"csv-to-duckdb",
       "  files: {type: file, url: ./data}\n"
       "  warehouse: {type: duckdb, path: ./warehouse.duckdb}\n",
       {{"data/orders.csv", kOrders}, {"pipeline.yaml", kCsvPipeline}},
       nullptr},
      {"sqlite-to-duckdb",
       "  files: {type: file, url: ./data}\n"
       "  shop: {type: sqlite, path: ./orders.db}\n"
       "  warehouse: {type: duckdb, path: ./warehouse.duckdb}\n",
       {{"data/orders.csv", kOrders},
        {"seed.yaml", kSeed},
        {"pipeline.yaml", kSqlitePipeline}},
       "seed.yaml"},
      {"postgres-to-parquet",
       "  # Values come from the environment, or from a file .env beside this one.\n"
       "  postgres:\n"
       "    type: postgres\n"
       "    host: ${PGHOST:-localhost}\n"
       "    port: ${PGPORT:-5432}\n"
       "    database: ${PGDATABASE:-postgres}\n"
       "    user: ${PGUSER:-postgres}\n"
       "    password: ${PGPASSWORD:-}\n"
       "  lake: {type: file, url: ./lake}\n",
       {{"pipeline.yaml", kPostgresPipeline}},
       nullptr},
  };
  return kTemplates;
}

/// A project's name out of a folder's: [a-z0-9][a-z0-9_-]{0,62}.
std::string ProjectNameOf(const std::string& folder) {
  std::string name;
  for (const char c : folder) {
    const auto byte = static_cast<unsigned char>(c);
    const bool usable = std::isalnum(byte) || ((c == '_' || c == '-') && !name.empty());
    if (usable && byte < 0x80 && name.size() < 63) {
      name += static_cast<char>(std::tolower(byte));
    }
  }
  return name.empty() ? "project" : name;
}

Status WriteNew(const fs::path& path, const std::string& text) {
  std::error_code error;
  if (fs::exists(path, error)) {
    return UsageError("'" + path.string() + "' exists, and init overwrites nothing",
                      "Name a new folder: dxtctl init NAME");
  }
  fs::create_directories(path.parent_path(), error);
  std::ofstream file(path);
  if (!(file << text)) return UsageError("Cannot write '" + path.string() + "'");
  return Done{};
}

Status Seed(const fs::path& pipeline) {
  RunVerbOptions seed;
  seed.documents.pipeline = pipeline.string();
  Invocation quiet;
  quiet.options.output = "name";
  quiet.options.endpoint.local = true;
  quiet.stdout_enabled = false;
  CTL_ASSIGN(const int exit_code, ExecuteRunVerb(quiet, seed));
  if (exit_code == kExitOk) return Done{};
  Error error;
  error.exit_code = exit_code;
  error.message = "The project was written, but its source could not be filled";
  error.hint = "dxtctl run " + pipeline.string() + " says why";
  return error;
}

Result<int> Init(Invocation& invocation, const std::string& folder,
                 const std::string& name) {
  const Template* chosen = nullptr;
  for (const auto& candidate : Templates()) {
    if (candidate.name == name) chosen = &candidate;
  }
  const fs::path root = fs::absolute(folder.empty() ? "." : folder).lexically_normal();
  const fs::path leaf =
      root.filename().empty() ? root.parent_path().filename() : root.filename();
  CTL_RETURN_NOT_OK(WriteNew(
      root / "dxt_project.yaml",
      "# The systems of this project. Relative paths belong to this "
      "folder.\nversion: 1\nname: " +
          ProjectNameOf(leaf.string()) + "\nconnections:\n" + chosen->connections));
  for (const auto& file : chosen->files) {
    CTL_RETURN_NOT_OK(WriteNew(root / file.path, file.text));
  }
  CTL_RETURN_NOT_OK(WriteNew(root / ".gitignore", ".dxt/\n.env\n"));
  if (chosen->seed != nullptr) {
    CTL_RETURN_NOT_OK(Seed(root / chosen->seed));
  }
  const std::string enter =
      folder.empty() || folder == "." ? "" : "cd " + folder + " && ";
  std::printf("Wrote a project (%s) to %s\n", chosen->name, root.c_str());
  invocation.Note("Next: " + enter + "dxtctl run pipeline.yaml");
  return kExitOk;
}

}  // namespace

void AddInit(Verb root, Invocation& invocation) {
  auto folder = std::make_shared<std::string>();
  auto name = std::make_shared<std::string>(Templates().front().name);
  std::vector<std::string> names;
  for (const auto& candidate : Templates()) names.push_back(candidate.name);
  const Verb verb = root.AddVerb("init", "Write a first project that runs as it is");
  verb.Add("name", *folder, "Folder of the project (default: this one)");
  std::string choices;
  for (const auto& choice : names) choices += (choices.empty() ? "" : ", ") + choice;
  verb.Add("--template", *name, "What it moves: " + choices)
      .Placeholder("NAME")
      .OneOf(names)
      .ShowDefault();
  verb.SetAction(invocation, [folder, name, &invocation]() -> Result<int> {
    return Init(invocation, *folder, *name);
  });
}

}  // namespace dxt::ctl
