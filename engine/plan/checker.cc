#include "engine/plan/checker.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <regex>
#include <set>
#include <tuple>

#include "base/spelling.h"

namespace dxt {
namespace {

using Kind = ConfigValue::Kind;

bool Contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool IsScalar(OptionKind kind) {
  return kind != OptionKind::kList && kind != OptionKind::kObject &&
         kind != OptionKind::kMap && kind != OptionKind::kAny;
}

const OptionSpec* FieldNamed(const OptionSpec& object, std::string_view name) {
  for (const auto& field : object.fields) {
    if (field.name == name || Contains(field.aliases, name) ||
        Contains(field.deprecated_aliases, name)) {
      return &field;
    }
  }
  return nullptr;
}

/// Names the sections of `object` that hold the key, for keys written a level too high.
std::string BelongsBelow(const OptionSpec& object, std::string_view key) {
  std::string sections;
  for (const auto& field : object.fields) {
    if (field.kind != OptionKind::kObject || !FieldNamed(field, key)) continue;
    sections += (sections.empty() ? "it belongs below '" : " or '") + field.name + "'";
  }
  return sections;
}

std::string Wanted(const OptionSpec& spec) {
  switch (spec.kind) {
    case OptionKind::kString:
      return "a text";
    case OptionKind::kInteger:
      return "a whole number";
    case OptionKind::kNumber:
      return "a number";
    case OptionKind::kBoolean:
      return "true or false";
    case OptionKind::kDuration:
      return "a duration such as 30s, 5m or 1h";
    case OptionKind::kBytes:
      return "a size such as 64MiB or 1GB";
    case OptionKind::kList:
      return "a list";
    case OptionKind::kObject:
    case OptionKind::kMap:
      return "a map of keys";
    case OptionKind::kAny:
      break;
  }
  std::string text;
  std::set<std::string> said;
  for (const auto& item : spec.items) {
    const std::string wanted = Wanted(item);
    if (said.insert(wanted).second) text += (text.empty() ? "" : " or ") + wanted;
  }
  return text;
}

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::optional<int64_t> WholeNumber(const std::string& text) {
  int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number);
  if (text.empty() || error != std::errc() || at != end) return std::nullopt;
  return number;
}

std::optional<double> RealNumber(const std::string& text) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number);
  if (text.empty() || error != std::errc() || at != end || !std::isfinite(number)) {
    return std::nullopt;
  }
  return number;
}

}  // namespace

bool WasRefused(const ConfigValue* value) {
  return value && value->kind == Kind::kNull && !value->written.empty();
}

bool IsSet(const ConfigValue* value) { return value && value->kind != Kind::kNull; }

std::string Shown(const ConfigValue& value) {
  if (value.kind == Kind::kList) return "a list";
  if (value.kind == Kind::kMap) return "a map";
  return "'" + Shortened(value.written.empty() ? value.scalar : value.written, 60) + "'";
}

std::string Shortened(std::string_view text, size_t most_bytes) {
  if (text.size() <= most_bytes) return std::string(text);
  while (most_bytes > 0 &&
         (static_cast<unsigned char>(text[most_bytes]) & 0xc0) == 0x80) {
    --most_bytes;
  }
  return std::string(text.substr(0, most_bytes)) + "…";
}

Problem& ProblemList::Error(const Mark& mark, const std::string& path, std::string code,
                            std::string message, std::string suggestion) {
  Problem problem;
  problem.mark = mark;
  problem.path = path;
  problem.code = std::move(code);
  problem.message = std::move(message);
  problem.suggestion = std::move(suggestion);
  return items_.emplace_back(std::move(problem));
}

Problem& ProblemList::Warn(const Mark& mark, const std::string& path, std::string code,
                           std::string message, std::string suggestion) {
  Problem& problem =
      Error(mark, path, std::move(code), std::move(message), std::move(suggestion));
  problem.level = Problem::Level::kWarning;
  return problem;
}

