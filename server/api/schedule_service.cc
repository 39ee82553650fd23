#include <google/protobuf/util/time_util.h>

#include "base/clock.h"
#include "engine/run/selection.h"
#include "server/api/convert.h"
#include "server/api/paging.h"
#include "server/api/resource_names.h"
#include "server/api/services.h"
#include "server/api/status_map.h"
#include "server/scheduler/catalog.h"
#include "server/scheduler/cron.h"
#include "server/scheduler/dispatcher.h"
#include "server/scheduler/schedule_loop.h"
#include "server/scheduler/submission.h"
#include "state/state_store.h"

namespace dxt {
namespace {

using google::protobuf::util::TimeUtil;
using Time = std::chrono::system_clock::time_point;

constexpr int64_t kLongestWait = 7 * 86400;
constexpr int kMostInstances = 100;
constexpr int kDefaultFireTimes = 10, kMostFireTimes = 1000;

Time ToTime(const google::protobuf::Timestamp& time) {
  return Time(std::chrono::milliseconds(TimeUtil::TimestampToMilliseconds(time)));
}

arrow::Result<ScheduleRecord> Find(const ApiParts& parts, const ResourceName& name) {
  ARROW_ASSIGN_OR_RAISE(auto found, parts.store->schedules().Get(name.project, name.id));
  if (found) return std::move(*found);
  return MakeError(ErrorClass::kConfig, "schedule.not_found",
                   "there is no schedule " + name.project + "/" + name.id,
                   "dxtctl schedules list names what is stored");
}

/// When `@every` counts from.
Time AnchorOf(const ScheduleRecord& record, const ApiParts& parts) {
  google::protobuf::Timestamp created;
  return TimeUtil::FromString(record.created_at, &created) ? ToTime(created)
                                                           : parts.clock->Now();
}

/// Copies the fields that a client sets, of those that `has` names; checks them.
template <typename Has>
grpc::Status Copy(const v1::Schedule& from, const std::string& project, const Has& has,
                  ScheduleRecord& to) {
  grpc::Status refused;
  if (has("pipeline")) {
    const auto pipeline =
        ParseName(from.pipeline(), "pipelines", "schedule.pipeline", refused);
    if (!pipeline) return refused;
    if (pipeline->project != project) {
      return FieldError("schedule.pipeline",
                        "a schedule and its pipeline belong to one project");
    }
    to.pipeline = pipeline->id;
  }
  if (has("cron")) to.cron = from.cron();
  if (has("timezone")) to.timezone = from.timezone();
  if (has("misfire")) {
    if (from.misfire() < 0 || from.misfire() > v1::Schedule::ALL) {
      return FieldError("schedule.misfire", "this server does not know that policy");
    }
    to.misfire = from.misfire() == v1::Schedule::NONE  ? "none"
                 : from.misfire() == v1::Schedule::ALL ? "all"
                                                       : "one";
  }
  const auto seconds = [&](const google::protobuf::Duration& duration, const char* field,
                           int64_t& into) {
    into = duration.seconds();
    if (into < 0 || into > kLongestWait || duration.nanos() < 0) {
      refused = FieldError(field, "this must be between 0 and 7 days");
    }
  };
  if (has("misfire_grace")) {
    to.misfire_grace_seconds = 60;
    if (from.has_misfire_grace()) {
      seconds(from.misfire_grace(), "schedule.misfire_grace", to.misfire_grace_seconds);
    }
  }
  if (has("jitter")) seconds(from.jitter(), "schedule.jitter", to.jitter_seconds);
  if (!refused.ok()) return refused;
  if (has("max_instances")) {
    to.max_instances = from.max_instances() == 0 ? 1 : from.max_instances();
    if (to.max_instances < 0 || to.max_instances > kMostInstances) {
      return FieldError("schedule.max_instances", "this must be between 1 and 100");
    }
  }
  if (has("options")) to.options = FormatRunOptions(FromProto(from.options()));
  if (has("sql_variables")) {
    to.variables =
        FormatSqlVariables({from.sql_variables().begin(), from.sql_variables().end()});
  }
  if (has("priority")) {
    to.priority = from.priority();
    if (std::abs(to.priority) > kMostPriority) {
      return FieldError("schedule.priority", "this must be between -1000 and 1000");
    }
  }
  return refused;
}

/// A selection that no tick could run. Silent about a pipeline that cannot be prepared
/// today: it may be paused, or a variable may be missing that is there when a tick fires.
arrow::Status CheckStreams(const ApiParts& parts, const ScheduleRecord& record) {
  ARROW_ASSIGN_OR_RAISE(auto options, ParseRunOptions(record.options));
  const auto prepared =
      parts.catalog->Prepare(record.project, record.pipeline, std::move(options), {});
  if (!prepared.ok()) return arrow::Status::OK();
  return CheckSelection(prepared->pipeline, prepared->options);
}

/// Checks the whole of it, and says when it fires next.
arrow::Status SetNext(const ApiParts& parts, ScheduleRecord& record) {
  ARROW_RETURN_NOT_OK(CheckSchedule(record));
  ARROW_RETURN_NOT_OK(CheckStreams(parts, record));
  return FirstDue(record, parts.clock->Now()).Value(&record.next_at);
}

}  // namespace

grpc::Status ScheduleServiceImpl::Create(CallContext* context,
                                         const v1::CreateScheduleRequest& request,
                                         v1::Schedule& response) {
  grpc::Status refused;
  const auto project = ParseParent(request.parent(), false, "parent", refused);
  if (!project) return refused;
  if (!IsResourceId(request.schedule_id())) {
    return FieldError("schedule_id",
                      "small letters, digits, - and _, at most 63, beginning with a "
                      "letter or digit");
  }
  ScheduleRecord record;
  record.project = *project;
  record.name = request.schedule_id();
  record.created_at = record.updated_at = FormatTime(parts_.clock->Now());
  refused = Copy(request.schedule(), *project, [](const char*) { return true; }, record);
  if (!refused.ok()) return refused;
  if (const auto next = SetNext(parts_, record); !next.ok()) return ToGrpc(next);
  if (request.validate_only()) {
    const auto pipeline =
        parts_.store->definitions().GetPipeline(*project, record.pipeline);
    if (!pipeline.ok()) return ToGrpc(pipeline.status());
    if (!*pipeline) {
      return ToGrpc(
          MakeError(ErrorClass::kConfig, "pipeline.not_found",
                    "there is no pipeline " + *project + "/" + record.pipeline));
    }
    response = ToProto(record);
    return grpc::Status::OK;
  }
  const auto audit =
      Audit(parts_, context, "CreateSchedule", ScheduleName(*project, record.name));
  const auto created = parts_.store->schedules().Create(record, &audit);
  if (!created.ok()) return ToGrpc(created.status());
  parts_.schedules->Changed();
  response = ToProto(*created);
  return grpc::Status::OK;
}

Reply ScheduleServiceImpl::CreateSchedule(CallContext* context,
                                          const v1::CreateScheduleRequest* request,
                                          v1::Schedule* response) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    return Create(context, *request, *response);
  });
}

