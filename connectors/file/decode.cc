#include "connectors/file/decode.h"

#include <cstring>

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/util/bit_util.h>
#include <arrow/util/decimal.h>

#include "base/error.h"
#include "connectors/file/unescape.h"
#include "connectors/sdk/value_text.h"

namespace dxt::file {
namespace {

namespace bits = arrow::bit_util;

/// The validity bitmap of a column, made at its first NULL.
class Validity {
 public:
  explicit Validity(int64_t rows) : rows_(rows) {}

  arrow::Status SetNull(int64_t row) {
    if (!buffer_) {
      ARROW_ASSIGN_OR_RAISE(auto buffer,
                            arrow::AllocateBuffer(bits::BytesForBits(rows_)));
      buffer_ = std::move(buffer);
      std::memset(buffer_->mutable_data(), 0xff, static_cast<size_t>(buffer_->size()));
    }
    bits::ClearBit(buffer_->mutable_data(), row);
    ++nulls_;
    return arrow::Status::OK();
  }
  const std::shared_ptr<arrow::Buffer>& buffer() const { return buffer_; }
  int64_t nulls() const { return nulls_; }

 private:
  int64_t rows_;
  int64_t nulls_ = 0;
  std::shared_ptr<arrow::Buffer> buffer_;
};

arrow::Status NotAValue() {
  return arrow::Status::Invalid("not a value of the column's type");
}

/// Digits with at most `scale` of them behind the point, as the unscaled integer.
bool FastDecimal(std::string_view text, int32_t precision, int32_t scale,
                 int64_t* value) {
  size_t at = 0;
  const bool negative = !text.empty() && text[0] == '-';
  if (negative) ++at;
  if (text.size() - at > 18 || text.size() == at || scale > 17) return false;
  int64_t number = 0;
  int fraction = -1;
  int digits = 0;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '.' && fraction < 0 && digits > 0) {
      fraction = 0;
      continue;
    }
    const unsigned digit = static_cast<unsigned char>(c) - '0';
    if (digit > 9) return false;
    number = number * 10 + digit;
    ++digits;
    if (fraction >= 0) ++fraction;
  }
  if (fraction == 0 || fraction > scale) return false;
  for (int i = fraction < 0 ? 0 : fraction; i < scale; ++i) {
    if (++digits > 18) return false;
    number *= 10;
  }
  int64_t limit = 1;
  for (int i = 0; i < precision && i < 18; ++i) limit *= 10;
  if (precision < 18 && number >= limit) return false;
  *value = negative ? -number : number;
  return true;
}

class Decoding {
 public:
  Decoding(const ColumnDecoder& decoder, const CellBlock& block, int64_t* bad_row)
      : decoder_(decoder), block_(block), bad_row_(bad_row), accepted_(Accepted()) {}

  arrow::Result<std::shared_ptr<arrow::Array>> Run() {
    const FieldType& type = decoder_.type;
    const Reading reading = decoder_.reading;
    switch (type.dtype) {
      case DType::kInt8:
        return Integers<int8_t>();
      case DType::kInt16:
        return Integers<int16_t>();
      case DType::kInt32:
        return Integers<int32_t>();
      case DType::kInt64:
        return Integers<int64_t>();
      case DType::kUint8:
        return Unsigned<uint8_t>();
      case DType::kUint16:
        return Unsigned<uint16_t>();
      case DType::kUint32:
        return Unsigned<uint32_t>();
      case DType::kUint64:
        return Unsigned<uint64_t>();
      case DType::kFloat32:
        return Fixed<float>([&](std::string_view text, float* value) {
          const auto number = ParseFloat32(text);
          *value = number.value_or(0);
          return number.has_value();
        });
      case DType::kFloat64:
        return Fixed<double>([&](std::string_view text, double* value) {
          return ParseDouble(text, reading, decoder_.json, value);
        });
      case DType::kDecimal:
        if (type.precision == 0) {
          return Texts([&](std::string_view text) {
            return IsDecimalText(text, reading == Reading::kDeclared);
          });
        }
        return type.precision <= 38 ? Decimals<arrow::Decimal128>()
                                    : Decimals<arrow::Decimal256>();
      case DType::kBool:
        return Truths();
      case DType::kDate:
        return Fixed<int32_t>(
            [](std::string_view text, int32_t* value) { return ParseDate(text, value); });
      case DType::kTime:
        return Fixed<int64_t>([](std::string_view text, int64_t* value) {
          const auto micros = dxt::ParseTime(text);
          *value = micros.value_or(0);
          return micros.has_value();
        });
      case DType::kTimestamp:
      case DType::kTimestampTz:
        return Timestamps();
      case DType::kString:
        return Texts([](std::string_view) { return true; });
      case DType::kJson:
      case DType::kObject:
        return Json();
      case DType::kBinary:
        return Binaries();
      case DType::kArray:
        if (!type.element) return Json();
        break;
    }
    return MakeError(ErrorClass::kUnsupported, "file.array_text",
                     "Column '" + decoder_.name + "' is declared as " + ToString(type) +
                         ", which cannot be read from text",
                     "Declare it as json");
  }

