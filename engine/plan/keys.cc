#include "engine/plan/keys.h"

#include "connectors/sdk/connector.h"

namespace dxt {

Key::Key(std::string name, OptionKind kind, std::string help) {
  spec_.name = std::move(name);
  spec_.kind = kind;
  spec_.help = std::move(help);
}

Key& Key::Required() {
  spec_.required = true;
  return *this;
}

Key& Key::Default(std::string text) {
  spec_.default_value = std::move(text);
  return *this;
}

Key& Key::Example(std::string text) {
  spec_.example = std::move(text);
  return *this;
}

Key& Key::Alias(std::initializer_list<std::string> names) {
  spec_.aliases = names;
  return *this;
}

Key& Key::OldName(std::initializer_list<std::string> names) {
  spec_.deprecated_aliases = names;
  return *this;
}

Key& Key::Choices(std::initializer_list<std::string> words) {
  spec_.choices = words;
  return *this;
}

Key& Key::Between(std::optional<int64_t> minimum, std::optional<int64_t> maximum) {
  spec_.minimum = minimum;
  spec_.maximum = maximum;
  return *this;
}

Key& Key::Matching(std::string pattern, std::string in_words) {
  spec_.pattern = std::move(pattern);
  spec_.pattern_help = std::move(in_words);
  return *this;
}

Key& Key::Path() {
  spec_.path = true;
  return *this;
}

Key& Key::Fields(std::vector<OptionSpec> fields) {
  spec_.fields = std::move(fields);
  return *this;
}

Key& Key::Of(std::vector<OptionSpec> items) {
  spec_.items = std::move(items);
  return *this;
}

Key& Key::OneOrMany() {
  spec_.scalar_as_list = true;
  return *this;
}

OptionSpec Names(std::string name, std::string help) {
  return Key(std::move(name), OptionKind::kList, std::move(help))
      .Of({Key("", OptionKind::kString, "").Required()})
      .OneOrMany();
}

OptionSpec ConnectorKeys(const Connector& connector,
                         const std::vector<OptionSpec>& more) {
  const ConnectorInfo& info = connector.info();
  OptionSpec object =
      Key(std::string(info.name), OptionKind::kObject, std::string(info.summary));
  OptionSpec type =
      Key("type", OptionKind::kString, "Which kind of system this is.").Required();
  type.choices.emplace_back(info.name);
  for (const auto alias : info.aliases) type.choices.emplace_back(alias);
  object.fields.push_back(std::move(type));
  const auto& options = connector.spec().options;
  object.fields.insert(object.fields.end(), options.begin(), options.end());
  for (const auto& key : more) {
    if (!connector.spec().Find(key.name)) object.fields.push_back(key);
  }
  return object;
}

}  // namespace dxt
