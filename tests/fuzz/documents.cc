// A project and a pipeline, parted by a line "%%": every problem is told with its place,
// what is accepted is accepted again, and a password is known to the redactor.
#include "base/secret.h"
#include "connectors/sdk/connector.h"
#include "connectors/sdk/registry.h"
#include "engine/plan/document_parser.h"
#include "tests/fuzz/fuzz.h"

namespace dxt::fuzz {
namespace {

const ConnectorRegistry& Connectors() {
  static const auto* registry = [] {
    auto* made = new ConnectorRegistry;
    const arrow::Status status = RegisterBuiltinConnectors(*made);
    Promise(status.ok(), "the connectors register", status.ToString());
    return made;
  }();
  return *registry;
}

void CheckSecrets(const Connection& connection, const ParsedDocuments& parsed) {
  if (!connection.connector) return;
  const Redactor redactor(parsed.secrets);
  for (const auto& option : connection.connector->spec().options) {
    if (!option.secret || !connection.config.Has(option.name)) continue;
    const std::string secret = connection.config.String(option.name);
    if (secret.size() < 3) continue;
    Promise(redactor.Redact(secret).find(secret) == std::string::npos,
            "a secret option is redacted", option.name);
  }
}

}  // namespace
}  // namespace dxt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace dxt;
  static const auto parser = DocumentParser::Make(fuzz::Connectors());
  const std::string text(reinterpret_cast<const char*>(data), size);
  const size_t cut = text.find("\n%%\n");
  DocumentInputs inputs;
  if (cut != std::string::npos) {
    inputs.project = DocumentText{"/p/dxt_project.yaml", text.substr(0, cut + 1)};
    inputs.pipeline = DocumentText{"/p/p.yaml", text.substr(cut + 4)};
  } else {
    inputs.pipeline = DocumentText{"/p/p.yaml", text};
  }
  inputs.variables = {{"NAME", "value"}, {"EMPTY", ""}, {"STRANGE", "a: [b\n- \"'"}};
  inputs.sql_variables = {{"x", "1"}, {"y", "' or 1=1 --"}};
  const ParsedDocuments parsed = parser->Parse(inputs);
  bool errors = false;
  for (const auto& problem : parsed.problems) {
    errors = errors || problem.level == Problem::Level::kError;
    fuzz::Promise(!problem.code.empty() && !problem.message.empty(),
                  "a problem has a code and a message", FormatProblem(problem));
  }
  fuzz::Promise(parsed.ok() || errors, "what is refused has a reason", text);
  if (parsed.project) {
    for (const auto& [name, connection] : parsed.project->connections)
      fuzz::CheckSecrets(connection, parsed);
  }
  if (parsed.pipeline) {
    fuzz::CheckSecrets(parsed.pipeline->source, parsed);
    fuzz::CheckSecrets(parsed.pipeline->target, parsed);
  }
  const ParsedDocuments again = parser->Parse(inputs);
  fuzz::Promise(again.problems.size() == parsed.problems.size(),
                "the same documents have the same problems", text);
  return 0;
}
