#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <arrow/io/file.h>
#include <arrow/util/io_util.h>

#include "base/error.h"
#include "connectors/file/root.h"
#include "connectors/file/store.h"

namespace dxt::file {
namespace {

/// What a failed system call asks of the user. A full disk is not retried: it stays full.
arrow::Status SystemError(int error, const std::string& what, const std::string& path) {
  ErrorInfo info;
  info.vendor_code = "errno " + std::to_string(error);
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      info.error_class = ErrorClass::kConfig;
      info.code = "file.missing";
      info.hint = "Check the connection's url and the stream's path";
      break;
    case EACCES:
    case EPERM:
    case EROFS:
      info.error_class = ErrorClass::kAuth;
      info.code = "file.permission_denied";
      info.hint = "Give the user of dxtd the right to it";
      break;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      info.error_class = ErrorClass::kTransient;
      info.code = "file.no_space";
      info.hint = "Free some space, then run again; the target is as it was";
      break;
    case EISDIR:
      info.error_class = ErrorClass::kConfig;
      info.code = "file.is_folder";
      break;
    case EXDEV:
      info.error_class = ErrorClass::kConfig;
      info.code = "file.outside";
      info.hint =
          "Links in a connection's folder are relative and stay inside; make a "
          "connection for the folder that this one leads to";
      break;
    default:
      info.error_class = ErrorClass::kTransient;
      info.code = "file.io";
  }
  return MakeError(std::move(info),
                   "Could not " + what + " '" + path + "': " + std::strerror(error));
}

arrow::Status FromArrow(const arrow::Status& status, const std::string& what,
                        const std::string& path) {
  if (status.ok()) return status;
  const int error = arrow::internal::ErrnoFromStatus(status);
  return SystemError(error == 0 ? EIO : error, what, path);
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

/// Writes with write(2); errors keep their errno and name the file.
class LocalOutput final : public arrow::io::OutputStream {
 public:
  LocalOutput(int fd, std::string path) : fd_(fd), path_(std::move(path)) {
    set_mode(arrow::io::FileMode::WRITE);
  }
  ~LocalOutput() override {
    if (fd_ >= 0) close(fd_);
  }

  arrow::Status Write(const void* data, int64_t size) override {
    const char* at = static_cast<const char*>(data);
    while (size > 0) {
      const ssize_t written =
          write(fd_, at, static_cast<size_t>(std::min<int64_t>(size, 1 << 30)));
      if (written < 0) {
        if (errno == EINTR) continue;
        return SystemError(errno, "write", path_);
      }
      at += written;
      size -= written;
      position_ += written;
    }
    return arrow::Status::OK();
  }
  using arrow::io::OutputStream::Write;

  arrow::Status Flush() override { return arrow::Status::OK(); }

  arrow::Status Close() override {
    if (fd_ < 0) return arrow::Status::OK();
    const int synced = fsync(fd_);
    const int error = errno;
    const int closed = close(fd_);
    fd_ = -1;
    if (synced != 0) return SystemError(error, "write", path_);
    if (closed != 0) return SystemError(errno, "write", path_);
    return arrow::Status::OK();
  }

  bool closed() const override { return fd_ < 0; }
  arrow::Result<int64_t> Tell() const override { return position_; }

 private:
  int fd_;
  std::string path_;
  int64_t position_ = 0;
};

class FolderLock final : public StoreLock {
 public:
  explicit FolderLock(int fd) : fd_(fd) {}

 private:
  Descriptor fd_;  // Closing it gives the flock up.
};

Entry EntryOf(std::string path, const struct stat& info) {
  Entry entry;
  entry.path = std::move(path);
  entry.is_folder = S_ISDIR(info.st_mode);
  entry.size = entry.is_folder ? 0 : info.st_size;
  entry.mtime_ns = info.st_mtim.tv_sec * 1'000'000'000LL + info.st_mtim.tv_nsec;
  return entry;
}

class LocalStore final : public Store {
 public:
  explicit LocalStore(const std::string& root) : root_(Root::Make(root)) {}

  bool is_local() const override { return true; }
  std::string Show(std::string_view path) const override { return std::string(path); }

  arrow::Result<std::optional<Entry>> Stat(const std::string& path) override {
    const Descriptor fd(root_.Open(path, O_PATH));
    struct stat info{};
    if (fd.get() < 0 || fstat(fd.get(), &info) != 0) {
      if (errno == ENOENT || errno == ENOTDIR) return std::optional<Entry>();
      return SystemError(errno, "look at", path);
    }
    return std::optional<Entry>(EntryOf(path, info));
  }

  arrow::Result<std::vector<Entry>> List(const std::string& folder,
                                         bool recursive) override {
    std::vector<Entry> entries;
    ARROW_RETURN_NOT_OK(ListInto(folder, recursive, 0, &entries));
    std::sort(entries.begin(), entries.end(),
              [](const Entry& a, const Entry& b) { return a.path < b.path; });
    return entries;
  }

  arrow::Result<std::shared_ptr<arrow::io::InputStream>> OpenInput(
      const std::string& path) override {
    ARROW_ASSIGN_OR_RAISE(auto file, OpenRandom(path));
    return std::shared_ptr<arrow::io::InputStream>(std::move(file));
  }

  arrow::Result<std::shared_ptr<arrow::io::RandomAccessFile>> OpenRandom(
      const std::string& path) override {
    const int fd = root_.Open(path, O_RDONLY);
    if (fd < 0) return SystemError(errno, "open", path);
    struct stat info{};
    if (fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) {
      close(fd);
      return SystemError(EISDIR, "open", path);
    }
    auto file = arrow::io::ReadableFile::Open(fd);
    if (!file.ok()) return FromArrow(file.status(), "open", path);
    return std::shared_ptr<arrow::io::RandomAccessFile>(std::move(*file));
  }

  arrow::Result<std::shared_ptr<arrow::io::OutputStream>> OpenOutput(
      const std::string& path) override {
    ARROW_RETURN_NOT_OK(MakeParent(path));
    const int fd = root_.Open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd < 0) return SystemError(errno, "make", path);
    return std::make_shared<LocalOutput>(fd, path);
  }

  arrow::Status Sync(const std::string& path) override {
    // LocalOutput::Close has synced the bytes; the name is synced here.
    return SyncParent(path);
  }

  arrow::Status Move(const std::string& from, const std::string& to) override {
    ARROW_RETURN_NOT_OK(MakeParent(to));
    ARROW_ASSIGN_OR_RAISE(const int moved, RenameEntry(from, to, 0));
    // Another file system is no place outside.
    if (moved != 0) return SystemError(moved == EXDEV ? EIO : moved, "rename", from);
    return SyncParent(to);
  }

  arrow::Result<bool> Exchange(const std::string& a, const std::string& b) override {
    ARROW_ASSIGN_OR_RAISE(const int exchanged, RenameEntry(a, b, RENAME_EXCHANGE));
    if (exchanged == EINVAL || exchanged == ENOSYS) return false;
    if (exchanged != 0) return SystemError(exchanged, "exchange", b);
    ARROW_RETURN_NOT_OK(SyncParent(b));
    return true;
  }

  arrow::Status Remove(const std::string& path) override {
    if (root_.Remove(path) != 0) return SystemError(errno, "remove", path);
    return arrow::Status::OK();
  }

  void RemoveEmpty(const std::string& folder) override {
    std::string name;
    const Descriptor parent(root_.OpenParent(folder, &name));
    if (parent.get() >= 0 && unlinkat(parent.get(), name.c_str(), AT_REMOVEDIR) == 0) {
      ARROW_UNUSED(SyncParent(folder));
    }
  }

  arrow::Result<std::string> FollowLink(const std::string& path) override {
    std::string real = path;
    if (root_.FollowLink(&real) != 0) return SystemError(errno, "follow the link", path);
    return real;
  }

  arrow::Result<bool> Put(const std::string& path, std::string_view bytes,
                          bool replace) override {
    // Written beside it and linked, so that whoever sees the name sees all of it.
    const std::string folder(ParentPath(path));
    const std::string temporary = JoinPath(
        folder, "." + std::string(BaseName(path)) + "." + std::to_string(getpid()) + "." +
                    std::to_string(gettid()) + ".tmp");
    {
      ARROW_ASSIGN_OR_RAISE(auto output, OpenOutput(temporary));
      const arrow::Status written =
          output->Write(bytes.data(), static_cast<int64_t>(bytes.size()));
      const arrow::Status closed = written.ok() ? output->Close() : written;
      if (!closed.ok()) {
        ARROW_UNUSED(Remove(temporary));
        return closed;
      }
    }
    if (replace) {
      ARROW_RETURN_NOT_OK(Move(temporary, path));
      return true;
    }
    std::string from, to;
    const Descriptor parent(root_.OpenParent(temporary, &from));
    to = BaseName(path);
    const int linked = linkat(parent.get(), from.c_str(), parent.get(), to.c_str(), 0);
    const int error = errno;
    unlinkat(parent.get(), from.c_str(), 0);
    if (linked != 0) {
      if (error == EEXIST) return false;
      return SystemError(error, "make", path);
    }
    ARROW_RETURN_NOT_OK(SyncParent(path));
    return true;
  }

  arrow::Status Touch(const std::string& path) override {
    ARROW_RETURN_NOT_OK(MakeParent(path));
    const Descriptor fd(root_.Open(path, O_WRONLY | O_CREAT, 0666));
    if (fd.get() < 0) return SystemError(errno, "make", path);
    return SyncParent(path);
  }

  arrow::Result<std::string> Get(const std::string& path) override {
    ARROW_ASSIGN_OR_RAISE(auto file, OpenRandom(path));
    const auto read = [&]() -> arrow::Result<std::string> {
      ARROW_ASSIGN_OR_RAISE(const int64_t size, file->GetSize());
      std::string bytes(static_cast<size_t>(size), '\0');
      ARROW_ASSIGN_OR_RAISE(const int64_t got, file->Read(size, bytes.data()));
      bytes.resize(static_cast<size_t>(got));
      return bytes;
    }();
    if (!read.ok()) return FromArrow(read.status(), "read", path);
    return read;
  }

  arrow::Result<std::unique_ptr<StoreLock>> Lock(
      const std::string& folder, int64_t wait_ms,
      const std::function<bool()>& stopped) override {
    constexpr int64_t kPauseMs = 20;
    for (int64_t waited = 0;; waited += kPauseMs) {
      ARROW_RETURN_NOT_OK(MakeFolders(folder));
      const int fd = root_.Open(folder, O_RDONLY | O_DIRECTORY);
      // A load that made it and failed has just removed it.
      if (fd < 0 && errno == ENOENT) continue;
      if (fd < 0) return SystemError(errno, "open the folder", folder);
      auto lock = std::make_unique<FolderLock>(fd);
      if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        // A replace may have exchanged the folder between open and flock.
        const Descriptor there(root_.Open(folder, O_PATH));
        struct stat mine{}, now{};
        if (fstat(fd, &mine) == 0 && fstat(there.get(), &now) == 0 &&
            mine.st_ino == now.st_ino && mine.st_dev == now.st_dev) {
          return std::unique_ptr<StoreLock>(std::move(lock));
        }
        continue;
      }
      if (errno != EWOULDBLOCK) return SystemError(errno, "lock", folder);
      lock.reset();
      if (stopped()) {
        return MakeError(ErrorClass::kCancelled, "cancelled",
                         "Stopped while waiting for a lock");
      }
      if (waited >= wait_ms) {
        return MakeError(ErrorClass::kTransient, "file.locked",
                         "Another process has been committing to '" + folder + "' for " +
                             std::to_string(wait_ms / 1000) + " s",
                         "Wait for the other run to end, then run again");
      }
      usleep(kPauseMs * 1000);
    }
  }

