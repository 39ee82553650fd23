#include "connectors/sql/made_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <utility>

namespace dxt::sql {
namespace {

// Both SQLite's change counter and DuckDB's headers stand in here.
constexpr size_t kHead = 12288;

/// A write lease: given only while no other descriptor of the file is open anywhere, and
/// an open that comes later waits for its end.
class Lease {
 public:
  explicit Lease(int descriptor) : descriptor_(descriptor) {
    // The signal that tells of a waiting open is SIGIO, which would end the process;
    // this one is ignored.
    held_ = ::fcntl(descriptor_, F_SETSIG, SIGURG) == 0 &&
            ::fcntl(descriptor_, F_SETLEASE, F_WRLCK) == 0;
  }
  ~Lease() {
    if (held_) ::fcntl(descriptor_, F_SETLEASE, F_UNLCK);
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  bool held() const { return held_; }
  /// False once somebody waits to open the file.
  bool Undisturbed() const { return ::fcntl(descriptor_, F_GETLEASE) == F_WRLCK; }

 private:
  int descriptor_;
  bool held_ = false;
};

}  // namespace

MadeFile::Imprint MadeFile::Of(const std::string& path) {
  Imprint imprint;
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0) return imprint;
  imprint.there = true;
  imprint.device = info.st_dev;
  imprint.inode = info.st_ino;
  imprint.links = info.st_nlink;
  imprint.size = info.st_size;
  imprint.changed_s = info.st_mtim.tv_sec;
  imprint.changed_ns = info.st_mtim.tv_nsec;
  return imprint;
}

std::unique_ptr<MadeFile> MadeFile::Look(const std::string& path,
                                         std::vector<std::string> beside) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (descriptor < 0) return nullptr;
  std::unique_ptr<MadeFile> file(new MadeFile(descriptor));
  struct stat info{};
  if (::fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode)) return nullptr;
  file->path_ = path;
  file->main_ = Of(path);
  if (!file->main_.there || file->main_.inode != info.st_ino) return nullptr;
  file->head_ = file->Head();
  for (auto& name : beside) {
    const Imprint imprint = Of(name);
    file->beside_.emplace_back(std::move(name), imprint);
  }
  return file;
}

MadeFile::~MadeFile() { ::close(descriptor_); }

std::string MadeFile::Head() const {
  std::string head(kHead, '\0');
  const ssize_t got = ::pread(descriptor_, head.data(), head.size(), 0);
  head.resize(static_cast<size_t>(std::max<ssize_t>(got, 0)));
  return head;
}

bool MadeFile::HasBeside() const {
  return std::any_of(beside_.begin(), beside_.end(),
                     [](const auto& entry) { return entry.second.there; });
}

std::string MadeFile::AsidePrefix(const std::string& path) {
  const size_t slash = path.rfind('/') + 1;
  return path.substr(0, slash) + "." + path.substr(slash) + ".";
}

std::string MadeFile::AsideName(const std::string& path, const Imprint& imprint) {
  // Who finds it after a crash sees whether somebody has written to it meanwhile.
  return AsidePrefix(path) + std::to_string(imprint.size) + "-" +
         std::to_string(imprint.changed_s) + "-" + std::to_string(imprint.changed_ns) +
         ".dxt-unused";
}

void MadeFile::Sweep(const std::string& path) {
  namespace fs = std::filesystem;
  const fs::path prefix(AsidePrefix(path));
  std::error_code error;
  for (fs::directory_iterator entry(prefix.parent_path(), error), end;
       !error && entry != end; entry.increment(error)) {
    if (!entry->path().filename().string().starts_with(prefix.filename().string()))
      continue;
    const std::string& aside = entry->path().native();
    const auto file = Look(aside, {});
    if (!file || file->main_.links != 1 || AsideName(path, file->main_) != aside)
      continue;
    const Lease lease(file->descriptor_);
    if (lease.held() && Of(aside) == file->main_) ::unlink(aside.c_str());
  }
}

bool MadeFile::Remove() {
  // A second name would keep the file, and lead others to it.
  if (main_.links != 1) return false;
  const Lease lease(descriptor_);
  if (!lease.held() || Of(path_) != main_ || Head() != head_) return false;
  for (const auto& [name, imprint] : beside_) {
    if (Of(name) != imprint) return false;
  }
  if (!lease.Undisturbed()) return false;
  for (const auto& [name, imprint] : beside_) {
    if (imprint.there) ::unlink(name.c_str());
  }
  const std::string aside = AsideName(path_, main_);
  if (::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, aside.c_str(), RENAME_NOREPLACE) !=
      0) {
    return false;
  }
  // From here on nobody finds the file. Whoever found it before waits for the lease, and
  // gets it back under its name.
  if (!lease.Undisturbed() && ::renameat2(AT_FDCWD, aside.c_str(), AT_FDCWD,
                                          path_.c_str(), RENAME_NOREPLACE) == 0) {
    return false;
  }
  return ::unlink(aside.c_str()) == 0;
}

}  // namespace dxt::sql