Reply ScheduleServiceImpl::GetSchedule(CallContext* context,
                                       const v1::GetScheduleRequest* request,
                                       v1::Schedule* response) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    grpc::Status refused;
    const auto name = ParseName(request->name(), "schedules", "name", refused);
    if (!name) return refused;
    const auto found = Find(parts_, *name);
    if (found.ok()) *response = ToProto(*found);
    return ToGrpc(found.status());
  });
}

Reply ScheduleServiceImpl::ListSchedules(CallContext* context,
                                         const v1::ListSchedulesRequest* request,
                                         v1::ListSchedulesResponse* response) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    grpc::Status refused;
    const auto project = ParseParent(request->parent(), true, "parent", refused);
    if (!project) return refused;
    std::string pipeline;
    if (!request->pipeline().empty()) {
      const auto name = ParseName(request->pipeline(), "pipelines", "pipeline", refused);
      if (!name) return refused;
      pipeline = name->id;
    }
    const auto page = ReadPage(*request, refused);
    if (!page) return refused;
    const auto found =
        parts_.store->schedules().List(*project, pipeline, page->after, page->limit);
    if (!found.ok()) return ToGrpc(found.status());
    for (const auto& schedule : *found) *response->add_schedules() = ToProto(schedule);
    if (static_cast<int>(found->size()) == page->limit) {
      const auto& last = found->back();
      response->set_next_page_token(page->TokenAfter(last.project + "/" + last.name));
    }
    return grpc::Status::OK;
  });
}

