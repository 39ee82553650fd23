#include <nlohmann/json.hpp>

#include "client/dxtctl/output.h"
#include "client/dxtctl/pipeline_name.h"
#include "client/dxtctl/rpc.h"
#include "client/dxtctl/run_verb.h"
#include "client/dxtctl/verbs.h"
#include "dxt/v1/project_service.pb.h"

namespace dxt::ctl {
namespace {

using Json = nlohmann::ordered_json;

struct TestOptions {
  std::string what;  ///< Pipeline file, connection name or connection string.
  std::string connection;
  std::vector<std::string> variables;
};

Result<int> Test(Invocation& invocation, const TestOptions& options) {
  DocumentOptions wanted;
  const bool document = !options.what.empty() && IsDocumentArgument(options.what);
  if (document) wanted.pipeline = options.what;
  wanted.variables = options.variables;
  CTL_ASSIGN(const Documents documents, invocation.Load(wanted));
  if (options.what.empty() && !documents.set->has_project()) return NoProject("test");
  CTL_ASSIGN(const auto daemon, invocation.Connect(documents));
  v1::CheckConnectionsRequest request;
  *request.mutable_documents() = document ? *documents.set : WithWorkingFolder(documents);
  request.set_only(options.connection.empty() && !document ? options.what
                                                           : options.connection);
  CTL_ASSIGN(const auto response, daemon->Call<v1::CheckConnectionsResponse>(request));
  if (response.checks().empty()) {
    return UsageError(
        "There is no connection to test in " +
            (documents.set->has_project() ? "'" + documents.set->project().path() + "'"
                                          : "the documents"),
        "Add one below `connections`, or name a connection string: dxtctl "
        "test sqlite:///shop.db");
  }
  Json rows = Json::array();
  int exit_code = kExitOk;
  for (const auto& check : response.checks()) {
    Json row = {{"name", check.name()},
                {"type", check.type()},
                {"ok", check.ok()},
                {"seconds", check.seconds()},
                {"error", nullptr}};
    if (!check.ok()) {
      row["error"] = {{"class", check.error().class_()},
                      {"code", check.error().code()},
                      {"message", check.error().message()},
                      {"hint", check.error().hint()}};
      if (exit_code != kExitFailed) exit_code = ExitCodeOfClass(check.error().class_());
    }
    char seconds[32];
    std::snprintf(seconds, sizeof seconds, "%.2fs", check.seconds());
    row["time"] = seconds;
    rows.push_back(row);
  }
  PrintListing(
      {"connections",
       "name",
       {{"CONNECTION", "name"}, {"TYPE", "type"}, {"OK", "ok"}, {"TIME", "time"}}},
      rows, invocation);
  std::fflush(stdout);
  for (const auto& check : response.checks()) {
    if (check.ok()) continue;
    Error error;
    error.message = "connection '" + check.name() + "': " + check.error().message();
    error.code = check.error().code();
    error.hint = check.error().hint();
    invocation.Report(error);
  }
  return exit_code;
}

}  // namespace

void AddTest(Verb root, Invocation& invocation) {
  auto options = std::make_shared<TestOptions>();
  const Verb verb = root.AddVerb("test", "Open connections and say what came of it");
  verb.Add("what", options->what,
           "Pipeline file, connection name or connection string (default: all of the "
           "project)")
      .Placeholder("PIPELINE|CONNECTION");
  verb.Add("--connection", options->connection, "Only this one of the pipeline")
      .Placeholder("NAME");
  AddVariablesOption(verb, options->variables);
  verb.SetAction(invocation, options, Test);
}

}  // namespace dxt::ctl
