#include "engine/plan/convert_json.h"

#include <algorithm>

namespace dxt {
namespace {

constexpr size_t kDeepest = 1000;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

int HexDigit(char c) {
  if (IsDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

int HexUnit(std::string_view text, size_t at) {
  if (at + 4 > text.size()) return -1;
  int unit = 0;
  for (size_t i = at; i < at + 4; ++i) {
    const int digit = HexDigit(text[i]);
    if (digit < 0) return -1;
    unit = unit << 4 | digit;
  }
  return unit;
}

void AppendUtf8(unsigned point, std::string* out) {
  if (point < 0x80) {
    out->push_back(static_cast<char>(point));
  } else if (point < 0x800) {
    out->push_back(static_cast<char>(0xc0 | point >> 6));
    out->push_back(static_cast<char>(0x80 | (point & 0x3f)));
  } else if (point < 0x10000) {
    out->push_back(static_cast<char>(0xe0 | point >> 12));
    out->push_back(static_cast<char>(0x80 | (point >> 6 & 0x3f)));
    out->push_back(static_cast<char>(0x80 | (point & 0x3f)));
  } else {
    out->push_back(static_cast<char>(0xf0 | point >> 18));
    out->push_back(static_cast<char>(0x80 | (point >> 12 & 0x3f)));
    out->push_back(static_cast<char>(0x80 | (point >> 6 & 0x3f)));
    out->push_back(static_cast<char>(0x80 | (point & 0x3f)));
  }
}

}  // namespace

/// The values of the outermost level go to `items` when it is set.
class JsonScanner::Pass {
 public:
  JsonFacts Scan(std::string_view text, bool find_duplicates,
                 std::vector<JsonItem>* items) {
    text_ = text;
    find_duplicates_ = find_duplicates;
    items_ = items;
    at_ = 0;
    facts_ = {};
    levels_.clear();
    keys_.clear();
    SkipBlanks();
    if (!done()) facts_.kind = KindOf(text_[at_]);
    facts_.valid = ScanValue();
    SkipBlanks();
    facts_.valid = facts_.valid && done();
    return facts_;
  }

 private:
  struct Level {
    bool object;
    size_t keys_from;  ///< Where this object's keys start in keys_.
    JsonItem item;
    size_t item_from = 0;
  };

  bool done() const { return at_ >= text_.size(); }

  static JsonKind KindOf(char c) {
    switch (c) {
      case '{':
        return JsonKind::kObject;
      case '[':
        return JsonKind::kArray;
      case '"':
        return JsonKind::kString;
      case 't':
      case 'f':
        return JsonKind::kBool;
      case 'n':
        return JsonKind::kNull;
      default:
        return JsonKind::kNumber;
    }
  }

  void SkipBlanks() {
    while (!done() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' ||
                       text_[at_] == '\r')) {
      ++at_;
    }
  }

  bool Take(char wanted) {
    if (done() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }

  bool TakeWord(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  bool TakeDigits() {
    const size_t from = at_;
    while (!done() && IsDigit(text_[at_])) ++at_;
    return at_ > from;
  }

  bool TakeNumber() {
    Take('-');
    if (!Take('0') && !TakeDigits()) return false;
    if (Take('.') && !TakeDigits()) return false;
    if (!done() && (text_[at_] == 'e' || text_[at_] == 'E')) {
      ++at_;
      if (!Take('+')) Take('-');
      return TakeDigits();
    }
    return true;
  }

  bool TakeString(std::string_view* inside) {
    if (!Take('"')) return false;
    const size_t from = at_;
    for (; !done(); ++at_) {
      const char c = text_[at_];
      if (c == '"') {
        *inside = text_.substr(from, at_ - from);
        ++at_;
        return true;
      }
      if (static_cast<unsigned char>(c) < 0x20) return false;
      if (c != '\\') continue;
      if (++at_ >= text_.size()) return false;
      if (text_[at_] == 'u') {
        const int unit = HexUnit(text_, at_ + 1);
        if (unit < 0) return false;
        if (unit == 0) facts_.nul_escape = true;
        at_ += 4;
      } else if (std::string_view("\"\\/bfnrt").find(text_[at_]) ==
                 std::string_view::npos) {
        return false;
      }
    }
    return false;
  }

  bool TakeScalar() {
    if (done()) return false;
    std::string_view inside;
    switch (KindOf(text_[at_])) {
      case JsonKind::kString:
        return TakeString(&inside);
      case JsonKind::kBool:
        return TakeWord("true") || TakeWord("false");
      case JsonKind::kNull:
        return TakeWord("null");
      default:
        return TakeNumber();
    }
  }

  bool TakeKey() {
    std::string_view key;
    SkipBlanks();
    if (!TakeString(&key)) return false;
    if (find_duplicates_) keys_.push_back(key);
    if (levels_.size() == 1) levels_.back().item.key = key;
    SkipBlanks();
    return Take(':');
  }

  void BeginItem() {
    if (!items_ || levels_.size() != 1) return;
    SkipBlanks();
    levels_.back().item_from = at_;
    if (!done()) levels_.back().item.kind = KindOf(text_[at_]);
  }

  void EndItem() {
    if (!items_ || levels_.size() != 1) return;
    JsonItem& item = levels_.back().item;
    item.raw = text_.substr(levels_.back().item_from, at_ - levels_.back().item_from);
    items_->push_back(item);
  }

  void CloseObject(const Level& level) {
    if (!find_duplicates_) return;
    const auto from = keys_.begin() + static_cast<std::ptrdiff_t>(level.keys_from);
    // Escaped keys are compared by value; the usual key has no escape and costs nothing.
    std::vector<std::string> resolved;
    bool escaped = false;
    for (auto key = from; key != keys_.end(); ++key) {
      escaped = escaped || key->find('\\') != std::string_view::npos;
    }
    if (escaped) {
      for (auto key = from; key != keys_.end(); ++key) {
        resolved.emplace_back();
        if (!AppendUnescaped(*key, &resolved.back())) resolved.back() = *key;
      }
      std::sort(resolved.begin(), resolved.end());
      facts_.duplicate_keys =
          facts_.duplicate_keys ||
          std::adjacent_find(resolved.begin(), resolved.end()) != resolved.end();
    } else {
      std::sort(from, keys_.end());
      facts_.duplicate_keys =
          facts_.duplicate_keys || std::adjacent_find(from, keys_.end()) != keys_.end();
    }
    keys_.resize(level.keys_from);
  }

  /// Without recursion, so that no document can exhaust the stack.
  bool ScanValue() {
    while (true) {
      SkipBlanks();
      if (Take('{') || Take('[')) {
        const bool object = text_[at_ - 1] == '{';
        if (levels_.size() == kDeepest) return false;
        levels_.push_back({object, keys_.size(), {}, 0});
        SkipBlanks();
        if (!Take(object ? '}' : ']')) {
          if (object && !TakeKey()) return false;
          BeginItem();
          continue;
        }
        CloseObject(levels_.back());
        levels_.pop_back();
      } else if (!TakeScalar()) {
        return false;
      }
      // A value has ended: close what it ends, until there is a next one.
      while (true) {
        if (levels_.empty()) return true;
        const Level level = levels_.back();
        EndItem();
        SkipBlanks();
        if (Take(',')) {
          if (level.object && !TakeKey()) return false;
          BeginItem();
          break;
        }
        if (!Take(level.object ? '}' : ']')) return false;
        CloseObject(level);
        levels_.pop_back();
      }
    }
  }

  std::string_view text_;
  bool find_duplicates_ = false;
  std::vector<JsonItem>* items_ = nullptr;
  size_t at_ = 0;
  JsonFacts facts_;
  std::vector<Level> levels_;
  std::vector<std::string_view> keys_;
};

JsonScanner::JsonScanner() : pass_(std::make_unique<Pass>()) {}
JsonScanner::~JsonScanner() = default;

JsonFacts JsonScanner::Scan(std::string_view text, bool find_duplicates) {
  return pass_->Scan(text, find_duplicates, nullptr);
}

bool JsonScanner::List(std::string_view text, JsonKind kind,
                       std::vector<JsonItem>* items) {
  items->clear();
  const JsonFacts facts = pass_->Scan(text, false, items);
  return facts.valid && facts.kind == kind;
}

bool AppendUnescaped(std::string_view escaped, std::string* out) {
  for (size_t at = 0; at < escaped.size(); ++at) {
    if (escaped[at] != '\\') {
      const size_t plain = std::min(escaped.find('\\', at), escaped.size());
      out->append(escaped, at, plain - at);
      at = plain - 1;
      continue;
    }
    if (++at >= escaped.size()) return false;
    switch (escaped[at]) {
      case 'b':
        out->push_back('\b');
        break;
      case 'f':
        out->push_back('\f');
        break;
      case 'n':
        out->push_back('\n');
        break;
      case 'r':
        out->push_back('\r');
        break;
      case 't':
        out->push_back('\t');
        break;
      case 'u': {
        int unit = HexUnit(escaped, at + 1);
        at += 4;
        if (unit < 0 || (unit >= 0xdc00 && unit < 0xe000)) return false;
        if (unit >= 0xd800 && unit < 0xdc00) {
          if (escaped.substr(at + 1, 2) != "\\u") return false;
          const int low = HexUnit(escaped, at + 3);
          if (low < 0xdc00 || low >= 0xe000) return false;
          at += 6;
          unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
        }
        AppendUtf8(static_cast<unsigned>(unit), out);
        break;
      }
      default:
        out->push_back(escaped[at]);
    }
  }
  return true;
}

}  // namespace dxt
