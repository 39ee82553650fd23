#include "server/daemon/config_text.h"

#include <sstream>
#include <utility>

namespace dxt {
namespace {

using Kind = ConfigValue::Kind;

std::string Quoted(const std::string& text) {
  const bool plain = !text.empty() &&
                     text.find_first_of(":#{}[],&*!|>'\"%@` \t\n") == std::string::npos &&
                     text[0] != '-' && text[0] != '?';
  if (plain) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c == '\n' ? ' ' : c;
  }
  return quoted + "\"";
}

}  // namespace

ConfigValue ScalarValue(std::string text, const Mark& mark) {
  ConfigValue value;
  value.kind = Kind::kScalar;
  value.scalar = std::move(text);
  value.mark = value.key_mark = mark;
  return value;
}

std::vector<std::string> SplitAtCommas(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, ',');) {
    if (!part.empty()) parts.push_back(part);
  }
  return parts;
}

ConfigValue FromTexts(const OptionSpec& spec, std::vector<std::string> texts,
                      const std::string& name, ProblemList& problems) {
  const Mark mark{name, 0, 0};
  if (spec.kind != OptionKind::kList && spec.kind != OptionKind::kMap) {
    return ScalarValue(texts.empty() ? "" : texts.back(), mark);
  }
  ConfigValue value;
  value.mark = value.key_mark = mark;
  value.kind = spec.kind == OptionKind::kList ? Kind::kList : Kind::kMap;
  int number = 0;
  for (auto& text : texts) {
    ++number;
    if (spec.kind == OptionKind::kList) {
      value.list.push_back(ScalarValue(std::move(text), mark));
      continue;
    }
    const size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
      // It is not shown: it may be a secret whose name was forgotten.
      problems.Error(mark, name, "config.wrong_type",
                     "value " + std::to_string(number) + " is not NAME=VALUE");
      continue;
    }
    value.map.emplace_back(text.substr(0, equals),
                           ScalarValue(text.substr(equals + 1), mark));
  }
  return value;
}

std::string ToText(const ConfigValue& value) {
  std::string text;
  switch (value.kind) {
    case Kind::kNull:
      return "";
    case Kind::kScalar:
      return Quoted(value.scalar);
    case Kind::kList:
      for (const auto& item : value.list)
        text += (text.empty() ? "" : ", ") + ToText(item);
      return "[" + text + "]";
    case Kind::kMap:
      for (const auto& [key, item] : value.map) {
        text += (text.empty() ? "" : ", ") + key + ": " + ToText(item);
      }
      return "{" + text + "}";
  }
  return text;
}

bool IsSecretPlace(std::string_view text) {
  return text.starts_with("env:") || text.starts_with("file:/");
}

}  // namespace dxt
