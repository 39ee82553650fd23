#include "engine/run/canonical_values.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include <arrow/api.h>
#include <nlohmann/json.hpp>

namespace dxt {
namespace {

using Json = nlohmann::json;  // Its objects are sorted by key.

/// Builds the document with each number as a text of its own kind, since a double would
/// round it.
class NumbersAsText : public nlohmann::json_sax<Json> {
 public:
  Json&& Take() { return std::move(root_); }

  bool null() override { return Put(nullptr); }
  bool boolean(bool value) override { return Put(value); }
  bool number_integer(int64_t value) override { return Number(std::to_string(value)); }
  bool number_unsigned(uint64_t value) override { return Number(std::to_string(value)); }
  bool number_float(double, const std::string& text) override { return Number(text); }
  bool string(std::string& value) override { return Put("s" + value); }
  bool binary(Json::binary_t&) override { return false; }
  bool start_object(size_t) override { return Open(Json::object()); }
  bool key(std::string& key) override {
    key_.push_back(key);
    return true;
  }
  bool end_object() override { return Close(); }
  bool start_array(size_t) override { return Open(Json::array()); }
  bool end_array() override { return Close(); }
  bool parse_error(size_t, const std::string&, const Json::exception&) override {
    return false;
  }

 private:
  bool Number(const std::string& text) { return Put("n" + CanonicalNumber(text)); }
  bool Put(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (open_.back().is_array()) {
      open_.back().push_back(std::move(value));
    } else {
      open_.back()[key_.back()] = std::move(value);
      key_.pop_back();
    }
    return true;
  }
  bool Open(Json container) {
    open_.push_back(std::move(container));
    return true;
  }
  bool Close() {
    Json whole = std::move(open_.back());
    open_.pop_back();
    return Put(std::move(whole));
  }

  Json root_;
  std::vector<Json> open_;
  std::vector<std::string> key_;  ///< Of the values that are not complete yet.
};

template <typename Array, typename Builder>
arrow::Result<std::shared_ptr<arrow::Array>> CanonicalFloats(const arrow::Array& array) {
  const auto& values = static_cast<const Array&>(array);
  Builder builder;
  ARROW_RETURN_NOT_OK(builder.Reserve(values.length()));
  for (int64_t row = 0; row < values.length(); ++row) {
    if (values.IsNull(row)) {
      builder.UnsafeAppendNull();
      continue;
    }
    auto value = values.Value(row);
    if (value == 0) value = 0;
    if (std::isnan(value)) value = std::numeric_limits<decltype(value)>::quiet_NaN();
    builder.UnsafeAppend(value);
  }
  return builder.Finish();
}

template <typename Rewrite>
arrow::Result<std::shared_ptr<arrow::Array>> CanonicalTexts(const arrow::Array& array,
                                                            const Rewrite& rewrite) {
  const auto& values = static_cast<const arrow::StringArray&>(array);
  arrow::StringBuilder builder;
  for (int64_t row = 0; row < values.length(); ++row) {
    ARROW_RETURN_NOT_OK(values.IsNull(row)
                            ? builder.AppendNull()
                            : builder.Append(rewrite(values.GetView(row))));
  }
  return builder.Finish();
}

}  // namespace

std::string CanonicalNumber(std::string_view text) {
  const std::string_view whole = text;
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  int64_t exponent = 0;
  if (const size_t at = text.find_first_of("eE"); at != std::string_view::npos) {
    std::string_view power = text.substr(at + 1);
    if (power.starts_with('+')) power.remove_prefix(1);
    constexpr size_t kMostDigits = 17;
    const auto [end, error] =
        std::from_chars(power.data(), power.data() + power.size(), exponent);
    if (error != std::errc() || end != power.data() + power.size() ||
        power.size() > kMostDigits) {
      return std::string(whole);
    }
    text = text.substr(0, at);
  }
  std::string digits;
  bool after_point = false;
  for (const char c : text) {
    if (c == '.' && !after_point) {
      after_point = true;
    } else if (c >= '0' && c <= '9') {
      digits.push_back(c);
      if (after_point) --exponent;
    } else {
      return std::string(whole);
    }
  }
  if (digits.empty()) return std::string(whole);
  const size_t last = digits.find_last_not_of('0');
  if (last == std::string::npos) return "0";
  exponent += static_cast<int64_t>(digits.size() - last - 1);
  digits.resize(last + 1);
  digits.erase(0, digits.find_first_not_of('0'));
  return (negative ? "-" : "") + digits + "e" + std::to_string(exponent);
}

std::string CanonicalJson(std::string_view text) {
  NumbersAsText numbers;
  if (!Json::sax_parse(text, &numbers)) return std::string(text);
  return numbers.Take().dump(-1, ' ', false, Json::error_handler_t::replace);
}

arrow::Result<std::shared_ptr<arrow::Array>> CanonicalValues(
    const std::shared_ptr<arrow::Array>& array, const FieldType& type) {
  switch (array->type_id()) {
    case arrow::Type::FLOAT:
      return CanonicalFloats<arrow::FloatArray, arrow::FloatBuilder>(*array);
    case arrow::Type::DOUBLE:
      return CanonicalFloats<arrow::DoubleArray, arrow::DoubleBuilder>(*array);
    case arrow::Type::STRING:
      break;
    default:
      return array;
  }
  switch (type.dtype) {
    case DType::kDecimal:
      return CanonicalTexts(*array, CanonicalNumber);
    case DType::kJson:
    case DType::kArray:
    case DType::kObject:
      return CanonicalTexts(*array, CanonicalJson);
    default:
      return array;
  }
}

}  // namespace dxt
