#include "connectors/file/ledger.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "connectors/file/store.h"

namespace dxt::file {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kRowSuffix = ".json";
constexpr std::string_view kOpenSuffix = ".open";
constexpr std::string_view kTemporarySuffix = ".tmp";  // Of a local store's Put.
constexpr size_t kKeptRows = 1000;

std::string RowName(int64_t window_seq) {
  std::string digits = std::to_string(window_seq);
  if (digits.size() < 8) digits.insert(0, 8 - digits.size(), '0');
  return digits + std::string(kRowSuffix);
}

bool IsRowName(std::string_view name) {
  if (!name.ends_with(kRowSuffix) || name.size() < 8 + kRowSuffix.size()) return false;
  name.remove_suffix(kRowSuffix.size());
  return name.find_first_not_of("0123456789") == std::string_view::npos;
}

/// Stream ids may hold any character; folders may not.
std::string FolderName(std::string_view stream) {
  std::string name;
  for (const char c : stream) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) || c == '-' ||
                       c == '_' || (c == '.' && !name.empty());
    name += plain ? c : '_';
  }
  return name.empty() ? "_" : name;
}

/// A row's path, in which `../` leads out of the base: buckets know no such step.
std::string At(std::string_view base, std::string_view path) {
  while (path.starts_with("../")) {
    path.remove_prefix(3);
    base = ParentPath(base);
  }
  return JoinPath(base, path);
}

bool StaysInside(std::string_view path) {
  return !path.starts_with('/') &&
         ("/" + std::string(path) + "/").find("/../") == std::string::npos;
}

/// Rows lie where others may write: one of ours moves nothing from or to elsewhere, but
/// what was staged beside the target.
bool IsOurs(const LedgerRow& row) {
  for (const auto& [from, to] : row.moves) {
    const std::string_view staged = from;
    const bool beside = staged.starts_with("../.");
    if (!StaysInside(beside ? staged.substr(3) : staged) || !StaysInside(to))
      return false;
  }
  return std::all_of(row.removes.begin(), row.removes.end(), StaysInside);
}

Json ToJson(const LedgerRow& row) {
  const LoadRecord& r = row.record;
  return Json{{"schema", "dxt.load/1"},
              {"pipeline", row.identity.pipeline},
              {"stream", row.identity.stream},
              {"lane", row.identity.lane},
              {"window_seq", r.window_seq},
              {"load_id", r.load_id},
              {"run", r.run},
              {"epoch", row.epoch},
              {"target", r.target},
              {"target_ident", r.target_ident},
              {"fingerprint", r.fingerprint},
              {"mode", r.mode},
              {"cursor_before", r.cursor_before},
              {"cursor_after", r.cursor_after},
              {"read_from", r.read_from},
              {"rows", r.rows},
              {"rows_deleted", r.rows_deleted},
              {"schema_hash", r.schema_hash},
              {"package_hash", r.package_hash},
              {"committed_at", r.committed_at},
              {"moves", row.moves},
              {"removes", row.removes},
              {"base_ident", row.base_ident}};
}

arrow::Status Broken(const Store& store, const std::string& path) {
  return MakeError(ErrorClass::kData, "file.ledger_broken",
                   "'" + store.Show(path) + "' is not a ledger row of dxt",
                   "Restore it, or move the target away");
}

}  // namespace

arrow::Result<LedgerRow> Ledger::Read(const std::string& path) const {
  ARROW_ASSIGN_OR_RAISE(const std::string text, target_.store->Get(path));
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return Broken(*target_.store, path);
  LedgerRow row;
  LoadRecord& r = row.record;
  try {
    row.identity.pipeline = json.at("pipeline");
    row.identity.stream = json.at("stream");
    row.identity.lane = json.at("lane");
    row.epoch = json.at("epoch");
    r.window_seq = json.at("window_seq");
    r.load_id = json.at("load_id");
    r.run = json.at("run");
    r.target = json.at("target");
    r.target_ident = json.at("target_ident");
    r.fingerprint = json.at("fingerprint");
    r.mode = json.at("mode");
    r.cursor_before = json.at("cursor_before");
    r.cursor_after = json.at("cursor_after");
    r.read_from = json.at("read_from");
    r.rows = json.at("rows");
    r.rows_deleted = json.at("rows_deleted");
    r.schema_hash = json.at("schema_hash");
    r.package_hash = json.at("package_hash");
    r.committed_at = json.at("committed_at");
    row.moves = json.at("moves").get<std::vector<std::pair<std::string, std::string>>>();
    row.removes = json.at("removes").get<std::vector<std::string>>();
    row.base_ident = json.at("base_ident");
  } catch (const Json::exception&) {
    return Broken(*target_.store, path);
  }
  if (!IsOurs(row)) return Broken(*target_.store, path);
  return row;
}

