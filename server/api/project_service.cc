#include <algorithm>

#include "base/clock.h"
#include "base/error.h"
#include "connectors/sdk/connector.h"
#include "connectors/sdk/registry.h"
#include "engine/run/engine.h"
#include "engine/run/observer.h"
#include "server/api/convert.h"
#include "server/api/project_calls.h"
#include "server/api/services.h"
#include "server/api/status_map.h"
#include "server/scheduler/dispatcher.h"

namespace dxt {
namespace {

/// Documents parsed for one call, with what it needs around them.
struct ParsedCall {
  ParsedDocuments documents;
  Redactor redactor;
  NoJournal journal;
  Observer observer;

  ParsedCall(const v1::DocumentSet& set, const ConnectorRegistry& registry)
      : documents(ParseDocuments(FromProto(set), registry)),
        redactor(documents.secrets) {}

  /// The project that names resolve in; an empty one when none was sent.
  ProjectDocument project(const v1::DocumentSet& set) const {
    if (documents.project) return *documents.project;
    if (documents.pipeline) return documents.pipeline->project;
    ProjectDocument none;
    none.path = set.project().path();
    return none;
  }
};

grpc::Status NoPipeline() {
  return ApiError(grpc::StatusCode::INVALID_ARGUMENT, "document.no_pipeline",
                  "This needs a pipeline document, and none was sent",
                  "Name a pipeline file");
}

}  // namespace

Reply ProjectServiceImpl::ValidateDocuments(CallContext* context,
                                            const v1::ValidateDocumentsRequest* request,
                                            v1::ValidateDocumentsResponse* response) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    const ParsedCall call(request->documents(), *parts_.registry);
    for (const auto& problem : call.documents.problems) {
      *response->add_problems() = ToProto(problem, call.redactor);
    }
    response->set_valid(call.documents.ok());
    if (call.documents.ok()) {
      const ProjectDocument project = call.project(request->documents());
      response->set_project("projects/" + project.name);
      if (call.documents.pipeline) {
        response->set_pipeline(PipelineName(project.name, call.documents.pipeline->name));
      }
    }
    return grpc::Status::OK;
  });
}

Reply ProjectServiceImpl::ListStreams(CallContext*, const v1::ListStreamsRequest* request,
                                      v1::ListStreamsResponse* response) {
  return threads_.Run([=, this](std::stop_token stop) {
    ParsedCall call(request->documents(), *parts_.registry);
    if (!call.documents.ok())
      return ProblemsToGrpc(call.documents.problems, call.redactor);
    if (!call.documents.pipeline) return NoPipeline();
    if (const auto allowed = parts_.file_roots.Check(*call.documents.pipeline);
        !allowed.ok()) {
      return ToGrpc(allowed, call.redactor);
    }
    const RunContext context =
        parts_.dispatcher->ContextWithoutRun(call.observer, call.journal);
    auto streams = dxt::ListStreams(*call.documents.pipeline,
                                    FromProto(request->options()), context, stop);
    if (!streams.ok()) return ToGrpc(streams.status(), call.redactor);
    for (const auto& stream : *streams) {
      auto* listing = response->add_streams();
      listing->set_id(stream.id);
      listing->set_kind(stream.kind);
      listing->set_source(call.redactor.Redact(stream.source));
      listing->set_target(call.redactor.Redact(stream.target));
      listing->set_extract_mode(stream.extract_mode);
      listing->set_load_mode(stream.load_mode);
      for (const auto& tag : stream.tags) listing->add_tags(tag);
    }
    return grpc::Status::OK;
  });
}

Reply ProjectServiceImpl::CheckConnections(CallContext*,
                                           const v1::CheckConnectionsRequest* request,
                                           v1::CheckConnectionsResponse* response) {
  return threads_.Run([=, this](std::stop_token stop) {
    ParsedCall call(request->documents(), *parts_.registry);
    if (!call.documents.ok())
      return ProblemsToGrpc(call.documents.problems, call.redactor);
    const RunContext context =
        parts_.dispatcher->ContextWithoutRun(call.observer, call.journal);
    const auto* pipeline = call.documents.pipeline ? &*call.documents.pipeline : nullptr;
    const ProjectDocument project = call.project(request->documents());
    for (const auto& [name, connection] : project.connections) {
      const auto allowed = parts_.file_roots.Check(connection);
      if (!allowed.ok()) return ToGrpc(allowed, call.redactor);
    }
    if (pipeline != nullptr) {
      const auto allowed = parts_.file_roots.Check(*pipeline);
      if (!allowed.ok()) return ToGrpc(allowed, call.redactor);
    }
    if (!request->only().empty()) {
      const auto only = ResolveConnection(project, request->only(), *parts_.registry);
      const auto allowed =
          only.ok() ? parts_.file_roots.Check(*only) : arrow::Status::OK();
      if (!allowed.ok()) return ToGrpc(allowed, Redactor({request->only()}));
    }
    for (const auto& check :
         dxt::CheckConnections(call.project(request->documents()), pipeline,
                               request->only(), context, stop)) {
      Fill(check, call.redactor, *response->add_checks());
    }
    return stop.stop_requested() ? grpc::Status::CANCELLED : grpc::Status::OK;
  });
}