void ProblemList::Sort(const std::string& first_file) {
  std::set<std::tuple<std::string, int, int, std::string, std::string>> seen;
  std::erase_if(items_, [&](const Problem& problem) {
    const Mark& mark = problem.mark;
    return !seen.emplace(mark.file, mark.line, mark.column, problem.code, problem.message)
                .second;
  });
  const auto place = [&](const Problem& problem) {
    return std::tuple(problem.mark.file != first_file, problem.mark.file,
                      problem.mark.line, problem.mark.column);
  };
  std::stable_sort(items_.begin(), items_.end(), [&](const Problem& a, const Problem& b) {
    return place(a) < place(b);
  });
}

void ProblemList::Tidy() {
  if (items_.size() > kMost) {
    Problem more;
    more.mark = items_[kMost].mark;
    more.code = "config.more_problems";
    more.message = std::to_string(items_.size() - kMost) + " more problems are not shown";
    // Errors must not hide behind a page of warnings.
    std::stable_partition(items_.begin(), items_.end(), [](const Problem& problem) {
      return problem.level == Problem::Level::kError;
    });
    more.level = items_[kMost].level;
    items_.resize(kMost);
    items_.push_back(std::move(more));
  }
  constexpr size_t kLongest = 1000;
  for (auto& problem : items_) {
    for (std::string* text : {&problem.path, &problem.message, &problem.suggestion}) {
      *text = Shortened(*text, kLongest);
      for (char& c : *text) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
      }
    }
  }
}

std::string DidYouMean(std::string_view word,
                       const std::vector<std::string>& candidates) {
  const std::string nearest = NearestSpelling(word, candidates);
  return nearest.empty() ? std::string() : "did you mean '" + nearest + "'?";
}

void PatternTable::Add(const OptionSpec& spec) {
  if (!spec.pattern.empty() && !compiled_.contains(spec.pattern)) {
    compiled_[spec.pattern] = [compiled =
                                   std::regex(spec.pattern)](const std::string& text) {
      return std::regex_match(text, compiled);
    };
  }
  for (const auto& field : spec.fields) Add(field);
  for (const auto& item : spec.items) Add(item);
}

bool PatternTable::Matches(const std::string& text, const std::string& pattern) const {
  const auto found = compiled_.find(pattern);
  return found != compiled_.end() ? found->second(text)
                                  : std::regex_match(text, std::regex(pattern));
}

void Checker::Refuse(ConfigValue& value, const std::string& path, std::string code,
                     std::string message, std::string suggestion) {
  problems_.Error(value.mark, path, std::move(code), std::move(message),
                  std::move(suggestion));
  if (value.written.empty()) value.written = value.scalar.empty() ? "?" : value.scalar;
  value.kind = Kind::kNull;
}

void Checker::WrongType(ConfigValue& value, const OptionSpec& spec,
                        const std::string& wanted, const std::string& path) {
  const std::string got = spec.secret ? "the value" : Shown(value);
  Refuse(value, path, "config.wrong_type", got + " is not " + wanted);
}

void Checker::Check(ConfigValue& value, const OptionSpec& spec, const std::string& path) {
  // What YAML reads as nothing is a word where it stands among the choices.
  if (value.kind == Kind::kNull && value.written.empty() &&
      Contains(spec.choices, "null")) {
    value.kind = Kind::kScalar;
    value.scalar = "null";
  }
  if (value.kind == Kind::kNull) return;
  switch (spec.kind) {
    case OptionKind::kList:
      return CheckList(value, spec, path);
    case OptionKind::kObject:
      return CheckObject(value, spec, path);
    case OptionKind::kAny:
      return CheckAny(value, spec, path);
    case OptionKind::kMap:
      if (value.kind != Kind::kMap) return WrongType(value, spec, Wanted(spec), path);
      if (spec.items.empty()) return;
      for (auto& [key, item] : value.map) Check(item, spec.items[0], path + "." + key);
      return;
    default:
      if (value.kind != Kind::kScalar) return WrongType(value, spec, Wanted(spec), path);
      return CheckScalar(value, spec, path);
  }
}

void Checker::Range(ConfigValue& value, const OptionSpec& spec, double number,
                    const char* unit, const std::string& path) {
  const auto text = [&](int64_t limit) { return std::to_string(limit) + unit; };
  if (spec.minimum && number < static_cast<double>(*spec.minimum)) {
    Refuse(value, path, "config.out_of_range",
           Shown(value) + " is less than " + text(*spec.minimum));
  } else if (spec.maximum && number > static_cast<double>(*spec.maximum)) {
    Refuse(value, path, "config.out_of_range",
           Shown(value) + " is more than " + text(*spec.maximum));
  }
}

