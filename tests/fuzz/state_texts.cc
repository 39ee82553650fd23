// Texts that are stored and come back: cursors of each type, schemas, sealed values. A
// canonical cursor stays as it is, and nothing that was changed is opened.
#include "base/error.h"
#include "connectors/sdk/cursor.h"
#include "engine/stage/manifest.h"
#include "tests/fuzz/fuzz.h"

namespace dxt::fuzz {
namespace {

FieldType TypeOf(uint8_t choice) {
  constexpr DType kTypes[] = {DType::kInt64,       DType::kUint64, DType::kInt8,
                              DType::kDecimal,     DType::kDate,   DType::kTimestamp,
                              DType::kTimestampTz, DType::kString};
  FieldType type;
  type.dtype = kTypes[choice % std::size(kTypes)];
  if (type.dtype == DType::kDecimal && choice >= 64) {
    type.precision = 38;
    type.scale = choice % 39;
  }
  type.nanoseconds =
      (type.dtype == DType::kTimestamp || type.dtype == DType::kTimestampTz) &&
      choice >= 128;
  return type;
}

}  // namespace
}  // namespace dxt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace dxt;
  fuzz::Input input(data, size);
  const FieldType type = fuzz::TypeOf(input.Byte());
  const std::string text = input.Line(), other = input.Line();
  const auto canonical = CanonicalCursor(text, type);
  if (canonical.ok()) {
    const auto again = CanonicalCursor(*canonical, type);
    fuzz::Promise(again.ok() && *again == *canonical, "a canonical cursor stays as it is",
                  text + "\n" + *canonical);
    fuzz::Promise(CompareCursors(*canonical, *canonical, type) == 0,
                  "a cursor equals itself", text);
    const auto below = CursorBelow(*canonical, 1 + size % 1000, type);
    if (below.ok()) {
      fuzz::Promise(CompareCursors(*below, *canonical, type) <= 0,
                    "what is below is not above", *canonical + "\n" + *below);
    }
    const auto second = CanonicalCursor(other, type);
    if (second.ok()) {
      const int there = CompareCursors(*canonical, *second, type);
      const int back = CompareCursors(*second, *canonical, type);
      fuzz::Promise((there < 0) == (back > 0) && (there == 0) == (back == 0),
                    "an order has two sides", *canonical + "\n" + *second);
    }
  }
  const auto schema = SchemaFromText(std::string(input.rest()));
  if (schema) {
    const auto written = SchemaToText(*schema);
    if (written.ok()) {
      const auto again = SchemaFromText(*written);
      fuzz::Promise(again && *SchemaToText(*again) == *written,
                    "a schema is read as it was written", *written);
    }
  }
  return 0;
}
