#include <algorithm>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "client/dxtctl/contexts.h"
#include "client/dxtctl/output.h"
#include "client/dxtctl/resources.h"
#include "client/dxtctl/verbs.h"

namespace dxt::ctl {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using ContextAction = Result<int> (*)(Invocation&, const std::string&);

Json ContextRow(const std::string& name, const Context& context, bool current) {
  const auto text = [](const std::string& value) {
    return value.empty() ? Json() : Json(value);
  };
  return {{"name", name},
          {"current", current},
          {"server", text(context.server)},
          {"project", text(context.project)},
          {"tls",
           {{"ca", text(context.tls.ca)},
            {"cert", text(context.tls.cert)},
            {"key", text(context.tls.key)}}},
          {"token_file", text(context.token_file)}};
}

Result<int> ListContexts(Invocation& invocation, const std::string&) {
  CTL_ASSIGN(const Contexts contexts, LoadContexts(ContextsPath()));
  Json rows = Json::array();
  for (const auto& [name, context] : contexts.all) {
    rows.push_back(ContextRow(name, context, name == contexts.current));
  }
  if (rows.empty()) {
    invocation.Note(
        "There is no context yet: dxtctl context set NAME --server host:port");
  }
  if (rows.empty() && ForPeople(invocation)) return kExitOk;
  PrintListing({"contexts",
                "name",
                {{"NAME", "name"},
                 {"CURRENT", "current"},
                 {"SERVER", "server"},
                 {"PROJECT", "project"},
                 {"TOKEN FILE", "token_file", true}}},
               rows, invocation);
  return kExitOk;
}

Error NoContext(const std::string& name) {
  return UsageError("There is no context '" + name + "'",
                    "`dxtctl context list` shows what there is");
}

Result<int> UseContext(Invocation& invocation, const std::string& name) {
  const auto path = ContextsPath();
  CTL_ASSIGN(Contexts contexts, LoadContexts(path));
  if (!name.empty() && !contexts.all.contains(name)) return NoContext(name);
  contexts.current = name;
  CTL_RETURN_NOT_OK(SaveContexts(path, contexts));
  invocation.Note(name.empty()
                      ? "No context is selected; verbs that need no daemon use "
                        "a private one."
                      : "Every verb now uses dxtd at " + contexts.all[name].server +
                            "; --local uses a private one.");
  return kExitOk;
}

/// Absolute, since a context is used from any folder.
std::string Absolute(const std::string& file) {
  return file.empty() ? file : fs::absolute(file).lexically_normal().string();
}

Result<int> SetContext(Invocation& invocation, const std::string& name) {
  if (!IsResourceId(name)) {
    return UsageError("'" + name + "' is no name of a context",
                      "Use lower-case letters, digits, _ and -");
  }
  const auto path = ContextsPath();
  CTL_ASSIGN(Contexts contexts, LoadContexts(path));
  Context& context = contexts.all[name];
  const auto& options = invocation.options;
  const auto change = [](std::string& field, const std::string& value) {
    if (!value.empty()) field = value;
  };
  change(context.server, options.endpoint.server);
  change(context.tls.ca, Absolute(options.endpoint.tls.ca));
  change(context.tls.cert, Absolute(options.endpoint.tls.cert));
  change(context.tls.key, Absolute(options.endpoint.tls.key));
  change(context.token_file, Absolute(options.endpoint.token_file));
  change(context.project, options.project);
  if (!context.project.empty() && !IsResourceId(context.project)) {
    return UsageError("'" + context.project + "' is not the name of a stored project");
  }
  if (context.server.empty()) {
    return UsageError("A new context needs a server",
                      "dxtctl context set " + name + " --server host:port");
  }
  CTL_RETURN_NOT_OK(CheckServer(context.server));
  CTL_RETURN_NOT_OK(SaveContexts(path, contexts));
  invocation.Note(contexts.current == name
                      ? "Changed."
                      : "Stored. Select it: dxtctl context use " + name);
  return kExitOk;
}

Result<int> CurrentContext(Invocation& invocation, const std::string&) {
  CTL_ASSIGN(const auto named, NamedEndpoint(invocation.options.endpoint));
  if (!named) {
    invocation.Note(
        "No daemon is named: verbs that need none use a private one, others " +
        std::string(kMachineServer) + ".");
    return kExitOk;
  }
  CTL_ASSIGN(const Contexts contexts, LoadContexts(ContextsPath()));
  Json row = ContextRow(contexts.current, named->context, true);
  row.erase("current");
  row["named_by"] = named->named_by;
  if (!named->named_by.starts_with("context")) row["name"] = nullptr;
  if (invocation.format() == OutputFormat::kJson ||
      invocation.format() == OutputFormat::kJsonl) {
    PrintJson(invocation, row);
  } else if (invocation.format() == OutputFormat::kYaml) {
    std::printf("%s", ToYaml(row).c_str());
  } else {
    std::printf("%s\n", named->Text().c_str());
  }
  return kExitOk;
}

Result<int> DeleteContext(Invocation& invocation, const std::string& name) {
  const auto path = ContextsPath();
  CTL_ASSIGN(Contexts contexts, LoadContexts(path));
  if (!contexts.all.contains(name)) return NoContext(name);
  CTL_RETURN_NOT_OK(Confirm(invocation, "Delete the context '" + name + "'?"));
  contexts.all.erase(name);
  if (contexts.current == name) contexts.current.clear();
  CTL_RETURN_NOT_OK(SaveContexts(path, contexts));
  return kExitOk;
}

enum class ContextArgument { kNone, kOptional, kRequired };

void AddContextAction(Verb parent, Invocation& invocation, const char* name,
                      const char* help, ContextArgument argument, ContextAction action,
                      const char* examples) {
  auto chosen = std::make_shared<std::string>();
  const Verb verb = parent.AddVerb(name, help);
  verb.Examples(examples);
  if (argument != ContextArgument::kNone) {
    verb.Add("name", *chosen, "Name of a context")
        .Required(argument == ContextArgument::kRequired);
  }
  verb.SetAction(invocation, chosen, action);
}

}  // namespace

void AddContext(Verb root, Invocation& invocation) {
  const Verb verb = root.AddVerb("context", "Name daemons and choose one of them");
  verb.Examples(
      "  dxtctl context set prod --server dxt.example.org:7443 --tls-ca ca.pem "
      "--token-file ~/.dxt-token\n"
      "  dxtctl context use prod\n"
      "  dxtctl --context prod runs list");
  verb.RequireVerb();
  AddContextAction(verb, invocation, "list", "List the daemons that have a name",
                   ContextArgument::kNone, ListContexts, "  dxtctl context list -o wide");
  AddContextAction(verb, invocation, "use", "Select one; without a name, none",
                   ContextArgument::kOptional, UseContext, "  dxtctl context use prod");
  AddContextAction(
      verb, invocation, "set", "Make one, or change what is given",
      ContextArgument::kRequired, SetContext,
      "  dxtctl context set prod --server dxt.example.org:7443 --tls-ca ca.pem "
      "--tls-cert me.pem --tls-key me.key --project shop");
  AddContextAction(verb, invocation, "current",
                   "Say which daemon is used, and what named it", ContextArgument::kNone,
                   CurrentContext, "  dxtctl context current");
  AddContextAction(verb, invocation, "delete", "Forget one", ContextArgument::kRequired,
                   DeleteContext, "  dxtctl context delete prod --yes");
}

}  // namespace dxt::ctl