grpc::Status ScheduleServiceImpl::Update(CallContext* context,
                                         const v1::UpdateScheduleRequest& request,
                                         v1::Schedule& response) {
  grpc::Status refused;
  const auto& wanted = request.schedule();
  const auto name = ParseName(wanted.name(), "schedules", "schedule.name", refused);
  if (!name) return refused;
  const auto expected = ReadEtag(wanted.etag(), refused);
  if (!refused.ok()) return refused;
  auto record = Find(parts_, *name);
  if (!record.ok()) return ToGrpc(record.status());
  static const std::set<std::string> known = {
      "pipeline",      "cron",   "timezone", "misfire",       "misfire_grace",
      "max_instances", "jitter", "options",  "sql_variables", "priority"};
  std::set<std::string> paths;
  for (const auto& path : request.update_mask().paths()) {
    if (path == "*") {
      paths = known;
    } else if (known.count(path) == 0) {
      return FieldError("update_mask", "'" + path.substr(0, 60) +
                                           "' is no field of a schedule that can be set");
    } else {
      paths.insert(path);
    }
  }
  const auto* reflection = v1::Schedule::GetReflection();
  const auto is_set = [&](const char* field) {
    const auto* descriptor = v1::Schedule::descriptor()->FindFieldByName(field);
    return descriptor->is_repeated() ? reflection->FieldSize(wanted, descriptor) > 0
                                     : reflection->HasField(wanted, descriptor);
  };
  const bool masked = request.update_mask().paths_size() > 0;
  refused = Copy(
      wanted, name->project,
      [&](const char* field) { return masked ? paths.count(field) > 0 : is_set(field); },
      *record);
  if (!refused.ok()) return refused;
  record->updated_at = FormatTime(parts_.clock->Now());
  if (const auto next = SetNext(parts_, *record); !next.ok()) return ToGrpc(next);
  if (request.validate_only()) {
    response = ToProto(*record);
    return grpc::Status::OK;
  }
  const auto audit = Audit(parts_, context, "UpdateSchedule", wanted.name());
  const auto updated = parts_.store->schedules().Update(
      *record, expected ? expected : std::optional(record->revision), &audit);
  if (!updated.ok()) return ToGrpc(updated.status());
  parts_.schedules->Changed();
  response = ToProto(*updated);
  return grpc::Status::OK;
}

Reply ScheduleServiceImpl::UpdateSchedule(CallContext* context,
                                          const v1::UpdateScheduleRequest* request,
                                          v1::Schedule* response) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    return Update(context, *request, *response);
  });
}

Reply ScheduleServiceImpl::DeleteSchedule(CallContext* context,
                                          const v1::DeleteScheduleRequest* request,
                                          google::protobuf::Empty*) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    grpc::Status refused;
    const auto name = ParseName(request->name(), "schedules", "name", refused);
    if (!name) return refused;
    const auto audit = Audit(parts_, context, "DeleteSchedule", request->name());
    const auto deleted =
        parts_.store->schedules().Delete(name->project, name->id, &audit);
    parts_.schedules->Changed();
    return ToGrpc(deleted);
  });
}

Reply ScheduleServiceImpl::SetPaused(CallContext* context, const std::string& text,
                                     bool paused, const std::string& note,
                                     v1::Schedule* response) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    grpc::Status refused;
    const auto name = ParseName(text, "schedules", "name", refused);
    if (!name) return refused;
    auto record = Find(parts_, *name);
    if (!record.ok()) return ToGrpc(record.status());
    record->paused = paused;
    record->pause_note = paused ? note : "";
    record->updated_at = FormatTime(parts_.clock->Now());
    // Ticks that passed while it was paused are not made up for.
    if (const auto next = SetNext(parts_, *record); !next.ok()) {
      return ToGrpc(next);
    }
    const auto audit =
        Audit(parts_, context, paused ? "PauseSchedule" : "ResumeSchedule", text);
    const auto updated =
        parts_.store->schedules().Update(*record, record->revision, &audit);
    if (updated.ok()) {
      *response = ToProto(*updated);
      parts_.schedules->Changed();
    }
    return ToGrpc(updated.status());
  });
}

Reply ScheduleServiceImpl::PauseSchedule(CallContext* context,
                                         const v1::PauseScheduleRequest* request,
                                         v1::Schedule* response) {
  return SetPaused(context, request->name(), true, request->note(), response);
}

Reply ScheduleServiceImpl::ResumeSchedule(CallContext* context,
                                          const v1::ResumeScheduleRequest* request,
                                          v1::Schedule* response) {
  return SetPaused(context, request->name(), false, "", response);
}