 private:
  /// Kinds of cells that may hold a value: JSON says itself what is a number.
  uint32_t Accepted() const {
    constexpr uint32_t kText = 1u << Cell::kQuoted | 1u << Cell::kEscaped;
    constexpr uint32_t kScalar = kText | 1u << Cell::kPlain;
    const DType dtype = decoder_.type.dtype;
    if (!decoder_.json) return kScalar;
    const bool nested =
        dtype == DType::kJson || dtype == DType::kObject || dtype == DType::kArray;
    if (nested) return kScalar | 1u << Cell::kNested;
    if (decoder_.reading == Reading::kDeclared) {
      return dtype == DType::kString ? kScalar | 1u << Cell::kNested : kScalar;
    }
    switch (dtype) {
      case DType::kString:
      case DType::kDate:
      case DType::kTimestamp:
      case DType::kTimestampTz:
        return kText;
      default:
        return 1u << Cell::kPlain;
    }
  }

  arrow::Status Bad(int64_t row) const {
    *bad_row_ = row;
    return NotAValue();
  }

  /// False when the cell is of a kind that holds no value of this type.
  bool TextOf(const Cell& cell, std::string_view* text) {
    if (!(accepted_ >> cell.kind & 1)) return false;
    *text = block_.Text(cell);
    if (cell.kind != Cell::kEscaped) return true;
    scratch_.clear();
    if (decoder_.json) {
      if (!AppendUnescapedJson(*text, &scratch_)) return false;
    } else {
      AppendUnescapedQuotes(*text, decoder_.quote, &scratch_);
    }
    *text = scratch_;
    return true;
  }

  std::shared_ptr<arrow::Array> Make(std::vector<std::shared_ptr<arrow::Buffer>> buffers,
                                     const Validity& validity) const {
    buffers[0] = validity.buffer();
    return arrow::MakeArray(arrow::ArrayData::Make(ArrowType(decoder_.type), block_.rows,
                                                   std::move(buffers), validity.nulls()));
  }

  template <typename T, typename Parse>
  arrow::Result<std::shared_ptr<arrow::Array>> Fixed(Parse parse) {
    Validity validity(block_.rows);
    ARROW_ASSIGN_OR_RAISE(
        auto buffer,
        arrow::AllocateBuffer(block_.rows * static_cast<int64_t>(sizeof(T))));
    T* values = reinterpret_cast<T*>(buffer->mutable_data());
    std::string_view text;
    for (int64_t row = 0; row < block_.rows; ++row) {
      const Cell& cell = block_.at(row, decoder_.column);
      if (cell.kind == Cell::kNull) {
        values[row] = T();
        ARROW_RETURN_NOT_OK(validity.SetNull(row));
        continue;
      }
      if (!TextOf(cell, &text) || !parse(text, &values[row])) return Bad(row);
    }
    return Make({nullptr, std::move(buffer)}, validity);
  }

  template <typename T>
  arrow::Result<std::shared_ptr<arrow::Array>> Integers() {
    // JSON has no leading zeros, and all of int64 is inferred from it; but -0 is no
    // integer.
    const Reading reading = decoder_.json ? Reading::kDeclared : decoder_.reading;
    const bool inferred_json = decoder_.json && decoder_.reading == Reading::kInferred;
    return Fixed<T>([&](std::string_view text, T* value) {
      int64_t number = 0;
      if (!ParseInteger(text, reading, &number) || (inferred_json && text == "-0"))
        return false;
      *value = static_cast<T>(number);
      return static_cast<int64_t>(*value) == number;
    });
  }

  template <typename T>
  arrow::Result<std::shared_ptr<arrow::Array>> Unsigned() {
    return Fixed<T>([&](std::string_view text, T* value) {
      uint64_t number = 0;
      if (!ParseUnsigned(text, decoder_.reading, &number)) return false;
      *value = static_cast<T>(number);
      return static_cast<uint64_t>(*value) == number;
    });
  }

  template <typename D>
  arrow::Result<std::shared_ptr<arrow::Array>> Decimals() {
    struct Bytes {
      uint8_t bytes[sizeof(D)];
    };
    const FieldType& type = decoder_.type;
    return Fixed<Bytes>([&](std::string_view text, Bytes* value) {
      int64_t fast = 0;
      D number;
      if (FastDecimal(text, type.precision, type.scale, &fast)) {
        number = D(fast);
      } else {
        int32_t precision = 0, scale = 0;
        if (!D::FromString(text, &number, &precision, &scale).ok()) return false;
        if (scale != type.scale) {
          const auto rescaled = number.Rescale(scale, type.scale);
          if (!rescaled.ok()) return false;
          number = *rescaled;
        }
        if (!number.FitsInPrecision(type.precision)) return false;
      }
      number.ToBytes(value->bytes);
      return true;
    });
  }

