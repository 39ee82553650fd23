#include "client/dxtctl/run_verb.h"

#include <cstdio>

#include <nlohmann/json.hpp>

#include "client/dxtctl/interrupts.h"
#include "client/dxtctl/open_request.h"
#include "client/dxtctl/progress.h"
#include "client/dxtctl/run_log.h"
#include "client/dxtctl/summary.h"
#include "dxt/v1/run_service.pb.h"

namespace dxt::ctl {
namespace {

Error Unended(const std::string& name) {
  Error error;
  error.message = "dxtd said no more of " + name + " before it had ended";
  error.hint = "Run the command again to go on";
  return error;
}

/// Follows a run to its end.
Result<v1::Run> Watch(const Daemon& daemon, const std::string& name, RunLog& log,
                      ProgressLines& progress) {
  v1::WatchRunRequest request;
  request.set_name(name);
  ServerStream events(daemon.channel(), request);
  v1::RunEvent event;
  std::optional<v1::Run> finished;
  while (events.Read(event)) {
    if (event.has_log()) log.Write(event.time(), event.log(), progress);
    if (event.has_progress()) progress.Update(event.progress());
    if (event.has_finished()) finished = event.finished();
  }
  progress.Clear();
  const auto ended = events.Finish();
  if (finished) return *finished;
  if (ended.ok()) return Unended(name);
  return ended.error();
}

void CancelOnInterrupt(std::shared_ptr<grpc::Channel> channel, const std::string& name) {
  auto cancel = [channel = std::move(channel), name] {
    std::fprintf(stderr, "\nCancelling; press Ctrl-C again to leave at once.\n");
    v1::CancelRunRequest request;
    request.set_name(name);
    const auto cancelled = Call<v1::Run>(channel, request, {.deadline = std::nullopt});
    if (!cancelled.ok()) {
      std::fprintf(stderr, "The run could not be cancelled: %s\n",
                   cancelled.error().message.c_str());
    }
  };
  Interrupts::OnFirst(
      std::move(cancel),
      "Left before " + name +
          " was rolled back; its dxtd does that within 10 s. Temporary tables "
          "or files that remain are removed by the next run.");
}

/// The same for the same command, given again.
std::string CommandText(const v1::SubmitRunRequest& request) {
  v1::RunOptions options = request.options();
  options.clear_fresh();
  return request.documents().pipeline().path() + "\n" + options.SerializeAsString();
}

bool HasEnded(const v1::Run& run) {
  return run.state() != v1::Run::QUEUED && run.state() != v1::Run::RUNNING &&
         run.state() != v1::Run::CANCELLING;
}

bool Loaded(const v1::Run& run) {
  return run.state() == v1::Run::SUCCEEDED || run.state() == v1::Run::PARTIAL;
}

std::string Resumed(const std::string& result_json) {
  auto result = nlohmann::ordered_json::parse(result_json, nullptr, false);
  if (!result.is_object()) return result_json;
  result["resumed"] = true;
  return result.dump();
}

/// Runs what is asked. When an earlier command asked for it and its answer was lost, that
/// run is this command's, unless it loaded nothing.
Result<v1::Run> SubmitAndWatch(const Daemon& daemon, v1::SubmitRunRequest& request,
                               OpenRequest* open, RunLog& log, ProgressLines& progress) {
  while (true) {
    const bool repeated = open != nullptr && open->repeated();
    request.set_request_id(open != nullptr ? open->id() : NewRequestId());
    const auto run = daemon.Call<v1::Run>(request);
    if (!run.ok()) {
      const Error& error = run.error();
      if (repeated && error.rpc_status == "ALREADY_EXISTS") {
        CTL_RETURN_NOT_OK(open->Renew());
        continue;
      }
      if (open != nullptr && !error.unanswered()) open->Answered();
      return error;
    }
    const bool ended = HasEnded(*run);
    if (ended && repeated && !Loaded(*run)) {
      CTL_RETURN_NOT_OK(open->Renew());
      continue;
    }
    CancelOnInterrupt(daemon.channel(), run->name());
    CTL_ASSIGN(v1::Run finished, Watch(daemon, run->name(), log, progress));
    // dxtd cancels the run of a client that went away.
    if (repeated && finished.state() == v1::Run::CANCELLED &&
        Interrupts::ExitCode() == 0) {
      CTL_RETURN_NOT_OK(open->Renew());
      continue;
    }
    if (ended) finished.set_result_json(Resumed(finished.result_json()));
    return finished;
  }
}

}  // namespace

void AddVariablesOption(Verb verb, std::vector<std::string>& variables) {
  verb.Add("--var", variables,
           "For {{ var.NAME }} in the pipeline's SQL; may be repeated")
      .Placeholder("NAME=VALUE")
      .Repeated();
}

void AddLimitOption(Verb verb, std::optional<int64_t>& limit) {
  verb.Add("--limit", limit, "At most this many rows of each stream")
      .Check([](const std::string& text) -> std::string {
        constexpr size_t kMostDigits = 18;
        const bool number = text.find_first_not_of("0123456789") == std::string::npos;
        if (number && !text.empty() && text.size() <= kMostDigits) return {};
        return "takes a number of rows, 0 or more, not '" + text + "'";
      });
}

void FillRunOptions(const RunVerbOptions& options, v1::RunOptions& proto) {
  proto.set_phase(options.phase == RunPhase::kExtract ? v1::RunOptions::EXTRACT
                  : options.phase == RunPhase::kLoad  ? v1::RunOptions::LOAD
                                                      : v1::RunOptions::RUN);
  proto.set_select(options.select);
  proto.set_exclude(options.exclude);
  proto.set_allow_empty_selection(options.allow_empty_selection);
  proto.set_dry_run(options.dry_run);
  if (options.threads) proto.set_threads(*options.threads);
  proto.set_fail_fast(options.fail_fast);
  if (options.limit) proto.set_limit(*options.limit);
  if (options.cursor_value) proto.set_cursor_value(*options.cursor_value);
  proto.set_allow_duplicates(options.allow_duplicates);
  if (options.from && options.to) {
    proto.mutable_backfill()->set_from(*options.from);
    proto.mutable_backfill()->set_to(*options.to);
  }
  proto.set_full_refresh(options.full_refresh || !options.full_refresh_streams.empty());
  for (const auto& stream : options.full_refresh_streams) {
    proto.add_full_refresh_streams(stream);
  }
  proto.set_persist(options.persist);
  proto.set_fresh(options.fresh);
  proto.set_accept_shrink(options.accept_shrink);
  proto.set_diff(options.diff);
  proto.set_administrator_sql(options.administrator_sql);
  proto.set_verify(options.verify);
  if (options.replay) {
    auto* replay = proto.mutable_replay();
    for (const auto& id : *options.replay) replay->add_dead_letters(id);
  }
}

void AddReadOptions(Verb verb, RunVerbOptions& options) {
  AddLimitOption(verb, options.limit);
  const auto cursor =
      verb.Add("--cursor-value", options.cursor_value,
               "Read from here, this one time; stored cursors are never lowered")
          .Placeholder("VALUE");
  verb.AddFlag("--allow-duplicates", options.allow_duplicates,
               "Let --cursor-value or --from load rows again that an append has loaded");
  const auto from = verb.Add("--from", options.from,
                             "With --to: load this range of the watermark alone, beside "
                             "the regular runs");
  const auto to = verb.Add("--to", options.to, "Where it ends; exclusive");
  from.Placeholder("VALUE").Needs(to).Excludes(cursor);
  to.Placeholder("VALUE").Needs(from);
  verb.AddWithOptionalValue("--full-refresh", options.full_refresh,
                            options.full_refresh_streams,
                            "Read from the beginning: STREAM, or all without one")
      .Placeholder("STREAM")
      .Excludes(from);
}

Argument AddDryRunOption(Verb verb, RunVerbOptions& options) {
  return verb.AddFlag("--dry-run", options.dry_run,
                      "Show what would be done; change nothing");
}

void AddDryRunOptions(Verb verb, RunVerbOptions& options) {
  const auto dry_run = AddDryRunOption(verb, options);
  AddDiffOption(verb, options).Needs(dry_run);
}

Argument AddDiffOption(Verb verb, RunVerbOptions& options) {
  return verb.AddFlag("--diff", options.diff,
                      "Also compare the records: which would be added, changed, deleted");
}

void AddFreshOption(Verb verb, RunVerbOptions& options) {
  verb.AddFlag("--new", options.fresh, "Give up what an interrupted run left");
}

void AddKeepOptions(Verb verb, RunVerbOptions& options) {
  verb.AddFlag("--persist", options.persist, "Keep the package after it is loaded");
  verb.AddFlag("--accept-shrink", options.accept_shrink,
               "Let replace, mirror and scd2 take away more than load.max_shrink allows");
  AddFreshOption(verb, options);
}

void AddRunOptions(Verb verb, RunVerbOptions& options) {
  verb.Add("--select,-s", options.select,
           "Streams to run: ids, globs, tag:NAME; ',' = or, '+' = and")
      .Placeholder("SELECTOR");
  verb.Add("--exclude", options.exclude, "Streams to leave out, likewise")
      .Placeholder("SELECTOR");
  verb.AddFlag("--allow-empty-selection", options.allow_empty_selection,
               "A selection that matches no stream is not an error");
  verb.Add("--threads", options.threads, "Streams at a time").Between(1, 256);
  verb.AddFlag("--fail-fast", options.fail_fast, "Stop all streams when one fails");
  AddVariablesOption(verb, options.documents.variables);
}

Result<int> ExecuteRunVerb(Invocation& invocation, const RunVerbOptions& options) {
  CTL_ASSIGN(Documents documents, invocation.Load(options.documents));
  CTL_ASSIGN(RunLog log, RunLog::Open(invocation.options));
  CTL_ASSIGN(const auto daemon, invocation.Connect(documents));
  v1::SubmitRunRequest request;
  *request.mutable_documents() = *documents.set;
  FillRunOptions(options, *request.mutable_options());
  request.set_attachment(daemon->attachment());
  std::optional<OpenRequest> open;
  if (!daemon->state_folder().empty() && !options.dry_run) {
    CTL_ASSIGN(auto taken, OpenRequest::Take(daemon->state_folder(), CommandText(request),
                                             options.fresh));
    open.emplace(std::move(taken));
  }
  const bool people = invocation.format() == OutputFormat::kTable ||
                      invocation.format() == OutputFormat::kWide;
  ProgressLines progress(invocation.terminal(), people);
  CTL_ASSIGN(const v1::Run finished,
             SubmitAndWatch(*daemon, request, open ? &*open : nullptr, log, progress));
  Interrupts::Clear();
  if (invocation.stdout_enabled) {
    PrintRunResult(invocation, finished.name(), finished.result_json());
    std::fflush(stdout);
  }
  if (open) open->Answered();
  return finished.exit_code();
}

}  // namespace dxt::ctl