arrow::Result<std::string> Ledger::ChainFolder(const StreamIdentity& identity) const {
  const std::string plain = JoinPath(target_.ledger(), FolderName(identity.stream));
  const std::string fence = JoinPath(plain, "fence.json");
  ARROW_ASSIGN_OR_RAISE(const auto entry, target_.store->Stat(fence));
  if (!entry) return plain;
  ARROW_ASSIGN_OR_RAISE(const std::string text, target_.store->Get(fence));
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return Broken(*target_.store, fence);
  if (json.value("pipeline", "") == identity.pipeline &&
      json.value("stream", "") == identity.stream &&
      json.value("lane", "") == identity.lane) {
    return plain;
  }
  const std::string key =
      identity.pipeline + "\n" + identity.stream + "\n" + identity.lane;
  return plain + "@" + FolderIdent({{key, 0}}).substr(2);
}

arrow::Result<std::vector<std::string>> Ledger::Chains() const {
  std::vector<std::string> chains;
  ARROW_ASSIGN_OR_RAISE(auto entries, target_.store->List(target_.ledger(), false));
  for (const auto& entry : entries) {
    if (entry.is_folder) chains.push_back(entry.path);
  }
  return chains;
}

arrow::Result<std::vector<std::string>> Ledger::RowPaths(const std::string& chain) const {
  std::vector<std::string> paths;
  ARROW_ASSIGN_OR_RAISE(auto entries, target_.store->List(chain, false));
  for (const auto& entry : entries) {
    if (IsRowName(BaseName(entry.path))) paths.push_back(entry.path);
  }
  std::sort(paths.begin(), paths.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
  return paths;
}

arrow::Result<std::optional<LedgerRow>> Ledger::Newest(
    const StreamIdentity& identity) const {
  ARROW_ASSIGN_OR_RAISE(const std::string chain, ChainFolder(identity));
  ARROW_ASSIGN_OR_RAISE(const auto rows, RowPaths(chain));
  if (rows.empty()) return std::optional<LedgerRow>();
  ARROW_ASSIGN_OR_RAISE(auto row, Read(rows.back()));
  return std::optional<LedgerRow>(std::move(row));
}

arrow::Result<std::optional<LedgerRow>> Ledger::Find(const StreamIdentity& identity,
                                                     std::string_view load_id) const {
  ARROW_ASSIGN_OR_RAISE(const std::string chain, ChainFolder(identity));
  ARROW_ASSIGN_OR_RAISE(const auto rows, RowPaths(chain));
  constexpr int64_t kLookedAt = 16;
  const auto end = rows.rbegin() + std::min(kLookedAt, static_cast<int64_t>(rows.size()));
  for (auto path = rows.rbegin(); path != end; ++path) {
    ARROW_ASSIGN_OR_RAISE(auto row, Read(*path));
    if (row.record.load_id == load_id) return std::optional<LedgerRow>(std::move(row));
  }
  return std::optional<LedgerRow>();
}

arrow::Result<std::vector<std::string>> Ledger::Lanes(
    const StreamIdentity& identity) const {
  std::vector<std::string> lanes;
  ARROW_ASSIGN_OR_RAISE(const auto chains, Chains());
  for (const auto& chain : chains) {
    const std::string fence = JoinPath(chain, "fence.json");
    ARROW_ASSIGN_OR_RAISE(const auto entry, target_.store->Stat(fence));
    if (!entry) continue;
    ARROW_ASSIGN_OR_RAISE(const std::string text, target_.store->Get(fence));
    const Json json = Json::parse(text, nullptr, false);
    if (!json.is_object()) return Broken(*target_.store, fence);
    if (json.value("pipeline", "") == identity.pipeline &&
        json.value("stream", "") == identity.stream) {
      lanes.push_back(json.value("lane", ""));
    }
  }
  return lanes;
}

arrow::Result<bool> Ledger::HasOtherPipeline(const StreamIdentity& identity) const {
  ARROW_ASSIGN_OR_RAISE(const auto chains, Chains());
  for (const auto& chain : chains) {
    ARROW_ASSIGN_OR_RAISE(const auto rows, RowPaths(chain));
    if (rows.empty()) continue;
    ARROW_ASSIGN_OR_RAISE(const auto row, Read(rows.back()));
    if (row.identity.pipeline != identity.pipeline) return true;
  }
  return false;
}

arrow::Result<int64_t> Ledger::Bump(const StreamIdentity& identity, const Owner& owner,
                                    const std::string& now) const {
  ARROW_ASSIGN_OR_RAISE(const std::string chain, ChainFolder(identity));
  ARROW_ASSIGN_OR_RAISE(const int64_t epoch, Epoch(identity));
  const Json fence{{"schema", "dxt.fence/1"},   {"pipeline", identity.pipeline},
                   {"stream", identity.stream}, {"lane", identity.lane},
                   {"epoch", epoch + 1},        {"owner", owner.text},
                   {"run", owner.run},          {"renewed_at", now}};
  ARROW_RETURN_NOT_OK(
      target_.store->Put(JoinPath(chain, "fence.json"), fence.dump(1), true).status());
  return epoch + 1;
}

arrow::Result<int64_t> Ledger::Epoch(const StreamIdentity& identity) const {
  ARROW_ASSIGN_OR_RAISE(const std::string chain, ChainFolder(identity));
  const std::string fence = JoinPath(chain, "fence.json");
  ARROW_ASSIGN_OR_RAISE(const auto entry, target_.store->Stat(fence));
  if (!entry) return 0;
  ARROW_ASSIGN_OR_RAISE(const std::string text, target_.store->Get(fence));
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("epoch") ||
      !json["epoch"].is_number_integer()) {
    return Broken(*target_.store, fence);
  }
  return json["epoch"].get<int64_t>();
}

