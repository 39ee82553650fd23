#include "connectors/file/root.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "connectors/file/store.h"

namespace dxt::file {
namespace {

/// Closes without touching errno.
class Handle {
 public:
  explicit Handle(int fd) : fd_(fd) {}
  ~Handle() {
    const int error = errno;
    if (fd_ >= 0) close(fd_);
    errno = error;
  }
  Handle(Handle&& other) noexcept : fd_(other.Release()) {}
  Handle& operator=(Handle&&) = delete;
  int get() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

constexpr int kMostLinks = 40;  // As Linux follows.

int Fail(int error) {
  errno = error;
  return -1;
}

/// The text of a symbolic link; nullopt when there is none of that name.
std::optional<std::string> LinkText(int folder, const std::string& name) {
  constexpr size_t kMostText = 4096;
  std::string text(kMostText, '\0');
  const ssize_t size = readlinkat(folder, name.c_str(), text.data(), text.size());
  if (size < 0) return std::nullopt;
  text.resize(static_cast<size_t>(size));
  return text;
}

/// Whether what was opened without following links, or could not be, is one: it came
/// there after it was looked for. Keeps errno.
bool FoundLink(int opened, int folder, const std::string& name) {
  const int error = errno;
  struct stat info{};
  const bool found = opened >= 0
                         ? fstat(opened, &info) == 0 && S_ISLNK(info.st_mode)
                         : (error == ELOOP || error == ENOTDIR) && LinkText(folder, name);
  errno = error;
  return found;
}

/// Puts the parts of a path on a stack, the first one on top.
void PushParts(std::string_view path, std::vector<std::string>* parts) {
  for (size_t end = path.size(); end > 0;) {
    const size_t slash = path.rfind('/', end - 1);
    const size_t begin = slash == std::string_view::npos ? 0 : slash + 1;
    const auto part = path.substr(begin, end - begin);
    if (!part.empty() && part != ".") parts->emplace_back(part);
    end = begin == 0 ? 0 : begin - 1;
  }
}

/// open(2) below a folder, a part at a time, each in the folder that the last one opened:
/// whatever is renamed or linked meanwhile, it ends inside. openat2 would be one call,
/// but what restricts services answers it with ENOSYS.
int OpenBeneath(int folder, const std::string& below, int flags, mode_t mode) {
  const bool follows = (flags & (O_NOFOLLOW | O_EXCL)) == 0;
  std::vector<std::string> parts;
  PushParts(below, &parts);
  std::vector<Handle> inside;
  for (int links = 0; links < kMostLinks;) {
    const int here = inside.empty() ? folder : inside.back().get();
    const std::string part = parts.empty() ? "." : parts.back();
    if (!parts.empty()) parts.pop_back();
    if (part == "..") {
      if (inside.empty()) return Fail(EXDEV);
      inside.pop_back();
      continue;
    }
    const bool last = parts.empty();
    if (!last || follows) {
      if (const auto link = LinkText(here, part)) {
        if (link->starts_with('/')) return Fail(EXDEV);
        PushParts(*link, &parts);
        ++links;
        continue;
      }
    }
    Handle opened(openat(here, part.c_str(),
                         (last ? flags : O_PATH | O_DIRECTORY) | O_NOFOLLOW | O_CLOEXEC,
                         mode));
    if ((!last || follows) && FoundLink(opened.get(), here, part)) {
      parts.push_back(part);
      ++links;
      continue;
    }
    if (last) return opened.Release();
    if (opened.get() < 0) return -1;
    inside.push_back(std::move(opened));
  }
  return Fail(ELOOP);
}

/// Where an open folder lies now; "" when that cannot be told.
std::string RealPath(int folder) {
  std::error_code error;
  const auto path =
      std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(folder), error);
  return error ? "" : path.string();
}

int RemoveEntry(int folder, const std::string& name, int depth) {
  constexpr int kMaxDepth = 100;
  struct stat info{};
  if (fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT ? 0 : -1;
  if (!S_ISDIR(info.st_mode)) {
    const int removed = unlinkat(folder, name.c_str(), 0);
    return removed == 0 || errno == ENOENT ? 0 : -1;
  }
  if (depth == kMaxDepth) return Fail(ELOOP);
  Handle inner(
      openat(folder, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (inner.get() < 0) return errno == ENOENT ? 0 : -1;
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(fdopendir(inner.get()), closedir);
  if (!entries) return -1;
  const int inside = inner.Release();
  while (const dirent* entry = readdir(entries.get())) {
    const std::string_view found = entry->d_name;
    if (found == "." || found == "..") continue;
    if (RemoveEntry(inside, std::string(found), depth + 1) != 0) return -1;
  }
  const int removed = unlinkat(folder, name.c_str(), AT_REMOVEDIR);
  return removed == 0 || errno == ENOENT ? 0 : -1;
}

}  // namespace

Root Root::Make(const std::string& folder) {
  Root root;
  root.folder_ = folder;
  if (folder.empty()) return root;
  std::error_code error;
  root.real_ = std::filesystem::weakly_canonical(folder, error).string();
  if (error) root.real_ = folder;
  return root;
}

bool Root::Split(const std::string& path, std::string* base, std::string* below) const {
  const auto within = [&](std::string_view folder) {
    if (path.compare(0, folder.size(), folder) != 0) return false;
    if (path.size() > folder.size() && path[folder.size()] != '/' && folder != "/")
      return false;
    *base = folder;
    *below = path.substr(std::min(path.size(), folder.size() + (folder != "/")));
    return true;
  };
  for (const auto& folder : {folder_, real_}) {
    if (within(folder)) return true;
    // What is staged beside the folder, to be exchanged with it.
    const std::string staged =
        JoinPath(ParentPath(folder), "." + std::string(BaseName(folder)) + ".");
    if (path.compare(0, staged.size(), staged) == 0)
      return within(std::string_view(path).substr(0, path.find('/', staged.size())));
  }
  return false;
}

bool Root::IsAbove(const std::string& path) const {
  const std::string within = path + "/";
  return folder_.starts_with(within) || real_.starts_with(within);
}

int Root::Open(const std::string& path, int flags, mode_t mode) const {
  // A folder above may be looked at: it is part of the folder's own path.
  if (anywhere() || ((flags & O_PATH) != 0 && IsAbove(path)))
    return open(path.c_str(), flags | O_CLOEXEC, mode);
  std::string base, below;
  if (!Split(path, &base, &below)) return Fail(EXDEV);
  // The folder's own path is trusted; what is staged beside it is no link.
  const int links = O_CLOEXEC | (IsOwn(base) ? 0 : O_NOFOLLOW);
  if (below.empty()) return open(base.c_str(), flags | links, mode);
  const Handle folder(open(base.c_str(), O_PATH | O_DIRECTORY | links));
  if (folder.get() < 0) return -1;
  return OpenBeneath(folder.get(), below, flags, mode);
}

bool Root::IsOutermost(const std::string& path) const {
  // The folder itself, and what is staged beside it, are names in the folder above.
  std::string base, below;
  return anywhere() || IsAbove(path) || (Split(path, &base, &below) && below.empty());
}

int Root::OpenParent(const std::string& path, std::string* name) const {
  *name = BaseName(path);
  const std::string parent(ParentPath(path));
  if (name->empty() || *name == "." || *name == "..") return Fail(EINVAL);
  if (IsOutermost(path)) return open(parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  return Open(parent, O_PATH | O_DIRECTORY);
}

int Root::MakeFolders(const std::string& path) const {
  std::string base, below;
  if (!anywhere() && !Split(path, &base, &below)) return Fail(EXDEV);
  std::error_code error;
  std::filesystem::create_directories(anywhere() ? path : base, error);
  if (error) {
    errno = error.value();
    return -1;
  }
  for (size_t end = below.find('/'); !below.empty(); end = below.find('/', end + 1)) {
    const std::string folder = JoinPath(base, below.substr(0, end));
    const Handle there(Open(folder, O_PATH | O_DIRECTORY));
    if (there.get() < 0) {
      if (errno != ENOENT) return -1;
      std::string name;
      const Handle parent(OpenParent(folder, &name));
      if (parent.get() < 0) return -1;
      if (mkdirat(parent.get(), name.c_str(), 0777) != 0 && errno != EEXIST) return -1;
    }
    if (end == std::string::npos) break;
  }
  return 0;
}

int Root::MakeParent(const std::string& path) const {
  const std::string parent(ParentPath(path));
  if (!IsOutermost(path)) return MakeFolders(parent);
  std::error_code error;
  std::filesystem::create_directories(parent, error);
  errno = error.value();
  return error ? -1 : 0;
}

int Root::Remove(const std::string& path) const {
  std::string name;
  const Handle parent(OpenParent(path, &name));
  if (parent.get() < 0) return errno == ENOENT ? 0 : -1;
  return RemoveEntry(parent.get(), name, 0);
}

int Root::FollowLink(std::string* path) const {
  for (int i = 0; i < kMostLinks; ++i) {
    if (!anywhere() && IsOwn(*path)) {
      *path = real_;
      return 0;
    }
    std::string name;
    const Handle parent(OpenParent(*path, &name));
    if (parent.get() < 0) return errno == ENOENT ? 0 : -1;
    const auto text = LinkText(parent.get(), name);
    if (!text) return 0;  // No link, or nothing there yet.
    const std::string& link = *text;
    if (link.starts_with('/') && !anywhere()) {
      return Fail(EXDEV);
    }
    const std::string to =
        link.starts_with('/') ? link : JoinPath(ParentPath(*path), link);
    // Folders on the way may be links too, so that `..` is not the part before it.
    const Handle folder(Open(std::string(ParentPath(to)), O_PATH | O_DIRECTORY));
    if (folder.get() < 0) return -1;
    *path = JoinPath(RealPath(folder.get()), BaseName(to));
  }
  return Fail(ELOOP);
}

}  // namespace dxt::file
