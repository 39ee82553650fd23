#include "client/dxtctl/run_follow.h"

#include <cstdio>
#include <map>
#include <mutex>
#include <thread>

#include <google/protobuf/util/time_util.h>
#include <nlohmann/json.hpp>

#include "client/dxtctl/interrupts.h"
#include "client/dxtctl/output.h"
#include "client/dxtctl/progress.h"
#include "client/dxtctl/resources.h"
#include "client/dxtctl/run_log.h"
#include "client/dxtctl/summary.h"
#include "dxt/v1/run_service.pb.h"
#include "dxt/v1/server_service.pb.h"

namespace dxt::ctl {
namespace {

using Clock = std::chrono::steady_clock;

/// A daemon that is away for longer is not waited for.
constexpr std::chrono::seconds kPatience{60};
constexpr std::chrono::milliseconds kShortestPause{200};
constexpr std::chrono::milliseconds kLongestPause{2000};

/// What a signal may end while another thread is in it.
class CurrentStream {
 public:
  /// False once the user has left.
  bool Begin(ServerStream* stream) {
    std::lock_guard lock(mutex_);
    stream_ = left_ ? nullptr : stream;
    return !left_;
  }
  void End() {
    std::lock_guard lock(mutex_);
    stream_ = nullptr;
  }
  void Leave() {
    std::lock_guard lock(mutex_);
    left_ = true;
    if (stream_ != nullptr) stream_->Cancel();
  }
  bool left() {
    std::lock_guard lock(mutex_);
    return left_;
  }

 private:
  std::mutex mutex_;
  ServerStream* stream_ = nullptr;
  bool left_ = false;
};

/// One line for each change of the run or of a stream's phase.
class ChangeLines {
 public:
  explicit ChangeLines(std::FILE* out) : out_(out) {}

  void State(const v1::RunEvent& event, const std::string& state) { Say(event, state); }
  void Progress(const v1::RunEvent& event) {
    const auto& progress = event.progress();
    auto& last = phases_[progress.stream()];
    if (last == progress.phase()) return;
    last = progress.phase();
    const auto rows =
        static_cast<double>(std::max(progress.rows_read(), progress.rows_written()));
    Say(event, Printable(progress.stream()) + " " + PhaseText(progress) +
                   (rows > 0 ? ", " + ShortCount(rows) + " rows" : ""));
  }

 private:
  void Say(const v1::RunEvent& event, const std::string& what) {
    std::fprintf(out_, "%s  %s\n",
                 google::protobuf::util::TimeUtil::ToString(event.time()).c_str(),
                 what.c_str());
    std::fflush(out_);
  }

  std::FILE* const out_;
  std::map<std::string, v1::StreamProgress::Phase> phases_;
};

class Follower {
 public:
  Follower(Invocation& invocation, const ResourceServer& server, const std::string& name,
           const FollowOptions& options, RunLog log)
      : invocation_(invocation),
        server_(server),
        name_(name),
        options_(options),
        log_(std::move(log)),
        progress_(invocation.terminal(), ForPeople(invocation)),
        lines_(options.lines_on_stdout ? stdout : stderr),
        deadline_(options.timeout ? std::optional(Clock::now() + *options.timeout)
                                  : std::nullopt) {}

  Result<v1::Run> ToTheEnd() {
    CTL_RETURN_NOT_OK(FindServer());
    auto pause = kShortestPause;
    for (;;) {
      const int64_t before = cursor_;
      const Error ended = OneStream();
      progress_.Clear();
      if (finished_) return *finished_;
      if (stream_.left()) return Error{};
      if (TimedOut()) return TimeoutError();
      if (!MayComeBack(ended)) return ended;
      if (!said_away_) {
        invocation_.Note("The connection to dxtd was lost; trying again.");
        said_away_ = true;
      }
      pause = cursor_ > before ? kShortestPause : std::min(pause * 2, kLongestPause);
      std::this_thread::sleep_for(pause);
      CTL_RETURN_NOT_OK(AwaitServer());
    }
  }

  void Leave() { stream_.Leave(); }
  bool left() { return stream_.left(); }

 private:
  /// Positions are of one life of a daemon: after a restart all there is is new.
  Status FindServer() {
    CTL_ASSIGN(const auto info,
               Call<v1::ServerInfo>(server_, v1::GetServerInfoRequest(),
                                    {.deadline = std::chrono::seconds(5)}));
    const std::string life = info.start_time().SerializeAsString();
    if (life_ && *life_ != life) cursor_ = 0;
    life_ = life;
    return Done{};
  }

