#include <set>

#include "engine/plan/compile.h"

namespace dxt {
namespace {

using Kind = ConfigValue::Kind;

/// `[Billing Date]` and "Billing Date" in quotes are the bare name; of source columns the
/// plan takes the quotes off, next to the catalogue.
std::string Bare(const std::string& name) {
  if (name.size() < 3) return name;
  const char open = name.front(), close = name.back();
  const bool wrapped = (open == '[' && close == ']') || (open == '"' && close == '"') ||
                       (open == '`' && close == '`');
  return wrapped ? name.substr(1, name.size() - 2) : name;
}

std::optional<int32_t> NumberAt(const ConfigValue& map, const char* key) {
  const std::string text = TextAt(map, key);
  if (text.empty()) return std::nullopt;
  return static_cast<int32_t>(std::stol(text));
}

void ReadType(const ConfigValue& item, const std::string& path, FieldConfig& field,
              CompileContext& context) {
  const ConfigValue* dtype = item.Get("dtype");
  const auto precision = NumberAt(item, "precision");
  const auto scale = NumberAt(item, "scale");
  if (WasRefused(dtype)) return;
  if (const auto parsed = ParseDType(TextAt(item, "dtype"))) {
    field.type = FieldType{};
    field.type->dtype = *parsed;
  }
  for (const char* key : {"precision", "scale"}) {
    const ConfigValue* value = item.Get(key);
    if (!IsSet(value) || (field.type && field.type->dtype == DType::kDecimal)) continue;
    context.problems.Error(value->mark, path + "." + key, "field.not_decimal",
                           std::string("`") + key + "` needs dtype: decimal");
    return;
  }
  if (!field.type) return;
  if (scale && !precision && !WasRefused(item.Get("precision"))) {
    context.problems.Error(item.Get("scale")->mark, path + ".scale", "field.scale",
                           "`scale` needs `precision`");
  } else if (scale && precision && *scale > *precision) {
    context.problems.Error(item.Get("scale")->mark, path + ".scale", "field.scale",
                           "scale " + std::to_string(*scale) +
                               " is more than precision " + std::to_string(*precision));
  } else if (precision) {
    field.type->precision = *precision;
    field.type->scale = scale.value_or(0);
  }
}

void ReadSource(const ConfigValue* source, const std::string& path, FieldConfig& field,
                CompileContext& context) {
  if (!IsSet(source)) return;
  if (source->kind == Kind::kScalar) {
    field.source_column = source->scalar;
    return;
  }
  field.source_column = TextAt(*source, "column");
  field.source_expression = TextAt(*source, "expression");
  field.source_native = TextAt(*source, "dtype");
  CheckTemplates(source->Get("expression"), path + ".source.expression", context);
  if (!field.source_column.empty() && !field.source_expression.empty()) {
    context.problems.Error(source->Get("expression")->mark, path + ".source.expression",
                           "config.conflicting_keys",
                           "a field has a `column` or an `expression`, not both");
  }
}

void ReadTarget(const ConfigValue* target, FieldConfig& field) {
  if (!IsSet(target)) return;
  if (target->kind == Kind::kScalar) {
    field.target_name = Bare(target->scalar);
    return;
  }
  field.target_name = Bare(TextAt(*target, "name"));
  field.target_native = TextAt(*target, "dtype");
  field.target_nullable = ParseBoolean(TextAt(*target, "nullable"));
}

void ReadMetadata(const ConfigValue& item, const std::string& path, FieldConfig& field,
                  CompileContext& context) {
  const ConfigValue* metadata = item.Get("metadata");
  if (!IsSet(metadata)) return;
  field.generated = TextAt(*metadata, "generated_by") == "dxt";
  if (!field.generated) return;
  field.generator = "current_timestamp";
  const ConfigValue* generator = metadata->Get("generator");
  if (IsSet(generator) && generator->scalar != field.generator) {
    context.problems.Error(
        generator->mark, path + ".metadata.generator", "field.unknown_generator",
        Shown(*generator) + " is not a generator", "the only one is current_timestamp");
  }
  const ConfigValue* source = item.Get("source");
  if (IsSet(source)) {
    context.problems.Error(source->mark, path + ".source", "field.generated_source",
                           "a generated field has no source");
  }
}

void CheckWildcard(const ConfigValue& item, const std::string& path,
                   CompileContext& context) {
  for (const auto& [key, value] : item.map) {
    if (key == "id" || !IsSet(&value)) continue;
    context.problems.Error(value.key_mark, path + "." + key, "field.wildcard",
                           "the field \"*\" takes no other keys",
                           "describe a column under its own id");
  }
}

}  // namespace

std::vector<FieldConfig> CompileFields(const ConfigValue& list, const std::string& path,
                                       CompileContext& context) {
  std::vector<FieldConfig> fields;
  std::set<std::string> ids, targets;
  for (size_t i = 0; i < list.list.size(); ++i) {
    const ConfigValue& item = list.list[i];
    if (!IsSet(&item)) continue;
    const std::string below = path + "[" + std::to_string(i) + "]";
    FieldConfig field;
    field.mark = item.mark;
    if (item.kind == Kind::kScalar) {
      field.id = item.scalar;
    } else {
      field.id = TextAt(item, "id");
      ReadType(item, below, field, context);
      ReadSource(item.Get("source"), below, field, context);
      ReadTarget(item.Get("target"), field);
      field.nullable = ParseBoolean(TextAt(item, "nullable"));
      field.timezone = TextAt(item, "timezone");
      ReadMetadata(item, below, field, context);
      if (field.id == "*") CheckWildcard(item, below, context);
    }
    if (field.id.empty()) continue;
    if (!ids.insert(field.id).second) {
      context.problems.Error(field.mark, below + ".id", "field.duplicate_id",
                             "the field '" + field.id + "' is there already");
    } else if (const auto name = field.target_name.empty() ? field.id : field.target_name;
               !targets.insert(name).second) {
      context.problems.Error(field.mark, below + ".target", "field.duplicate_target",
                             "the target column '" + name + "' is filled twice");
    }
    fields.push_back(std::move(field));
  }
  return fields;
}

}  // namespace dxt
