#include "engine/plan/convert.h"

#include <arrow/array.h>
#include <arrow/array/concatenate.h>
#include <arrow/json/from_string.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "engine/plan/exactness.h"
#include "tests/support/field_types.h"

namespace dxt {
namespace {

std::shared_ptr<arrow::Array> Rows(const FieldType& type, const std::string& json) {
  auto array = arrow::json::ArrayFromJSONString(ArrowType(type), json);
  EXPECT_TRUE(array.ok()) << ToString(type) << " " << json << array.status();
  return *array;
}

/// "same" when the conversion equals `expected`, else what came instead or "code@row".
std::string Converted(const FieldType& from, const FieldType& to, const std::string& json,
                      const std::string& expected, ConversionOptions options = {}) {
  const auto conversion = Conversion::Make({"c", from, true, {}}, to, options);
  if (!conversion.ok()) return GetErrorInfo(conversion.status()).code;
  // Behind an offset, with rows around that must not be looked at.
  const auto padded = arrow::Concatenate({Rows(from, "[null, null, null]"),
                                          Rows(from, json), Rows(from, "[null]")})
                          .ValueOrDie();
  const auto slice = padded->Slice(3, padded->length() - 4);
  int64_t row = -1;
  const auto array = (*conversion)->Apply(slice, &row);
  if (!array.ok()) {
    const ErrorInfo info = GetErrorInfo(array.status());
    EXPECT_EQ(info.column, "c");
    EXPECT_EQ(info.error_class, ErrorClass::kData);
    return info.code + "@" + std::to_string(row);
  }
  EXPECT_TRUE((*array)->ValidateFull().ok()) << (*array)->ValidateFull();
  if ((*conversion)->identity()) {
    EXPECT_EQ(array->get(), slice.get());
  }
  const auto wanted = Rows(to, expected);
  if ((*array)->Equals(wanted, arrow::EqualOptions::Defaults().nans_equal(true)))
    return "same";
  return (*array)->ToString();
}

#define EXPECT_CONVERTED(...) EXPECT_EQ(Converted(__VA_ARGS__), "same")

const std::string kFull = "value.out_of_range@";
const std::string kInexact = "value.inexact@";
const std::string kText = "value.invalid_text@";

TEST(Convert, TheSameTypeIsNoWork) {
  for (const auto& name : DTypeNames()) {
    const FieldType type = Of(*ParseDType(name));
    EXPECT_TRUE((*Conversion::Make({"c", type, true, {}}, type, {}))->identity()) << name;
  }
  EXPECT_TRUE(
      (*Conversion::Make({"c", Of(DType::kJson), true, {}}, Of(DType::kString), {}))
          ->identity());
  EXPECT_FALSE(
      (*Conversion::Make({"c", Of(DType::kString), true, {}}, Of(DType::kJson), {}))
          ->identity());
}

TEST(Convert, IntegersKeepTheirValueOrFail) {
  EXPECT_CONVERTED(Of(DType::kInt8), Of(DType::kInt64), "[-128, null]", "[-128, null]");
  EXPECT_CONVERTED(Of(DType::kInt64), Of(DType::kInt8), "[127, null]", "[127, null]");
  EXPECT_EQ(Converted(Of(DType::kInt64), Of(DType::kInt8), "[1, null, 128]", "[]"),
            kFull + "2");
  EXPECT_EQ(Converted(Of(DType::kInt64), Of(DType::kUint64), "[-1]", "[]"), kFull + "0");
  EXPECT_EQ(
      Converted(Of(DType::kUint64), Of(DType::kInt64), "[9223372036854775808]", "[]"),
      kFull + "0");
  EXPECT_EQ(Converted(Of(DType::kInt8), Of(DType::kUint32), "[-1]", "[]"), kFull + "0");
  EXPECT_CONVERTED(Of(DType::kUint64), Of(DType::kInt16), "[32767]", "[32767]");
}

TEST(Convert, IntegersBecomeFloatsOnlyExactly) {
  EXPECT_CONVERTED(Of(DType::kInt64), Of(DType::kFloat64),
                   "[9007199254740992, -9007199254740992, 9007199254740994, null, 0]",
                   "[9007199254740992, -9007199254740992, 9007199254740994, null, 0]");
  EXPECT_CONVERTED(Of(DType::kInt64), Of(DType::kFloat64), "[-9223372036854775808]",
                   "[-9223372036854775808]");
  EXPECT_EQ(Converted(Of(DType::kInt64), Of(DType::kFloat64), "[9007199254740993]", "[]"),
            kInexact + "0");
  EXPECT_EQ(
      Converted(Of(DType::kUint64), Of(DType::kFloat64), "[18446744073709551615]", "[]"),
      kInexact + "0");
  EXPECT_EQ(
      Converted(Of(DType::kInt32), Of(DType::kFloat32), "[16777216, 16777217]", "[]"),
      kInexact + "1");
  EXPECT_CONVERTED(Of(DType::kInt8), Of(DType::kFloat32), "[-128, 127]", "[-128, 127]");
}

TEST(Convert, FloatsBecomeIntegersOnlyWhenWhole) {
  EXPECT_CONVERTED(Of(DType::kFloat64), Of(DType::kInt32),
                   "[-2147483648, 2147483647, null]", "[-2147483648, 2147483647, null]");
  EXPECT_EQ(Converted(Of(DType::kFloat64), Of(DType::kInt32), "[1, 1.5]", "[]"),
            kInexact + "1");
  EXPECT_EQ(Converted(Of(DType::kFloat64), Of(DType::kInt32), "[2147483648]", "[]"),
            kFull + "0");
  EXPECT_EQ(
      Converted(Of(DType::kFloat64), Of(DType::kInt64), "[9223372036854775808]", "[]"),
      kFull + "0");
  EXPECT_EQ(Converted(Of(DType::kFloat64), Of(DType::kUint64), "[-1]", "[]"),
            kFull + "0");
  EXPECT_EQ(Converted(Of(DType::kFloat64), Of(DType::kInt8), "[NaN]", "[]"),
            "value.special_float@0");
}

TEST(Convert, FloatsNarrowOnlyExactly) {
  EXPECT_CONVERTED(Of(DType::kFloat32), Of(DType::kFloat64), "[0.5, NaN, null, Inf]",
                   "[0.5, NaN, null, Inf]");
  EXPECT_CONVERTED(Of(DType::kFloat64), Of(DType::kFloat32), "[0.5, NaN, -Inf]",
                   "[0.5, NaN, -Inf]");
  EXPECT_EQ(Converted(Of(DType::kFloat64), Of(DType::kFloat32), "[0.1]", "[]"),
            kInexact + "0");
  EXPECT_EQ(Converted(Of(DType::kFloat64), Of(DType::kFloat32), "[1e300]", "[]"),
            kFull + "0");
  EXPECT_EQ(Converted(Of(DType::kFloat64), Of(DType::kFloat32), "[1e-300]", "[]"),
            kInexact + "0");
}

TEST(Convert, IntegersBecomeDecimals) {
  EXPECT_CONVERTED(Of(DType::kInt64), Of(DType::kDecimal, 9, 2), "[9999999, -1, null]",
                   R"(["9999999.00", "-1.00", null])");
  EXPECT_EQ(Converted(Of(DType::kInt64), Of(DType::kDecimal, 9, 2), "[10000000]", "[]"),
            kFull + "0");
  EXPECT_CONVERTED(Of(DType::kUint64), Of(DType::kDecimal, 20, 0),
                   "[18446744073709551615]", R"(["18446744073709551615"])");
  EXPECT_CONVERTED(Of(DType::kInt64), Of(DType::kDecimal, 70, 30), "[-7]",
                   R"(["-7.000000000000000000000000000000"])");
  EXPECT_CONVERTED(Of(DType::kInt64), Of(DType::kDecimal), "[-7, null]",
                   R"(["-7", null])");
  EXPECT_EQ(Converted(Of(DType::kInt8), Of(DType::kDecimal, 3, 3), "[0, 1]", "[]"),
            kFull + "1");
}

TEST(Convert, DecimalsChangeScaleOnlyExactly) {
  const auto narrow = Of(DType::kDecimal, 10, 4);
  EXPECT_CONVERTED(narrow, Of(DType::kDecimal, 12, 6), R"(["-1.2345", null])",
                   R"(["-1.234500", null])");
  EXPECT_CONVERTED(narrow, Of(DType::kDecimal, 10, 2), R"(["1.2300", "-0.0000"])",
                   R"(["1.23", "0.00"])");
  EXPECT_EQ(
      Converted(narrow, Of(DType::kDecimal, 10, 2), R"(["1.2300", "1.2301"])", "[]"),
      kInexact + "1");
  EXPECT_EQ(
      Converted(narrow, Of(DType::kDecimal, 4, 2), R"(["99.9900", "100.0000"])", "[]"),
      kFull + "1");
  EXPECT_CONVERTED(narrow, Of(DType::kDecimal, 20, 4), R"(["1.2345"])", R"(["1.2345"])");
}

TEST(Convert, TheWidestDecimalsDoNotWrap) {
  const auto whole = Of(DType::kDecimal, 38, 0);
  const std::string nines(38, '9');
  const std::string row = "[\"" + nines + "\"]", minus = "[\"-" + nines + "\"]";
  EXPECT_EQ(Converted(whole, Of(DType::kDecimal, 38, 10), row, "[]"), kFull + "0");
  EXPECT_EQ(Converted(whole, Of(DType::kDecimal, 38, 38), minus, "[]"), kFull + "0");
  EXPECT_CONVERTED(whole, Of(DType::kDecimal, 76, 38), minus,
                   "[\"-" + nines + "." + std::string(38, '0') + "\"]");
  EXPECT_CONVERTED(Of(DType::kDecimal, 76, 38), whole,
                   "[\"" + nines + "." + std::string(38, '0') + "\"]", row);
  EXPECT_EQ(Converted(Of(DType::kDecimal, 76, 38), whole,
                      "[\"1." + std::string(37, '0') + "1\"]", "[]"),
            kInexact + "0");
  const std::string most(76, '9');
  EXPECT_EQ(Converted(Of(DType::kDecimal, 76, 0), Of(DType::kDecimal, 76, 1),
                      "[\"" + most + "\"]", "[]"),
            kFull + "0");
}

TEST(Convert, DecimalsBecomeIntegersOnlyWhenWhole) {
  const auto decimal = Of(DType::kDecimal, 22, 2);
  EXPECT_CONVERTED(decimal, Of(DType::kInt64),
                   R"(["9223372036854775807.00", "-9223372036854775808.00", null])",
                   "[9223372036854775807, -9223372036854775808, null]");
  EXPECT_EQ(Converted(decimal, Of(DType::kInt64), R"(["9223372036854775808.00"])", "[]"),
            kFull + "0");
  EXPECT_EQ(Converted(decimal, Of(DType::kInt64), R"(["1.00", "1.50"])", "[]"),
            kInexact + "1");
  EXPECT_EQ(Converted(decimal, Of(DType::kUint8), R"(["-1.00"])", "[]"), kFull + "0");
  EXPECT_CONVERTED(Of(DType::kDecimal, 60, 1), Of(DType::kUint64),
                   R"(["18446744073709551615.0"])", "[18446744073709551615]");
  EXPECT_EQ(Converted(Of(DType::kDecimal, 60, 1), Of(DType::kUint64),
                      R"(["18446744073709551616.0"])", "[]"),
            kFull + "0");
  EXPECT_EQ(Converted(Of(DType::kDecimal, 60, 1), Of(DType::kInt64),
                      "[\"" + std::string(55, '9') + ".0\"]", "[]"),
            kFull + "0");
}

TEST(Convert, UndeclaredDecimalsAreReadAsNumbers) {
  const auto number = Of(DType::kDecimal);
  EXPECT_CONVERTED(number, Of(DType::kDecimal, 9, 2), R"(["1", "1.50", "15e-1", null])",
                   R"(["1.00", "1.50", "1.50", null])");
  EXPECT_EQ(Converted(number, Of(DType::kDecimal, 9, 2), R"(["1.005"])", "[]"),
            kInexact + "0");
  EXPECT_EQ(Converted(number, Of(DType::kDecimal, 38, 9), R"(["NaN"])", "[]"),
            "value.special_float@0");
  EXPECT_CONVERTED(number, Of(DType::kInt32), R"(["5.0", "-3"])", "[5, -3]");
  EXPECT_EQ(Converted(number, Of(DType::kInt32), R"(["5.5"])", "[]"), kInexact + "0");
  EXPECT_CONVERTED(number, Of(DType::kString), R"(["5.50", "NaN"])",
                   R"(["5.50", "NaN"])");
}

TEST(Convert, FloatsAndDecimalsMeetInTheirShortestText) {
  EXPECT_CONVERTED(Of(DType::kFloat64), Of(DType::kDecimal, 9, 2), "[0.1, -1.25, null]",
                   R"(["0.10", "-1.25", null])");
  EXPECT_EQ(Converted(Of(DType::kFloat64), Of(DType::kDecimal, 9, 2), "[0.125]", "[]"),
            kInexact + "0");
  EXPECT_EQ(Converted(Of(DType::kFloat64), Of(DType::kDecimal, 9, 2), "[Inf]", "[]"),
            "value.special_float@0");
  EXPECT_CONVERTED(Of(DType::kDecimal, 20, 2), Of(DType::kFloat64),
                   R"(["0.10", "12345.67"])", "[0.1, 12345.67]");
  EXPECT_EQ(Converted(Of(DType::kDecimal, 20, 2), Of(DType::kFloat64),
                      R"(["123456789012345678.91"])", "[]"),
            kInexact + "0");
}

TEST(Convert, EverythingHasOneText) {
  const auto text = Of(DType::kString);
  EXPECT_CONVERTED(Of(DType::kUint64), text, "[18446744073709551615, null]",
                   R"(["18446744073709551615", null])");
  EXPECT_CONVERTED(Of(DType::kFloat32), text, "[0.1, NaN, -Inf]",
                   R"(["0.1", "NaN", "-Infinity"])");
  EXPECT_CONVERTED(Of(DType::kDecimal, 5, 2), text, R"(["-0.05"])", R"(["-0.05"])");
  EXPECT_CONVERTED(Of(DType::kBool), text, "[true, false, null]",
                   R"(["true", "false", null])");
  EXPECT_CONVERTED(Of(DType::kDate), text, "[0, 2147483647]",
                   R"(["1970-01-01", "infinity"])");
  EXPECT_CONVERTED(Of(DType::kTime), text, "[1]", R"(["00:00:00.000001"])");
  EXPECT_CONVERTED(Nano(DType::kTimestamp), text, "[1]",
                   R"(["1970-01-01 00:00:00.000000001"])");
  EXPECT_CONVERTED(Of(DType::kTimestampTz), text, "[0]",
                   R"(["1970-01-01 00:00:00.000000+00:00"])");
  EXPECT_CONVERTED(ListOf(Of(DType::kString)), text, R"([["a\"", null], [], null])",
                   R"(["[\"a\\\"\",null]", "[]", null])");
  EXPECT_EQ(Converted(Of(DType::kBinary), text, "[]", "[]"), "type.no_conversion");
}

