#include "engine/run/window_cutter.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/error.h"

namespace dxt {
namespace {

/// 0 = NULL.
std::shared_ptr<arrow::Array> Cursors(const std::vector<int64_t>& values) {
  arrow::Int64Builder builder;
  for (const int64_t value : values) {
    EXPECT_TRUE((value == 0 ? builder.AppendNull() : builder.Append(value)).ok());
  }
  return builder.Finish().ValueOrDie();
}

class WindowCutterTest : public testing::Test {
 protected:
  WindowCutter Cutter() {
    FieldType type;
    type.dtype = DType::kInt64;
    return WindowCutter(limits_, type, SystemClock());
  }
  /// The sizes of the windows of these batches, and where each ended: "3@7 2".
  std::string Cut(const std::vector<std::vector<int64_t>>& batches, int64_t bytes = 0) {
    auto cutter = Cutter();
    std::string cut;
    int64_t rows = 0, read = 0;
    for (const auto& batch : batches) {
      const auto cursors = Cursors(batch);
      read += bytes;
      for (int64_t at = 0; at < cursors->length();) {
        const auto part = cutter.Next(*cursors, at, read);
        if (!part.ok()) return GetErrorInfo(part.status()).code;
        rows += part->end - at;
        at = part->end;
        if (!part->closed) continue;
        cut += std::to_string(rows) + "@" + cutter.end() + " ";
        rows = 0;
      }
    }
    return cut + std::to_string(rows);
  }

  LoadConfig limits_;
};

TEST_F(WindowCutterTest, AWindowHasSoManyRows) {
  limits_.window_rows = 2;
  EXPECT_EQ(Cut({{1, 2, 3, 4, 5}}), "2@2 2@4 1");
  EXPECT_EQ(Cut({{1}, {2}, {3}, {4}, {5}}), "2@2 2@4 1");
  EXPECT_EQ(Cut({{1, 2}}), "2");
}

TEST_F(WindowCutterTest, RowsWithEqualCursorsStayTogether) {
  limits_.window_rows = 2;
  EXPECT_EQ(Cut({{1, 2, 2, 2, 3, 4}}), "4@2 2");
  EXPECT_EQ(Cut({{1, 2}, {2, 2}, {2, 3}, {3, 3}, {4}}), "5@2 3@3 1");
  EXPECT_EQ(Cut({{7, 7, 7, 7, 7}, {7, 7}}), "7");
}

TEST_F(WindowCutterTest, RowsWithoutACursorComeFirstAndStayTogether) {
  limits_.window_rows = 2;
  EXPECT_EQ(Cut({{0, 0, 0}, {0, 1, 2, 3}}), "4@ 2@2 1");
  EXPECT_EQ(Cut({{0, 1, 1, 2}}), "3@1 1");
}

TEST_F(WindowCutterTest, AWindowEndsAfterSoManyBytes) {
  limits_.window_bytes = 20;
  EXPECT_EQ(Cut({{1, 2}, {3, 4}, {5, 6}, {7, 8}}, 10), "4@4 4");
  EXPECT_EQ(Cut({{1, 2}, {3, 4}, {4, 6}, {7, 8}}, 10), "5@4 3");
}

TEST_F(WindowCutterTest, AWindowEndsAfterItsTime) {
  limits_.window_ms = 0;
  EXPECT_EQ(Cut({{1, 2}, {2, 3}, {4}}), "3@2 1@3 1");
}

TEST_F(WindowCutterTest, RowsOutOfOrderAreRefused) {
  limits_.window_rows = 2;
  EXPECT_EQ(Cut({{1, 2}, {1, 3}}), "window.unordered");
  EXPECT_EQ(Cut({{3, 2}}), "window.unordered");
  EXPECT_EQ(Cut({{1, 2}, {0, 3}}), "window.unordered");
}

}  // namespace
}  // namespace dxt
