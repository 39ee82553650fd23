// dxtd: makes the parts, hands them to each other, waits for the end, takes them down.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"
#include "base/log.h"
#include "connectors/sdk/connector.h"
#include "connectors/sdk/registry.h"
#include "server/api/api_server.h"
#include "server/api/attachments.h"
#include "server/scheduler/dispatcher.h"
#include "state/sqlite/sqlite_state_store.h"

namespace {

namespace fs = std::filesystem;

struct Flags {
  bool is_private = false;
  fs::path state_dir;
  fs::path socket;
  int ready_fd = -1;
  int first_client_seconds = 5;
  int workers = 16;
  int64_t memory_budget_mib = 0;
  std::string log_level = "info";
  std::string log_format = "json";
};

int64_t FirstNumber(const char* path) {
  std::ifstream file(path);
  int64_t number = 0;
  return file >> number ? number : 0;
}

/// Half of what the cgroup or the machine has, at most 4 GiB.
int64_t DefaultMemoryBudget() {
  int64_t memory = int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE);
  for (const char* limit :
       {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    if (const int64_t bytes = FirstNumber(limit); bytes > 0)
      memory = std::min(memory, bytes);
  }
  return std::min<int64_t>(memory / 2, int64_t{4} << 30);
}

/// Ended runs that the history keeps of each pipeline.
constexpr int64_t kKeptRuns = 1000;

std::string OwnerText() {
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string boot;
  file >> boot;
  return std::string(host) + "/" + boot + "/" + std::to_string(getpid());
}

dxt::LogLevel LevelOf(const std::string& name) {
  if (name == "debug") return dxt::LogLevel::kDebug;
  if (name == "warning") return dxt::LogLevel::kWarning;
  if (name == "error") return dxt::LogLevel::kError;
  return dxt::LogLevel::kInfo;
}

/// Why the daemon ends: a signal, or its last client.
class EndSignal {
 public:
  EndSignal() : last_client_(eventfd(0, EFD_CLOEXEC)) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    signals_ = signalfd(-1, &set, SFD_CLOEXEC);
  }
  ~EndSignal() {
    close(last_client_);
    close(signals_);
  }
  EndSignal(const EndSignal&) = delete;
  EndSignal& operator=(const EndSignal&) = delete;

  void LastClientWent() const {
    const uint64_t one = 1;
    (void)!write(last_client_, &one, sizeof one);
  }
  /// False when `timeout_ms` passed first; negative = wait for ever.
  bool Wait(int timeout_ms) const {
    pollfd waiting[] = {{last_client_, POLLIN, 0}, {signals_, POLLIN, 0}};
    int polled = 0;
    do {
      polled = poll(waiting, 2, timeout_ms);
    } while (polled < 0 && errno == EINTR);
    return polled > 0;
  }

 private:
  int last_client_;
  int signals_;
};

/// A client that went must not leave a daemon behind that cannot end: transactions roll
/// back when their connections close, however the process goes.
void EndWithin(std::chrono::seconds limit) {
  std::thread([limit] {
    std::this_thread::sleep_for(limit);
    _exit(1);
  }).detach();
}

void SayReady(int fd) {
  if (fd < 0) return;
  (void)!write(fd, "r", 1);
  close(fd);
}