TEST(Convert, TextIsParsedStrictly) {
  const auto text = Of(DType::kString);
  EXPECT_CONVERTED(text, Of(DType::kInt16), R"(["-32768", null, "007"])",
                   "[-32768, null, 7]");
  for (const char* bad :
       {R"([""])", R"([" 1"])", R"(["1.0"])", R"(["1e3"])", R"(["0x10"])"}) {
    EXPECT_EQ(Converted(text, Of(DType::kInt64), bad, "[]"), kText + "0") << bad;
  }
  EXPECT_EQ(Converted(text, Of(DType::kInt8), R"(["1", "128"])", "[]"), kFull + "1");
  EXPECT_EQ(Converted(text, Of(DType::kUint8), R"(["-1"])", "[]"), kText + "0");
  EXPECT_CONVERTED(text, Of(DType::kFloat64), R"(["0.1", "NaN", "-Infinity"])",
                   "[0.1, NaN, -Inf]");
  EXPECT_CONVERTED(text, Of(DType::kDecimal, 9, 2), R"(["1.5", null])",
                   R"(["1.50", null])");
  EXPECT_EQ(Converted(text, Of(DType::kDecimal, 9, 2), R"(["1.555"])", "[]"),
            kInexact + "0");
  EXPECT_EQ(Converted(text, Of(DType::kDecimal, 9, 2), R"(["12345678.00"])", "[]"),
            kFull + "0");
  EXPECT_CONVERTED(text, Of(DType::kDecimal), R"(["1.500", "NaN"])",
                   R"(["1.500", "NaN"])");
  EXPECT_EQ(Converted(text, Of(DType::kDecimal), R"(["one"])", "[]"), kText + "0");
  EXPECT_CONVERTED(text, Of(DType::kBool), R"(["true", "f", "1", null])",
                   "[true, false, true, null]");
  EXPECT_EQ(Converted(text, Of(DType::kBool), R"(["maybe"])", "[]"), kText + "0");
  EXPECT_CONVERTED(text, Of(DType::kDate), R"(["1970-01-02"])", "[1]");
  EXPECT_EQ(Converted(text, Of(DType::kDate), R"(["02.01.1970"])", "[]"), kText + "0");
  EXPECT_CONVERTED(text, Of(DType::kTimestamp), R"(["1970-01-01T00:00:01"])",
                   "[1000000]");
  EXPECT_EQ(Converted(text, Of(DType::kTimestamp), R"(["1970-01-01T00:00:01Z"])", "[]"),
            kText + "0");
  EXPECT_CONVERTED(text, Of(DType::kTimestampTz), R"(["1970-01-01T01:00:00+01:00"])",
                   "[0]");
  EXPECT_CONVERTED(text, Of(DType::kBinary), R"(["abc", null])", R"(["abc", null])");
  EXPECT_CONVERTED(text, Of(DType::kJson), R"(["{\"a\": 1}", null])",
                   R"(["{\"a\": 1}", null])");
  EXPECT_EQ(Converted(text, Of(DType::kJson), R"(["1", "{a:1}"])", "[]"), kText + "1");
}