arrow::Status Ledger::GiveUp(const StreamIdentity& identity, int64_t epoch,
                             const std::string& made) const {
  constexpr int64_t kFirst = 1;
  if (epoch != kFirst || !target_.store->is_local()) return arrow::Status::OK();
  ARROW_ASSIGN_OR_RAISE(const int64_t now, Epoch(identity));
  if (now != kFirst) return arrow::Status::OK();
  ARROW_RETURN_NOT_OK(Sweep(identity));
  ARROW_ASSIGN_OR_RAISE(const std::string chain, ChainFolder(identity));
  ARROW_ASSIGN_OR_RAISE(const auto entries, target_.store->List(chain, false));
  const std::string fence = JoinPath(chain, "fence.json");
  const bool alone = entries.size() == 1 && entries.front().path == fence;
  if (!alone) return arrow::Status::OK();
  ARROW_RETURN_NOT_OK(target_.store->Remove(fence));
  ARROW_RETURN_NOT_OK(target_.store->Sync(fence));
  target_.store->RemoveEmpty(chain);
  const size_t shortest = std::min(made.empty() ? std::string::npos : made.size(),
                                   JoinPath(target_.base(), "_dxt").size());
  for (std::string folder(ParentPath(chain)); folder.size() >= shortest;
       folder = ParentPath(folder)) {
    target_.store->RemoveEmpty(folder);
  }
  return arrow::Status::OK();
}

arrow::Status Ledger::MarkOpen(const StreamIdentity& identity,
                               const std::string& load_id) const {
  ARROW_ASSIGN_OR_RAISE(const std::string chain, ChainFolder(identity));
  return target_.store->Touch(JoinPath(chain, load_id + std::string(kOpenSuffix)));
}

void Ledger::UnmarkOpen(const StreamIdentity& identity,
                        const std::string& load_id) const {
  const auto chain = ChainFolder(identity);
  // A mark that stays is looked at and dropped by the next owner's Sweep.
  if (!chain.ok()) return;
  static_cast<void>(
      target_.store->Remove(JoinPath(*chain, load_id + std::string(kOpenSuffix))));
}

