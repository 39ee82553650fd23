#include "engine/plan/selector.h"

#include <algorithm>
#include <span>
#include <string_view>

#include "base/error.h"
#include "base/spelling.h"

namespace dxt {
namespace {

/// Matches with * and ?; linear in text times pattern at worst.
bool Matches(std::string_view pattern, std::string_view text) {
  size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t end = text.find(separator);
    parts.push_back(Trimmed(text.substr(0, end)));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string IdList(std::span<const StreamConfig> streams) {
  constexpr size_t kMost = 20;
  std::string list;
  for (size_t i = 0; i < streams.size() && i < kMost; ++i) {
    list += (list.empty() ? "" : ", ") + streams[i].id;
  }
  return streams.size() > kMost ? list + ", …" : list;
}

bool TermMatches(std::string_view term, const StreamConfig& stream) {
  if (term == "all") return true;
  if (!term.starts_with("tag:")) return Matches(term, stream.id);
  return std::any_of(stream.tags.begin(), stream.tags.end(), [&](const std::string& tag) {
    return Matches(term.substr(4), tag);
  });
}

arrow::Status CheckSyntax(const std::string& selector) {
  for (const auto alternative : Split(selector, ',')) {
    for (const auto term : Split(alternative, '+')) {
      if (!term.empty() && term != "tag:") continue;
      return MakeError(ErrorClass::kConfig, "selector.invalid",
                       "The selector '" + selector + "' has an empty part",
                       "Write ids, globs, tag:NAME or all; + is and, a comma is or");
    }
  }
  return arrow::Status::OK();
}

bool IsId(std::string_view term, std::span<const StreamConfig> streams) {
  return std::any_of(streams.begin(), streams.end(),
                     [&](const StreamConfig& stream) { return stream.id == term; });
}

/// The terms that must all hold. Behind a tag a bare word that is no stream's id is
/// another tag: "tag:a+b".
std::vector<std::string> TermsOf(std::string_view alternative,
                                 std::span<const StreamConfig> streams) {
  std::vector<std::string> terms;
  for (const auto part : Split(alternative, '+')) {
    std::string term(part);
    const std::string tag = "tag:" + term;
    const bool behind_tag = !terms.empty() && terms.front().starts_with("tag:");
    const bool is_tag =
        behind_tag && !term.starts_with("tag:") && term != "all" &&
        !IsId(term, streams) &&
        std::any_of(streams.begin(), streams.end(),
                    [&](const StreamConfig& stream) { return TermMatches(tag, stream); });
    terms.push_back(is_tag ? tag : std::move(term));
  }
  return terms;
}

/// Marks the streams that the selector names.
arrow::Result<std::vector<bool>> Chosen(std::span<const StreamConfig> streams,
                                        const std::string& selector, bool allow_unknown) {
  ARROW_RETURN_NOT_OK(CheckSyntax(selector));
  std::vector<bool> chosen(streams.size(), false);
  for (const auto alternative : Split(selector, ',')) {
    const auto terms = TermsOf(alternative, streams);
    for (const auto& term : terms) {
      const bool is_id = !term.starts_with("tag:") && term != "all" &&
                         term.find_first_of("*?") == std::string::npos;
      if (!is_id || allow_unknown || IsId(term, streams)) continue;
      std::vector<std::string> ids;
      for (const auto& stream : streams) ids.push_back(stream.id);
      const std::string nearest = NearestSpelling(term, ids);
      return MakeError(ErrorClass::kConfig, "selector.unknown",
                       "There is no stream '" + term + "'",
                       (nearest.empty() ? "" : "Did you mean '" + nearest + "'? ") +
                           "The streams are: " + IdList(streams));
    }
    for (size_t i = 0; i < streams.size(); ++i) {
      chosen[i] =
          chosen[i] || std::all_of(terms.begin(), terms.end(), [&](const auto& term) {
            return TermMatches(term, streams[i]);
          });
    }
  }
  return chosen;
}

}  // namespace

arrow::Result<std::vector<StreamConfig>> SelectStreams(std::vector<StreamConfig> streams,
                                                       const std::string& select,
                                                       const std::string& exclude,
                                                       bool allow_empty) {
  std::vector<bool> wanted(streams.size(), true), unwanted(streams.size(), false);
  if (!Trimmed(select).empty()) {
    ARROW_ASSIGN_OR_RAISE(wanted, Chosen(streams, select, allow_empty));
  }
  if (!Trimmed(exclude).empty()) {
    ARROW_ASSIGN_OR_RAISE(unwanted, Chosen(streams, exclude, allow_empty));
  }
  std::vector<StreamConfig> selected;
  for (size_t i = 0; i < streams.size(); ++i) {
    if (wanted[i] && !unwanted[i]) selected.push_back(std::move(streams[i]));
  }
  if (!selected.empty() || allow_empty) return selected;
  std::string asked = select.empty() ? "all" : select;
  if (!exclude.empty()) asked += "' without '" + exclude;
  return MakeError(ErrorClass::kConfig, "selector.empty",
                   "The selector '" + asked + "' leaves no stream",
                   "The streams are: " + IdList(streams));
}

}  // namespace dxt
