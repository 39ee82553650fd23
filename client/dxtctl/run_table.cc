#include "client/dxtctl/run_table.h"

#include <cstdio>

#include <google/protobuf/util/time_util.h>

#include "client/dxtctl/run_follow.h"
#include "client/dxtctl/summary.h"
#include "dxt/v1/run_service.pb.h"

namespace dxt::ctl {
namespace {

using google::protobuf::util::TimeUtil;

std::string TookText(const v1::Run& run) {
  if (!run.has_start_time()) return {};
  const auto end = run.has_end_time() ? run.end_time() : TimeUtil::GetCurrentTime();
  return DurationText(
      static_cast<double>(TimeUtil::DurationToMilliseconds(end - run.start_time())) /
      1000);
}

std::string TriggerText(const v1::Run& run) {
  if (run.trigger().kind() == v1::Trigger::KIND_UNSPECIFIED) return {};
  return v1::Trigger::Kind_Name(run.trigger().kind());
}

std::string StateCell(const v1::Run& run) {
  return StateText(run) + (run.interrupted() ? " (interrupted)" : "");
}

}  // namespace

RunTable::RunTable(Invocation& invocation)
    : invocation_(invocation),
      table_("runs", {{"RUN", ""},
                      {"PIPELINE", ""},
                      {"STATE", ""},
                      {"TRIGGER", ""},
                      {"CREATED", ""},
                      {"TOOK", "", false, true},
                      {"REVISION", "", true, true},
                      {"PRIORITY", "", true, true},
                      {"ATTEMPT", "", true, true},
                      {"MADE BY", "", true},
                      {"WAITING FOR", "", true}}) {}

void RunTable::Add(const v1::Run& run) {
  table_.Add(
      run, run.name(),
      {LastPart(run.name()), ShortName(run.pipeline()), StateCell(run), TriggerText(run),
       TimeText(run.create_time(), invocation_.time_format()), TookText(run),
       run.pipeline_revision() == 0 ? "" : std::to_string(run.pipeline_revision()),
       std::to_string(run.priority()), std::to_string(run.attempt()),
       run.trigger().source(), run.waiting_for()});
}

void RunTable::Print(const std::string& when_empty) const {
  table_.Print(invocation_, when_empty);
}

void PrintRun(Invocation& invocation, const v1::Run& run) {
  const TimeFormat format = invocation.time_format();
  const auto number = [](int64_t value) {
    return value == 0 ? std::string() : std::to_string(value);
  };
  const auto time = [&](bool has, const google::protobuf::Timestamp& at) {
    return has ? TimeText(at, format) : std::string();
  };
  PrintResource(
      invocation, run, run.name(),
      {{"run", LastPart(run.name())},
       {"pipeline", ShortName(run.pipeline())},
       {"revision", number(run.pipeline_revision())},
       {"state", StateCell(run)},
       {"waiting for", run.waiting_for()},
       {"made by",
        TriggerText(run) +
            (run.trigger().source().empty() ? "" : " " + run.trigger().source())},
       {"created", time(run.has_create_time(), run.create_time())},
       {"started", time(run.has_start_time(), run.start_time())},
       {"ended", time(run.has_end_time(), run.end_time())},
       {"took", TookText(run)},
       {"priority", number(run.priority())},
       {"attempt", number(run.attempt())},
       {"exit code", run.has_exit_code() ? std::to_string(run.exit_code()) : ""}});
  if (ForPeople(invocation) && !run.result_json().empty()) {
    std::printf("\n");
    PrintRunResult(invocation, run.name(), run.result_json());
  }
}

void PrintQueued(Invocation& invocation, const v1::Run& run) {
  if (!ForPeople(invocation)) return PrintResource(invocation, run, run.name(), {});
  const std::string id = LastPart(run.name());
  std::printf("%s\n", id.c_str());
  invocation.Note("Queued. Follow it: dxtctl runs watch " + id);
}

}  // namespace dxt::ctl