TEST(Convert, DatesAndTimestamps) {
  EXPECT_CONVERTED(Of(DType::kDate), Of(DType::kTimestamp), "[1, -1, null, 2147483647]",
                   "[86400000000, -86400000000, null, 9223372036854775807]");
  EXPECT_EQ(Converted(Of(DType::kDate), Of(DType::kTimestamp), "[0, 2000000000]", "[]"),
            kFull + "1");
  EXPECT_CONVERTED(Of(DType::kTimestamp), Of(DType::kDate),
                   "[-86400000000, null, -9223372036854775808]",
                   "[-1, null, -2147483648]");
  EXPECT_EQ(Converted(Of(DType::kTimestamp), Of(DType::kDate), "[1]", "[]"),
            kInexact + "0");
  EXPECT_CONVERTED(Nano(DType::kTimestamp), Of(DType::kTimestamp), "[-1000, null]",
                   "[-1, null]");
  EXPECT_EQ(Converted(Nano(DType::kTimestamp), Of(DType::kTimestamp), "[1001]", "[]"),
            kInexact + "0");
  EXPECT_CONVERTED(Of(DType::kTimestamp), Nano(DType::kTimestamp),
                   "[1, 9223372036854775807]", "[1000, 9223372036854775807]");
  EXPECT_EQ(Converted(Of(DType::kTimestamp), Nano(DType::kTimestamp),
                      "[9223372036854776]", "[]"),
            kFull + "0");
}

