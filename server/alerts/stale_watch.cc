#include "server/alerts/stale_watch.h"

#include <algorithm>

#include "base/clock.h"
#include "base/log.h"
#include "base/time_text.h"
#include "server/alerts/alert_message.h"
#include "server/alerts/receivers.h"
#include "server/alerts/told_alerts.h"
#include "server/scheduler/catalog.h"
#include "server/scheduler/cron.h"

namespace dxt {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// New documents and successes are seen after that at the latest.
constexpr auto kBetweenLooks = seconds(60);
constexpr int kTicks = 3;
constexpr char kPrefix[] = "stale ";

std::string KeyOf(const PipelineRecord& pipeline, const std::optional<int64_t>& age) {
  return kPrefix + pipeline.project + "/" + pipeline.name + " " +
         (age ? std::to_string(*age) + " ms" : "by schedule");
}

}  // namespace

arrow::Result<const StaleWatch::Asked*> StaleWatch::AskedOf(
    const PipelineRecord& pipeline, std::map<std::string, Asked>& known) {
  auto project = projects_.find(pipeline.project);
  if (project == projects_.end()) {
    ARROW_ASSIGN_OR_RAISE(const auto stored,
                          parts_.store->definitions().GetProject(pipeline.project));
    project = projects_.emplace(pipeline.project, stored ? stored->revision : 0).first;
  }
  const std::string name = pipeline.project + "/" + pipeline.name;
  Asked& asked = known[name];
  const auto before = asked_.find(name);
  if (before != asked_.end() && before->second.revision == pipeline.revision &&
      before->second.project_revision == project->second) {
    asked = std::move(before->second);
    return &asked;
  }
  ARROW_ASSIGN_OR_RAISE(const auto alerts,
                        parts_.catalog->Alerts(pipeline.project, pipeline.name));
  asked.revision = pipeline.revision;
  asked.project_revision = project->second;
  for (const auto& receiver : ReceiversOf(alerts.rules, {AlertEvent::kStale})) {
    asked.ages.insert(receiver.rule->stale_after_ms);
  }
  return &asked;
}

arrow::Result<StaleWatch::Success> StaleWatch::LastSuccess(
    const PipelineRecord& pipeline) const {
  RunQuery query;
  query.project = pipeline.project;
  query.pipeline = pipeline.name;
  query.states = {"SUCCEEDED"};
  query.dry_run = false;
  query.limit = 1;
  ARROW_ASSIGN_OR_RAISE(const auto runs, parts_.store->runs().List(query));
  Success success;
  if (!runs.empty()) success.at = runs.front().ended_at;
  const std::string& from = success.at.empty() ? pipeline.created_at : success.at;
  success.counted_from = ParseUtcTime(from).value_or(parts_.clock->Now());
  return success;
}

arrow::Result<std::optional<StaleWatch::Time>> StaleWatch::StaleAt(
    const PipelineRecord& pipeline, const Age& age, Time since) const {
  if (age) return since + milliseconds(*age);
  constexpr int kMostSchedules = 100;
  ARROW_ASSIGN_OR_RAISE(const auto schedules,
                        parts_.store->schedules().List(pipeline.project, pipeline.name,
                                                       "", kMostSchedules));
  std::optional<Time> first;
  for (const auto& schedule : schedules) {
    if (schedule.paused) continue;
    const Time anchor = ParseUtcTime(schedule.created_at).value_or(Time());
    const auto cron = CronSchedule::Parse(schedule.cron, schedule.timezone, anchor);
    if (!cron.ok()) continue;
    // Ticks from before it was made, changed or resumed were none of its own.
    Time at = std::max(since, ParseUtcTime(schedule.updated_at).value_or(since));
    for (int tick = 0; tick < kTicks; ++tick) at = cron->Next(at);
    at += seconds(std::max<int64_t>(0, schedule.jitter_seconds));
    if (!first || at < *first) first = at;
  }
  return first;
}

