#include "engine/plan/compile.h"

#include <filesystem>
#include <regex>

#include "engine/plan/alerts.h"
#include "engine/plan/connections.h"
#include "engine/plan/keys.h"
#include "engine/plan/short_forms.h"

namespace dxt {
namespace {

using Kind = ConfigValue::Kind;

std::string Exchanged(LoadMode mode) {
  if (mode == LoadMode::kMirror) return "mirrored";
  return mode == LoadMode::kHistory ? "kept in versions" : "replaced";
}

bool FlagAt(const ConfigValue& map, std::string_view key, bool otherwise) {
  const ConfigValue* value = map.Get(key);
  return IsSet(value) ? ParseBoolean(value->scalar).value_or(otherwise) : otherwise;
}

std::optional<BufferFormat> FormatNamed(const std::string& name) {
  for (const auto format :
       {BufferFormat::kAuto, BufferFormat::kParquet, BufferFormat::kMemory,
        BufferFormat::kCsv, BufferFormat::kJsonl}) {
    if (name == BufferFormatName(format)) return format;
  }
  return std::nullopt;
}

/// Lays the keys of a buffer block over `buffer`. `prefix` is "default_" in projects.
void ReadBuffer(ConfigValue& block, const std::string& prefix, const std::string& folder,
                const std::string& path, BufferConfig& buffer, CompileContext& context) {
  if (const auto format = FormatNamed(TextAt(block, prefix + "format"))) {
    buffer.format = *format;
    buffer.compression.clear();
  }
  if (const auto text = TextAt(block, prefix + "compression"); !text.empty()) {
    buffer.compression = text;
  }
  for (auto& [key, value] : block.map) {
    if (key != prefix + "location" || !IsSet(&value)) continue;
    if (value.scalar.find("://") != std::string::npos) {
      context.problems.Error(value.mark, path + "." + key, "buffer.remote",
                             "a buffer must be a local folder");
    } else {
      ResolvePath(value, folder, path + "." + key, context.problems);
      buffer.location = value.scalar;
    }
  }
  buffer.persist = FlagAt(block, "persist", buffer.persist);
  buffer.cleanup_on_success =
      FlagAt(block, "cleanup_on_success", buffer.cleanup_on_success);
  buffer.retain_on_failure = FlagAt(block, "retain_on_failure", buffer.retain_on_failure);
}

void CheckBuffer(const ConfigValue& block, const std::string& path,
                 const BufferConfig& buffer, CompileContext& context) {
  if (buffer.persist && buffer.format == BufferFormat::kMemory) {
    context.problems.Error(block.mark, path, "buffer.memory_persist",
                           "a memory buffer cannot be kept with `persist: true`",
                           "use format: parquet");
  }
  const bool is_text =
      buffer.format == BufferFormat::kCsv || buffer.format == BufferFormat::kJsonl;
  if (is_text && (buffer.compression == "snappy" || buffer.compression == "lz4")) {
    context.problems.Error(block.mark, path, "buffer.compression",
                           "a " + std::string(BufferFormatName(buffer.format)) +
                               " buffer cannot be compressed with " + buffer.compression,
                           "use none, gzip or zstd");
  }
}

/// Resolves `source:` or `target:` to a connection; nullopt when a problem was reported.
std::optional<Connection> Endpoint(const ConfigValue& root, const std::string& key,
                                   const std::string& folder,
                                   const ProjectDocument& project,
                                   CompileContext& context) {
  const ConfigValue* endpoint = root.Get(key);
  if (!IsSet(endpoint)) return std::nullopt;
  const ConfigValue* named = endpoint;
  std::string path = key;
  if (endpoint->kind == Kind::kMap) {
    named = endpoint->Get("connection");
    path += ".connection";
    if (!named) return ConnectionFromOptions(*endpoint, "", folder, key, context);
  }
  if (!IsSet(named)) return std::nullopt;
  const auto known = project.connections.find(named->scalar);
  if (known != project.connections.end()) {
    Connection connection = known->second;
    connection.mark = named->mark;
    return connection;
  }
  if (context.broken_connections.contains(named->scalar)) return std::nullopt;
  if (LooksLikeUrl(named->scalar)) {
    return ConnectionFromUrl(*named, "", folder, path, context);
  }
  std::vector<std::string> names(context.broken_connections.begin(),
                                 context.broken_connections.end());
  for (const auto& [name, connection] : project.connections) names.push_back(name);
  std::string suggestion = DidYouMean(named->scalar, names);
  if (suggestion.empty()) {
    for (const auto& name : names) suggestion += (suggestion.empty() ? "" : ", ") + name;
    suggestion = names.empty() ? "there is no project file with connections; give a "
                                 "connection string such as sqlite:///path/to.db"
                               : "known are " + suggestion;
  }
  context.problems.Error(named->mark, path, "connection.unknown",
                         "there is no connection " + Shown(*named), suggestion);
  return std::nullopt;
}

ConfigValue StreamDefaults(const ConfigValue& root, const ProjectDocument& project) {
  ConfigValue defaults = project.defaults;
  defaults.kind = Kind::kMap;
  if (const ConfigValue* runtime = root.Get("runtime"); IsSet(runtime)) {
    if (const ConfigValue* rows = runtime->Get("batch_size"); IsSet(rows)) {
      for (const char* section : {"extract", "load"}) {
        ConfigValue block, over;
        block.kind = over.kind = Kind::kMap;
        Put(block, "batch_size", *rows);
        Put(over, section, std::move(block));
        defaults = Merged(defaults, over);
      }
    }
  }
  if (const ConfigValue* own = root.Get("defaults"); IsSet(own)) {
    defaults = Merged(defaults, *own);
  }
  if (const ConfigValue* contract = root.Get("schema_contract"); IsSet(contract)) {
    ConfigValue over;
    over.kind = Kind::kMap;
    Put(over, "schema_contract", *contract);
    defaults = Merged(defaults, over);
  }
  return defaults;
}

/// Ids must be unique; two streams that replace one target would undo each other.
void CheckTogether(const std::vector<StreamConfig>& streams, CompileContext& context) {
  std::map<std::string, const StreamConfig*> ids, replaced;
  const auto at = [](const StreamConfig& stream, const char* key) {
    const auto mark = stream.marks.find(key);
    return mark == stream.marks.end() ? stream.mark : mark->second;
  };
  for (size_t i = 0; i < streams.size(); ++i) {
    const StreamConfig& stream = streams[i];
    const std::string path = "streams[" + std::to_string(i) + "]";
    if (stream.id.empty()) continue;
    const auto [first, added] = ids.emplace(stream.id, &stream);
    if (!added) {
      context.problems.Error(at(stream, "id"), path + ".id", "stream.duplicate_id",
                             "the id '" + stream.id +
                                 "' is taken by the stream at line " +
                                 std::to_string(at(*first->second, "id").line));
    }
    if (!stream.load.whole() || stream.target.empty() ||
        stream.target.find("{name}") != std::string::npos) {
      continue;
    }
    const auto [other, alone] = replaced.emplace(stream.target, &stream);
    if (!alone) {
      context.problems.Error(
          at(stream, "target"), path + ".target", "stream.replaced_twice",
          "'" + stream.target + "' is " + Exchanged(other->second->load.mode) +
              " by stream '" + other->second->id + "' too, so only one would remain",
          "use mode: append or upsert, or another target");
    }
  }
}

std::string PipelineName(const ConfigValue& root, const std::string& path,
                         CompileContext& context) {
  const ConfigValue* name = root.Get("name");
  if (IsSet(name)) return name->scalar;
  if (WasRefused(name)) return {};
  if (path.empty()) {
    context.problems.Error(root.mark, "name", "config.missing_key",
                           "'name' is required in a document without a file");
    return {};
  }
  const std::string stem = std::filesystem::path(path).stem().string();
  if (!std::regex_match(stem.substr(0, 256), std::regex(kNamePattern))) {
    context.problems.Error(
        root.mark, "name", "config.bad_name",
        "the file's name '" + Shortened(stem, 80) + "' cannot be the pipeline's name",
        "add `name:` with small letters, digits, - and _");
    return {};
  }
  return stem;
}

void ReadRuntime(const ConfigValue& root, RuntimeConfig& config) {
  const ConfigValue* runtime = root.Get("runtime");
  if (!IsSet(runtime)) return;
  if (const auto text = TextAt(*runtime, "parallelism"); !text.empty()) {
    config.parallelism = std::stoi(text);
  }
  if (const auto text = TextAt(*runtime, "retries"); !text.empty()) {
    config.retries = std::stoi(text);
  }
  if (const auto text = TextAt(*runtime, "retry_budget"); !text.empty()) {
    config.retry_budget = std::stoi(text);
  }
  if (const auto text = TextAt(*runtime, "priority"); !text.empty()) {
    config.priority = std::stoi(text);
  }
  config.timeout_ms = ParseDurationMillis(TextAt(*runtime, "timeout"));
  const std::string overlap = TextAt(*runtime, "overlap");
  for (const auto known : {Overlap::kSkip, Overlap::kQueue, Overlap::kCancelPrevious}) {
    if (overlap == OverlapName(known)) config.overlap = known;
  }
  config.fail_interrupted = TextAt(*runtime, "on_interrupt") == "fail";
  if (const auto bytes = ParseByteSize(TextAt(*runtime, "memory_limit"))) {
    config.memory_limit = *bytes;
  }
}

/// A rough size: values, and long texts as several.
size_t WeightOf(const ConfigValue& value) {
  size_t weight = 1 + value.scalar.size() / 64;
  for (const auto& item : value.list) weight += WeightOf(item);
  for (const auto& [key, item] : value.map) weight += WeightOf(item);
  return weight;
}

/// Every stream carries the defaults: a small document must not become a large one.
bool FitsInMemory(const ConfigValue& streams, const ConfigValue& defaults,
                  CompileContext& context) {
  constexpr size_t kMost = 500000;
  if (streams.list.size() * WeightOf(defaults) <= kMost) return true;
  context.problems.Error(streams.mark, "streams", "config.too_large",
                         "the defaults are too large for so many streams",
                         "split the pipeline, or shorten the defaults");
  return false;
}

void CompileStreams(ConfigValue& root, const ProjectDocument& project,
                    std::vector<StreamConfig>& compiled, CompileContext& context) {
  const ConfigValue defaults = StreamDefaults(root, project);
  ConfigValue* streams = Find(root, "streams");
  if (!IsSet(streams)) {
    if (auto single = SingleStream(root, context)) {
      compiled.push_back(
          CompileStream(std::move(*single), defaults, "streams[0]", context));
    } else if (!WasRefused(streams)) {
      context.problems.Error(root.mark, "streams", "config.missing_key",
                             "'streams' is required here",
                             "for one table, `table:` below source and target will do");
    }
    return;
  }
  RefuseTableKeys(root, context);
  if (streams->list.empty()) {
    context.problems.Error(streams->mark, "streams", "config.empty",
                           "a pipeline needs at least one stream");
  }
  if (!FitsInMemory(*streams, defaults, context)) return;
  for (size_t i = 0; i < streams->list.size(); ++i) {
    ConfigValue& stream = streams->list[i];
    if (stream.kind != Kind::kMap) continue;
    const std::string path = "streams[" + std::to_string(i) + "]";
    HoistShortForms(stream, path, context);
    compiled.push_back(CompileStream(std::move(stream), defaults, path, context));
  }
  CheckTogether(compiled, context);
}

}  // namespace

ConfigValue* Find(ConfigValue& map, std::string_view key) {
  for (auto& [name, value] : map.map) {
    if (name == key) return &value;
  }
  return nullptr;
}

std::string TextAt(const ConfigValue& map, std::string_view key) {
  const ConfigValue* value = map.Get(key);
  return value && value->kind == Kind::kScalar ? value->scalar : std::string();
}

std::vector<std::string> TextsAt(const ConfigValue& map, std::string_view key) {
  std::vector<std::string> texts;
  const ConfigValue* value = map.Get(key);
  if (!IsSet(value)) return texts;
  for (const auto& item : value->list) {
    if (item.kind == Kind::kScalar) texts.push_back(item.scalar);
  }
  return texts;
}

void Put(ConfigValue& map, const std::string& key, ConfigValue value) {
  if (ConfigValue* present = Find(map, key)) {
    *present = std::move(value);
  } else {
    map.map.emplace_back(key, std::move(value));
  }
}

ConfigValue Merged(const ConfigValue& base, const ConfigValue& over) {
  if (base.kind != Kind::kMap || over.kind != Kind::kMap) return over;
  ConfigValue merged = base;
  merged.mark = over.mark;
  merged.key_mark = over.key_mark;
  for (const auto& [key, value] : over.map) {
    if (!IsSet(&value) && !WasRefused(&value)) continue;
    const ConfigValue* below = merged.Get(key);
    Put(merged, key, below ? Merged(*below, value) : value);
  }
  return merged;
}

ProjectDocument CompileProject(ConfigValue& root, const std::string& path,
                               CompileContext& context) {
  ProjectDocument project;
  project.path = path;
  const std::string folder = FolderOf(path);
  if (const auto name = TextAt(root, "name"); !name.empty()) project.name = name;
  if (ConfigValue* connections = Find(root, "connections"); IsSet(connections)) {
    for (const auto& [name, value] : connections->map) {
      const std::string below = "connections." + name;
      std::optional<Connection> connection;
      if (value.kind == Kind::kMap) {
        connection = ConnectionFromOptions(value, name, folder, below, context);
      } else if (value.kind == Kind::kScalar) {
        connection = ConnectionFromUrl(value, name, folder, below, context);
      } else if (!WasRefused(&value)) {
        context.problems.Error(value.key_mark, below, "config.empty",
                               "this connection says nothing");
      }
      if (connection) {
        const auto most = TextAt(value, "max_concurrent_runs");
        if (!most.empty()) connection->max_concurrent_runs = std::stoi(most);
        project.connections.emplace(name, std::move(*connection));
      } else {
        context.broken_connections.insert(name);
      }
    }
  }
  if (ConfigValue* buffer = Find(root, "buffer"); IsSet(buffer)) {
    ReadBuffer(*buffer, "default_", folder, "buffer", project.buffer, context);
    CheckBuffer(*buffer, "buffer", project.buffer, context);
    const auto format = TextAt(*buffer, "default_format");
    if (!format.empty()) project.buffer_format_set = format;
  }
  if (const ConfigValue* defaults = root.Get("defaults"); IsSet(defaults)) {
    project.defaults = *defaults;
  }
  if (ConfigValue* logging = Find(root, "logging"); IsSet(logging)) {
    project.log_level = TextAt(*logging, "level");
    project.log_format = TextAt(*logging, "format");
    if (ConfigValue* file = Find(*logging, "file")) {
      ResolvePath(*file, folder, "logging.file", context.problems);
      project.log_file = file->scalar;
    }
  }
  project.alerts = CompileAlerts(root, context);
  return project;
}

PipelineDocument CompilePipeline(ConfigValue& root, const std::string& path,
                                 const ProjectDocument& project,
                                 CompileContext& context) {
  PipelineDocument pipeline;
  pipeline.path = path;
  pipeline.project = project;
  pipeline.name = PipelineName(root, path, context);
  pipeline.description = TextAt(root, "description");
  pipeline.guarantee_required = TextAt(root, "guarantee") == "required";
  const std::string folder = FolderOf(path);
  if (auto source = Endpoint(root, "source", folder, project, context)) {
    pipeline.source = std::move(*source);
  }
  if (auto target = Endpoint(root, "target", folder, project, context)) {
    pipeline.target = std::move(*target);
  }
  pipeline.buffer = project.buffer;
  if (ConfigValue* buffer = Find(root, "buffer"); IsSet(buffer)) {
    ReadBuffer(*buffer, "", folder, "buffer", pipeline.buffer, context);
    CheckBuffer(*buffer, "buffer", pipeline.buffer, context);
  }
  ReadRuntime(root, pipeline.runtime);
  pipeline.alerts = CompileAlerts(root, context);
  CompileStreams(root, project, pipeline.streams, context);
  return pipeline;
}

}  // namespace dxt
