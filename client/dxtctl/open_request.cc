#include "client/dxtctl/open_request.h"

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fnv1a.h"
#include "client/dxtctl/resource_server.h"

namespace dxt::ctl {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLongestId = 128;

Error RequestFileError(const fs::path& path) {
  Error error;
  error.message = "Cannot write " + path.string() + ": " + std::strerror(errno);
  error.hint = "Check that the state folder can be written and its disk is not full";
  return error;
}

/// A lock on the file that has this name now; -1 when somebody else holds it.
int LockNamed(const fs::path& path, bool* failed) {
  while (true) {
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    *failed = fd < 0;
    if (fd < 0) return -1;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
      *failed = errno != EWOULDBLOCK;
      close(fd);
      return -1;
    }
    struct stat mine{}, now{};
    const bool same = fstat(fd, &mine) == 0 && stat(path.c_str(), &now) == 0 &&
                      mine.st_ino == now.st_ino && mine.st_dev == now.st_dev;
    if (same) return fd;
    close(fd);  // Answered between open and flock.
  }
}

}  // namespace

Result<OpenRequest> OpenRequest::Take(const fs::path& state_folder,
                                      const std::string& what, bool fresh) {
  const fs::path folder = state_folder / "requests";
  std::error_code error;
  fs::create_directory(folder, error);
  const std::string name = Fnv1aName(what);
  OpenRequest request;
  constexpr int kBeside = 1000;
  for (int i = 0; i < kBeside && request.fd_ < 0; ++i) {
    request.path_ = folder / (name + "." + std::to_string(i));
    bool failed = false;
    request.fd_ = LockNamed(request.path_, &failed);
    if (failed) return RequestFileError(request.path_);
  }
  if (request.fd_ < 0) return RequestFileError(request.path_);
  char text[kLongestId + 1] = {};
  const ssize_t size = pread(request.fd_, text, kLongestId, 0);
  if (size > 0 && text[size - 1] == '\n' && !fresh) {
    request.id_.assign(text, static_cast<size_t>(size - 1));
    request.repeated_ = true;
    return request;
  }
  CTL_RETURN_NOT_OK(request.Renew());
  return request;
}

OpenRequest::OpenRequest(OpenRequest&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      id_(std::move(other.id_)),
      repeated_(other.repeated_) {}

OpenRequest::~OpenRequest() {
  if (fd_ >= 0) close(fd_);
}

Status OpenRequest::Renew() {
  id_ = NewRequestId();
  repeated_ = false;
  return Write();
}

Status OpenRequest::Write() {
  const std::string line = id_ + "\n";
  const auto size = static_cast<ssize_t>(line.size());
  if (ftruncate(fd_, 0) != 0 || pwrite(fd_, line.data(), line.size(), 0) != size ||
      fsync(fd_) != 0) {
    return RequestFileError(path_);
  }
  const int folder =
      open(path_.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    fsync(folder);
    close(folder);
  }
  return Done{};
}

void OpenRequest::Answered() {
  if (fd_ < 0) return;
  unlink(path_.c_str());
  close(std::exchange(fd_, -1));
}

}  // namespace dxt::ctl
