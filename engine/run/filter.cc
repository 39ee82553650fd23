#include "engine/run/filter.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <type_traits>

#include <arrow/array.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/bit_util.h>

#include "base/error.h"
#include "connectors/sdk/cursor.h"
#include "connectors/sdk/value_text.h"

namespace dxt {
namespace {

/// One byte per row: does it still pass?
using Mask = std::vector<uint8_t>;
/// Clears the mask where the rows of an array fail.
using Predicate = std::function<void(const arrow::Array&, Mask*)>;

struct Step {
  int column = 0;
  Predicate predicate;
};

arrow::Status Invalid(std::string_view column, std::string_view value,
                      const FieldType& type) {
  return MakeError(ErrorClass::kConfig, "filter.invalid",
                   "'" + std::string(value) + "' cannot be compared with column '" +
                       std::string(column) + "' of type " + ToString(type));
}

template <typename T>
bool Compare(FilterOp op, const T& value, const T& bound) {
  switch (op) {
    case FilterOp::kEq:
      return value == bound;
    case FilterOp::kNe:
      return value != bound;
    case FilterOp::kGt:
      return value > bound;
    case FilterOp::kGte:
      return value >= bound;
    case FilterOp::kLt:
      return value < bound;
    case FilterOp::kLte:
      return value <= bound;
    default:
      return false;
  }
}

/// A predicate over values that `value_at(array, row)` gives, compared with `bounds`.
template <typename Bound, typename ValueAt>
Predicate Comparison(FilterOp op, std::vector<Bound> bounds, ValueAt value_at) {
  return [op, bounds = std::move(bounds), value_at](const arrow::Array& array,
                                                    Mask* mask) {
    const bool many = op == FilterOp::kIn || op == FilterOp::kNotIn;
    for (int64_t row = 0; row < array.length(); ++row) {
      uint8_t& pass = (*mask)[static_cast<size_t>(row)];
      if (!pass) continue;
      if (array.IsNull(row)) {
        pass = 0;
        continue;
      }
      const auto value = value_at(array, row);
      if (many) {
        const bool found = std::any_of(bounds.begin(), bounds.end(),
                                       [&](const auto& bound) { return value == bound; });
        pass = found == (op == FilterOp::kIn);
      } else {
        pass = Compare<std::decay_t<decltype(value)>>(op, value, bounds.front());
      }
    }
  };
}

template <typename ArrayType>
auto ArrayValue(const arrow::Array& array, int64_t row) {
  return static_cast<const ArrayType&>(array).Value(row);
}

/// Integers of any width compare as 128 bits, so that a bound may lie outside the type.
template <typename ArrayType>
Predicate IntegerComparison(FilterOp op, std::vector<__int128> bounds) {
  return Comparison<__int128>(
      op, std::move(bounds), [](const arrow::Array& array, int64_t row) {
        return static_cast<__int128>(ArrayValue<ArrayType>(array, row));
      });
}

arrow::Result<Predicate> Integers(FilterOp op, const FieldType& type,
                                  std::vector<__int128> bounds) {
  switch (type.dtype) {
    case DType::kInt8:
      return IntegerComparison<arrow::Int8Array>(op, std::move(bounds));
    case DType::kInt16:
      return IntegerComparison<arrow::Int16Array>(op, std::move(bounds));
    case DType::kInt32:
      return IntegerComparison<arrow::Int32Array>(op, std::move(bounds));
    case DType::kInt64:
      return IntegerComparison<arrow::Int64Array>(op, std::move(bounds));
    case DType::kUint8:
      return IntegerComparison<arrow::UInt8Array>(op, std::move(bounds));
    case DType::kUint16:
      return IntegerComparison<arrow::UInt16Array>(op, std::move(bounds));
    case DType::kUint32:
      return IntegerComparison<arrow::UInt32Array>(op, std::move(bounds));
    default:
      return IntegerComparison<arrow::UInt64Array>(op, std::move(bounds));
  }
}

/// Decimals compare as exact text, whatever their width.
Predicate Decimals(FilterOp op, const FieldType& type, std::vector<std::string> bounds) {
  return [op, type, bounds = std::move(bounds)](const arrow::Array& array, Mask* mask) {
    for (int64_t row = 0; row < array.length(); ++row) {
      uint8_t& pass = (*mask)[static_cast<size_t>(row)];
      if (!pass) continue;
      const auto text = array.IsNull(row)
                            ? arrow::Result<std::string>(arrow::Status::Invalid(""))
                            : CursorText(array, row, type);
      if (!text.ok()) {  // NULL, and NaN and infinity of undeclared decimals.
        pass = !array.IsNull(row) && (op == FilterOp::kNe || op == FilterOp::kNotIn);
        continue;
      }
      const auto order = [&](const std::string& bound) {
        return CompareCursors(*text, bound, type);
      };
      if (op == FilterOp::kIn || op == FilterOp::kNotIn) {
        const bool found =
            std::any_of(bounds.begin(), bounds.end(),
                        [&](const auto& bound) { return order(bound) == 0; });
        pass = found == (op == FilterOp::kIn);
      } else {
        pass = Compare(op, order(bounds.front()), 0);
      }
    }
  };
}

/// Reads every bound with `parse`, or names the one that is none.
template <typename Bound, typename Parse>
arrow::Result<std::vector<Bound>> Bounds(std::string_view column, const FieldType& type,
                                         const std::vector<std::string>& texts,
                                         Parse parse) {
  std::vector<Bound> bounds;
  for (const auto& text : texts) {
    const auto value = parse(text);
    if (!value) return Invalid(column, text, type);
    bounds.push_back(static_cast<Bound>(*value));
  }
  return bounds;
}

std::optional<__int128> ParseWhole(std::string_view text) {
  const auto number = ParseDecimalText(text);
  if (!number || number->scale != 0 || number->digits.size() > 37) return std::nullopt;
  __int128 value = 0;
  for (const char digit : number->digits) value = value * 10 + (digit - '0');
  return number->negative ? -value : value;
}

std::optional<bool> ParseTruth(std::string_view text) {
  const auto value = ParseBoolean(text);
  if (value) return value;
  if (text == "1" || text == "0") return text == "1";
  return std::nullopt;
}

template <typename ArrayType, typename Bound, typename Parse>
arrow::Result<Predicate> Simple(std::string_view column, FilterOp op,
                                const FieldType& type,
                                const std::vector<std::string>& texts, Parse parse) {
  ARROW_ASSIGN_OR_RAISE(auto bounds, Bounds<Bound>(column, type, texts, parse));
  return Comparison<Bound>(op, std::move(bounds), ArrayValue<ArrayType>);
}

arrow::Result<Predicate> MakePredicate(std::string_view column, FilterOp op,
                                       const FieldType& type,
                                       const std::vector<std::string>& texts) {
  if (texts.empty()) return Invalid(column, "", type);
  switch (type.dtype) {
    case DType::kFloat32:
      return Simple<arrow::FloatArray, float>(column, op, type, texts, ParseFloat32);
    case DType::kFloat64:
      return Simple<arrow::DoubleArray, double>(column, op, type, texts, ParseFloat64);
    case DType::kBool:
      return Simple<arrow::BooleanArray, char>(column, op, type, texts, ParseTruth);
    case DType::kDate:
      return Simple<arrow::Date32Array, int32_t>(column, op, type, texts, ParseDate);
    case DType::kTime:
      return Simple<arrow::Time64Array, int64_t>(column, op, type, texts, ParseTime);
    case DType::kTimestamp:
    case DType::kTimestampTz:
      return Simple<arrow::TimestampArray, int64_t>(
          column, op, type, texts, [&](std::string_view text) {
            return ParseTimestamp(text, type.nanoseconds,
                                  type.dtype == DType::kTimestampTz
                                      ? OffsetRule::kOptional
                                      : OffsetRule::kForbidden);
          });
    case DType::kString:
    case DType::kJson:
      return Comparison<std::string>(
          op, texts, [](const arrow::Array& array, int64_t row) {
            return static_cast<const arrow::StringArray&>(array).GetView(row);
          });
    case DType::kDecimal: {
      ARROW_ASSIGN_OR_RAISE(
          auto bounds,
          Bounds<std::string>(column, type, texts, [](std::string_view text) {
            return ParseDecimalText(text) ? std::optional<std::string>(text)
                                          : std::nullopt;
          }));
      return Decimals(op, type, std::move(bounds));
    }
    case DType::kBinary:
    case DType::kArray:
    case DType::kObject:
      return MakeError(ErrorClass::kConfig, "filter.invalid",
                       "Column '" + std::string(column) + "' of type " + ToString(type) +
                           " cannot be filtered by value");
    default: {
      ARROW_ASSIGN_OR_RAISE(auto bounds,
                            Bounds<__int128>(column, type, texts, ParseWhole));
      return Integers(op, type, std::move(bounds));
    }
  }
}

/// The cursor's range with its NULL policy, over the bounds' own predicates.
Predicate Range(std::vector<Predicate> bounds, bool include_null) {
  return
      [bounds = std::move(bounds), include_null](const arrow::Array& array, Mask* mask) {
        Mask before;
        if (include_null) before = *mask;
        for (const auto& bound : bounds) bound(array, mask);
        for (int64_t row = 0; row < array.length(); ++row) {
          if (!array.IsNull(row)) continue;
          const auto at = static_cast<size_t>(row);
          (*mask)[at] = include_null ? before[at] : 0;
        }
      };
}

class SteppedFilter : public RowFilter {
 public:
  explicit SteppedFilter(std::vector<Step> steps) : steps_(std::move(steps)) {}