void Checker::CheckScalar(ConfigValue& value, const OptionSpec& spec,
                          const std::string& path) {
  switch (spec.kind) {
    case OptionKind::kInteger:
      if (const auto number = WholeNumber(value.scalar)) {
        return Range(value, spec, static_cast<double>(*number), "", path);
      }
      break;
    case OptionKind::kNumber:
      if (const auto number = RealNumber(value.scalar)) {
        return Range(value, spec, *number, "", path);
      }
      break;
    case OptionKind::kBoolean:
      if (ParseBoolean(value.scalar)) return;
      break;
    case OptionKind::kDuration:
      if (const auto millis = ParseDurationMillis(value.scalar)) {
        return Range(value, spec, static_cast<double>(*millis) / 1000, "s", path);
      }
      break;
    case OptionKind::kBytes:
      if (const auto bytes = ParseByteSize(value.scalar)) {
        return Range(value, spec, static_cast<double>(*bytes), " bytes", path);
      }
      break;
    default:
      return CheckText(value, spec, path);
  }
  WrongType(value, spec, Wanted(spec), path);
}

void Checker::CheckText(ConfigValue& value, const OptionSpec& spec,
                        const std::string& path) {
  if (spec.required && value.scalar.empty()) {
    return Refuse(value, path, "config.empty", "this must not be empty");
  }
  const std::string shown = spec.secret ? "the value" : Shown(value);
  if (!spec.choices.empty() && !Contains(spec.choices, value.scalar)) {
    constexpr size_t kMostListed = 12;
    std::string suggestion = DidYouMean(value.scalar, spec.choices);
    const bool brief = spec.choices.size() > kMostListed && !suggestion.empty();
    if (suggestion.empty()) suggestion = spec.pattern_help;
    return Refuse(value, path, "config.bad_choice",
                  brief ? shown + " is not known here"
                        : shown + " is not one of " + Joined(spec.choices),
                  std::move(suggestion));
  }
  if (spec.pattern.empty()) return;
  constexpr size_t kLongestMatched = 512;
  const auto matches = [&](const PatternTable& patterns) {
    return patterns.Matches(value.scalar, spec.pattern);
  };
  if (value.scalar.size() > kLongestMatched ||
      !(patterns_ != nullptr ? matches(*patterns_) : matches(PatternTable()))) {
    Refuse(value, path, "config.bad_name", shown + " is not " + spec.pattern_help);
  }
}

void Checker::CheckList(ConfigValue& value, const OptionSpec& spec,
                        const std::string& path) {
  if (value.kind != Kind::kList && spec.scalar_as_list && value.kind == Kind::kScalar) {
    ConfigValue list;
    list.kind = Kind::kList;
    list.mark = value.mark;
    list.key_mark = value.key_mark;
    list.list.push_back(std::move(value));
    value = std::move(list);
  }
  if (value.kind != Kind::kList) return WrongType(value, spec, Wanted(spec), path);
  if (spec.required && value.list.empty()) {
    return Refuse(value, path, "config.empty", "this must not be empty");
  }
  for (size_t i = 0; i < value.list.size(); ++i) {
    ConfigValue& item = value.list[i];
    const std::string item_path = path + "[" + std::to_string(i) + "]";
    if (item.kind == Kind::kNull && item.written.empty()) {
      Refuse(item, item_path, "config.empty", "this list item is empty");
    } else if (!spec.items.empty()) {
      Check(item, spec.items[0], item_path);
    }
  }
}

void Checker::UnknownKey(const ConfigValue& item, const std::string& key,
                         const OptionSpec& spec, const std::string& path) {
  std::string suggestion;
  if (problems_.items().size() < ProblemList::kMost) {
    std::vector<std::string> names;
    for (const auto& known : spec.fields) {
      names.push_back(known.name);
      names.insert(names.end(), known.aliases.begin(), known.aliases.end());
    }
    suggestion = BelongsBelow(spec, key);
    if (suggestion.empty()) suggestion = DidYouMean(key, names);
  }
  problems_.Error(item.key_mark, path, "config.unknown_key",
                  "there is no key '" + Shortened(key, 60) + "' here",
                  std::move(suggestion));
}

