// The scheduler, its queue, leases and dependents under a simulated clock, with crashes,
// stuck workers and clock jumps drawn from a seed.
//
//   scheduler_simulation_test --seed=N              replays one seed, tells what happens
//   scheduler_simulation_test [--from=N] --seeds=N  as many seeds as that
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <set>

#include <malloc.h>

#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"
#include "base/time_text.h"
#include "connectors/sdk/registry.h"
#include "server/scheduler/catalog.h"
#include "server/scheduler/cron.h"
#include "server/scheduler/dispatcher.h"
#include "server/scheduler/schedule_loop.h"
#include "server/scheduler/state_journal.h"
#include "state/sqlite/sqlite_state_store.h"

namespace dxt {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using Time = std::chrono::system_clock::time_point;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
int seeds_wanted = 500;  // The sanitizers look for other faults, and are slow.
#else
int seeds_wanted = 10000;
#endif
unsigned first_seed = 1;
std::optional<unsigned> only_seed;
std::string program;
/// Tests that the seeds are dealt out to, so that they can run side by side.
constexpr unsigned kParts = 4;

class SimulatedClock : public Clock {
 public:
  Time Now() const override { return wall_; }
  std::chrono::steady_clock::time_point Tick() const override { return steady_; }
  bool WaitUntil(std::chrono::steady_clock::time_point deadline,
                 std::stop_token) override {
    if (deadline > steady_) Advance(std::chrono::ceil<milliseconds>(deadline - steady_));
    return true;
  }
  void Advance(milliseconds by) {
    wall_ += by;
    steady_ += by;
  }
  void Jump(milliseconds by) { wall_ += by; }

 private:
  Time wall_ = Time(seconds(1795251600));
  std::chrono::steady_clock::time_point steady_;
};

class CountingIds : public IdSource {
 public:
  std::string Ulid() override {
    char id[32];
    std::snprintf(id, sizeof id, "%026lld", ++last_);
    return id;
  }

 private:
  long long last_ = 0;
};

PipelineDocument DocumentOf(const std::string& project, const std::string& text) {
  PipelineDocument pipeline;
  pipeline.project.name = project;
  pipeline.name = text.substr(0, 1);
  pipeline.runtime.memory_limit = text[3] - '0';
  pipeline.runtime.overlap = static_cast<Overlap>(text[1] - '0');
  pipeline.runtime.fail_interrupted = text[2] == 'f';
  pipeline.runtime.timeout_ms = 12 * 60 * 1000;
  return pipeline;
}

/// Stored pipelines whose documents are "<name><overlap><r|f><memory>".
class SimulatedSource : public RunSource {
 public:
  SimulatedSource(StateStore& store) : store_(store) {}
  arrow::Result<Submission> Prepare(std::string_view project, std::string_view pipeline,
                                    RunOptions options,
                                    const std::map<std::string, std::string>&,
                                    int64_t revision) override {
    ARROW_ASSIGN_OR_RAISE(const auto stored,
                          store_.definitions().GetPipeline(project, pipeline, revision));
    Submission submission;
    submission.pipeline = DocumentOf(std::string(project), stored->document.text);
    submission.pipeline_document = stored->document;
    submission.document_hash = stored->document.text;
    submission.options = std::move(options);
    submission.pipeline_revision = stored->revision;
    return submission;
  }

 private:
  StateStore& store_;
};

/// One seed: a world, and what must hold in it.
class World {
 public:
  World(unsigned seed, SqliteStateStore& store, CountingIds& ids, bool tell)
      : random_(seed * 2654435761u + 12345),
        store_(store),
        ids_(ids),
        tell_(tell),
        project_("s" + std::to_string(seed)),
        source_(store),
        jumps_(Draw(2) == 0),
        places_(1 + static_cast<size_t>(Draw(3))) {}

  /// "" or what went wrong.
  std::string Run() {
    SetUp();
    Start();
    for (int step = 0; step < 45 && wrong_.empty(); ++step) Step();
    if (wrong_.empty()) Settle();
    Crash();
    return wrong_;
  }

