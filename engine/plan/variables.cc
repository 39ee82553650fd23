#include "engine/plan/variables.h"

#include <cctype>

namespace dxt {
namespace {

/// One step through a text: what stands at its beginning.
struct Piece {
  enum class Kind { kText, kVariable, kMalformed };
  Kind kind = Kind::kText;
  size_t length = 0;  ///< Of the piece as written.
  std::string_view text;
  std::string_view name, fallback;
  bool has_fallback = false;
};

bool IsNameStart(char c) {
  return c == '_' || std::isalpha(static_cast<unsigned char>(c));
}
bool IsName(char c) { return c == '_' || std::isalnum(static_cast<unsigned char>(c)); }

Piece NextPiece(std::string_view text) {
  Piece piece;
  if (text.starts_with("$${")) {
    piece.length = 3;
    piece.text = text.substr(1, 2);
    return piece;
  }
  if (!text.starts_with("${")) {
    size_t end = text.find('$', 1);
    if (end == std::string_view::npos) end = text.size();
    piece.length = end;
    piece.text = text.substr(0, end);
    return piece;
  }
  const size_t close = text.find('}');
  size_t end = 2;
  while (end < text.size() && IsName(text[end])) ++end;
  piece.name = text.substr(2, end - 2);
  piece.kind = Piece::Kind::kMalformed;
  piece.length = close == std::string_view::npos ? text.size() : close + 1;
  if (close == std::string_view::npos || piece.name.empty() || !IsNameStart(text[2])) {
    return piece;
  }
  if (text.substr(end).starts_with(":-")) {
    piece.has_fallback = true;
    piece.fallback = text.substr(end + 2, close - end - 2);
    if (piece.fallback.find("${") != std::string_view::npos) return piece;
  } else if (end != close) {
    return piece;
  }
  piece.kind = Piece::Kind::kVariable;
  return piece;
}

Problem At(const ConfigValue& value, const std::string& path, std::string code,
           std::string message, std::string suggestion) {
  Problem problem;
  problem.mark = value.mark;
  problem.path = path;
  problem.code = std::move(code);
  problem.message = std::move(message);
  problem.suggestion = std::move(suggestion);
  return problem;
}

}  // namespace

Substitution::Substitution(const std::map<std::string, std::string>& values)
    : values_(values) {}

void Substitution::Apply(ConfigValue& value, const std::string& path,
                         std::vector<Problem>& problems) {
  switch (value.kind) {
    case ConfigValue::Kind::kNull:
      return;
    case ConfigValue::Kind::kScalar:
      return Scalar(value, path, problems);
    case ConfigValue::Kind::kList:
      for (size_t i = 0; i < value.list.size(); ++i) {
        Apply(value.list[i], path + "[" + std::to_string(i) + "]", problems);
      }
      return;
    case ConfigValue::Kind::kMap:
      for (auto& [key, item] : value.map) {
        Apply(item, path.empty() ? key : path + "." + key, problems);
      }
      return;
  }
}

void Substitution::Scalar(ConfigValue& value, const std::string& path,
                          std::vector<Problem>& problems) {
  if (value.scalar.find("${") == std::string::npos) return;
  std::string resolved;
  std::string_view rest = value.scalar;
  bool failed = false;
  while (!rest.empty()) {
    const Piece piece = NextPiece(rest);
    rest.remove_prefix(piece.length);
    std::string_view text = piece.text;
    if (piece.kind == Piece::Kind::kMalformed) {
      problems.push_back(At(value, path, "config.bad_variable",
                            "a `${` is not followed by NAME} or NAME:-default}",
                            "write $${ for a plain ${"));
      failed = true;
      continue;
    }
    if (piece.kind == Piece::Kind::kVariable) {
      const std::string name(piece.name);
      const auto found = values_.find(name);
      if (found != values_.end() && !(piece.has_fallback && found->second.empty())) {
        used_.insert(name);
        text = found->second;
      } else if (piece.has_fallback) {
        text = piece.fallback;
      } else {
        problems.push_back(At(value, path, "config.missing_variable",
                              "the variable '" + name + "' is not set",
                              "export " + name +
                                  "=…, put it into the .env beside the project "
                                  "file, or write ${" +
                                  name + ":-default}"));
        failed = true;
        continue;
      }
    }
    if (text.size() > bytes_left_) {
      problems.push_back(At(value, path, "config.too_large",
                            "the values of the variables make the document too large",
                            ""));
      return;
    }
    bytes_left_ -= text.size();
    resolved += text;
  }
  value.written = std::move(value.scalar);
  value.scalar = std::move(resolved);
  if (failed) value.kind = ConfigValue::Kind::kNull;
}

std::vector<std::string> VariableNames(std::string_view text) {
  std::vector<std::string> names;
  while (!text.empty()) {
    const Piece piece = NextPiece(text);
    if (piece.kind == Piece::Kind::kVariable) names.emplace_back(piece.name);
    text.remove_prefix(piece.length);
  }
  return names;
}

}  // namespace dxt
