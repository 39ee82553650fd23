#include <cstdio>
#include <filesystem>

#include "client/dxtctl/output.h"
#include "client/dxtctl/resources.h"
#include "client/dxtctl/rpc.h"
#include "client/dxtctl/run_verb.h"
#include "client/dxtctl/verbs.h"
#include "dxt/v1/server_service.pb.h"

namespace dxt::ctl {
namespace {

Result<int> BackUp(Invocation& invocation, const std::string& file) {
  CTL_ASSIGN(const auto server, invocation.Server());
  v1::BackUpStateRequest request;
  request.set_path(std::filesystem::absolute(file).lexically_normal().string());
  CTL_ASSIGN(const auto written,
             Call<v1::BackUpStateResponse>(server, request,
                                           {.deadline = std::chrono::minutes(30)}));
  if (!ForPeople(invocation)) {
    PrintResource(invocation, written, written.path(), {});
    return kExitOk;
  }
  std::printf("%s\n", written.path().c_str());
  invocation.Note("Wrote " + ShortBytes(static_cast<double>(written.bytes())) +
                  " on the daemon's machine.");
  return kExitOk;
}

}  // namespace

void AddAdmin(Verb root, Invocation& invocation) {
  const Verb verb = root.AddVerb("admin", "Look after a daemon, and what targets grant");
  verb.Examples("  dxtctl admin backup /var/lib/dxt/backups/state-2026-11-21.db");
  verb.RequireVerb();
  auto file = std::make_shared<std::string>();
  const Verb backup = verb.AddVerb(
      "backup", "Have the daemon copy its state to a new file, while runs go on");
  backup.Examples("  dxtctl admin backup /var/lib/dxt/backups/state-2026-11-21.db");
  backup.Add("file", *file, "File on the daemon's machine that does not exist yet")
      .Required();
  backup.SetAction(invocation, file, BackUp);
  auto options = std::make_shared<RunVerbOptions>();
  options->dry_run = true;
  options->administrator_sql = true;
  const Verb ddl =
      verb.AddVerb("ddl", "Print the SQL by which an administrator lets a pipeline load");
  ddl.Examples("  dxtctl admin ddl orders.yaml | psql -U postgres shop");
  ddl.Add("pipeline", options->documents.pipeline, "Pipeline file; - = stdin").Required();
  AddRunOptions(ddl, *options);
  ddl.SetAction(invocation, options, ExecuteRunVerb);
}

}  // namespace dxt::ctl
