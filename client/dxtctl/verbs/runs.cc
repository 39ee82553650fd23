#include <algorithm>
#include <cstdio>
#include <set>
#include <thread>

#include <google/protobuf/util/time_util.h>
#include <nlohmann/json.hpp>

#include "client/dxtctl/interrupts.h"
#include "client/dxtctl/resources.h"
#include "client/dxtctl/run_follow.h"
#include "client/dxtctl/run_log.h"
#include "client/dxtctl/run_table.h"
#include "client/dxtctl/summary.h"
#include "client/dxtctl/verbs.h"
#include "dxt/v1/run_service.pb.h"

namespace dxt::ctl {
namespace {

struct RunListOptions {
  std::vector<std::string> states;
  std::string pipeline, since, until, trigger, filter;
  int limit = 50;
  bool all_projects = false;
};

struct OneRunOptions {
  std::string run, reason, timeout, request_id;
  bool wait = false;
};

struct LogOptions {
  std::string run, stream, level = "info";
  bool follow = false;
};

Result<std::string> FilterOf(const RunListOptions& options) {
  std::vector<std::string> terms;
  // The server's filter knows no OR: several states are picked out here.
  if (options.states.size() == 1) terms.push_back("state=" + options.states[0]);
  if (!options.trigger.empty()) terms.push_back("trigger=" + options.trigger);
  if (!options.since.empty()) {
    CTL_ASSIGN(const auto time, ParseMoment(options.since, "--since"));
    terms.push_back("create_time>=\"" + time + "\"");
  }
  if (!options.until.empty()) {
    CTL_ASSIGN(const auto time, ParseMoment(options.until, "--until"));
    terms.push_back("create_time<\"" + time + "\"");
  }
  if (!options.filter.empty()) terms.push_back(options.filter);
  std::string filter;
  for (const auto& term : terms) filter += (filter.empty() ? "" : " AND ") + term;
  return filter;
}

Result<int> ListRuns(Invocation& invocation, const RunListOptions& options) {
  CTL_ASSIGN(const auto server, invocation.Server());
  v1::ListRunsRequest request;
  request.set_parent(ListParent(server, options.all_projects));
  request.set_pipeline(options.pipeline);
  CTL_ASSIGN(*request.mutable_filter(), FilterOf(options));
  const std::set<std::string> states(options.states.begin(), options.states.end());
  RunTable table(invocation);
  bool more = false;
  do {
    request.set_page_size(std::min(options.limit, 1000));
    CTL_ASSIGN(const auto page,
               Call<v1::ListRunsResponse>(server, request, {.attempts = 3}));
    for (const auto& run : page.runs()) {
      if (!states.empty() && !states.contains(StateText(run))) continue;
      more = static_cast<int>(table.size()) == options.limit;
      if (more) break;
      table.Add(run);
    }
    request.set_page_token(page.next_page_token());
  } while (!more && !request.page_token().empty());
  const bool narrowed = !request.filter().empty() || !options.pipeline.empty();
  table.Print(narrowed ? "No run is like that; `dxtctl runs list` shows all of them."
                       : "Nothing has run yet: dxtctl submit PIPELINE --wait");
  if (more) invocation.Note("There are more: --limit N, --since 2d, --state FAILED");
  return kExitOk;
}

Result<int> GetRun(Invocation& invocation, const OneRunOptions& options) {
  CTL_ASSIGN(const auto server, invocation.Server());
  v1::GetRunRequest request;
  CTL_ASSIGN(*request.mutable_name(), ResourceName(server, "runs", options.run));
  CTL_ASSIGN(const auto run, Call<v1::Run>(server, request, {.attempts = 3}));
  PrintRun(invocation, run);
  return kExitOk;
}

Result<FollowOptions> FollowOptionsOf(const OneRunOptions& options) {
  FollowOptions follow;
  if (!options.timeout.empty()) {
    if (!options.wait)
      return UsageError("--timeout is how long --wait waits", "Add --wait");
    CTL_ASSIGN(const int64_t seconds, ParseDuration(options.timeout, "--timeout"));
    follow.timeout = std::chrono::seconds(seconds);
  }
  return follow;
}

Result<int> WatchRun(Invocation& invocation, const OneRunOptions& options) {
  CTL_ASSIGN(FollowOptions follow, FollowOptionsOf(options));
  follow.lines_on_stdout = true;
  CTL_ASSIGN(const auto server, invocation.Server());
  CTL_ASSIGN(const std::string name, ResourceName(server, "runs", options.run));
  return FollowRun(invocation, server, name, follow);
}

Result<int> CancelRun(Invocation& invocation, const OneRunOptions& options) {
  CTL_ASSIGN(const FollowOptions follow, FollowOptionsOf(options));
  CTL_ASSIGN(const auto server, invocation.Server());
  v1::CancelRunRequest request;
  CTL_ASSIGN(*request.mutable_name(), ResourceName(server, "runs", options.run));
  request.set_reason(options.reason);
  CTL_ASSIGN(const auto run, Call<v1::Run>(server, request, {.attempts = 3}));
  if (options.wait) {
    CTL_ASSIGN(const int exit_code, FollowRun(invocation, server, run.name(), follow));
    // Having been cancelled is what was asked for.
    return exit_code == kExitCancelled ? kExitOk : exit_code;
  }
  PrintRun(invocation, run);
  return kExitOk;
}

Result<int> RetryRun(Invocation& invocation, const OneRunOptions& options) {
  CTL_ASSIGN(const FollowOptions follow, FollowOptionsOf(options));
  CTL_ASSIGN(const auto server, invocation.Server());
  v1::RetryRunRequest request;
  CTL_ASSIGN(*request.mutable_name(), ResourceName(server, "runs", options.run));
  request.set_request_id(options.request_id.empty() ? NewRequestId()
                                                    : options.request_id);
  CTL_ASSIGN(const auto run, Call<v1::Run>(server, request, {.attempts = 4}));
  if (options.wait) {
    invocation.Note("Queued " + LastPart(run.name()) + ".");
    return FollowRun(invocation, server, run.name(), follow);
  }
  PrintQueued(invocation, run);
  return kExitOk;
}

/// Prints lines as they come, over lost connections when they are followed.
Result<int> PrintLogs(Invocation& invocation, const LogOptions& options) {
  CTL_ASSIGN(const auto server, invocation.Server());
  v1::TailLogsRequest request;
  CTL_ASSIGN(*request.mutable_name(), ResourceName(server, "runs", options.run));
  request.set_stream(options.stream);
  request.set_follow(options.follow);
  v1::LogLine::Severity severity = v1::LogLine::INFO;
  std::string name = options.level;
  std::transform(name.begin(), name.end(), name.begin(), ::toupper);
  v1::LogLine::Severity_Parse(name, &severity);
  request.set_min_severity(severity);
  const bool json = !ForPeople(invocation) || invocation.options.log_format == "json";
  for (int lost = 0;;) {
    ServerStream lines(server.channel, request);
    v1::LogLine line;
    while (lines.Read(line)) {
      lost = 0;
      request.set_cursor(std::max(request.cursor(), line.cursor()));
      const std::string text = LogLineText(line.time(), line, json);
      if (json) {
        PrintJsonText(invocation, text);
      } else {
        std::printf("%s\n", text.c_str());
      }
      std::fflush(stdout);
    }
    const auto ended = lines.Finish();
    if (ended.ok()) return kExitOk;
    const bool again =
        options.follow && ++lost <= 30 && ended.error().rpc_status == "UNAVAILABLE";
    if (!again) return ended.error();
    if (lost == 1) invocation.Note("The connection to dxtd was lost; trying again.");
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
}

using RunAction = Result<int> (*)(Invocation&, const OneRunOptions&);

Verb AddRunAction(Verb parent, Invocation& invocation, const char* name, const char* help,
                  const char* examples, RunAction action,
                  std::shared_ptr<OneRunOptions> options) {
  const Verb verb = parent.AddVerb(name, help);
  verb.Examples(examples);
  verb.Add("run", options->run, "Id of a run").Required();
  verb.SetAction(invocation, options, action);
  return verb;
}

void AddWait(Verb verb, OneRunOptions& options, const char* help) {
  verb.AddFlag("--wait,-w", options.wait, help);
  verb.Add("--timeout", options.timeout,
           "Wait no longer than this (90s, 15m, 2h): exit code 7");
}

void AddRunListing(Verb parent, Invocation& invocation) {
  auto options = std::make_shared<RunListOptions>();
  const Verb verb = parent.AddVerb("list", "List runs, newest first");
  verb.Examples(
      "  dxtctl runs list --state FAILED,PARTIAL --since 2d\n"
      "  dxtctl runs list --pipeline orders --limit 10 -o json\n"
      "  dxtctl runs list -A --filter 'trigger=SCHEDULE AND dry_run=false'");
  verb.Add("--state", options->states,
           "QUEUED, RUNNING, CANCELLING, SUCCEEDED, PARTIAL, FAILED, CANCELLED")
      .SplitAt(',')
      .OneOfAnyCase({"QUEUED", "RUNNING", "CANCELLING", "SUCCEEDED", "PARTIAL", "FAILED",
                     "CANCELLED"});
  verb.Add("--pipeline", options->pipeline, "Only of this pipeline");
  verb.Add("--since", options->since,
           "Made since then: 2h, 7d, 2026-11-21 or 2026-11-21T09:00:00Z");
  verb.Add("--until", options->until, "Made before then, likewise");
  verb.Add("--trigger", options->trigger, "SUBMIT, SCHEDULE, DEPENDENCY or RETRY")
      .OneOfAnyCase({"SUBMIT", "SCHEDULE", "DEPENDENCY", "RETRY"});
  verb.Add("--filter", options->filter,
           "Terms joined by AND, of state, pipeline, trigger, create_time, "
           "end_time, dry_run");
  verb.Add("--limit", options->limit, "At most this many (default: 50)")
      .Between(1, 1000000);
  verb.AddFlag("--all-projects,-A", options->all_projects, "Of every project");
  verb.SetAction(invocation, options, ListRuns);
}

void AddLogs(Verb parent, Invocation& invocation, const char* help) {
  auto options = std::make_shared<LogOptions>();
  const Verb verb = parent.AddVerb("logs", help);
  verb.Examples(
      "  dxtctl runs logs 01KE9ZQ3M1V4E8Y5W0Z8J6B2NC\n"
      "  dxtctl runs logs -f --stream orders --level warning "
      "01KE9ZQ3M1V4E8Y5W0Z8J6B2NC");
  verb.Add("run", options->run, "Id of a run").Required();
  verb.AddFlag("--follow,-f", options->follow, "Go on until the run ends");
  verb.Add("--stream", options->stream, "Only lines of this stream");
  verb.Add("--level", options->level,
           "debug, info, warning or error, and what is worse (default: info)")
      .OneOf({"debug", "info", "warning", "error"});
  verb.SetAction(invocation, options, PrintLogs);
}

void AddCancel(Verb parent, Invocation& invocation, const char* help) {
  auto options = std::make_shared<OneRunOptions>();
  const Verb verb =
      AddRunAction(parent, invocation, "cancel", help,
                   "  dxtctl runs cancel 01KE9ZQ3M1V4E8Y5W0Z8J6B2NC --reason "
                   "'wrong month' --wait",
                   CancelRun, options);
  verb.Add("--reason", options->reason, "Stored with the run");
  AddWait(verb, *options, "Until it has ended");
}

}  // namespace

void AddRuns(Verb root, Invocation& invocation) {
  const Verb verb = root.AddVerb("runs", "List, follow, cancel and retry runs");
  verb.Examples(
      "  dxtctl runs list --state FAILED --since 2d\n"
      "  dxtctl runs watch 01KE9ZQ3M1V4E8Y5W0Z8J6B2NC\n"
      "  dxtctl runs retry 01KE9ZQ3M1V4E8Y5W0Z8J6B2NC --wait");
  verb.RequireVerb();
  AddRunListing(verb, invocation);
  AddRunAction(verb, invocation, "get", "Show one run",
               "  dxtctl runs get 01KE9ZQ3M1V4E8Y5W0Z8J6B2NC -o json", GetRun,
               std::make_shared<OneRunOptions>());
  auto watched = std::make_shared<OneRunOptions>();
  watched->wait = true;
  AddRunAction(verb, invocation, "watch", "Follow a run; ends with its exit code",
               "  dxtctl runs watch 01KE9ZQ3M1V4E8Y5W0Z8J6B2NC\n"
               "  dxtctl runs watch 01KE9ZQ3M1V4E8Y5W0Z8J6B2NC -o jsonl    every event",
               WatchRun, watched)
      .Add("--timeout", watched->timeout,
           "Wait no longer than this (90s, 15m, 2h): exit code 7");
  AddLogs(verb, invocation, "Print what a run logged");
  AddCancel(verb, invocation, "Ask a run to stop");
  auto retried = std::make_shared<OneRunOptions>();
  const Verb retry = AddRunAction(
      verb, invocation, "retry", "Run again the streams that did not succeed",
      "  dxtctl runs retry 01KE9ZQ3M1V4E8Y5W0Z8J6B2NC --wait", RetryRun, retried);
  AddWait(retry, *retried, "Follow the new run, and end with its exit code");
  retry.Add("--request-id", retried->request_id,
            "Retries with one id make one run (default: a new one)");
  AddCancel(root, invocation, "The same as runs cancel");
  AddLogs(root, invocation, "The same as runs logs");
}

}  // namespace dxt::ctl
