// dxtd: makes the parts, hands them to each other, waits for the end, takes them down.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <thread>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"
#include "base/log.h"
#include "connectors/sdk/connector.h"
#include "connectors/sdk/registry.h"
#include "server/alerts/alerts.h"
#include "server/api/api_server.h"
#include "server/api/attachments.h"
#include "server/daemon/command_line.h"
#include "server/daemon/notify.h"
#include "server/daemon/options.h"
#include "server/daemon/wakeups.h"
#include "server/http/http_server.h"
#include "server/http/pages.h"
#include "server/http/run_metrics.h"
#include "server/part_settings.h"
#include "server/scheduler/catalog.h"
#include "server/scheduler/dispatcher.h"
#include "server/scheduler/schedule_loop.h"
#include "server/tracing/tracing.h"
#include "state/seal.h"
#include "state/sqlite/sqlite_state_store.h"

namespace {

namespace fs = std::filesystem;
using dxt::Wakeups;

/// Ended runs that a private daemon's history keeps of each pipeline.
constexpr int64_t kKeptRuns = 1000;
constexpr auto kBetweenPrunings = std::chrono::hours(1);
/// Dead letters that were replayed, at least.
constexpr auto kReplayedKept = std::chrono::hours(24 * 30);
/// How long ending waits for the receivers of alerts.
constexpr std::chrono::seconds kAlertGrace{5};
/// And for the collector of traces.
constexpr std::chrono::seconds kTraceGrace{3};

/// A client that went must not leave a daemon behind that cannot end: transactions roll
/// back when their connections close, however the process goes.
void EndWithin(std::chrono::milliseconds limit) {
  std::thread([limit] {
    std::this_thread::sleep_for(limit);
    _exit(1);
  }).detach();
}

/// Passwords are in memory: no file is made of it, and no other process of this user
/// reads it, unless somebody who looks for a fault wants that.
void KeepMemoryPrivate() {
  const char* wanted = std::getenv("DXT_CORE_DUMPS");
  if (wanted != nullptr && std::string_view(wanted) == "1") return;
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  prctl(PR_SET_DUMPABLE, 0);
}

void SayReady(int fd) {
  if (fd < 0) return;
  (void)!write(fd, "r", 1);
  close(fd);
}

void AddProblem(const arrow::Status& status, dxt::LoadedConfig& loaded) {
  if (status.ok()) return;
  dxt::Problem problem;
  problem.code = dxt::GetErrorInfo(status).code;
  problem.message = status.message();
  problem.suggestion = dxt::GetErrorInfo(status).hint;
  loaded.problems.push_back(std::move(problem));
}

/// One dxtd, from its start to its end.
class Daemon {
 public:
  Daemon(const dxt::CommandLine& line, dxt::LoadedConfig loaded,
         dxt::Credentials credentials, const Wakeups& wakeups)
      : line_(line),
        loaded_(std::move(loaded)),
        config_(loaded_.config),
        credentials_(std::move(credentials)),
        wakeups_(wakeups) {}

  arrow::Status Serve() {
    ARROW_RETURN_NOT_OK(Start());
    if (line_.is_private) {
      WaitForClients();
    } else {
      WaitForSignals();
    }
    Stop();
    return arrow::Status::OK();
  }