  arrow::Status Check(const std::string& folder) override {
    const Descriptor fd(root_.Open(folder, O_PATH | O_DIRECTORY));
    if (fd.get() < 0) return SystemError(errno, "open the folder", folder);
    if (faccessat(fd.get(), ".", R_OK | X_OK, 0) != 0)
      return SystemError(errno, "read", folder);
    return arrow::Status::OK();
  }

 private:
  /// Makes the name of `path` durable.
  arrow::Status SyncParent(const std::string& path) const {
    std::string name;
    const Descriptor parent(root_.OpenParent(path, &name));
    const Descriptor fd(
        parent.get() < 0 ? -1
                         : openat(parent.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd.get() < 0) return SystemError(errno, "open the folder of", path);
    if (fsync(fd.get()) != 0 && errno != EINVAL) return SystemError(errno, "sync", path);
    return arrow::Status::OK();
  }

  arrow::Status MakeParent(const std::string& path) const {
    if (root_.MakeParent(path) != 0)
      return SystemError(errno, "make the folder of", path);
    return arrow::Status::OK();
  }

  arrow::Status MakeFolders(const std::string& folder) const {
    if (root_.MakeFolders(folder) != 0)
      return SystemError(errno, "make the folder", folder);
    return arrow::Status::OK();
  }

  /// What renameat2 says of two names, whose folders must be inside.
  arrow::Result<int> RenameEntry(const std::string& from, const std::string& to,
                                 unsigned flags) const {
    std::string old_name, new_name;
    const Descriptor old_folder(root_.OpenParent(from, &old_name));
    if (old_folder.get() < 0) return SystemError(errno, "rename", from);
    const Descriptor new_folder(root_.OpenParent(to, &new_name));
    if (new_folder.get() < 0) return SystemError(errno, "rename", to);
    const long done = syscall(SYS_renameat2, old_folder.get(), old_name.c_str(),
                              new_folder.get(), new_name.c_str(), flags);
    return done == 0 ? 0 : errno;
  }

  arrow::Status ListInto(const std::string& folder, bool recursive, int depth,
                         std::vector<Entry>* entries) {
    constexpr int kMaxDepth = 64;  // A symbolic link may point back up.
    const int fd = root_.Open(folder, O_RDONLY | O_DIRECTORY);
    DIR* dir = fd < 0 ? nullptr : fdopendir(fd);
    if (!dir) {
      if (errno == ENOENT || errno == ENOTDIR) return arrow::Status::OK();
      return SystemError(errno, "list", folder);
    }
    const std::unique_ptr<DIR, int (*)(DIR*)> closer(dir, closedir);
    while (const dirent* item = readdir(dir)) {
      const std::string_view name = item->d_name;
      if (name == "." || name == "..") continue;
      std::string path = JoinPath(folder, name);
      const Descriptor there(root_.Open(path, O_PATH));
      struct stat info{};
      if (there.get() < 0 ? errno != EXDEV : fstat(there.get(), &info) != 0)
        continue;  // Gone meanwhile, or a dangling link.
      // A link that leads outside is listed, so that reading it is refused, not silent.
      if (S_ISDIR(info.st_mode) && recursive && depth < kMaxDepth) {
        ARROW_RETURN_NOT_OK(ListInto(path, true, depth + 1, entries));
      }
      entries->push_back(EntryOf(std::move(path), info));
    }
    return arrow::Status::OK();
  }

  const Root root_;
};

}  // namespace

std::shared_ptr<Store> MakeLocalStore(const std::string& root) {
  return std::make_shared<LocalStore>(root);
}

std::string JoinPath(std::string_view folder, std::string_view name) {
  std::string path(folder);
  if (!path.empty() && path.back() != '/' && !name.empty()) path += '/';
  path += name;
  return path;
}

std::string_view BaseName(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

std::string_view ParentPath(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return {};
  return slash == 0 ? path.substr(0, 1) : path.substr(0, slash);
}

}  // namespace dxt::file