 private:
  static constexpr int64_t kMemory = 3;
  struct Execution {
    std::shared_ptr<Dispatcher::Job> job;
    Lease lease;
    std::string pipeline;
  };

  int Draw(int below) {
    return static_cast<int>(random_() % static_cast<unsigned>(below));
  }
  void Say(const std::string& text) {
    if (tell_) std::printf("%s  %s\n", FormatTime(clock_.Now()).c_str(), text.c_str());
  }
  void Check(bool holds, const std::string& what) {
    if (!holds && wrong_.empty()) wrong_ = what;
  }
  template <typename T>
  T Must(arrow::Result<T> result, const char* what) {
    Check(result.ok(), std::string(what) + ": " + result.status().ToString());
    return result.ok() ? *std::move(result) : T();
  }

  void SetUp() {
    ProjectRecord project;
    project.name = project_;
    project.created_at = project.updated_at = FormatTime(clock_.Now());
    Must(store_.definitions().ApplyProject(project, std::nullopt), "project");
    for (const char* name : {"a", "b", "c", "d"}) {
      PipelineRecord record;
      record.project = project_;
      record.name = name;
      record.document.text = name + std::to_string(Draw(3)) + (Draw(4) == 0 ? "f" : "r") +
                             std::to_string(1 + Draw(2));
      record.overlap = "queue";
      record.created_at = record.updated_at = FormatTime(clock_.Now());
      Must(store_.definitions().ApplyPipeline(record, std::nullopt), "pipeline");
      texts_[name] = record.document.text;
    }
    for (const auto& [up, down] : std::vector<std::pair<std::string, std::string>>{
             {"a", "c"}, {"b", "c"}, {"c", "d"}, {"a", "d"}}) {
      if (Draw(3) == 0) continue;
      Check(store_.dependencies().Add({project_, up, down, "", ""}).ok(), "dependency");
      upstreams_[down][up] = false;
    }
    const char* crons[] = {"*/5 * * * *", "@every 4m", "17 * * * *", "@every 11m"};
    const char* policies[] = {"none", "one", "all"};
    for (const char* name : {"s1", "s2"}) {
      ScheduleRecord schedule;
      schedule.project = project_;
      schedule.name = name;
      schedule.pipeline = Draw(2) ? "a" : "b";
      schedule.cron = crons[Draw(4)];
      schedule.misfire = policies[Draw(3)];
      schedule.max_instances = 1 + Draw(3);
      schedule.jitter_seconds = Draw(2) * 40;
      schedule.created_at = FormatTime(clock_.Now());
      schedule.next_at = Must(FirstDue(schedule, clock_.Now()), "first due");
      schedules_.push_back(Must(store_.schedules().Create(schedule), "schedule"));
    }
    created_ = clock_.Now();
  }

  void Start() {
    DispatcherOptions options;
    options.max_workers = static_cast<int>(places_);
    options.own_threads = false;
    options.resumes = true;
    options.memory_budget = kMemory;
    options.source = &source_;
    options.store_logs = false;
    options.stuck_after = seconds(60);
    options.parse = [this](const DocumentInputs& inputs) {
      ParsedDocuments parsed;
      parsed.pipeline = DocumentOf(project_, inputs.pipeline->text);
      return parsed;
    };
    dispatcher_ =
        std::make_unique<Dispatcher>(options, registry_, clock_, ids_, store_, nullptr);
    loop_ = std::make_unique<ScheduleLoop>(store_, *dispatcher_, clock_, nullptr);
    Check(dispatcher_->Recover().ok(), "recover");
    Say("started");
    FireDue();
  }

  /// The process is gone; its workers' leases are left behind.
  void Crash() {
    if (!dispatcher_) return;
    Say("crashed");
    for (auto& [id, execution] : live_) zombies_.push_back(execution.lease);
    live_.clear();
    dispatcher_->Drain(milliseconds(0));
    loop_.reset();
    dispatcher_.reset();
    Check(store_.Recover().ok(), "store recovery");
    for (const auto& lease : zombies_) CheckFenced(lease);
  }

