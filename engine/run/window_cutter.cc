#include "engine/run/window_cutter.h"

#include <algorithm>

#include <arrow/array.h>

#include "base/clock.h"
#include "base/error.h"
#include "connectors/sdk/cursor.h"

namespace dxt {

arrow::Result<std::string> WindowCutter::TextAt(const arrow::Array& cursor,
                                                int64_t row) const {
  if (cursor.IsNull(row)) return std::string();
  return CursorText(cursor, row, type_);
}

bool WindowCutter::Same(const std::string& a, const std::string& b) const {
  if (a.empty() || b.empty()) return a.empty() == b.empty();
  return CompareCursors(a, b, type_) == 0;
}

bool WindowCutter::BytesOrTimeAreUp(int64_t bytes) {
  if (rows_ == 0) {
    bytes_before_ = bytes;
    began_ = clock_.Tick();
    return false;
  }
  return (limits_.window_bytes && bytes - bytes_before_ >= *limits_.window_bytes) ||
         (limits_.window_ms &&
          clock_.Tick() - began_ >= std::chrono::milliseconds(*limits_.window_ms));
}

arrow::Result<int64_t> WindowCutter::EndOfTie(const arrow::Array& cursor,
                                              int64_t begin) const {
  // The rows are in order, so those that are equal stand together.
  int64_t low = begin, high = cursor.length();
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    ARROW_ASSIGN_OR_RAISE(const auto text, TextAt(cursor, middle));
    if (Same(text, last_)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

arrow::Result<WindowCutter::Part> WindowCutter::Next(const arrow::Array& cursor,
                                                     int64_t begin, int64_t bytes) {
  ARROW_ASSIGN_OR_RAISE(const auto first, TextAt(cursor, begin));
  ARROW_ASSIGN_OR_RAISE(const auto final, TextAt(cursor, cursor.length() - 1));
  const auto below = [&](const std::string& a, const std::string& b) {
    return !b.empty() && (a.empty() || CompareCursors(a, b, type_) < 0);
  };
  if ((any_ && below(first, last_)) || below(final, first)) {
    return MakeError(ErrorClass::kUnsupported, "window.unordered",
                     "The source does not hand out its rows in the order of the "
                     "watermark, so they cannot be committed in windows",
                     "Leave load.window_rows, window_bytes and window_time out");
  }
  due_ = due_ || BytesOrTimeAreUp(bytes);
  int64_t end = begin;
  if (!due_) {
    const int64_t all = cursor.length() - begin;
    const int64_t room = limits_.window_rows ? *limits_.window_rows - rows_ : all + 1;
    end += std::min(all, room);
    ARROW_ASSIGN_OR_RAISE(last_, TextAt(cursor, end - 1));
    any_ = true;
    due_ = room <= all;
  }
  if (due_) {
    ARROW_ASSIGN_OR_RAISE(end, EndOfTie(cursor, end));
  }
  rows_ += end - begin;
  Part part;
  part.end = end;
  part.closed = due_ && end < cursor.length();
  if (part.closed) {
    rows_ = 0;
    due_ = false;
  }
  return part;
}

}  // namespace dxt
