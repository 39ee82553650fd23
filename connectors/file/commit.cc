#include "connectors/file/commit.h"

#include <algorithm>

#include "base/error.h"
#include "connectors/file/store.h"

namespace dxt::file {
namespace {

/// From here on an error leaves open whether the row was written.
arrow::Status Unknown(const arrow::Status& status) {
  if (status.ok()) return status;
  ErrorInfo info = GetErrorInfo(status);
  info.outcome_unknown = true;
  return MakeError(std::move(info), status.message());
}

arrow::Status Record(const Ledger& ledger, const LedgerRow& row) {
  auto made = ledger.Insert(row);
  if (!made.ok()) return Unknown(made.status());
  if (!*made) {
    return MakeError(ErrorClass::kFenced, "file.fenced",
                     "Another run has written window " +
                         std::to_string(row.record.window_seq) + " of stream '" +
                         row.identity.stream + "'");
  }
  return Unknown(ledger.Apply(row));
}

/// Parts are moved after the row: one by one, or as the folder they make up.
arrow::Status MoveParts(const Target& target, const Ledger& ledger,
                        const std::vector<std::pair<std::string, std::string>>& moves,
                        LedgerRow* row) {
  const auto relative = [&](const std::string& path) {
    // A replace stages beside the folder.
    return path.starts_with(target.path + "/")
               ? path.substr(target.path.size() + 1)
               : "../" + path.substr(ParentPath(target.path).size() + 1);
  };
  for (const auto& [from, to] : moves) {
    row->moves.emplace_back(relative(from), to);
    // A new part may have the name of an old one; it is moved over it, not removed.
    std::erase(row->removes, to);
  }
  if (moves.size() > 1 && target.store->is_local() && row->removes.empty()) {
    row->moves = {{relative(std::string(ParentPath(moves[0].first))),
                   std::string(ParentPath(moves[0].second))}};
  }
  return Record(ledger, *row);
}

/// A folder is replaced only if all it holds came from a load or could have.
arrow::Status CheckOurs(const Target& target) {
  ARROW_ASSIGN_OR_RAISE(const auto entries, target.store->List(target.path, false));
  for (const auto& entry : entries) {
    const std::string_view name = BaseName(entry.path);
    const bool ours =
        entry.is_folder
            ? name == "_dxt" || name.starts_with("load-") || name[0] == '.'
            : name[0] == '.' || FormatOfName(name).format == target.options.format;
    if (ours) continue;
    return MakeError(ErrorClass::kConfig, "file.foreign_files",
                     "'" + target.store->Show(target.path) + "' also holds '" +
                         std::string(name) + "', which a replace would remove",
                     "Name a folder that holds nothing else");
  }
  return arrow::Status::OK();
}

/// Makes the new folder whole, ledger included, and exchanges it with the old one: data
/// and row become visible in one step. False where the file system cannot.
arrow::Result<bool> Swap(const Target& target, const Ledger& ledger,
                         const std::vector<std::pair<std::string, std::string>>& moves,
                         const LedgerRow& row) {
  if (!target.store->is_local()) return false;
  Store& store = *target.store;
  const std::string fresh(ParentPath(moves[0].first));
  for (const auto& [from, to] : moves) {
    ARROW_RETURN_NOT_OK(store.Move(from, JoinPath(fresh, to)));
  }
  ARROW_RETURN_NOT_OK(ledger.CopyInto(fresh, row));
  auto swapped = store.Exchange(fresh, target.path);
  if (!swapped.ok()) return Unknown(swapped.status());
  if (!*swapped) {
    ARROW_RETURN_NOT_OK(store.Remove(JoinPath(fresh, "_dxt")));
    for (const auto& [from, to] : moves) {
      ARROW_RETURN_NOT_OK(store.Move(JoinPath(fresh, to), from));
    }
    return false;
  }
  // The old contents now stand where the new ones were made.
  ARROW_RETURN_NOT_OK(Unknown(ledger.Apply(row)));
  return true;
}

arrow::Status CommitFile(const Target& target, const Ledger& ledger,
                         const std::vector<std::string>& paths, bool replace,
                         const TargetFiles& old, LedgerRow* row) {
  const std::string& path = paths.front();
  ARROW_ASSIGN_OR_RAISE(const auto entry, target.store->Stat(path));
  row->record.target_ident = FileIdent(*target.store, entry->size, entry->mtime_ns);
  row->moves = {{std::string(BaseName(path)), std::string(BaseName(target.path))}};
  row->base_ident = replace ? "" : old.ident;
  return Record(ledger, *row);
}

arrow::Status CommitFolder(const Target& target, const Ledger& ledger,
                           const std::vector<std::string>& paths, bool replace,
                           const TargetFiles& old, LedgerRow* row) {
  std::string number = std::to_string(row->record.window_seq);
  number.insert(0, number.size() < 8 ? 8 - number.size() : 0, '0');
  const std::string extension = PartExtension(target.options);
  std::string part = "part-" + number + "." + extension;
  std::string folder = "load-" + number;
  ARROW_ASSIGN_OR_RAISE(const auto part_there,
                        target.store->Stat(JoinPath(target.path, part)));
  ARROW_ASSIGN_OR_RAISE(const auto folder_there,
                        target.store->Stat(JoinPath(target.path, folder)));
  if (!replace && (part_there || folder_there)) {
    // Another pipeline's window of that number.
    part = "part-" + number + "-" + row->record.load_id + "." + extension;
    folder += "-" + row->record.load_id;
  }
  std::vector<std::pair<std::string, std::string>> moves;
  std::vector<std::pair<std::string, int64_t>> sizes;
  for (const auto& path : paths) {
    const std::string to = paths.size() == 1 ? part : JoinPath(folder, BaseName(path));
    ARROW_ASSIGN_OR_RAISE(const auto entry, target.store->Stat(path));
    moves.emplace_back(path, to);
    sizes.emplace_back("/" + to, entry->size);
  }
  if (!replace) {
    for (const auto& path : old.paths) {
      ARROW_ASSIGN_OR_RAISE(const auto entry, target.store->Stat(path));
      sizes.emplace_back(path.substr(target.path.size()), entry->size);
    }
  }
  row->record.target_ident = FolderIdent(std::move(sizes));
  if (replace) {
    ARROW_RETURN_NOT_OK(CheckOurs(target));
    ARROW_ASSIGN_OR_RAISE(const bool swapped, Swap(target, ledger, moves, *row));
    if (swapped) return arrow::Status::OK();
    for (const auto& path : old.paths) {
      row->removes.push_back(path.substr(target.path.size() + 1));
    }
  }
  return MoveParts(target, ledger, moves, row);
}

}  // namespace

arrow::Status CommitStaged(const Target& target, const Ledger& ledger,
                           const std::vector<std::string>& paths, bool replace,
                           const TargetFiles& old, LedgerRow* row) {
  return target.is_folder ? CommitFolder(target, ledger, paths, replace, old, row)
                          : CommitFile(target, ledger, paths, replace, old, row);
}

}  // namespace dxt::file
