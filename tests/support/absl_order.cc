// For the tsan preset. gRPC locks Abseil's mutexes, which are made of atomics in a
// library that is not instrumented: the thread sanitizer sees no order between what two
// threads do under one, and reports every message that gRPC hands from one thread to
// another. These stand before the library's functions and tell it the order.
//
// What gRPC passes on without a mutex (references that it counts, queues) is ordered as
// well, by taking all of its mutexes for one. So a race of ours is missed where both
// threads went through gRPC in between; one between threads that did not is seen.
#include <absl/synchronization/mutex.h>
#include <dlfcn.h>

extern "C" {
void __tsan_acquire(void* address);
void __tsan_release(void* address);
}

namespace {

char all_mutexes;

void Locked() { __tsan_acquire(&all_mutexes); }
void Unlocking() { __tsan_release(&all_mutexes); }

/// The library's own.
template <typename Function>
Function Real(const char* symbol) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, symbol));
}

}  // namespace

namespace absl {
ABSL_NAMESPACE_BEGIN

void Mutex::Lock() {
  static const auto real = Real<void (*)(Mutex*)>("_ZN4absl7debian35Mutex4LockEv");
  real(this);
  Locked();
}

bool Mutex::TryLock() {
  static const auto real = Real<bool (*)(Mutex*)>("_ZN4absl7debian35Mutex7TryLockEv");
  const bool locked = real(this);
  if (locked) Locked();
  return locked;
}

void Mutex::Unlock() {
  static const auto real = Real<void (*)(Mutex*)>("_ZN4absl7debian35Mutex6UnlockEv");
  Unlocking();
  real(this);
}

void CondVar::Wait(Mutex* mutex) {
  static const auto real =
      Real<void (*)(CondVar*, Mutex*)>("_ZN4absl7debian37CondVar4WaitEPNS0_5MutexE");
  Unlocking();
  real(this, mutex);
  Locked();
}

bool CondVar::WaitWithDeadline(Mutex* mutex, Time deadline) {
  static const auto real = Real<bool (*)(CondVar*, Mutex*, Time)>(
      "_ZN4absl7debian37CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE");
  Unlocking();
  const bool late = real(this, mutex, deadline);
  Locked();
  return late;
}

bool CondVar::WaitWithTimeout(Mutex* mutex, Duration timeout) {
  static const auto real = Real<bool (*)(CondVar*, Mutex*, Duration)>(
      "_ZN4absl7debian37CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE");
  Unlocking();
  const bool late = real(this, mutex, timeout);
  Locked();
  return late;
}

ABSL_NAMESPACE_END
}  // namespace absl
