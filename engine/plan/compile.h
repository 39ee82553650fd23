#pragma once
// From checked trees to typed documents. What concerns one key alone was checked before
// (checker.h); here are the rules between keys.
#include <map>
#include <set>
#include <string>

#include "engine/plan/checker.h"
#include "engine/plan/documents.h"

namespace dxt {

/// What all steps of one ParseDocuments share.
struct CompileContext {
  const ConnectorRegistry& registry;
  const DocumentInputs& inputs;
  ProblemList& problems;
  std::set<std::string> secrets;
  /// Names of ${NAME} that were met so far and have a value.
  const std::set<std::string>& used_variables;
  /// Connections that are in the project but have problems of their own.
  std::set<std::string> broken_connections;
};

ProjectDocument CompileProject(ConfigValue& root, const std::string& path,
                               CompileContext& context);
PipelineDocument CompilePipeline(ConfigValue& root, const std::string& path,
                                 const ProjectDocument& project, CompileContext& context);

/// `stream` holds its own keys only; `defaults` are the extract, load and schema_contract
/// of project and pipeline, merged.
StreamConfig CompileStream(ConfigValue stream, const ConfigValue& defaults,
                           const std::string& path, CompileContext& context);
std::vector<FieldConfig> CompileFields(const ConfigValue& list, const std::string& path,
                                       CompileContext& context);

/// `{{ var.x }}` in SQL must have a value; other names but cursor are not known.
void CheckTemplates(const ConfigValue* sql, const std::string& path,
                    CompileContext& context);

/// Returns `base` with the keys of `over` in place of its own; maps below are merged too.
ConfigValue Merged(const ConfigValue& base, const ConfigValue& over);
/// Sets a key, keeping order when it is there already.
void Put(ConfigValue& map, const std::string& key, ConfigValue value);

/// Null when the key is not there.
ConfigValue* Find(ConfigValue& map, std::string_view key);

/// The text at a key, "" when it is not set.
std::string TextAt(const ConfigValue& map, std::string_view key);
std::vector<std::string> TextsAt(const ConfigValue& map, std::string_view key);

}  // namespace dxt
