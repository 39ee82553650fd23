#include "server/daemon/notify.h"

#include <cstdlib>
#include <cstring>
#include <ctime>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace dxt {

ServiceNotifier::ServiceNotifier() {
  const char* address = std::getenv("NOTIFY_SOCKET");
  if (address == nullptr || (address[0] != '/' && address[0] != '@')) return;
  if (std::strlen(address) >= sizeof(sockaddr_un::sun_path)) return;
  address_ = address;
  socket_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const char* micros = std::getenv("WATCHDOG_USEC");
  const char* pid = std::getenv("WATCHDOG_PID");
  if (micros == nullptr || (pid != nullptr && std::atol(pid) != getpid())) return;
  const int64_t limit = std::atoll(micros) / 1000;
  if (limit > 0) watchdog_ = std::chrono::milliseconds(std::max<int64_t>(1, limit / 2));
}

ServiceNotifier::~ServiceNotifier() {
  if (socket_ >= 0) close(socket_);
}

void ServiceNotifier::Send(const std::string& text) {
  if (socket_ < 0) return;
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, address_.data(), address_.size());
  if (to.sun_path[0] == '@') to.sun_path[0] = 0;  // An abstract name.
  const auto length =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  (void)!sendto(socket_, text.data(), text.size(), MSG_NOSIGNAL,
                reinterpret_cast<const sockaddr*>(&to), length);
}

void ServiceNotifier::Ready(std::string_view status) {
  Send("READY=1\nSTATUS=" + std::string(status) +
       "\nMAINPID=" + std::to_string(getpid()));
}

void ServiceNotifier::Reloading() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  Send("RELOADING=1\nMONOTONIC_USEC=" +
       std::to_string(int64_t{now.tv_sec} * 1000000 + now.tv_nsec / 1000));
}

void ServiceNotifier::Stopping(std::string_view status) {
  Send("STOPPING=1\nSTATUS=" + std::string(status));
}

void ServiceNotifier::Ping() { Send("WATCHDOG=1"); }

}  // namespace dxt
