#pragma once
#include <string>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace dxt {

/// Another process that locks a whole file against writers and readers, until it is let
/// go or this ends. Locks of one process do not exclude each other.
class LockHolder {
 public:
  explicit LockHolder(const std::string& path) {
    int ready[2];
    if (::pipe(ready) != 0 || ::pipe(end_) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) {
      // Its end is seen when this process's side closes.
      ::close(end_[1]);
      struct flock lock{};
      lock.l_type = F_WRLCK;
      lock.l_whence = SEEK_SET;
      const int file = ::open(path.c_str(), O_RDWR);
      char byte = ::fcntl(file, F_SETLK, &lock) == 0 ? 'y' : 'n';
      if (::write(ready[1], &byte, 1) != 1 || ::read(end_[0], &byte, 1) < 0) ::_exit(1);
      ::_exit(0);
    }
    char byte = 'n';
    holds_ = ::read(ready[0], &byte, 1) == 1 && byte == 'y';
    ::close(ready[0]);
    ::close(ready[1]);
    ::close(end_[0]);
  }
  ~LockHolder() {
    LetGo();
    if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
  }
  LockHolder(const LockHolder&) = delete;
  LockHolder& operator=(const LockHolder&) = delete;

  /// It got the lock.
  bool holds() const { return holds_; }
  pid_t pid() const { return pid_; }
  /// The lock goes soon after.
  void LetGo() {
    if (end_[1] >= 0) ::close(end_[1]);
    end_[1] = -1;
  }

 private:
  pid_t pid_ = -1;
  int end_[2] = {-1, -1};
  bool holds_ = false;
};

/// Another process would find the file locked.
inline bool IsLocked(const std::string& path) { return !LockHolder(path).holds(); }

}  // namespace dxt
