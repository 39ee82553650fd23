// Every type of the map with its edge values, against the server's own text.
#include <random>

#include "connectors/postgres/fixture_test.h"
#include "connectors/sdk/value_text.h"

namespace dxt::postgres {
namespace {

struct TypeCase {
  const char* type;                 ///< Column type of the source.
  const char* dtype;                ///< What Describe must say.
  std::vector<const char*> values;  ///< SQL literals without quotes around.
  const char* target = nullptr;     ///< Column type of a new target, if another.
};

const std::vector<TypeCase>& Cases() {
  static const std::vector<TypeCase> cases = {
      {"boolean", "bool", {"true", "false"}},
      {"smallint", "int16", {"-32768", "32767", "0"}},
      {"integer", "int32", {"-2147483648", "2147483647", "0"}},
      {"bigint", "int64", {"-9223372036854775808", "9223372036854775807", "0"}},
      {"real",
       "float32",
       {"0", "-0", "1e-45", "3.4028235e38", "NaN", "Infinity", "-Infinity", "0.1"}},
      {"double precision",
       "float64",
       {"0", "-0", "5e-324", "1.7976931348623157e308", "NaN", "Infinity", "-Infinity",
        "0.1"}},
      {"numeric(15,2)",
       "decimal(15,2)",
       {"0", "0.01", "-0.01", "9999999999999.99", "-9999999999999.99", "10000", "9999.99",
        "100000000", "0.10", "12345678.90"}},
      {"numeric(38,10)",
       "decimal(38,10)",
       {"0", "0.0000000001", "-9999999999999999999999999999.9999999999", "1",
        "10000.0001", "99999999.9999999999"}},
      {"numeric(38,0)",
       "decimal(38,0)",
       {"99999999999999999999999999999999999999",
        "-99999999999999999999999999999999999999", "10000000000000000000000000000", "1"}},
      {"numeric(38,38)",
       "decimal(38,38)",
       {"0.99999999999999999999999999999999999999",
        "-0.00000000000000000000000000000000000001", "0"}},
      {"numeric(76,20)",
       "decimal(76,20)",
       {"99999999999999999999999999999999999999999999999999999999.99999999999999999999",
        "-0.00000000000000000001", "0", "10000"}},
      {"numeric(5,-2)", "decimal(7,0)", {"9999900", "-100", "0"}},
      {"numeric(2,4)", "decimal(4,4)", {"0.0099", "-0.0001"}},
      {"numeric(100,5)",
       "decimal",
       {"0", "1.50000", "-99999999999999999999999999999999999.1"}},
      {"numeric",
       "decimal",
       {"NaN", "Infinity", "-Infinity", "0", "0.000", "1.10", "-1e-300", "1e300",
        "12345678901234567890123456789012345678901234567890.0123456789", "10000",
        "0.0001"}},
      {"text", "string", {"", "ü漢字🎉", "line\nbreak", "tab\t\\N"}},
      {"character varying(5)", "string", {"", "abcde", "üüüüü"}},
      {"character varying", "string", {"", "abc"}},
      {"character(4)", "string", {"ab", "abcd", ""}},
      {"name", "string", {"a_name"}},
      {"\"char\"", "string", {"x"}},
      {"bytea", "binary", {"\\x", "\\x00ff10", "\\xdeadbeef"}},
      {"date",
       "date",
       {"2000-01-01", "1970-01-01", "0001-01-01", "4713-01-01 BC", "9999-12-31",
        "5874897-12-31", "infinity", "-infinity"}},
      {"time without time zone",
       "time",
       {"00:00:00", "24:00:00", "23:59:59.999999", "12:34:56.1"}},
      {"time(2) without time zone", "time", {"12:34:56.12", "24:00:00"}},
      {"timestamp without time zone",
       "timestamp",
       {"2000-01-01 00:00:00", "1969-12-31 23:59:59.999999", "4713-01-01 00:00:00 BC",
        "294246-12-31 23:59:59.999999", "infinity", "-infinity"}},
      {"timestamp(0) without time zone",
       "timestamp",
       {"2024-02-29 12:00:01", "infinity"}},
      {"timestamp with time zone",
       "timestamp_tz",
       {"2024-03-31 01:30:00+02", "infinity", "-infinity", "0001-01-01 00:00:00+00"}},
      {"timestamp(3) with time zone", "timestamp_tz", {"2024-03-31 01:30:00.123+02"}},
      {"json",
       "json",
       {"{\"a\": 1,  \"a\": 2}", "[1, 1.10, null]", "\"\\u00fc\"", "null"}},
      {"jsonb", "json", {"{\"a\": 1}", "[1, 1.10, 1e2, null]", "\"x\"", "null"}},
      {"uuid",
       "string",
       {"00000000-0000-0000-0000-000000000000", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}},
      {"inet", "string", {"10.0.0.1", "10.0.0.0/8", "::1"}},
      {"cidr", "string", {"10.0.0.0/8"}},
      {"macaddr", "string", {"08:00:2b:01:02:03"}},
      {"interval", "string", {"1 year 2 mons 3 days 04:05:06.789", "-1 day", "0"}},
      {"interval(0)", "string", {"04:05:06"}},
      {"time with time zone", "string", {"12:00:00+02", "23:59:59.999999-12"}},
      {"money", "string", {"12.34", "-92233720368547758.08"}},
      {"bit(4)", "string", {"1010"}},
      {"bit varying(8)", "string", {"", "10101"}},
      {"xml", "string", {"<a>ü</a>"}},
      {"tsvector", "string", {"'cat':2A 'fat':1"}},
      {"point", "string", {"(1.5,2)"}},
      {"polygon", "string", {"((0,0),(1,1),(1,0))"}},
      {"int4range", "string", {"[1,5)", "empty", "(,)"}},
      {"tstzmultirange", "string", {"{[2024-01-01 00:00:00+00,2024-01-02 00:00:00+00)}"}},
      {"jsonpath", "string", {"$.\"a\"[*]"}},
      {"oid", "int64", {"0", "4294967295"}, "bigint"},
      {"integer[]", "array<int32>", {"{}", "{1,NULL,-3}", "{NULL}"}},
      {"text[]", "array<string>", {"{}", "{a,NULL,\"\",\"x,y\",\"NULL\"}"}},
      {"numeric(10,2)[]", "array<decimal(10,2)>", {"{1.50,NULL,-0.01}"}},
      {"numeric[]", "array<decimal>", {"{NaN,1.100,NULL}"}},
      {"boolean[]", "array<bool>", {"{t,f,NULL}"}},
      {"double precision[]", "array<float64>", {"{1.5,NaN}"}},
      {"date[]", "array<date>", {"{2024-01-01,infinity}"}},
      {"timestamp with time zone[]",
       "array<timestamp_tz>",
       {"{\"2024-01-01 00:00:00+00\"}"}},
      {"uuid[]", "array<string>", {"{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11,NULL}"}},
      {"bytea[]", "array<binary>", {"{\"\\\\x00ff\",NULL}"}},
      {"jsonb[]", "array<json>", {"{\"{\\\"a\\\": 1}\",NULL}"}},
      {"inet[]", "array<string>", {"{10.0.0.1,NULL,::1}"}},
      {"interval[]", "array<string>", {"{\"1 day\",NULL}"}},
      {"public.mood", "string", {"sad", "it's \"ok\""}},
      {"public.mood[]", "array<string>", {"{sad,NULL,\"it's \\\"ok\\\"\"}"}},
  };
  return cases;
}

class TypesTest : public PostgresTest {
 protected:
  void SetUp() override {
    PostgresTest::SetUp();
    Sql("CREATE TYPE mood AS ENUM ('sad', 'it''s \"ok\"')");
  }

