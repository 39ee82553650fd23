#include "connectors/file/json_scanner.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "base/error.h"
#include "connectors/file/record_scanner.h"
#include "connectors/file/text_input.h"
#include "connectors/file/text_value.h"
#include "connectors/file/unescape.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace dxt::file {
namespace {

constexpr int kMaxDepth = 256;

bool Digit(char c) { return c >= '0' && c <= '9'; }

/// The first quote, backslash or control character.
const char* FindStringEnd(const char* at, const char* end) {
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i backslash = _mm_set1_epi8('\\');
  const __m128i control = _mm_set1_epi8(0x1f);
  while (end - at >= 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i low = _mm_cmpeq_epi8(_mm_max_epu8(bytes, control), control);
    const __m128i found = _mm_or_si128(
        low,
        _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)));
    const int mask = _mm_movemask_epi8(found);
    if (mask != 0) return at + __builtin_ctz(static_cast<unsigned>(mask));
    at += 16;
  }
#endif
  while (at < end && *at != '"' && *at != '\\' && static_cast<unsigned char>(*at) > 0x1f)
    ++at;
  return at;
}

}  // namespace

bool JsonSkipper::String(bool* escaped) {
  ++at;
  for (;;) {
    at = FindStringEnd(at, end);
    if (at == end) return false;
    if (*at == '"') {
      ++at;
      return true;
    }
    if (*at != '\\') return Fail("a control character stands inside a string");
    *escaped = true;
    if (at + 1 == end) return false;
    if (at[1] == 'u') {
      if (end - at < 6) return false;
      for (int i = 2; i < 6; ++i) {
        if (!std::strchr("0123456789abcdefABCDEF", at[i]) || at[i] == '\0') {
          return Fail("\\u is not followed by four hexadecimal digits");
        }
      }
      at += 6;
      continue;
    }
    if (!std::strchr("\"\\/bfnrt", at[1]) || at[1] == '\0')
      return Fail("an unknown escape");
    at += 2;
  }
}

bool JsonSkipper::Number() {
  if (at < end && *at == '-') ++at;
  if (at == end) return false;
  if (*at == '0') {
    ++at;
    if (at < end && Digit(*at)) return Fail("a number starts with a zero");
  } else {
    if (!Digit(*at)) return Fail("a value is expected");
    while (at < end && Digit(*at)) ++at;
  }
  if (at < end && *at == '.') {
    ++at;
    if (at == end) return false;
    if (!Digit(*at)) return Fail("a number has no digit behind its point");
    while (at < end && Digit(*at)) ++at;
  }
  if (at < end && (*at == 'e' || *at == 'E')) {
    ++at;
    if (at < end && (*at == '+' || *at == '-')) ++at;
    if (at == end) return false;
    if (!Digit(*at)) return Fail("a number has no digit in its exponent");
    while (at < end && Digit(*at)) ++at;
  }
  return true;
}

bool JsonSkipper::Word(const char* word, size_t size) {
  const size_t left = static_cast<size_t>(end - at);
  if (std::memcmp(at, word, std::min(left, size)) != 0)
    return Fail("a value is expected");
  if (left < size) return false;
  at += size;
  return true;
}

bool JsonSkipper::Value(int depth) {
  if (at == end) return false;
  if (depth > kMaxDepth) return Fail("values are nested more than 256 deep");
  bool escaped = false;
  switch (*at) {
    case '"':
      return String(&escaped);
    case '{':
      return Object(depth);
    case '[':
      return Array(depth);
    case 't':
      return Word("true", 4);
    case 'f':
      return Word("false", 5);
    case 'n':
      return Word("null", 4);
    default:
      return Number();
  }
}

bool JsonSkipper::Object(int depth) {
  ++at;
  Blank();
  if (at < end && *at == '}') {
    ++at;
    return true;
  }
  for (;;) {
    bool escaped = false;
    if (at == end) return false;
    if (*at != '"') return Fail("a key in quotes is expected");
    if (!String(&escaped)) return false;
    Blank();
    if (at == end) return false;
    if (*at != ':') return Fail("a colon is expected");
    ++at;
    Blank();
    if (!Value(depth + 1)) return false;
    Blank();
    if (at == end) return false;
    if (*at == '}') {
      ++at;
      return true;
    }
    if (*at != ',') return Fail("a comma or a closing brace is expected");
    ++at;
    Blank();
  }
}

