#include "client/dxtctl/interrupts.h"

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <mutex>
#include <thread>

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

namespace dxt::ctl {
namespace {

/// Signals belong to the process, so what answers them does too.
struct SignalState {
  std::mutex mutex;
  std::function<void()> action;
  std::string left_behind;
  std::atomic<int> exit_code{0};
};

SignalState& State() {
  static auto* state = new SignalState;  // Outlives the threads that main leaves behind.
  return *state;
}

sigset_t WatchedSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

[[noreturn]] void LeaveNow(int exit_code) {
  std::string left;
  {
    std::lock_guard lock(State().mutex);
    left = State().left_behind;
  }
  if (!left.empty()) std::fprintf(stderr, "\n%s\n", left.c_str());
  _exit(exit_code);
}

void WatchSignals() {
  const sigset_t set = WatchedSignals();
  int signal = 0;
  if (sigwait(&set, &signal) != 0) return;
  const int exit_code = 128 + signal;
  State().exit_code = exit_code;
  std::function<void()> action;
  {
    std::lock_guard lock(State().mutex);
    action = State().action;
  }
  if (!action) _exit(exit_code);
  std::thread(action).detach();
  const timespec ten_seconds{10, 0};
  while (sigtimedwait(&set, nullptr, &ten_seconds) < 0 && errno == EINTR) {
  }
  LeaveNow(exit_code);
}

}  // namespace

void Interrupts::Install() {
  const sigset_t set = WatchedSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::thread(WatchSignals).detach();
}

void Interrupts::OnFirst(std::function<void()> action, std::string left_behind) {
  std::lock_guard lock(State().mutex);
  State().action = std::move(action);
  State().left_behind = std::move(left_behind);
}

void Interrupts::Clear() { OnFirst({}, {}); }

int Interrupts::ExitCode() { return State().exit_code; }

}  // namespace dxt::ctl
