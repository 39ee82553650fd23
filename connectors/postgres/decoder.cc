#include "connectors/postgres/decoder.h"

#include <algorithm>

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/decimal.h>

#include "base/error.h"
#include "connectors/postgres/numeric.h"

namespace dxt::postgres {
namespace {

constexpr int64_t kFirstCapacity = 256;
constexpr uint64_t kDayMicros = 86'400'000'000;  // 24:00:00, which PostgreSQL has.

constexpr ValueProblem kBadSize{"pg.protocol", "has a binary value of unexpected size"};
constexpr ValueProblem kBadTime{"pg.protocol", "has a time of day beyond 24:00:00"};
constexpr ValueProblem kTooOld{
    "pg.timestamp_out_of_range", "holds a timestamp after the year 294246",
    "Read it as text with `column::text` in `source.expression`"};
constexpr ValueProblem kBadJsonb{"pg.protocol",
                                 "has a jsonb version that dxt does not know"};
constexpr ValueProblem kMatrix{
    "pg.array_shape",
    "holds an array of several dimensions or with a first index other than 1",
    "Read it as JSON: `to_json(column)` in `source.expression`"};

/// Memory that cannot be had while a value is being appended ends the process, as `new`
/// does.
void OrDie(const arrow::Status& status) {
  if (!status.ok()) status.Abort();
}

constexpr char kHex[] = "0123456789abcdef";

}  // namespace

/// The functions that append a value, one per binary format.
struct Decode {
  template <typename T>
  static T* Values(ColumnBuilder& column) {
    return reinterpret_cast<T*>(column.values_) + column.length_;
  }

  static const ValueProblem* Bool(ColumnBuilder& column, const uint8_t* data,
                                  int32_t size) {
    if (size != 1) return &kBadSize;
    uint8_t& byte = column.values_[column.length_ >> 3];
    const uint8_t bit = static_cast<uint8_t>(1 << (column.length_ & 7));
    if (*data) {
      byte = static_cast<uint8_t>(byte | bit);
    } else {
      byte = static_cast<uint8_t>(byte & ~bit);
    }
    ++column.length_;
    return nullptr;
  }
  static const ValueProblem* Int2(ColumnBuilder& column, const uint8_t* data,
                                  int32_t size) {
    if (size != 2) return &kBadSize;
    *Values<uint16_t>(column) = Load16(data);
    ++column.length_;
    return nullptr;
  }
  static const ValueProblem* Int4(ColumnBuilder& column, const uint8_t* data,
                                  int32_t size) {
    if (size != 4) return &kBadSize;
    *Values<uint32_t>(column) = Load32(data);
    ++column.length_;
    return nullptr;
  }
  static const ValueProblem* Int8(ColumnBuilder& column, const uint8_t* data,
                                  int32_t size) {
    if (size != 8) return &kBadSize;
    *Values<uint64_t>(column) = Load64(data);
    ++column.length_;
    return nullptr;
  }
  static const ValueProblem* Time(ColumnBuilder& column, const uint8_t* data,
                                  int32_t size) {
    if (size != 8) return &kBadSize;
    const uint64_t micros = Load64(data);
    if (micros > kDayMicros) return &kBadTime;
    *Values<uint64_t>(column) = micros;
    ++column.length_;
    return nullptr;
  }
  static const ValueProblem* Date(ColumnBuilder& column, const uint8_t* data,
                                  int32_t size) {
    if (size != 4) return &kBadSize;
    auto days = static_cast<int32_t>(Load32(data));
    // ±infinity travels as the largest and smallest integer. Every other date fits.
    if (days != INT32_MAX && days != INT32_MIN) days += kEpochDays;
    *Values<int32_t>(column) = days;
    ++column.length_;
    return nullptr;
  }
  static const ValueProblem* Timestamp(ColumnBuilder& column, const uint8_t* data,
                                       int32_t size) {
    if (size != 8) return &kBadSize;
    auto micros = static_cast<int64_t>(Load64(data));
    if (micros != INT64_MAX && micros != INT64_MIN &&
        __builtin_add_overflow(micros, kEpochMicros, &micros)) {
      return &kTooOld;
    }
    *Values<int64_t>(column) = micros;
    ++column.length_;
    return nullptr;
  }
  static const ValueProblem* Decimal128(ColumnBuilder& column, const uint8_t* data,
                                        int32_t size) {
    __int128 value = 0;
    if (const auto* problem =
            NumericToInt128(data, size, column.precision_, column.scale_, &value)) {
      return problem;
    }
    std::memcpy(column.values_ + column.length_ * 16, &value, 16);
    ++column.length_;
    return nullptr;
  }
  static const ValueProblem* Decimal256(ColumnBuilder& column, const uint8_t* data,
                                        int32_t size) {
    if (const auto* problem =
            NumericToBytes256(data, size, column.precision_, column.scale_,
                              column.values_ + column.length_ * 32)) {
      return problem;
    }
    ++column.length_;
    return nullptr;
  }

