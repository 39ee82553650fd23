#include "engine/run/value_mender.h"

#include <algorithm>
#include <limits>
#include <optional>

#include <arrow/api.h>
#include <arrow/compute/api.h>
#include <arrow/util/decimal.h>
#include <simdjson.h>

#include "base/error.h"
#include "connectors/sdk/value_text.h"
#include "engine/plan/convert_kernels.h"

namespace dxt {
namespace {

using Array = std::shared_ptr<arrow::Array>;

/// A failing step stops at its first row but may look at all of them before, so it is
/// repeated over few rows.
constexpr int64_t kRowsAtATime = 256;
/// A text may hold U+0000, then be too long, then be no number.
constexpr int kMostRounds = 4;

bool IsText(const arrow::Array& array) {
  return array.type_id() == arrow::Type::STRING || array.type_id() == arrow::Type::BINARY;
}

/// The bytes of one UTF-8 character at the front of `text`, 0 where there is none.
size_t CharacterBytes(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const size_t bytes = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (bytes > text.size()) return 0;
  return simdjson::validate_utf8(text.data(), bytes) ? bytes : 0;
}

std::string WithoutInvalidUtf8(std::string_view text) {
  std::string kept;
  while (!text.empty()) {
    const size_t bytes = CharacterBytes(text);
    kept += text.substr(0, bytes);
    text.remove_prefix(std::max<size_t>(bytes, 1));
  }
  return kept;
}

/// Without U+0000, and in JSON without its escape.
std::string WithoutNul(std::string_view text, bool json) {
  constexpr std::string_view kEscape = "\\u0000";
  std::string kept;
  while (!text.empty()) {
    size_t bytes = 1;
    if (json && text.starts_with(kEscape)) {
      text.remove_prefix(kEscape.size());
      continue;
    }
    // A backslash hides what is behind it: "\\u0000" is a backslash and six characters.
    if (json && text[0] == '\\' && text.size() > 1) bytes = 2;
    if (text[0] != '\0') kept += text.substr(0, bytes);
    text.remove_prefix(bytes);
  }
  return kept;
}

std::string Cut(std::string_view text, const ValueDomain& domain, bool characters) {
  size_t end = 0;
  for (int64_t count = 0; end < text.size(); ++count) {
    if (domain.max_characters > 0 && count == domain.max_characters) break;
    const size_t bytes =
        characters ? std::max<size_t>(CharacterBytes(text.substr(end)), 1) : 1;
    if (domain.max_bytes > 0 && end + bytes > static_cast<size_t>(domain.max_bytes)) {
      break;
    }
    end += bytes;
  }
  return std::string(text.substr(0, end));
}

int64_t PowerOfTen(int digits) {
  int64_t power = 1;
  for (int i = 0; i < digits; ++i) power *= 10;
  return power;
}

template <typename T>
arrow::Result<std::shared_ptr<arrow::Scalar>> Extreme(
    const std::shared_ptr<arrow::DataType>& type, bool low) {
  using Limits = std::numeric_limits<T>;
  return arrow::MakeScalar(type, low ? Limits::lowest() : Limits::max());
}

/// The first or the last value of a date or timestamp column, in its own unit. The type's
/// extremes stand for ±infinity.
arrow::Result<std::shared_ptr<arrow::Scalar>> ExtremeTime(
    const std::shared_ptr<arrow::DataType>& type, const ValueDomain& domain, bool low) {
  if (type->id() == arrow::Type::DATE32) {
    constexpr int64_t kMin = std::numeric_limits<int32_t>::min() + 1;
    constexpr int64_t kMax = std::numeric_limits<int32_t>::max() - 1;
    const int64_t day = low ? domain.first_day : domain.last_day;
    return arrow::MakeScalar(type, static_cast<int32_t>(std::clamp(day, kMin, kMax)));
  }
  const int unit_digits = domain.deliver.nanoseconds ? 9 : 6;
  const int64_t step =
      PowerOfTen(std::max(unit_digits - static_cast<int>(domain.fraction_digits), 0));
  const int64_t per_day = 86400 * PowerOfTen(unit_digits);
  if (type->id() == arrow::Type::TIME64) return arrow::MakeScalar(type, per_day - step);
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min() + 1;
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max() - 1;
  const __int128 wanted =
      low ? static_cast<__int128>(domain.first_day) * per_day
          : (static_cast<__int128>(domain.last_day) + 1) * per_day - step;
  int64_t value = wanted < kMin   ? kMin
                  : wanted > kMax ? kMax
                                  : static_cast<int64_t>(wanted);
  value -= value % step;
  return arrow::MakeScalar(type, value);
}

std::string ExtremeDecimalText(const ValueDomain& domain, bool low) {
  std::string text = (low ? "-" : "") + std::string(domain.max_integer_digits, '9');
  if (domain.max_fraction_digits > 0) {
    text += "." + std::string(domain.max_fraction_digits, '9');
  }
  return text;
}

template <typename Decimal>
arrow::Result<std::shared_ptr<arrow::Scalar>> ExtremeDecimal(
    const std::shared_ptr<arrow::DataType>& type, bool low) {
  const auto& decimal = static_cast<const arrow::DecimalType&>(*type);
  Decimal value = Decimal::GetMaxValue(decimal.precision());
  if (low) value.Negate();
  return arrow::MakeScalar(type, value);
}

/// The nearest value of a column to all that lie beyond it.
arrow::Result<std::shared_ptr<arrow::Scalar>> Nearest(
    const std::shared_ptr<arrow::DataType>& type, const ValueDomain& domain, bool low) {
  switch (type->id()) {
    case arrow::Type::INT8:
      return Extreme<int8_t>(type, low);
    case arrow::Type::INT16:
      return Extreme<int16_t>(type, low);
    case arrow::Type::INT32:
      return Extreme<int32_t>(type, low);
    case arrow::Type::INT64:
      return Extreme<int64_t>(type, low);
    case arrow::Type::UINT8:
      return Extreme<uint8_t>(type, low);
    case arrow::Type::UINT16:
      return Extreme<uint16_t>(type, low);
    case arrow::Type::UINT32:
      return Extreme<uint32_t>(type, low);
    case arrow::Type::UINT64:
      return arrow::MakeScalar(type, low ? uint64_t{0} : domain.max_unsigned);
    case arrow::Type::FLOAT:
      return Extreme<float>(type, low);
    case arrow::Type::DOUBLE:
      return Extreme<double>(type, low);
    case arrow::Type::DECIMAL128:
      return ExtremeDecimal<arrow::Decimal128>(type, low);
    case arrow::Type::DECIMAL256:
      return ExtremeDecimal<arrow::Decimal256>(type, low);
    case arrow::Type::STRING:
      return arrow::MakeScalar(ExtremeDecimalText(domain, low));
    default:
      return ExtremeTime(type, domain, low);
  }
}

}  // namespace

void ValueChanges::Count(const std::string& column, ValueKind kind, ValuePolicy policy,
                         int64_t values) {
  counts_[{column, kind, policy}] += values;
}

void ValueChanges::Add(const ValueChanges& others) {
  for (const auto& [what, values] : others.counts_) counts_[what] += values;
}

std::vector<ValueChanges::Entry> ValueChanges::Entries() const {
  std::vector<Entry> entries;
  for (const auto& [what, values] : counts_) {
    const auto& [column, kind, policy] = what;
    entries.push_back({column, kind, policy, values});
  }
  return entries;
}

std::vector<std::string> ValueChanges::Messages() const {
  std::vector<std::string> messages;
  for (const auto& [column, kind, policy, values] : Entries()) {
    messages.push_back(std::to_string(values) + (values == 1 ? " value" : " values") +
                       " of column '" + column + "' did not fit (" +
                       std::string(ValueKindName(kind)) +
                       "); load.values: " + std::string(ValuePolicyName(policy)));
  }
  return messages;
}

ValueMender::ValueMender(const ValuePolicies& policies, Field from, ValueDomain domain)
    : policies_(policies), from_(std::move(from)), domain_(std::move(domain)) {}

arrow::Result<Array> ValueMender::Apply(const Array& array, const Step& step,
                                        int64_t* bad_row, ValueChanges* changes) const {
  auto made = step(array, bad_row);
  if (made.ok() || !policies_.changes_values()) return made;
  Mendings all;
  Array input = array;
  for (int round = 0; round < kMostRounds && !made.ok(); ++round) {
    Mendings found;
    ARROW_RETURN_NOT_OK(Find(input, step, bad_row, &found));
    if (found.empty()) return made;
    ARROW_ASSIGN_OR_RAISE(input, Mended(input, found));
    for (const auto& [row, mending] : found) all.insert_or_assign(row, mending);
    made = step(input, bad_row);
  }
  if (!made.ok()) return made;
  for (const auto& [row, mending] : all) {
    changes->Count(from_.name, mending.kind, mending.policy);
  }
  return Clamped(*made, *array, all);
}

arrow::Status ValueMender::Find(const Array& array, const Step& step, int64_t* bad_row,
                                Mendings* found) const {
  for (int64_t at = 0; at < array->length();) {
    int64_t row = -1;
    const auto made = step(array->Slice(at, kRowsAtATime), &row);
    if (made.ok()) {
      at += kRowsAtATime;
      continue;
    }
    if (row < 0) return made.status();
    const auto kind = ValueKindOf(GetErrorInfo(made.status()).code);
    const auto policy = kind ? policies_.For(*kind) : ValuePolicy::kFail;
    const bool fails = policy == ValuePolicy::kFail ||
                       policy == ValuePolicy::kQuarantine ||
                       (policy == ValuePolicy::kClamp && !CanClamp(*kind));
    if (fails) {
      if (bad_row) *bad_row = at + row;
      return made.status();
    }
    found->emplace(at + row, Mending{*kind, policy});
    at += row + 1;
  }
  return arrow::Status::OK();
}

bool ValueMender::CanClamp(ValueKind kind) const {
  const auto type = ArrowType(domain_.deliver);
  if (kind == ValueKind::kTooLong) return true;
  if (type->id() == arrow::Type::STRING) return domain_.max_integer_digits > 0;
  return arrow::is_numeric(type->id()) || arrow::is_decimal(type->id()) ||
         arrow::is_temporal(type->id());
}

std::string ValueMender::MendedText(std::string_view text, const Mending& mending) const {
  const DType dtype = domain_.deliver.dtype;
  if (mending.kind == ValueKind::kInvalidUtf8) return WithoutInvalidUtf8(text);
  if (mending.kind == ValueKind::kTooLong) {
    return Cut(text, domain_, dtype != DType::kBinary);
  }
  return WithoutNul(text, dtype == DType::kJson);
}

arrow::Result<Array> ValueMender::Mended(const Array& array,
                                         const Mendings& found) const {
  std::unique_ptr<arrow::ArrayBuilder> builder;
  ARROW_RETURN_NOT_OK(
      arrow::MakeBuilder(arrow::default_memory_pool(), array->type(), &builder));
  int64_t at = 0;
  for (const auto& [row, mending] : found) {
    ARROW_RETURN_NOT_OK(builder->AppendArraySlice(*array->data(), at, row - at));
    at = row + 1;
    const bool keeps_text = IsText(*array) && (mending.policy == ValuePolicy::kStrip ||
                                               mending.kind == ValueKind::kTooLong);
    if (!keeps_text || mending.policy == ValuePolicy::kNull) {
      ARROW_RETURN_NOT_OK(builder->AppendNull());
      continue;
    }
    const auto text = static_cast<const arrow::BinaryArray&>(*array).GetView(row);
    auto& texts = static_cast<arrow::BinaryBuilder&>(*builder);
    ARROW_RETURN_NOT_OK(texts.Append(MendedText(text, mending)));
  }
  ARROW_RETURN_NOT_OK(
      builder->AppendArraySlice(*array->data(), at, array->length() - at));
  return builder->Finish();
}

bool ValueMender::IsLow(const arrow::Array& original, int64_t row) const {
  switch (original.type_id()) {
    case arrow::Type::DATE32:
      return static_cast<const arrow::Date32Array&>(original).Value(row) < 0;
    case arrow::Type::TIMESTAMP:
      return static_cast<const arrow::TimestampArray&>(original).Value(row) < 0;
    default:
      std::string text;
      convert::AppendValue(original, row, from_.type, false, &text);
      return text.starts_with('-') || text.ends_with("BC");
  }
}

arrow::Result<Array> ValueMender::Clamped(const Array& array,
                                          const arrow::Array& original,
                                          const Mendings& made) const {
  std::shared_ptr<arrow::Scalar> nearest[2];
  std::unique_ptr<arrow::ArrayBuilder> builder;
  int64_t at = 0;
  for (const auto& [row, mending] : made) {
    if (mending.policy != ValuePolicy::kClamp || mending.kind == ValueKind::kTooLong) {
      continue;
    }
    if (!builder) {
      ARROW_RETURN_NOT_OK(
          arrow::MakeBuilder(arrow::default_memory_pool(), array->type(), &builder));
      for (const bool low : {false, true}) {
        ARROW_ASSIGN_OR_RAISE(nearest[low], Nearest(array->type(), domain_, low));
      }
    }
    ARROW_RETURN_NOT_OK(builder->AppendArraySlice(*array->data(), at, row - at));
    ARROW_RETURN_NOT_OK(builder->AppendScalar(*nearest[IsLow(original, row)]));
    at = row + 1;
  }
  if (!builder) return array;
  ARROW_RETURN_NOT_OK(
      builder->AppendArraySlice(*array->data(), at, array->length() - at));
  return builder->Finish();
}

}  // namespace dxt
