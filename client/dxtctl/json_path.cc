#include "client/dxtctl/json_path.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <numeric>

#include <nlohmann/json.hpp>

#include "client/dxtctl/output.h"

namespace dxt::ctl {
namespace {

using Json = nlohmann::ordered_json;

bool IsNameCharacter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-';
}

/// create_time and createTime are one field: the API has the one, its JSON the other.
std::string FoldedName(const std::string& name) {
  std::string folded;
  for (const char c : name) {
    if (c != '_')
      folded += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return folded;
}

const Json* Member(const Json& value, const std::string& name) {
  if (!value.is_object()) return nullptr;
  if (const auto exact = value.find(name); exact != value.end()) return &*exact;
  for (auto member = value.begin(); member != value.end(); ++member) {
    if (FoldedName(member.key()) == FoldedName(name)) return &*member;
  }
  return nullptr;
}

std::string Trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::string ValueText(const Json& value) {
  return value.is_string() ? value.get<std::string>() : ToJson(value);
}

bool IsInteger(const std::string& text) {
  return !text.empty() && text.size() <= 18 &&
         text.find_first_not_of("0123456789", text[0] == '-' ? 1 : 0) ==
             std::string::npos &&
         text != "-";
}

/// Numbers by their value, also where proto JSON writes them as text; what is not there
/// comes first.
int Compare(const Json* a, const Json* b) {
  const bool has_a = a != nullptr && !a->is_null(), has_b = b != nullptr && !b->is_null();
  if (!has_a || !has_b) return int{has_a} - int{has_b};
  const std::string text_a = ValueText(*a), text_b = ValueText(*b);
  const bool numbers =
      (a->is_number() || IsInteger(text_a)) && (b->is_number() || IsInteger(text_b));
  if (numbers) {
    const double left = std::strtod(text_a.c_str(), nullptr);
    const double right = std::strtod(text_b.c_str(), nullptr);
    return int{left > right} - int{left < right};
  }
  return text_a.compare(text_b);
}

const Json* FieldAt(const Json& row, const std::string& dotted) {
  const Json* at = &row;
  for (size_t begin = 0; at != nullptr && begin <= dotted.size();) {
    const size_t end = std::min(dotted.find('.', begin), dotted.size());
    at = Member(*at, dotted.substr(begin, end - begin));
    begin = end + 1;
  }
  return at;
}

}  // namespace

class JsonPath::Parser {
 public:
  explicit Parser(const std::string& text) : text_(text) {}

  Result<std::vector<Part>> Template() {
    if (text_.find('{') == std::string::npos) {
      Part part;
      part.kind = Part::Kind::kPath;
      CTL_ASSIGN(part.path, PathUntilEnd());
      return std::vector<Part>{std::move(part)};
    }
    return Parts(/*in_range=*/false);
  }

 private:
  Error Wrong(const std::string& what) const {
    return UsageError(
        "In -o jsonpath, at character " + std::to_string(at_ + 1) + ": " + what,
        "For example: -o jsonpath='{.runs[*].name}', or '{range "
        ".runs[*]}{.name} {.state}{\"\\n\"}{end}'");
  }
  bool AtEnd() const { return at_ >= text_.size(); }
  void SkipBlanks() {
    while (!AtEnd() && text_[at_] == ' ') ++at_;
  }
  bool Take(const std::string& word) {
    if (text_.compare(at_, word.size(), word) != 0) return false;
    at_ += word.size();
    return true;
  }

  Result<std::vector<Part>> Parts(bool in_range) {
    std::vector<Part> parts;
    while (!AtEnd()) {
      const size_t brace = std::min(text_.find('{', at_), text_.size());
      if (brace > at_) {
        parts.emplace_back().text = text_.substr(at_, brace - at_);
        at_ = brace;
        continue;
      }
      ++at_;
      SkipBlanks();
      if (Take("end")) {
        CTL_RETURN_NOT_OK(Close());
        if (!in_range) return Wrong("{end} without {range …}");
        return parts;
      }
      CTL_ASSIGN(Part part, Expression());
      parts.push_back(std::move(part));
    }
    if (in_range) return Wrong("{range …} without {end}");
    return parts;
  }

  Status Close() {
    SkipBlanks();
    if (!Take("}")) return Wrong("'}' is missing");
    return Done{};
  }

  Result<Part> Expression() {
    Part part;
    if (!AtEnd() && text_[at_] == '"') {
      CTL_ASSIGN(part.text, Quoted('"'));
      CTL_RETURN_NOT_OK(Close());
      return part;
    }
    const bool range = Take("range ");
    part.kind = range ? Part::Kind::kRange : Part::Kind::kPath;
    SkipBlanks();
    CTL_ASSIGN(part.path, Steps());
    CTL_RETURN_NOT_OK(Close());
    if (range) {
      CTL_ASSIGN(part.inside, Parts(/*in_range=*/true));
    }
    return part;
  }

  Result<Path> PathUntilEnd() {
    CTL_ASSIGN(Path path, Steps());
    if (!AtEnd()) return Wrong("this is no path");
    return path;
  }

