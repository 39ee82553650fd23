#include "engine/plan/yaml.h"

#include <algorithm>
#include <sstream>
#include <string_view>
#include <unordered_map>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include "engine/plan/checker.h"

namespace dxt {
namespace {

/// Returns the length of the UTF-8 sequence at the beginning of `text`, 0 when it is
/// none.
size_t SequenceLength(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  if (first == 0xe0 && byte(1) < 0xa0) return 0;
  if (first == 0xed && byte(1) >= 0xa0) return 0;
  if (first == 0xf0 && byte(1) < 0x90) return 0;
  if (first == 0xf4 && byte(1) >= 0x90) return 0;
  return length;
}

/// Turns the parser's 0-based line and byte column into a 1-based line and character.
class Places {
 public:
  Places(std::string_view text, std::string name) : text_(text), name_(std::move(name)) {
    starts_.push_back(0);
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\n') starts_.push_back(i + 1);
    }
  }

  Mark At(const YAML::Mark& mark) const {
    if (mark.is_null()) return {name_, 1, 1};
    return {name_, mark.line + 1, Character(mark.line, mark.column) + 1};
  }

  Mark AtByte(size_t offset) const {
    const auto after = std::upper_bound(starts_.begin(), starts_.end(), offset);
    const int line = static_cast<int>(after - starts_.begin()) - 1;
    return {name_, line + 1,
            Character(line, static_cast<int>(offset - starts_[line])) + 1};
  }

  /// True for a text in quotes, beginning at the mark, that nothing closes: at the end of
  /// the file the parser takes it as complete.
  bool Unclosed(const YAML::Mark& mark) const {
    if (mark.line < 0 || static_cast<size_t>(mark.line) >= starts_.size()) return false;
    size_t at = starts_[mark.line] + static_cast<size_t>(mark.column);
    if (at >= text_.size() || (text_[at] != '"' && text_[at] != '\'')) return false;
    const char quote = text_[at];
    while (++at < text_.size()) {
      if (text_[at] == '\\' && quote == '"') {
        ++at;
      } else if (text_[at] == quote) {
        if (quote == '"' || at + 1 >= text_.size() || text_[at + 1] != '\'') return false;
        ++at;
      }
    }
    return true;
  }

  std::string_view Line(int line) const {
    if (line < 0 || static_cast<size_t>(line) >= starts_.size()) return {};
    const size_t begin = starts_[line];
    return text_.substr(begin, text_.find('\n', begin) - begin);
  }

 private:
  int Character(int line, int column) const {
    // Longer prefixes are counted in bytes: a document of one line would make this
    // quadratic.
    constexpr int kLongest = 2000;
    if (column > kLongest) return column;
    int characters = 0;
    for (const char c : Line(line).substr(0, static_cast<size_t>(column))) {
      characters += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    }
    return characters;
  }

  std::string_view text_;
  std::string name_;
  std::vector<size_t> starts_;
};

/// Builds the tree from the parser's events, without recursion. After the first limit or
/// refused construct it ignores the rest.
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(const Places& places, const YamlLimits& limits,
              std::vector<Problem>& problems)
      : places_(places), limits_(limits), problems_(problems) {}

  bool stopped() const { return stopped_; }
  bool seen() const { return nodes_ > 0; }
  ConfigValue Take() { return std::move(root_); }
  const Mark& start() const { return start_; }

  void OnDocumentStart(const YAML::Mark& mark) override { start_ = places_.At(mark); }
  void OnDocumentEnd() override {}

  void OnAnchor(const YAML::Mark& mark, const std::string&) override {
    RefuseAnchor(mark);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { RefuseAnchor(mark); }

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (!Enter(mark, "", anchor)) return;
    if (WantsKey()) return Stop(mark, "yaml.key", "a key must be text", "");
    ConfigValue value;
    value.mark = places_.At(mark);
    Add(std::move(value));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    if (!Enter(mark, tag, anchor)) return;
    if (tag == "!" && places_.Unclosed(mark)) {
      return Stop(mark, "yaml.syntax",
                  "this is not valid YAML: the quote is never closed", "");
    }
    if (WantsKey()) return Key(mark, text);
    ConfigValue value;
    value.kind = ConfigValue::Kind::kScalar;
    value.scalar = text;
    value.quoted = tag == "!";
    value.mark = places_.At(mark);
    Add(std::move(value));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag,
                       YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    Open(mark, tag, anchor, ConfigValue::Kind::kList);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(mark, tag, anchor, ConfigValue::Kind::kMap);
  }
  void OnMapEnd() override { Close(); }

 private:
  struct Frame {
    ConfigValue value;
    std::optional<std::string> key;
    Mark key_mark;
    bool duplicate = false;
    std::unordered_map<std::string, Mark> seen;
  };

  void Stop(const YAML::Mark& mark, std::string code, std::string message,
            std::string suggestion) {
    if (stopped_) return;
    stopped_ = true;
    Report(places_.At(mark), std::move(code), std::move(message), std::move(suggestion));
  }

  void Report(Mark mark, std::string code, std::string message, std::string suggestion) {
    Problem problem;
    problem.mark = std::move(mark);
    problem.code = std::move(code);
    problem.message = std::move(message);
    problem.suggestion = std::move(suggestion);
    problems_.push_back(std::move(problem));
  }

  void RefuseAnchor(const YAML::Mark& mark) {
    Stop(
        mark, "yaml.alias", "YAML anchors (&) and aliases (*) are not allowed",
        "write the value out, put shared settings under `defaults`, or quote a text that "
        "begins with & or *");
  }