arrow::Result<bool> Ledger::Insert(const LedgerRow& row) const {
  ARROW_ASSIGN_OR_RAISE(const std::string chain, ChainFolder(row.identity));
  const std::string path = JoinPath(chain, RowName(row.record.window_seq));
  ARROW_ASSIGN_OR_RAISE(const bool made,
                        target_.store->Put(path, ToJson(row).dump(1) + "\n", false));
  return made;
}

arrow::Status Ledger::CopyInto(const std::string& folder, const LedgerRow& row) const {
  const std::string from = target_.ledger();
  const std::string to = JoinPath(folder, "_dxt");
  ARROW_ASSIGN_OR_RAISE(auto entries, target_.store->List(from, true));
  for (const auto& entry : entries) {
    if (entry.is_folder || BaseName(entry.path).starts_with('.')) continue;
    ARROW_ASSIGN_OR_RAISE(const std::string bytes, target_.store->Get(entry.path));
    const std::string copy = to + entry.path.substr(from.size());
    ARROW_RETURN_NOT_OK(target_.store->Put(copy, bytes, true).status());
  }
  ARROW_ASSIGN_OR_RAISE(const std::string chain, ChainFolder(row.identity));
  const std::string path =
      JoinPath(to + chain.substr(from.size()), RowName(row.record.window_seq));
  return target_.store->Put(path, ToJson(row).dump(1) + "\n", true).status();
}

arrow::Status Ledger::Apply(const LedgerRow& row) const {
  Store& store = *target_.store;
  const std::string base = target_.base();
  for (const auto& [from, to] : row.moves) {
    const std::string source = At(base, from);
    ARROW_ASSIGN_OR_RAISE(const auto staged, store.Stat(source));
    if (!staged) continue;  // Done before.
    if (!row.base_ident.empty()) {
      ARROW_ASSIGN_OR_RAISE(const auto now, store.Stat(JoinPath(base, to)));
      if (now && FileIdent(store, now->size, now->mtime_ns) != row.base_ident) {
        return MakeError(
            ErrorClass::kGuard, "file.changed",
            "'" + store.Show(JoinPath(base, to)) +
                "' was changed by something else while a load was being committed",
            "The loaded rows are in '" + store.Show(source) +
                "'; put them together by hand, then remove that file");
      }
    }
    ARROW_RETURN_NOT_OK(store.Move(source, JoinPath(base, to)));
  }
  for (const auto& path : row.removes) {
    ARROW_RETURN_NOT_OK(store.Remove(JoinPath(base, path)));
  }
  const std::string& load_id = row.record.load_id;
  ARROW_RETURN_NOT_OK(RemoveStaged(load_id));
  UnmarkOpen(row.identity, load_id);
  ARROW_ASSIGN_OR_RAISE(const std::string chain, ChainFolder(row.identity));
  const int64_t old = row.record.window_seq - static_cast<int64_t>(kKeptRows);
  return old > 0 ? store.Remove(JoinPath(chain, RowName(old))) : arrow::Status::OK();
}

arrow::Result<std::vector<LedgerRow>> Ledger::Unfinished() const {
  std::vector<LedgerRow> unfinished;
  ARROW_ASSIGN_OR_RAISE(const auto chains, Chains());
  for (const auto& chain : chains) {
    ARROW_ASSIGN_OR_RAISE(auto entries, target_.store->List(chain, false));
    std::set<std::string> open;
    for (const auto& entry : entries) {
      std::string name(BaseName(entry.path));
      if (!name.ends_with(kOpenSuffix)) continue;
      name.resize(name.size() - kOpenSuffix.size());
      open.insert(name);
    }
    if (open.empty()) continue;
    // Only the newest row of a chain can be half done: the next one waits for it.
    ARROW_ASSIGN_OR_RAISE(const auto rows, RowPaths(chain));
    if (rows.empty()) continue;
    ARROW_ASSIGN_OR_RAISE(auto row, Read(rows.back()));
    if (open.contains(row.record.load_id)) unfinished.push_back(std::move(row));
  }
  return unfinished;
}

