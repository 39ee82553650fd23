#include "server/scheduler/submission.h"

#include <cstdlib>

#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/error.h"

namespace dxt {
namespace {

using Json = nlohmann::json;

void AddText(std::string& all, std::string_view text) {
  all += std::to_string(text.size()) + ":";
  all += text;
}

std::string DocumentHash(const DocumentInputs& inputs) {
  std::string all;
  for (const auto* document : {&inputs.project, &inputs.pipeline}) {
    AddText(all, *document ? (*document)->path : "");
    AddText(all, *document ? (*document)->text : "");
  }
  return Sha256Hex(all);
}

std::string_view PhaseName(RunOptions::Phase phase) {
  switch (phase) {
    case RunOptions::Phase::kExtract:
      return "extract";
    case RunOptions::Phase::kLoad:
      return "load";
    case RunOptions::Phase::kRun:
      break;
  }
  return "run";
}

template <typename Value>
void Read(const Json& json, const char* key, Value& value) {
  if (json.contains(key)) value = json.at(key).get<Value>();
}

template <typename Value>
void Read(const Json& json, const char* key, std::optional<Value>& value) {
  if (json.contains(key)) value = json.at(key).get<Value>();
}

/// Reads what AddText wrote; sets `failed` where the bytes are not that.
std::string TakeText(std::string_view& rest, bool& failed) {
  size_t size = 0, at = 0;
  for (; at < rest.size() && at < 12 && rest[at] >= '0' && rest[at] <= '9'; ++at) {
    size = size * 10 + static_cast<size_t>(rest[at] - '0');
  }
  failed = failed || at == 0 || at >= rest.size() || rest[at] != ':' ||
           rest.size() - at - 1 < size;
  if (failed) return {};
  std::string text(rest.substr(at + 1, size));
  rest.remove_prefix(at + 1 + size);
  return text;
}

void AddTexts(std::string& all, const std::map<std::string, std::string>& texts) {
  AddText(all, std::to_string(texts.size()));
  for (const auto& [name, value] : texts) {
    AddText(all, name);
    AddText(all, value);
  }
}

std::map<std::string, std::string> TakeTexts(std::string_view& rest, bool& failed) {
  std::map<std::string, std::string> texts;
  const std::string count = TakeText(rest, failed);
  for (long i = std::strtol(count.c_str(), nullptr, 10); i > 0 && !failed; --i) {
    const std::string name = TakeText(rest, failed);
    texts[name] = TakeText(rest, failed);
  }
  return texts;
}

}  // namespace

std::string RunInput::Encode() const {
  std::string all;
  AddText(all, has_project ? "1" : "");
  for (const auto* text :
       {&project.path, &project.text, &pipeline.path, &pipeline.text}) {
    AddText(all, *text);
  }
  AddTexts(all, variables);
  AddTexts(all, sql_variables);
  return all;
}

arrow::Result<RunInput> RunInput::Decode(std::string_view bytes) {
  RunInput input;
  bool failed = false;
  input.has_project = TakeText(bytes, failed) == "1";
  for (auto* text : {&input.project.path, &input.project.text, &input.pipeline.path,
                     &input.pipeline.text}) {
    *text = TakeText(bytes, failed);
  }
  input.variables = TakeTexts(bytes, failed);
  input.sql_variables = TakeTexts(bytes, failed);
  if (!failed && bytes.empty()) return input;
  return MakeError(ErrorClass::kInternal, "run.input",
                   "the stored input of a run cannot be read", "Submit the run again");
}

Submission MakeSubmission(const DocumentInputs& inputs, ParsedDocuments parsed,
                          RunOptions options) {
  Submission submission;
  submission.redactor = Redactor(parsed.secrets);
  submission.pipeline = std::move(*parsed.pipeline);
  submission.options = std::move(options);
  submission.document_hash = DocumentHash(inputs);
  // A secret that stands in the text itself must not reach the state store in clear.
  const auto stored = [&](const DocumentText& document) {
    return StoredDocument{document.path, submission.redactor.Redact(document.text)};
  };
  submission.pipeline_document = stored(*inputs.pipeline);
  submission.input.pipeline = *inputs.pipeline;
  if (inputs.project) {
    submission.project_document = stored(*inputs.project);
    submission.input.project = *inputs.project;
    submission.input.has_project = true;
  }
  submission.input.variables = inputs.variables;
  submission.input.sql_variables = inputs.sql_variables;
  return submission;
}

std::string FormatRunOptions(const RunOptions& options) {
  Json json = Json::object();
  if (options.phase != RunOptions::Phase::kRun) json["phase"] = PhaseName(options.phase);
  const std::pair<const char*, const std::string&> texts[] = {
      {"select", options.select}, {"exclude", options.exclude}};
  for (const auto& [key, value] : texts) {
    if (!value.empty()) json[key] = value;
  }
  const std::pair<const char*, bool> flags[] = {
      {"allow_empty_selection", options.allow_empty_selection},
      {"dry_run", options.dry_run},
      {"fail_fast", options.fail_fast},
      {"allow_duplicates", options.allow_duplicates},
      {"full_refresh", options.full_refresh},
      {"persist", options.persist},
      {"accept_shrink", options.accept_shrink},
      {"diff", options.diff},
      {"verify", options.verify}};
  for (const auto& [key, value] : flags) {
    if (value) json[key] = true;
  }
  if (options.threads) json["threads"] = *options.threads;
  if (options.limit) json["limit"] = *options.limit;
  if (options.cursor_value) json["cursor_value"] = *options.cursor_value;
  if (options.backfill) {
    json["backfill"] = {options.backfill->from, options.backfill->to};
  }
  if (!options.full_refresh_streams.empty()) {
    json["full_refresh_streams"] = options.full_refresh_streams;
  }
  if (options.replay) json["replay"] = *options.replay;
  if (!options.left_out_streams.empty()) {
    json["left_out_streams"] = options.left_out_streams;
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

arrow::Result<RunOptions> ParseRunOptions(std::string_view text) {
  RunOptions options;
  if (text.empty()) return options;
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  try {
    std::string phase = "run";
    Read(json, "phase", phase);
    for (const auto known : {RunOptions::Phase::kExtract, RunOptions::Phase::kLoad}) {
      if (phase == PhaseName(known)) options.phase = known;
    }
    Read(json, "select", options.select);
    Read(json, "exclude", options.exclude);
    Read(json, "allow_empty_selection", options.allow_empty_selection);
    Read(json, "dry_run", options.dry_run);
    Read(json, "fail_fast", options.fail_fast);
    Read(json, "allow_duplicates", options.allow_duplicates);
    Read(json, "full_refresh", options.full_refresh);
    Read(json, "persist", options.persist);
    Read(json, "accept_shrink", options.accept_shrink);
    Read(json, "diff", options.diff);
    Read(json, "verify", options.verify);
    Read(json, "threads", options.threads);
    Read(json, "limit", options.limit);
    Read(json, "cursor_value", options.cursor_value);
    std::vector<std::string> backfill;
    Read(json, "backfill", backfill);
    if (backfill.size() == 2) options.backfill = {backfill[0], backfill[1]};
    Read(json, "full_refresh_streams", options.full_refresh_streams);
    Read(json, "left_out_streams", options.left_out_streams);
    Read(json, "replay", options.replay);
    if (json.is_object()) return options;
  } catch (const Json::exception&) {
  }
  return MakeError(ErrorClass::kConfig, "run.options",
                   "the stored options of a run cannot be read", "Submit the run again");
}

std::string FormatSqlVariables(const std::map<std::string, std::string>& variables) {
  return variables.empty() ? std::string() : Json(variables).dump();
}

std::optional<std::map<std::string, std::string>> ParseSqlVariables(
    std::string_view text) {
  std::map<std::string, std::string> variables;
  if (text.empty()) return variables;
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return std::nullopt;
  for (const auto& [name, value] : json.items()) {
    if (value.is_string()) variables[name] = value.get<std::string>();
  }
  return variables;
}

std::string PipelineKey(const PipelineDocument& pipeline) {
  return pipeline.project.name + "/" + pipeline.name;
}

}  // namespace dxt