TEST(Convert, ZonesAreCrossedThroughTheFieldsTimeZone) {
  ConversionOptions berlin;
  berlin.timezone = "Europe/Berlin";
  const auto local = Of(DType::kTimestamp), zoned = Of(DType::kTimestampTz);
  EXPECT_EQ(Converted(local, zoned, "[0]", "[0]"), "type.no_conversion");
  // 2024-07-01 12:00 in Berlin is 10:00 UTC.
  EXPECT_CONVERTED(local, zoned, "[1719835200000001, null]", "[1719828000000001, null]",
                   berlin);
  EXPECT_CONVERTED(zoned, local, "[1719828000000001, null]", "[1719835200000001, null]",
                   berlin);
  // 2024-03-31 02:30 never was; 2024-10-27 02:30 was twice.
  EXPECT_EQ(Converted(local, zoned, "[0, 1711852200000000]", "[]", berlin),
            kInexact + "1");
  EXPECT_EQ(Converted(local, zoned, "[1729996200000000]", "[]", berlin), kInexact + "0");
  EXPECT_CONVERTED(Of(DType::kDate), zoned, "[19905]", "[1719784800000000]", berlin);
  EXPECT_CONVERTED(zoned, Of(DType::kDate), "[1719784800000000]", "[19905]", berlin);
  EXPECT_CONVERTED(Of(DType::kString), zoned, R"(["2024-07-01 12:00:00"])",
                   "[1719828000000000]", berlin);
  ConversionOptions nowhere;
  nowhere.timezone = "Europe/Nowhere";
  EXPECT_EQ(Converted(local, zoned, "[0]", "[0]", nowhere), "timezone.unknown");
}