  void Fill(const TypeCase& type) {
    std::string sql = "DROP TABLE IF EXISTS src, dst; CREATE TABLE src (n int, v " +
                      std::string(type.type) + "); INSERT INTO src VALUES (0, NULL)";
    for (size_t i = 0; i < type.values.size(); ++i) {
      std::string literal;
      for (const char c : std::string_view(type.values[i])) {
        literal += c;
        if (c == '\'') literal += c;
      }
      sql += ", (" + std::to_string(i + 1) + ", '" + literal + "')";
    }
    Sql("SET IntervalStyle = iso_8601; " + sql);
  }

  std::string Differences() {
    return Sql(
        "SELECT coalesce(string_agg(concat_ws(' ', n, src.v::text, '<>', "
        "coalesce(dst.v::text, 'NULL')), '; '), '') FROM src FULL JOIN dst USING (n) "
        "WHERE src.v::text IS DISTINCT FROM dst.v::text");
  }
};

TEST_F(TypesTest, EveryTypeArrivesAsItWas) {
  for (const auto& type : Cases()) {
    SCOPED_TRACE(type.type);
    Fill(type);
    auto source = OpenSource();
    StreamRef ref;
    ref.source = "src";
    auto info = source->Describe(ref, {});
    ASSERT_OK(info);
    EXPECT_EQ(ToString(info->columns.fields[1].type), type.dtype);
    EXPECT_EQ(info->columns.fields[1].native.type, type.type);
    ASSERT_OK(Copy("src", "dst"));
    EXPECT_EQ(Differences(), "");
    EXPECT_EQ(
        Sql("SET search_path = ''; SELECT format_type(atttypid, atttypmod) FROM "
            "pg_attribute WHERE attrelid = 'public.dst'::regclass AND attname = 'v'"),
        type.target ? type.target : type.type);
  }
}

TEST_F(TypesTest, RawBytesPassUntouched) {
  for (const auto& type : Cases()) {
    SCOPED_TRACE(type.type);
    Fill(type);
    auto source = OpenSource();
    auto target = OpenDestination();
    StreamRef ref;
    ref.source = "src";
    auto info = source->Describe(ref, {});
    ASSERT_OK(info);
    auto load = Prepare(*target, Wanted("dst", info->columns, LoadMode::kAppend));
    ASSERT_OK(load);
    if (!load->spec.plan.columns[1].accepts_raw) continue;
    ReadSpec spec = SpecOf(ref, *info);
    spec.columns[1].raw = true;
    load->spec.raw[1] = true;
    load->spec.schema =
        arrow::schema({load->spec.schema->field(0), arrow::field("v", arrow::binary())});
    auto rows = ReadAll(*source, spec);
    ASSERT_OK(rows);
    auto receipt = Write(*target, load->spec, **rows);
    ASSERT_OK(receipt);
    const WriteReceipt receipts[] = {*receipt};
    ASSERT_OK(target->Commit(load->spec, load->record, receipts, {}, {}));
    EXPECT_EQ(Differences(), "");
  }
}

TEST_F(TypesTest, DomainsReadAsTheirBaseAndCompositesAsJson) {
  Sql("CREATE DOMAIN price AS numeric(8,2) CHECK (VALUE >= 0); CREATE DOMAIN cheap AS "
      "price;"
      "CREATE TYPE pair AS (a int, b text);"
      "CREATE TABLE src (d cheap, c pair, cs pair[], m int[][]);"
      "INSERT INTO src VALUES (1.50, (1, 'x'), ARRAY[(2, NULL)::pair], "
      "ARRAY[[1,2],[3,4]])");
  auto rows = Read("src");
  ASSERT_OK(rows);
  EXPECT_EQ((*rows)->schema()->field(0)->type()->ToString(), "decimal128(8, 2)");
  EXPECT_EQ((*rows)->column(1)->GetScalar(0).ValueOrDie()->ToString(),
            R"({"a":1,"b":"x"})");
  EXPECT_EQ((*rows)->column(2)->GetScalar(0).ValueOrDie()->ToString(),
            R"([{"a":2,"b":null}])");
  EXPECT_EQ((*rows)->column(3)->GetScalar(0).ValueOrDie()->ToString(), "[[1,2],[3,4]]");
  ASSERT_OK(Copy("src", "dst"));
  EXPECT_EQ(Sql("SELECT dst::text FROM dst"),
            "(1.50,\"{\"\"a\"\": 1, \"\"b\"\": \"\"x\"\"}\",\"[{\"\"a\"\": 2, \"\"b\"\": "
            "null}]\",\"[[1, 2], [3, 4]]\")");
}

TEST_F(TypesTest, ArrowValuesAreTheServersValues) {
  Sql("CREATE TABLE src (d date, t time, ts timestamp, tz timestamptz, n numeric(10,4), "
      "u uuid, b bytea); INSERT INTO src VALUES ('1969-12-31', '00:00:01.5', "
      "'1970-01-01 00:00:01', '1970-01-01 01:00:00+01', -12.34, "
      "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '\\x0001'), ('infinity', '24:00', "
      "'infinity', "
      "'-infinity', 0.0001, NULL, '')");
  auto rows = Read("src");
  ASSERT_OK(rows);
  const auto column = [&](int i) { return (*rows)->column(i)->chunk(0); };
  const auto& dates = static_cast<const arrow::Date32Array&>(*column(0));
  EXPECT_EQ(dates.Value(0), -1);
  EXPECT_EQ(dates.Value(1), INT32_MAX);
  const auto& times = static_cast<const arrow::Time64Array&>(*column(1));
  EXPECT_EQ(times.Value(0), 1500000);
  EXPECT_EQ(times.Value(1), 86400000000);
  const auto& stamps = static_cast<const arrow::TimestampArray&>(*column(2));
  EXPECT_EQ(stamps.Value(0), 1000000);
  EXPECT_EQ(stamps.Value(1), INT64_MAX);
  const auto& zoned = static_cast<const arrow::TimestampArray&>(*column(3));
  EXPECT_EQ(zoned.Value(0), 0);
  EXPECT_EQ(zoned.Value(1), INT64_MIN);
  const auto& decimals = static_cast<const arrow::Decimal128Array&>(*column(4));
  EXPECT_EQ(decimals.FormatValue(0), "-12.3400");
  EXPECT_EQ(decimals.FormatValue(1), "0.0001");
  const auto& uuids = static_cast<const arrow::StringArray&>(*column(5));
  EXPECT_EQ(uuids.GetView(0), "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
  EXPECT_TRUE(uuids.IsNull(1));
  const auto& bytes = static_cast<const arrow::BinaryArray&>(*column(6));
  EXPECT_EQ(bytes.GetView(0), std::string_view("\0\1", 2));
  EXPECT_EQ(bytes.GetView(1), "");
}

TEST_F(TypesTest, NumericsOfEveryScaleMatchTheServersText) {
  std::mt19937_64 random(20261121);
  for (int scale = 0; scale <= 40; ++scale) {
    const int precision = std::max(38, scale);
    SCOPED_TRACE(scale);
    const std::string type =
        "numeric(" + std::to_string(precision) + "," + std::to_string(scale) + ")";
    std::string sql = "DROP TABLE IF EXISTS src, dst; CREATE TABLE src (v " + type +
                      "); INSERT INTO src VALUES (0)";
    for (int i = 0; i < 60; ++i) {
      // Digits in random number, many zeros and nines: the borders of groups of four.
      std::string digits;
      const int count = 1 + static_cast<int>(random() % static_cast<uint64_t>(precision));
      for (int d = 0; d < count; ++d) {
        const auto pick = random() % 4;
        digits += pick == 0   ? '0'
                  : pick == 1 ? '9'
                              : static_cast<char>('0' + random() % 10);
      }
      sql += ", (" + std::string(random() % 2 ? "-" : "") + digits + "e-" +
             std::to_string(scale) + ")";
    }
    Sql(sql);
    auto rows = Read("SELECT v, v::text AS t FROM src", StreamKind::kQuery);
    ASSERT_OK(rows);
    const auto values = (*rows)->column(0)->chunk(0);
    const auto& texts =
        static_cast<const arrow::StringArray&>(*(*rows)->column(1)->chunk(0));
    for (int64_t row = 0; row < values->length(); ++row) {
      std::string text;
      const bool wide = values->type_id() == arrow::Type::DECIMAL256;
      const auto& fixed = static_cast<const arrow::FixedSizeBinaryArray&>(*values);
      uint64_t words[4];
      std::memcpy(words, fixed.GetValue(row), wide ? 32 : 16);
      AppendDecimal(words, wide ? 4 : 2, scale, &text);
      ASSERT_EQ(text, texts.GetString(row));
    }
    ASSERT_OK(Copy("src", "dst"));
    EXPECT_EQ(Sql("SELECT count(*) FROM (SELECT v::text FROM src EXCEPT ALL SELECT "
                  "v::text FROM "
                  "dst) q"),
              "0");
  }
}

TEST_F(TypesTest, RefusesWhatAnExactDecimalCannotHold) {
  Sql("CREATE TABLE src (ok int, n numeric(10,2)); INSERT INTO src VALUES (1, 1), (2, "
      "'NaN')");
  auto rows = Read("src");
  EXPECT_EQ(CodeOf(rows.status()), "pg.nan");
  EXPECT_EQ(GetErrorInfo(rows.status()).column, "n");
  EXPECT_EQ(GetErrorInfo(rows.status()).key, R"({"row":2})");
  EXPECT_EQ(GetErrorInfo(rows.status()).error_class, ErrorClass::kData);
}

TEST_F(TypesTest, RefusesMatricesInAListColumn) {
  Sql("CREATE TABLE src (a int[]); INSERT INTO src VALUES ('{{1,2},{3,4}}')");
  EXPECT_EQ(CodeOf(Read("src").status()), "pg.array_shape");
  Sql("TRUNCATE src; INSERT INTO src VALUES ('[0:1]={1,2}')");
  EXPECT_EQ(CodeOf(Read("src").status()), "pg.array_shape");
}

TEST_F(TypesTest, WidensIntegersAndFloatsIntoExistingColumns) {
  Sql("CREATE TABLE src AS SELECT 7::smallint AS a, 8 AS b, 1.5::real AS c, 9 AS d, "
      "10::bigint "
      "AS e; CREATE TABLE dst (a bigint, b bigint, c double precision, d numeric, e "
      "numeric(25,3))");
  ASSERT_OK(Copy("src", "dst"));
  EXPECT_EQ(Sql("SELECT dst::text FROM dst"), "(7,8,1.5,9,10.000)");
}

TEST_F(TypesTest, UnsignedIntegersGetColumnsThatHoldThem) {
  StreamSchema schema;
  for (const DType dtype :
       {DType::kUint8, DType::kUint16, DType::kUint32, DType::kUint64, DType::kInt8}) {
    Field field;
    field.name = DTypeName(dtype);
    field.type.dtype = dtype;
    schema.fields.push_back(field);
  }
  auto batch = arrow::RecordBatch::Make(
      ArrowSchema(schema), 1,
      std::vector<std::shared_ptr<arrow::Array>>{
          arrow::MakeArrayFromScalar(arrow::UInt8Scalar(255), 1).ValueOrDie(),
          arrow::MakeArrayFromScalar(arrow::UInt16Scalar(65535), 1).ValueOrDie(),
          arrow::MakeArrayFromScalar(arrow::UInt32Scalar(4294967295u), 1).ValueOrDie(),
          arrow::MakeArrayFromScalar(arrow::UInt64Scalar(UINT64_MAX), 1).ValueOrDie(),
          arrow::MakeArrayFromScalar(arrow::Int8Scalar(-128), 1).ValueOrDie()});
  auto table = arrow::Table::FromRecordBatches({batch}).ValueOrDie();
  ASSERT_OK(LoadTable(Wanted("dst", schema, LoadMode::kAppend), *table));
  EXPECT_EQ(Sql("SELECT dst::text FROM dst"),
            "(255,65535,4294967295,18446744073709551615,-128)");
}

}  // namespace
}  // namespace dxt::postgres
