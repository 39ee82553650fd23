#include "client/dxtctl/variables.h"

#include <cctype>
#include <cstdlib>

namespace dxt::ctl {
namespace {

bool IsNameStart(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) || c == '_';
}
bool IsNamePart(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
}

std::string_view Trim(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

size_t NameLength(std::string_view text) {
  if (text.empty() || !IsNameStart(text.front())) return 0;
  size_t length = 1;
  while (length < text.size() && IsNamePart(text[length])) ++length;
  return length;
}

/// The value that begins `rest`; false when a quote is not closed.
bool ReadValue(std::string_view rest, std::string& value) {
  value.clear();
  if (rest.empty()) return true;
  const char quote = rest.front();
  if (quote == '\'') {
    const size_t end = rest.find('\'', 1);
    if (end == std::string_view::npos) return false;
    value = rest.substr(1, end - 1);
    return true;
  }
  if (quote == '"') {
    for (size_t i = 1; i < rest.size(); ++i) {
      if (rest[i] == '"') return true;
      if (rest[i] != '\\' || i + 1 == rest.size()) {
        value += rest[i];
        continue;
      }
      const char escaped = rest[++i];
      if (escaped == 'n') {
        value += '\n';
      } else if (escaped == 't') {
        value += '\t';
      } else {
        if (escaped != '"' && escaped != '\\' && escaped != '$') value += '\\';
        value += escaped;
      }
    }
    return false;
  }
  // A bare value ends where a comment begins: at a # after a blank.
  for (size_t i = 1; i < rest.size(); ++i) {
    if (rest[i] == '#' && (rest[i - 1] == ' ' || rest[i - 1] == '\t')) {
      rest = Trim(rest.substr(0, i));
      break;
    }
  }
  value = rest;
  return true;
}

}  // namespace

std::string EnvironmentText(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::set<std::string> VariableNames(std::string_view text) {
  std::set<std::string> names;
  for (size_t at = text.find('$'); at != std::string_view::npos;
       at = text.find('$', at)) {
    if (text.substr(at, 3) == "$${") {
      at += 3;
      continue;
    }
    if (text.substr(at, 2) != "${") {
      ++at;
      continue;
    }
    const std::string_view rest = text.substr(at + 2);
    const size_t length = NameLength(rest);
    const std::string_view after = rest.substr(length);
    if (length > 0 && (after.starts_with('}') || after.starts_with(":-"))) {
      names.emplace(rest.substr(0, length));
    }
    at += 2;
  }
  return names;
}

Result<std::map<std::string, std::string>> ParseEnvFile(std::string_view text,
                                                        const std::string& file) {
  std::map<std::string, std::string> values;
  int number = 0;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = Trim(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    ++number;
    if (line.empty() || line.front() == '#') continue;
    if (line.starts_with("export ") || line.starts_with("export\t"))
      line = Trim(line.substr(7));
    const size_t length = NameLength(line);
    const std::string_view rest = Trim(line.substr(length));
    std::string value;
    if (length == 0 || !rest.starts_with('=') ||
        !ReadValue(Trim(rest.substr(1)), value)) {
      return UsageError(file + ":" + std::to_string(number) + ": expected NAME=value",
                        "Quote values that hold quotes or ' #': NAME='value'");
    }
    values[std::string(line.substr(0, length))] = value;
  }
  return values;
}

std::map<std::string, std::string> VariableValues(
    const std::set<std::string>& names,
    const std::map<std::string, std::string>& env_file) {
  std::map<std::string, std::string> values;
  for (const auto& name : names) {
    if (const char* value = std::getenv(name.c_str())) {
      values[name] = value;
    } else if (const auto found = env_file.find(name); found != env_file.end()) {
      values[name] = found->second;
    }
  }
  return values;
}

}  // namespace dxt::ctl
