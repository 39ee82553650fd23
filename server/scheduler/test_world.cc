// What happens in a world.
#include "server/scheduler/test_world.h"

#include <algorithm>
#include <cstdio>

#include "base/error.h"
#include "base/time_text.h"

namespace dxt::simulation {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

PipelineDocument DocumentOf(const std::string& project, const std::string& text) {
  PipelineDocument pipeline;
  pipeline.project.name = project;
  pipeline.name = text.substr(0, 1);
  pipeline.runtime.memory_limit = MemoryOf(text);
  pipeline.runtime.overlap = static_cast<Overlap>(text[1] - '0');
  pipeline.runtime.fail_interrupted = text[2] == 'f';
  pipeline.runtime.timeout_ms = 12 * 60 * 1000;
  return pipeline;
}

int64_t MemoryOf(const std::string& text) { return text[3] - '0'; }

arrow::Result<Submission> SimulatedSource::Prepare(
    std::string_view project, std::string_view pipeline, RunOptions options,
    const std::map<std::string, std::string>&, int64_t revision) {
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

World::World(unsigned seed, SqliteStateStore& store, CountingIds& ids, bool tell)
    : random_(seed * 2654435761u + 12345),
      store_(store),
      ids_(ids),
      tell_(tell),
      project_("s" + std::to_string(seed)),
      source_(store),
      jumps_(Draw(2) == 0),
      places_(1 + static_cast<size_t>(Draw(3))) {}

std::string World::Run() {
  SetUp();
  Start();
  for (int step = 0; step < 45 && wrong_.empty(); ++step) Step();
  if (wrong_.empty()) Settle();
  Crash();
  return wrong_;
}

int World::Draw(int below) {
  return static_cast<int>(random_() % static_cast<unsigned>(below));
}

void World::Say(const std::string& text) {
  if (tell_) std::printf("%s  %s\n", FormatTime(clock_.Now()).c_str(), text.c_str());
}

void World::Check(bool holds, const std::string& what) {
  if (!holds && wrong_.empty()) wrong_ = what;
}

void World::SetUp() {
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

void World::Start() {
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

void World::Crash() {
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

void World::Step() {
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

void World::Submit() {
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

void World::Cancel() {
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

void World::Settle() {
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

}  // namespace dxt::simulation
