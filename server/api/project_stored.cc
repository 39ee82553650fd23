// Stored projects and their connections: the half of ProjectService that keeps things.
#include "base/error.h"
#include "base/secret.h"
#include "connectors/sdk/connector.h"
#include "engine/run/engine.h"
#include "server/api/convert.h"
#include "server/api/paging.h"
#include "server/api/project_calls.h"
#include "server/api/resource_names.h"
#include "server/api/services.h"
#include "server/api/status_map.h"
#include "server/scheduler/catalog.h"
#include "server/scheduler/dispatcher.h"
#include "server/scheduler/schedule_loop.h"
#include "state/state_store.h"

namespace dxt {
namespace {

arrow::Result<ProjectRecord> Find(const ApiParts& parts, const std::string& name) {
  ARROW_ASSIGN_OR_RAISE(auto found, parts.store->definitions().GetProject(name));
  if (found) return std::move(*found);
  return MakeError(ErrorClass::kConfig, "project.not_found",
                   "there is no project " + name,
                   "dxtctl projects list names what is stored");
}

/// As it was written: values are not filled in, and secrets not shown.
void AddOptions(const Connection& connection, v1::Connection& proto) {
  for (const auto& spec : connection.connector->spec().options) {
    const ConfigValue* value = connection.config.Value(spec.name);
    if (value == nullptr) continue;
    const std::string text = value->written.empty() ? value->scalar : value->written;
    (*proto.mutable_options())[spec.name] = spec.secret ? "***" : text;
  }
}

v1::Connection Shown(const std::string& project, const Connection& connection) {
  v1::Connection proto;
  proto.set_name("projects/" + project + "/connections/" + connection.name);
  proto.set_type(std::string(connection.connector->info().name));
  AddOptions(connection, proto);
  return proto;
}

/// A connection may have any name that a document gives it.
std::optional<ResourceName> ParseConnection(const std::string& text,
                                            grpc::Status& refused) {
  constexpr std::string_view kMiddle = "/connections/";
  const size_t at = text.find(kMiddle);
  const auto project = ParseParent(text.substr(0, at), false, "name", refused);
  if (!project) return std::nullopt;
  const std::string id =
      at == std::string::npos ? std::string() : text.substr(at + kMiddle.size());
  if (!id.empty() && id.find('/') == std::string::npos) return ResourceName{*project, id};
  refused = FieldError("name", "a connection is projects/{project}/connections/{id}");
  return std::nullopt;
}

/// Takes out what the options of a connection called secret.
Redactor RedactorOf(const Connection& connection) {
  std::vector<std::string> secrets;
  for (const auto& spec : connection.connector->spec().options) {
    if (spec.secret) secrets.push_back(connection.config.String(spec.name));
  }
  return Redactor(secrets);
}

arrow::Status UnknownConnection(const ResourceName& name) {
  return MakeError(ErrorClass::kConfig, "connection.not_found",
                   "the project " + name.project + " has no connection " + name.id,
                   "dxtctl connections list names them");
}

}  // namespace

void Fill(const ConnectionCheck& check, const Redactor& redactor,
          v1::ConnectionCheck& proto) {
  proto.set_name(redactor.Redact(check.name));
  proto.set_type(check.type);
  proto.set_ok(check.status.ok());
  proto.set_seconds(check.seconds);
  if (check.status.ok()) return;
  const ErrorInfo info = GetErrorInfo(check.status);
  proto.mutable_error()->set_class_(std::string(ErrorClassName(info.error_class)));
  proto.mutable_error()->set_code(info.code);
  proto.mutable_error()->set_message(redactor.Redact(check.status.message()));
  proto.mutable_error()->set_hint(redactor.Redact(info.hint));
}

Reply ProjectServiceImpl::ApplyProject(CallContext* context,
                                       const v1::ApplyProjectRequest* request,
                                       v1::Project* response) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    grpc::Status refused;
    const auto expected = ReadEtag(request->etag(), refused);
    if (!refused.ok()) return refused;
    const auto audit = Audit(parts_, context, "ApplyProject", request->document().path());
    const auto applied = parts_.catalog->ApplyProject(
        "", {request->document().path(), request->document().text()}, Origin::kApi,
        expected, request->validate_only(), &audit);
    if (!applied.ok()) return ToGrpc(applied.status());
    if (!applied->record) return ProblemsToGrpc(applied->problems, {});
    *response = ToProto(*applied->record);
    return grpc::Status::OK;
  });
}

