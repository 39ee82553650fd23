#include "connectors/file/target.h"

#include <algorithm>

#include "base/error.h"
#include "base/fnv1a.h"
#include "connectors/file/store.h"

namespace dxt::file {

std::string Target::base() const {
  return is_folder ? path : std::string(ParentPath(path));
}

std::string Target::ledger() const {
  const std::string folder = JoinPath(base(), "_dxt");
  return is_folder ? folder : JoinPath(folder, BaseName(path));
}

std::string Target::Staging(std::string_view load_id, bool replace) const {
  const std::string suffix = "." + std::string(load_id) + ".tmp";
  if (is_folder && !replace) return JoinPath(path, ".load" + suffix);
  return JoinPath(ParentPath(path), "." + std::string(BaseName(path)) + suffix);
}

std::string FileIdent(const Store& store, int64_t size, int64_t mtime_ns) {
  // A bucket gives a copied object a time of its own.
  if (!store.is_local()) return std::to_string(size);
  return std::to_string(size) + ":" + std::to_string(mtime_ns);
}

std::string FolderIdent(std::vector<std::pair<std::string, int64_t>> files) {
  std::sort(files.begin(), files.end());
  uint64_t hash = kFnv1aBasis;
  for (const auto& [name, size] : files) {
    hash = Fnv1a(name + "\n" + std::to_string(size) + "\n", hash);
  }
  return std::to_string(files.size()) + ":" + std::to_string(hash);
}

arrow::Result<Target> ResolveTarget(const Location& location, std::string_view reference,
                                    const ConfigValue* stream_options) {
  Target target;
  target.store = location.store;
  ARROW_ASSIGN_OR_RAISE(target.path, location.Resolve(reference));
  if (HasGlob(location.only_file)) {
    return MakeError(ErrorClass::kConfig, "file.glob_target",
                     "'" + location.store->Show(target.path) +
                         "' is a pattern, and a target needs a name");
  }
  ARROW_ASSIGN_OR_RAISE(const auto format,
                        FormatOption(&location.options, stream_options));
  // What is written takes the place of the file behind a link, not of the link.
  std::string named = target.path;
  ARROW_ASSIGN_OR_RAISE(target.path, location.store->FollowLink(target.path));
  ARROW_ASSIGN_OR_RAISE(const auto entry, location.store->Stat(target.path));
  const NameFormat name = FormatOfName(named);
  if (entry) {
    target.is_folder = entry->is_folder;
  } else {
    target.is_folder =
        reference.ends_with('/') || reference.empty() || !name.has_extension;
    if (!location.only_file.empty()) target.is_folder = false;
  }
  if (target.is_folder) {
    // The format of what is there already, else Parquet.
    std::vector<std::string> files;
    if (!format) {
      ARROW_ASSIGN_OR_RAISE(files, FolderFiles(*target.store, target.path, std::nullopt));
    }
    named = files.empty()
                ? "part." + std::string(format ? FormatName(*format) : "parquet")
                : std::string(BaseName(files.front()));
  }
  auto options = ResolveFormat(named, &location.options, stream_options);
  if (!options.ok()) {
    ErrorInfo more;
    more.hint = "End the target with / for a folder";
    return Annotate(options.status(), more);
  }
  target.options = std::move(*options);
  // What is written into a folder is named after what it holds.
  if (target.is_folder) target.options.compression_given = false;
  return target;
}

}  // namespace dxt::file