  Status AwaitServer() {
    const auto since = Clock::now();
    for (;;) {
      const auto found = FindServer();
      const bool given_up = Clock::now() - since > kPatience;
      if (found.ok() || given_up || stream_.left()) return found;
      if (TimedOut()) return TimeoutError();
      if (!found.error().unanswered()) return found;
      std::this_thread::sleep_for(kLongestPause / 2);
    }
  }

  /// Why the events ended.
  Error OneStream() {
    v1::WatchRunRequest request;
    request.set_name(name_);
    request.set_cursor(cursor_);
    std::optional<std::chrono::system_clock::time_point> deadline;
    if (deadline_) {
      deadline = std::chrono::system_clock::now() +
                 std::chrono::duration_cast<std::chrono::milliseconds>(*deadline_ -
                                                                       Clock::now());
    }
    ServerStream events(server_.channel, request, deadline);
    if (!stream_.Begin(&events)) return {};
    v1::RunEvent event;
    while (events.Read(event)) Take(event);
    const auto ended = events.Finish();
    stream_.End();
    if (!ended.ok()) return ended.error();
    // A stream that ends well without the end of the run was cut off by a server.
    Error cut;
    cut.rpc_status = "UNAVAILABLE";
    return cut;
  }

  void Take(const v1::RunEvent& event) {
    cursor_ = std::max(cursor_, event.cursor());
    if (invocation_.format() == OutputFormat::kJsonl && options_.lines_on_stdout) {
      PrintJson(invocation_, ResourceJson(event));
      std::fflush(stdout);
    }
    const bool lines = ForPeople(invocation_) && !invocation_.terminal().live();
    if (event.has_log()) log_.Write(event.time(), event.log(), progress_);
    if (event.has_progress()) {
      progress_.Update(event.progress());
      if (lines) lines_.Progress(event);
    }
    if (event.event_case() == v1::RunEvent::kState && lines) {
      v1::Run run;
      run.set_state(event.state());
      lines_.State(event, StateText(run));
    }
    if (event.has_finished()) finished_ = event.finished();
  }

  bool MayComeBack(const Error& ended) {
    // A daemon that was restarted has yet to take the run up again.
    if (ended.reason == "RUN_INTERRUPTED") return said_away_ && ++untaken_ < 30;
    // CANCELLED: it was sent more than it could be written.
    for (const char* status : {"UNAVAILABLE", "RESOURCE_EXHAUSTED", "ABORTED",
                               "CANCELLED", "DEADLINE_EXCEEDED"}) {
      if (ended.rpc_status == status) return true;
    }
    return false;
  }

  bool TimedOut() const { return deadline_ && Clock::now() >= *deadline_; }

  Error TimeoutError() const {
    Error error;
    error.exit_code = kExitTimedOut;
    error.message = "Run " + LastPart(name_) + " had not ended after " +
                    DurationText(static_cast<double>(options_.timeout->count()));
    error.hint = "It goes on: dxtctl runs watch " + LastPart(name_);
    return error;
  }

  Invocation& invocation_;
  const ResourceServer server_;
  const std::string name_;
  const FollowOptions options_;
  RunLog log_;
  ProgressLines progress_;
  ChangeLines lines_;
  const std::optional<Clock::time_point> deadline_;
  CurrentStream stream_;
  int64_t cursor_ = 0;
  std::optional<std::string> life_;
  bool said_away_ = false;
  int untaken_ = 0;
  std::optional<v1::Run> finished_;
};

}  // namespace

std::string StateText(const v1::Run& run) { return v1::Run::State_Name(run.state()); }

Result<int> FollowRun(Invocation& invocation, const ResourceServer& server,
                      const std::string& name, const FollowOptions& options) {
  CTL_ASSIGN(RunLog log, RunLog::Open(invocation.options));
  const auto follower =
      std::make_shared<Follower>(invocation, server, name, options, std::move(log));
  Interrupts::OnFirst([follower] { follower->Leave(); }, "");
  const auto finished = follower->ToTheEnd();
  Interrupts::Clear();
  if (follower->left()) {
    invocation.Note("\nThe run continues: dxtctl runs watch " + LastPart(name));
    return kExitOk;  // main turns it into 130 or 143.
  }
  if (!finished.ok()) return finished.error();
  if (invocation.format() == OutputFormat::kJsonl && options.lines_on_stdout)
    return finished->exit_code();
  if (!finished->result_json().empty()) {
    PrintRunResult(invocation, finished->name(), finished->result_json());
  } else {
    PrintResource(invocation, *finished, finished->name(),
                  {{"run", LastPart(finished->name())}, {"state", StateText(*finished)}});
  }
  return finished->exit_code();
}

}  // namespace dxt::ctl
