#include "engine/stage/row_json.h"

#include <cmath>

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace dxt {
namespace {

StreamSchema Everything() {
  FieldType decimal{DType::kDecimal};
  decimal.precision = 20;
  decimal.scale = 3;
  StreamSchema schema;
  schema.fields = {{"id", {DType::kInt64}, false, {}},
                   {"big", {DType::kUint64}, true, {}},
                   {"ratio", {DType::kFloat64}, true, {}},
                   {"price", decimal, true, {}},
                   {"a \"name\"", {DType::kString}, true, {}},
                   {"blob", {DType::kBinary}, true, {}},
                   {"ok", {DType::kBool}, true, {}}};
  schema.primary_key = {"id"};
  return schema;
}

TEST(RowJson, ARowReadsBackAsItWas) {
  const StreamSchema schema = Everything();
  arrow::Int64Builder id;
  arrow::UInt64Builder big;
  arrow::DoubleBuilder ratio;
  arrow::Decimal128Builder price(arrow::decimal128(20, 3));
  arrow::StringBuilder name;
  arrow::BinaryBuilder blob;
  arrow::BooleanBuilder ok;
  ASSERT_TRUE(id.AppendValues({-9007199254740993, 2, 3}).ok());
  ASSERT_TRUE(big.AppendValues({18446744073709551615u, 0, 1}).ok());
  ASSERT_TRUE(ratio.AppendValues({0.1, std::nan(""), -HUGE_VAL}).ok());
  ASSERT_TRUE(price.Append(arrow::Decimal128("12345678901234567.890")).ok());
  ASSERT_TRUE(price.AppendNulls(2).ok());
  ASSERT_TRUE(name.AppendValues({"tab\t\"quoted\" ü", "not UTF-8: \xff\xfe", ""}).ok());
  ASSERT_TRUE(blob.AppendValues({std::string("\0\x01", 2), "", "x"}).ok());
  ASSERT_TRUE(ok.AppendValues(std::vector<bool>{true, false, true}).ok());
  const arrow::ArrayVector columns = {*id.Finish(),    *big.Finish(),  *ratio.Finish(),
                                      *price.Finish(), *name.Finish(), *blob.Finish(),
                                      *ok.Finish()};
  auto writer = RowJsonWriter::Make(schema).ValueOrDie();
  std::vector<std::string> rows;
  for (int64_t row = 0; row < 3; ++row) {
    rows.push_back(writer->Write(columns, row).ValueOrDie());
  }
  EXPECT_EQ(rows[0],
            R"({"id":-9007199254740993,"big":18446744073709551615,"ratio":0.1,)"
            R"("price":"12345678901234567.890","a \"name\"":"tab\t\"quoted\" ü",)"
            R"("blob":"AAE=","ok":true})");
  EXPECT_NE(rows[1].find(R"({"$base64":"bm90IFVURi04OiD//g=="})"), std::string::npos);
  const auto read_schema = ReadRowSchema(writer->schema_text()).ValueOrDie();
  const auto batch = ReadRows(read_schema, rows).ValueOrDie();
  ASSERT_EQ(batch->num_columns(), 7);
  for (int i = 0; i < 7; ++i) {
    EXPECT_TRUE(
        batch->column(i)->Equals(*columns[i], arrow::EqualOptions().nans_equal(true)))
        << schema.fields[i].name;
  }
}

TEST(RowJson, OtherTextIsRefused) {
  const StreamSchema schema = Everything();
  for (const char* row : {"", "[]", "{}", R"({"id":1})", "{\"id\":"}) {
    const std::string rows[] = {row};
    EXPECT_EQ(GetErrorInfo(ReadRows(schema, rows).status()).code, "dlq.unreadable")
        << row;
  }
  EXPECT_EQ(GetErrorInfo(ReadRowSchema("{}").status()).code, "dlq.unreadable");
}

}  // namespace
}  // namespace dxt
