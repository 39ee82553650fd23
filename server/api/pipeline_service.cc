#include "base/clock.h"
#include "server/api/convert.h"
#include "server/api/paging.h"
#include "server/api/resource_names.h"
#include "server/api/services.h"
#include "server/api/status_map.h"
#include "server/scheduler/catalog.h"
#include "state/state_store.h"

namespace dxt {
namespace {

constexpr int kDescribedRuns = 10;
constexpr int kDescribedSchedules = 100;

arrow::Result<PipelineRecord> Find(const ApiParts& parts, const ResourceName& name,
                                   int64_t revision = 0) {
  ARROW_ASSIGN_OR_RAISE(auto found, parts.store->definitions().GetPipeline(
                                        name.project, name.id, revision));
  if (found) return std::move(*found);
  return MakeError(ErrorClass::kConfig, "pipeline.not_found",
                   "there is no pipeline " + name.project + "/" + name.id +
                       (revision > 0 ? " of revision " + std::to_string(revision) : ""),
                   "dxtctl pipelines list names what is stored");
}

arrow::Status Describe(const ApiParts& parts, const ResourceName& name,
                       v1::PipelineDescription& response) {
  StateStore& store = *parts.store;
  ARROW_ASSIGN_OR_RAISE(const auto pipeline, Find(parts, name));
  *response.mutable_pipeline() = ToProto(pipeline);
  RunQuery query;
  query.project = name.project;
  query.pipeline = name.id;
  query.limit = kDescribedRuns;
  ARROW_ASSIGN_OR_RAISE(const auto runs, store.runs().List(query));
  for (const auto& run : runs) *response.add_runs() = ToProto(run);
  ARROW_ASSIGN_OR_RAISE(
      const auto schedules,
      store.schedules().List(name.project, name.id, "", kDescribedSchedules));
  std::string next;
  for (const auto& schedule : schedules) {
    *response.add_schedules() = ToProto(schedule);
    const bool fires = !schedule.paused && !schedule.next_at.empty();
    if (fires && (next.empty() || schedule.next_at < next)) next = schedule.next_at;
  }
  if (!next.empty()) SetTime(next, response.mutable_next_fire_time());
  ARROW_ASSIGN_OR_RAISE(const auto chains,
                        store.cursors().List(name.project + "/" + name.id));
  for (const auto& chain : chains) *response.add_cursors() = ToProto(chain);
  ARROW_ASSIGN_OR_RAISE(const auto edges, store.dependencies().List(name.project));
  for (const auto& edge : edges) {
    if (edge.downstream == name.id) {
      response.add_upstreams(PipelineName(name.project, edge.upstream));
    }
    if (edge.upstream == name.id) {
      response.add_downstreams(PipelineName(name.project, edge.downstream));
    }
  }
  ARROW_ASSIGN_OR_RAISE(const auto revisions,
                        store.definitions().PipelineRevisions(name.project, name.id));
  for (const int64_t revision : revisions) response.add_revisions(revision);
  return arrow::Status::OK();
}

}  // namespace

Reply PipelineServiceImpl::ApplyPipeline(CallContext* context,
                                         const v1::ApplyPipelineRequest* request,
                                         v1::Pipeline* response) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    grpc::Status refused;
    const auto project = ParseParent(request->parent(), false, "parent", refused);
    if (!project) return refused;
    const auto expected = ReadEtag(request->etag(), refused);
    if (!refused.ok()) return refused;
    const auto audit = Audit(parts_, context, "ApplyPipeline", request->parent());
    auto applied = parts_.catalog->ApplyPipeline(
        *project, {request->document().path(), request->document().text()}, Origin::kApi,
        expected, request->validate_only(), &audit);
    if (!applied.ok()) return ToGrpc(applied.status());
    if (!applied->record) return ProblemsToGrpc(applied->problems, {});
    *response = ToProto(*applied->record);
    return grpc::Status::OK;
  });
}

Reply PipelineServiceImpl::GetPipeline(CallContext* context,
                                       const v1::GetPipelineRequest* request,
                                       v1::Pipeline* response) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    grpc::Status refused;
    const auto name = ParseName(request->name(), "pipelines", "name", refused);
    if (!name) return refused;
    if (request->revision() < 0) {
      return FieldError("revision", "revisions count from 1");
    }
    const auto found = Find(parts_, *name, request->revision());
    if (found.ok()) *response = ToProto(*found);
    return ToGrpc(found.status());
  });
}

Reply PipelineServiceImpl::ListPipelines(CallContext* context,
                                         const v1::ListPipelinesRequest* request,
                                         v1::ListPipelinesResponse* response) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    grpc::Status refused;
    const auto project = ParseParent(request->parent(), true, "parent", refused);
    if (!project) return refused;
    const auto page = ReadPage(*request, refused);
    if (!page) return refused;
    const auto found =
        parts_.store->definitions().ListPipelines(*project, page->after, page->limit);
    if (!found.ok()) return ToGrpc(found.status());
    for (const auto& pipeline : *found) *response->add_pipelines() = ToProto(pipeline);
    if (static_cast<int>(found->size()) == page->limit) {
      const auto& last = found->back();
      response->set_next_page_token(page->TokenAfter(last.project + "/" + last.name));
    }
    return grpc::Status::OK;
  });
}

Reply PipelineServiceImpl::DescribePipeline(CallContext* context,
                                            const v1::DescribePipelineRequest* request,
                                            v1::PipelineDescription* response) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    grpc::Status refused;
    const auto name = ParseName(request->name(), "pipelines", "name", refused);
    if (!name) return refused;
    return ToGrpc(Describe(parts_, *name, *response));
  });
}

Reply PipelineServiceImpl::DeletePipeline(CallContext* context,
                                          const v1::DeletePipelineRequest* request,
                                          google::protobuf::Empty*) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    grpc::Status refused;
    const auto name = ParseName(request->name(), "pipelines", "name", refused);
    if (!name) return refused;
    DeleteRules rules;
    rules.force = request->force();
    rules.expected_revision = ReadEtag(request->etag(), refused);
    if (!refused.ok()) return refused;
    const auto audit = Audit(parts_, context, "DeletePipeline", request->name());
    return ToGrpc(parts_.store->definitions().DeletePipeline(name->project, name->id,
                                                             rules, &audit));
  });
}

Reply PipelineServiceImpl::SetPaused(CallContext* context, const std::string& text,
                                     bool paused, const std::string& note,
                                     v1::Pipeline* response) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    grpc::Status refused;
    const auto name = ParseName(text, "pipelines", "name", refused);
    if (!name) return refused;
    const auto audit =
        Audit(parts_, context, paused ? "PausePipeline" : "ResumePipeline", text);
    const auto changed = parts_.store->definitions().SetPaused(
        name->project, name->id, paused, note, FormatTime(parts_.clock->Now()), &audit);
    if (changed.ok()) *response = ToProto(*changed);
    return ToGrpc(changed.status());
  });
}

Reply PipelineServiceImpl::PausePipeline(CallContext* context,
                                         const v1::PausePipelineRequest* request,
                                         v1::Pipeline* response) {
  return SetPaused(context, request->name(), true, request->note(), response);
}

Reply PipelineServiceImpl::ResumePipeline(CallContext* context,
                                          const v1::ResumePipelineRequest* request,
                                          v1::Pipeline* response) {
  return SetPaused(context, request->name(), false, "", response);
}

}  // namespace dxt
