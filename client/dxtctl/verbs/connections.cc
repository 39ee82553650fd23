#include <cstdio>

#include <nlohmann/json.hpp>

#include "client/dxtctl/resources.h"
#include "client/dxtctl/rpc.h"
#include "client/dxtctl/verbs.h"
#include "dxt/v1/project_service.pb.h"

namespace dxt::ctl {
namespace {

std::string OptionsText(const v1::Connection& connection) {
  const std::map<std::string, std::string> sorted(connection.options().begin(),
                                                  connection.options().end());
  std::string text;
  for (const auto& [key, value] : sorted)
    text += (text.empty() ? "" : " ") + key + "=" + value;
  return text;
}

Result<v1::ListConnectionsResponse> FetchConnections(const ResourceServer& server) {
  v1::ListConnectionsRequest request;
  request.set_parent(ListParent(server, false));
  return Call<v1::ListConnectionsResponse>(server, request, {.attempts = 3});
}

Result<int> ListConnections(Invocation& invocation, const std::vector<std::string>&) {
  CTL_ASSIGN(const auto server, invocation.Server());
  CTL_ASSIGN(const auto response, FetchConnections(server));
  ResourceTable table("connections", {{"CONNECTION", ""}, {"TYPE", ""}, {"OPTIONS", ""}});
  for (const auto& connection : response.connections()) {
    table.Add(connection, connection.name(),
              {LastPart(connection.name()), connection.type(), OptionsText(connection)});
  }
  table.Print(invocation, "The project '" + server.project +
                              "' has no connections: dxtctl projects apply -f "
                              "dxt_project.yaml");
  return kExitOk;
}

Result<int> GetConnections(Invocation& invocation,
                           const std::vector<std::string>& names) {
  CTL_ASSIGN(const auto server, invocation.Server());
  v1::GetConnectionRequest request;
  CTL_ASSIGN(*request.mutable_name(), ResourceName(server, "connections", names.at(0)));
  CTL_ASSIGN(const auto connection,
             Call<v1::Connection>(server, request, {.attempts = 3}));
  PrintResource(invocation, connection, connection.name(),
                {{"connection", ShortName(connection.name())},
                 {"type", connection.type()},
                 {"options", OptionsText(connection)}});
  return kExitOk;
}

/// Those that are named, or all of the project.
Result<int> TestConnections(Invocation& invocation, std::vector<std::string> names) {
  CTL_ASSIGN(const auto server, invocation.Server());
  if (names.empty()) {
    CTL_ASSIGN(const auto response, FetchConnections(server));
    for (const auto& connection : response.connections())
      names.push_back(connection.name());
  }
  ResourceTable table(
      "connections",
      {{"CONNECTION", ""}, {"TYPE", ""}, {"OK", ""}, {"TIME", "", false, true}});
  std::vector<Error> errors;
  for (const auto& name : names) {
    v1::TestConnectionRequest request;
    CTL_ASSIGN(*request.mutable_name(), ResourceName(server, "connections", name));
    CTL_ASSIGN(const auto check,
               Call<v1::ConnectionCheck>(server, request,
                                         {.deadline = std::chrono::seconds(120)}));
    table.Add(check, check.name(),
              {check.name(), check.type(), check.ok() ? "yes" : "no",
               DurationText(check.seconds())});
    if (check.ok()) continue;
    Error error;
    error.exit_code = ExitCodeOfClass(check.error().class_());
    error.message = "connection '" + check.name() + "': " + check.error().message();
    error.code = check.error().code();
    error.hint = check.error().hint();
    errors.push_back(error);
  }
  table.Print(invocation, "The project '" + server.project + "' has no connections.");
  std::fflush(stdout);
  for (const auto& error : errors) invocation.Report(error);
  return errors.empty() ? kExitOk : errors.front().exit_code;
}

using ConnectionAction = Result<int> (*)(Invocation&, const std::vector<std::string>&);

void AddConnectionAction(Verb parent, Invocation& invocation, const char* name,
                         const char* help, const char* examples, int fewest, int most,
                         ConnectionAction action) {
  auto names = std::make_shared<std::vector<std::string>>();
  const Verb verb = parent.AddVerb(name, help);
  verb.Examples(examples);
  if (most > 0) {
    verb.Add("names", *names, "NAME or PROJECT/NAME")
        .Required(fewest > 0)
        .Values(fewest, most);
  }
  verb.SetAction(invocation, names, action);
}

}  // namespace

void AddConnections(Verb root, Invocation& invocation) {
  const Verb verb =
      root.AddVerb("connections", "Show and test connections of stored projects");
  verb.Examples(
      "  dxtctl connections list --project shop\n"
      "  dxtctl connections test shop/warehouse");
  verb.RequireVerb();
  AddConnectionAction(verb, invocation, "list",
                      "List the connections of a stored project",
                      "  dxtctl connections list --project shop", 0, 0, ListConnections);
  AddConnectionAction(verb, invocation, "get", "Show one; secrets are not shown",
                      "  dxtctl connections get shop/warehouse -o yaml", 1, 1,
                      GetConnections);
  AddConnectionAction(verb, invocation, "test",
                      "Have the daemon open them; without names, all",
                      "  dxtctl connections test shop/warehouse", 0, 1000,
                      [](Invocation& called, const std::vector<std::string>& names) {
                        return TestConnections(called, names);
                      });
}

}  // namespace dxt::ctl
