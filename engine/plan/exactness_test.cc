#include "engine/plan/exactness.h"

#include <map>

#include <gtest/gtest.h>

#include "tests/support/field_types.h"

namespace dxt {
namespace {

/// The rows and columns of the matrices, by the letter that stands for them.
FieldType TypeNamed(const std::string& name) {
  static const std::map<std::string, FieldType> types = {
      {"i8", Of(DType::kInt8)},
      {"i16", Of(DType::kInt16)},
      {"i32", Of(DType::kInt32)},
      {"i64", Of(DType::kInt64)},
      {"u8", Of(DType::kUint8)},
      {"u32", Of(DType::kUint32)},
      {"u64", Of(DType::kUint64)},
      {"f32", Of(DType::kFloat32)},
      {"f64", Of(DType::kFloat64)},
      {"d9.2", Of(DType::kDecimal, 9, 2)},
      {"d38", Of(DType::kDecimal, 38, 0)},
      {"d60", Of(DType::kDecimal, 60, 10)},
      {"dec", Of(DType::kDecimal)},
      {"str", Of(DType::kString)},
      {"bool", Of(DType::kBool)},
      {"date", Of(DType::kDate)},
      {"time", Of(DType::kTime)},
      {"ts", Of(DType::kTimestamp)},
      {"tsn", Nano(DType::kTimestamp)},
      {"tz", Of(DType::kTimestampTz)},
      {"bin", Of(DType::kBinary)},
      {"json", Of(DType::kJson)},
      {"arr", Of(DType::kArray)},
      {"obj", Of(DType::kObject)},
      {"ints", ListOf(Of(DType::kInt32))},
      {"flts", ListOf(Of(DType::kFloat64))},
  };
  return types.at(name);
}

std::vector<std::string> Words(const std::string& text) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : text + " ") {
    if (c != ' ') {
      word += c;
    } else if (!word.empty()) {
      words.push_back(word);
      word.clear();
    }
  }
  return words;
}

char Letter(Exactness exactness) {
  switch (exactness) {
    case Exactness::kExact:
      return 'E';
    case Exactness::kChecked:
      return 'V';
    case Exactness::kRefused:
      return '.';
  }
  return '?';
}

ValueDomain Anything(const FieldType& type) {
  ValueDomain domain;
  domain.deliver = type;
  domain.infinite_time = true;
  domain.fraction_digits = 9;
  return domain;
}

/// One line a source type, one letter a target type: Exact, by Value, "." refused.
const std::string kTargets =
    "i8 i16 i32 i64 u8 u32 u64 f32 f64 d9.2 d38 d60 dec str bool date time ts tsn tz bin "
    "json arr obj ints flts";
const std::vector<std::string> kInto = {
    "i8   EEEEVVVEEEEEEE............", "i16  VEEEVVVEEEEEEE............",
    "i32  VVEEVVVVEVEEEE............", "i64  VVVEVVVVVVEEEE............",
    "u8   VEEEEEEEEEEEEE............", "u32  VVVEVEEVEVEEEE............",
    "u64  VVVVVVEVVVEEEE............", "f32  VVVVVVVEE....E............",
    "f64  VVVVVVVVE....E............", "d9.2 VVVVVVV..EVEEE............",
    "d38  VVVVVVV..VEEEE............", "d60  VVVVVVV..VVEEE............",
    "dec  VVVVVVV..VVVEE............", "str  .............E.......V....",
    "bool .............EE...........", "date .............E.E.VV.......",
    "time .............E..E.........", "ts   .............E.V.EV.......",
    "tsn  .............E.V.VE.......", "tz   .............E.....E......",
    "bin  ....................E.....", "json .............E.......E....",
    "arr  .............E.......EE...", "obj  .............E.......E.E..",
    "ints .............E.......EE.EE", "flts .............E.......VV.VE",
};

TEST(Classify, IsThisMatrix) {
  const auto targets = Words(kTargets);
  ASSERT_EQ(kInto.size(), targets.size());
  for (const auto& line : kInto) {
    const auto words = Words(line);
    const Field from{"c", TypeNamed(words[0]), true, {}};
    std::string actual;
    for (const auto& target : targets) {
      TablePlan::Column column;
      column.domain = Anything(TypeNamed(target));
      std::string reason = "left over";
      const auto exactness = Classify(from, column, "", &reason);
      EXPECT_EQ(reason.empty(), exactness == Exactness::kExact)
          << words[0] << "->" << target;
      actual += Letter(exactness);
    }
    EXPECT_EQ(words[0] + " " + actual, words[0] + " " + words[1]);
  }
}