arrow::Status StaleWatch::Tell(const PipelineRecord& pipeline, const Age& age,
                               const Success& success, const std::string& key) {
  RunQuery query;
  query.project = pipeline.project;
  query.pipeline = pipeline.name;
  query.limit = 1;
  ARROW_ASSIGN_OR_RAISE(const auto runs, parts_.store->runs().List(query));
  // The URL is not kept between looks: it may come from a secret that was replaced.
  ARROW_ASSIGN_OR_RAISE(const auto alerts,
                        parts_.catalog->Alerts(pipeline.project, pipeline.name));
  AlertMessage message = StaleMessage(
      pipeline, success.at, runs.empty() ? std::nullopt : std::optional(runs.front()));
  message.server = parts_.server;
  message.time = FormatTime(parts_.clock->Now());
  for (const auto& receiver : ReceiversOf(alerts.rules, {AlertEvent::kStale})) {
    if (receiver.rule->stale_after_ms != age) continue;
    if (SendTo(*receiver.rule, message, *parts_.sender)) {
      parts_.told->Set(key, FormatTime(success.counted_from));
    }
  }
  return arrow::Status::OK();
}

arrow::Status StaleWatch::LookAt(const PipelineRecord& pipeline, const Asked& asked,
                                 Time now, Time& next, std::set<std::string>& stale) {
  ARROW_ASSIGN_OR_RAISE(const Success success, LastSuccess(pipeline));
  for (const Age& age : asked.ages) {
    ARROW_ASSIGN_OR_RAISE(const auto at, StaleAt(pipeline, age, success.counted_from));
    if (!at) continue;
    if (*at > now) {
      next = std::min(next, *at);
      continue;
    }
    const std::string key = KeyOf(pipeline, age);
    stale.insert(key);
    if (parts_.told->Of(key) == FormatTime(success.counted_from)) continue;
    ARROW_RETURN_NOT_OK(Tell(pipeline, age, success, key));
  }
  return arrow::Status::OK();
}

arrow::Result<StaleWatch::Time> StaleWatch::Look() {
  std::lock_guard looking(looking_);
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(forget_, false)) asked_.clear();
  }
  const Time now = parts_.clock->Now();
  Time next = now + kBetweenLooks;
  std::map<std::string, Asked> known;
  std::set<std::string> stale;
  projects_.clear();
  constexpr int kPage = 500;
  std::string after;
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const auto page,
                          parts_.store->definitions().ListPipelines("", after, kPage));
    for (const auto& pipeline : page) {
      after = pipeline.project + "/" + pipeline.name;
      const auto asked = AskedOf(pipeline, known);
      if (!asked.ok()) continue;  // Removed meanwhile; otherwise the next look tells.
      if (pipeline.paused || (*asked)->ages.empty()) continue;
      ARROW_RETURN_NOT_OK(LookAt(pipeline, **asked, now, next, stale));
    }
    if (page.size() < kPage) break;
  }
  asked_ = std::move(known);
  parts_.told->KeepOnly(kPrefix, stale);
  return next;
}

void StaleWatch::Changed() {
  {
    std::lock_guard lock(mutex_);
    dirty_ = forget_ = true;
  }
  changed_.notify_all();
}

void StaleWatch::Start() {
  thread_ = std::jthread([this](std::stop_token stop) { Work(stop); });
}

void StaleWatch::Stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void StaleWatch::Work(std::stop_token stop) {
  while (!stop.stop_requested()) {
    {
      std::lock_guard lock(mutex_);
      dirty_ = false;
    }
    const auto next = Look();
    if (!next.ok() && parts_.log != nullptr) {
      parts_.log->Write(LogLevel::kWarning, "stale_unknown", next.status().message());
    }
    const auto wait = next.ok() ? *next - parts_.clock->Now() : kBetweenLooks;
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop,
                      std::clamp<Time::duration>(wait, milliseconds(10), kBetweenLooks),
                      [this] { return dirty_; });
  }
}

}  // namespace dxt