  void CheckFenced(const Lease& lease) {
    StateJournal journal(store_, clock_, lease);
    StreamIdentity identity;
    identity.pipeline = project_ + "/x";
    identity.stream = "stream";
    const auto status = journal.SaveCheckpoint(identity, {});
    Check(GetErrorInfo(status).error_class == ErrorClass::kFenced,
          "a worker that lost run " + lease.run_id + " could write");
  }

  void Step() {
    switch (Draw(14)) {
      case 0:
      case 1:
      case 2:
        clock_.Advance(seconds(Draw(600)));
        FireDue();
        break;
      case 3:
      case 4:
      case 5:
        Begin();
        break;
      case 6:
      case 7:
      case 8:
        End();
        break;
      case 9:
        Submit();
        break;
      case 10:
        Cancel();
        break;
      case 11:
        Crash();
        if (Draw(2)) clock_.Advance(minutes(Draw(60)));
        if (jumps_ && Draw(3) == 0) clock_.Jump(minutes(Draw(80) - 40));
        Start();
        break;
      case 12:
        if (!jumps_) break;
        clock_.Jump(minutes(Draw(80) - 40));
        Say("clock jumped");
        FireDue();
        break;
      case 13:
        // Long enough for time-outs, and then for workers that do not listen.
        clock_.Advance(minutes(13));
        dispatcher_->CheckAlarms();
        clock_.Advance(minutes(2));
        dispatcher_->CheckAlarms();
        FindLost();
        FireDue();
        break;
    }
  }

  void FireDue() {
    Must(loop_->FireDue(), "schedule loop");
    for (const auto& schedule : schedules_) {
      CheckTicks(schedule);
      if (jumps_) CheckNext(schedule.name);
    }
    NoteMade();
  }

  /// A clock that was set back has put the schedule back too.
  void CheckNext(const std::string& name) {
    const auto schedule = Must(store_.schedules().Get(project_, name), "get");
    const auto first = Must(FirstDue(*schedule, clock_.Now()), "first due");
    Check(schedule->next_at <= first, "schedule " + name + " waits until " +
                                          schedule->next_at +
                                          ", and its next tick is due at " + first);
  }

  void CheckTicks(const ScheduleRecord& schedule) {
    const auto cron = *CronSchedule::Parse(schedule.cron, "", created_);
    const auto rows =
        Must(store_.schedules().Ticks(project_, schedule.name, "", 100000), "ticks");
    std::map<std::string, std::string> outcomes;
    for (const auto& row : rows) outcomes[row.scheduled_at] = row.outcome;
    // Due for certain: its jitter has passed as well.
    const Time certain = clock_.Now() - seconds(schedule.jitter_seconds);
    const auto newest = cron.Last(certain, created_);
    if (!newest) return;
    // Before a jump ahead was undone, ticks were passed over in its favour.
    highest_ = std::max(highest_, clock_.Now());
    const bool is_ahead = clock_.Now() >= highest_;
    const auto expected = [&](Time tick, bool run) {
      const auto found = outcomes.find(FormatTime(tick));
      Check(found != outcomes.end(), "tick " + FormatTime(tick) + " of " + schedule.name +
                                         " (" + schedule.misfire + ") was lost");
      if (run && !jumps_ && found != outcomes.end()) {
        Check(found->second != "SKIPPED_MISFIRE",
              "tick " + FormatTime(tick) + " of " + schedule.name + " was passed over");
      }
    };
    if (schedule.misfire == "all") {
      // What was found once stays: ticks are never deleted.
      Time& found_until = found_until_.try_emplace(schedule.name, created_).first->second;
      for (const Time tick : cron.Between(found_until, *newest + seconds(1), 90)) {
        expected(tick, true);
        found_until = std::max(found_until, tick);
      }
    } else if (schedule.misfire == "one") {
      const bool is_newest = *cron.Last(clock_.Now(), created_) == *newest;
      if (is_newest && is_ahead) expected(*newest, true);
    } else if (is_ahead &&
               clock_.Now() - *newest <= seconds(schedule.misfire_grace_seconds)) {
      expected(*newest, true);
    }
  }

