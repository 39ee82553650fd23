#include "client/dxtctl/run_verb.h"

#include <cstdio>
#include <ctime>
#include <fstream>
#include <random>

#include <google/protobuf/util/time_util.h>
#include <grpcpp/grpcpp.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "client/dxtctl/interrupts.h"
#include "client/dxtctl/output.h"
#include "client/dxtctl/progress.h"
#include "client/dxtctl/rpc.h"
#include "client/dxtctl/summary.h"
#include "dxt/v1/run_service.grpc.pb.h"

namespace dxt::ctl {
namespace {

/// A UUID (version 4), so that a repeated SubmitRun is one run.
std::string NewRequestId() {
  std::random_device random;
  char text[40];
  std::snprintf(text, sizeof text, "%08x-%04x-4%03x-%04x-%08x%04x", random(),
                random() & 0xFFFFu, random() & 0xFFFu, 0x8000u | (random() & 0x3FFFu),
                random(), random() & 0xFFFFu);
  return text;
}

v1::RunOptions ToProto(const RunVerbOptions& options) {
  v1::RunOptions proto;
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
  proto.set_full_refresh(options.full_refresh || !options.full_refresh_streams.empty());
  for (const auto& stream : options.full_refresh_streams) {
    proto.add_full_refresh_streams(stream);
  }
  proto.set_persist(options.persist);
  proto.set_fresh(options.fresh);
  return proto;
}

std::string SeverityName(v1::LogLine::Severity severity) {
  switch (severity) {
    case v1::LogLine::DEBUG:
      return "debug";
    case v1::LogLine::WARNING:
      return "warning";
    case v1::LogLine::ERROR:
      return "error";
    default:
      return "info";
  }
}

/// Log lines of a run: to stderr with -v, to --log-file where one is named.
class RunLog {
 public:
  static Result<RunLog> Open(const GlobalOptions& options) {
    RunLog log(options);
    if (!options.log_file.empty()) {
      log.file_.open(options.log_file, std::ios::app);
      if (!log.file_)
        return UsageError("Cannot write the log file '" + options.log_file + "'");
    }
    return log;
  }

  void Write(const v1::RunEvent& event, ProgressLines& progress) {
    const auto& line = event.log();
    const std::string time = google::protobuf::util::TimeUtil::ToString(event.time());
    const std::string text = json_ ? JsonLine(time, line) : TextLine(time, line);
    if (file_.is_open()) file_ << text << std::endl;
    const bool shown =
        verbose_ > 1 || (verbose_ == 1 && line.severity() != v1::LogLine::DEBUG);
    if (!shown) return;
    progress.Clear();
    std::fprintf(stderr, "%s\n", text.c_str());
  }

 private:
  explicit RunLog(const GlobalOptions& options)
      : verbose_(options.verbose), json_(options.log_format == "json") {}

  static std::string TextLine(const std::string& time, const v1::LogLine& line) {
    std::string text = time + " " + SeverityName(line.severity()) + " " + line.event();
    if (!line.stream().empty()) text += " [" + line.stream() + "]";
    if (!line.message().empty()) text += " " + Printable(line.message());
    return text;
  }

  static std::string JsonLine(const std::string& time, const v1::LogLine& line) {
    nlohmann::ordered_json object = {{"time", time},
                                     {"level", SeverityName(line.severity())},
                                     {"event", line.event()}};
    if (!line.stream().empty()) object["stream"] = line.stream();
    object["message"] = line.message();
    return ToJson(object);
  }

