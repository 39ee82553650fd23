#include "server/daemon/wakeups.h"

#include <cerrno>
#include <csignal>
#include <cstdint>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace dxt {

Wakeups::Wakeups(bool reloads) : last_client_(eventfd(0, EFD_CLOEXEC)) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  if (reloads) sigaddset(&set, SIGHUP);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  signals_ = signalfd(-1, &set, SFD_CLOEXEC);
}

Wakeups::~Wakeups() {
  close(last_client_);
  close(signals_);
}

void Wakeups::LastClientWent() const {
  const uint64_t one = 1;
  (void)!write(last_client_, &one, sizeof one);
}

Wakeups::Kind Wakeups::Wait(int timeout_ms) const {
  pollfd waiting[] = {{last_client_, POLLIN, 0}, {signals_, POLLIN, 0}};
  int polled = 0;
  do {
    polled = poll(waiting, 2, timeout_ms);
  } while (polled < 0 && errno == EINTR);
  if (polled <= 0) return Kind::kTimeout;
  if (waiting[1].revents == 0) return Kind::kLastClient;
  signalfd_siginfo signal{};
  if (read(signals_, &signal, sizeof signal) != sizeof signal) return Kind::kTimeout;
  return signal.ssi_signo == SIGHUP ? Kind::kReload : Kind::kEnd;
}

}  // namespace dxt