  /// Runs of this world that are newer than `after`, oldest first.
  std::vector<RunRecord> RunsAfter(const std::string& after,
                                   std::vector<std::string> states = {}) {
    RunQuery query;
    query.project = project_;
    query.limit = 100000;
    query.ascending = true;
    query.after_id = after;
    query.states = std::move(states);
    return Must(store_.runs().List(query), "list");
  }

  /// Looks at the runs made since the last look: each takes its dependencies' marks back.
  void NoteMade() {
    for (const auto& run : RunsAfter(newest_run_)) {
      newest_run_ = run.id;
      made_.push_back(run.id);
      for (auto& [up, satisfied] : upstreams_[run.pipeline]) satisfied = false;
      if (run.trigger.kind == "SCHEDULE") {
        Check(ticks_.insert(run.trigger.source + "@" + run.trigger.scheduled_at).second,
              "tick " + run.trigger.scheduled_at + " fired twice");
      }
      Say("run " + run.id.substr(20) + " of " + run.pipeline + " made by " +
          run.trigger.kind);
    }
  }

  /// The run that must begin now, or "": of those that wait and whose pipeline does not
  /// execute, the first by priority and age, where a place and its memory are free.
  std::string Next() {
    std::set<std::string> busy;
    int64_t free = kMemory;
    for (const auto& [id, execution] : live_) {
      busy.insert(execution.pipeline);
      free -= texts_[execution.pipeline][3] - '0';
    }
    std::pair<int, std::string> first{1, ""};
    bool fits = false;
    for (const auto& run : RunsAfter(first_run_, {"QUEUED", "RUNNING"})) {
      Check(run.state == "QUEUED" || run.interrupted || live_.count(run.id),
            "run " + run.id + " is shown as RUNNING, and nothing executes it");
      if (live_.count(run.id) || busy.count(run.pipeline)) continue;
      const std::pair<int, std::string> rank(-run.priority, run.id);
      if (!first.second.empty() && first < rank) continue;
      first = rank;
      fits = texts_[run.pipeline][3] - '0' <= free;
    }
    return fits && live_.size() < places_ ? first.second : "";
  }

  void Begin() {
    const std::string next = Next();
    const auto job = dispatcher_->Begin();
    const std::string id = job ? Dispatcher::IdOf(*job) : "";
    Check(id == next, "run \"" + next + "\" was to begin, and \"" + id + "\" did");
    if (!job) return;
    const auto run = Must(store_.runs().Get(id), "get");
    Check(!live_.count(id), "run " + id + " is executed twice");
    for (const auto& [other, execution] : live_) {
      Check(execution.pipeline != run->pipeline,
            "runs " + other + " and " + id + " of one pipeline execute together");
    }
    Check(run->attempt == 1 || texts_[run->pipeline][2] != 'f',
          "run " + id + " was interrupted and goes on, though it was to fail");
    live_[id] = {job, {id, run->attempt}, run->pipeline};
    Say("run " + id.substr(20) + " began, attempt " + std::to_string(run->attempt));
  }

  void End() {
    if (live_.empty()) return;
    auto at = live_.begin();
    std::advance(at, Draw(static_cast<int>(live_.size())));
    const Execution execution = at->second;
    live_.erase(at);
    const bool stopped = Dispatcher::StopOf(*execution.job).stop_requested();
    EndWith(execution, stopped        ? RunState::kCancelled
                       : Draw(4) == 0 ? RunState::kFailed
                                      : RunState::kSucceeded);
  }

