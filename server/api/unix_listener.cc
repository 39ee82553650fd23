#include "server/api/unix_listener.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include <grp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"

namespace dxt {
namespace {

constexpr int kBacklog = 512;
constexpr std::string_view kPeerPrefix = "fd:";

arrow::Status CannotListen(const std::string& path, const std::string& hint) {
  return MakeError(ErrorClass::kConfig, "server.listen", "cannot listen at " + path,
                   hint);
}

std::optional<SocketPeer> PeerOf(int fd) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return std::nullopt;
  }
  SocketPeer peer;
  peer.uid = credentials.uid;
  peer.pid = credentials.pid;
  gid_t groups[NGROUPS_MAX > 4096 ? 4096 : NGROUPS_MAX];
  size = sizeof groups;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) == 0) {
    peer.groups.assign(groups, groups + size / sizeof(gid_t));
  }
  peer.groups.push_back(credentials.gid);
  return peer;
}

}  // namespace

bool PeerRules::Admits(const SocketPeer& peer) const {
  if (peer.uid == owner || peer.uid == 0) return true;
  return group &&
         std::find(peer.groups.begin(), peer.groups.end(), *group) != peer.groups.end();
}

void PeerTable::Set(int fd, uid_t uid) {
  std::lock_guard lock(mutex_);
  users_[fd] = uid;
}

std::optional<uid_t> PeerTable::Of(std::string_view peer) const {
  if (!peer.starts_with(kPeerPrefix)) return std::nullopt;
  peer.remove_prefix(kPeerPrefix.size());
  int fd = -1;
  std::from_chars(peer.data(), peer.data() + peer.size(), fd);
  std::lock_guard lock(mutex_);
  const auto found = users_.find(fd);
  if (found == users_.end()) return std::nullopt;
  return found->second;
}

arrow::Result<std::unique_ptr<UnixListener>> UnixListener::Make(
    const UnixListenerOptions& options, Taker taker) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return CannotListen(options.path, std::strerror(errno));
  std::unique_ptr<UnixListener> listener(
      new UnixListener(fd, options.path, std::move(taker)));
  ARROW_RETURN_NOT_OK(listener->Open(options));
  return listener;
}

arrow::Status UnixListener::Open(const UnixListenerOptions& options) {
  const std::string& path = options.path;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return CannotListen(path, "Name a path that is shorter than 108 bytes");
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  struct stat now{};
  if (lstat(path.c_str(), &now) == 0 && S_ISSOCK(now.st_mode)) unlink(path.c_str());
  // Nobody may connect to a socket before its mode is set.
  const mode_t mask = umask(0177);
  const int bound = bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address);
  const int error = errno;
  umask(mask);
  if (bound != 0) {
    return CannotListen(path, std::string(std::strerror(error)) +
                                  ": check that its folder exists and can be written");
  }
  bound_ = true;
  if (stat(path.c_str(), &now) != 0) return CannotListen(path, std::strerror(errno));
  if (!options.group.empty()) {
    const struct ::group* found = getgrnam(options.group.c_str());
    // A hardened unit may forbid chown; the socket often has the group already.
    const bool has = found != nullptr && now.st_gid == found->gr_gid;
    if (!has && (found == nullptr || chown(path.c_str(), -1, found->gr_gid) != 0)) {
      return CannotListen(path, "Check that the group " + options.group +
                                    " exists and dxtd belongs to it");
    }
    now.st_gid = found->gr_gid;
  }
  group_ = now.st_gid;
  if (chmod(path.c_str(), options.mode) != 0 || listen(fd_, kBacklog) != 0) {
    return CannotListen(path, std::strerror(errno));
  }
  return arrow::Status::OK();
}

UnixListener::~UnixListener() {
  stopping_ = true;
  // Wakes the poll and refuses what comes.
  shutdown(fd_, SHUT_RDWR);
  if (thread_.joinable()) thread_.join();
  close(fd_);
  if (bound_) unlink(path_.c_str());
}

void UnixListener::Start() {
  thread_ = std::thread([this] { Accept(); });
}

void UnixListener::Accept() {
  while (!stopping_) {
    pollfd waiting{fd_, POLLIN, 0};
    if (poll(&waiting, 1, -1) < 0 && errno != EINTR) return;
    const int fd = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
      if (const auto peer = PeerOf(fd)) {
        taker_(fd, *peer);
      } else {
        close(fd);
      }
      continue;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      // Connections that end make room; until then they wait in the backlog.
      constexpr int kPauseMillis = 50;
      poll(nullptr, 0, kPauseMillis);
    }
  }
}

}  // namespace dxt