 private:
  arrow::Status Start() {
    dxt::Clock& clock = dxt::SystemClock();
    ids_ = dxt::MakeIdSource(clock);
    ARROW_RETURN_NOT_OK(dxt::RegisterBuiltinConnectors(registry_));
    if (!line_.is_private) ARROW_RETURN_NOT_OK(dxt::MakeFolders(config_));
    ARROW_ASSIGN_OR_RAISE(log_, dxt::Log::Make(config_.log));
    for (const auto& problem : loaded_.problems) {
      log_->Write(dxt::LogLevel::kWarning, "configuration", dxt::FormatProblem(problem));
    }
    dxt::SqliteStateOptions storing;
    if (!line_.is_private) storing.lock_wait = std::chrono::seconds(2);
    ARROW_ASSIGN_OR_RAISE(store_,
                          dxt::SqliteStateStore::Make(config_.state_dir, storing));
    if (line_.is_private) ARROW_RETURN_NOT_OK(Prune(std::chrono::seconds(0), kKeptRuns));
    // The store's lock is ours, so whatever stands here was left by a dxtd that was
    // killed.
    std::error_code unswept;
    fs::remove_all(config_.state_dir / "tmp", unswept);
    fs::create_directory(config_.state_dir / "tmp", unswept);

    if (!line_.is_private) {
      ARROW_ASSIGN_OR_RAISE(auto sealer, dxt::Sealer::Make(config_.state_dir));
      sealer_ = std::make_unique<dxt::Sealer>(std::move(sealer));
    }
    ARROW_ASSIGN_OR_RAISE(auto values, dxt::CatalogSettings(config_));
    catalog_ =
        std::make_unique<dxt::Catalog>(std::move(values), registry_, clock, *store_);
    // Whoever started a private one sees what happens.
    if (!line_.is_private) {
      ARROW_ASSIGN_OR_RAISE(
          alerts_,
          dxt::Alerts::Make({&clock, log_.get(), store_.get(), catalog_.get(),
                             config_.state_dir, dxt::ServerName(config_, false)}));
    }
    if (!config_.traces.url.empty()) {
      ARROW_ASSIGN_OR_RAISE(const auto options, dxt::TracingSettings(config_.traces));
      ARROW_ASSIGN_OR_RAISE(tracing_, dxt::Tracing::Make(options, clock, log_.get()));
    }
    dispatcher_ = std::make_unique<dxt::Dispatcher>(DispatcherSettings(), registry_,
                                                    clock, *ids_, *store_, log_.get());
    schedules_ =
        std::make_unique<dxt::ScheduleLoop>(*store_, *dispatcher_, clock, log_.get());
    if (!line_.is_private) {
      LoadPipelines();
      ARROW_RETURN_NOT_OK(dispatcher_->Recover());
      schedules_->Start();
      alerts_->Start();
    }
    attachments_ = std::make_unique<dxt::Attachments>(
        line_.is_private ? std::function<void()>([this] { wakeups_.LastClientWent(); })
                         : std::function<void()>());
    dxt::ApiParts parts;
    parts.registry = &registry_;
    parts.clock = &clock;
    parts.store = store_.get();
    parts.dispatcher = dispatcher_.get();
    parts.catalog = catalog_.get();
    parts.schedules = schedules_.get();
    parts.attachments = attachments_.get();
    parts.state_dir = config_.state_dir;
    parts.version = DXT_VERSION;
    parts.is_private = line_.is_private;
    parts.file_roots = dxt::RootsOf(config_, line_.is_private);
    ARROW_ASSIGN_OR_RAISE(
        api_, dxt::ApiServer::Make(parts, dxt::ListenSettings(config_, credentials_)));
    if (config_.http_listen) ARROW_RETURN_NOT_OK(StartHttp());
    if (!line_.is_private) {
      maintenance_ = std::jthread([this](std::stop_token stop) { Maintain(stop); });
    }
    SayStarted();
    return arrow::Status::OK();
  }

  arrow::Status StartHttp() {
    dxt::HttpOptions options;
    options.is_unix = config_.http_listen->is_unix;
    options.address = config_.http_listen->text;
    options.socket_mode = config_.socket_mode;
    ARROW_ASSIGN_OR_RAISE(
        http_,
        dxt::HttpServer::Make(options, dxt::MakePages(
                                           metrics_, [this] { return draining_.load(); },
                                           [this] { return Gauges(); })));
    log_->Write(dxt::LogLevel::kInfo, "http_started", "",
                {{"address", http_->address()}});
    return arrow::Status::OK();
  }

  dxt::ServerGauges Gauges() {
    dxt::ServerGauges gauges;
    gauges.version = DXT_VERSION;
    gauges.start_time =
        std::chrono::duration<double>(started_.time_since_epoch()).count();
    gauges.draining = draining_;
    gauges.workers = config_.workers;
    gauges.memory_budget = config_.memory_budget;
    const auto status = dispatcher_->Status();
    gauges.workers_busy = status.busy;
    gauges.memory_reserved = status.memory_reserved;
    gauges.oldest_queued_seconds = status.oldest_queued_seconds;
    gauges.watchers = api_->watchers();
    gauges.watchers_dropped = api_->watchers_dropped();
    if (const auto stats = store_->runs().Stats(); stats.ok()) {
      gauges.runs = stats->by_state;
    }
    const auto alerts = alerts_ ? alerts_->counts() : dxt::AlertSender::Counts();
    gauges.alerts = {
        {"sent", alerts.sent}, {"failed", alerts.failed}, {"dropped", alerts.dropped}};
    gauges.alert_retries = alerts.retried;
    const auto spans = tracing_ ? tracing_->counts() : dxt::SpanExporter::Counts();
    gauges.spans = {{"exported", spans.exported}, {"dropped", spans.dropped}};
    gauges.pipelines = store_->definitions().CountPipelines().ValueOr(0);
    gauges.schedules_active = store_->schedules().CountActive().ValueOr(0);
    gauges.state_bytes = store_->FileBytes().ValueOr(0);
    return gauges;
  }

