#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace dxt {

/// Returns the candidate nearest to `word` by optimal string alignment distance (case
/// folded), or "" when none is near enough to be what the user meant.
std::string NearestSpelling(std::string_view word,
                            const std::vector<std::string>& candidates);

/// Finds `wanted` among a catalogue's names: an exact match, else a single
/// case-insensitive one, else -1.
int MatchName(const std::vector<std::string>& names, std::string_view wanted);

}  // namespace dxt
