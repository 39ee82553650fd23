#include "connectors/sqlite/encode.h"

#include <sqlite3.h>

#include <algorithm>
#include <string_view>

#include <arrow/api.h>
#include <arrow/util/decimal.h>

#include "base/error.h"
#include "connectors/sdk/value_text.h"

namespace dxt::sqlite {
namespace {

/// NUMERIC affinity turns texts that look like numbers into INTEGER or REAL. True when
/// nothing is lost: at most 15 significant digits, or a whole number of 18.
bool SurvivesAsNumber(std::string_view text) {
  const auto number = ParseDecimalText(text);
  if (!number) return false;  // NaN and infinities stay text, and compare wrongly.
  std::string_view digits = number->digits;
  int64_t scale = number->scale;
  while (digits.size() > 1 && digits.back() == '0') {
    digits.remove_suffix(1);
    --scale;
  }
  if (digits.size() <= 15) return true;
  return scale <= 0 && static_cast<int64_t>(digits.size()) - scale <= 18;
}

/// JSON is no number unless it looks like one; then only a plain integer keeps its text.
bool SurvivesAsJson(std::string_view text) {
  const size_t start = text.find_first_not_of(" \t\n\r");
  if (start == std::string_view::npos) return true;
  const char first = text[start];
  if (first != '-' && (first < '0' || first > '9')) return true;
  const std::string_view digits = text.substr(first == '-' ? 1 : 0);
  return start == 0 && digits.size() <= 18 && (digits.size() == 1 || digits[0] != '0') &&
         text != "-0" && digits.find_first_not_of("0123456789") == std::string_view::npos;
}

void BindText(sqlite3_stmt* statement, int parameter, std::string_view text) {
  // A null pointer would bind NULL instead of the empty text.
  sqlite3_bind_text64(statement, parameter, text.data() ? text.data() : "", text.size(),
                      SQLITE_STATIC, SQLITE_UTF8);
}

/// `Value` says: `bool operator()(const Array&, int64_t row, sqlite3_stmt*, int
/// parameter)`.
template <typename Array, typename Value>
class Binder final : public ColumnBinder {
 public:
  explicit Binder(Value value) : value_(std::move(value)) {}
  void Use(const arrow::Array& array) override {
    array_ = static_cast<const Array*>(&array);
  }
  bool Bind(sqlite3_stmt* statement, int parameter, int64_t row) override {
    if (array_->IsNull(row)) {
      sqlite3_bind_null(statement, parameter);
      return true;
    }
    return value_(*array_, row, statement, parameter);
  }

