// What must hold in a world, and what is known of it.
#include "server/scheduler/test_world.h"

#include <algorithm>

#include "base/error.h"
#include "base/time_text.h"
#include "server/scheduler/cron.h"
#include "server/scheduler/state_journal.h"

namespace dxt::simulation {

using std::chrono::seconds;

void World::CheckFenced(const Lease& lease) {
  StateJournal journal(store_, clock_, lease);
  StreamIdentity identity;
  identity.pipeline = project_ + "/x";
  identity.stream = "stream";
  const auto status = journal.SaveCheckpoint(identity, {});
  Check(GetErrorInfo(status).error_class == ErrorClass::kFenced,
        "a worker that lost run " + lease.run_id + " could write");
}

void World::FireDue() {
  Must(loop_->FireDue(), "schedule loop");
  for (const auto& schedule : schedules_) {
    CheckTicks(schedule);
    if (jumps_) CheckNext(schedule.name);
  }
  NoteMade();
}

void World::CheckNext(const std::string& name) {
  const auto schedule = Must(store_.schedules().Get(project_, name), "get");
  const auto first = Must(FirstDue(*schedule, clock_.Now()), "first due");
  Check(schedule->next_at <= first, "schedule " + name + " waits until " +
                                        schedule->next_at +
                                        ", and its next tick is due at " + first);
}

void World::CheckTicks(const ScheduleRecord& schedule) {
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

std::vector<RunRecord> World::RunsAfter(const std::string& after,
                                        std::vector<std::string> states) {
  RunQuery query;
  query.project = project_;
  query.limit = 100000;
  query.ascending = true;
  query.after_id = after;
  query.states = std::move(states);
  return Must(store_.runs().List(query), "list");
}

void World::NoteMade() {
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

std::string World::Next() {
  std::set<std::string> busy;
  int64_t free = kMemory;
  for (const auto& [id, execution] : live_) {
    busy.insert(execution.pipeline);
    free -= MemoryOf(texts_[execution.pipeline]);
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
    fits = MemoryOf(texts_[run.pipeline]) <= free;
  }
  return fits && live_.size() < places_ ? first.second : "";
}

void World::Begin() {
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

void World::End() {
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

void World::EndWith(const Execution& execution, RunState state) {
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

bool World::Admitted(const std::string& pipeline) {
  bool running = false, waiting = false;
  for (const auto& run : RunsAfter(first_run_, {"QUEUED", "RUNNING", "CANCELLING"})) {
    if (run.pipeline != pipeline) continue;
    (run.state == "QUEUED" || (run.interrupted && !live_.count(run.id)) ? waiting
                                                                        : running) = true;
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

void World::FindLost() {
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

}  // namespace dxt::simulation