Reply ScheduleServiceImpl::TriggerSchedule(CallContext* context,
                                           const v1::TriggerScheduleRequest* request,
                                           v1::Run* response) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    grpc::Status refused = RefuseRuns(parts_);
    if (!refused.ok()) return refused;
    const auto name = ParseName(request->name(), "schedules", "name", refused);
    if (!name) return refused;
    const auto schedule = Find(parts_, *name);
    if (!schedule.ok()) return ToGrpc(schedule.status());
    const auto audit = Audit(parts_, context, "TriggerSchedule", request->name());
    const auto run = parts_.dispatcher->Trigger(*schedule, request->request_id(), &audit);
    if (run.ok()) *response = ToProto(*run);
    return ToGrpc(run.status());
  });
}

arrow::Status ScheduleServiceImpl::FireTimes(const v1::ListFireTimesRequest& request,
                                             const std::optional<ResourceName>& name,
                                             v1::ListFireTimesResponse& response) {
  std::string cron = request.cron(), timezone = request.timezone();
  Time anchor = parts_.clock->Now();
  if (name) {
    ARROW_ASSIGN_OR_RAISE(const auto schedule, Find(parts_, *name));
    cron = schedule.cron;
    timezone = schedule.timezone;
    anchor = AnchorOf(schedule, parts_);
  }
  ARROW_ASSIGN_OR_RAISE(const auto parsed, CronSchedule::Parse(cron, timezone, anchor));
  const size_t limit = request.page_size() == 0
                           ? kDefaultFireTimes
                           : std::min(request.page_size(), kMostFireTimes);
  Time at = request.has_start_time() ? ToTime(request.start_time()) : parts_.clock->Now();
  const auto add = [&](Time time) {
    *response.add_times() = TimeUtil::MillisecondsToTimestamp(
        std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch())
            .count());
    response.add_utc_offsets()->set_seconds(parsed.UtcOffset(time).count());
  };
  response.set_timezone(parsed.timezone());
  if (request.has_end_time()) {
    // A tick at the very start belongs to the range.
    for (const auto time : parsed.Between(at - std::chrono::milliseconds(1),
                                          ToTime(request.end_time()), limit)) {
      add(time);
    }
    return arrow::Status::OK();
  }
  for (size_t i = 0; i < limit; ++i) {
    at = parsed.Next(at);
    add(at);
  }
  return arrow::Status::OK();
}

Reply ScheduleServiceImpl::ListFireTimes(CallContext* context,
                                         const v1::ListFireTimesRequest* request,
                                         v1::ListFireTimesResponse* response) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    grpc::Status refused;
    std::optional<ResourceName> name;
    if (!request->name().empty()) {
      name = ParseName(request->name(), "schedules", "name", refused);
      if (!name) return refused;
    } else if (request->cron().empty()) {
      return FieldError("cron", "name a schedule, or give an expression");
    }
    if (request->page_size() < 0) {
      return FieldError("page_size", "this must not be negative");
    }
    constexpr int64_t kEarliest = -62135596800, kLatest = 253402300799;  // Years 1, 9999.
    for (const auto* time : {&request->start_time(), &request->end_time()}) {
      if (time->seconds() < kEarliest || time->seconds() > kLatest || time->nanos() < 0 ||
          time->nanos() > 999999999) {
        return FieldError("start_time", "this is no time");
      }
    }
    return ToGrpc(FireTimes(*request, name, *response));
  });
}

Reply ScheduleServiceImpl::ListTicks(CallContext* context,
                                     const v1::ListTicksRequest* request,
                                     v1::ListTicksResponse* response) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    grpc::Status refused;
    const auto name = ParseName(request->name(), "schedules", "name", refused);
    if (!name) return refused;
    const auto page = ReadPage(*request, refused);
    if (!page) return refused;
    if (const auto found = Find(parts_, *name); !found.ok()) {
      return ToGrpc(found.status());
    }
    const auto ticks = parts_.store->schedules().Ticks(name->project, name->id,
                                                       page->after, page->limit);
    if (!ticks.ok()) return ToGrpc(ticks.status());
    for (const auto& tick : *ticks) *response->add_ticks() = ToProto(tick, name->project);
    if (static_cast<int>(ticks->size()) == page->limit) {
      response->set_next_page_token(page->TokenAfter(ticks->back().scheduled_at));
    }
    return grpc::Status::OK;
  });
}

}  // namespace dxt
