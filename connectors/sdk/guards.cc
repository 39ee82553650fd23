#include "connectors/sdk/guards.h"

#include <string>

#include "base/error.h"

namespace dxt {
namespace {

constexpr int64_t kSmallTable = 100;

arrow::Status Empty(int64_t rows) {
  return MakeError(ErrorClass::kGuard, "guard.empty",
                   "The load is empty and would remove all " + std::to_string(rows) +
                       " rows of the target; nothing was changed",
                   "Look whether the source is whole; if it is, repeat the command with "
                   "--accept-shrink, or set load.allow_empty: true");
}

bool TooMuch(const CommitGuards& guards, int64_t before, int64_t gone) {
  return before >= kSmallTable &&
         static_cast<double>(gone) > guards.max_shrink * static_cast<double>(before);
}

arrow::Status Shrinks(const CommitGuards& guards, std::string what) {
  // Two digits of a percentage are enough for a limit that people write.
  std::string limit = std::to_string(guards.max_shrink * 100);
  limit.erase(limit.find_last_not_of('0') + 1);
  if (limit.back() == '.') limit.pop_back();
  return MakeError(ErrorClass::kGuard, "guard.shrink",
                   std::move(what) + ", more than load.max_shrink allows (" + limit +
                       " %); nothing was changed",
                   "Look whether the source is whole; if it is, repeat the command with "
                   "--accept-shrink, or raise load.max_shrink");
}

}  // namespace

arrow::Status CheckGuards(const CommitGuards& guards, int64_t before, int64_t after) {
  if (!guards.allow_empty && after == 0 && before > 0) return Empty(before);
  if (!TooMuch(guards, before, before - after)) return arrow::Status::OK();
  return Shrinks(guards, "The target would shrink from " + std::to_string(before) +
                             " to " + std::to_string(after) + " rows");
}

arrow::Status CheckDeletes(const CommitGuards& guards, int64_t loaded, int64_t before,
                           int64_t deleted) {
  if (!guards.allow_empty && loaded == 0 && before > 0) return Empty(before);
  if (!TooMuch(guards, before, deleted)) return arrow::Status::OK();
  return Shrinks(guards, std::to_string(deleted) + " of the target's " +
                             std::to_string(before) + " rows would be deleted");
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