bool JsonSkipper::Array(int depth) {
  ++at;
  Blank();
  if (at < end && *at == ']') {
    ++at;
    return true;
  }
  for (;;) {
    if (!Value(depth + 1)) return false;
    Blank();
    if (at == end) return false;
    if (*at == ']') {
      ++at;
      return true;
    }
    if (*at != ',') return Fail("a comma or a closing bracket is expected");
    ++at;
    Blank();
  }
}

bool IsJson(std::string_view text) {
  JsonSkipper skipper(text.data(), text.data() + text.size());
  skipper.Blank();
  if (!skipper.Value()) return false;
  skipper.Blank();
  return skipper.at == skipper.end;
}

namespace {

constexpr char kSyntaxHint[] =
    "Correct the file at that line, or say what it is with options.format: jsonl has one "
    "object a line, json one array or objects one after another";

/// Objects, one after another or as the elements of one array.
class JsonScanner final : public RecordScanner {
 public:
  JsonScanner(std::unique_ptr<TextInput> input, const FormatOptions& options,
              std::vector<std::string> known, bool discover)
      : input_(std::move(input)),
        lines_only_(options.format == Format::kJsonl),
        discover_(discover) {
    for (auto& name : known) AddName(std::move(name));
  }

  arrow::Status Scan(int64_t max_rows, int64_t max_bytes, CellBlock* block) override {
    input_->Consume(consumed_, lines_);
    for (;;) {
      block->columns = static_cast<int>(names_.size());
      block->base = input_->begin();
      block->first_line = input_->line();
      block->rows = 0;
      consumed_ = 0;
      lines_ = 0;
      // A column found on the way changes the width of rows: those that follow go into
      // the next block.
      while (block->rows < max_rows && bad_.size() < kMostBad &&
             (block->rows == 0 || consumed_ < static_cast<size_t>(max_bytes)) &&
             (block->rows == 0 || block->columns == static_cast<int>(names_.size()))) {
        const size_t known = names_.size();
        auto more = ScanRow(block);
        if (!more.ok()) more = StepOver(more.status(), known, block);
        if (!more.ok()) {
          // What is wrong with the rows before it comes first.
          ARROW_RETURN_NOT_OK(input_->CheckUtf8(consumed_));
          return more.status();
        }
        if (!*more) break;
      }
      if (block->rows > 0 || !bad_.empty() || input_->eof()) break;
      input_->Consume(consumed_, lines_);
      ARROW_RETURN_NOT_OK(input_->Fill());
    }
    return input_->CheckUtf8(consumed_);
  }

  TextInput& input() override { return *input_; }

 private:
  enum class State : uint8_t { kStart, kObjects, kFirstElement, kNextElement, kDone };

  void AddName(std::string name) {
    index_.emplace(name, static_cast<int>(names_.size()));
    names_.push_back(std::move(name));
  }

  /// Keeps the line at which an object should begin as a bad record: what follows in its
  /// own line is another one. `known`: columns there were before it. False when the
  /// line's end is not in the window yet.
  arrow::Result<bool> StepOver(const arrow::Status& why, size_t known, CellBlock* block) {
    if (!tolerant_ || !lines_only_) return why;
    JsonSkipper skipper(block->base + consumed_, block->base + input_->size());
    skipper.Blank();
    const auto left = static_cast<size_t>(skipper.end - skipper.at);
    const auto* const found =
        static_cast<const char*>(std::memchr(skipper.at, '\n', left));
    if (!found && !input_->eof()) return false;
    for (; names_.size() > known; names_.pop_back()) index_.erase(names_.back());
    Advance(block, skipper.at);
    BadRecord bad;
    bad.why = why;
    bad.file = input_->path();
    bad.line = input_->line() + lines_;
    bad.text.assign(skipper.at, found ? found : skipper.end);
    if (bad.text.ends_with('\r')) bad.text.pop_back();
    bad_.push_back(std::move(bad));
    Advance(block, found ? found + 1 : skipper.end);
    return true;
  }