 private:
  const Array* array_ = nullptr;
  Value value_;
};

template <typename Array, typename Value>
std::unique_ptr<ColumnBinder> Bound(Value value) {
  return std::make_unique<Binder<Array, Value>>(std::move(value));
}

template <typename Array>
std::unique_ptr<ColumnBinder> Integers() {
  return Bound<Array>(
      [](const Array& array, int64_t row, sqlite3_stmt* statement, int at) {
        const auto value = array.Value(row);
        if constexpr (sizeof(value) == 8 && std::is_unsigned_v<decltype(value)>) {
          if (value > static_cast<uint64_t>(INT64_MAX)) return false;
        }
        sqlite3_bind_int64(statement, at, static_cast<int64_t>(value));
        return true;
      });
}

template <typename Array>
std::unique_ptr<ColumnBinder> Reals() {
  return Bound<Array>(
      [](const Array& array, int64_t row, sqlite3_stmt* statement, int at) {
        const double value = array.Value(row);
        if (value != value) return false;  // Would become NULL.
        sqlite3_bind_double(statement, at, value);
        return true;
      });
}

/// Texts that are written into a scratch buffer by `write(array, row, &text)`.
template <typename Array, typename Write>
std::unique_ptr<ColumnBinder> Written(Write write) {
  return Bound<Array>([write, text = std::string()](const Array& array, int64_t row,
                                                    sqlite3_stmt* statement,
                                                    int at) mutable {
    text.clear();
    if (!write(array, row, &text)) return false;
    BindText(statement, at, text);
    return true;
  });
}

template <typename Array>
std::unique_ptr<ColumnBinder> Decimals(int32_t scale, int words, bool numeric) {
  return Written<Array>([=](const Array& array, int64_t row, std::string* text) {
    uint64_t value[4];
    std::copy_n(reinterpret_cast<const uint64_t*>(array.GetValue(row)), words, value);
    AppendDecimal(value, words, scale, text);
    return !numeric || SurvivesAsNumber(*text);
  });
}

template <typename Array>
std::unique_ptr<ColumnBinder> Texts(const FieldType& field, bool numeric) {
  const bool number = numeric && field.dtype == DType::kDecimal;
  const bool json = numeric && field.dtype == DType::kJson;
  const bool other = numeric && !number && !json;
  return Bound<Array>(
      [=](const Array& array, int64_t row, sqlite3_stmt* statement, int at) {
        const std::string_view text = array.GetView(row);
        if (number && !SurvivesAsNumber(text)) return false;
        if (json && !SurvivesAsJson(text)) return false;
        if (other && ParseDecimalText(text)) return false;
        BindText(statement, at, text);
        return true;
      });
}

template <typename Array>
std::unique_ptr<ColumnBinder> Blobs() {
  return Bound<Array>(
      [](const Array& array, int64_t row, sqlite3_stmt* statement, int at) {
        const std::string_view bytes = array.GetView(row);
        sqlite3_bind_blob64(statement, at, bytes.data() ? bytes.data() : "", bytes.size(),
                            SQLITE_STATIC);
        return true;
      });
}

}  // namespace

arrow::Result<std::unique_ptr<ColumnBinder>> ColumnBinder::Make(
    const arrow::DataType& type, const FieldType& field, Affinity affinity) {
  const bool numeric = affinity == Affinity::kNumeric || affinity == Affinity::kInteger ||
                       affinity == Affinity::kReal;
  switch (type.id()) {
    case arrow::Type::INT8:
      return Integers<arrow::Int8Array>();
    case arrow::Type::INT16:
      return Integers<arrow::Int16Array>();
    case arrow::Type::INT32:
      return Integers<arrow::Int32Array>();
    case arrow::Type::INT64:
      return Integers<arrow::Int64Array>();
    case arrow::Type::UINT8:
      return Integers<arrow::UInt8Array>();
    case arrow::Type::UINT16:
      return Integers<arrow::UInt16Array>();
    case arrow::Type::UINT32:
      return Integers<arrow::UInt32Array>();
    case arrow::Type::UINT64:
      return Integers<arrow::UInt64Array>();
    case arrow::Type::FLOAT:
      return Reals<arrow::FloatArray>();
    case arrow::Type::DOUBLE:
      return Reals<arrow::DoubleArray>();
    case arrow::Type::BOOL:
      return Bound<arrow::BooleanArray>([](const arrow::BooleanArray& array, int64_t row,
                                           sqlite3_stmt* statement, int at) {
        sqlite3_bind_int(statement, at, array.Value(row) ? 1 : 0);
        return true;
      });
    case arrow::Type::DATE32:
      return Written<arrow::Date32Array>(
          [](const arrow::Date32Array& array, int64_t row, std::string* text) {
            AppendDate(array.Value(row), text);
            return true;
          });
    case arrow::Type::TIME64:
      return Written<arrow::Time64Array>(
          [](const arrow::Time64Array& array, int64_t row, std::string* text) {
            AppendTime(array.Value(row), text);
            return true;
          });
    case arrow::Type::TIMESTAMP: {
      const bool utc = field.dtype == DType::kTimestampTz;
      return Written<arrow::TimestampArray>(
          [utc](const arrow::TimestampArray& array, int64_t row, std::string* text) {
            AppendTimestamp(array.Value(row), false, utc, text);
            return true;
          });
    }
    case arrow::Type::DECIMAL128:
      return Decimals<arrow::Decimal128Array>(field.scale, 2, numeric);
    case arrow::Type::DECIMAL256:
      return Decimals<arrow::Decimal256Array>(field.scale, 4, numeric);
    case arrow::Type::STRING:
      return Texts<arrow::StringArray>(field, numeric);
    case arrow::Type::LARGE_STRING:
      return Texts<arrow::LargeStringArray>(field, numeric);
    case arrow::Type::BINARY:
      return Blobs<arrow::BinaryArray>();
    case arrow::Type::LARGE_BINARY:
      return Blobs<arrow::LargeBinaryArray>();
    default:
      return MakeError(
          ErrorClass::kUnsupported, "sqlite.type",
          "SQLite cannot be handed values of the Arrow type " + type.ToString());
  }
}

}  // namespace dxt::sqlite
