#include "engine/stage/package_store.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "engine/stage/manifest.h"
#include "engine/stage/package_writer.h"
#include "engine/stage/segment.h"
#include "engine/stage/segment_file.h"

namespace dxt {
namespace {

namespace fs = std::filesystem;

constexpr char kOwnerFile[] = "owner.lock";
constexpr char kLoadedFile[] = "loaded";
constexpr char kStoreLock[] = ".lock";
constexpr char kCorruptSuffix[] = ".corrupt";

/// One path component that any name can have: unsafe bytes become %XX.
std::string Encoded(std::string_view name) {
  std::string text;
  for (const char c : name) {
    const bool safe = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                      (c >= 'a' && c <= 'z') || c == '_' || c == '-' ||
                      (c == '.' && !text.empty());
    if (safe) {
      text += c;
    } else {
      constexpr char kHex[] = "0123456789ABCDEF";
      text += '%';
      text += kHex[static_cast<unsigned char>(c) >> 4];
      text += kHex[static_cast<unsigned char>(c) & 15];
    }
  }
  return text;
}

std::string Decoded(std::string_view text) {
  std::string name;
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'A' + 10; };
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      name += static_cast<char>(digit(text[i + 1]) << 4 | digit(text[i + 2]));
      i += 2;
    } else {
      name += text[i];
    }
  }
  return name;
}

arrow::Status MakeFolders(const fs::path& folder) {
  fs::path made;
  for (const auto& part : folder) {
    made /= part;
    if (mkdir(made.c_str(), 0700) != 0 && errno != EEXIST && errno != EISDIR) {
      const int error = errno;
      // A parent that exists may stand where we could not have made it.
      std::error_code ignored;
      if (!fs::is_directory(made, ignored)) return FileError("create", made, error);
    }
  }
  return arrow::Status::OK();
}

/// The lock under which folders come and go.
arrow::Result<std::unique_ptr<FileLock>> LockStore(const fs::path& root) {
  ARROW_RETURN_NOT_OK(MakeFolders(root));
  return FileLock::Make(root / kStoreLock, /*wait=*/true);
}

arrow::Status RemoveFolder(const fs::path& folder) {
  std::error_code error;
  // Without its manifest a half-removed package is an abandoned one, and stays one
  // whatever a loss of power gives back.
  if (fs::remove(folder / kManifestFile, error)) {
    ARROW_RETURN_NOT_OK(SyncFolder(folder));
  }
  fs::remove_all(folder, error);
  if (error) return FileError("remove", folder, error.value());
  return arrow::Status::OK();
}

void RemoveEmptyParents(const fs::path& root, fs::path folder) {
  for (folder = folder.parent_path(); folder != root && folder.has_relative_path();
       folder = folder.parent_path()) {
    if (rmdir(folder.c_str()) != 0) return;
  }
}

