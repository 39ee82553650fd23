#pragma once
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <arrow/result.h>
#include <sys/types.h>

namespace dxt {

/// Who is at the other end of a unix socket, as the kernel says (SO_PEERCRED,
/// SO_PEERGROUPS).
struct SocketPeer {
  uid_t uid = 0;
  pid_t pid = 0;
  std::vector<gid_t> groups;  ///< The main one among them.
};

/// Whom a unix socket serves.
struct PeerRules {
  uid_t owner = 0;  ///< And root, always.
  std::optional<gid_t> group;

  bool Admits(const SocketPeer& peer) const;
};

/// Which user stands behind a connection that gRPC was given; it calls such a peer
/// "fd:<number>". Safe from any thread.
class PeerTable {
 public:
  void Set(int fd, uid_t uid);
  /// nullopt for the peer of another kind of connection.
  std::optional<uid_t> Of(std::string_view peer) const;

 private:
  mutable std::mutex mutex_;
  std::map<int, uid_t> users_;
};

struct UnixListenerOptions {
  std::string path;
  unsigned mode = 0660;
  std::string group;  ///< Of the socket; "" = the process's own.
};

/// Accepts connections at a unix socket, on a thread of its own.
class UnixListener {
 public:
  /// Takes the connection over: a socket that does not block.
  using Taker = std::function<void(int fd, const SocketPeer& peer)>;

  /// Listens; a socket that stands at the path is replaced. kConfig "server.listen".
  static arrow::Result<std::unique_ptr<UnixListener>> Make(
      const UnixListenerOptions& options, Taker taker);
  /// Accepts no more, and removes the socket's file.
  ~UnixListener();
  UnixListener(const UnixListener&) = delete;
  UnixListener& operator=(const UnixListener&) = delete;

  /// The group that the socket has.
  gid_t group() const { return group_; }
  /// From now on connections are accepted.
  void Start();

 private:
  UnixListener(int fd, std::string path, Taker taker)
      : fd_(fd), path_(std::move(path)), taker_(std::move(taker)) {}
  arrow::Status Open(const UnixListenerOptions& options);
  void Accept();

  const int fd_;
  const std::string path_;
  const Taker taker_;
  bool bound_ = false;
  std::atomic<bool> stopping_{false};
  gid_t group_ = 0;
  std::thread thread_;
};

}  // namespace dxt
