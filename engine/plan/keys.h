#pragma once
// The tables of every key of a document. ParseDocuments checks with them, the JSON Schema
// and the reference pages are made from them.
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "connectors/sdk/config.h"

namespace dxt {

class Connector;
class ConnectorRegistry;

/// Writes a table entry: `Key("mode", OptionKind::kString, "…").Choices({…})`.
class Key {
 public:
  Key(std::string name, OptionKind kind, std::string help);
  Key& Required();
  Key& Default(std::string text);
  Key& Example(std::string text);
  Key& Alias(std::initializer_list<std::string> names);
  Key& OldName(std::initializer_list<std::string> names);
  Key& Choices(std::initializer_list<std::string> words);
  Key& Between(std::optional<int64_t> minimum, std::optional<int64_t> maximum);
  Key& Matching(std::string pattern, std::string in_words);
  Key& Path();
  Key& Fields(std::vector<OptionSpec> fields);
  Key& Of(
      std::vector<OptionSpec> items);  ///< Items of lists, maps, alternatives of kAny.
  Key& OneOrMany();
  operator OptionSpec() const { return spec_; }

 private:
  OptionSpec spec_;
};

OptionSpec ProjectKeys(const ConnectorRegistry& registry);
OptionSpec PipelineKeys(const ConnectorRegistry& registry);
OptionSpec StreamKeys();
OptionSpec FieldKeys();
OptionSpec ExtractKeys();
OptionSpec LoadKeys();
OptionSpec SchemaContractKeys();
OptionSpec AlertKeys();

/// A list of texts that a single text may stand for.
OptionSpec Names(std::string name, std::string help);
/// `type:` and the options of one connector, with `more` behind them where the connector
/// has no option of that name.
OptionSpec ConnectorKeys(const Connector& connector,
                         const std::vector<OptionSpec>& more = {});

/// Names of pipelines and projects (contracts 3.1) and of streams.
inline constexpr char kNamePattern[] = "[a-z0-9][a-z0-9_-]{0,62}";
inline constexpr char kStreamPattern[] = "[A-Za-z0-9_][A-Za-z0-9_.{}-]{0,127}";

}  // namespace dxt
