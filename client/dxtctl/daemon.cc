#include "client/dxtctl/daemon.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/full_disk.h"
#include "client/dxtctl/endpoint.h"
#include "dxt/v1/server_service.pb.h"

extern char** environ;

namespace dxt::ctl {
namespace {

namespace fs = std::filesystem;

constexpr int kStartMillis = 30000;
constexpr int kReadyFd = 3;

Error DaemonError(std::string message, std::string hint) {
  Error error;
  error.exit_code = kExitNoDaemon;
  error.message = std::move(message);
  error.hint = std::move(hint);
  return error;
}

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() { Close(); }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const { return fd_; }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

bool SomeoneListens(const fs::path& socket_path) {
  FileDescriptor fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, socket_path.c_str(), sizeof address.sun_path - 1);
  return connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

bool IsExecutable(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error) && access(path.c_str(), X_OK) == 0;
}

/// Beside dxtctl, then DXT_DXTD, then PATH.
Result<fs::path> FindDxtd() {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  if (const fs::path beside = self.parent_path() / "dxtd"; IsExecutable(beside))
    return beside;
  if (const char* named = std::getenv("DXT_DXTD"); named != nullptr && *named != '\0') {
    if (IsExecutable(named)) return fs::path(named);
    return DaemonError("DXT_DXTD names '" + std::string(named) + "', which cannot be run",
                       "Set it to the path of dxtd, or unset it");
  }
  const char* variable = std::getenv("PATH");
  std::string path = variable ? variable : "";
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find(':', begin), path.size());
    if (end > begin && IsExecutable(fs::path(path.substr(begin, end - begin)) / "dxtd")) {
      return fs::path(path.substr(begin, end - begin)) / "dxtd";
    }
    begin = end + 1;
  }
  return DaemonError("dxtd was not found beside " + self.string() + " nor in PATH",
                     "Install dxtd beside dxtctl, or set DXT_DXTD to its path");
}

std::string LastLines(const fs::path& path) {
  std::ifstream file(path);
  std::string text(std::istreambuf_iterator<char>(file), {});
  while (!text.empty() && text.back() == '\n') text.pop_back();
  constexpr size_t kMost = 2000;
  return text.size() > kMost ? text.substr(text.size() - kMost) : text;
}

/// Starts dxtd with `ready` as descriptor 3 and its output in `output`; 0 on failure.
pid_t Spawn(const fs::path& program, std::vector<std::string> arguments, int ready,
            const fs::path& output) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, output.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
  posix_spawn_file_actions_adddup2(&files, ready, kReadyFd);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, defaults;
  sigemptyset(&none);
  sigemptyset(&defaults);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT}) {
    sigaddset(&defaults, signal);
  }
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(
      &attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t pid = 0;
  const int failed =
      posix_spawn(&pid, program.c_str(), &files, &attributes, argv.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  errno = failed;
  return failed == 0 ? pid : 0;
}

/// Starts a private dxtd and waits until it listens.
Status Start(const StateFolder& state) {
  CTL_ASSIGN(const fs::path program, FindDxtd());
  std::error_code error;
  fs::create_directory(state.path / "logs", error);
  const fs::path output = state.path / "logs/dxtd.out";
  int ends[2];
  // Above kReadyFd, so that dup2 to it also clears close-on-exec.
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return DaemonError(std::string("Cannot make a pipe: ") + std::strerror(errno), "");
  }
  FileDescriptor reader(fcntl(ends[0], F_DUPFD_CLOEXEC, kReadyFd + 1));
  FileDescriptor writer(fcntl(ends[1], F_DUPFD_CLOEXEC, kReadyFd + 1));
  close(ends[0]);
  close(ends[1]);
  const pid_t pid =
      Spawn(program,
            {"dxtd", "--private", "--state-dir", state.path.string(), "--socket",
             state.socket.string(), "--ready-fd", std::to_string(kReadyFd)},
            writer.get(), output);
  if (pid == 0) {
    return DaemonError("Cannot start " + program.string() + ": " + std::strerror(errno),
                       "Check that the file is a program for this machine");
  }
  writer.Close();
  pollfd waiting{reader.get(), POLLIN, 0};
  int polled = 0;
  do {
    polled = poll(&waiting, 1, kStartMillis);
  } while (polled < 0 && errno == EINTR);
  char answer = 0;
  if (polled > 0 && read(reader.get(), &answer, 1) == 1) return Done{};
  if (polled == 0) {
    kill(pid, SIGKILL);
    return DaemonError("dxtd did not start within 30 s: an earlier one still holds " +
                           (state.path / "dxtd.lock").string(),
                       "Look for a dxtd process with `--state-dir " +
                           state.path.string() + "` and end it");
  }
  const std::string said = LastLines(output);
  if (IsDiskFull(state.path)) {
    return DaemonError("dxtd did not start: the disk of its state folder " +
                           state.path.string() + " is full",
                       "Free some space there, then run again");
  }
  return DaemonError("dxtd did not start" + (said.empty() ? "" : ": " + said),
                     "Its log is " + (state.path / "logs").string());
}

}  // namespace

std::unique_ptr<Daemon> Daemon::At(std::shared_ptr<grpc::Channel> channel) {
  std::unique_ptr<Daemon> daemon(new Daemon);
  daemon->channel_ = std::move(channel);
  return daemon;
}

Result<std::unique_ptr<Daemon>> Daemon::Attach(const StateFolder& state, bool debug) {
  // Whoever holds this joins or starts the daemon; the rest then find it running.
  FileDescriptor turn(
      open((state.path / "spawn.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  while (flock(turn.get(), LOCK_EX) != 0) {
    if (errno == EINTR) continue;
    return DaemonError("Cannot lock " + (state.path / "spawn.lock").string() + ": " +
                           std::strerror(errno),
                       "Check that the state folder can be written");
  }
  constexpr int kAttempts = 5;
  Error last;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (!SomeoneListens(state.socket)) {
      CTL_RETURN_NOT_OK(Start(state));
    }
    std::unique_ptr<Daemon> daemon(new Daemon);
    Endpoint endpoint;
    endpoint.context.server = "unix:" + state.socket.string();
    CTL_ASSIGN(daemon->channel_, OpenChannel(endpoint, debug));
    v1::AttachRequest request;
    request.set_client_version(DXT_VERSION);
    auto stream = std::make_unique<ServerStream>(daemon->channel_, request);
    v1::Attachment attachment;
    if (stream->Read(attachment)) {
      daemon->attachment_ = attachment.id();
      daemon->stream_ = std::move(stream);
      daemon->state_folder_ = state.path;
      return daemon;
    }
    const auto ended = stream->Finish();
    last = ended.ok() ? DaemonError("dxtd left before it answered", "") : ended.error();
    last.exit_code = kExitNoDaemon;
    if (last.reason == "SERVER_VERSION_MISMATCH") return last;
    // It was on its way out: the next one waits for its lock, not for us.
    if (last.rpc_status == "UNAVAILABLE") {
      CTL_RETURN_NOT_OK(Start(state));
    }
  }
  return last;
}

}  // namespace dxt::ctl
