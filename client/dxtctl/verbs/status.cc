#include <cstdio>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "client/dxtctl/output.h"
#include "client/dxtctl/resources.h"
#include "client/dxtctl/run_table.h"
#include "client/dxtctl/verb_action.h"
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
      std::printf("%s\n", ToJson(both).c_str());
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

void AddStatus(CLI::App& app, Invocation& invocation) {
  auto limit = std::make_shared<int>(10);
  auto* verb = app.add_subcommand("status", "Show what a daemon is doing, and did last");
  verb->footer(
      "  dxtctl status\n"
      "  dxtctl status --context prod -o json");
  verb->add_option("--limit", *limit, "Runs to show (default: 10)")
      ->check(CLI::Range(1, 1000));
  SetAction(*verb, invocation, limit, ShowStatus);
}

}  // namespace dxt::ctl