  void EndWith(const Execution& execution, RunState state) {
    const std::string id = execution.lease.run_id;
    const auto run = Must(store_.runs().Get(id), "get");
    if (!run) return;
    std::map<std::string, int> expected;
    if (state == RunState::kSucceeded) {
      for (auto& [down, ups] : upstreams_) {
        if (!ups.count(run->pipeline)) continue;
        ups[run->pipeline] = true;
        const bool ready =
            std::all_of(ups.begin(), ups.end(), [](const auto& up) { return up.second; });
        expected[down] = ready && Admitted(down);
      }
    }
    RunResult result;
    result.project = project_;
    result.pipeline = run->pipeline;
    result.state = state;
    if (state != RunState::kSucceeded) {
      result.error = MakeError(ErrorClass::kData, "test.failed", "it failed");
    }
    dispatcher_->End(execution.job, result);
    Say("run " + id.substr(20) + " ended " + std::string(RunStateName(state)));
    const auto after = Must(store_.runs().Get(id), "get");
    Check(after && IsTerminalRunState(after->state), "run " + id + " ended unstored");
    CheckFenced(execution.lease);
    for (const auto& made : RunsAfter(newest_run_)) {
      if (made.trigger.kind == "DEPENDENCY" && made.trigger.source == id) {
        --expected[made.pipeline];
      }
    }
    for (const auto& [down, missing] : expected) {
      Check(missing == 0, "dependent " + down + " of run " + id + " was made " +
                              (missing > 0 ? "never" : "twice"));
    }
    NoteMade();
  }

  /// Whether the overlap policy lets a dependent be made.
  bool Admitted(const std::string& pipeline) {
    bool running = false, waiting = false;
    for (const auto& run : RunsAfter(first_run_, {"QUEUED", "RUNNING", "CANCELLING"})) {
      if (run.pipeline != pipeline) continue;
      (run.state == "QUEUED" || (run.interrupted && !live_.count(run.id)) ? waiting
                                                                          : running) =
          true;
    }
    switch (static_cast<Overlap>(texts_[pipeline][1] - '0')) {
      case Overlap::kSkip:
        return !running && !waiting;
      case Overlap::kQueue:
        return !waiting;
      case Overlap::kCancelPrevious:
        return true;
    }
    return true;
  }

  /// Workers that were given up: what they bring back must be void.
  void FindLost() {
    for (auto at = live_.begin(); at != live_.end();) {
      const auto run = Must(store_.runs().Get(at->first), "get");
      Check(run && IsTerminalRunState(run->state),
            "run " + at->first + " has passed its time-out and was not given up");
      if (!wrong_.empty()) return;
      Say("run " + at->first.substr(20) + " was given up");
      const Execution lost = at->second;
      at = live_.erase(at);
      RunResult late;
      late.project = project_;
      late.pipeline = run->pipeline;
      late.state = RunState::kSucceeded;
      dispatcher_->End(lost.job, late);
      const auto after = Must(store_.runs().Get(lost.lease.run_id), "get");
      Check(after->state == run->state, "a stuck worker ended its run a second time");
      CheckFenced(lost.lease);
    }
    NoteMade();
  }

  void Submit() {
    const std::string name(1, static_cast<char>('a' + Draw(4)));
    auto submission = *source_.Prepare(project_, name, {}, {}, 0);
    submission.priority = Draw(3);
    submission.request_id = project_ + "-" + std::to_string(Draw(12));
    submission.request_hash = "same";
    const auto run = dispatcher_->Submit(std::move(submission));
    if (!run.ok()) return Check(false, "submit: " + run.status().ToString());
    const auto [known, fresh] =
        acknowledged_.emplace(project_ + "-" + run->request_id, run->id);
    Check(fresh || known->second == run->id,
          "request " + run->request_id + " made two runs");
    NoteMade();
  }

  void Cancel() {
    if (made_.empty()) return;
    const auto& id = made_[static_cast<size_t>(Draw(static_cast<int>(made_.size())))];
    const auto found = Must(store_.runs().Get(id), "get");
    if (!found) return Check(false, "run " + id + " is lost");
    const RunRecord& run = *found;
    const auto cancelled = dispatcher_->Cancel(run.id, "sim");
    Check(cancelled.ok(), "cancel: " + cancelled.status().ToString());
    if (run.state == "QUEUED") {
      Check(cancelled->state == "CANCELLED", "a queued run was not cancelled at once");
    }
    Say("run " + run.id.substr(20) + " cancelled");
  }

