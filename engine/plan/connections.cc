#include "engine/plan/connections.h"

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "base/error.h"
#include "connectors/sdk/connector.h"
#include "connectors/sdk/registry.h"
#include "engine/plan/keys.h"
#include "engine/plan/variables.h"

namespace dxt {
namespace {

using Kind = ConfigValue::Kind;

/// Remembers a secret for the redactor, with the variables that are part of it.
void Remember(const ConfigValue& value, CompileContext& context) {
  if (value.kind != Kind::kScalar || value.scalar.empty()) return;
  context.secrets.insert(value.scalar);
  for (const auto& name : VariableNames(value.written)) {
    const auto found = context.inputs.variables.find(name);
    if (found != context.inputs.variables.end() && !found->second.empty()) {
      context.secrets.insert(found->second);
    }
  }
}

void ReportLiteral(const Mark& mark, const std::string& path, const std::string& what,
                   CompileContext& context) {
  Problem& problem = context.problems.Warn(
      mark, path, "config.literal_secret", what + " stands in the document itself",
      "write ${NAME} and set the variable in the environment or in .env");
  if (context.inputs.strict) problem.level = Problem::Level::kError;
}

/// The values of secret options in a connection string; nullopt when the text is none of
/// this connector.
std::optional<std::vector<std::string>> SecretsInUrl(const Connector& connector,
                                                     const std::string& text,
                                                     const CompileContext& context) {
  if (context.registry.FindByUrl(text) != &connector) return std::nullopt;
  const auto parsed = connector.ParseUrl(text);
  if (!parsed.ok()) return std::nullopt;
  std::vector<std::string> secrets;
  for (const auto& option : connector.spec().options) {
    const ConfigValue* value = parsed->Get(option.name);
    if (option.secret && IsSet(value) && !value->scalar.empty() &&
        value->scalar != text) {
      secrets.push_back(value->scalar);
    }
  }
  return secrets;
}

void CheckSecrets(const Connector& connector, const ConfigValue& options,
                  const std::string& path, CompileContext& context) {
  for (const auto& option : connector.spec().options) {
    const ConfigValue* value = options.Get(option.name);
    if (!option.secret || !IsSet(value) || value->kind != Kind::kScalar) continue;
    if (value->scalar.empty()) continue;
    const auto inside = SecretsInUrl(connector, value->scalar, context);
    if (inside && inside->empty()) continue;
    if (inside) context.secrets.insert(inside->begin(), inside->end());
    RememberSecret(*value, path + "." + option.name, "'" + option.name + "'", context);
  }
}

void ReplaceAll(std::string& text, const std::string& what, const std::string& by) {
  for (size_t at = text.find(what); at != std::string::npos;
       at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
}

/// A connector's message about a connection string may quote it: as it was written, and
/// without secrets.
std::string Scrubbed(std::string message, const ConfigValue& url,
                     const CompileContext& context) {
  if (url.scalar.empty()) return message;
  ReplaceAll(message, url.scalar,
             WithoutSecrets(url.written.empty() ? url.scalar : url.written));
  for (const auto& name : VariableNames(url.written)) {
    const auto found = context.inputs.variables.find(name);
    constexpr size_t kShortest = 3;
    if (found == context.inputs.variables.end() || found->second.size() < kShortest)
      continue;
    ReplaceAll(message, found->second, "${" + name + "}");
  }
  return message;
}

void MarkAll(ConfigValue& value, const ConfigValue& from) {
  value.mark = value.key_mark = from.mark;
  if (!from.written.empty() && value.kind == Kind::kScalar) value.written = from.written;
  for (auto& item : value.list) MarkAll(item, from);
  for (auto& [key, item] : value.map) MarkAll(item, from);
}

bool AnyRefused(const ConfigValue& value) {
  if (WasRefused(&value)) return true;
  return std::any_of(value.list.begin(), value.list.end(), AnyRefused) ||
         std::any_of(value.map.begin(), value.map.end(),
                     [](const auto& entry) { return AnyRefused(entry.second); });
}

Connection Finished(const Connector& connector, ConfigValue options, std::string name,
                    const std::string& folder, const std::string& path,
                    CompileContext& context) {
  for (auto& [key, value] : options.map) {
    const OptionSpec* option = connector.spec().Find(key);
    if (option && option->path)
      ResolvePath(value, folder, path + "." + key, context.problems);
  }
  Connection connection;
  connection.name = std::move(name);
  connection.connector = &connector;
  connection.mark = options.mark;
  connection.config = ConfigView(&connector.spec(), std::move(options));
  return connection;
}

void ReportUnknownScheme(const ConfigValue& url, const std::string& path,
                         CompileContext& context) {
  std::vector<std::string> schemes;
  std::string known;
  for (const Connector* connector : context.registry.List()) {
    for (const auto scheme : connector->info().url_schemes) {
      schemes.emplace_back(scheme);
      known += (known.empty() ? "" : ", ") + std::string(scheme);
    }
  }
  const std::string& text = url.written.empty() ? url.scalar : url.written;
  const std::string scheme = text.substr(0, text.find(':'));
  std::string suggestion = DidYouMean(scheme, schemes);
  if (suggestion.empty()) suggestion = "known are " + known;
  context.problems.Error(url.mark, path, "connection.unknown_scheme",
                         "no connector takes connection strings that begin with '" +
                             Shortened(scheme, 40) + ":'",
                         std::move(suggestion));
}

}  // namespace

std::string FolderOf(const std::string& document_path) {
  return std::filesystem::path(document_path).parent_path().string();
}

bool LooksLikeUrl(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon < 2) return false;
  return std::all_of(text.begin(), text.begin() + static_cast<ptrdiff_t>(colon),
                     [](char c) {
                       return std::isalnum(static_cast<unsigned char>(c)) || c == '+' ||
                              c == '-' || c == '.';
                     });
}

std::string WithoutSecrets(std::string_view url) {
  std::string_view shown = url.substr(0, url.find('?'));
  const size_t begin = shown.find("://");
  if (begin == std::string_view::npos) return std::string(shown);
  const std::string_view rest = shown.substr(begin + 3);
  const size_t at = rest.rfind('@');
  if (at == std::string_view::npos || rest.starts_with('/')) return std::string(shown);
  const std::string_view user = rest.substr(0, rest.substr(0, at).find(':'));
  return std::string(shown.substr(0, begin + 3)) + std::string(user.substr(0, at)) +
         std::string(rest.substr(at));
}

void ResolvePath(ConfigValue& value, const std::string& folder, const std::string& path,
                 ProblemList& problems) {
  if (value.kind != Kind::kScalar || value.scalar.empty()) return;
  std::string& text = value.scalar;
  if (text.starts_with('/') || text == ":memory:" ||
      text.find("://") != std::string::npos) {
    return;
  }
  const size_t scheme = LooksLikeUrl(text) ? text.find(':') + 1 : 0;
  if (text.substr(scheme).starts_with('/')) return;
  if (folder.empty()) {
    problems.Error(value.mark, path, "config.relative_path",
                   "the path " + Shown(value) +
                       " is relative, and this document stands in no folder",
                   "write an absolute path");
    return;
  }
  const auto absolute =
      (std::filesystem::path(folder) / text.substr(scheme)).lexically_normal();
  if (value.written.empty()) value.written = text;
  text = text.substr(0, scheme) + absolute.string();
}

std::optional<Connection> ConnectionFromOptions(const ConfigValue& map,
                                                const std::string& name,
                                                const std::string& folder,
                                                const std::string& path,
                                                CompileContext& context) {
  const ConfigValue* type = map.Get("type");
  if (!IsSet(type) || AnyRefused(map)) return std::nullopt;
  const auto connector = context.registry.Find(type->scalar);
  if (!connector.ok()) return std::nullopt;
  ConfigValue options;
  options.kind = Kind::kMap;
  options.mark = map.mark;
  options.key_mark = map.key_mark;
  for (const auto& [key, value] : map.map) {
    if (key != "type" && (*connector)->spec().Find(key))
      options.map.emplace_back(key, value);
  }
  CheckSecrets(**connector, options, path, context);
  Connection connection =
      Finished(**connector, std::move(options), name, folder, path, context);
  if (name.empty()) {
    connection.is_inline = true;
    const std::string type((*connector)->info().name);
    const std::string identity = (*connector)->Identity(connection.config);
    connection.name = identity.starts_with(type) ? identity : type + ":" + identity;
  }
  return connection;
}

std::optional<Connection> ConnectionFromUrl(const ConfigValue& url,
                                            const std::string& name,
                                            const std::string& folder,
                                            const std::string& path,
                                            CompileContext& context) {
  const Connector* connector = context.registry.FindByUrl(url.scalar);
  if (!connector) {
    ReportUnknownScheme(url, path, context);
    return std::nullopt;
  }
  auto parsed = connector->ParseUrl(url.scalar);
  if (!parsed.ok()) {
    const ErrorInfo info = GetErrorInfo(parsed.status());
    context.problems.Error(url.mark, path, info.code,
                           Scrubbed(parsed.status().message(), url, context), info.hint);
    return std::nullopt;
  }
  ConfigValue options = std::move(*parsed);
  options.kind = Kind::kMap;
  MarkAll(options, url);
  OptionSpec spec = ConnectorKeys(*connector);
  spec.fields.erase(spec.fields.begin());
  const size_t known = context.problems.items().size();
  Checker(context.problems).Check(options, spec, path);
  if (context.problems.items().size() != known) return std::nullopt;

  for (const auto& secret : SecretsInUrl(*connector, url.scalar, context)
                                .value_or(std::vector<std::string>())) {
    context.secrets.insert(secret);
    if (url.written.empty() || url.written.find(secret) != std::string::npos) {
      ReportLiteral(url.mark, path, "a password", context);
    }
  }
  Connection connection =
      Finished(*connector, std::move(options), name, folder, path, context);
  if (name.empty()) {
    connection.is_inline = true;
    connection.name = WithoutSecrets(url.scalar);
  }
  return connection;
}

void RememberSecret(const ConfigValue& value, const std::string& path,
                    const std::string& what, CompileContext& context) {
  Remember(value, context);
  if (value.written.empty()) ReportLiteral(value.mark, path, what, context);
}

arrow::Result<Connection> ResolveConnection(const ProjectDocument& project,
                                            const std::string& name_or_url,
                                            const ConnectorRegistry& registry) {
  const auto known = project.connections.find(name_or_url);
  if (known != project.connections.end()) return known->second;
  if (LooksLikeUrl(name_or_url)) {
    const DocumentInputs inputs;
    ProblemList problems;
    const std::set<std::string> no_variables;
    CompileContext context{registry, inputs, problems, {}, no_variables, {}};
    ConfigValue url;
    url.kind = Kind::kScalar;
    url.scalar = name_or_url;
    auto connection = ConnectionFromUrl(url, "", FolderOf(project.path), "", context);
    ARROW_RETURN_NOT_OK(ProblemsToStatus(problems.items()));
    if (connection) return std::move(*connection);
  }
  std::vector<std::string> names;
  std::string list;
  for (const auto& [name, connection] : project.connections) {
    names.push_back(name);
    list += (list.empty() ? "" : ", ") + name;
  }
  std::string hint = DidYouMean(name_or_url, names);
  if (hint.empty()) {
    hint = list.empty()
               ? "Name a connection of the project file, or give a connection string"
               : "Known are " + list;
  }
  return MakeError(ErrorClass::kConfig, "connection.unknown",
                   "There is no connection '" + WithoutSecrets(name_or_url) + "'",
                   std::move(hint));
}

}  // namespace dxt
