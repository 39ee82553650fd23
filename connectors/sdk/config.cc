#include "connectors/sdk/config.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace dxt {
namespace {

/// Splits "10.5MiB" into number and unit; nullopt when the number is not one.
std::optional<std::pair<double, std::string>> NumberAndUnit(std::string_view text) {
  double number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0) return std::nullopt;
  std::string unit;
  for (const char* at = end; at != text.data() + text.size(); ++at) {
    if (*at == ' ' && unit.empty()) continue;
    unit += static_cast<char>(std::tolower(static_cast<unsigned char>(*at)));
  }
  return std::pair{number, unit};
}

std::optional<int64_t> Scaled(double number, double factor) {
  const double scaled = number * factor;
  if (scaled >= 9.2e18) return std::nullopt;
  return static_cast<int64_t>(scaled);
}

}  // namespace

const OptionSpec* ConfigSpec::Find(std::string_view name) const {
  const auto has = [&](const std::vector<std::string>& names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  for (const auto& option : options) {
    if (option.name == name || has(option.aliases) || has(option.deprecated_aliases)) {
      return &option;
    }
  }
  return nullptr;
}

const ConfigValue* ConfigValue::Get(std::string_view key) const {
  for (const auto& [name, value] : map) {
    if (name == key) return &value;
  }
  return nullptr;
}

ConfigView::ConfigView(const ConfigSpec* spec, ConfigValue values)
    : spec_(spec), values_(std::move(values)) {}

const ConfigValue* ConfigView::Value(std::string_view name) const {
  const ConfigValue* value = values_.Get(name);
  return value && value->kind != ConfigValue::Kind::kNull ? value : nullptr;
}

bool ConfigView::Has(std::string_view name) const { return Value(name) != nullptr; }

std::string ConfigView::String(std::string_view name) const {
  if (const auto* value = Value(name)) return value->scalar;
  const OptionSpec* option = spec_ ? spec_->Find(name) : nullptr;
  return option ? option->default_value : std::string();
}

std::optional<int64_t> ConfigView::Integer(std::string_view name) const {
  const std::string text = String(name);
  int64_t number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

bool ConfigView::Boolean(std::string_view name) const {
  return ParseBoolean(String(name)).value_or(false);
}

std::vector<std::string> ConfigView::Strings(std::string_view name) const {
  std::vector<std::string> texts;
  const auto* value = Value(name);
  if (!value) return texts;
  if (value->kind == ConfigValue::Kind::kScalar) return {value->scalar};
  for (const auto& item : value->list) texts.push_back(item.scalar);
  return texts;
}

Mark ConfigView::MarkOf(std::string_view name) const {
  const auto* value = values_.Get(name);
  return value ? value->mark : values_.mark;
}

std::optional<int64_t> ParseDurationMillis(std::string_view text) {
  const auto parts = NumberAndUnit(text);
  if (!parts) return std::nullopt;
  const auto& [number, unit] = *parts;
  if (unit == "ms") return Scaled(number, 1);
  if (unit.empty() || unit == "s") return Scaled(number, 1000);
  if (unit == "m" || unit == "min") return Scaled(number, 60e3);
  if (unit == "h") return Scaled(number, 3600e3);
  if (unit == "d") return Scaled(number, 86400e3);
  return std::nullopt;
}

std::optional<int64_t> ParseByteSize(std::string_view text) {
  const auto parts = NumberAndUnit(text);
  if (!parts) return std::nullopt;
  const auto& [number, unit] = *parts;
  if (unit.empty() || unit == "b") return Scaled(number, 1);
  if (unit == "k" || unit == "kib") return Scaled(number, 1024);
  if (unit == "m" || unit == "mib") return Scaled(number, 1024.0 * 1024);
  if (unit == "g" || unit == "gib") return Scaled(number, 1024.0 * 1024 * 1024);
  if (unit == "kb") return Scaled(number, 1e3);
  if (unit == "mb") return Scaled(number, 1e6);
  if (unit == "gb") return Scaled(number, 1e9);
  return std::nullopt;
}

std::optional<bool> ParseBoolean(std::string_view text) {
  std::string folded;
  for (const char c : text) {
    folded += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  if (folded == "true" || folded == "yes" || folded == "on") return true;
  if (folded == "false" || folded == "no" || folded == "off") return false;
  return std::nullopt;
}

}  // namespace dxt