  /// Without further trouble everything ends, and nothing was lost.
  void Settle() {
    Crash();
    Start();
    for (int round = 0; round < 2000 && wrong_.empty(); ++round) {
      Begin();
      if (live_.empty()) break;
      const Execution execution = live_.begin()->second;
      live_.erase(live_.begin());
      // Failures end chains of dependents.
      EndWith(execution, Dispatcher::StopOf(*execution.job).stop_requested()
                             ? RunState::kCancelled
                             : RunState::kFailed);
    }
    std::set<std::string> ids;
    for (const auto& run : RunsAfter(first_run_)) {
      ids.insert(run.id);
      Check(IsTerminalRunState(run.state),
            "run " + run.id + " is " + run.state + " for ever");
    }
    for (const auto& [request, id] : acknowledged_) {
      Check(ids.count(id), "run " + id + " was acknowledged and is lost");
    }
    const auto status = dispatcher_->Status();
    Check(status.queued == 0 && status.busy == 0 && status.memory_reserved == 0,
          "the queue is not empty at the end");
    for (const auto& schedule : schedules_) {
      Check(store_.schedules().Delete(project_, schedule.name).ok(), "delete");
    }
  }

  std::mt19937 random_;
  SqliteStateStore& store_;
  CountingIds& ids_;
  const bool tell_;
  const std::string project_;
  SimulatedClock clock_;
  SimulatedSource source_;
  const bool jumps_;
  const size_t places_;
  Time created_, highest_;
  std::map<std::string, Time> found_until_;
  ConnectorRegistry registry_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::unique_ptr<ScheduleLoop> loop_;
  std::map<std::string, std::string> texts_;
  std::map<std::string, std::map<std::string, bool>> upstreams_;
  std::vector<ScheduleRecord> schedules_;
  std::map<std::string, Execution> live_;
  std::vector<Lease> zombies_;
  std::map<std::string, std::string> acknowledged_;
  std::set<std::string> ticks_;
  /// Ids grow, so what is newer than this is of this world.
  const std::string first_run_ = ids_.Ulid();
  std::string newest_run_ = first_run_;
  std::vector<std::string> made_;
  std::string wrong_;
};

class SchedulerSimulation : public testing::TestWithParam<unsigned> {};

TEST_P(SchedulerSimulation, NothingIsLostOrDoneTwice) {
  std::unique_ptr<SqliteStateStore> store;
  CountingIds ids;
  unsigned done = 0;
  const auto started = std::chrono::steady_clock::now();
  const unsigned first = only_seed.value_or(first_seed);
  const unsigned end =
      only_seed ? first + 1 : first + static_cast<unsigned>(seeds_wanted);
  for (unsigned seed = first; seed < end; ++seed) {
    if (seed % kParts != GetParam()) continue;
    // A new database costs more than a seed; a full one makes its queries slow.
    if (done++ % 50 == 0) store = *SqliteStateStore::MakeInMemory();
    const std::string wrong = World(seed, *store, ids, only_seed.has_value()).Run();
    ASSERT_EQ(wrong, "") << "replay with: " << program << " --seed=" << seed;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  std::printf("%u seeds in %.1f s\n", done, took.count());
}

INSTANTIATE_TEST_SUITE_P(Seeds, SchedulerSimulation, testing::Range(0u, kParts));

}  // namespace
}  // namespace dxt

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  // Each transaction in memory takes and frees a little: do not give it back every time.
  mallopt(M_TRIM_THRESHOLD, 64 << 20);
  mallopt(M_TOP_PAD, 4 << 20);
  dxt::program = argv[0];
  for (int i = 1; i < argc; ++i) {
    if (std::strncmp(argv[i], "--seed=", 7) == 0) {
      dxt::only_seed = static_cast<unsigned>(std::strtoul(argv[i] + 7, nullptr, 10));
    } else if (std::strncmp(argv[i], "--seeds=", 8) == 0) {
      dxt::seeds_wanted = std::atoi(argv[i] + 8);
    } else if (std::strncmp(argv[i], "--from=", 7) == 0) {
      dxt::first_seed = static_cast<unsigned>(std::strtoul(argv[i] + 7, nullptr, 10));
    }
  }
  return RUN_ALL_TESTS();
}
