#include <cstdio>

#include <google/protobuf/util/time_util.h>
#include <nlohmann/json.hpp>

#include "client/dxtctl/resources.h"
#include "client/dxtctl/rpc.h"
#include "client/dxtctl/run_follow.h"
#include "client/dxtctl/run_table.h"
#include "client/dxtctl/run_verb.h"
#include "client/dxtctl/schedule_table.h"
#include "client/dxtctl/verbs.h"
#include "dxt/v1/schedule_service.pb.h"

namespace dxt::ctl {
namespace {

using google::protobuf::util::TimeUtil;

/// What `create` and `update` may say of a schedule; unset = not given.
struct ScheduleOptions {
  std::string name, pipeline;
  std::optional<std::string> cron, timezone, misfire, misfire_grace, jitter;
  std::optional<int> max_instances, priority;
  RunVerbOptions run;
  bool validate_only = false;
};

struct OneScheduleOptions {
  std::string name, note, pipeline, request_id, timeout, cron, timezone, from, to;
  bool wait = false, all_projects = false;
  int limit = 10;
};

/// Fills in what was given, and names those fields.
Status Fill(const ResourceServer& server, const ScheduleOptions& options,
            v1::Schedule& schedule, google::protobuf::FieldMask& mask) {
  const auto given = [&](const char* field) { mask.add_paths(field); };
  if (!options.pipeline.empty()) {
    CTL_ASSIGN(*schedule.mutable_pipeline(),
               ResourceName(server, "pipelines", options.pipeline));
    given("pipeline");
  }
  if (options.cron) schedule.set_cron(*options.cron), given("cron");
  if (options.timezone) schedule.set_timezone(*options.timezone), given("timezone");
  if (options.misfire) {
    schedule.set_misfire(*options.misfire == "none"  ? v1::Schedule::NONE
                         : *options.misfire == "all" ? v1::Schedule::ALL
                                                     : v1::Schedule::ONE);
    given("misfire");
  }
  if (options.misfire_grace) {
    CTL_ASSIGN(const int64_t seconds,
               ParseDuration(*options.misfire_grace, "--misfire-grace"));
    schedule.mutable_misfire_grace()->set_seconds(seconds);
    given("misfire_grace");
  }
  if (options.jitter) {
    CTL_ASSIGN(const int64_t seconds, ParseDuration(*options.jitter, "--jitter"));
    schedule.mutable_jitter()->set_seconds(seconds);
    given("jitter");
  }
  if (options.max_instances)
    schedule.set_max_instances(*options.max_instances), given("max_instances");
  if (options.priority) schedule.set_priority(*options.priority), given("priority");
  v1::RunOptions untouched;
  FillRunOptions({}, untouched);
  FillRunOptions(options.run, *schedule.mutable_options());
  if (schedule.options().SerializeAsString() != untouched.SerializeAsString()) {
    given("options");
  } else {
    schedule.clear_options();
  }
  for (const auto& assignment : options.run.documents.variables) {
    CTL_ASSIGN(const auto pair, SplitAssignment(assignment));
    (*schedule.mutable_sql_variables())[pair.first] = pair.second;
  }
  if (!options.run.documents.variables.empty()) given("sql_variables");
  return Done{};
}

void PrintChanged(Invocation& invocation, const v1::Schedule& schedule,
                  bool validate_only) {
  if (validate_only) {
    invocation.Note("Nothing is wrong with it; nothing was stored.");
    return;
  }
  PrintSchedule(invocation, schedule);
}

Result<int> CreateSchedule(Invocation& invocation, const ScheduleOptions& options) {
  if (!options.cron || options.pipeline.empty()) {
    return UsageError("A new schedule needs a pipeline and a cron text",
                      "dxtctl schedules create " + options.name +
                          " --pipeline NAME --cron '0 6 * * *'");
  }
  CTL_ASSIGN(const auto server, invocation.Server());
  CTL_ASSIGN(const auto name, ResourceName(server, "schedules", options.name));
  v1::CreateScheduleRequest request;
  request.set_parent(name.substr(0, name.find("/schedules/")));
  request.set_schedule_id(LastPart(name));
  request.set_validate_only(options.validate_only);
  google::protobuf::FieldMask mask;
  CTL_RETURN_NOT_OK(Fill(server, options, *request.mutable_schedule(), mask));
  CTL_ASSIGN(const auto schedule, Call<v1::Schedule>(server, request));
  PrintChanged(invocation, schedule, options.validate_only);
  return kExitOk;
}

Result<int> UpdateSchedule(Invocation& invocation, const ScheduleOptions& options) {
  CTL_ASSIGN(const auto server, invocation.Server());
  v1::UpdateScheduleRequest request;
  auto& schedule = *request.mutable_schedule();
  CTL_ASSIGN(*schedule.mutable_name(), ResourceName(server, "schedules", options.name));
  CTL_RETURN_NOT_OK(Fill(server, options, schedule, *request.mutable_update_mask()));
  if (request.update_mask().paths().empty()) {
    return UsageError("Nothing was given to change",
                      "dxtctl schedules update " + options.name + " --cron '0 7 * * *'");
  }
  request.set_validate_only(options.validate_only);
  CTL_ASSIGN(const auto updated, Call<v1::Schedule>(server, request));
  PrintChanged(invocation, updated, options.validate_only);
  return kExitOk;
}

Result<int> ListSchedules(Invocation& invocation, const OneScheduleOptions& options) {
  CTL_ASSIGN(const auto server, invocation.Server());
  v1::ListSchedulesRequest request;
  request.set_parent(ListParent(server, options.all_projects));
  request.set_page_size(1000);
  if (!options.pipeline.empty()) {
    CTL_ASSIGN(*request.mutable_pipeline(),
               ResourceName(server, "pipelines", options.pipeline));
  }
  ScheduleTable table(invocation);
  do {
    CTL_ASSIGN(const auto page,
               Call<v1::ListSchedulesResponse>(server, request, {.attempts = 3}));
    for (const auto& schedule : page.schedules()) table.Add(schedule);
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  table.Print(
      "Nothing runs by itself yet: dxtctl schedules create NAME --pipeline PIPELINE "
      "--cron '0 6 * * *'");
  return kExitOk;
}

/// The calls that take a schedule's name and answer with the schedule.
template <typename Request>
Result<int> OneCall(Invocation& invocation, const OneScheduleOptions& options) {
  CTL_ASSIGN(const auto server, invocation.Server());
  Request request;
  CTL_ASSIGN(*request.mutable_name(), ResourceName(server, "schedules", options.name));
  if constexpr (std::is_same_v<Request, v1::PauseScheduleRequest>)
    request.set_note(options.note);
  CTL_ASSIGN(const auto schedule, Call<v1::Schedule>(server, request));
  PrintSchedule(invocation, schedule);
  return kExitOk;
}

Result<int> DeleteSchedule(Invocation& invocation, const OneScheduleOptions& options) {
  CTL_ASSIGN(const auto server, invocation.Server());
  v1::DeleteScheduleRequest request;
  CTL_ASSIGN(*request.mutable_name(), ResourceName(server, "schedules", options.name));
  const std::string name = ShortName(request.name());
  CTL_RETURN_NOT_OK(Confirm(invocation, "Delete the schedule " + name + "?"));
  CTL_ASSIGN(const auto nothing, Call<google::protobuf::Empty>(server, request));
  invocation.Note("Deleted " + name + ".");
  return kExitOk;
}

Result<int> Trigger(Invocation& invocation, const OneScheduleOptions& options) {
  FollowOptions follow;
  if (!options.timeout.empty()) {
    if (!options.wait)
      return UsageError("--timeout is how long --wait waits", "Add --wait");
    CTL_ASSIGN(const int64_t seconds, ParseDuration(options.timeout, "--timeout"));
    follow.timeout = std::chrono::seconds(seconds);
  }
  CTL_ASSIGN(const auto server, invocation.Server());
  v1::TriggerScheduleRequest request;
  CTL_ASSIGN(*request.mutable_name(), ResourceName(server, "schedules", options.name));
  request.set_request_id(options.request_id.empty() ? NewRequestId()
                                                    : options.request_id);
  CTL_ASSIGN(const auto run, Call<v1::Run>(server, request, {.attempts = 4}));
  if (options.wait) return FollowRun(invocation, server, run.name(), follow);
  PrintQueued(invocation, run);
  return kExitOk;
}

Status SetMoment(const std::string& text, const char* flag,
                 google::protobuf::Timestamp& time) {
  CTL_ASSIGN(const auto moment, ParseMoment(text, flag));
  TimeUtil::FromString(moment, &time);
  return Done{};
}

Result<int> Next(Invocation& invocation, const OneScheduleOptions& options) {
  if (options.name.empty() == options.cron.empty()) {
    return UsageError("Fire times are of one schedule, or of one cron text",
                      "dxtctl schedules next NAME, or dxtctl schedules next --cron "
                      "'0 6 * * *'");
  }
  CTL_ASSIGN(const auto server, invocation.Server());
  v1::ListFireTimesRequest request;
  if (!options.name.empty()) {
    CTL_ASSIGN(*request.mutable_name(), ResourceName(server, "schedules", options.name));
  }
  request.set_cron(options.cron);
  request.set_timezone(options.timezone);
  if (!options.from.empty())
    CTL_RETURN_NOT_OK(SetMoment(options.from, "--from", *request.mutable_start_time()));
  if (!options.to.empty())
    CTL_RETURN_NOT_OK(SetMoment(options.to, "--to", *request.mutable_end_time()));
  request.set_page_size(options.limit);
  CTL_ASSIGN(const auto response,
             Call<v1::ListFireTimesResponse>(server, request, {.attempts = 3}));
  if (!ForPeople(invocation) && invocation.format() != OutputFormat::kName) {
    PrintResource(invocation, response, "", {});
    return kExitOk;
  }
  // "in 3h" alone would not say which day it is.
  const TimeFormat format = invocation.time_format() == TimeFormat::kLocal
                                ? TimeFormat::kLocal
                                : TimeFormat::kIso;
  const bool own_zone = invocation.format() != OutputFormat::kName &&
                        response.timezone() != "UTC" &&
                        response.utc_offsets_size() == response.times_size();
  for (int i = 0; i < response.times_size(); ++i) {
    std::string line = TimeText(response.times(i), format);
    if (own_zone) {
      // Beside UTC, so that a change of daylight saving time is seen.
      line += "  " + ClockText(response.times(i), response.utc_offsets(i).seconds()) +
              " " + response.timezone();
    }
    std::printf("%s\n", line.c_str());
  }
  if (response.times().empty()) invocation.Note("It does not fire in that time.");
  return kExitOk;
}

Result<int> Ticks(Invocation& invocation, const OneScheduleOptions& options) {
  CTL_ASSIGN(const auto server, invocation.Server());
  v1::ListTicksRequest request;
  CTL_ASSIGN(*request.mutable_name(), ResourceName(server, "schedules", options.name));
  request.set_page_size(options.limit);
  CTL_ASSIGN(const auto response,
             Call<v1::ListTicksResponse>(server, request, {.attempts = 3}));
  ResourceTable table(
      "ticks",
      {{"TICK", ""}, {"OUTCOME", ""}, {"RUN", ""}, {"FIRED", "", true}, {"REASON", ""}});
  const TimeFormat format = invocation.time_format();
  for (const auto& tick : response.ticks()) {
    table.Add(tick, tick.run(),
              {TimeUtil::ToString(tick.scheduled_time()),
               v1::Tick::Outcome_Name(tick.outcome()), LastPart(tick.run()),
               TimeText(tick.fire_time(), format), tick.reason()});
  }
  table.Print(invocation, "It has not fired yet: dxtctl schedules next " + options.name);
  return kExitOk;
}

void AddChange(Verb parent, Invocation& invocation, const char* name, const char* help,
               const char* examples,
               Result<int> (*action)(Invocation&, const ScheduleOptions&)) {
  auto options = std::make_shared<ScheduleOptions>();
  const Verb verb = parent.AddVerb(name, help);
  verb.Examples(examples);
  verb.Add("schedule", options->name, "Name of the schedule").Required();
  verb.Add("--pipeline", options->pipeline, "What it runs");
  verb.Add("--cron", options->cron,
           "Five fields, @hourly, @daily, @weekly, @monthly, @yearly or "
           "'@every 90s'");
  verb.Add("--timezone", options->timezone, "IANA name (default: UTC)");
  verb.Add("--misfire", options->misfire,
           "Of missed ticks: none, one run for all of them (default), or all")
      .OneOf({"none", "one", "all"});
  verb.Add("--misfire-grace", options->misfire_grace,
           "A tick later than this was missed (default: 60s)");
  verb.Add("--max-instances", options->max_instances, "Runs of it at a time (default: 1)")
      .Between(1, 1000);
  verb.Add("--jitter", options->jitter, "Delay each tick by a random part of this");
  verb.Add("--priority", options->priority, "Of its runs (default: 0)")
      .Between(-1000, 1000);
  AddRunOptions(verb, options->run);
  verb.AddFlag("--full-refresh", options->run.full_refresh, "Read from the beginning");
  verb.AddFlag("--validate-only,--dry-run", options->validate_only,
               "Check it; store nothing");
  verb.SetAction(invocation, options, action);
}

using OneAction = Result<int> (*)(Invocation&, const OneScheduleOptions&);

Verb AddScheduleAction(Verb parent, Invocation& invocation, const char* name,
                       const char* help, const char* examples, OneAction action,
                       std::shared_ptr<OneScheduleOptions> options,
                       bool required = true) {
  const Verb verb = parent.AddVerb(name, help);
  verb.Examples(examples);
  verb.Add("schedule", options->name, "Name of the schedule").Required(required);
  verb.SetAction(invocation, options, action);
  return verb;
}

void AddScheduleListing(Verb parent, Invocation& invocation) {
  auto options = std::make_shared<OneScheduleOptions>();
  const Verb verb = parent.AddVerb("list", "List schedules");
  verb.Examples("  dxtctl schedules list --pipeline orders -o wide");
  verb.Add("--pipeline", options->pipeline, "Only of this pipeline");
  verb.AddFlag("--all-projects,-A", options->all_projects, "Of every project");
  verb.SetAction(invocation, options, ListSchedules);
}

void AddTrigger(Verb parent, Invocation& invocation) {
  auto options = std::make_shared<OneScheduleOptions>();
  const Verb verb =
      AddScheduleAction(parent, invocation, "trigger", "Run it now, beside its ticks",
                        "  dxtctl schedules trigger nightly --wait", Trigger, options);
  verb.AddFlag("--wait,-w", options->wait, "Follow the run, and end with its exit code");
  verb.Add("--timeout", options->timeout,
           "Wait no longer than this (90s, 15m, 2h): exit code 7");
  verb.Add("--request-id", options->request_id,
           "Triggers with one id make one run (default: a new one)");
}

void AddNext(Verb parent, Invocation& invocation) {
  auto options = std::make_shared<OneScheduleOptions>();
  const Verb verb = AddScheduleAction(
      parent, invocation, "next", "Show when it fires, or a cron text would",
      "  dxtctl schedules next nightly --limit 5\n"
      "  dxtctl schedules next --cron '30 2 * * *' --timezone Europe/Berlin "
      "--from 2026-03-28\n"
      "  dxtctl schedules next nightly --from 2026-10-01 --to 2026-11-01",
      Next, options, /*required=*/false);
  verb.Add("--cron", options->cron, "This instead of a stored schedule");
  verb.Add("--timezone", options->timezone, "IANA name, of --cron");
  verb.Add("--from", options->from, "From then on (default: now)");
  verb.Add("--to", options->to, "Until then: what a backfill would run");
  verb.Add("--limit", options->limit, "At most this many (default: 10)").Between(1, 1000);
}

}  // namespace

void AddSchedules(Verb root, Invocation& invocation) {
  const Verb verb = root.AddVerb("schedules", "Let pipelines run by themselves");
  verb.Examples(
      "  dxtctl schedules create nightly --pipeline orders --cron '0 3 * * *' "
      "--timezone Europe/Berlin\n"
      "  dxtctl schedules next nightly\n"
      "  dxtctl schedules pause nightly --note 'until the audit is over'");
  verb.RequireVerb();
  const auto one = [] { return std::make_shared<OneScheduleOptions>(); };
  AddChange(verb, invocation, "create", "Let a pipeline run by itself",
            "  dxtctl schedules create nightly --pipeline orders --cron '0 3 * * *' "
            "--timezone Europe/Berlin",
            CreateSchedule);
  AddScheduleListing(verb, invocation);
  AddScheduleAction(verb, invocation, "get", "Show a schedule",
                    "  dxtctl schedules get nightly -o yaml",
                    OneCall<v1::GetScheduleRequest>, one());
  AddChange(verb, invocation, "update", "Change what is given",
            "  dxtctl schedules update nightly --cron '0 4 * * *'", UpdateSchedule);
  AddScheduleAction(verb, invocation, "delete", "Delete a schedule",
                    "  dxtctl schedules delete nightly --yes", DeleteSchedule, one());
  auto paused = one();
  AddScheduleAction(verb, invocation, "pause", "Let it not fire",
                    "  dxtctl schedules pause nightly --note 'until the audit is over'",
                    OneCall<v1::PauseScheduleRequest>, paused)
      .Add("--note", paused->note, "Why, for whoever looks");
  AddScheduleAction(verb, invocation, "resume", "Let it fire again",
                    "  dxtctl schedules resume nightly",
                    OneCall<v1::ResumeScheduleRequest>, one());
  AddTrigger(verb, invocation);
  AddNext(verb, invocation);
  auto ticks = one();
  AddScheduleAction(verb, invocation, "ticks",
                    "Show what came of its ticks, newest first",
                    "  dxtctl schedules ticks nightly --limit 30", Ticks, ticks)
      .Add("--limit", ticks->limit, "At most this many (default: 10)")
      .Between(1, 1000);
}

}  // namespace dxt::ctl