  bool empty() const override { return steps_.empty(); }

  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Apply(
      const std::shared_ptr<arrow::RecordBatch>& batch) const override {
    if (steps_.empty() || batch->num_rows() == 0) return batch;
    const auto rows = static_cast<size_t>(batch->num_rows());
    const Mask mask = Passing(*batch);
    const auto kept = std::count(mask.begin(), mask.end(), 1);
    if (kept == batch->num_rows()) return batch;
    if (kept == 0) return batch->Slice(0, 0);
    ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> bits,
                          arrow::AllocateEmptyBitmap(batch->num_rows()));
    for (size_t row = 0; row < rows; ++row) {
      if (mask[row])
        arrow::bit_util::SetBit(bits->mutable_data(), static_cast<int64_t>(row));
    }
    const arrow::BooleanArray selected(batch->num_rows(), bits);
    ARROW_ASSIGN_OR_RAISE(
        const auto filtered,
        arrow::compute::Filter(arrow::Datum(batch), arrow::Datum(selected.data())));
    return filtered.record_batch();
  }

  Mask Passing(const arrow::RecordBatch& batch) const override {
    Mask mask(static_cast<size_t>(batch.num_rows()), 1);
    for (const auto& step : steps_) step.predicate(*batch.column(step.column), &mask);
    return mask;
  }

