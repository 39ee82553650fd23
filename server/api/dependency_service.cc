#include "base/clock.h"
#include "server/api/convert.h"
#include "server/api/resource_names.h"
#include "server/api/services.h"
#include "server/api/status_map.h"
#include "server/scheduler/dependency_graph.h"
#include "state/state_store.h"

namespace dxt {
namespace {

v1::Dependency ToProto(const DependencyRecord& record) {
  v1::Dependency proto;
  proto.set_name("projects/" + record.project + "/dependencies/" + record.upstream +
                 ".." + record.downstream);
  proto.set_upstream(PipelineName(record.project, record.upstream));
  proto.set_downstream(PipelineName(record.project, record.downstream));
  SetTime(record.created_at, proto.mutable_create_time());
  return proto;
}

}  // namespace

Reply DependencyServiceImpl::CreateDependency(CallContext* context,
                                              const v1::CreateDependencyRequest* request,
                                              v1::Dependency* response) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    grpc::Status refused;
    const auto project = ParseParent(request->parent(), false, "parent", refused);
    if (!project) return refused;
    const auto& wanted = request->dependency();
    const auto upstream =
        ParseName(wanted.upstream(), "pipelines", "dependency.upstream", refused);
    if (!upstream) return refused;
    const auto downstream =
        ParseName(wanted.downstream(), "pipelines", "dependency.downstream", refused);
    if (!downstream) return refused;
    if (upstream->project != *project || downstream->project != *project) {
      return FieldError("dependency",
                        "both pipelines must belong to " + request->parent());
    }
    const DependencyRecord record{*project, upstream->id, downstream->id,
                                  FormatTime(parts_.clock->Now()), ""};
    const auto audit = Audit(parts_, context, "CreateDependency",
                             wanted.upstream() + " " + wanted.downstream());
    const auto added = parts_.store->dependencies().Add(record, &audit);
    if (added.ok()) *response = ToProto(record);
    return ToGrpc(added);
  });
}

Reply DependencyServiceImpl::ListDependencies(CallContext* context,
                                              const v1::ListDependenciesRequest* request,
                                              v1::ListDependenciesResponse* response) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    grpc::Status refused;
    const auto project = ParseParent(request->parent(), false, "parent", refused);
    if (!project) return refused;
    const auto stored = parts_.store->dependencies().List(*project);
    if (!stored.ok()) return ToGrpc(stored.status());
    std::vector<DependencyGraph::Edge> edges;
    for (const auto& record : *stored)
      edges.push_back({record.upstream, record.downstream});
    const DependencyGraph graph(edges);
    std::vector<DependencyGraph::Edge> wanted = graph.Ordered();
    if (!request->pipeline().empty()) {
      const auto pipeline =
          ParseName(request->pipeline(), "pipelines", "pipeline", refused);
      if (!pipeline) return refused;
      using Request = v1::ListDependenciesRequest;
      std::vector<DependencyGraph::Edge> near;
      for (const bool upstream : {true, false}) {
        if (request->direction() ==
            (upstream ? Request::DOWNSTREAM : Request::UPSTREAM)) {
          continue;
        }
        for (auto& edge : graph.Ordered(pipeline->id, upstream, request->transitive())) {
          near.push_back(std::move(edge));
        }
      }
      wanted = std::move(near);
    }
    for (const auto& edge : wanted) {
      for (const auto& record : *stored) {
        if (record.upstream == edge.upstream && record.downstream == edge.downstream) {
          *response->add_dependencies() = ToProto(record);
        }
      }
    }
    return grpc::Status::OK;
  });
}

Reply DependencyServiceImpl::DeleteDependency(CallContext* context,
                                              const v1::DeleteDependencyRequest* request,
                                              google::protobuf::Empty*) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    grpc::Status refused;
    const auto name = ParseName(request->name(), "dependencies", "name", refused);
    if (!name) return refused;
    const size_t dots = name->id.find("..");
    const auto audit = Audit(parts_, context, "DeleteDependency", request->name());
    return ToGrpc(parts_.store->dependencies().Remove(
        name->project, name->id.substr(0, dots), name->id.substr(dots + 2), &audit));
  });
}

}  // namespace dxt
