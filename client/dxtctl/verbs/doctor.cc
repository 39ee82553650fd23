#include <chrono>
#include <cstdio>

#include <google/protobuf/util/time_util.h>
#include <sys/statvfs.h>
#include <nlohmann/json.hpp>

#include "client/dxtctl/contexts.h"
#include "client/dxtctl/output.h"
#include "client/dxtctl/resources.h"
#include "client/dxtctl/verbs.h"
#include "dxt/v1/project_service.pb.h"
#include "dxt/v1/schedule_service.pb.h"
#include "dxt/v1/server_service.pb.h"

namespace dxt::ctl {
namespace {

using google::protobuf::util::TimeUtil;
using Json = nlohmann::ordered_json;

enum class Verdict { kOk, kWarning, kFailed };

/// Looks at one thing after the other; what depends on a failed one is left out.
class Doctor {
 public:
  explicit Doctor(Invocation& invocation) : invocation_(invocation) {}

  int Examine() {
    Say("client", Verdict::kOk, "dxtctl " DXT_VERSION);
    CheckContexts();
    if (CheckReach()) {
      CheckVersion();
      CheckState();
      CheckClock();
      CheckTimeZones();
      CheckDrivers();
      CheckStatus();
    }
    Print();
    return exit_code_;
  }

 private:
  void Say(const char* name, Verdict verdict, const std::string& found,
           const std::string& next = {}) {
    static constexpr const char* kWords[] = {"ok", "warning", "failed"};
    checks_.push_back({{"check", name},
                       {"verdict", kWords[static_cast<int>(verdict)]},
                       {"found", found},
                       {"next", next.empty() ? Json() : Json(next)}});
    if (verdict == Verdict::kFailed && exit_code_ == kExitOk) exit_code_ = kExitFailed;
  }

  void Fail(const char* name, const Error& error) {
    Error shown = invocation_.Explained(error);
    // Elsewhere it sends people here.
    shown.hint = shown.hint.substr(0, shown.hint.find("; `dxtctl doctor`"));
    Say(name, Verdict::kFailed, shown.message, shown.hint);
    exit_code_ = shown.exit_code;
  }

  void CheckContexts() {
    const auto contexts = LoadContexts(ContextsPath());
    if (!contexts.ok()) return Fail("contexts", contexts.error());
    const size_t count = contexts->all.size();
    Say("contexts", Verdict::kOk,
        count == 0
            ? "none"
            : std::to_string(count) + " in " + ContextsPath().string() +
                  (contexts->current.empty() ? ", none selected"
                                             : ", '" + contexts->current + "' selected"));
  }

  /// Of the daemon that is named, else of the private one of this folder.
  Status Connect() {
    CTL_ASSIGN(const auto named, NamedEndpoint(invocation_.options.endpoint));
    if (named) {
      CTL_ASSIGN(server_, invocation_.Server());
      return Done{};
    }
    CTL_ASSIGN(const Documents documents, invocation_.Load({}));
    CTL_ASSIGN(private_, invocation_.Connect(documents));
    server_.endpoint.context.server = "a private dxtd";
    server_.channel = private_->channel();
    return Done{};
  }

  bool CheckReach() {
    if (const auto connected = Connect(); !connected.ok()) {
      Fail("dxtd", connected.error());
      return false;
    }
    const auto began = std::chrono::steady_clock::now();
    auto info = Call<v1::ServerInfo>(server_, v1::GetServerInfoRequest(),
                                     {.deadline = std::chrono::seconds(10)});
    if (!info.ok()) {
      Fail("dxtd", info.error());
      return false;
    }
    info_ = *info;
    const std::chrono::duration<double, std::milli> took =
        std::chrono::steady_clock::now() - began;
    char text[32];
    std::snprintf(text, sizeof text, " answered in %.1f ms", took.count());
    Say("dxtd", Verdict::kOk, server_.endpoint.Text() + text);
    return true;
  }

  void CheckVersion() {
    if (info_.version() == DXT_VERSION)
      return Say("versions", Verdict::kOk, "both are " DXT_VERSION);
    Say("versions", Verdict::kWarning,
        "dxtctl is " DXT_VERSION ", dxtd is " + info_.version(),
        "Calls that one of them lacks are refused; install the same version");
  }

