#include "connectors/sqlite/decode.h"

#include <sqlite3.h>

#include <string_view>

#include <arrow/api.h>
#include <arrow/util/decimal.h>

#include "base/error.h"
#include "connectors/sdk/value_text.h"

namespace dxt::sqlite {
namespace {

constexpr int64_t kMicrosPerDay = 86400000000;

std::string_view TextOf(sqlite3_stmt* statement, int column) {
  // The size is known only after the conversion to UTF-8, so the order of calls matters.
  const auto* text =
      reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
  const auto size = static_cast<size_t>(sqlite3_column_bytes(statement, column));
  return text ? std::string_view(text, size) : std::string_view();
}

/// `Value` says: `static bool Take(Value&, sqlite3_stmt*, int, int storage, T* out)`.
template <typename Builder, typename Value>
class FixedDecoder final : public ColumnDecoder {
 public:
  FixedDecoder(std::shared_ptr<arrow::DataType> type, Value value)
      : builder_(std::move(type), arrow::default_memory_pool()),
        value_(std::move(value)) {}

  arrow::Status Reserve(int64_t rows) override { return builder_.Reserve(rows); }

  bool Append(sqlite3_stmt* statement, int column, int64_t* bytes) override {
    const int storage = sqlite3_column_type(statement, column);
    *bytes += 8;
    if (storage == SQLITE_NULL) {
      builder_.UnsafeAppendNull();
      return true;
    }
    typename Value::Type out{};
    if (!value_.Take(statement, column, storage, &out)) return false;
    builder_.UnsafeAppend(out);
    return true;
  }

  arrow::Result<std::shared_ptr<arrow::Array>> Finish() override {
    return builder_.Finish();
  }

 private:
  Builder builder_;
  Value value_;
};

struct IntegerValue {
  using Type = int64_t;
  bool Take(sqlite3_stmt* statement, int column, int storage, int64_t* out) const {
    *out = sqlite3_column_int64(statement, column);
    return storage == SQLITE_INTEGER;
  }
};

struct RealValue {
  using Type = double;
  bool Take(sqlite3_stmt* statement, int column, int storage, double* out) const {
    *out = sqlite3_column_double(statement, column);
    return storage == SQLITE_FLOAT;
  }
};

struct BooleanValue {
  using Type = bool;
  bool Take(sqlite3_stmt* statement, int column, int storage, bool* out) const {
    const int64_t value = sqlite3_column_int64(statement, column);
    *out = value == 1;
    return storage == SQLITE_INTEGER && (value == 0 || value == 1);
  }
};

/// Microseconds since 1970 of a date or timestamp column's value.
struct InstantValue {
  using Type = int64_t;
  NumericTime numbers;
  bool utc;

  bool Take(sqlite3_stmt* statement, int column, int storage, int64_t* out) const {
    if (numbers == NumericTime::kNone) {
      if (storage != SQLITE_TEXT) return false;
      return Parse(TextOf(statement, column), out);
    }
    if (numbers == NumericTime::kJulian) {
      if (storage != SQLITE_FLOAT && storage != SQLITE_INTEGER) return false;
      const double day = sqlite3_column_double(statement, column);
      if (!(day >= 0 && day < 5373484.5)) return false;  // SQLite's own range.
      *out = MillisOfJulianDay(day) * 1000;
      return true;
    }
    if (storage != SQLITE_INTEGER) return false;
    const int64_t factor = numbers == NumericTime::kUnix ? 1000000 : 1000;
    return !__builtin_mul_overflow(sqlite3_column_int64(statement, column), factor, out);
  }

  bool Parse(std::string_view text, int64_t* out) const {
    auto instant =
        ParseTimestamp(text, false, utc ? OffsetRule::kOptional : OffsetRule::kForbidden);
    // A zero offset shifts nothing, and JavaScript writes it behind every time.
    if (!instant && !utc && (text.ends_with('Z') || text.ends_with("+00:00"))) {
      instant = ParseTimestamp(text, false, OffsetRule::kOptional);
    }
    if (instant) *out = *instant;
    return instant.has_value();
  }
};

struct DateValue {
  using Type = int32_t;
  InstantValue instant;

