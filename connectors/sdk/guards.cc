#include "connectors/sdk/guards.h"

#include <string>

#include "base/error.h"

namespace dxt {

arrow::Status CheckGuards(const CommitGuards& guards, int64_t before, int64_t after) {
  constexpr int64_t kSmallTable = 100;
  if (!guards.allow_empty && after == 0 && before > 0) {
    return MakeError(ErrorClass::kGuard, "guard.empty",
                     "The load is empty and would remove all " + std::to_string(before) +
                         " rows of the target",
                     "Set allow_empty: true if that is meant");
  }
  const double gone = static_cast<double>(before - after);
  if (before >= kSmallTable && gone > guards.max_shrink * static_cast<double>(before)) {
    return MakeError(ErrorClass::kGuard, "guard.shrink",
                     "The target would shrink from " + std::to_string(before) + " to " +
                         std::to_string(after) + " rows",
                     "Raise max_shrink if that is meant");
  }
  return arrow::Status::OK();
}

arrow::Status CheckChain(const std::optional<LoadRecord>& last,
                         const LoadRecord& record) {
  const std::string cursor = last ? last->cursor_after : "";
  const int64_t expected = last ? last->window_seq + 1 : 1;
  if (record.cursor_before == cursor && record.window_seq == expected) {
    return arrow::Status::OK();
  }
  return MakeError(ErrorClass::kData, "load.stale",
                   "The load starts at cursor '" + record.cursor_before + "' (window " +
                       std::to_string(record.window_seq) + ") but the target is at '" +
                       cursor + "' (window " + std::to_string(expected) + " is next)",
                   "Extract again: another load of this stream was committed meanwhile");
}

}  // namespace dxt
