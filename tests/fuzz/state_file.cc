// A state database with some bytes changed: three bytes of place and one of value each,
// then perhaps an end that is cut off. It is found out, or read and written without harm.
#include <filesystem>
#include <fstream>
#include <sstream>

#include <sys/stat.h>
#include <unistd.h>

#include "state/sqlite/sqlite_state_store.h"
#include "tests/fuzz/fuzz.h"

namespace dxt::fuzz {
namespace {

namespace fs = std::filesystem;
constexpr char kNow[] = "2026-01-01T00:00:00.000Z";

/// Removed when the process ends.
struct Folder {
  fs::path path;
  Folder() {
    std::string name = access("/dev/shm", W_OK) == 0
                           ? "/dev/shm/dxt-fuzz-XXXXXX"
                           : fs::temp_directory_path() / "dxt-fuzz-XXXXXX";
    path = mkdtemp(name.data());
  }
  ~Folder() {
    std::error_code error;
    fs::remove_all(path, error);
  }
};

NewRun Run(const std::string& id) {
  NewRun run;
  run.id = id;
  run.project = "shop";
  run.pipeline = "orders";
  run.request_id = "request-" + id;
  run.document_hash = "hash";
  run.pipeline_document = {"/p/orders.yaml", "name: orders"};
  run.project_document = {"/p/dxt_project.yaml", "name: shop"};
  run.options = "{}";
  run.created_at = kNow;
  return run;
}

void Done(const arrow::Status& status) {
  Promise(status.ok(), "a state file is made", status.ToString());
}

/// A state file in which something happened.
std::string Sound(const fs::path& folder) {
  {
    auto store = SqliteStateStore::Make(folder).ValueOrDie();
    for (const char* id : {"01M00000000000000000000001", "01M00000000000000000000002"}) {
      Done(store->runs().Create(Run(id)).status());
      const Lease lease = store->runs().Claim(id, kNow).ValueOrDie();
      Checkpoint checkpoint;
      checkpoint.window_seq = 1;
      checkpoint.load_id = std::string("01L") + id;
      checkpoint.run = id;
      checkpoint.cursor_after = "42";
      checkpoint.cursor_type = "int64";
      checkpoint.committed_at = kNow;
      Done(store->cursors().Save(lease, {"shop/orders", id}, checkpoint, kNow));
    }
    ProjectRecord project;
    project.name = "shop";
    project.document = {"", "name: shop"};
    project.updated_at = kNow;
    Done(store->definitions().ApplyProject(project, {}).status());
  }
  std::ostringstream bytes;
  bytes << std::ifstream(folder / "state.db", std::ios::binary).rdbuf();
  return bytes.str();
}

void Use(StateStore& store) {
  RunQuery query;
  const auto runs = store.runs().List(query);
  if (runs.ok()) {
    for (const auto& run : *runs) {
      (void)store.runs().Input(run.id);
      (void)store.runs().Claim(run.id, kNow);
    }
  }
  (void)store.runs().Interrupted();
  (void)store.runs().Stats();
  (void)store.cursors().List("");
  (void)store.packages().List("");
  (void)store.dead_letters().List({});
  (void)store.dependencies().List("");
  (void)store.schedules().List("", "", "", 10);
  (void)store.audit().List(INT64_MAX, 10);
  (void)store.runs().Create(Run("01M00000000000000000000009"));
}

}  // namespace
}  // namespace dxt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace dxt;
  static const fuzz::Folder folder;
  static const std::string sound = fuzz::Sound(folder.path);
  std::string bytes = sound;
  fuzz::Input input(data, size);
  while (input.rest().size() >= 4) {
    size_t at = input.Byte();
    at = at << 8 | input.Byte();
    at = at << 8 | input.Byte();
    bytes[at % bytes.size()] = static_cast<char>(input.Byte());
  }
  if (!input.rest().empty()) bytes.resize(bytes.size() * input.Byte() / 256);
  for (const char* rest : {"state.db-wal", "state.db-shm"})
    unlink((folder.path / rest).c_str());
  std::ofstream(folder.path / "state.db", std::ios::binary | std::ios::trunc) << bytes;
  auto store = SqliteStateStore::Make(folder.path);
  if (store.ok()) fuzz::Use(**store);
  return 0;
}