  bool Enter(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (stopped_) return false;
    if (anchor != 0) RefuseAnchor(mark);
    if (tag.size() > 1) {
      Stop(mark, "yaml.tag", "YAML tags (!) are not allowed",
           "remove the tag, or quote a text that begins with !");
    }
    if (++nodes_ > limits_.nodes) {
      Stop(mark, "yaml.nodes",
           "the document has more than " + std::to_string(limits_.nodes) + " values",
           "split it into several pipelines");
    }
    return !stopped_;
  }

  bool WantsKey() const {
    return !frames_.empty() && frames_.back().value.kind == ConfigValue::Kind::kMap &&
           !frames_.back().key;
  }

  void Key(const YAML::Mark& mark, const std::string& text) {
    Frame& frame = frames_.back();
    frame.key = text;
    frame.key_mark = places_.At(mark);
    const auto [first, added] = frame.seen.emplace(text, frame.key_mark);
    frame.duplicate = !added;
    if (added) return;
    Report(frame.key_mark, "yaml.duplicate_key",
           "the key '" + Shortened(text, 60) +
               "' stands here a second time; first at line " +
               std::to_string(first->second.line) + ", column " +
               std::to_string(first->second.column),
           "keep one of them");
  }

  void Add(ConfigValue value) {
    if (frames_.empty()) {
      root_ = std::move(value);
      return;
    }
    Frame& frame = frames_.back();
    if (frame.value.kind == ConfigValue::Kind::kList) {
      frame.value.list.push_back(std::move(value));
      return;
    }
    value.key_mark = frame.key_mark;
    if (!frame.duplicate) frame.value.map.emplace_back(*frame.key, std::move(value));
    frame.key.reset();
  }

  void Open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            ConfigValue::Kind kind) {
    if (!Enter(mark, tag, anchor)) return;
    if (WantsKey()) return Stop(mark, "yaml.key", "a key must be text", "");
    if (static_cast<int>(frames_.size()) >= limits_.depth) {
      return Stop(
          mark, "yaml.depth",
          "values are nested deeper than " + std::to_string(limits_.depth) + " levels",
          "");
    }
    Frame frame;
    frame.value.kind = kind;
    frame.value.mark = places_.At(mark);
    frames_.push_back(std::move(frame));
  }

  void Close() {
    if (stopped_) return;
    ConfigValue value = std::move(frames_.back().value);
    frames_.pop_back();
    Add(std::move(value));
  }

  const Places& places_;
  const YamlLimits& limits_;
  std::vector<Problem>& problems_;
  std::vector<Frame> frames_;
  ConfigValue root_;
  Mark start_;
  int nodes_ = 0;
  bool stopped_ = false;
};

/// Finds bytes that YAML does not allow; the parser would end at them or replace them.
std::optional<Problem> RefusedBytes(std::string_view text, const Places& places) {
  for (size_t i = 0; i < text.size();) {
    const size_t length = SequenceLength(text.substr(i));
    Problem problem;
    if (length == 0) {
      problem.code = "yaml.encoding";
      problem.message = "the text is not UTF-8";
      problem.suggestion = "save the file as UTF-8";
    } else if (length == 1 &&
               (text[i] == 0x7f || (text[i] >= 0 && text[i] < 0x20 && text[i] != '\t' &&
                                    text[i] != '\n' && text[i] != '\r'))) {
      problem.code = "yaml.encoding";
      problem.message = "the text holds a control character";
      problem.suggestion = "remove it, or write it as an escape in double quotes";
    } else {
      i += length;
      continue;
    }
    problem.mark = places.AtByte(i);
    return problem;
  }
  return std::nullopt;
}

Problem SyntaxProblem(const YAML::Exception& error, const Places& places) {
  Problem problem;
  problem.code = "yaml.syntax";
  problem.mark = places.At(error.mark);
  problem.message = "this is not valid YAML: " + error.msg;
  const std::string_view line = places.Line(error.mark.line);
  const std::string_view indent = line.substr(0, line.find_first_not_of(" \t"));
  if (indent.find('\t') != std::string_view::npos) {
    problem.suggestion = "indent with blanks; YAML does not allow tabs";
  } else if (error.msg == "illegal map value") {
    problem.suggestion =
        "quote a value that holds ': ', and give keys of one map one indent";
  }
  return problem;
}

}  // namespace

std::optional<ConfigValue> ParseYaml(const DocumentText& document,
                                     const std::string& name,
                                     std::vector<Problem>& problems,
                                     const YamlLimits& limits) {
  const size_t known = problems.size();
  if (document.text.size() > limits.bytes) {
    Problem problem;
    problem.mark = {name, 1, 1};
    problem.code = "yaml.bytes";
    problem.message =
        "the document is larger than " + std::to_string(limits.bytes) + " bytes";
    problem.suggestion = "split it into several pipelines";
    problems.push_back(std::move(problem));
    return std::nullopt;
  }
  const Places places(document.text, name);
  if (auto problem = RefusedBytes(document.text, places)) {
    problems.push_back(std::move(*problem));
    return std::nullopt;
  }
  TreeBuilder builder(places, limits, problems);
  try {
    std::istringstream stream(document.text);
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
    TreeBuilder second(places, limits, problems);
    if (problems.size() == known && parser.HandleNextDocument(second) && second.seen()) {
      Problem problem;
      problem.mark = second.start();
      problem.code = "yaml.documents";
      problem.message = "a file holds one document; a second one begins here";
      problem.suggestion = "put it into a file of its own";
      problems.push_back(std::move(problem));
    }
  } catch (const YAML::Exception& error) {
    // Behind a limit the parser may stumble over what was left unread.
    if (!builder.stopped()) problems.push_back(SyntaxProblem(error, places));
  }
  if (problems.size() != known) return std::nullopt;
  return builder.Take();
}

}  // namespace dxt
