#include "connectors/postgres/encoder.h"

#include <algorithm>
#include <cstring>

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <arrow/util/decimal.h>

#include "base/error.h"
#include "connectors/postgres/numeric.h"

namespace dxt::postgres {
namespace {

constexpr int64_t kHandOver = 64 << 10;

constexpr ValueProblem kBadUuid{"pg.invalid_uuid", "holds text that is not a UUID"};
constexpr ValueProblem kTooFar{"pg.timestamp_out_of_range",
                               "holds a timestamp that PostgreSQL cannot hold"};
constexpr ValueProblem kDateTooFar{"pg.date_out_of_range",
                                   "holds a date that PostgreSQL cannot hold"};
constexpr ValueProblem kTooLong{"pg.value_too_long", "holds a value of 1 GiB or more"};
constexpr ValueProblem kNul{"pg.nul_in_text",
                            "holds text with U+0000, which PostgreSQL cannot hold",
                            "Set `values: strip` for it, or load it into a bytea column"};
constexpr int64_t kLongest = (1LL << 30) - 64;

template <typename T>
T ValueAt(const ColumnCursor& column, int64_t row) {
  return reinterpret_cast<const T*>(column.values)[row + column.offset];
}

struct Bytes {
  const uint8_t* data;
  int64_t size;
};
Bytes BytesAt(const ColumnCursor& column, int64_t row) {
  const int32_t begin = column.offsets[row + column.offset];
  return {column.values + begin, column.offsets[row + column.offset + 1] - begin};
}

template <typename T>
void Put(FrameBuffer& out, T value) {
  uint8_t* at = out.Reserve(4 + sizeof(T));
  Store32(at, sizeof(T));
  if constexpr (sizeof(T) == 1) at[4] = static_cast<uint8_t>(value);
  if constexpr (sizeof(T) == 2) Store16(at + 4, static_cast<uint16_t>(value));
  if constexpr (sizeof(T) == 4) Store32(at + 4, static_cast<uint32_t>(value));
  if constexpr (sizeof(T) == 8) Store64(at + 4, static_cast<uint64_t>(value));
  out.Advance(4 + sizeof(T));
}

const ValueProblem* WriteBool(const ColumnCursor& column, int64_t row, FrameBuffer& out) {
  const int64_t bit = row + column.offset;
  Put<uint8_t>(out, (column.values[bit >> 3] >> (bit & 7)) & 1);
  return nullptr;
}

template <typename From, typename To>
const ValueProblem* WriteInt(const ColumnCursor& column, int64_t row, FrameBuffer& out) {
  Put<To>(out, static_cast<To>(ValueAt<From>(column, row)));
  return nullptr;
}

const ValueProblem* WriteFloat(const ColumnCursor& column, int64_t row,
                               FrameBuffer& out) {
  Put<uint32_t>(out, ValueAt<uint32_t>(column, row));
  return nullptr;
}
const ValueProblem* WriteDouble(const ColumnCursor& column, int64_t row,
                                FrameBuffer& out) {
  Put<uint64_t>(out, ValueAt<uint64_t>(column, row));
  return nullptr;
}
const ValueProblem* WriteFloatAsDouble(const ColumnCursor& column, int64_t row,
                                       FrameBuffer& out) {
  Put<uint64_t>(out, std::bit_cast<uint64_t>(double{ValueAt<float>(column, row)}));
  return nullptr;
}

const ValueProblem* WriteDate(const ColumnCursor& column, int64_t row, FrameBuffer& out) {
  auto days = ValueAt<int32_t>(column, row);
  if (days != INT32_MAX && days != INT32_MIN &&
      __builtin_sub_overflow(days, kEpochDays, &days)) {
    return &kDateTooFar;
  }
  Put<uint32_t>(out, static_cast<uint32_t>(days));
  return nullptr;
}

const ValueProblem* WriteTimestamp(const ColumnCursor& column, int64_t row,
                                   FrameBuffer& out) {
  auto micros = ValueAt<int64_t>(column, row);
  if (micros != INT64_MAX && micros != INT64_MIN &&
      __builtin_sub_overflow(micros, kEpochMicros, &micros)) {
    return &kTooFar;
  }
  Put<uint64_t>(out, static_cast<uint64_t>(micros));
  return nullptr;
}

const ValueProblem* WriteBytes(const ColumnCursor& column, int64_t row,
                               FrameBuffer& out) {
  const Bytes bytes = BytesAt(column, row);
  if (bytes.size > kLongest) return &kTooLong;
  uint8_t* at = out.Reserve(4 + bytes.size);
  Store32(at, static_cast<uint32_t>(bytes.size));
  if (bytes.size > 0) std::memcpy(at + 4, bytes.data, static_cast<size_t>(bytes.size));
  out.Advance(4 + bytes.size);
  return nullptr;
}

const ValueProblem* WriteJsonb(const ColumnCursor& column, int64_t row,
                               FrameBuffer& out) {
  const Bytes bytes = BytesAt(column, row);
  if (bytes.size > kLongest) return &kTooLong;
  uint8_t* at = out.Reserve(5 + bytes.size);
  Store32(at, static_cast<uint32_t>(bytes.size + 1));
  at[4] = 1;
  if (bytes.size > 0) std::memcpy(at + 5, bytes.data, static_cast<size_t>(bytes.size));
  out.Advance(5 + bytes.size);
  return nullptr;
}

int HexDigit(uint8_t c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

const ValueProblem* WriteUuid(const ColumnCursor& column, int64_t row, FrameBuffer& out) {
  const Bytes bytes = BytesAt(column, row);
  const uint8_t* from = bytes.data;
  const uint8_t* end = bytes.data + bytes.size;
  if (bytes.size > 2 && *from == '{' && end[-1] == '}') {
    ++from;
    --end;
  }
  uint8_t* at = out.Reserve(20);
  Store32(at, 16);
  for (int i = 0; i < 16; ++i) {
    // A dash may stand behind every second pair, as the server's own input has it.
    if (i > 0 && i % 2 == 0 && from < end && *from == '-') ++from;
    if (end - from < 2) return &kBadUuid;
    const int high = HexDigit(from[0]), low = HexDigit(from[1]);
    if (high < 0 || low < 0) return &kBadUuid;
    at[4 + i] = static_cast<uint8_t>(high << 4 | low);
    from += 2;
  }
  if (from != end) return &kBadUuid;
  out.Advance(20);
  return nullptr;
}

void PutNumeric(FrameBuffer& out, __int128 value, int32_t scale) {
  uint8_t* at = out.Reserve(4 + kInt128NumericSize);
  const int64_t size = Int128ToNumeric(value, scale, at + 4);
  Store32(at, static_cast<uint32_t>(size));
  out.Advance(4 + size);
}

const ValueProblem* WriteDecimal128(const ColumnCursor& column, int64_t row,
                                    FrameBuffer& out) {
  __int128 value;
  std::memcpy(&value, column.values + (row + column.offset) * 16, 16);
  PutNumeric(out, value, column.scale);
  return nullptr;
}

const ValueProblem* PutNumericText(FrameBuffer& out, std::string_view text) {
  uint8_t* at = out.Reserve(4 + TextNumericSize(text));
  int64_t size = 0;
  if (const auto* problem = TextToNumeric(text, at + 4, &size)) return problem;
  Store32(at, static_cast<uint32_t>(size));
  out.Advance(4 + size);
  return nullptr;
}

const ValueProblem* WriteDecimal256(const ColumnCursor& column, int64_t row,
                                    FrameBuffer& out) {
  const arrow::Decimal256 value(column.values + (row + column.offset) * 32);
  std::string digits = value.ToIntegerString();
  if (column.scale > 0) {
    const size_t sign = digits.starts_with('-') ? 1 : 0;
    const auto scale = static_cast<size_t>(column.scale);
    if (digits.size() - sign <= scale)
      digits.insert(sign, scale + 1 - (digits.size() - sign), '0');
    digits.insert(digits.size() - scale, 1, '.');
  }
  return PutNumericText(out, digits);
}

template <typename From>
const ValueProblem* WriteIntAsNumeric(const ColumnCursor& column, int64_t row,
                                      FrameBuffer& out) {
  PutNumeric(out, ValueAt<From>(column, row), 0);
  return nullptr;
}

const ValueProblem* WriteNumericText(const ColumnCursor& column, int64_t row,
                                     FrameBuffer& out) {
  const Bytes bytes = BytesAt(column, row);
  return PutNumericText(
      out, {reinterpret_cast<const char*>(bytes.data), static_cast<size_t>(bytes.size)});
}

const ValueProblem* WriteText(const ColumnCursor& column, int64_t row, FrameBuffer& out) {
  const Bytes bytes = BytesAt(column, row);
  if (bytes.size > 0 && std::memchr(bytes.data, 0, static_cast<size_t>(bytes.size))) {
    return &kNul;
  }
  return WriteBytes(column, row, out);
}

const ValueProblem* WriteList(const ColumnCursor& column, int64_t row, FrameBuffer& out) {
  const int32_t begin = column.offsets[row + column.offset];
  const int32_t end = column.offsets[row + column.offset + 1];
  const int64_t start = out.size();
  bool has_null = false;
  out.Reserve(24);
  out.Advance(begin == end ? 16 : 24);
  for (int32_t i = begin; i < end; ++i) {
    if (column.child->IsNull(i)) {
      Store32(out.Reserve(4), 0xFFFFFFFF);
      out.Advance(4);
      has_null = true;
    } else if (const auto* problem = column.child->write(*column.child, i, out)) {
      return problem;
    }
  }
  const int64_t size = out.size() - start - 4;
  if (size > kLongest) return &kTooLong;
  uint8_t* header = out.at(start);
  Store32(header, static_cast<uint32_t>(size));
  Store32(header + 4, begin == end ? 0 : 1);
  Store32(header + 8, has_null ? 1 : 0);
  Store32(header + 12, column.element_oid);
  if (begin != end) {
    Store32(header + 16, static_cast<uint32_t>(end - begin));
    Store32(header + 20, 1);
  }
  return nullptr;
}

template <typename To>
ColumnCursor::WriteFunction IntWriter(arrow::Type::type type) {
  switch (type) {
    case arrow::Type::INT8:
      return &WriteInt<int8_t, To>;
    case arrow::Type::UINT8:
      return sizeof(To) > 1 ? &WriteInt<uint8_t, To> : nullptr;
    case arrow::Type::INT16:
      return &WriteInt<int16_t, To>;
    case arrow::Type::UINT16:
      return sizeof(To) > 2 ? &WriteInt<uint16_t, To> : nullptr;
    case arrow::Type::INT32:
      return sizeof(To) >= 4 ? &WriteInt<int32_t, To> : nullptr;
    case arrow::Type::UINT32:
      return sizeof(To) > 4 ? &WriteInt<uint32_t, To> : nullptr;
    case arrow::Type::INT64:
      return sizeof(To) >= 8 ? &WriteInt<int64_t, To> : nullptr;
    default:
      return nullptr;
  }
}

ColumnCursor::WriteFunction NumericWriter(arrow::Type::type type) {
  switch (type) {
    case arrow::Type::INT8:
      return &WriteIntAsNumeric<int8_t>;
    case arrow::Type::INT16:
      return &WriteIntAsNumeric<int16_t>;
    case arrow::Type::INT32:
      return &WriteIntAsNumeric<int32_t>;
    case arrow::Type::INT64:
      return &WriteIntAsNumeric<int64_t>;
    case arrow::Type::UINT8:
      return &WriteIntAsNumeric<uint8_t>;
    case arrow::Type::UINT16:
      return &WriteIntAsNumeric<uint16_t>;
    case arrow::Type::UINT32:
      return &WriteIntAsNumeric<uint32_t>;
    case arrow::Type::UINT64:
      return &WriteIntAsNumeric<uint64_t>;
    case arrow::Type::DECIMAL128:
      return &WriteDecimal128;
    case arrow::Type::DECIMAL256:
      return &WriteDecimal256;
    case arrow::Type::STRING:
      return &WriteNumericText;
    default:
      return nullptr;
  }
}

ColumnCursor::WriteFunction ScalarWriter(Wire wire, const arrow::DataType& type) {
  const auto id = type.id();
  const auto when = [&](bool fits, ColumnCursor::WriteFunction write) {
    return fits ? write : nullptr;
  };
  const bool text = id == arrow::Type::STRING;
  switch (wire) {
    case Wire::kBool:
      return when(id == arrow::Type::BOOL, &WriteBool);
    case Wire::kInt2:
      return IntWriter<int16_t>(id);
    case Wire::kInt4:
      return IntWriter<int32_t>(id);
    case Wire::kInt8:
      return IntWriter<int64_t>(id);
    case Wire::kFloat4:
      return when(id == arrow::Type::FLOAT, &WriteFloat);
    case Wire::kFloat8:
      if (id == arrow::Type::FLOAT) return &WriteFloatAsDouble;
      return when(id == arrow::Type::DOUBLE, &WriteDouble);
    case Wire::kNumeric:
      return NumericWriter(id);
    case Wire::kDate:
      return when(id == arrow::Type::DATE32, &WriteDate);
    case Wire::kTime:
      return when(id == arrow::Type::TIME64, &WriteInt<int64_t, int64_t>);
    case Wire::kTimestamp:
    case Wire::kTimestampTz:
      return when(id == arrow::Type::TIMESTAMP, &WriteTimestamp);
    case Wire::kBytea:
      return when(id == arrow::Type::BINARY, &WriteBytes);
    case Wire::kJsonb:
      return when(text, &WriteJsonb);
    case Wire::kUuid:
      return when(text, &WriteUuid);
    case Wire::kJson:
    case Wire::kText:
    case Wire::kNone:
      return when(text, &WriteText);
  }
  return nullptr;
}

ColumnCursor::WriteFunction WriterOf(const EncodedColumn& column) {
  if (column.raw) return column.type->id() == arrow::Type::BINARY ? &WriteBytes : nullptr;
  if (!column.array) return ScalarWriter(column.wire, *column.type);
  return column.type->id() == arrow::Type::LIST ? &WriteList : nullptr;
}

void Point(const arrow::ArrayData& data, ColumnCursor* cursor) {
  cursor->offset = data.offset;
  cursor->validity =
      data.GetNullCount() > 0 && data.buffers[0] ? data.buffers[0]->data() : nullptr;
  const auto id = data.type->id();
  if (id == arrow::Type::STRING || id == arrow::Type::BINARY) {
    cursor->offsets = reinterpret_cast<const int32_t*>(data.buffers[1]->data());
    cursor->values = data.buffers[2] ? data.buffers[2]->data() : nullptr;
  } else if (id == arrow::Type::LIST) {
    cursor->offsets = reinterpret_cast<const int32_t*>(data.buffers[1]->data());
    Point(*data.child_data[0], cursor->child.get());
  } else {
    cursor->values = data.buffers[1] ? data.buffers[1]->data() : nullptr;
  }
}

}  // namespace

void FrameBuffer::Grow(int64_t size) {
  const int64_t capacity = std::max(capacity_ * 2, size_ + size + kHandOver);
  auto data = std::make_unique_for_overwrite<uint8_t[]>(static_cast<size_t>(capacity));
  if (size_ > 0) std::memcpy(data.get(), data_.get(), static_cast<size_t>(size_));
  data_ = std::move(data);
  capacity_ = capacity;
}

arrow::Result<std::unique_ptr<CopyEncoder>> CopyEncoder::Make(
    std::vector<EncodedColumn> columns, bool ordinal) {
  auto encoder = std::make_unique<CopyEncoder>();
  const auto mismatch = [](const EncodedColumn& column) {
    return MakeError(ErrorClass::kInternal, "pg.encoder_type",
                     "Column '" + column.name + "' was planned for another type than " +
                         column.type->ToString());
  };
  for (const auto& column : columns) {
    ColumnCursor cursor;
    cursor.write = WriterOf(column);
    if (!cursor.write) return mismatch(column);
    const arrow::DataType* type = column.type.get();
    if (column.array && !column.raw) {
      cursor.element_oid = WireOid(column.wire);
      cursor.child = std::make_unique<ColumnCursor>();
      type = static_cast<const arrow::ListType&>(*type).value_type().get();
      cursor.child->write = ScalarWriter(column.wire, *type);
      if (!cursor.child->write) return mismatch(column);
    }
    if (arrow::is_decimal(type->id())) {
      const int32_t scale = static_cast<const arrow::DecimalType&>(*type).scale();
      (cursor.child ? *cursor.child : cursor).scale = scale;
    }
    encoder->cursors_.push_back(std::move(cursor));
  }
  encoder->columns_ = std::move(columns);
  encoder->ordinal_ = ordinal;
  return encoder;
}

arrow::Status CopyEncoder::ValueError(const arrow::RecordBatch& batch, int column,
                                      int64_t row, const ValueProblem& problem) const {
  const std::string& name = columns_[column].name;
  ErrorInfo info;
  info.error_class = ErrorClass::kData;
  info.code = problem.code;
  info.hint = problem.hint;
  info.column = name;
  info.key = "{\"row\":" + std::to_string(rows_ + 1) + "}";
  std::string value;
  if (auto scalar = batch.column(column)->GetScalar(row); scalar.ok()) {
    value = (*scalar)->ToString().substr(0, 100);
  }
  return MakeError(std::move(info), "Column '" + name + "' " + problem.what + ": '" +
                                        value + "' (row " + std::to_string(rows_ + 1) +
                                        ")");
}

void CopyEncoder::NoteNullKeys(const arrow::RecordBatch& batch) {
  for (size_t i = 0; i < columns_.size() && null_keys_.size() < 10; ++i) {
    if (!columns_[i].key || !cursors_[i].validity) continue;
    for (int64_t row = 0; row < batch.num_rows() && null_keys_.size() < 10; ++row) {
      if (cursors_[i].IsNull(row)) {
        null_keys_.push_back("row " + std::to_string(rows_ + row + 1) + " (" +
                             columns_[i].name + ")");
      }
    }
  }
}

arrow::Status CopyEncoder::Hand(const Sink& sink) {
  if (buffer_.size() == 0) return arrow::Status::OK();
  bytes_ += buffer_.size();
  ARROW_RETURN_NOT_OK(sink(buffer_.view()));
  buffer_.Clear();
  return arrow::Status::OK();
}

arrow::Status CopyEncoder::Write(const arrow::RecordBatch& batch, const Sink& sink) {
  if (static_cast<size_t>(batch.num_columns()) != columns_.size()) {
    return MakeError(ErrorClass::kInternal, "pg.encoder_type",
                     "A batch has another number of columns than was planned");
  }
  for (int i = 0; i < batch.num_columns(); ++i) {
    const auto& data = *batch.column_data(i);
    if (data.type->id() != columns_[i].type->id()) {
      return MakeError(ErrorClass::kInternal, "pg.encoder_type",
                       "Column '" + columns_[i].name + "' arrives as " +
                           data.type->ToString() + ", not as " +
                           columns_[i].type->ToString());
    }
    Point(data, &cursors_[i]);
  }
  NoteNullKeys(batch);
  if (!header_) {
    uint8_t* at = buffer_.Reserve(19);
    std::memcpy(at, kCopySignature.data(), kCopySignature.size());
    std::memset(at + 11, 0, 8);
    buffer_.Advance(19);
    header_ = true;
  }
  const auto width = static_cast<uint16_t>(cursors_.size() + (ordinal_ ? 1 : 0));
  for (int64_t row = 0; row < batch.num_rows(); ++row) {
    Store16(buffer_.Reserve(2), width);
    buffer_.Advance(2);
    for (size_t i = 0; i < cursors_.size(); ++i) {
      const ColumnCursor& column = cursors_[i];
      if (column.IsNull(row)) {
        Store32(buffer_.Reserve(4), 0xFFFFFFFF);
        buffer_.Advance(4);
      } else if (const auto* problem = column.write(column, row, buffer_)) {
        return ValueError(batch, static_cast<int>(i), row, *problem);
      }
    }
    ++rows_;
    if (ordinal_) Put<uint64_t>(buffer_, static_cast<uint64_t>(next_ordinal_++));
    if (buffer_.size() >= kHandOver) ARROW_RETURN_NOT_OK(Hand(sink));
  }
  return arrow::Status::OK();
}

arrow::Status CopyEncoder::Finish(const Sink& sink) {
  if (!header_) {
    uint8_t* at = buffer_.Reserve(19);
    std::memcpy(at, kCopySignature.data(), kCopySignature.size());
    std::memset(at + 11, 0, 8);
    buffer_.Advance(19);
    header_ = true;
  }
  Store16(buffer_.Reserve(2), 0xFFFF);
  buffer_.Advance(2);
  return Hand(sink);
}

}  // namespace dxt::postgres
