#pragma once
// Arrow -> COPY BINARY frames, in one reused buffer.
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

#include "connectors/postgres/type_map.h"
#include "connectors/postgres/wire.h"

namespace dxt::postgres {

/// How one column of the batches goes out.
struct EncodedColumn {
  std::string name;
  Wire wire = Wire::kText;
  bool array = false;
  bool raw = false;  ///< Values are PostgreSQL's own bytes.
  std::shared_ptr<arrow::DataType> type;
  /// A key column: NULL in it is refused, naming rows.
  bool key = false;
};

/// The bytes to send, growing as needed, never shrinking.
class FrameBuffer {
 public:
  uint8_t* Reserve(int64_t size) {
    if (capacity_ - size_ < size) Grow(size);
    return data_.get() + size_;
  }
  void Advance(int64_t size) { size_ += size; }
  uint8_t* at(int64_t offset) { return data_.get() + offset; }
  int64_t size() const { return size_; }
  void Clear() { size_ = 0; }
  std::string_view view() const {
    return {reinterpret_cast<const char*>(data_.get()), static_cast<size_t>(size_)};
  }

 private:
  void Grow(int64_t size);
  std::unique_ptr<uint8_t[]> data_;
  int64_t size_ = 0, capacity_ = 0;
};

/// One column of the batch being written, with what the loop over rows needs in reach.
struct ColumnCursor {
  using WriteFunction = const ValueProblem* (*)(const ColumnCursor&, int64_t row,
                                                FrameBuffer& out);
  WriteFunction write = nullptr;
  const uint8_t* validity = nullptr;  ///< Null when no value is NULL.
  int64_t offset = 0;
  const uint8_t* values = nullptr;
  const int32_t* offsets = nullptr;
  int32_t scale = 0;
  uint32_t element_oid = 0;
  std::unique_ptr<ColumnCursor> child;

  bool IsNull(int64_t row) const {
    const int64_t bit = row + offset;
    return validity && !((validity[bit >> 3] >> (bit & 7)) & 1);
  }
};

/// Writes batches as COPY rows and hands them on in pieces of about 64 KiB.
class CopyEncoder {
 public:
  using Sink = std::function<arrow::Status(std::string_view)>;

  /// `ordinal`: a last bigint column numbers the rows, from 1 or as told. kInternal when
  /// a column's Arrow type cannot be written as its wire type.
  static arrow::Result<std::unique_ptr<CopyEncoder>> Make(
      std::vector<EncodedColumn> columns, bool ordinal);
  arrow::Status Write(const arrow::RecordBatch& batch, const Sink& sink);
  /// The next row's number, in place of the one that follows.
  void Number(int64_t next) { next_ordinal_ = next; }
  /// The trailer, and whatever was not handed on.
  arrow::Status Finish(const Sink& sink);
  int64_t rows() const { return rows_; }
  int64_t bytes() const { return bytes_; }
  /// Rows (from 1) with NULL in a key column, the first ten.
  const std::vector<std::string>& null_keys() const { return null_keys_; }

 private:
  arrow::Status Hand(const Sink& sink);
  arrow::Status ValueError(const arrow::RecordBatch& batch, int column, int64_t row,
                           const ValueProblem& problem) const;
  void NoteNullKeys(const arrow::RecordBatch& batch);

  std::vector<EncodedColumn> columns_;
  std::vector<ColumnCursor> cursors_;
  std::vector<std::string> null_keys_;
  FrameBuffer buffer_;
  bool ordinal_ = false, header_ = false;
  int64_t rows_ = 0, bytes_ = 0, next_ordinal_ = 1;
};

}  // namespace dxt::postgres
