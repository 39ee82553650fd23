#include <cmath>

#include <arrow/api.h>

#include "base/error.h"
#include "connectors/file/file_fixture.h"

namespace dxt::file {
namespace {

using Lines = std::vector<std::string>;

class JsonTest : public FileTest {
 protected:
  Rows ReadLines(std::string_view text, ConfigValue options = Map({})) const {
    WriteText("t.jsonl", text);
    return Read("t.jsonl", std::move(options));
  }
  void ExpectError(const Rows& rows, std::string_view code, std::string_view part) const {
    ASSERT_FALSE(rows.status.ok()) << rows.lines.size() << " rows";
    EXPECT_EQ(GetErrorInfo(rows.status).code, code) << rows.status.ToString();
    EXPECT_NE(rows.status.message().find(part), std::string::npos)
        << rows.status.message();
  }
};

TEST_F(JsonTest, InfersTypesOfLines) {
  const Rows rows = ReadLines(
      R"({"i":1,"f":1.5,"b":true,"s":"007","d":"2024-01-02","n":null,"o":{"x":1.10},"m":1})"
      "\n"
      R"({"i":-9223372036854775808,"f":2e3,"b":false,"s":"x","d":"2024-01-03","o":[1, 2],"m":"1"})"
      "\n");
  ASSERT_TRUE(rows.status.ok()) << rows.status.ToString();
  EXPECT_EQ(rows.types(),
            "i int64, f float64, b bool, s string, d date, n string, o json, m json");
  EXPECT_EQ(rows.lines,
            (Lines{R"(1|1.5|true|007|2024-01-02|∅|{"x":1.10}|1)",
                   R"(-9223372036854775808|2000|false|x|2024-01-03|∅|[1, 2]|"1")"}));
}

TEST_F(JsonTest, KeysMayComeInAnyOrderAndBeAbsent) {
  const Rows rows = ReadLines("{\"a\":1}\n{\"b\":\"x\",\"a\":2}\n{}\n\n{\"b\":\"y\"}\n");
  ASSERT_TRUE(rows.status.ok()) << rows.status.ToString();
  EXPECT_EQ(rows.lines, (Lines{"1|∅", "2|x", "∅|∅", "∅|y"}));
}

TEST_F(JsonTest, NumbersThatNoBinaryTypeKeepTravelAsDigits) {
  const Rows rows = ReadLines("{\"n\":12345678901234567890.123456789}\n{\"n\":1}\n");
  EXPECT_EQ(rows.types(), "n decimal");
  EXPECT_EQ(rows.lines, (Lines{"12345678901234567890.123456789", "1"}));
  EXPECT_EQ(ReadLines("{\"n\":18446744073709551616}\n").types(), "n decimal");
}

TEST_F(JsonTest, EscapesBecomeCharacters) {
  const Rows rows = ReadLines(R"({"s":"a\n\"\\\/\u00e9\ud83d\ude00","k\u0065y":1})"
                              "\n");
  ASSERT_TRUE(rows.status.ok()) << rows.status.ToString();
  EXPECT_EQ(rows.types(), "s string, key int64");
  EXPECT_EQ(rows.lines, Lines{"a\n\"\\/é😀|1"});
}

TEST_F(JsonTest, HalfASurrogateIsRefused) {
  ExpectError(ReadLines(R"({"s":"\ud83d"})"
                        "\n"),
              "file.inferred_type", "t.jsonl:1");
}

TEST_F(JsonTest, DuplicateKeysAreRefused) {
  ExpectError(ReadLines("{\"a\":1}\n{\"a\":1,\"b\":2,\"a\":3}\n"), "file.duplicate_key",
              "t.jsonl:2: the key 'a' stands twice");
}

TEST_F(JsonTest, AFileWithoutObjectsHasNoColumnsAndNoRows) {
  for (const std::string name : {"none.jsonl", "none.json"}) {
    for (const std::string text : {"", "\n", name == "none.json" ? "[]" : ""}) {
      WriteText(name, text);
      const auto info = OpenSource()->Describe({StreamKind::kFile, name, Map({})}, {});
      ASSERT_TRUE(info.ok()) << info.status();
      EXPECT_TRUE(info->columns.fields.empty());
      ColumnRead id;
      id.name = id.column = "id";
      id.type = {DType::kInt64};
      const Rows rows = Read(name, Map({}), {id});
      ASSERT_TRUE(rows.status.ok()) << rows.status.ToString();
      EXPECT_TRUE(rows.lines.empty());
    }
  }
  WriteText("g1.jsonl", "");
  WriteText("g2.jsonl", "{\"id\":1}\n");
  EXPECT_EQ(Read("g*.jsonl").lines, (std::vector<std::string>{"1"}));
}

