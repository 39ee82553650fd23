#include <cstdio>

#include <nlohmann/json.hpp>

#include "client/dxtctl/output.h"
#include "client/dxtctl/resources.h"
#include "client/dxtctl/run_table.h"
#include "client/dxtctl/verbs.h"
#include "dxt/v1/run_service.pb.h"
#include "dxt/v1/server_service.pb.h"

namespace dxt::ctl {
namespace {

std::string BytesText(int64_t bytes) { return ShortBytes(static_cast<double>(bytes)); }

void PrintServer(Invocation& invocation, const ResourceServer& server,
                 const v1::ServerStatus& status) {
  std::string queue = std::to_string(status.runs_queued());
  if (status.runs_queued() > 0)
    queue += ", the oldest for " + DurationText(status.oldest_queued_seconds());
  PrintResource(
      invocation, status, server.endpoint.context.server,
      {{"server", server.endpoint.Text()},
       {"version", status.server().version()},
       {"state", status.draining() ? "draining: it finishes its runs and ends" : "ok"},
       {"started", TimeText(status.server().start_time(), invocation.time_format())},
       {"workers", std::to_string(status.workers_busy()) + " of " +
                       std::to_string(status.workers()) + " busy"},
       {"queued", queue},
       {"memory", BytesText(status.memory_reserved_bytes()) + " of " +
                      BytesText(status.memory_budget_bytes()) + " reserved, " +
                      BytesText(status.resident_bytes()) + " resident"},
       {"pipelines", std::to_string(status.pipelines())},
       {"schedules", std::to_string(status.schedules_active()) + " active"},
       {"runs", std::to_string(status.runs_stored()) + " stored, " +
                    BytesText(status.state_bytes())}});
}

/// The daemon, then what ran last.
Result<int> ShowStatus(Invocation& invocation, int limit) {
  CTL_ASSIGN(const auto server, invocation.Server());
  CTL_ASSIGN(
      const auto status,
      Call<v1::ServerStatus>(server, v1::GetServerStatusRequest(), {.attempts = 3}));
  v1::ListRunsRequest request;
  request.set_parent("projects/-");
  request.set_page_size(limit);
  CTL_ASSIGN(const auto runs,
             Call<v1::ListRunsResponse>(server, request, {.attempts = 3}));
  if (!ForPeople(invocation)) {
    auto both = ResourceJson(status);
    both["runs"] = ResourceJson(runs)["runs"];
    if (invocation.format() == OutputFormat::kName) {
      std::printf("%s\n", server.endpoint.context.server.c_str());
    } else if (invocation.format() == OutputFormat::kYaml) {
      std::printf("%s", ToYaml(both).c_str());
    } else {
      PrintJson(invocation, both);
    }
    return kExitOk;
  }
  PrintServer(invocation, server, status);
  std::fflush(stdout);
  for (const auto& warning : status.warnings())
    invocation.Note(invocation.terminal().Yellow("Warning:") + " " + Printable(warning));
  RunTable table(invocation);
  for (const auto& run : runs.runs()) table.Add(run);
  if (table.size() > 0) std::printf("\n");
  table.Print("Nothing has run yet: dxtctl submit PIPELINE --wait");
  return kExitOk;
}

}  // namespace

void AddStatus(Verb root, Invocation& invocation) {
  auto limit = std::make_shared<int>(10);
  const Verb verb = root.AddVerb("status", "Show what a daemon is doing, and did last");
  verb.Examples(
      "  dxtctl status\n"
      "  dxtctl status --context prod -o json");
  verb.Add("--limit", *limit, "Runs to show (default: 10)").Between(1, 1000);
  verb.SetAction(invocation, limit, ShowStatus);
}

}  // namespace dxt::ctl
