#include "tests/conformance/values.h"

#include <algorithm>
#include <charconv>

#include <arrow/api.h>
#include <arrow/util/decimal.h>
#include <nlohmann/json.hpp>

#include "connectors/sdk/value_text.h"

namespace dxt::conformance {
namespace {

arrow::Status Bad(const FieldType& type, const std::string& text) {
  return arrow::Status::Invalid("'", text, "' is no ", ToString(type));
}

/// Appends every cell with `parse(text) -> optional<value>`.
template <typename Builder, typename Parse>
arrow::Result<std::shared_ptr<arrow::Array>> Build(const FieldType& type, Builder builder,
                                                   const std::vector<Cell>& cells,
                                                   Parse parse) {
  for (const auto& cell : cells) {
    if (!cell) {
      ARROW_RETURN_NOT_OK(builder.AppendNull());
      continue;
    }
    const auto value = parse(*cell);
    if (!value) return Bad(type, *cell);
    ARROW_RETURN_NOT_OK(builder.Append(*value));
  }
  return builder.Finish();
}

template <typename Type>
arrow::Result<std::shared_ptr<arrow::Array>> Integers(const FieldType& type,
                                                      const std::vector<Cell>& cells) {
  using Value = typename Type::c_type;
  return Build(type, typename arrow::TypeTraits<Type>::BuilderType(), cells,
               [](const std::string& text) -> std::optional<Value> {
                 Value value{};
                 const char* end = text.data() + text.size();
                 const auto [at, error] = std::from_chars(text.data(), end, value);
                 if (error != std::errc() || at != end) return std::nullopt;
                 return value;
               });
}

template <typename Builder, typename Decimal>
arrow::Result<std::shared_ptr<arrow::Array>> Decimals(const FieldType& type,
                                                      const std::vector<Cell>& cells) {
  return Build(type, Builder(ArrowType(type)), cells,
               [&](const std::string& text) -> std::optional<Decimal> {
                 Decimal value;
                 int32_t precision = 0, scale = 0;
                 if (!Decimal::FromString(text, &value, &precision, &scale).ok())
                   return {};
                 auto scaled = value.Rescale(scale, type.scale);
                 if (!scaled.ok()) return {};
                 return *scaled;
               });
}

std::optional<std::string> Same(const std::string& text) { return text; }

arrow::Result<std::shared_ptr<arrow::Array>> Lists(const FieldType& type,
                                                   const std::vector<Cell>& cells) {
  std::vector<Cell> items;
  arrow::Int32Builder offsets;
  arrow::TypedBufferBuilder<bool> valid;
  for (const auto& cell : cells) {
    ARROW_RETURN_NOT_OK(offsets.Append(static_cast<int32_t>(items.size())));
    ARROW_RETURN_NOT_OK(valid.Append(cell.has_value()));
    if (!cell) continue;
    for (const auto& item : nlohmann::json::parse(*cell)) {
      if (item.is_null()) {
        items.emplace_back(std::nullopt);
      } else {
        items.emplace_back(item.is_string() ? item.get<std::string>() : item.dump());
      }
    }
  }
  ARROW_RETURN_NOT_OK(offsets.Append(static_cast<int32_t>(items.size())));
  ARROW_ASSIGN_OR_RAISE(auto values, ArrayOf(*type.element, items));
  ARROW_ASSIGN_OR_RAISE(auto offset_array, offsets.Finish());
  ARROW_ASSIGN_OR_RAISE(auto bitmap, valid.Finish());
  return std::make_shared<arrow::ListArray>(
      ArrowType(type), static_cast<int64_t>(cells.size()),
      static_cast<const arrow::Int32Array&>(*offset_array).values(), values, bitmap);
}

std::string NormalDecimal(std::string text) {
  const auto number = ParseDecimalText(text);
  if (!number) return text;
  std::string digits = number->digits;
  int64_t scale = number->scale;
  while (digits.size() > 1 && digits.back() == '0') {
    digits.pop_back();
    --scale;
  }
  if (digits == "0") return "0";
  const std::string sign = number->negative ? "-" : "";
  // Whole numbers look as integers do: a target may hold a uint64 as decimal(20,0).
  if (scale <= 0 && scale > -100)
    return sign + digits + std::string(static_cast<size_t>(-scale), '0');
  return sign + digits + "e" + std::to_string(-scale);
}

std::string NormalJson(const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  return json.is_discarded() ? "not JSON: " + text : json.dump();
}

std::string NormalInstant(int64_t value, arrow::TimeUnit::type unit) {
  std::string text;
  const bool nanos = unit == arrow::TimeUnit::NANO;
  if (unit == arrow::TimeUnit::SECOND) value *= 1000000;
  if (unit == arrow::TimeUnit::MILLI) value *= 1000;
  AppendTimestamp(value, nanos, false, &text);
  if (nanos && text.ends_with("000")) text.resize(text.size() - 3);
  return text;
}

/// The text of one value that is not NULL.
arrow::Result<std::string> TextAt(const arrow::Array& array, int64_t row,
                                  const FieldType& type) {
  std::string text;
  switch (array.type_id()) {
    case arrow::Type::FLOAT:
      AppendFloat(
          static_cast<double>(static_cast<const arrow::FloatArray&>(array).Value(row)),
          &text);
      return text;
    case arrow::Type::DOUBLE:
      AppendFloat(static_cast<const arrow::DoubleArray&>(array).Value(row), &text);
      return text;
    case arrow::Type::DECIMAL128:
      return NormalDecimal(
          static_cast<const arrow::Decimal128Array&>(array).FormatValue(row));
    case arrow::Type::DECIMAL256:
      return NormalDecimal(
          static_cast<const arrow::Decimal256Array&>(array).FormatValue(row));
    case arrow::Type::DATE32:
      AppendDate(static_cast<const arrow::Date32Array&>(array).Value(row), &text);
      return text;
    case arrow::Type::TIME64:
      AppendTime(static_cast<const arrow::Time64Array&>(array).Value(row), &text);
      return text;
    case arrow::Type::TIMESTAMP:
      return NormalInstant(
          static_cast<const arrow::TimestampArray&>(array).Value(row),
          static_cast<const arrow::TimestampType&>(*array.type()).unit());
    case arrow::Type::BINARY: {
      AppendBase64(static_cast<const arrow::BinaryArray&>(array).GetView(row), &text);
      return text;
    }
    case arrow::Type::LIST: {
      const auto& list = static_cast<const arrow::ListArray&>(array);
      const auto& item_type = *type.element;
      ARROW_ASSIGN_OR_RAISE(const auto items, CellsOf(*list.value_slice(row), item_type));
      nlohmann::json json = nlohmann::json::array();
      for (const auto& item : items) {
        if (!item) {
          json.push_back(nullptr);
        } else if (item_type.dtype == DType::kString) {
          json.push_back(*item);
        } else {
          json.push_back(nlohmann::json::parse(*item));
        }
      }
      return json.dump();
    }
    case arrow::Type::STRING: {
      text = static_cast<const arrow::StringArray&>(array).GetView(row);
      if (type.dtype == DType::kDecimal) return NormalDecimal(text);
      const bool json = type.dtype == DType::kJson || type.dtype == DType::kArray ||
                        type.dtype == DType::kObject;
      return json ? NormalJson(text) : text;
    }
    default: {
      ARROW_ASSIGN_OR_RAISE(const auto scalar, array.GetScalar(row));
      return scalar->ToString();
    }
  }
}

}  // namespace

arrow::Result<std::shared_ptr<arrow::Array>> ArrayOf(const FieldType& type,
                                                     const std::vector<Cell>& cells) {
  switch (type.dtype) {
    case DType::kInt8:
      return Integers<arrow::Int8Type>(type, cells);
    case DType::kInt16:
      return Integers<arrow::Int16Type>(type, cells);
    case DType::kInt32:
      return Integers<arrow::Int32Type>(type, cells);
    case DType::kInt64:
      return Integers<arrow::Int64Type>(type, cells);
    case DType::kUint8:
      return Integers<arrow::UInt8Type>(type, cells);
    case DType::kUint16:
      return Integers<arrow::UInt16Type>(type, cells);
    case DType::kUint32:
      return Integers<arrow::UInt32Type>(type, cells);
    case DType::kUint64:
      return Integers<arrow::UInt64Type>(type, cells);
    case DType::kFloat32:
      return Build(type, arrow::FloatBuilder(), cells, ParseFloat32);
    case DType::kFloat64:
      return Build(type, arrow::DoubleBuilder(), cells, ParseFloat64);
    case DType::kBool:
      return Build(type, arrow::BooleanBuilder(), cells, [](const std::string& text) {
        return std::optional<bool>(text == "true");
      });
    case DType::kDate:
      return Build(type, arrow::Date32Builder(), cells, ParseDate);
    case DType::kTime:
      return Build(type,
                   arrow::Time64Builder(ArrowType(type), arrow::default_memory_pool()),
                   cells, ParseTime);
    case DType::kTimestamp:
    case DType::kTimestampTz:
      return Build(type,
                   arrow::TimestampBuilder(ArrowType(type), arrow::default_memory_pool()),
                   cells, [&](const std::string& text) {
                     return ParseTimestamp(text, type.nanoseconds, OffsetRule::kOptional);
                   });
    case DType::kDecimal:
      if (type.precision == 0) return Build(type, arrow::StringBuilder(), cells, Same);
      if (type.precision <= 38) {
        return Decimals<arrow::Decimal128Builder, arrow::Decimal128>(type, cells);
      }
      return Decimals<arrow::Decimal256Builder, arrow::Decimal256>(type, cells);
    case DType::kBinary:
      return Build(type, arrow::BinaryBuilder(), cells, ParseBase64);
    case DType::kArray:
      if (type.element) return Lists(type, cells);
      [[fallthrough]];
    case DType::kString:
    case DType::kJson:
    case DType::kObject:
      return Build(type, arrow::StringBuilder(), cells, Same);
  }
  return Bad(type, "");
}

arrow::Result<std::vector<Cell>> CellsOf(const arrow::Array& array,
                                         const FieldType& type) {
  std::vector<Cell> cells;
  for (int64_t row = 0; row < array.length(); ++row) {
    if (array.IsNull(row)) {
      cells.emplace_back(std::nullopt);
      continue;
    }
    ARROW_ASSIGN_OR_RAISE(auto text, TextAt(array, row, type));
    cells.emplace_back(std::move(text));
  }
  return cells;
}

arrow::Result<std::vector<Cell>> NormalForm(const FieldType& type,
                                            const std::vector<Cell>& cells) {
  ARROW_ASSIGN_OR_RAISE(const auto array, ArrayOf(type, cells));
  return CellsOf(*array, type);
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> BatchOf(const StreamSchema& schema,
                                                           const Rows& rows) {
  arrow::ArrayVector arrays;
  for (size_t i = 0; i < schema.fields.size(); ++i) {
    std::vector<Cell> cells;
    for (const auto& row : rows) cells.push_back(row[i]);
    ARROW_ASSIGN_OR_RAISE(auto array, ArrayOf(schema.fields[i].type, cells));
    arrays.push_back(std::move(array));
  }
  return arrow::RecordBatch::Make(ArrowSchema(schema), static_cast<int64_t>(rows.size()),
                                  std::move(arrays));
}

Rows Sorted(Rows rows) {
  std::sort(rows.begin(), rows.end());
  return rows;
}

arrow::Result<Rows> SortedRows(const arrow::RecordBatch& batch) {
  Rows rows(static_cast<size_t>(batch.num_rows()));
  for (int i = 0; i < batch.num_columns(); ++i) {
    ARROW_ASSIGN_OR_RAISE(const auto type, FieldTypeOf(*batch.schema()->field(i)));
    ARROW_ASSIGN_OR_RAISE(auto cells, CellsOf(*batch.column(i), type));
    for (size_t row = 0; row < rows.size(); ++row)
      rows[row].push_back(std::move(cells[row]));
  }
  return Sorted(std::move(rows));
}

std::string TextOf(const Rows& rows) {
  std::string text;
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i)
      text += (i > 0 ? " | " : "") + row[i].value_or("NULL");
    text += "\n";
  }
  return text;
}

}  // namespace dxt::conformance