 private:
  const std::vector<Step> steps_;
};

arrow::Status NotRead(std::string_view column) {
  return MakeError(ErrorClass::kConfig, "filter.column_missing",
                   "Column '" + std::string(column) + "' is filtered by, but not read");
}

}  // namespace

std::vector<std::string> RowFilter::RequiredColumns(const ReadSpec& spec) {
  std::vector<std::string> columns;
  const auto add = [&](const std::string& column) {
    if (column.empty()) return;
    if (std::find(columns.begin(), columns.end(), column) == columns.end()) {
      columns.push_back(column);
    }
  };
  for (const auto& filter : spec.filters) add(filter.column);
  if (spec.cursor) add(spec.cursor->column);
  return columns;
}

arrow::Result<std::unique_ptr<RowFilter>> RowFilter::Make(const ReadSpec& spec) {
  std::vector<Step> steps;
  for (const auto& filter : spec.filters) {
    const auto read = std::find_if(
        spec.columns.begin(), spec.columns.end(), [&](const ColumnRead& column) {
          return column.expression.empty() && column.column == filter.column;
        });
    if (read == spec.columns.end()) return NotRead(filter.column);
    ARROW_ASSIGN_OR_RAISE(auto predicate, MakePredicate(filter.column, filter.op,
                                                        read->type, filter.values));
    steps.push_back(
        {static_cast<int>(read - spec.columns.begin()), std::move(predicate)});
  }
  if (spec.cursor) {
    const CursorRange& cursor = *spec.cursor;
    const auto read = std::find_if(
        spec.columns.begin(), spec.columns.end(),
        [&](const ColumnRead& column) { return column.name == cursor.name; });
    if (read == spec.columns.end()) return NotRead(cursor.name);
    std::vector<Predicate> bounds;
    const auto add = [&](FilterOp op, const std::string& text) -> arrow::Status {
      ARROW_ASSIGN_OR_RAISE(auto bound,
                            MakePredicate(cursor.name, op, read->type, {text}));
      bounds.push_back(std::move(bound));
      return arrow::Status::OK();
    };
    if (cursor.lower) {
      ARROW_RETURN_NOT_OK(
          add(cursor.lower_inclusive ? FilterOp::kGte : FilterOp::kGt, *cursor.lower));
    }
    if (cursor.upper) ARROW_RETURN_NOT_OK(add(FilterOp::kLt, *cursor.upper));
    if (!bounds.empty() || !cursor.include_null) {
      steps.push_back({static_cast<int>(read - spec.columns.begin()),
                       Range(std::move(bounds), cursor.include_null)});
    }
  }
  return std::make_unique<SteppedFilter>(std::move(steps));
}

}  // namespace dxt
