#pragma once
#include <cstdint>
#include <string>

namespace dxt {

/// A row that is not part of its load.
struct RejectedRow {
  std::string code, field, message;
  std::string key;       ///< JSON; "" = the stream has no key.
  std::string row;       ///< RowJsonWriter's text; "" = it is only counted.
  std::string schema;    ///< RowJsonWriter's, of `row`.
  int64_t position = 0;  ///< Among all rows that its step has seen.
};

/// A stored dead letter, as a replay reads it.
struct StoredRow {
  int64_t seq = 0;
  std::string id, row, schema;
};

/// Where it was left out: on its way into a field, or from there into the target.
enum class RejectStage : uint8_t { kExtract, kLoad };

struct RejectCounts {
  int64_t rows = 0;
  int64_t dead_letters = 0;  ///< Of the rows, those that are stored.
};

}  // namespace dxt