bool Exists(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// Names of the folders in `folder`, sorted; none when it does not exist.
arrow::Result<std::vector<std::string>> FoldersIn(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  if (error == std::errc::no_such_file_or_directory) return names;
  if (error) return FileError("list", folder, error.value());
  for (; entries != fs::directory_iterator(); entries.increment(error)) {
    std::error_code gone;
    if (entries->is_directory(gone)) names.push_back(entries->path().filename().string());
    if (error) return FileError("list", folder, error.value());
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// True when the writer of an unsealed folder lives.
arrow::Result<bool> HasOwner(const fs::path& folder) {
  if (!Exists(folder / kOwnerFile)) return false;
  ARROW_ASSIGN_OR_RAISE(auto lock, FileLock::Make(folder / kOwnerFile, /*wait=*/false));
  return lock == nullptr;
}

arrow::Result<PackageInfo> InfoOf(const fs::path& folder, std::string pipeline,
                                  std::string stream) {
  PackageInfo info;
  info.pipeline = std::move(pipeline);
  info.stream = std::move(stream);
  info.folder = folder;
  info.load_id = folder.filename().string();
  if (info.load_id.ends_with(kCorruptSuffix)) {
    info.load_id.resize(info.load_id.size() - sizeof kCorruptSuffix + 1);
    info.state = PackageState::kCorrupt;
    return info;
  }
  if (!Exists(folder / kManifestFile)) {
    ARROW_ASSIGN_OR_RAISE(const bool owned, HasOwner(folder));
    info.state = owned ? PackageState::kWriting : PackageState::kAbandoned;
    return info;
  }
  ARROW_ASSIGN_OR_RAISE(const auto text, ReadFile(folder / kManifestFile));
  auto manifest = ManifestFromJson(text, folder);
  if (!manifest.ok()) {
    info.state = PackageState::kCorrupt;
    return info;
  }
  info.manifest = std::move(*manifest);
  info.state =
      Exists(folder / kLoadedFile) ? PackageState::kLoaded : PackageState::kPending;
  return info;
}

arrow::Status Busy(const fs::path& folder) {
  return MakeError(ErrorClass::kTransient, "buffer.busy",
                   "The package " + folder.string() + " is being written by another run",
                   "Wait until that run has ended");
}

}  // namespace

std::string_view PackageStateName(PackageState state) {
  switch (state) {
    case PackageState::kWriting:
      return "writing";
    case PackageState::kAbandoned:
      return "abandoned";
    case PackageState::kPending:
      return "pending";
    case PackageState::kLoaded:
      return "loaded";
    case PackageState::kCorrupt:
      return "corrupt";
  }
  return "corrupt";
}

PackageStore::PackageStore(fs::path root, Clock& clock)
    : root_(std::move(root)), clock_(clock) {}

fs::path PackageStore::StreamFolder(std::string_view pipeline,
                                    std::string_view stream) const {
  fs::path folder = root_;
  // "<project>/<pipeline>": the parts are folders of their own.
  for (size_t from = 0; from <= pipeline.size();) {
    const size_t slash = std::min(pipeline.find('/', from), pipeline.size());
    folder /= Encoded(pipeline.substr(from, slash - from));
    from = slash + 1;
  }
  return folder / Encoded(stream);
}

arrow::Result<std::unique_ptr<PackageWriter>> PackageStore::Create(
    const PackageSpec& spec) const {
  ARROW_RETURN_NOT_OK(SegmentExtension(spec.format, spec.compression));
  const fs::path streams = StreamFolder(spec.identity.pipeline, spec.identity.stream);
  const fs::path folder = streams / spec.load_id;
  ARROW_ASSIGN_OR_RAISE(const auto store_lock, LockStore(root_));
  if (Exists(folder / kManifestFile)) {
    return MakeError(ErrorClass::kConfig, "buffer.exists",
                     "The package " + folder.string() + " is sealed already");
  }
  if (Exists(folder)) {
    ARROW_ASSIGN_OR_RAISE(const bool owned, HasOwner(folder));
    if (owned) return Busy(folder);
    ARROW_RETURN_NOT_OK(RemoveFolder(folder));
  }
  ARROW_RETURN_NOT_OK(MakeFolders(folder));
  // Only a listing that probes it can hold it, for a moment.
  ARROW_ASSIGN_OR_RAISE(auto owner, FileLock::Make(folder / kOwnerFile, /*wait=*/true));
  const auto forget = [root = root_, folder] {
    const auto lock = LockStore(root);
    // Without the lock, at worst an empty folder stays behind.
    if (RemoveFolder(folder).ok() && lock.ok()) RemoveEmptyParents(root, folder);
  };
  return MakePackageWriter(spec, folder, std::move(owner), clock_, forget);
}

arrow::Result<std::vector<PackageInfo>> PackageStore::List(
    std::string_view pipeline, std::string_view stream) const {
  std::vector<PackageInfo> packages;
  ARROW_ASSIGN_OR_RAISE(const auto projects, FoldersIn(root_));
  for (const auto& project : projects) {
    ARROW_ASSIGN_OR_RAISE(const auto pipelines, FoldersIn(root_ / project));
    for (const auto& name : pipelines) {
      const std::string full = Decoded(project) + "/" + Decoded(name);
      if (!pipeline.empty() && pipeline != full) continue;
      ARROW_ASSIGN_OR_RAISE(const auto streams, FoldersIn(root_ / project / name));
      for (const auto& encoded : streams) {
        if (!stream.empty() && stream != Decoded(encoded)) continue;
        const fs::path folder = root_ / project / name / encoded;
        ARROW_ASSIGN_OR_RAISE(const auto loads, FoldersIn(folder));
        for (const auto& load : loads) {
          ARROW_ASSIGN_OR_RAISE(auto info, InfoOf(folder / load, full, Decoded(encoded)));
          packages.push_back(std::move(info));
        }
      }
    }
  }
  return packages;
}

arrow::Result<std::vector<PackageManifest>> PackageStore::Pending(
    const StreamIdentity& identity) const {
  std::vector<PackageManifest> pending;
  const fs::path streams = StreamFolder(identity.pipeline, identity.stream);
  ARROW_ASSIGN_OR_RAISE(const auto loads, FoldersIn(streams));
  for (const auto& load : loads) {
    const fs::path folder = streams / load;
    if (load.ends_with(kCorruptSuffix) || !Exists(folder / kManifestFile) ||
        Exists(folder / kLoadedFile)) {
      continue;
    }
    ARROW_ASSIGN_OR_RAISE(const auto text, ReadFile(folder / kManifestFile));
    ARROW_ASSIGN_OR_RAISE(auto manifest, ManifestFromJson(text, folder));
    if (manifest.spec.identity.lane == identity.lane)
      pending.push_back(std::move(manifest));
  }
  return pending;
}

arrow::Result<std::optional<PackageManifest>> PackageStore::Newest(
    const StreamIdentity& identity) const {
  ARROW_ASSIGN_OR_RAISE(auto packages, List(identity.pipeline, identity.stream));
  for (auto package = packages.rbegin(); package != packages.rend(); ++package) {
    if (package->manifest && package->manifest->spec.identity.lane == identity.lane) {
      return std::move(package->manifest);
    }
  }
  return std::nullopt;
}

arrow::Result<PackageManifest> PackageStore::Find(const StreamIdentity& identity,
                                                  std::string_view load_id) const {
  const fs::path folder =
      StreamFolder(identity.pipeline, identity.stream) / Encoded(load_id);
  if (!Exists(folder)) {
    return MakeError(
        ErrorClass::kConfig, "buffer.not_found",
        "Stream '" + identity.stream + "' has no package " + std::string(load_id),
        "dxtctl packages list shows them");
  }
  if (!Exists(folder / kManifestFile)) {
    return MakeError(ErrorClass::kConfig, "buffer.not_sealed",
                     "The package " + folder.string() +
                         " is not complete, so it cannot be "
                         "read");
  }
  ARROW_ASSIGN_OR_RAISE(const auto text, ReadFile(folder / kManifestFile));
  return ManifestFromJson(text, folder);
}

arrow::Status PackageStore::Verify(const PackageManifest& package) const {
  for (const auto& segment : package.segments) {
    const fs::path path = package.folder / segment.file;
    std::string why;
    if (!Exists(path)) {
      why = segment.file + " is missing";
    } else {
      ARROW_ASSIGN_OR_RAISE(const std::string digest, DigestFile(path));
      if (std::string_view(digest) != segment.sha256)
        why = segment.file + " was changed after it was written";
    }
    if (why.empty()) continue;
    fs::path aside = package.folder;
    aside += kCorruptSuffix;
    if (rename(package.folder.c_str(), aside.c_str()) != 0 && errno != ENOENT) {
      return FileError("rename", package.folder, errno);
    }
    return CorruptPackage(
        package, why, "It was set aside and is never loaded; the next run reads again");
  }
  return arrow::Status::OK();
}

arrow::Result<std::unique_ptr<PackageReader>> PackageStore::Open(
    const PackageManifest& package, int64_t batch_rows, bool verify) const {
  if (!Exists(package.folder / kManifestFile)) {
    return MakeError(ErrorClass::kConfig, "buffer.not_sealed",
                     "The package " + package.folder.string() +
                         " is not sealed, so it cannot be read");
  }
  if (verify) ARROW_RETURN_NOT_OK(Verify(package));
  return MakePackageReader(package, batch_rows);
}

arrow::Status PackageStore::Release(const PackageManifest& package, bool keep) const {
  if (keep) {
    return WriteFileAtomically(package.folder / kLoadedFile,
                               FormatTime(clock_.Now()) + "\n");
  }
  ARROW_ASSIGN_OR_RAISE(const auto lock, LockStore(root_));
  ARROW_RETURN_NOT_OK(RemoveFolder(package.folder));
  RemoveEmptyParents(root_, package.folder);
  return arrow::Status::OK();
}

arrow::Status PackageStore::Drop(const PackageInfo& package) const {
  ARROW_ASSIGN_OR_RAISE(const auto lock, LockStore(root_));
  if (!Exists(package.folder / kManifestFile)) {
    ARROW_ASSIGN_OR_RAISE(const bool owned, HasOwner(package.folder));
    if (owned) return Busy(package.folder);
  }
  ARROW_RETURN_NOT_OK(RemoveFolder(package.folder));
  RemoveEmptyParents(root_, package.folder);
  return arrow::Status::OK();
}

arrow::Result<int> PackageStore::Sweep(const StreamIdentity& identity) const {
  const fs::path streams = StreamFolder(identity.pipeline, identity.stream);
  if (!Exists(streams)) return 0;
  ARROW_ASSIGN_OR_RAISE(const auto lock, LockStore(root_));
  ARROW_ASSIGN_OR_RAISE(const auto loads, FoldersIn(streams));
  int removed = 0;
  for (const auto& load : loads) {
    const fs::path folder = streams / load;
    if (load.ends_with(kCorruptSuffix) || Exists(folder / kManifestFile)) continue;
    ARROW_ASSIGN_OR_RAISE(const bool owned, HasOwner(folder));
    if (owned) continue;
    ARROW_RETURN_NOT_OK(RemoveFolder(folder));
    RemoveEmptyParents(root_, folder);
    ++removed;
  }
  return removed;
}

}  // namespace dxt
