#include "engine/plan/short_forms.h"

#include <cctype>

namespace dxt {
namespace {

using Kind = ConfigValue::Kind;

/// Moves a key of `from` into stream.`section`, where documents with a single table and
/// the short forms keep it.
void Hoist(ConfigValue& stream, ConfigValue* value, const std::string& section,
           const std::string& key, const std::string& path, CompileContext& context) {
  if (!value || (!IsSet(value) && !WasRefused(value))) return;
  ConfigValue block;
  if (const ConfigValue* present = stream.Get(section)) block = *present;
  if (block.kind != Kind::kMap) {
    block = ConfigValue();
    block.kind = Kind::kMap;
    block.mark = value->mark;
    block.key_mark = value->key_mark;
  }
  if (const ConfigValue* twice = block.Get(key)) {
    context.problems.Error(value->key_mark, path, "config.conflicting_keys",
                           "this and '" + section + "." + key + "' at line " +
                               std::to_string(twice->mark.line) + " set the same thing",
                           "keep one of them");
    return;
  }
  Put(block, key, std::move(*value));
  Put(stream, section, std::move(block));
}

ConfigValue Word(std::string text, const ConfigValue& at) {
  ConfigValue value;
  value.kind = Kind::kScalar;
  value.scalar = std::move(text);
  value.mark = at.mark;
  value.key_mark = at.key_mark;
  return value;
}

constexpr const char* kShortForms[] = {"incremental", "watermark", "write_disposition",
                                       "upsert_keys"};

void EraseShortForms(ConfigValue& map) {
  for (const char* key : kShortForms) {
    std::erase_if(map.map, [&](const auto& entry) { return entry.first == key; });
  }
}

/// Rewrites `incremental:`, `write_disposition` and key lists of `from` into the stream's
/// extract and load.
void HoistFrom(ConfigValue& stream, ConfigValue& from, const std::string& path,
               CompileContext& context) {
  if (ConfigValue* incremental = Find(from, "incremental"); IsSet(incremental)) {
    const std::string below = path + ".incremental";
    ConfigValue mode = Word("incremental", *incremental);
    Hoist(stream, &mode, "extract", "mode", below, context);
    Hoist(stream, Find(*incremental, "cursor_column"), "extract", "watermark_field",
          below + ".cursor_column", context);
    Hoist(stream, Find(*incremental, "initial_value"), "extract", "initial_value",
          below + ".initial_value", context);
  }
  if (ConfigValue* watermark = Find(from, "watermark"); IsSet(watermark)) {
    Hoist(stream, Find(*watermark, "default_value"), "extract", "initial_value",
          path + ".watermark.default_value", context);
  }
  Hoist(stream, Find(from, "write_disposition"), "load", "mode",
        path + ".write_disposition", context);
  Hoist(stream, Find(from, "upsert_keys"), "load", "upsert_keys", path + ".upsert_keys",
        context);
  EraseShortForms(from);
}

/// The bare name at the end of a reference, as a stream id.
std::string IdOfTable(std::string_view table) {
  std::string id;
  char closing = 0;
  for (const char c : table) {
    if (closing) {
      if (c == closing)
        closing = 0;
      else
        id += c;
    } else if (c == '"' || c == '`' || c == '[') {
      closing = c == '[' ? ']' : c;
    } else if (c == '.') {
      id.clear();
    } else {
      id += c;
    }
  }
  for (char& c : id) {
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '-') c = '_';
  }
  if (id.empty() || id[0] == '-') id = "_" + id;
  return id.substr(0, 128);
}

}  // namespace

void HoistShortForms(ConfigValue& stream, const std::string& path,
                     CompileContext& context) {
  ConfigValue from = stream;
  HoistFrom(stream, from, path, context);
  EraseShortForms(stream);
}

std::optional<ConfigValue> SingleStream(ConfigValue& root, CompileContext& context) {
  ConfigValue* source = Find(root, "source");
  ConfigValue* target = Find(root, "target");
  const ConfigValue* table =
      source && source->kind == Kind::kMap ? source->Get("table") : nullptr;
  if (!IsSet(table)) return std::nullopt;
  const ConfigValue* into =
      target && target->kind == Kind::kMap ? target->Get("table") : nullptr;
  ConfigValue stream;
  stream.kind = Kind::kMap;
  stream.mark = source->mark;
  Put(stream, "id", Word(IdOfTable(table->scalar), *table));
  Put(stream, "source", *table);
  Put(stream, "target", IsSet(into) ? *into : *table);
  HoistFrom(stream, *source, "source", context);
  if (target && target->kind == Kind::kMap) {
    HoistFrom(stream, *target, "target", context);
  }
  return stream;
}

void RefuseTableKeys(const ConfigValue& root, CompileContext& context) {
  for (const char* side : {"source", "target"}) {
    const ConfigValue* endpoint = root.Get(side);
    if (!IsSet(endpoint) || endpoint->kind != Kind::kMap) continue;
    std::vector<const char*> keys(std::begin(kShortForms), std::end(kShortForms));
    keys.push_back("table");
    for (const char* key : keys) {
      const ConfigValue* value = endpoint->Get(key);
      if (!IsSet(value)) continue;
      context.problems.Error(
          value->key_mark, std::string(side) + "." + key, "config.conflicting_keys",
          "this key belongs to documents with one table, but `streams` "
          "is there too",
          "move it into the stream it is meant for");
    }
  }
}

}  // namespace dxt