arrow::Status Ledger::RemoveHalfWritten() const {
  if (!target_.store->is_local()) return arrow::Status::OK();
  ARROW_ASSIGN_OR_RAISE(const auto chains, Chains());
  for (const auto& chain : chains) {
    ARROW_ASSIGN_OR_RAISE(const auto entries, target_.store->List(chain, false));
    for (const auto& entry : entries) {
      const std::string_view name = BaseName(entry.path);
      if (!name.starts_with('.') || !name.ends_with(kTemporarySuffix)) continue;
      ARROW_RETURN_NOT_OK(target_.store->Remove(entry.path));
    }
  }
  return arrow::Status::OK();
}

arrow::Result<bool> Ledger::HasUnfinished() const {
  ARROW_ASSIGN_OR_RAISE(const auto rows, Unfinished());
  return !rows.empty();
}

arrow::Status Ledger::RollForward() const {
  ARROW_RETURN_NOT_OK(RemoveHalfWritten());
  ARROW_ASSIGN_OR_RAISE(const auto rows, Unfinished());
  for (const auto& row : rows) ARROW_RETURN_NOT_OK(Apply(row));
  return arrow::Status::OK();
}

arrow::Status Ledger::RemoveStaged(std::string_view load_id) const {
  Store& store = *target_.store;
  for (const bool replace : {false, true}) {
    const std::string staged = target_.Staging(load_id, replace);
    if (store.is_local()) {
      ARROW_ASSIGN_OR_RAISE(const auto entry, store.Stat(staged));
      if (!entry) continue;
    }
    ARROW_RETURN_NOT_OK(store.Remove(staged));
    // A loss of power could else give back what no mark tells of any more.
    ARROW_RETURN_NOT_OK(store.Sync(staged));
  }
  return arrow::Status::OK();
}

arrow::Status Ledger::Sweep(const StreamIdentity& identity) const {
  ARROW_RETURN_NOT_OK(RollForward());
  ARROW_ASSIGN_OR_RAISE(const std::string chain, ChainFolder(identity));
  ARROW_ASSIGN_OR_RAISE(auto entries, target_.store->List(chain, false));
  for (const auto& entry : entries) {
    std::string name(BaseName(entry.path));
    if (!name.ends_with(kOpenSuffix)) continue;
    name.resize(name.size() - kOpenSuffix.size());
    ARROW_RETURN_NOT_OK(RemoveStaged(name));
    ARROW_RETURN_NOT_OK(target_.store->Remove(entry.path));
  }
  return arrow::Status::OK();
}

arrow::Result<TargetFiles> Ledger::Files() const {
  Store& store = *target_.store;
  ARROW_ASSIGN_OR_RAISE(const auto unfinished, Unfinished());
  TargetFiles files;
  // Where each file will be, by its final path.
  std::map<std::string, std::string> at;
  if (target_.is_folder) {
    ARROW_ASSIGN_OR_RAISE(const auto paths,
                          FolderFiles(store, target_.path, target_.options.format));
    for (const auto& path : paths) at[path] = path;
  } else {
    ARROW_ASSIGN_OR_RAISE(const auto entry, store.Stat(target_.path));
    if (entry) at[target_.path] = target_.path;
  }
  const std::string base = target_.base();
  for (const auto& row : unfinished) {
    for (const auto& path : row.removes) at.erase(JoinPath(base, path));
    for (const auto& [from, to] : row.moves) {
      const std::string staged = At(base, from);
      ARROW_ASSIGN_OR_RAISE(const auto entry, store.Stat(staged));
      if (!entry) continue;
      if (!entry->is_folder) {
        at[JoinPath(base, to)] = staged;
        continue;
      }
      ARROW_ASSIGN_OR_RAISE(auto parts, store.List(staged, false));
      for (const auto& part : parts) {
        at[JoinPath(JoinPath(base, to), BaseName(part.path))] = part.path;
      }
    }
  }
  std::vector<std::pair<std::string, int64_t>> sizes;
  for (const auto& [final_path, path] : at) {
    ARROW_ASSIGN_OR_RAISE(const auto entry, store.Stat(path));
    if (!entry) continue;
    files.paths.push_back(path);
    files.bytes += entry->size;
    sizes.emplace_back(final_path.substr(base.size()), entry->size);
    if (!target_.is_folder) files.ident = FileIdent(store, entry->size, entry->mtime_ns);
  }
  if (target_.is_folder && !sizes.empty()) files.ident = FolderIdent(std::move(sizes));
  return files;
}

}  // namespace dxt::file