  /// False at the end of the window or file.
  arrow::Result<bool> ScanRow(CellBlock* block) {
    JsonSkipper skipper(block->base + consumed_, block->base + input_->size());
    ARROW_ASSIGN_OR_RAISE(const bool found, FindObject(skipper, block));
    if (!found) return false;
    std::fill(seen_.begin(), seen_.end(), false);
    row_.assign(names_.size(), Cell());
    if (!ReadObject(skipper, block)) {
      if (!failure_.ok()) return failure_;
      if (skipper.error) return Error(block, skipper.at, skipper.error);
      if (input_->eof()) return Error(block, skipper.at, "the file ends inside a value");
      return false;
    }
    if (state_ == State::kFirstElement) state_ = State::kNextElement;
    if (state_ == State::kObjects) {
      // What stands behind an object of JSONL on its line is looked at now.
      while (skipper.at < skipper.end &&
             (*skipper.at == ' ' || *skipper.at == '\t' || *skipper.at == '\r')) {
        ++skipper.at;
      }
      if (skipper.at == skipper.end && !input_->eof()) return false;
      if (lines_only_ && skipper.at < skipper.end && *skipper.at != '\n') {
        return Error(block, skipper.at, "something stands behind the object on its line");
      }
    }
    const size_t width = names_.size();
    if (block->rows == 0) block->columns = static_cast<int>(width);
    if (block->columns != static_cast<int>(width)) return false;
    const size_t needed = (static_cast<size_t>(block->rows) + 1) * width;
    if (block->cells.size() < needed)
      block->cells.resize(std::max<size_t>(needed * 2, 256));
    std::copy(row_.begin(), row_.end(),
              block->cells.begin() + static_cast<long>(needed - width));
    Advance(block, skipper.at);
    ++block->rows;
    return true;
  }

  /// Moves to the next object's brace.
  arrow::Result<bool> FindObject(JsonSkipper& skipper, CellBlock* block) {
    for (;;) {
      skipper.Blank();
      if (skipper.at == skipper.end) {
        Advance(block, skipper.at);
        if (input_->eof() &&
            (state_ == State::kFirstElement || state_ == State::kNextElement)) {
          return Error(block, skipper.at, "the file ends before the array does");
        }
        return false;
      }
      const char c = *skipper.at;
      if (state_ == State::kDone) {
        return Error(block, skipper.at, "something stands behind the array");
      }
      if (state_ == State::kStart) {
        const bool array = c == '[' && !lines_only_;
        state_ = array ? State::kFirstElement : State::kObjects;
        if (array) {
          ++skipper.at;
          Advance(block, skipper.at);
          continue;
        }
      }
      if (c == ']' && (state_ == State::kFirstElement || state_ == State::kNextElement)) {
        state_ = State::kDone;
        ++skipper.at;
        Advance(block, skipper.at);
        continue;
      }
      if (state_ == State::kNextElement) {
        if (c != ',')
          return Error(block, skipper.at, "a comma or a closing bracket is expected");
        ++skipper.at;
        skipper.Blank();
        if (skipper.at == skipper.end) {
          if (input_->eof())
            return Error(block, skipper.at, "the file ends before the array does");
          return false;
        }
      }
      if (*skipper.at != '{')
        return Error(block, skipper.at, "a record must be an object");
      return true;
    }
  }

  bool ReadObject(JsonSkipper& skipper, CellBlock* block) {
    failure_ = arrow::Status::OK();
    ++skipper.at;
    size_t expected = 0;
    bool first = true;
    for (;; first = false) {
      skipper.Blank();
      if (skipper.at == skipper.end) return false;
      if (first && *skipper.at == '}') break;
      if (*skipper.at != '"') {
        skipper.error = "a key in quotes is expected";
        return false;
      }
      const char* const key = skipper.at + 1;
      bool escaped = false;
      if (!skipper.String(&escaped)) return false;
      const std::string_view name(key, static_cast<size_t>(skipper.at - 1 - key));
      int column = ColumnOf(name, escaped, expected);
      skipper.Blank();
      if (skipper.at == skipper.end) return false;
      if (*skipper.at != ':') {
        skipper.error = "a colon is expected";
        return false;
      }
      ++skipper.at;
      skipper.Blank();
      Cell cell;
      if (!ReadValue(skipper, block->base, &cell)) return false;
      if (!Place(column, name, key, cell, block)) return false;
      expected = static_cast<size_t>(column) + 1;
      skipper.Blank();
      if (skipper.at == skipper.end) return false;
      if (*skipper.at == '}') break;
      if (*skipper.at != ',') {
        skipper.error = "a comma or a closing brace is expected";
        return false;
      }
      ++skipper.at;
    }
    ++skipper.at;
    return true;
  }