  Result<Path> Steps() {
    Path path;
    if (!Take("$")) Take("@");
    const size_t start = at_;
    while (!AtEnd() && text_[at_] != '}' && text_[at_] != ' ') {
      Step step;
      if (Take("[")) {
        CTL_ASSIGN(step, Bracket());
      } else {
        const bool dot = Take(".");
        if (!dot && at_ != start) return Wrong("'.' or '[' is expected");
        if (dot && (AtEnd() || text_[at_] == '}') && path.empty()) break;  // "{.}"
        if (!Take("*")) {
          CTL_ASSIGN(step, Name());
        }
      }
      path.push_back(std::move(step));
    }
    return path;
  }

  Result<Step> Name() {
    Step step;
    step.kind = Step::Kind::kName;
    while (!AtEnd() && IsNameCharacter(text_[at_])) step.name += text_[at_++];
    if (step.name.empty()) return Wrong("the name of a field is expected");
    return step;
  }

  Result<Step> Bracket() {
    Step step;
    if (Take("*")) {
      step.kind = Step::Kind::kAll;
    } else if (!AtEnd() && text_[at_] == '\'') {
      step.kind = Step::Kind::kName;
      CTL_ASSIGN(step.name, Quoted('\''));
    } else {
      step.kind = Step::Kind::kIndex;
      std::string digits;
      while (!AtEnd() && (text_[at_] == '-' || std::isdigit(text_[at_]) != 0))
        digits += text_[at_++];
      if (!IsInteger(digits)) return Wrong("a number, * or 'name' is expected");
      step.index = std::strtoll(digits.c_str(), nullptr, 10);
    }
    if (!Take("]")) return Wrong("']' is missing");
    return step;
  }

  Result<std::string> Quoted(char quote) {
    std::string value;
    for (++at_; !AtEnd() && text_[at_] != quote; ++at_) {
      if (text_[at_] != '\\' || at_ + 1 == text_.size()) {
        value += text_[at_];
        continue;
      }
      const char c = text_[++at_];
      value += c == 'n' ? '\n' : c == 't' ? '\t' : c;
    }
    if (AtEnd()) return Wrong("a quoted text has no end");
    ++at_;
    return value;
  }

  const std::string& text_;
  size_t at_ = 0;
};

Result<JsonPath> JsonPath::Parse(const std::string& text) {
  JsonPath path;
  CTL_ASSIGN(path.parts_, Parser(text).Template());
  return path;
}

void JsonPath::Write(const std::vector<Part>& parts, const Json& document,
                     std::string& out) {
  for (const auto& part : parts) {
    if (part.kind == Part::Kind::kText) {
      out += part.text;
      continue;
    }
    std::vector<const Json*> found = {&document};
    for (const auto& step : part.path) {
      std::vector<const Json*> next;
      for (const auto* value : found) {
        if (step.kind == Step::Kind::kName) {
          if (const auto* member = Member(*value, step.name)) next.push_back(member);
        } else if (step.kind == Step::Kind::kAll) {
          if (value->is_structured()) {
            for (const auto& item : *value) next.push_back(&item);
          }
        } else if (value->is_array()) {
          const auto size = static_cast<int64_t>(value->size());
          const int64_t index = step.index < 0 ? size + step.index : step.index;
          if (index >= 0 && index < size) next.push_back(&(*value)[index]);
        }
      }
      found = std::move(next);
    }
    bool first = true;
    for (const auto* value : found) {
      if (part.kind == Part::Kind::kRange) {
        Write(part.inside, *value, out);
        continue;
      }
      if (!std::exchange(first, false)) out += ' ';
      out += ValueText(*value);
    }
  }
}

std::string JsonPath::Of(const Json& document) const {
  std::string out;
  Write(parts_, document, out);
  return out;
}

Result<SortOrder> SortOrder::Parse(const std::string& text) {
  SortOrder order;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    std::string name = Trimmed(text.substr(begin, end - begin));
    begin = end + 1;
    Field field;
    const size_t blank = name.find(' ');
    const std::string direction =
        blank == std::string::npos ? "asc" : Trimmed(name.substr(blank));
    field.name = name.substr(0, blank);
    field.descending = direction == "desc";
    if (field.name.starts_with('.')) field.name.erase(0, 1);
    if (field.name.empty() || (direction != "asc" && direction != "desc")) {
      return UsageError("--sort-by '" + text + "' is no list of fields",
                        "Write for example 'state' or 'state, create_time desc'");
    }
    order.fields_.push_back(std::move(field));
  }
  return order;
}

Result<std::vector<size_t>> SortOrder::Of(const Json& rows) const {
  std::vector<size_t> places(rows.size());
  std::iota(places.begin(), places.end(), 0);
  for (const auto& field : fields_) {
    const bool known =
        rows.empty() || std::any_of(rows.begin(), rows.end(), [&](const Json& row) {
          return FieldAt(row, field.name) != nullptr;
        });
    if (known) continue;
    std::string names;
    for (auto member = rows[0].begin(); member != rows[0].end(); ++member)
      names += (names.empty() ? "" : ", ") + member.key();
    return UsageError("--sort-by: there is no field '" + field.name + "' in this list",
                      "Known are " + names);
  }
  std::stable_sort(places.begin(), places.end(), [&](size_t a, size_t b) {
    for (const auto& field : fields_) {
      const int order =
          Compare(FieldAt(rows[a], field.name), FieldAt(rows[b], field.name));
      if (order != 0) return field.descending ? order > 0 : order < 0;
    }
    return false;
  });
  return places;
}

}  // namespace dxt::ctl