  /// Room for `size` bytes at the end of the variable part; the caller fills them.
  static uint8_t* Variable(ColumnBuilder& column, int64_t size) {
    if (column.data_capacity_ - column.data_size_ < size) column.GrowData(size);
    uint8_t* at = column.data_ + column.data_size_;
    column.data_size_ += size;
    ++column.length_;
    reinterpret_cast<int32_t*>(column.values_)[column.length_] =
        static_cast<int32_t>(column.data_size_);
    return at;
  }
  static const ValueProblem* Bytes(ColumnBuilder& column, const uint8_t* data,
                                   int32_t size) {
    std::memcpy(Variable(column, size), data, static_cast<size_t>(size));
    return nullptr;
  }
  static const ValueProblem* Jsonb(ColumnBuilder& column, const uint8_t* data,
                                   int32_t size) {
    if (size < 1 || data[0] != 1) return &kBadJsonb;
    return Bytes(column, data + 1, size - 1);
  }
  static const ValueProblem* Uuid(ColumnBuilder& column, const uint8_t* data,
                                  int32_t size) {
    if (size != 16) return &kBadSize;
    uint8_t* at = Variable(column, 36);
    for (int i = 0; i < 16; ++i) {
      if (i == 4 || i == 6 || i == 8 || i == 10) *at++ = '-';
      *at++ = static_cast<uint8_t>(kHex[data[i] >> 4]);
      *at++ = static_cast<uint8_t>(kHex[data[i] & 15]);
    }
    return nullptr;
  }
  static const ValueProblem* NumericAsText(ColumnBuilder& column, const uint8_t* data,
                                           int32_t size) {
    const int64_t room = NumericTextSize(data, size);
    if (room < 0) return &kBadSize;
    uint8_t* at = Variable(column, room);
    const int64_t written = NumericToText(data, size, reinterpret_cast<char*>(at));
    column.data_size_ -= room - written;
    reinterpret_cast<int32_t*>(column.values_)[column.length_] =
        static_cast<int32_t>(column.data_size_);
    return nullptr;
  }