TEST(ClassifyCast, ParsesTextAndChangesKindsOnRequest) {
  const auto cast = [](const char* from, const char* to) {
    return Letter(
        ClassifyCast({"c", TypeNamed(from), true, {}}, TypeNamed(to), "", nullptr));
  };
  for (const auto& target : Words(kTargets)) {
    const char expected = target == "str" || target == "bin" ? 'E' : 'V';
    EXPECT_EQ(cast("str", target.c_str()), expected) << target;
  }
  EXPECT_EQ(cast("f64", "d9.2"), 'V');
  EXPECT_EQ(cast("d9.2", "f64"), 'V');
  EXPECT_EQ(cast("bool", "i32"), 'E');
  EXPECT_EQ(cast("i32", "bool"), 'V');
  EXPECT_EQ(cast("json", "ints"), 'V');
  EXPECT_EQ(cast("json", "obj"), 'V');
  EXPECT_EQ(cast("bin", "str"), '.');
  EXPECT_EQ(cast("json", "i32"), '.');
  EXPECT_EQ(cast("i64", "ts"), '.');
}

TEST(Classify, ZonesAreCrossedOnlyWithATimeZone) {
  const Field local{"c", Of(DType::kTimestamp), true, {}};
  TablePlan::Column column;
  column.domain = Anything(Of(DType::kTimestampTz));
  std::string reason;
  EXPECT_EQ(Classify(local, column, "", &reason), Exactness::kRefused);
  EXPECT_NE(reason.find("timezone"), std::string::npos);
  EXPECT_EQ(Classify(local, column, "Europe/Berlin", &reason), Exactness::kChecked);
}

/// Domains that make an exact pair a checked one.
TEST(Classify, AnExactPairIsCheckedWhereTheTargetHoldsLess) {
  const auto judge = [](DType from, const ValueDomain& domain) {
    TablePlan::Column column;
    column.domain = domain;
    return Letter(Classify({"c", Of(from), true, {}}, column, "", nullptr));
  };
  ValueDomain text = Anything(Of(DType::kString));
  text.nul = false;
  EXPECT_EQ(judge(DType::kString, text), 'V');
  EXPECT_EQ(judge(DType::kInt64, text), 'E');
  EXPECT_EQ(judge(DType::kJson, text), 'E');
  text = Anything(Of(DType::kString));
  text.max_characters = 10;
  EXPECT_EQ(judge(DType::kString, text), 'V');
  EXPECT_EQ(judge(DType::kInt16, text), 'E');
  EXPECT_EQ(judge(DType::kDate, text), 'V');
  ValueDomain real = Anything(Of(DType::kFloat64));
  real.nan = false;
  EXPECT_EQ(judge(DType::kFloat64, real), 'V');
  EXPECT_EQ(judge(DType::kInt32, real), 'E');
  ValueDomain date = Anything(Of(DType::kDate));
  date.infinite_time = false;
  EXPECT_EQ(judge(DType::kDate, date), 'V');
  ValueDomain seconds = Anything(Of(DType::kTimestamp));
  seconds.fraction_digits = 0;
  EXPECT_EQ(judge(DType::kTimestamp, seconds), 'V');
  ValueDomain whole = Anything(Of(DType::kUint64));
  whole.max_unsigned = INT64_MAX;
  EXPECT_EQ(judge(DType::kUint64, whole), 'V');
  EXPECT_EQ(judge(DType::kUint32, whole), 'E');
  ValueDomain json = Anything(Of(DType::kJson));
  json.duplicate_json_keys = false;
  EXPECT_EQ(judge(DType::kJson, json), 'V');
  ValueDomain number = Anything(Of(DType::kDecimal));
  number.max_integer_digits = 3;
  EXPECT_EQ(judge(DType::kDecimal, number), 'V');
  EXPECT_EQ(judge(DType::kInt8, number), 'E');
  EXPECT_EQ(judge(DType::kInt16, number), 'V');
}

TEST(Classify, ReasonsAreReadable) {
  TablePlan::Column column;
  column.domain = Anything(Of(DType::kInt16));
  std::string reason;
  Classify({"c", Of(DType::kInt64), true, {}}, column, "", &reason);
  EXPECT_EQ(reason, "values must lie in the range of int16");
  column.domain = Anything(Of(DType::kInt64));
  Classify({"c", Of(DType::kString), true, {}}, column, "", &reason);
  EXPECT_EQ(reason, "string becomes int64 only with `dtype: int64` on the field");
}

}  // namespace
}  // namespace dxt