Reply ProjectServiceImpl::GetProject(CallContext* context,
                                     const v1::GetProjectRequest* request,
                                     v1::Project* response) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    grpc::Status refused;
    const auto name = ParseParent(request->name(), false, "name", refused);
    if (!name) return refused;
    const auto found = Find(parts_, *name);
    if (found.ok()) *response = ToProto(*found);
    return ToGrpc(found.status());
  });
}

Reply ProjectServiceImpl::ListProjects(CallContext* context,
                                       const v1::ListProjectsRequest* request,
                                       v1::ListProjectsResponse* response) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    grpc::Status refused;
    const auto page = ReadPage(*request, refused);
    if (!page) return refused;
    const auto found = parts_.store->definitions().ListProjects(page->after, page->limit);
    if (!found.ok()) return ToGrpc(found.status());
    for (const auto& project : *found) *response->add_projects() = ToProto(project);
    if (static_cast<int>(found->size()) == page->limit) {
      response->set_next_page_token(page->TokenAfter(found->back().name));
    }
    return grpc::Status::OK;
  });
}

Reply ProjectServiceImpl::DeleteProject(CallContext* context,
                                        const v1::DeleteProjectRequest* request,
                                        google::protobuf::Empty*) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    grpc::Status refused;
    const auto name = ParseParent(request->name(), false, "name", refused);
    if (!name) return refused;
    DeleteRules rules;
    rules.force = request->force();
    const auto audit = Audit(parts_, context, "DeleteProject", request->name());
    const auto deleted = parts_.store->definitions().DeleteProject(*name, rules, &audit);
    if (deleted.ok() && parts_.schedules != nullptr) parts_.schedules->Changed();
    return ToGrpc(deleted);
  });
}

Reply ProjectServiceImpl::ListConnections(CallContext* context,
                                          const v1::ListConnectionsRequest* request,
                                          v1::ListConnectionsResponse* response) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    grpc::Status refused;
    const auto name = ParseParent(request->parent(), false, "parent", refused);
    if (!name) return refused;
    const auto project = parts_.catalog->Project(*name);
    if (!project.ok()) return ToGrpc(project.status());
    for (const auto& [id, connection] : project->connections) {
      *response->add_connections() = Shown(*name, connection);
    }
    return grpc::Status::OK;
  });
}

Reply ProjectServiceImpl::GetConnection(CallContext* context,
                                        const v1::GetConnectionRequest* request,
                                        v1::Connection* response) {
  return parts_.calls->Answer(context, [=, this]() -> grpc::Status {
    grpc::Status refused;
    const auto name = ParseConnection(request->name(), refused);
    if (!name) return refused;
    const auto project = parts_.catalog->Project(name->project);
    if (!project.ok()) return ToGrpc(project.status());
    const auto found = project->connections.find(name->id);
    if (found == project->connections.end()) {
      return ToGrpc(UnknownConnection(*name));
    }
    *response = Shown(name->project, found->second);
    return grpc::Status::OK;
  });
}

Reply ProjectServiceImpl::TestConnection(CallContext* context,
                                         const v1::TestConnectionRequest* request,
                                         v1::ConnectionCheck* response) {
  grpc::Status refused;
  const auto name = ParseConnection(request->name(), refused);
  if (!name) return Answer(context, refused);
  return threads_.Run([=, this](std::stop_token stop) {
    const auto project = parts_.catalog->Project(name->project);
    if (!project.ok()) return ToGrpc(project.status());
    const auto found = project->connections.find(name->id);
    if (found == project->connections.end()) return ToGrpc(UnknownConnection(*name));
    const auto allowed = parts_.file_roots.Check(found->second);
    if (!allowed.ok()) return ToGrpc(allowed);
    Observer observer;
    NoJournal journal;
    const auto checks = dxt::CheckConnections(
        *project, nullptr, name->id,
        parts_.dispatcher->ContextWithoutRun(observer, journal), stop);
    if (!checks.empty()) Fill(checks[0], RedactorOf(found->second), *response);
    return stop.stop_requested() ? grpc::Status::CANCELLED : grpc::Status::OK;
  });
}

}  // namespace dxt