TEST(Convert, BooleansAndIntegersOnRequest) {
  EXPECT_CONVERTED(Of(DType::kBool), Of(DType::kInt8), "[true, null, false]",
                   "[1, null, 0]");
  EXPECT_CONVERTED(Of(DType::kInt64), Of(DType::kBool), "[1, null, 0]",
                   "[true, null, false]");
  EXPECT_EQ(Converted(Of(DType::kInt64), Of(DType::kBool), "[2]", "[]"), kFull + "0");
}

TEST(Convert, Arrays) {
  EXPECT_CONVERTED(ListOf(Of(DType::kInt64)), ListOf(Of(DType::kInt8)),
                   "[[1, null], null, [], [-3]]", "[[1, null], null, [], [-3]]");
  EXPECT_EQ(Converted(ListOf(Of(DType::kInt64)), ListOf(Of(DType::kInt8)),
                      "[[1], null, [2, 300]]", "[]"),
            kFull + "2");
  EXPECT_CONVERTED(ListOf(Of(DType::kInt64)), Of(DType::kJson), "[[1, null], null]",
                   R"(["[1,null]", null])");
  EXPECT_EQ(
      Converted(ListOf(Of(DType::kFloat64)), Of(DType::kJson), "[[1], [NaN]]", "[]"),
      "value.special_float@1");
  EXPECT_CONVERTED(Of(DType::kJson), ListOf(Of(DType::kInt32)),
                   R"(["[1, null]", null, "[]"])", "[[1, null], null, []]");
  EXPECT_EQ(
      Converted(Of(DType::kJson), ListOf(Of(DType::kInt32)), R"(["[1]", "{}"])", "[]"),
      kText + "1");
  EXPECT_EQ(Converted(Of(DType::kJson), ListOf(Of(DType::kInt32)), R"(["[1]", "[true]"])",
                      "[]"),
            kText + "1");
  EXPECT_EQ(Converted(Of(DType::kJson), Of(DType::kObject), R"(["{}", "[]"])", "[]"),
            kText + "1");
  EXPECT_CONVERTED(Of(DType::kObject), Of(DType::kJson), R"(["{}"])", R"(["{}"])");
}

