#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <arrow/result.h>

#include "connectors/file/cells.h"
#include "connectors/file/format.h"
#include "connectors/sdk/stream.h"

namespace dxt::file {

class TextInput;

/// Cuts a TextInput into rows of cells. Used by one thread.
class RecordScanner {
 public:
  virtual ~RecordScanner() = default;
  /// Names of the columns, in the order of the cells. A JSON scanner that discovers adds
  /// to them as it goes.
  const std::vector<std::string>& names() const { return names_; }
  /// Fills `block` with at most `max_rows` rows, closing it once `max_bytes` of text are
  /// in. No rows = the end, unless there are bad records. The block lives until the next
  /// call.
  virtual arrow::Status Scan(int64_t max_rows, int64_t max_bytes, CellBlock* block) = 0;
  virtual TextInput& input() = 0;
  /// From now on a record that is no row is stepped over where its end can be told, and
  /// kept for TakeBad: a line of JSONL; in CSV all lines up to the one with the mistake,
  /// as what follows a broken quote must not pass for a row.
  void TolerateBad() { tolerant_ = true; }
  std::vector<BadRecord> TakeBad() { return std::exchange(bad_, {}); }

 protected:
  /// With so many a block is closed, so that somebody counts them.
  static constexpr size_t kMostBad = 100;

  std::vector<std::string> names_;
  bool tolerant_ = false;
  std::vector<BadRecord> bad_;
};

/// Reads the header. kData "file.row_width", "file.csv_quote", "file.duplicate_column", …
/// always with file and line.
arrow::Result<std::unique_ptr<RecordScanner>> MakeCsvScanner(
    std::unique_ptr<TextInput> input, const FormatOptions& options);

/// `known`: the keys an object may have. When `discover` is set, others are added;
/// else they are kData "file.new_key".
arrow::Result<std::unique_ptr<RecordScanner>> MakeJsonScanner(
    std::unique_ptr<TextInput> input, const FormatOptions& options,
    std::vector<std::string> known, bool discover);

}  // namespace dxt::file
