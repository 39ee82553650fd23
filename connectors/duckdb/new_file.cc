#include "connectors/duckdb/new_file.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <unistd.h>

#include "connectors/duckdb/errors.h"

namespace dxt::duckdb {
namespace {

arrow::Status SystemError(const std::string& path) {
  return ErrorFromText(std::string("IO Error: ") + std::strerror(errno),
                       "Making the DuckDB database " + path);
}

/// A file that gets its name last, or the next best where the file system has none.
class Unnamed {
 public:
  Unnamed(const std::filesystem::path& folder, const std::string& name) {
    fd_ = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
    if (fd_ >= 0) return;
    temporary_ = (folder / ("." + name + "." + std::to_string(::getpid()) + ".tmp"));
    fd_ = ::open(temporary_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  }
  ~Unnamed() {
    const int kept = errno;
    if (fd_ >= 0) ::close(fd_);
    if (fd_ >= 0 && !temporary_.empty()) ::unlink(temporary_.c_str());
    errno = kept;
  }
  Unnamed(const Unnamed&) = delete;
  Unnamed& operator=(const Unnamed&) = delete;

  bool Write(const std::string& bytes) const {
    size_t done = 0;
    while (fd_ >= 0 && done < bytes.size()) {
      const ssize_t wrote = ::write(fd_, bytes.data() + done, bytes.size() - done);
      if (wrote < 0 && errno != EINTR) return false;
      if (wrote > 0) done += static_cast<size_t>(wrote);
    }
    return fd_ >= 0 && ::fsync(fd_) == 0;
  }

  bool Name(const std::string& path) const {
    const std::string self = "/proc/self/fd/" + std::to_string(fd_);
    const std::string& from = temporary_.empty() ? self : temporary_;
    return ::linkat(AT_FDCWD, from.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) ==
           0;
  }

 private:
  int fd_ = -1;
  std::string temporary_;
};

}  // namespace

arrow::Result<bool> PlaceNewFile(const std::string& image, const std::string& path) {
  std::ostringstream bytes;
  bytes << std::ifstream(image, std::ios::binary).rdbuf();
  const std::filesystem::path target(path);
  const Unnamed file(target.parent_path(), target.filename().string());
  if (!file.Write(bytes.str())) return SystemError(path);
  if (!file.Name(path)) {
    if (errno == EEXIST) return false;
    return SystemError(path);
  }
  const int folder =
      ::open(target.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    ::fsync(folder);
    ::close(folder);
  }
  return true;
}

}  // namespace dxt::duckdb