  arrow::Result<std::shared_ptr<arrow::Array>> Timestamps() {
    const FieldType& type = decoder_.type;
    const bool zoned = type.dtype == DType::kTimestampTz;
    return Fixed<int64_t>([&](std::string_view text, int64_t* value) {
      TimestampText parsed;
      if (!ParseTimestamp(text, type.nanoseconds, &parsed) || parsed.zoned != zoned)
        return false;
      *value = parsed.value;
      return true;
    });
  }

  arrow::Result<std::shared_ptr<arrow::Array>> Truths() {
    Validity validity(block_.rows);
    ARROW_ASSIGN_OR_RAISE(auto buffer,
                          arrow::AllocateBuffer(bits::BytesForBits(block_.rows)));
    std::memset(buffer->mutable_data(), 0, static_cast<size_t>(buffer->size()));
    std::string_view text;
    for (int64_t row = 0; row < block_.rows; ++row) {
      const Cell& cell = block_.at(row, decoder_.column);
      if (cell.kind == Cell::kNull) {
        ARROW_RETURN_NOT_OK(validity.SetNull(row));
        continue;
      }
      bool truth = false;
      if (!TextOf(cell, &text) || !ParseTruth(text, decoder_.reading, &truth))
        return Bad(row);
      if (truth) bits::SetBit(buffer->mutable_data(), row);
    }
    return Make({nullptr, std::move(buffer)}, validity);
  }

  /// Writes texts one after another; `put(cell, out)` appends one value, or says no.
  template <typename Put>
  arrow::Result<std::shared_ptr<arrow::Array>> Variable(Put put) {
    Validity validity(block_.rows);
    int64_t most = 0;
    for (int64_t row = 0; row < block_.rows; ++row) {
      most += block_.at(row, decoder_.column).length + 2;
    }
    ARROW_ASSIGN_OR_RAISE(auto offsets, arrow::AllocateBuffer((block_.rows + 1) * 4));
    ARROW_ASSIGN_OR_RAISE(auto data, arrow::AllocateResizableBuffer(most));
    int32_t* offset = reinterpret_cast<int32_t*>(offsets->mutable_data());
    char* const begin = reinterpret_cast<char*>(data->mutable_data());
    char* at = begin;
    *offset++ = 0;
    for (int64_t row = 0; row < block_.rows; ++row) {
      const Cell& cell = block_.at(row, decoder_.column);
      if (cell.kind == Cell::kNull) {
        ARROW_RETURN_NOT_OK(validity.SetNull(row));
      } else if (!put(cell, &at)) {
        return Bad(row);
      }
      *offset++ = static_cast<int32_t>(at - begin);
    }
    ARROW_RETURN_NOT_OK(data->Resize(at - begin, false));
    return Make({nullptr, std::move(offsets), std::move(data)}, validity);
  }

  template <typename Check>
  arrow::Result<std::shared_ptr<arrow::Array>> Texts(Check check) {
    return Variable([&](const Cell& cell, char** at) {
      std::string_view text;
      if (!TextOf(cell, &text) || !check(text)) return false;
      std::memcpy(*at, text.data(), text.size());
      *at += text.size();
      return true;
    });
  }

  arrow::Result<std::shared_ptr<arrow::Array>> Json() {
    if (!decoder_.json) return Texts([](std::string_view text) { return IsJson(text); });
    return Variable([&](const Cell& cell, char** at) {
      // A string stays JSON text, quotes included.
      const bool string = cell.kind == Cell::kQuoted || cell.kind == Cell::kEscaped;
      const std::string_view text(block_.base + cell.begin - (string ? 1 : 0),
                                  cell.length + (string ? 2u : 0u));
      std::memcpy(*at, text.data(), text.size());
      *at += text.size();
      return true;
    });
  }

  arrow::Result<std::shared_ptr<arrow::Array>> Binaries() {
    return Variable([&](const Cell& cell, char** at) {
      std::string_view text;
      if (!TextOf(cell, &text)) return false;
      const auto bytes = ParseBase64(text);
      if (!bytes) return false;
      std::memcpy(*at, bytes->data(), bytes->size());
      *at += bytes->size();
      return true;
    });
  }

  const ColumnDecoder& decoder_;
  const CellBlock& block_;
  int64_t* bad_row_;
  uint32_t accepted_;
  std::string scratch_;
};

}  // namespace

arrow::Result<std::shared_ptr<arrow::Array>> ColumnDecoder::Decode(
    const CellBlock& block, int64_t* bad_row) const {
  *bad_row = -1;
  if (column < 0) return arrow::MakeArrayOfNull(ArrowType(type), block.rows);
  return Decoding(*this, block, bad_row).Run();
}

}  // namespace dxt::file