  arrow::Status Prune(std::chrono::seconds age, int64_t keep) {
    const auto now = dxt::SystemClock().Now();
    const auto letters_from = now - std::max<std::chrono::seconds>(age, kReplayedKept);
    ARROW_RETURN_NOT_OK(
        store_->dead_letters().Prune(dxt::FormatTime(letters_from)).status());
    return store_->runs()
        .Prune(dxt::FormatTime(now - age), keep, dxt::FormatTime(now))
        .status();
  }

  /// What is done beside the runs, now and then.
  void Maintain(std::stop_token stop) {
    do {
      const auto pruned = Prune(config_.retention_age, config_.retention_per_pipeline);
      const auto audit_from = dxt::SystemClock().Now() - config_.retention_audit;
      const auto audit = store_->audit().Prune(dxt::FormatTime(audit_from)).status();
      for (const auto& status : {pruned, audit}) {
        if (status.ok()) continue;
        log_->Write(dxt::LogLevel::kWarning, "prune_failed", status.message());
      }
    } while (
        dxt::SystemClock().WaitUntil(dxt::SystemClock().Tick() + kBetweenPrunings, stop));
  }

  void LoadPipelines() {
    if (config_.pipelines_dir.empty()) return;
    const auto changes = catalog_->LoadFolder(config_.pipelines_dir);
    const bool good = changes.ok() && changes->refused.empty();
    log_->Write(good ? dxt::LogLevel::kInfo : dxt::LogLevel::kError, "pipelines_loaded",
                changes.ok() ? changes->Summary() : changes.status().message());
  }

  dxt::DispatcherOptions DispatcherSettings() {
    dxt::DispatcherOptions options;
    options.resumes = !line_.is_private;
    options.project_logging = line_.is_private;
    options.source = catalog_.get();
    options.listeners.push_back(&metrics_);
    if (!line_.is_private) {
      // Schedules, upstream runs and retries come past no service that would ask.
      options.permit =
          [roots = dxt::RootsOf(config_, false)](const dxt::PipelineDocument& pipeline) {
            return roots.Check(pipeline);
          };
    }
    if (sealer_) {
      options.seal = [this](std::string_view run,
                            std::string_view text) -> arrow::Result<std::string> {
        return sealer_->Seal(text, run);
      };
      options.unseal = [this](std::string_view run, std::string_view sealed) {
        return sealer_->Open(sealed, run);
      };
    }
    options.state_dir = config_.state_dir;
    options.max_workers = config_.workers;
    options.threads_per_run =
        static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    options.memory_budget = config_.memory_budget;
    options.server = dxt::ServerName(config_, line_.is_private);
    options.owner = dxt::OwnerText();
    if (alerts_) {
      for (auto* listener : alerts_->listeners()) options.listeners.push_back(listener);
    }
    if (tracing_) options.listeners.push_back(tracing_->listener());
    return options;
  }

  void SayStarted() {
    std::ofstream file(config_.state_dir / "dxtd.addr");
    for (const auto& address : api_->addresses()) {
      file << address << "\n";
      log_->Write(dxt::LogLevel::kInfo, "started", "",
                  {{"version", DXT_VERSION}, {"socket", address}});
    }
    file.close();
    SayReady(line_.ready_fd);
    notifier_.Ready("listening");
  }

  void WaitForClients() {
    if (wakeups_.Wait(line_.first_client_seconds * 1000) == Wakeups::Kind::kTimeout &&
        !attachments_->Close(false)) {
      wakeups_.Wait(-1);
    }
    EndWithin(std::chrono::seconds(9));
  }

  void WaitForSignals() {
    const int timeout =
        notifier_.watchdog() ? static_cast<int>(notifier_.watchdog()->count()) : -1;
    while (true) {
      switch (wakeups_.Wait(timeout)) {
        case Wakeups::Kind::kTimeout:
          if (store_->runs().Get("").ok()) notifier_.Ping();
          break;
        case Wakeups::Kind::kReload:
          Reload();
          break;
        default:
          return;
      }
    }
  }

  void Reload() {
    notifier_.Reloading();
    const auto say = [this](const char* what, const arrow::Status& status) {
      log_->Write(status.ok() ? dxt::LogLevel::kInfo : dxt::LogLevel::kError,
                  status.ok() ? "reloaded" : "reload_failed",
                  status.ok() ? "" : status.message(), {{"what", what}});
    };
    auto again = dxt::LoadDaemonConfig(line_.sources);
    if (again.ok()) {
      say("log", log_->Configure(again.config.log));
      auto values = dxt::CatalogSettings(again.config);
      say("variables", values.status());
      if (values.ok()) catalog_->SetVariables(std::move(*values));
      for (const auto& option : dxt::NeedRestart(loaded_, again)) {
        log_->Write(dxt::LogLevel::kWarning, "restart_needed",
                    option.path + " is now " + option.value + " in " + option.source +
                        ", from the next start of dxtd on",
                    {{"what", option.path}});
      }
      LoadPipelines();
      alerts_->Changed();
    } else {
      for (const auto& problem : again.problems) {
        log_->Write(dxt::LogLevel::kError, "reload_failed", dxt::FormatProblem(problem),
                    {{"what", "configuration"}});
      }
    }
    if (credentials_.certificates) {
      say("certificates", credentials_.certificates->Reload());
    }
    if (credentials_.tokens) say("tokens", credentials_.tokens->Reload());
    notifier_.Ready("listening");
  }