TEST(Convert, MessagesNameColumnValueAndType) {
  const auto conversion =
      *Conversion::Make({"total", Of(DType::kInt64), true, {}}, Of(DType::kInt8), {});
  const auto failed = conversion->Apply(Rows(Of(DType::kInt64), "[300]"));
  EXPECT_EQ(failed.status().message(),
            "Column 'total': the value '300' is out of the range of int8");
  const auto long_text =
      *Conversion::Make({"t", Of(DType::kString), true, {}}, Of(DType::kInt8), {});
  const auto cut =
      long_text->Apply(Rows(Of(DType::kString), "[\"" + std::string(500, 'x') + "\"]"));
  EXPECT_LT(cut.status().message().size(), 150u);
}

TEST(Convert, AnArrayOfAnotherTypeIsABug) {
  const auto conversion =
      *Conversion::Make({"c", Of(DType::kInt64), true, {}}, Of(DType::kInt8), {});
  EXPECT_EQ(GetErrorInfo(conversion->Apply(Rows(Of(DType::kInt32), "[1]")).status()).code,
            "convert.wrong_array");
}

/// What ClassifyCast allows can be made, what it refuses cannot.
TEST(Convert, AgreesWithTheJudgement) {
  std::vector<FieldType> types;
  for (const auto& name : DTypeNames()) types.push_back(Of(*ParseDType(name)));
  types.push_back(Of(DType::kDecimal, 9, 2));
  types.push_back(Of(DType::kDecimal, 60, 10));
  types.push_back(Nano(DType::kTimestamp));
  types.push_back(Nano(DType::kTimestampTz));
  types.push_back(ListOf(Of(DType::kInt32)));
  types.push_back(ListOf(Of(DType::kString)));
  for (const char* zone : {"", "UTC"}) {
    ConversionOptions options;
    options.timezone = zone;
    for (const auto& from : types) {
      for (const auto& to : types) {
        const Field field{"c", from, true, {}};
        const bool refused =
            ClassifyCast(field, to, zone, nullptr) == Exactness::kRefused;
        EXPECT_EQ(Conversion::Make(field, to, options).ok(), !refused)
            << ToString(from) << " -> " << ToString(to);
      }
    }
  }
}

}  // namespace
}  // namespace dxt
