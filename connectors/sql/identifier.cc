#include "connectors/sql/identifier.h"

#include "base/error.h"

namespace dxt::sql {

std::string QuoteIdentifier(std::string_view name, Quoting quoting) {
  std::string quoted(1, quoting.open);
  for (const char c : name) {
    quoted += c;
    if (c == quoting.close) quoted += c;
  }
  quoted += quoting.close;
  return quoted;
}

std::string QuoteReference(const std::vector<std::string>& parts, Quoting quoting) {
  std::string text;
  for (const auto& part : parts) {
    if (!text.empty()) text += '.';
    text += QuoteIdentifier(part, quoting);
  }
  return text;
}

std::string QuoteLiteral(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    quoted += c;
    if (c == '\'') quoted += c;
  }
  quoted += '\'';
  return quoted;
}

std::string Joined(const std::vector<std::string>& texts, std::string_view separator) {
  std::string joined;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (i > 0) joined += separator;
    joined += texts[i];
  }
  return joined;
}

std::string QuotedNames(const std::vector<std::string>& names, std::string_view before,
                        std::string_view separator) {
  std::vector<std::string> quoted;
  quoted.reserve(names.size());
  for (const auto& name : names)
    quoted.push_back(std::string(before) + QuoteIdentifier(name));
  return Joined(quoted, separator);
}

arrow::Result<std::vector<std::string>> SplitReference(std::string_view reference) {
  const auto invalid = [&](std::string_view why) {
    return MakeError(
        ErrorClass::kConfig, "reference.invalid",
        "The reference '" + std::string(reference) +
            "' is not valid: " + std::string(why),
        "Write schema.table; put names with dots or blanks in double quotes");
  };
  if (reference.find('\0') != std::string_view::npos)
    return invalid("it holds a NUL byte");
  std::vector<std::string> parts;
  size_t at = 0;
  while (true) {
    std::string part;
    const char open = at < reference.size() ? reference[at] : '\0';
    if (open == '"' || open == '`' || open == '[') {
      const char close = open == '[' ? ']' : open;
      bool closed = false;
      for (++at; at < reference.size(); ++at) {
        if (reference[at] != close) {
          part += reference[at];
        } else if (at + 1 < reference.size() && reference[at + 1] == close) {
          part += close;
          ++at;
        } else {
          closed = true;
          ++at;
          break;
        }
      }
      if (!closed) return invalid("a quote is not closed");
      if (at < reference.size() && reference[at] != '.') {
        return invalid("text follows a closing quote");
      }
    } else {
      while (at < reference.size() && reference[at] != '.') part += reference[at++];
    }
    if (part.empty()) return invalid("a part is empty");
    parts.push_back(std::move(part));
    if (at >= reference.size()) return parts;
    ++at;  // The dot.
  }
}

std::string ReferenceText(const std::vector<std::string>& parts) {
  std::string text;
  for (const auto& part : parts) {
    if (!text.empty()) text += '.';
    const bool plain =
        !part.empty() && part.find_first_of(".\"`[] \t") == std::string::npos;
    text += plain ? part : QuoteIdentifier(part);
  }
  return text;
}

}  // namespace dxt::sql
