#pragma once
// COPY BINARY rows -> Arrow, column by column, without an allocation per value.
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

#include "connectors/postgres/type_map.h"
#include "connectors/postgres/wire.h"
#include "connectors/sdk/stream.h"

namespace dxt::postgres {

/// One column being built: fixed-width values, bits, or offsets and bytes, in buffers
/// that become the batch's own. Buffers grow to what the last batch needed.
class ColumnBuilder {
 public:
  ColumnBuilder();
  ~ColumnBuilder();
  ColumnBuilder(ColumnBuilder&&) noexcept;
  arrow::Status Init(const FieldType& type, Arrival arrival, bool raw);

  /// Appends one value in `size` bytes of its binary format; null when it was taken.
  const ValueProblem* Append(const uint8_t* data, int32_t size) {
    if (length_ == capacity_) Grow();
    return append_(*this, data, size);
  }
  void AppendNull();
  arrow::Result<std::shared_ptr<arrow::ArrayData>> Finish();

 private:
  friend struct Decode;
  using AppendFunction = const ValueProblem* (*)(ColumnBuilder&, const uint8_t*, int32_t);

  void Grow();
  void GrowData(int64_t needed);
  AppendFunction Choose(const FieldType& type, Arrival arrival, bool raw);

  AppendFunction append_ = nullptr;
  std::shared_ptr<arrow::DataType> type_;
  int bits_ = 0;  ///< Width of a value; 0 = variable (offsets and data), -1 = list.
  int32_t precision_ = 0, scale_ = 0;
  int64_t length_ = 0, capacity_ = 0, null_count_ = 0, expected_ = 0;
  std::shared_ptr<arrow::ResizableBuffer> validity_buffer_, values_buffer_, data_buffer_;
  uint8_t* validity_ = nullptr;
  uint8_t* values_ = nullptr;
  uint8_t* data_ = nullptr;
  int64_t data_size_ = 0, data_capacity_ = 0, expected_data_ = 0;
  std::unique_ptr<ColumnBuilder> child_;
};

/// Takes CopyData messages of one COPY and makes record batches.
class RowDecoder {
 public:
  static arrow::Result<std::unique_ptr<RowDecoder>> Make(
      const std::vector<ColumnRead>& columns);

  /// The schema of the batches (raw columns are binary).
  const std::shared_ptr<arrow::Schema>& schema() const { return schema_; }
  /// Takes one message: header, rows, trailer.
  arrow::Status Add(std::string_view message);
  int64_t rows() const { return rows_; }    ///< In the batch so far.
  int64_t bytes() const { return bytes_; }  ///< Likewise, as they came over the wire.
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Flush();

 private:
  arrow::Status ValueError(size_t column, const ValueProblem& problem) const;
  arrow::Status Malformed(std::string_view what) const;

  std::shared_ptr<arrow::Schema> schema_;
  std::vector<std::string> names_;
  std::vector<ColumnBuilder> columns_;
  bool header_ = false, done_ = false;
  int64_t rows_ = 0, bytes_ = 0, rows_before_ = 0;
};

}  // namespace dxt::postgres