  int ColumnOf(std::string_view name, bool escaped, size_t expected) {
    if (!escaped && expected < names_.size() && names_[expected] == name) {
      return static_cast<int>(expected);
    }
    key_.clear();
    if (escaped) {
      if (!AppendUnescapedJson(name, &key_)) {
        key_.clear();
        return -1;
      }
    } else {
      key_ = name;
    }
    const auto found = index_.find(key_);
    return found == index_.end() ? -1 : found->second;
  }

  bool Place(int& column, std::string_view name, const char* where, const Cell& cell,
             const CellBlock* block) {
    if (column < 0 && discover_ && !key_.empty()) {
      column = static_cast<int>(names_.size());
      AddName(key_);
      row_.resize(names_.size());
    }
    if (column < 0) {
      failure_ =
          Error(block, where,
                "the key '" + std::string(name) +
                    "' was not there in the first 16 MiB, from which the columns come",
                "file.new_key",
                "Name it with its type in options.columns, or leave it out of the file");
      return false;
    }
    const size_t at = static_cast<size_t>(column);
    if (seen_.size() <= at) seen_.resize(names_.size(), false);
    if (seen_[at]) {
      failure_ =
          Error(block, where, "the key '" + names_[at] + "' stands twice in one object",
                "file.duplicate_key", "Remove one of the two from the file");
      return false;
    }
    seen_[at] = true;
    row_[at] = cell;
    return true;
  }

  bool ReadValue(JsonSkipper& skipper, const char* base, Cell* cell) {
    if (skipper.at == skipper.end) return false;
    const char* const from = skipper.at;
    bool escaped = false;
    uint32_t kind = Cell::kPlain;
    switch (*from) {
      case '"':
        if (!skipper.String(&escaped)) return false;
        kind = escaped ? Cell::kEscaped : Cell::kQuoted;
        break;
      case '{':
      case '[':
        if (!skipper.Value()) return false;
        kind = Cell::kNested;
        break;
      case 'n':
        if (!skipper.Word("null", 4)) return false;
        return true;
      default:
        if (!skipper.Value()) return false;
        break;
    }
    const bool string = kind == Cell::kQuoted || kind == Cell::kEscaped;
    cell->begin = static_cast<uint32_t>(from - base + (string ? 1 : 0));
    cell->length = static_cast<uint32_t>(skipper.at - from - (string ? 2 : 0));
    cell->kind = kind;
    return true;
  }

  /// Everything before `at` belongs to rows handed out.
  void Advance(const CellBlock* block, const char* at) {
    const char* from = block->base + consumed_;
    lines_ += std::count(from, at, '\n');
    consumed_ = static_cast<size_t>(at - block->base);
  }

  arrow::Status Error(const CellBlock* block, const char* at, const std::string& what,
                      std::string_view code = "file.json_syntax",
                      std::string hint = kSyntaxHint) const {
    const int64_t line = input_->line() + std::count(block->base, at, '\n');
    return MakeError(ErrorClass::kData, code,
                     input_->path() + ":" + std::to_string(line) + ": " + what,
                     hint.empty() ? "Correct the file at that line" : std::move(hint));
  }

  std::unique_ptr<TextInput> input_;
  bool lines_only_;
  bool discover_;
  State state_ = State::kStart;
  std::unordered_map<std::string, int> index_;
  std::vector<Cell> row_;
  std::vector<bool> seen_;
  std::string key_;
  arrow::Status failure_;
  size_t consumed_ = 0;
  int64_t lines_ = 0;
};

}  // namespace

arrow::Result<std::unique_ptr<RecordScanner>> MakeJsonScanner(
    std::unique_ptr<TextInput> input, const FormatOptions& options,
    std::vector<std::string> known, bool discover) {
  return std::unique_ptr<RecordScanner>(std::make_unique<JsonScanner>(
      std::move(input), options, std::move(known), discover));
}

}  // namespace dxt::file