void Checker::CheckObject(ConfigValue& value, const OptionSpec& spec,
                          const std::string& path) {
  if (value.kind != Kind::kMap) return WrongType(value, spec, Wanted(spec), path);
  const std::string prefix = path.empty() ? "" : path + ".";
  std::map<std::string, std::string> written_as;
  std::vector<std::pair<std::string, ConfigValue>> kept;
  for (auto& [key, item] : value.map) {
    const OptionSpec* field = FieldNamed(spec, key);
    if (!field) {
      UnknownKey(item, key, spec, prefix + key);
      continue;
    }
    const auto [first, added] = written_as.emplace(field->name, key);
    if (!added) {
      problems_.Error(item.key_mark, prefix + key, "config.conflicting_keys",
                      "'" + key + "' and '" + first->second + "' set the same thing",
                      "keep '" + field->name + "'");
      continue;
    }
    if (Contains(field->deprecated_aliases, key)) {
      problems_.Warn(item.key_mark, prefix + key, "config.deprecated_key",
                     "'" + key + "' is an old name", "write '" + field->name + "'");
    }
    Check(item, *field, prefix + key);
    kept.emplace_back(field->name, std::move(item));
  }
  value.map = std::move(kept);
  for (const auto& field : spec.fields) {
    if (!field.required) continue;
    const ConfigValue* item = value.Get(field.name);
    if (IsSet(item) || WasRefused(item)) continue;
    problems_.Error(
        value.mark, prefix + field.name, "config.missing_key",
        "'" + field.name + "' is required here",
        field.example.empty() ? "" : "for example: " + field.name + ": " + field.example);
  }
}

void Checker::CheckAny(ConfigValue& value, const OptionSpec& spec,
                       const std::string& path) {
  if (value.kind == Kind::kMap) return CheckAnyMap(value, spec, path);
  for (const auto& item : spec.items) {
    if (value.kind == Kind::kScalar ? IsScalar(item.kind)
                                    : item.kind == OptionKind::kList) {
      return Check(value, item, path);
    }
  }
  WrongType(value, spec, Wanted(spec), path);
}

void Checker::CheckAnyMap(ConfigValue& value, const OptionSpec& spec,
                          const std::string& path) {
  const ConfigValue* type = value.Get("type");
  const OptionSpec* untyped = nullptr;
  std::vector<std::string> types;
  for (const auto& item : spec.items) {
    if (item.kind == OptionKind::kMap) return Check(value, item, path);
    if (item.kind != OptionKind::kObject) continue;
    const OptionSpec* known = FieldNamed(item, "type");
    if (!known) {
      untyped = &item;
      continue;
    }
    if (IsSet(type) && type->kind == Kind::kScalar &&
        Contains(known->choices, type->scalar)) {
      return Check(value, item, path);
    }
    types.insert(types.end(), known->choices.begin(), known->choices.end());
  }
  if (types.empty()) {
    return untyped ? Check(value, *untyped, path)
                   : WrongType(value, spec, Wanted(spec), path);
  }
  std::string wanted = "'type'";
  for (const auto& field : untyped ? untyped->fields : std::vector<OptionSpec>()) {
    if (!field.required) continue;
    if (!IsSet(type) && value.Get(field.name)) return Check(value, *untyped, path);
    wanted = "'" + field.name + "' or " + wanted;
  }
  if (!IsSet(type)) {
    if (!WasRefused(type)) {
      problems_.Error(value.mark, path, "config.missing_key",
                      wanted + " is required here", "types are " + Joined(types));
    }
  } else if (type->kind != Kind::kScalar) {
    problems_.Error(type->mark, path + ".type", "config.wrong_type",
                    Shown(*type) + " is not a text");
  } else {
    std::string suggestion = DidYouMean(type->scalar, types);
    if (suggestion.empty()) suggestion = "known are " + Joined(types);
    problems_.Error(type->mark, path + ".type", "connection.unknown_type",
                    Shown(*type) + " is not a known type of connection",
                    std::move(suggestion));
  }
  value.kind = Kind::kNull;
  value.written = "?";
}

}  // namespace dxt
