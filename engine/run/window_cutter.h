#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

#include "connectors/sdk/types.h"
#include "engine/plan/documents.h"

namespace dxt {

class Clock;

/// Cuts a read that comes in the order of its cursor into windows. Rows with equal
/// cursors stay together, however many they are, so that a window ends where a later read
/// can go on; rows without a cursor count as equal and come first. Holds one cursor, no
/// rows.
class WindowCutter {
 public:
  WindowCutter(const LoadConfig& limits, FieldType type, Clock& clock)
      : limits_(limits), type_(type), clock_(clock) {}

  struct Part {
    int64_t end = 0;      ///< The window takes the rows up to here.
    bool closed = false;  ///< It is complete: the next row begins another one.
  };
  /// Which of the rows of `cursor` from `begin` on belong to the window. `bytes`: read so
  /// far, of all windows. kUnsupported "window.unordered" when rows come out of order.
  arrow::Result<Part> Next(const arrow::Array& cursor, int64_t begin, int64_t bytes);

  /// Up to where a closed window reaches; "" = rows without a cursor.
  const std::string& end() const { return last_; }

 private:
  arrow::Result<std::string> TextAt(const arrow::Array& cursor, int64_t row) const;
  bool Same(const std::string& a, const std::string& b) const;
  bool BytesOrTimeAreUp(int64_t bytes);
  arrow::Result<int64_t> EndOfTie(const arrow::Array& cursor, int64_t begin) const;

  const LoadConfig& limits_;
  const FieldType type_;
  Clock& clock_;
  int64_t rows_ = 0, bytes_before_ = 0;
  std::chrono::steady_clock::time_point began_;
  bool due_ = false;  ///< Only what is equal to `last_` still belongs to the window.
  std::string last_;  ///< Cursor of the last row that was taken.
  bool any_ = false;  ///< A row was taken, in this window or an earlier one.
};

}  // namespace dxt