  /// Can this process see the daemon's files?
  bool SameMachine() const {
    return private_ || server_.endpoint.context.server.starts_with("unix:");
  }

  void CheckState() {
    if (!SameMachine()) {
      return Say("state folder", Verdict::kOk,
                 info_.state_dir() + " on the daemon's machine");
    }
    struct statvfs disk;
    if (statvfs(info_.state_dir().c_str(), &disk) != 0) {
      return Say("state folder", Verdict::kOk,
                 info_.state_dir() + ", not readable for this user");
    }
    const double free_bytes =
        static_cast<double>(disk.f_bavail) * static_cast<double>(disk.f_frsize);
    const std::string found = info_.state_dir() + ", " + ShortBytes(free_bytes) + " free";
    if (free_bytes < 1e9) {
      return Say("state folder", Verdict::kWarning, found,
                 "Runs fail when the disk is full: free some space");
    }
    Say("state folder", Verdict::kOk, found);
  }

  void CheckClock() {
    const auto now = TimeUtil::GetCurrentTime();
    if (info_.start_time() > now + TimeUtil::SecondsToDuration(2)) {
      return Say("clock", Verdict::kWarning,
                 "dxtd started at " + TimeUtil::ToString(info_.start_time()) +
                     ", but here it is " + TimeUtil::ToString(now),
                 "Set both clocks by NTP: schedules and cursors go by them");
    }
    Say("clock", Verdict::kOk, TimeUtil::ToString(now));
  }

  void CheckTimeZones() {
    v1::ListFireTimesRequest request;
    request.set_cron("0 0 * * *");
    request.set_timezone("Europe/Berlin");
    request.set_page_size(1);
    const auto times = Call<v1::ListFireTimesResponse>(server_, request);
    if (times.ok()) return Say("time zones", Verdict::kOk, "dxtd knows Europe/Berlin");
    Say("time zones", Verdict::kWarning, invocation_.Explained(times.error()).message,
        "Install tzdata on the daemon's machine: schedules with a time zone need it");
  }

  void CheckDrivers() {
    const auto connectors =
        Call<v1::ListConnectorsResponse>(server_, v1::ListConnectorsRequest());
    if (!connectors.ok()) return Fail("connectors", connectors.error());
    std::string names;
    for (const auto& connector : connectors->connectors())
      names += (names.empty() ? "" : ", ") + connector.name();
    Say("connectors", Verdict::kOk, names);
  }

  void CheckStatus() {
    if (private_) return;
    const auto status = Call<v1::ServerStatus>(server_, v1::GetServerStatusRequest());
    if (!status.ok()) return Fail("status", status.error());
    if (status->draining()) {
      return Say("status", Verdict::kWarning, "dxtd is draining: it takes no new runs",
                 "Wait for it to be started again");
    }
    for (const auto& warning : status->warnings())
      Say("status", Verdict::kWarning, warning, "dxtctl status");
    if (status->warnings().empty()) {
      Say("status", Verdict::kOk,
          std::to_string(status->workers_busy()) + " of " +
              Counted(status->workers(), "worker") + " busy, " +
              Counted(status->runs_queued(), "run") + " queued");
    }
  }

  void Print() const {
    PrintListing({"checks",
                  "check",
                  {{"CHECK", "check"}, {"VERDICT", "verdict"}, {"FOUND", "found"}}},
                 checks_, invocation_);
    if (!ForPeople(invocation_)) return;
    std::fflush(stdout);
    for (const auto& check : checks_) {
      if (!check["next"].is_null())
        invocation_.Note(check["check"].get<std::string>() + ": " +
                         Printable(check["next"].get<std::string>()));
    }
  }

  Invocation& invocation_;
  std::unique_ptr<Daemon> private_;
  ResourceServer server_;
  v1::ServerInfo info_;
  Json checks_ = Json::array();
  int exit_code_ = kExitOk;
};

}  // namespace

void AddDoctor(Verb root, Invocation& invocation) {
  const Verb verb = root.AddVerb(
      "doctor", "Check what dxt needs: daemon, versions, disk, clock, time zones");
  verb.Examples(
      "  dxtctl doctor\n"
      "  dxtctl doctor --server dxt.example.org:7443");
  verb.SetAction(invocation,
                 [&invocation]() -> Result<int> { return Doctor(invocation).Examine(); });
}

}  // namespace dxt::ctl
