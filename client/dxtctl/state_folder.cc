#include "client/dxtctl/state_folder.h"

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fnv1a.h"

namespace dxt::ctl {
namespace {

namespace fs = std::filesystem;

/// SQLite's write-ahead log and flock need a local disk.
bool IsNetworkFileSystem(const fs::path& path) {
  struct statfs info{};
  if (statfs(path.c_str(), &info) != 0) return false;
  switch (static_cast<uint32_t>(info.f_type)) {
    case 0x6969:      // NFS
    case 0x517B:      // SMB
    case 0xFF534D42:  // CIFS
    case 0xFE534D42:  // SMB2
    case 0x01021997:  // 9P
    case 0x00C36400:  // Ceph
    case 0x5346414F:  // AFS
    case 0x0BD00BD0:  // Lustre
    case 0x47504653:  // GPFS
    case 0x65735546:  // FUSE
      return true;
    default:
      return false;
  }
}

bool MakePrivateFolder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return false;
  return access(path.c_str(), R_OK | W_OK | X_OK) == 0 && fs::is_directory(path, error);
}

/// A folder that is really ours, whatever others may have put in its place.
bool IsOurs(const fs::path& path) {
  struct stat info{};
  return lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode) &&
         info.st_uid == geteuid() && (info.st_mode & 077) == 0;
}

fs::path Environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value == '/' ? fs::path(value) : fs::path();
}

fs::path StateHome() {
  if (auto home = Environment("XDG_STATE_HOME"); !home.empty()) return home / "dxt";
  if (auto home = Environment("HOME"); !home.empty()) return home / ".local/state/dxt";
  return fs::path("/tmp") / ("dxt-state-" + std::to_string(geteuid()));
}

Result<fs::path> SocketFor(const fs::path& folder) {
  constexpr size_t kLongestSocketPath = 107;
  const std::string name = Fnv1aName(folder.string()) + ".sock";
  std::error_code error;
  if (auto runtime = Environment("XDG_RUNTIME_DIR"); !runtime.empty()) {
    const fs::path socket = runtime / "dxt" / name;
    const bool fits = socket.string().size() <= kLongestSocketPath;
    if (fits && fs::is_directory(runtime, error) && MakePrivateFolder(runtime / "dxt") &&
        IsOurs(runtime / "dxt")) {
      return socket;
    }
  }
  const fs::path shared = fs::path("/tmp") / ("dxt-" + std::to_string(geteuid()));
  if (MakePrivateFolder(shared) && IsOurs(shared)) return shared / name;
  Error refused;
  refused.exit_code = kExitNoDaemon;
  refused.message =
      "Cannot make a private folder for the socket of dxtd: " + shared.string() +
      " is not a folder of this user with mode 0700";
  refused.hint = "Set XDG_RUNTIME_DIR to a folder that only you can open";
  return refused;
}

Result<StateFolder> Prepare(const fs::path& folder, std::string note) {
  if (!MakePrivateFolder(folder)) {
    return UsageError(
        "Cannot make the state folder " + folder.string() + ": " + std::strerror(errno),
        "Set XDG_STATE_HOME to a folder you can write");
  }
  StateFolder state;
  std::error_code error;
  state.path = fs::canonical(folder, error);
  if (error) return UsageError("Cannot open the state folder " + folder.string());
  if (const fs::path ignore = state.path / ".gitignore"; !fs::exists(ignore, error)) {
    std::ofstream(ignore) << "*\n";
  }
  CTL_ASSIGN(state.socket, SocketFor(state.path));
  state.note = std::move(note);
  return state;
}

}  // namespace

Result<StateFolder> OpenStateFolder(const fs::path& anchor) {
  const fs::path beside = anchor / ".dxt";
  const bool network = IsNetworkFileSystem(anchor);
  std::error_code error;
  if (!network && MakePrivateFolder(beside)) return Prepare(beside, "");
  const fs::path fallback =
      StateHome() / Fnv1aName(fs::weakly_canonical(anchor, error).string());
  std::string note;
  if (!fs::exists(fallback, error)) {
    note = "State is kept in " + fallback.string() + ": " + anchor.string() +
           (network ? " is on a network file system" : " cannot be written");
  }
  return Prepare(fallback, std::move(note));
}

Result<StateFolder> OpenSharedStateFolder() {
  return Prepare(StateHome() / "shared", "");
}

}  // namespace dxt::ctl
