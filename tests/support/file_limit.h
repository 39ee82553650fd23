#pragma once
#include <csignal>
#include <cstdint>

#include <sys/resource.h>

namespace dxt {

/// While it lives no file of this process grows beyond `bytes`: what a write beyond gets
/// is what a full disk gives, but for the error's number.
class FileLimit {
 public:
  explicit FileLimit(uint64_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit small{bytes, old_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  ~FileLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, handler_);
  }
  FileLimit(const FileLimit&) = delete;
  FileLimit& operator=(const FileLimit&) = delete;

 private:
  rlimit old_{};
  void (*handler_)(int);
};

}  // namespace dxt