  bool Take(sqlite3_stmt* statement, int column, int storage, int32_t* out) const {
    int64_t micros = 0;
    if (!instant.Take(statement, column, storage, &micros)) return false;
    if (micros % kMicrosPerDay != 0) return false;
    *out = static_cast<int32_t>(micros / kMicrosPerDay);
    return true;
  }
};

struct TimeValue {
  using Type = int64_t;
  bool Take(sqlite3_stmt* statement, int column, int storage, int64_t* out) const {
    if (storage != SQLITE_TEXT) return false;
    const auto time = ParseTime(TextOf(statement, column));
    if (time) *out = *time;
    return time.has_value();
  }
};

/// The text of a number of any storage class; false for other values.
bool NumberText(sqlite3_stmt* statement, int column, int storage, std::string* text) {
  text->clear();
  if (storage == SQLITE_INTEGER) {
    *text = std::to_string(sqlite3_column_int64(statement, column));
    return true;
  }
  if (storage == SQLITE_FLOAT) {
    AppendFloat(sqlite3_column_double(statement, column), text);
    return true;
  }
  if (storage != SQLITE_TEXT) return false;
  *text = TextOf(statement, column);
  return true;
}

/// Writes ±digits with exactly `scale` digits behind the point removed; false when the
/// number has more of them, or more than `precision` in all.
bool Unscaled(const DecimalText& number, int32_t precision, int32_t scale,
              std::string* digits) {
  digits->assign(number.negative ? "-" : "");
  std::string_view all = number.digits;
  int64_t missing = scale - number.scale;
  while (missing < 0) {
    if (all == "0" || all.empty()) break;
    if (all.back() != '0') return false;
    all.remove_suffix(1);
    ++missing;
  }
  if (all.empty() || all == "0") {
    digits->assign("0");
    return true;
  }
  if (missing > precision || static_cast<int64_t>(all.size()) + missing > precision) {
    return false;
  }
  *digits += all;
  digits->append(static_cast<size_t>(missing), '0');
  return true;
}

template <typename Decimal>
struct DecimalValue {
  using Type = Decimal;
  int32_t precision, scale;
  std::string text = {}, digits = {};

  bool Take(sqlite3_stmt* statement, int column, int storage, Decimal* out) {
    if (!NumberText(statement, column, storage, &text)) return false;
    const auto number = ParseDecimalText(text);
    if (!number || !Unscaled(*number, precision, scale, &digits)) return false;
    return Decimal::FromString(digits, out, nullptr, nullptr).ok();
  }
};

enum class TextKind : uint8_t { kText, kBytes, kNumber, kJson };

/// A number's text without exponent: 1e+20 becomes its 21 digits.
bool PlainNumber(std::string* text) {
  const auto number = ParseDecimalText(*text);
  if (!number) return IsSpecialDecimal(*text);
  if (text->find_first_of("eE") == std::string::npos) return true;
  std::string plain = number->digits;
  if (number->scale <= 0) {
    if (plain != "0") plain.append(static_cast<size_t>(-number->scale), '0');
  } else {
    const auto scale = static_cast<size_t>(number->scale);
    if (plain.size() <= scale) plain.insert(0, scale + 1 - plain.size(), '0');
    plain.insert(plain.size() - scale, 1, '.');
  }
  *text = (number->negative ? "-" : "") + plain;
  return true;
}

template <typename Builder>
class TextDecoder final : public ColumnDecoder {
 public:
  explicit TextDecoder(TextKind kind) : kind_(kind) {}

  arrow::Status Reserve(int64_t rows) override { return builder_.Reserve(rows); }

