#include "base/clock.h"
#include "base/error.h"
#include "base/url_password.h"
#include "engine/run/engine.h"
#include "engine/run/prepared_stream.h"

namespace dxt {
namespace {

/// A YAML scalar in double quotes; always valid, whatever the name holds.
std::string Quoted(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\x%02x", byte);
      quoted += escape;
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

/// A document must not read `${…}` in a catalogue's name as a variable.
std::string Escaped(const std::string& text) {
  std::string escaped;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '$' && i + 1 < text.size() && text[i + 1] == '{') escaped += '$';
    escaped += text[i];
  }
  return Quoted(escaped);
}

/// A connection as a document names it: a password of an inline one becomes a variable.
std::string ConnectionText(const std::string& connection, const char* variable) {
  const auto named = PasswordAsVariable(connection, variable);
  return named ? Quoted(*named) : Escaped(connection);
}

std::string StreamYaml(const StreamInfo& info, const std::string& id,
                       const std::string& target) {
  std::string yaml = "  - id: " + Escaped(id) + "\n";
  yaml += "    kind: " + std::string(StreamKindName(info.kind)) + "\n";
  yaml += "    source: " + Escaped(info.reference) + "\n";
  yaml += "    target: " + Escaped(target) + "\n";
  yaml += "    fields:\n";
  for (const auto& field : info.columns.fields) {
    yaml += "      - id: " + Escaped(field.name) + "\n";
    yaml += "        dtype: " + std::string(DTypeName(field.type.dtype)) + "\n";
    if (field.type.dtype == DType::kDecimal && field.type.precision > 0) {
      yaml += "        precision: " + std::to_string(field.type.precision) + "\n";
      yaml += "        scale: " + std::to_string(field.type.scale) + "\n";
    }
    if (!field.nullable) yaml += "        nullable: false\n";
    if (!field.native.type.empty()) {
      yaml += "        source: {dtype: " + Escaped(field.native.type) + "}\n";
    }
  }
  return yaml;
}

}  // namespace

arrow::Result<std::string> DiscoverPipeline(const ProjectDocument& project,
                                            const std::string& connection,
                                            const std::string& schema,
                                            const std::string& to,
                                            const RunContext& context,
                                            std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(auto from,
                        ResolveConnection(project, connection, *context.registry));
  std::optional<Connection> target;
  if (!to.empty()) {
    ARROW_ASSIGN_OR_RAISE(target, ResolveConnection(project, to, *context.registry));
  }
  ARROW_ASSIGN_OR_RAISE(auto source, OpenSource(from, context, stop));
  ARROW_ASSIGN_OR_RAISE(auto found, source->Discover(schema, stop));
  const bool folder = target &&
                      !target->connector->info().capabilities.Has(Capability::kUpsert) &&
                      !target->connector->info().capabilities.Has(Capability::kSql);
  std::string yaml = "# Found at " + FormatTime(context.clock->Now()) + ": " +
                     std::to_string(found.size()) +
                     (found.size() == 1 ? " stream" : " streams") +
                     ". Keep what you need.\n";
  yaml += "version: 1\n";
  yaml += "name: from_" + (from.is_inline ? std::string("source") : from.name) + "\n";
  yaml += "source: {connection: " + ConnectionText(connection, "SOURCE_PASSWORD") + "}\n";
  yaml += "target: {connection: " +
          (to.empty() ? ConnectionText(connection, "SOURCE_PASSWORD")
                      : ConnectionText(to, "TARGET_PASSWORD")) +
          "}" + (to.empty() ? "  # choose the target's connection\n" : "\n");
  if (found.empty()) return yaml + "streams: []\n";
  yaml += "streams:\n";
  std::vector<std::string> ids;
  for (const auto& info : found) {
    std::string id = info.name;
    for (const auto& other : ids) {
      if (other == id) id = info.schema + "_" + info.name;
    }
    ids.push_back(id);
    yaml += StreamYaml(info, id, folder ? id + "/" : (to.empty() ? "copy_of_" + id : id));
  }
  return yaml;
}

}  // namespace dxt