arrow::Status Serve(const Flags& flags, const EndSignal& end) {
  dxt::Clock& clock = dxt::SystemClock();
  const auto ids = dxt::MakeIdSource(clock);
  dxt::ConnectorRegistry registry;
  ARROW_RETURN_NOT_OK(dxt::RegisterBuiltinConnectors(registry));
  ARROW_ASSIGN_OR_RAISE(const auto log, dxt::Log::Make({flags.state_dir / "logs/dxt.log",
                                                        LevelOf(flags.log_level),
                                                        flags.log_format == "json"}));
  ARROW_ASSIGN_OR_RAISE(const auto store, dxt::SqliteStateStore::Make(flags.state_dir));
  const std::string now = dxt::FormatTime(clock.Now());
  ARROW_RETURN_NOT_OK(store->runs().Prune(now, kKeptRuns, now).status());
  // The store's lock is ours, so whatever stands here was left by a dxtd that was killed.
  std::error_code unswept;
  fs::remove_all(flags.state_dir / "tmp", unswept);
  fs::create_directory(flags.state_dir / "tmp", unswept);

  dxt::DispatcherOptions options;
  options.state_dir = flags.state_dir;
  options.max_workers = flags.workers;
  options.threads_per_run =
      static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  options.memory_budget =
      flags.memory_budget_mib > 0 ? flags.memory_budget_mib << 20 : DefaultMemoryBudget();
  options.server = flags.is_private ? "private" : flags.socket.string();
  options.owner = OwnerText();
  dxt::Dispatcher dispatcher(options, registry, clock, *ids, *store, log.get());

  dxt::Attachments attachments(flags.is_private
                                   ? std::function<void()>([&] { end.LastClientWent(); })
                                   : std::function<void()>());
  dxt::ApiParts parts;
  parts.registry = &registry;
  parts.clock = &clock;
  parts.store = store.get();
  parts.dispatcher = &dispatcher;
  parts.attachments = &attachments;
  parts.state_dir = flags.state_dir;
  parts.version = DXT_VERSION;
  parts.is_private = flags.is_private;
  ARROW_ASSIGN_OR_RAISE(const auto server, dxt::ApiServer::Make(parts, flags.socket));
  std::ofstream(flags.state_dir / "dxtd.addr")
      << "unix:" << flags.socket.string() << "\n";
  log->Write(dxt::LogLevel::kInfo, "started", "",
             {{"version", DXT_VERSION}, {"socket", flags.socket.native()}});
  SayReady(flags.ready_fd);

  if (!flags.is_private) {
    end.Wait(-1);
  } else if (!end.Wait(flags.first_client_seconds * 1000) && !attachments.Close(false)) {
    end.Wait(-1);
  }
  if (flags.is_private) EndWithin(std::chrono::seconds(9));
  attachments.Close(/*force=*/true);
  dispatcher.Stop();
  server->Shutdown();
  std::error_code error;
  fs::remove(flags.socket, error);
  fs::remove(flags.state_dir / "dxtd.addr", error);
  log->Write(dxt::LogLevel::kInfo, "ended", "");
  return arrow::Status::OK();
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  CLI::App app(
      "dxtd runs pipelines for dxtctl, which starts a private one where none runs.",
      "dxtd");
  app.set_version_flag("--version", "dxtd " DXT_VERSION);
  app.add_flag("--private", flags.is_private, "End with the last client");
  app.add_option("--state-dir", flags.state_dir,
                 "State folder; one dxtd at a time owns it")
      ->required()
      ->check(CLI::ExistingDirectory);
  app.add_option("--socket", flags.socket, "Unix socket to listen at")->required();
  app.add_option("--ready-fd", flags.ready_fd,
                 "Descriptor to write one byte to once listening");
  app.add_option("--idle-exit", flags.first_client_seconds,
                 "Private only: end when no client came within this many seconds")
      ->check(CLI::Range(1, 3600));
  app.add_option("--workers", flags.workers, "Runs at a time")->check(CLI::Range(1, 256));
  app.add_option("--memory-budget-mib", flags.memory_budget_mib,
                 "Memory for all runs (default: half of the machine's, at most 4096)")
      ->check(CLI::Range(64, 1 << 24));
  app.add_option("--log-level", flags.log_level, "debug, info, warning or error")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
  app.add_option("--log-format", flags.log_format, "json or text")
      ->check(CLI::IsMember({"json", "text"}));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (flags.is_private) {
    // Nothing of the client's but the readiness pipe may outlive it in here.
    const auto first = static_cast<unsigned>(std::max(2, flags.ready_fd)) + 1;
    close_range(first, ~0u, 0);
  }
  const EndSignal end;
  const auto status = Serve(flags, end);
  if (status.ok()) return 0;
  const auto info = dxt::GetErrorInfo(status);
  std::fprintf(stderr, "%s [%s]. %s\n", status.message().c_str(), info.code.c_str(),
               info.hint.c_str());
  return 1;
}