  bool Append(sqlite3_stmt* statement, int column, int64_t* bytes) override {
    const int storage = sqlite3_column_type(statement, column);
    if (storage == SQLITE_NULL) {
      builder_.UnsafeAppendNull();
      *bytes += 4;
      return true;
    }
    std::string_view value;
    if (kind_ == TextKind::kBytes) {
      if (storage != SQLITE_BLOB) return false;
      const auto* data = static_cast<const char*>(sqlite3_column_blob(statement, column));
      value = {data ? data : "",
               static_cast<size_t>(sqlite3_column_bytes(statement, column))};
    } else if (kind_ == TextKind::kText || storage == SQLITE_TEXT) {
      if (storage != SQLITE_TEXT) return false;
      value = TextOf(statement, column);
      if (kind_ == TextKind::kNumber) {
        scratch_ = value;
        if (!PlainNumber(&scratch_)) return false;
        value = scratch_;
      }
    } else {
      if (!NumberText(statement, column, storage, &scratch_)) return false;
      if (!PlainNumber(&scratch_)) return false;
      if (kind_ == TextKind::kJson && IsSpecialDecimal(scratch_)) return false;
      value = scratch_;
    }
    *bytes += static_cast<int64_t>(value.size()) + 4;
    return builder_.Append(value).ok();
  }

  arrow::Result<std::shared_ptr<arrow::Array>> Finish() override {
    return builder_.Finish();
  }

 private:
  TextKind kind_;
  Builder builder_;
  std::string scratch_;
};

template <typename Builder, typename Value>
std::unique_ptr<ColumnDecoder> Fixed(const FieldType& type, Value value) {
  return std::make_unique<FixedDecoder<Builder, Value>>(ArrowType(type),
                                                        std::move(value));
}

}  // namespace

arrow::Result<std::unique_ptr<ColumnDecoder>> ColumnDecoder::Make(const FieldType& type,
                                                                  NumericTime numbers) {
  switch (type.dtype) {
    case DType::kInt64:
      return Fixed<arrow::Int64Builder>(type, IntegerValue{});
    case DType::kFloat64:
      return Fixed<arrow::DoubleBuilder>(type, RealValue{});
    case DType::kBool:
      return Fixed<arrow::BooleanBuilder>(type, BooleanValue{});
    case DType::kDate:
      return Fixed<arrow::Date32Builder>(type, DateValue{{numbers, false}});
    case DType::kTime:
      return Fixed<arrow::Time64Builder>(type, TimeValue{});
    case DType::kTimestamp:
    case DType::kTimestampTz:
      if (type.nanoseconds) break;
      return Fixed<arrow::TimestampBuilder>(
          type, InstantValue{numbers, type.dtype == DType::kTimestampTz});
    case DType::kDecimal:
      if (type.precision == 0) {
        return std::make_unique<TextDecoder<arrow::StringBuilder>>(TextKind::kNumber);
      }
      if (type.precision <= 38) {
        return Fixed<arrow::Decimal128Builder>(
            type, DecimalValue<arrow::Decimal128>{type.precision, type.scale});
      }
      return Fixed<arrow::Decimal256Builder>(
          type, DecimalValue<arrow::Decimal256>{type.precision, type.scale});
    case DType::kString:
      return std::make_unique<TextDecoder<arrow::StringBuilder>>(TextKind::kText);
    case DType::kJson:
      return std::make_unique<TextDecoder<arrow::StringBuilder>>(TextKind::kJson);
    case DType::kBinary:
      return std::make_unique<TextDecoder<arrow::BinaryBuilder>>(TextKind::kBytes);
    default:
      break;
  }
  return MakeError(ErrorClass::kUnsupported, "sqlite.type",
                   "A SQLite column cannot be read as " + ToString(type));
}

std::string DescribeValue(sqlite3_stmt* statement, int column) {
  const int storage = sqlite3_column_type(statement, column);
  if (storage == SQLITE_NULL) return "NULL";
  if (storage == SQLITE_BLOB) {
    return "a blob of " + std::to_string(sqlite3_column_bytes(statement, column)) +
           " bytes";
  }
  std::string_view text = TextOf(statement, column);
  constexpr size_t kShown = 60;
  const bool cut = text.size() > kShown;
  std::string shown(text.substr(0, kShown));
  if (cut) shown += "…";
  if (storage == SQLITE_INTEGER) return "the integer " + shown;
  if (storage == SQLITE_FLOAT) return "the number " + shown;
  return "the text '" + shown + "'";
}

}  // namespace dxt::sqlite