  static const ValueProblem* Array(ColumnBuilder& column, const uint8_t* data,
                                   int32_t size) {
    if (size < 12) return &kBadSize;
    const uint32_t dimensions = Load32(data);
    uint32_t count = 0;
    const uint8_t* at = data + 12;
    const uint8_t* end = data + size;
    if (dimensions > 1) return &kMatrix;
    if (dimensions == 1) {
      if (size < 20) return &kBadSize;
      count = Load32(at);
      if (Load32(at + 4) != 1) return &kMatrix;
      at += 8;
    }
    for (uint32_t i = 0; i < count; ++i) {
      if (end - at < 4) return &kBadSize;
      const auto length = static_cast<int32_t>(Load32(at));
      at += 4;
      if (length < 0) {
        column.child_->AppendNull();
        continue;
      }
      if (end - at < length) return &kBadSize;
      if (const auto* problem = column.child_->Append(at, length)) return problem;
      at += length;
    }
    ++column.length_;
    reinterpret_cast<int32_t*>(column.values_)[column.length_] =
        static_cast<int32_t>(column.child_->length_);
    return nullptr;
  }
};

ColumnBuilder::ColumnBuilder() = default;
ColumnBuilder::~ColumnBuilder() = default;
ColumnBuilder::ColumnBuilder(ColumnBuilder&&) noexcept = default;

ColumnBuilder::AppendFunction ColumnBuilder::Choose(const FieldType& type,
                                                    Arrival arrival, bool raw) {
  if (raw) return &Decode::Bytes;
  if (arrival.array) return &Decode::Array;
  switch (arrival.wire) {
    case Wire::kBool:
      return &Decode::Bool;
    case Wire::kInt2:
      return &Decode::Int2;
    case Wire::kInt4:
    case Wire::kFloat4:
      return &Decode::Int4;
    case Wire::kInt8:
    case Wire::kFloat8:
      return &Decode::Int8;
    case Wire::kTime:
      return &Decode::Time;
    case Wire::kDate:
      return &Decode::Date;
    case Wire::kTimestamp:
    case Wire::kTimestampTz:
      return &Decode::Timestamp;
    case Wire::kNumeric:
      if (type.precision == 0) return &Decode::NumericAsText;
      return type.precision <= 38 ? &Decode::Decimal128 : &Decode::Decimal256;
    case Wire::kJsonb:
      return &Decode::Jsonb;
    case Wire::kUuid:
      return &Decode::Uuid;
    default:
      return &Decode::Bytes;
  }
}

arrow::Status ColumnBuilder::Init(const FieldType& type, Arrival arrival, bool raw) {
  append_ = Choose(type, arrival, raw);
  type_ = raw ? arrow::binary() : ArrowType(type);
  precision_ = type.precision;
  scale_ = type.scale;
  if (arrival.array && !raw) {
    bits_ = -1;
    child_ = std::make_unique<ColumnBuilder>();
    return child_->Init(*type.element, {arrival.wire, false}, false);
  }
  bits_ = arrow::is_fixed_width(*type_) ? type_->bit_width() : 0;
  return arrow::Status::OK();
}

void ColumnBuilder::Grow() {
  const int64_t wanted =
      capacity_ > 0 ? capacity_ * 2 : std::max(expected_ + expected_ / 8, kFirstCapacity);
  const int64_t width = bits_ > 0 ? bits_ : 32;
  // One more for the offset behind the last value.
  const int64_t value_bytes = ((wanted + 1) * width + 7) / 8;
  const int64_t validity_bytes = (wanted + 7) / 8;
  const int64_t old_validity = validity_buffer_ ? validity_buffer_->size() : 0;
  if (!validity_buffer_) {
    validity_buffer_ = arrow::AllocateResizableBuffer(0).ValueOrDie();
    values_buffer_ = arrow::AllocateResizableBuffer(0).ValueOrDie();
  }
  OrDie(validity_buffer_->Resize(validity_bytes, false));
  OrDie(values_buffer_->Resize(value_bytes, false));
  validity_ = validity_buffer_->mutable_data();
  values_ = values_buffer_->mutable_data();
  std::memset(validity_ + old_validity, 0xFF,
              static_cast<size_t>(validity_bytes - old_validity));
  if (capacity_ == 0)
    std::memset(values_, 0, static_cast<size_t>(std::min<int64_t>(value_bytes, 8)));
  capacity_ = wanted;
  if (bits_ == 0 && !data_buffer_) GrowData(0);
}

void ColumnBuilder::GrowData(int64_t needed) {
  if (!data_buffer_) data_buffer_ = arrow::AllocateResizableBuffer(0).ValueOrDie();
  const int64_t floor = data_capacity_ > 0
                            ? data_capacity_ * 2
                            : std::max<int64_t>(expected_data_ * 9 / 8, 4096);
  data_capacity_ = std::max(floor, data_size_ + needed);
  OrDie(data_buffer_->Resize(data_capacity_, false));
  data_ = data_buffer_->mutable_data();
}

void ColumnBuilder::AppendNull() {
  if (length_ == capacity_) Grow();
  ++null_count_;
  validity_[length_ >> 3] =
      static_cast<uint8_t>(validity_[length_ >> 3] & ~(1 << (length_ & 7)));
  if (bits_ <= 0) {
    auto* offsets = reinterpret_cast<int32_t*>(values_);
    offsets[length_ + 1] = offsets[length_];
  } else if (bits_ == 1) {
    values_[length_ >> 3] =
        static_cast<uint8_t>(values_[length_ >> 3] & ~(1 << (length_ & 7)));
  } else {
    std::memset(values_ + length_ * (bits_ / 8), 0, static_cast<size_t>(bits_ / 8));
  }
  ++length_;
}

arrow::Result<std::shared_ptr<arrow::ArrayData>> ColumnBuilder::Finish() {
  if (capacity_ == 0) Grow();
  std::vector<std::shared_ptr<arrow::Buffer>> buffers;
  const int64_t width = bits_ > 0 ? bits_ : 32;
  const int64_t value_bytes = bits_ > 0 ? (length_ * width + 7) / 8 : (length_ + 1) * 4;
  ARROW_RETURN_NOT_OK(values_buffer_->Resize(value_bytes, false));
  if (null_count_ > 0) {
    ARROW_RETURN_NOT_OK(validity_buffer_->Resize((length_ + 7) / 8, false));
    buffers.push_back(std::move(validity_buffer_));
  } else {
    buffers.push_back(nullptr);
  }
  buffers.push_back(std::move(values_buffer_));
  if (bits_ == 0) {
    ARROW_RETURN_NOT_OK(data_buffer_->Resize(data_size_, false));
    buffers.push_back(std::move(data_buffer_));
  }
  auto data = arrow::ArrayData::Make(type_, length_, std::move(buffers), null_count_);
  if (bits_ < 0) {
    ARROW_ASSIGN_OR_RAISE(auto child, child_->Finish());
    data->child_data.push_back(std::move(child));
  }
  expected_ = length_;
  expected_data_ = data_size_;
  validity_buffer_.reset();
  values_buffer_.reset();
  data_buffer_.reset();
  length_ = capacity_ = null_count_ = data_size_ = data_capacity_ = 0;
  return data;
}

arrow::Result<std::unique_ptr<RowDecoder>> RowDecoder::Make(
    const std::vector<ColumnRead>& columns) {
  auto decoder = std::make_unique<RowDecoder>();
  arrow::FieldVector fields;
  for (const auto& column : columns) {
    Field field{column.name, column.type, true, column.native};
    fields.push_back(column.raw ? ArrowField(field)->WithType(arrow::binary())
                                : ArrowField(field));
    ColumnBuilder builder;
    ARROW_RETURN_NOT_OK(builder.Init(column.type, ArrivalOf(column), column.raw));
    decoder->columns_.push_back(std::move(builder));
    decoder->names_.push_back(column.name);
  }
  decoder->schema_ = arrow::schema(std::move(fields));
  return decoder;
}

arrow::Status RowDecoder::Malformed(std::string_view what) const {
  return MakeError(
      ErrorClass::kTransient, "pg.protocol",
      "The server's COPY data is not what PostgreSQL sends: " + std::string(what),
      "Is a pooler or another kind of server in between?");
}

arrow::Status RowDecoder::ValueError(size_t column, const ValueProblem& problem) const {
  const int64_t row = rows_before_ + rows_ + 1;
  ErrorInfo info;
  info.error_class = ErrorClass::kData;
  info.code = problem.code;
  info.hint = problem.hint;
  info.column = names_[column];
  info.key = "{\"row\":" + std::to_string(row) + "}";
  return MakeError(std::move(info), "Column '" + names_[column] + "' " + problem.what +
                                        " (row " + std::to_string(row) + " of the read)");
}

arrow::Status RowDecoder::Add(std::string_view message) {
  const auto* at = reinterpret_cast<const uint8_t*>(message.data());
  const uint8_t* end = at + message.size();
  if (!header_) {
    if (message.size() < 19 || !message.starts_with(kCopySignature)) {
      return Malformed("no header");
    }
    const uint32_t extension = Load32(at + 15);
    at += 19;
    if (static_cast<size_t>(end - at) < extension) return Malformed("a cut header");
    at += extension;
    header_ = true;
  }
  bytes_ += static_cast<int64_t>(message.size());
  const size_t width = columns_.size();
  while (at != end && !done_) {
    if (end - at < 2) return Malformed("a cut row");
    const uint16_t count = Load16(at);
    at += 2;
    if (count == 0xFFFF) {
      done_ = true;
      break;
    }
    if (count != width) return Malformed("a row with another number of columns");
    for (size_t i = 0; i < width; ++i) {
      if (end - at < 4) return Malformed("a cut row");
      const auto size = static_cast<int32_t>(Load32(at));
      at += 4;
      if (size < 0) {
        columns_[i].AppendNull();
        continue;
      }
      if (end - at < size) return Malformed("a cut value");
      if (const auto* problem = columns_[i].Append(at, size))
        return ValueError(i, *problem);
      at += size;
    }
    ++rows_;
  }
  return arrow::Status::OK();
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> RowDecoder::Flush() {
  std::vector<std::shared_ptr<arrow::ArrayData>> arrays;
  arrays.reserve(columns_.size());
  for (auto& column : columns_) {
    ARROW_ASSIGN_OR_RAISE(auto array, column.Finish());
    arrays.push_back(std::move(array));
  }
  auto batch = arrow::RecordBatch::Make(schema_, rows_, std::move(arrays));
  rows_before_ += rows_;
  rows_ = 0;
  bytes_ = 0;
  return batch;
}

}  // namespace dxt::postgres
