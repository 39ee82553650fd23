#include "connectors/sdk/types.h"

#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace dxt {
namespace {

std::vector<FieldType> AllTypes() {
  std::vector<FieldType> types;
  for (const auto& name : DTypeNames()) {
    FieldType type;
    type.dtype = *ParseDType(name);
    types.push_back(type);
  }
  for (const int precision : {1, 38, 39, 76}) {
    FieldType type;
    type.dtype = DType::kDecimal;
    type.precision = precision;
    type.scale = precision / 2;
    types.push_back(type);
  }
  for (const auto dtype : {DType::kTimestamp, DType::kTimestampTz}) {
    FieldType type;
    type.dtype = dtype;
    type.nanoseconds = true;
    types.push_back(type);
  }
  FieldType list;
  list.dtype = DType::kArray;
  list.element = std::make_shared<FieldType>(types[2]);
  types.push_back(list);
  return types;
}

TEST(Types, ThereAreTwentyOneWithDistinctNames) {
  EXPECT_EQ(DTypeNames().size(), 21u);
  for (const auto& name : DTypeNames()) EXPECT_EQ(DTypeName(*ParseDType(name)), name);
  EXPECT_FALSE(ParseDType("varchar"));
  EXPECT_FALSE(ParseDType("INT64"));
}

TEST(Types, EveryTypeSurvivesItsArrowField) {
  for (const auto& type : AllTypes()) {
    const auto back = FieldTypeOf(*ArrowField({"x", type, true, {}}));
    ASSERT_TRUE(back.ok()) << ToString(type);
    EXPECT_EQ(*back, type) << ToString(type) << " became " << ToString(*back);
  }
}

TEST(Types, DifferentTypesAreUnequal) {
  const auto types = AllTypes();
  for (size_t i = 0; i < types.size(); ++i) {
    for (size_t j = 0; j < types.size(); ++j) {
      EXPECT_EQ(types[i] == types[j], i == j) << ToString(types[i]) << ToString(types[j]);
    }
  }
}

TEST(Types, ForeignArrowTypesAreNarrowedToTheMap) {
  const auto type_of = [](std::shared_ptr<arrow::DataType> type) {
    return ToString(*FieldTypeOf(*arrow::field("x", std::move(type))));
  };
  EXPECT_EQ(type_of(arrow::large_utf8()), "string");
  EXPECT_EQ(type_of(arrow::dictionary(arrow::int32(), arrow::utf8())), "string");
  EXPECT_EQ(type_of(arrow::date64()), "date");
  EXPECT_EQ(type_of(arrow::timestamp(arrow::TimeUnit::SECOND)), "timestamp");
  EXPECT_EQ(type_of(arrow::timestamp(arrow::TimeUnit::NANO, "Europe/Berlin")),
            "timestamp_tz(9)");
  EXPECT_EQ(type_of(arrow::list(arrow::decimal128(5, 1))), "array<decimal(5,1)>");
  EXPECT_EQ(type_of(arrow::struct_({arrow::field("y", arrow::int8())})), "object");
}

TEST(Types, JsonIsKnownByItsExtensionName) {
  const auto field =
      arrow::field("x", arrow::utf8(), true,
                   arrow::key_value_metadata({{"ARROW:extension:name", "arrow.json"}}));
  EXPECT_EQ(FieldTypeOf(*field)->dtype, DType::kJson);
}

TEST(Types, TypesOutsideTheMapAreRefused) {
  const auto refused =
      FieldTypeOf(*arrow::field("x", arrow::duration(arrow::TimeUnit::MILLI)));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(GetErrorInfo(refused.status()).code, "type.unsupported");
}

TEST(Types, NamesCarryTheirParameters) {
  FieldType type;
  type.dtype = DType::kDecimal;
  EXPECT_EQ(ToString(type), "decimal");
  type.precision = 15;
  type.scale = 2;
  EXPECT_EQ(ToString(type), "decimal(15,2)");
}

}  // namespace
}  // namespace dxt