  void Stop() {
    notifier_.Stopping("draining");
    if (!line_.is_private) {
      draining_ = true;
      log_->Write(dxt::LogLevel::kInfo, "draining", "");
      api_->Drain();
      EndWithin(config_.shutdown_grace + std::chrono::seconds(15));
    }
    schedules_->Stop();
    if (!line_.is_private) dispatcher_->Drain(config_.shutdown_grace);
    attachments_->Close(/*force=*/true);
    dispatcher_->Stop();
    if (alerts_) alerts_->Stop(kAlertGrace);
    if (tracing_) tracing_->Stop(kTraceGrace);
    maintenance_ = {};
    if (http_) http_->Stop();
    api_->Shutdown();
    std::error_code error;
    if (config_.http_listen && config_.http_listen->is_unix) {
      fs::remove(config_.http_listen->text, error);
    }
    for (const auto& address : config_.listen) {
      if (address.is_unix) fs::remove(address.text, error);
    }
    fs::remove(config_.state_dir / "dxtd.addr", error);
    log_->Write(dxt::LogLevel::kInfo, "ended", "");
  }

  const dxt::CommandLine& line_;
  const dxt::LoadedConfig loaded_;
  const dxt::DaemonConfig& config_;
  const dxt::Credentials credentials_;
  const Wakeups& wakeups_;
  dxt::ServiceNotifier notifier_;
  dxt::ConnectorRegistry registry_;
  std::unique_ptr<dxt::IdSource> ids_;
  std::unique_ptr<dxt::Log> log_;
  std::unique_ptr<dxt::StateStore> store_;
  dxt::RunMetrics metrics_{dxt::SystemClock()};
  std::unique_ptr<dxt::Sealer> sealer_;
  std::unique_ptr<dxt::Catalog> catalog_;
  std::unique_ptr<dxt::Alerts> alerts_;
  std::unique_ptr<dxt::Tracing> tracing_;
  std::unique_ptr<dxt::Dispatcher> dispatcher_;
  std::unique_ptr<dxt::ScheduleLoop> schedules_;
  std::unique_ptr<dxt::Attachments> attachments_;
  std::unique_ptr<dxt::ApiServer> api_;
  std::unique_ptr<dxt::HttpServer> http_;
  const std::chrono::system_clock::time_point started_ = dxt::SystemClock().Now();
  std::atomic<bool> draining_{false};
  std::jthread maintenance_;
};

int CheckConfig(const dxt::LoadedConfig& loaded) {
  std::fputs(dxt::DescribeConfig(loaded).c_str(), stdout);
  return loaded.ok() ? 0 : 2;
}

}  // namespace

int main(int argc, char** argv) {
  KeepMemoryPrivate();
  int exit_code = 0;
  const auto line = dxt::ReadCommandLine(argc, argv, exit_code);
  if (!line) return exit_code;
  if (line->print_reference) {
    std::fputs(dxt::DaemonReference().c_str(), stdout);
    return 0;
  }
  if (line->is_private) {
    // Nothing of the client's but the readiness pipe may outlive it in here.
    const auto first = static_cast<unsigned>(std::max(2, line->ready_fd)) + 1;
    close_range(first, ~0u, 0);
  }
  const Wakeups wakeups(/*reloads=*/!line->is_private);
  auto loaded = dxt::LoadDaemonConfig(line->sources);
  if (line->is_private) dxt::MakePrivate(*line, loaded.config);
  auto credentials = dxt::Credentials::Load(loaded.config);
  AddProblem(credentials.status(), loaded);
  if (line->check_config) return CheckConfig(loaded);
  if (!loaded.ok()) {
    for (const auto& problem : loaded.problems) {
      std::fprintf(stderr, "%s\n", dxt::FormatProblem(problem).c_str());
    }
    std::fprintf(stderr,
                 "dxtd did not start. `dxtd --check-config` shows where each "
                 "value is from\n");
    return 2;
  }
  Daemon daemon(*line, std::move(loaded), std::move(*credentials), wakeups);
  const auto status = daemon.Serve();
  if (status.ok()) return 0;
  const auto info = dxt::GetErrorInfo(status);
  std::fprintf(stderr, "%s [%s]. %s\n", status.message().c_str(), info.code.c_str(),
               info.hint.c_str());
  return 1;
}
