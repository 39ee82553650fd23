#include "engine/run/selection.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "engine/plan/selector.h"
#include "engine/run/prepared_stream.h"

namespace dxt {
namespace {

bool IsWildcard(const StreamConfig& stream) {
  return stream.source == "*" || stream.source.ends_with(".*");
}

std::string Filled(std::string text, const std::string& placeholder,
                   const std::string& value) {
  for (size_t at = text.find(placeholder); at != std::string::npos;
       at = text.find(placeholder, at + value.size())) {
    text.replace(at, placeholder.size(), value);
  }
  return text;
}

/// Turns `source: schema.*` into one stream a table.
arrow::Result<std::vector<StreamConfig>> Expand(const PipelineDocument& pipeline,
                                                const RunContext& context,
                                                std::stop_token stop) {
  std::vector<StreamConfig> streams;
  for (const auto& stream : pipeline.streams) {
    if (!IsWildcard(stream)) {
      streams.push_back(stream);
      continue;
    }
    ARROW_ASSIGN_OR_RAISE(auto source, OpenSource(pipeline.source, context, stop));
    const std::string schema =
        stream.source == "*" ? "" : stream.source.substr(0, stream.source.size() - 2);
    ARROW_ASSIGN_OR_RAISE(auto found, source->Discover(schema, stop));
    const size_t before = streams.size();
    for (const auto& info : found) {
      if (!schema.empty() && info.schema != schema) continue;
      StreamConfig one = stream;
      one.id = info.name;
      one.kind = info.kind;
      one.source = info.reference;
      one.target =
          Filled(Filled(stream.target, "{name}", info.name), "{schema}", info.schema);
      streams.push_back(std::move(one));
    }
    if (streams.size() == before) {
      return MakeError(ErrorClass::kConfig, "selection.no_tables",
                       "Stream '" + stream.id + "' reads " + stream.source +
                           ", but the source has no table there",
                       "dxtctl discover " + pipeline.source.name + " lists its tables");
    }
  }
  std::set<std::string> ids;
  for (const auto& stream : streams) {
    if (!ids.insert(stream.id).second) {
      return MakeError(ErrorClass::kConfig, "selection.same_id",
                       "Two streams have the id '" + stream.id + "'",
                       "Give the one that is not a table of a wildcard another id");
    }
  }
  return streams;
}

arrow::Result<std::vector<StreamConfig>> Chosen(std::vector<StreamConfig> streams,
                                                const RunOptions& options) {
  for (const auto& id : options.full_refresh_streams) {
    const auto known = [&](const StreamConfig& stream) { return stream.id == id; };
    if (std::any_of(streams.begin(), streams.end(), known)) continue;
    return MakeError(ErrorClass::kConfig, "selector.unknown",
                     "There is no stream '" + id + "' to refresh",
                     "dxtctl list names the streams of a pipeline");
  }
  return SelectStreams(std::move(streams), options.select, options.exclude,
                       options.allow_empty_selection);
}

}  // namespace

arrow::Result<std::vector<StreamConfig>> SelectedStreams(const PipelineDocument& pipeline,
                                                         const RunOptions& options,
                                                         const RunContext& context,
                                                         std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(auto streams, Expand(pipeline, context, stop));
  ARROW_ASSIGN_OR_RAISE(auto selected, Chosen(std::move(streams), options));
  std::erase_if(selected, [&](const StreamConfig& stream) {
    const auto& out = options.left_out_streams;
    return std::find(out.begin(), out.end(), stream.id) != out.end();
  });
  return selected;
}

arrow::Status CheckSelection(const PipelineDocument& pipeline,
                             const RunOptions& options) {
  const bool asked = !options.select.empty() || !options.exclude.empty() ||
                     !options.full_refresh_streams.empty();
  const auto& streams = pipeline.streams;
  if (!asked || std::any_of(streams.begin(), streams.end(), IsWildcard)) {
    return arrow::Status::OK();
  }
  return Chosen(streams, options).status();
}

}  // namespace dxt