  int verbose_;
  bool json_;
  std::ofstream file_;
};

/// Follows a run to its end.
Result<v1::Run> Watch(v1::RunService::Stub& stub, const std::string& name, RunLog& log,
                      ProgressLines& progress) {
  grpc::ClientContext context;
  v1::WatchRunRequest request;
  request.set_name(name);
  const auto reader = stub.WatchRun(&context, request);
  v1::RunEvent event;
  std::optional<v1::Run> finished;
  while (reader->Read(&event)) {
    if (event.has_log()) log.Write(event, progress);
    if (event.has_progress()) progress.Update(event.progress());
    if (event.has_finished()) finished = event.finished();
  }
  progress.Clear();
  const grpc::Status status = reader->Finish();
  if (finished) return *finished;
  return ErrorOf(status);
}

void CancelOnInterrupt(std::shared_ptr<grpc::Channel> channel, const std::string& name) {
  auto cancel = [channel = std::move(channel), name] {
    std::fprintf(stderr, "\nCancelling; press Ctrl-C again to leave at once.\n");
    grpc::ClientContext context;
    v1::CancelRunRequest request;
    request.set_name(name);
    v1::Run run;
    const auto status =
        v1::RunService::NewStub(channel)->CancelRun(&context, request, &run);
    if (!status.ok()) {
      std::fprintf(stderr, "The run could not be cancelled: %s\n",
                   status.error_message().c_str());
    }
  };
  Interrupts::OnFirst(
      std::move(cancel),
      "Left before " + name +
          " was rolled back; its dxtd does that within 10 s. Temporary tables "
          "or files that remain are removed by the next run.");
}

}  // namespace

void AddVariablesOption(CLI::App& verb, std::vector<std::string>& variables) {
  verb.add_option("--var", variables,
                  "For {{ var.NAME }} in the pipeline's SQL; may be repeated")
      ->type_name("NAME=VALUE")
      ->expected(1)
      ->take_all();
}

void AddLimitOption(CLI::App& verb, std::optional<int64_t>& limit) {
  verb.add_option("--limit", limit, "At most this many rows of each stream")
      ->check([](const std::string& text) -> std::string {
        constexpr size_t kMostDigits = 18;
        const bool number = text.find_first_not_of("0123456789") == std::string::npos;
        if (number && !text.empty() && text.size() <= kMostDigits) return {};
        return "takes a number of rows, 0 or more, not '" + text + "'";
      });
}

void AddRunOptions(CLI::App& verb, RunVerbOptions& options) {
  verb.add_option("--select,-s", options.select,
                  "Streams to run: ids, globs, tag:NAME; ',' = or, '+' = and")
      ->type_name("SELECTOR");
  verb.add_option("--exclude", options.exclude, "Streams to leave out, likewise")
      ->type_name("SELECTOR");
  verb.add_flag("--allow-empty-selection", options.allow_empty_selection,
                "A selection that matches no stream is not an error");
  verb.add_option("--threads", options.threads, "Streams at a time")
      ->check(CLI::Range(1, 256));
  verb.add_flag("--fail-fast", options.fail_fast, "Stop all streams when one fails");
  AddVariablesOption(verb, options.documents.variables);
}

Result<int> ExecuteRunVerb(Invocation& invocation, const RunVerbOptions& options) {
  CTL_ASSIGN(Documents documents, invocation.Load(options.documents));
  CTL_ASSIGN(RunLog log, RunLog::Open(invocation.options));
  CTL_ASSIGN(const auto daemon, invocation.Connect(documents));
  const auto stub = v1::RunService::NewStub(daemon->channel());
  v1::SubmitRunRequest request;
  *request.mutable_documents() = *documents.set;
  *request.mutable_options() = ToProto(options);
  request.set_request_id(NewRequestId());
  request.set_attachment(daemon->attachment());
  v1::Run run;
  {
    grpc::ClientContext context;
    const auto status = stub->SubmitRun(&context, request, &run);
    if (!status.ok()) return ErrorOf(status);
  }
  CancelOnInterrupt(daemon->channel(), run.name());
  const bool people = invocation.format() == OutputFormat::kTable ||
                      invocation.format() == OutputFormat::kWide;
  ProgressLines progress(invocation.terminal(), people);
  CTL_ASSIGN(const v1::Run finished, Watch(*stub, run.name(), log, progress));
  Interrupts::Clear();
  if (invocation.stdout_enabled) {
    PrintRunResult(invocation, finished.name(), finished.result_json());
  }
  return finished.exit_code();
}

}  // namespace dxt::ctl
