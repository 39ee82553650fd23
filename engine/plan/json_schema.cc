// Draft-07 JSON Schemas of the documents, from the tables that the checker works with.
// What a table cannot say, the rules between keys of one object, is added by object name.
#include <nlohmann/json.hpp>

#include "engine/plan/documents.h"
#include "engine/plan/keys.h"

namespace dxt {
namespace {

using Json = nlohmann::ordered_json;

// Before substitution any scalar may be ${NAME}.
constexpr char kVariable[] = "\\$\\{";

Json Variable() { return {{"type", "string"}, {"pattern", kVariable}}; }

Json OrVariable(Json schema) {
  return {{"anyOf", Json::array({std::move(schema), Variable()})}};
}

/// A number, the same in quotes, or a variable.
Json NumberSchema(const OptionSpec& spec, const char* type, const char* quoted) {
  Json number = {{"type", type}};
  if (spec.minimum) number["minimum"] = *spec.minimum;
  if (spec.maximum) number["maximum"] = *spec.maximum;
  const std::string pattern = std::string(quoted) + "|" + kVariable;
  return {{"anyOf", Json::array({number, {{"type", "string"}, {"pattern", pattern}}})}};
}

Json TextSchema(const OptionSpec& spec) {
  if (!spec.choices.empty()) {
    Json words = spec.choices;
    const bool null = std::find(words.begin(), words.end(), "null") != words.end();
    if (null) words.push_back(nullptr);
    return OrVariable({{"enum", std::move(words)}});
  }
  Json text = {{"type", {"string", "number", "boolean"}}};
  if (!spec.pattern.empty()) {
    text["pattern"] = "^(?:" + spec.pattern + ")$|" + kVariable;
  } else if (spec.required) {
    text["minLength"] = 1;
  }
  return text;
}

Json ShapeOf(const OptionSpec& spec);

Json Rule(Json condition, Json consequence) {
  return {{"if", std::move(condition)}, {"then", std::move(consequence)}};
}

Json Has(const char* key) { return {{"required", {key}}}; }

Json HasValue(const char* key, Json schema) {
  return {{"properties", {{key, std::move(schema)}}}, {"required", {key}}};
}

Json Not(Json schema) { return {{"not", std::move(schema)}}; }

/// Two names of one option exclude each other.
void AddAliasRules(const OptionSpec& field, Json& rules) {
  std::vector<std::string> names = {field.name};
  names.insert(names.end(), field.aliases.begin(), field.aliases.end());
  names.insert(names.end(), field.deprecated_aliases.begin(),
               field.deprecated_aliases.end());
  if (field.required) {
    Json any = Json::array();
    for (const auto& name : names) any.push_back({{"required", {name}}});
    rules.push_back({{"anyOf", any}});
  }
  for (size_t i = 0; i < names.size(); ++i) {
    for (size_t j = i + 1; j < names.size(); ++j) {
      rules.push_back(Not({{"required", {names[i], names[j]}}}));
    }
  }
}

void AddExtractRules(Json& rules) {
  const auto form = [&](std::vector<std::string> types, const std::string& pattern) {
    const Json text = {{"type", {"string", "number"}},
                       {"pattern", pattern + "|" + kVariable}};
    Json shapes = {{"initial_value", text}, {"end_value", text}};
    rules.push_back(Rule(HasValue("watermark_type", {{"enum", std::move(types)}}),
                         {{"properties", std::move(shapes)}}));
  };
  form({"integer", "int"}, "^ *[+-]?[0-9]+ *$");
  form({"date", "timestamp", "timestamp_tz"}, "^ *[0-9]+-[0-9][0-9]-[0-9][0-9]");
}

void AddStreamRules(Json& rules) {
  const Json no_table = {{"enum", {"query", "file", "api"}}};
  rules.push_back(Rule(HasValue("kind", no_table), Not(Has("criteria"))));
  const Json table = {
      {"anyOf",
       Json::array({Not(Has("kind")), HasValue("kind", {{"enum", {"table", "view"}}})})}};
  const Json many =
      HasValue("source", {{"type", "string"}, {"pattern", "^\\*$|\\.\\*$"}});
  for (const char* target : {"target", "destination"}) {
    rules.push_back(
        Rule({{"allOf", Json::array({table, many, Has(target)})}},
             HasValue(target, {{"pattern", std::string("\\{name\\}|") + kVariable}})));
  }
  const Json incremental =
      HasValue("extract",
               {{"allOf", Json::array({HasValue("mode", {{"const", "incremental"}})})}});
  const Json replace = HasValue("mode", {{"enum", {"replace", "overwrite"}}});
  rules.push_back(Not(
      {{"allOf",
        Json::array(
            {incremental,
             HasValue(
                 "load",
                 {{"allOf", Json::array({replace, Not(Has("partial_replace"))})}})})}}));
  // Short forms beside the long ones.
  const auto excludes = [&](const std::vector<const char*>& shorts, const char* section,
                            const std::vector<const char*>& longs) {
    Json any_short = Json::array(), any_long = Json::array();
    for (const char* key : shorts) any_short.push_back(Has(key));
    for (const char* key : longs) any_long.push_back(Has(key));
    rules.push_back(
        Rule({{"anyOf", any_short}}, Not(HasValue(section, {{"anyOf", any_long}}))));
  };
  excludes({"incremental"}, "extract",
           {"mode", "watermark_field", "watermark_column", "cursor_column"});
  excludes({"watermark"}, "extract", {"initial_value"});
  excludes({"mode", "write_mode", "write_disposition"}, "load",
           {"mode", "write_mode", "write_disposition"});
  const std::vector<const char*> keys = {"upsert_keys", "upsert_key", "merge_keys",
                                         "primary_key", "primary_keys"};
  excludes(keys, "load", keys);
  // What is closed because it does not come must have been looked for.
  for (const char* key : {"mode", "write_mode", "write_disposition"}) {
    const Json closing = {
        {"allOf",
         Json::array({HasValue(key, {{"const", "scd2"}}),
                      HasValue("scd2", HasValue("deletes", {{"const", "close"}}))})}};
    rules.push_back(
        Not({{"allOf", Json::array({incremental, HasValue("load", closing)})}}));
  }
  // A mirror reads the whole source.
  const Json partial = {
      {"anyOf", Json::array({incremental, Has("filters"), Has("criteria")})}};
  for (const char* key : {"mode", "write_mode", "write_disposition"}) {
    const Json mirror = HasValue(key, {{"const", "mirror"}});
    rules.push_back(Not({{"allOf", Json::array({partial, mirror})}}));
    rules.push_back(
        Not({{"allOf",
              Json::array(
                  {partial, HasValue("load", {{"allOf", Json::array({mirror})}})})}}));
  }
}

void AddFieldRules(Json& rules) {
  const Json sized = {{"anyOf", Json::array({Has("precision"), Has("scale")})}};
  rules.push_back(Rule(sized, HasValue("dtype", {{"enum", {"decimal"}}})));
  rules.push_back(Rule(Has("scale"), Has("precision")));
  rules.push_back(Rule(HasValue("id", {{"const", "*"}}), {{"maxProperties", 1}}));
  const Json generated =
      HasValue("metadata", HasValue("generated_by", {{"const", "dxt"}}));
  rules.push_back(Rule(generated, Not(Has("source"))));
  rules.push_back(
      Rule(generated,
           {{"properties",
             {{"metadata",
               {{"properties", {{"generator", {{"enum", {"current_timestamp"}}}}}}}}}}}));
}

void AddFilterRules(Json& rules) {
  const Json lists = {{"enum", {"in", "not_in"}}};
  rules.push_back(Rule(HasValue("value", {{"type", "array"}}), HasValue("op", lists)));
}

void AddBufferRules(const std::string& prefix, Json& rules) {
  const std::string format = prefix + "format", compression = prefix + "compression";
  rules.push_back(
      Not({{"allOf", Json::array({HasValue(format.c_str(), {{"const", "memory"}}),
                                  HasValue("persist", {{"const", true}})})}}));
  rules.push_back(
      Rule(HasValue(format.c_str(), {{"enum", {"csv", "jsonl"}}}),
           Not(HasValue(compression.c_str(), {{"enum", {"snappy", "lz4"}}}))));
  rules.push_back(Not(
      HasValue((prefix + "location").c_str(), {{"type", "string"}, {"pattern", "://"}})));
}

void AddPipelineRules(Json& rules) {
  const Json short_keys = {
      {"anyOf", Json::array({Has("table"), Has("incremental"), Has("write_disposition"),
                             Has("write_mode"), Has("mode"), Has("upsert_keys"),
                             Has("merge_keys"), Has("primary_key")})}};
  const Json with_table =
      HasValue("source", {{"type", "object"}, {"required", {"table"}}});
  const Json streams = {{"anyOf", Json::array({Has("streams"), Has("items")})}};
  rules.push_back({{"anyOf", Json::array({streams, with_table})}});
  for (const char* side : {"source", "target", "destination"}) {
    const Json of_object = {{"allOf", Json::array({{{"type", "object"}}, short_keys})}};
    rules.push_back(Rule(streams, Not(HasValue(side, of_object))));
  }
}

Json RulesOf(const OptionSpec& spec) {
  Json rules = Json::array();
  for (const auto& field : spec.fields) AddAliasRules(field, rules);
  const auto has = [&](const char* key) {
    for (const auto& field : spec.fields) {
      if (field.name == key) return true;
    }
    return false;
  };
  if (spec.name == "extract") AddExtractRules(rules);
  if (spec.name == "stream") AddStreamRules(rules);
  if (spec.name == "pipeline") AddPipelineRules(rules);
  if (spec.name == "buffer")
    AddBufferRules(has("default_format") ? "default_" : "", rules);
  if (has("op") && has("value")) AddFilterRules(rules);
  if (has("id") && has("dtype")) AddFieldRules(rules);
  if (has("column") && has("expression")) {
    rules.push_back(Not({{"required", {"column", "expression"}}}));
  }
  return rules;
}

Json DefaultOf(const OptionSpec& spec) {
  const bool typed = spec.kind == OptionKind::kInteger ||
                     spec.kind == OptionKind::kNumber ||
                     spec.kind == OptionKind::kBoolean;
  if (typed && Json::accept(spec.default_value)) return Json::parse(spec.default_value);
  return spec.default_value;
}

Json ObjectSchema(const OptionSpec& spec) {
  Json properties = Json::object();
  for (const auto& field : spec.fields) {
    Json schema = ShapeOf(field);
    if (!field.help.empty()) schema["description"] = field.help;
    if (!field.default_value.empty()) schema["default"] = DefaultOf(field);
    if (!field.example.empty()) schema["examples"] = {field.example};
    properties[field.name] = schema;
    for (const auto& alias : field.aliases) properties[alias] = schema;
    for (const auto& alias : field.deprecated_aliases) {
      properties[alias] = schema;
      properties[alias]["description"] = "Old name of " + field.name + ".";
    }
  }
  Json object = {{"type", "object"},
                 {"properties", std::move(properties)},
                 {"additionalProperties", false}};
  if (Json rules = RulesOf(spec); !rules.empty()) object["allOf"] = std::move(rules);
  return object;
}

Json ListSchema(const OptionSpec& spec) {
  Json list = {{"type", "array"}};
  Json item;
  if (!spec.items.empty()) {
    item = ShapeOf(spec.items[0]);
    list["items"] = item;
  }
  if (spec.required || spec.name == "streams") list["minItems"] = 1;
  if (spec.name == "upsert_keys" || spec.name == "fields") list["uniqueItems"] = true;
  if (!spec.scalar_as_list) return list;
  return {{"anyOf", Json::array({list, item})}};
}

Json ShapeOf(const OptionSpec& spec) {
  switch (spec.kind) {
    case OptionKind::kString:
      return TextSchema(spec);
    case OptionKind::kInteger:
      return NumberSchema(spec, "integer", "^-?[0-9]+$");
    case OptionKind::kNumber:
      return NumberSchema(spec, "number", "^-?[0-9.]+$");
    case OptionKind::kBoolean:
      return {{"anyOf",
               Json::array(
                   {{{"type", "boolean"}},
                    {{"type", "string"},
                     {"pattern", std::string("^([Tt]rue|TRUE|[Ff]alse|FALSE|[Yy]es|YES|"
                                             "[Nn]o|NO|[Oo]n|ON|[Oo]ff|OFF)$|") +
                                     kVariable}}})}};
    case OptionKind::kDuration:
      return NumberSchema(spec, "number", "^[0-9.]+ ?(ms|s|m|min|h|d)?$");
    case OptionKind::kBytes:
      return NumberSchema(spec, "number", "^[0-9.]+ ?([KkMmGg]?[Bb]?|[KkMmGg]i[Bb])$");
    case OptionKind::kList:
      return ListSchema(spec);
    case OptionKind::kObject:
      return ObjectSchema(spec);
    case OptionKind::kMap: {
      Json map = {{"type", "object"}};
      if (!spec.items.empty()) map["additionalProperties"] = ShapeOf(spec.items[0]);
      return map;
    }
    case OptionKind::kAny:
      break;
  }
  Json shapes = Json::array();
  for (const auto& item : spec.items) {
    Json shape = ShapeOf(item);
    if (!item.help.empty()) shape["description"] = item.help;
    shapes.push_back(std::move(shape));
  }
  return {{"anyOf", shapes}};
}

}  // namespace

std::string DocumentJsonSchema(DocumentKind kind, const ConnectorRegistry& registry) {
  const bool is_project = kind == DocumentKind::kProject;
  const OptionSpec keys = is_project ? ProjectKeys(registry) : PipelineKeys(registry);
  Json schema = {{"$schema", "http://json-schema.org/draft-07/schema#"},
                 {"title", is_project ? "dxt project" : "dxt pipeline"},
                 {"description", keys.help}};
  schema.update(ObjectSchema(keys));
  return schema.dump(2);
}

}  // namespace dxt
