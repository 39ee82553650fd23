#include "server/daemon/notify.h"

#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace dxt {
namespace {

/// A service manager's end of the datagram socket.
class Manager {
 public:
  explicit Manager(const std::string& name) {
    socket_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name[0] == '@') address.sun_path[0] = 0;
    const auto length =
        static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    bound_ = bind(socket_, reinterpret_cast<sockaddr*>(&address), length) == 0;
    setenv("NOTIFY_SOCKET", name.c_str(), 1);
  }
  ~Manager() {
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    close(socket_);
  }
  std::string Read() const {
    char text[512];
    const ssize_t size = recv(socket_, text, sizeof text, MSG_DONTWAIT);
    return size > 0 ? std::string(text, size) : "";
  }
  bool bound() const { return bound_; }

 private:
  int socket_;
  bool bound_;
};

TEST(ServiceNotifier, SaysReadyAliveReloadingAndStopping) {
  for (const std::string& name : {"/tmp/dxt-notify-" + std::to_string(getpid()),
                                  "@dxt-notify-" + std::to_string(getpid())}) {
    Manager manager(name);
    ASSERT_TRUE(manager.bound());
    ServiceNotifier notifier;
    EXPECT_FALSE(notifier.watchdog());
    notifier.Ready("listening");
    EXPECT_TRUE(manager.Read().starts_with("READY=1\nSTATUS=listening"));
    notifier.Ping();
    EXPECT_EQ(manager.Read(), "WATCHDOG=1");
    notifier.Reloading();
    EXPECT_TRUE(manager.Read().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    notifier.Stopping("draining");
    EXPECT_EQ(manager.Read(), "STOPPING=1\nSTATUS=draining");
    std::filesystem::remove(name);
  }
}

TEST(ServiceNotifier, IsWatchedAtHalfOfTheManagersLimitAndOnlyWhenMeant) {
  Manager manager("@dxt-watchdog-" + std::to_string(getpid()));
  setenv("WATCHDOG_USEC", "3000000", 1);
  EXPECT_EQ(ServiceNotifier().watchdog(), std::chrono::milliseconds(1500));
  setenv("WATCHDOG_PID", "1", 1);
  EXPECT_FALSE(ServiceNotifier().watchdog());
}

TEST(ServiceNotifier, SaysNothingWithoutAManager) {
  unsetenv("NOTIFY_SOCKET");
  ServiceNotifier notifier;
  notifier.Ready("listening");
  EXPECT_FALSE(notifier.watchdog());
}

}  // namespace
}  // namespace dxt