TEST_F(JsonTest, BrokenSyntaxNamesTheLine) {
  ExpectError(ReadLines("{\"a\":1}\n{\"a\":}\n"), "file.json_syntax", "t.jsonl:2");
  ExpectError(ReadLines("{\"a\":1}\n{\"a\":01}\n"), "file.json_syntax", "t.jsonl:2");
  ExpectError(ReadLines("{\"a\":1}\n{\"a\":1\n"), "file.json_syntax", "ends inside");
  ExpectError(ReadLines("{\"a\":1} x\n"), "file.json_syntax", "behind the object");
  ExpectError(ReadLines("[1]\n"), "file.json_syntax", "must be an object");
  ExpectError(ReadLines("{\"a\":tru}\n"), "file.json_syntax", "t.jsonl:1");
  ExpectError(ReadLines("{\"a\":\"x\ty\"}\n"), "file.json_syntax", "control character");
  ExpectError(ReadLines("{\"a\":[1,]}\n"), "file.json_syntax", "t.jsonl:1");
}

TEST_F(JsonTest, AKeyBehindTheSampleIsRefused) {
  std::string text;
  for (int i = 0; i < 1'300'000; ++i) text += "{\"id\":1234567}\n";
  ASSERT_GT(text.size(), size_t{17} << 20);
  text += "{\"id\":1,\"late\":2}\n";
  ExpectError(ReadLines(text), "file.new_key", "t.jsonl:1300001: the key 'late'");
  const Rows declared =
      Read("t.jsonl", Map({{"columns", Map({{"late", Scalar("int64")}})}}));
  ASSERT_TRUE(declared.status.ok()) << declared.status.ToString();
  EXPECT_EQ(declared.lines.back(), "1|2");
}

TEST_F(JsonTest, StringColumnsTakeTheTextOfAnyValue) {
  const Rows rows =
      ReadLines("{\"a\":1.50}\n{\"a\":\"x\"}\n{\"a\":{\"b\":1}}\n{\"a\":null}\n",
                Map({{"string_columns", List({"a"})}}));
  EXPECT_EQ(rows.lines, (Lines{"1.50", "x", "{\"b\":1}", "∅"}));
}

TEST_F(JsonTest, ReadsAnArrayOrOneObject) {
  WriteText("a.json", "\n[ {\"a\": 1},\n {\"a\": 2} ]\n");
  EXPECT_EQ(Read("a.json").lines, (Lines{"1", "2"}));
  WriteText("b.json", "{\"a\": 1}");
  EXPECT_EQ(Read("b.json").lines, Lines{"1"});
  WriteText("c.json", "[]");
  EXPECT_EQ(Read("c.json").lines, Lines{});
  WriteText("d.json", "[{\"a\":1},]");
  ExpectError(Read("d.json"), "file.json_syntax", "must be an object");
  WriteText("e.json", "[{\"a\":1}");
  ExpectError(Read("e.json"), "file.json_syntax", "ends before");
  WriteText("f.json", "[{\"a\":1}] []");
  ExpectError(Read("f.json"), "file.json_syntax", "behind the array");
}

TEST_F(JsonTest, ObjectsOverTheEndOfAWindowAreWhole) {
  std::string text = "[";
  for (int i = 0; i < 60000; ++i) {
    text += (i > 0 ? ",\n" : "") + std::string("{\"id\": ") + std::to_string(i) +
            ", \"text\": \"some text to pass the window of one MiB\"}";
  }
  WriteText("big.json", text + "]");
  const Rows rows = Read("big.json");
  ASSERT_TRUE(rows.status.ok()) << rows.status.ToString();
  ASSERT_EQ(rows.lines.size(), 60000u);
  EXPECT_EQ(rows.lines.back().substr(0, 6), "59999|");
}

TEST_F(JsonTest, WritesContractsForms) {
  const Sample sample = EveryType();
  Load load;
  load.target = "o.jsonl";
  load.schema = sample.schema;
  load.batches = {sample.batch->Slice(0, 1)};
  ASSERT_TRUE(Run(load).ok());
  const std::string text = ReadText("o.jsonl");
  for (const std::string part :
       {R"("d":"-1.05")", R"("date":"0001-01-01")",
        R"("ts":"1969-12-31T23:59:59.999999")", R"("tz":"2023-11-14T22:13:20.000001Z")",
        R"("bin":"AP8Q")", R"("json":{"a": [1.10, null, "x"]})", R"("f32":0.1,)",
        R"("u64":18446744073709551615)"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
  load.target = "n.jsonl";
  load.options = Map({{"decimal", Scalar("number")}});
  ASSERT_TRUE(Run(load).ok());
  EXPECT_NE(ReadText("n.jsonl").find(R"("d":-1.05,)"), std::string::npos);
}

TEST_F(JsonTest, NanIsRefusedWithItsColumn) {
  Load load;
  load.target = "nan.jsonl";
  load.schema.fields = {{"f", {DType::kFloat64}, true, {}}};
  arrow::DoubleBuilder builder;
  ASSERT_TRUE(builder.Append(std::nan("")).ok());
  load.batches = {
      arrow::RecordBatch::Make(ArrowSchema(load.schema), 1, {*builder.Finish()})};
  const auto done = Run(load);
  EXPECT_EQ(GetErrorInfo(done.status()).column, "f");
  EXPECT_FALSE(std::filesystem::exists(Path("nan.jsonl")));
}

}  // namespace
}  // namespace dxt::file