Reply ProjectServiceImpl::DiscoverPipeline(CallContext*,
                                           const v1::DiscoverPipelineRequest* request,
                                           v1::DiscoverPipelineResponse* response) {
  return threads_.Run([=, this](std::stop_token stop) {
    ParsedCall call(request->documents(), *parts_.registry);
    if (!call.documents.ok())
      return ProblemsToGrpc(call.documents.problems, call.redactor);
    // An inline connection string may hold the secret of this call alone.
    const Redactor inline_redactor({request->connection(), request->to()});
    const bool is_url = request->connection().find("://") != std::string::npos;
    const RunContext context =
        parts_.dispatcher->ContextWithoutRun(call.observer, call.journal);
    const ProjectDocument project = call.project(request->documents());
    for (const auto* name : {&request->connection(), &request->to()}) {
      if (name->empty()) continue;
      const auto connection = ResolveConnection(project, *name, *parts_.registry);
      const auto allowed = connection.ok() ? parts_.file_roots.Check(*connection)
                                           : arrow::Status::OK();  // Said below.
      if (!allowed.ok()) return ToGrpc(allowed, inline_redactor);
    }
    auto yaml =
        dxt::DiscoverPipeline(call.project(request->documents()), request->connection(),
                              request->schema(), request->to(), context, stop);
    if (!yaml.ok())
      return ToGrpc(yaml.status(), is_url ? inline_redactor : call.redactor);
    response->set_yaml(*yaml);
    return grpc::Status::OK;
  });
}

Reply ProjectServiceImpl::PreviewStream(CallContext*,
                                        const v1::PreviewStreamRequest* request,
                                        v1::PreviewStreamResponse* response) {
  return threads_.Run([=, this](std::stop_token stop) {
    ParsedCall call(request->documents(), *parts_.registry);
    if (!call.documents.ok())
      return ProblemsToGrpc(call.documents.problems, call.redactor);
    if (!call.documents.pipeline) return NoPipeline();
    if (const auto allowed = parts_.file_roots.Check(*call.documents.pipeline);
        !allowed.ok()) {
      return ToGrpc(allowed, call.redactor);
    }
    const RunContext context =
        parts_.dispatcher->ContextWithoutRun(call.observer, call.journal);
    const int64_t rows =
        request->rows() == 0 ? 10 : std::clamp(request->rows(), 1, 10000);
    auto table = dxt::PreviewStream(*call.documents.pipeline, request->stream(), rows,
                                    context, stop);
    if (!table.ok()) return ToGrpc(table.status(), call.redactor);
    for (size_t i = 0; i < table->columns.size(); ++i) {
      auto* column = response->add_columns();
      column->set_name(table->columns[i]);
      column->set_dtype(table->dtypes[i]);
    }
    for (const auto& row : table->rows) {
      auto* proto = response->add_rows();
      for (const auto& cell : row) {
        auto* text = proto->add_cells();
        if (cell) text->set_text(*cell);
      }
    }
    return grpc::Status::OK;
  });
}

Reply ProjectServiceImpl::ListConnectors(CallContext* context,
                                         const v1::ListConnectorsRequest*,
                                         v1::ListConnectorsResponse* response) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    for (const auto* connector : parts_.registry->List()) {
      *response->add_connectors() = ToProto(*connector);
    }
    return grpc::Status::OK;
  });
}

Reply ProjectServiceImpl::GetJsonSchema(CallContext* context,
                                        const v1::GetJsonSchemaRequest* request,
                                        v1::GetJsonSchemaResponse* response) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    DocumentKind kind = DocumentKind::kPipeline;
    if (request->kind() == v1::GetJsonSchemaRequest::PROJECT) {
      kind = DocumentKind::kProject;
    } else if (request->kind() != v1::GetJsonSchemaRequest::PIPELINE) {
      return ApiError(grpc::StatusCode::INVALID_ARGUMENT, "api.kind",
                      "kind is neither PROJECT nor PIPELINE");
    }
    response->set_json(DocumentJsonSchema(kind, *parts_.registry));
    return grpc::Status::OK;
  });
}

}  // namespace dxt
