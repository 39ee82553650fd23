#include <cstdio>

#include <nlohmann/json.hpp>

#include "client/dxtctl/output.h"
#include "client/dxtctl/verbs.h"
#include "dxt/v1/project_service.pb.h"

namespace dxt::ctl {
namespace {

using Json = nlohmann::ordered_json;

struct ConnectorsOptions {
  bool detailed = false;
  std::string capability;  ///< Only connectors that have it; "" = all.
};

template <typename Strings>
std::vector<std::string> ToVector(const Strings& strings) {
  return {strings.begin(), strings.end()};
}

Json OptionJson(const v1::ConnectorOption& option) {
  return {{"name", option.name()},
          {"kind", option.kind()},
          {"required", option.required()},
          {"secret", option.secret()},
          {"default", option.default_value()},
          {"example", option.example()},
          {"aliases", ToVector(option.aliases())},
          {"choices", ToVector(option.choices())},
          {"help", option.help()}};
}

void PrintDetails(const Json& connector) {
  std::printf("\n%s: %s\n  URLs: ", connector["name"].get<std::string>().c_str(),
              connector["summary"].get<std::string>().c_str());
  for (const auto& scheme : connector["url_schemes"]) {
    std::printf("%s:// ", scheme.get<std::string>().c_str());
  }
  std::printf("\n");
  PrintTable({{"  OPTION", "name"},
              {"KIND", "kind"},
              {"REQUIRED", "required"},
              {"SECRET", "secret"},
              {"DEFAULT", "default"},
              {"HELP", "help"}},
             connector["options"]);
}

Result<int> Connectors(Invocation& invocation, const ConnectorsOptions& options) {
  CTL_ASSIGN(const Documents documents, invocation.Load({}));
  CTL_ASSIGN(const auto daemon, invocation.Connect(documents));
  CTL_ASSIGN(const auto response,
             daemon->Call<v1::ListConnectorsResponse>(v1::ListConnectorsRequest()));
  Json rows = Json::array();
  for (const auto& connector : response.connectors()) {
    const auto capabilities = ToVector(connector.capabilities());
    if (!options.capability.empty() &&
        std::find(capabilities.begin(), capabilities.end(), options.capability) ==
            capabilities.end()) {
      continue;
    }
    Json row = {{"name", connector.name()},
                {"support", connector.support()},
                {"guarantee", connector.guarantee()},
                {"capabilities", capabilities},
                {"aliases", ToVector(connector.aliases())},
                {"url_schemes", ToVector(connector.url_schemes())},
                {"summary", connector.summary()}};
    const bool people = invocation.format() == OutputFormat::kTable ||
                        invocation.format() == OutputFormat::kWide;
    if (options.detailed || !people) {
      row["options"] = Json::array();
      for (const auto& option : connector.options())
        row["options"].push_back(OptionJson(option));
    }
    rows.push_back(row);
  }
  PrintListing({"connectors",
                "name",
                {{"CONNECTOR", "name"},
                 {"SUPPORT", "support"},
                 {"GUARANTEE", "guarantee"},
                 {"CAPABILITIES", "capabilities", true},
                 {"SUMMARY", "summary"}}},
               rows, invocation);
  if (options.detailed && invocation.format() == OutputFormat::kTable) {
    for (const auto& row : rows) PrintDetails(row);
  }
  return kExitOk;
}

void AddNamed(Verb root, Invocation& invocation, const char* name, const char* help,
              const char* capability) {
  auto options = std::make_shared<ConnectorsOptions>();
  options->capability = capability;
  const Verb verb = root.AddVerb(name, help);
  verb.AddFlag("--detailed", options->detailed, "With options, types and defaults");
  verb.SetAction(invocation, options, Connectors);
}

}  // namespace

void AddConnectors(Verb root, Invocation& invocation) {
  AddNamed(root, invocation, "connectors", "List the systems dxt can talk to", "");
  AddNamed(root, invocation, "sources", "List the systems dxt can read", "read");
  AddNamed(root, invocation, "destinations", "List the systems dxt can write", "write");
  AddNamed(root, invocation, "list-connectors", "The same as connectors", "");
}

}  // namespace dxt::ctl
