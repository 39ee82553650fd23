#include <thread>

#include <arrow/api.h>

#include "base/error.h"
#include "connectors/duckdb/test_support.h"

namespace dxt::duckdb {
namespace {

using Lines = std::vector<std::string>;

class SourceTest : public DuckdbTest {
 protected:
  static StreamRef Table(const std::string& name) {
    StreamRef ref;
    ref.source = name;
    return ref;
  }
  static StreamRef Query(const std::string& text) {
    StreamRef ref;
    ref.kind = StreamKind::kQuery;
    ref.source = text;
    return ref;
  }
  /// A read of all columns of `ref`.
  static ReadSpec All(Source& source, const StreamRef& ref) {
    ReadSpec spec;
    spec.ref = ref;
    const auto info = source.Describe(ref, {}).ValueOrDie();
    for (const auto& field : info.columns.fields) {
      ColumnRead column;
      column.name = column.column = field.name;
      column.type = field.type;
      column.native = field.native;
      spec.columns.push_back(std::move(column));
    }
    return spec;
  }
  static arrow::Result<Lines> Read(Source& source, const ReadSpec& spec) {
    ARROW_ASSIGN_OR_RAISE(auto reader, source.OpenReader(spec, {}, std::nullopt, {}));
    Lines lines;
    while (true) {
      ARROW_ASSIGN_OR_RAISE(auto step, reader->Next({}));
      if (step.end) return lines;
      EXPECT_LE(step.batch->num_rows(), spec.batch_rows);
      EXPECT_TRUE(step.batch->schema()->Equals(*reader->schema()));
      EXPECT_TRUE(step.batch->ValidateFull().ok());
      for (int64_t row = 0; row < step.batch->num_rows(); ++row) {
        std::string line;
        for (const auto& column : step.batch->columns()) {
          line += (line.empty() ? "" : "|") + (*column->GetScalar(row))->ToString();
        }
        lines.push_back(std::move(line));
      }
    }
  }
  static CursorRange Cursor(const std::string& column, DType dtype,
                            const std::string& lower) {
    CursorRange cursor;
    cursor.name = cursor.column = column;
    cursor.type.dtype = dtype;
    cursor.lower = lower;
    return cursor;
  }
};

TEST_F(SourceTest, MissingFileIsAnErrorWithItsPathAndMakesNone) {
  const auto source = connector_->OpenSource(Config(), context_, {});
  ASSERT_FALSE(source.ok());
  EXPECT_EQ(GetErrorInfo(source.status()).code, "duckdb.file_missing");
  EXPECT_NE(source.status().message().find(path_), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(SourceTest, AFileOfSomethingElseIsRefused) {
  std::filesystem::copy_file(DXT_SOURCE_DIR "/LICENSE", path_);
  const auto source = connector_->OpenSource(Config(), context_, {});
  ASSERT_FALSE(source.ok());
  EXPECT_EQ(GetErrorInfo(source.status()).code, "duckdb.not_a_database");
}

TEST_F(SourceTest, DiscoverListsTablesAndViewsWithKeys) {
  Sql({"CREATE SCHEMA raw",
       "CREATE TABLE raw.\"We.ird\" (\"a \"\"b\" INTEGER PRIMARY KEY)",
       "CREATE VIEW v AS SELECT 1::TINYINT AS one",
       "CREATE TABLE _dxt_loads (i INTEGER)"});
  auto source = OpenSource();
  const auto all = source->Discover("", {}).ValueOrDie();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].reference, "\"main\".\"v\"");
  EXPECT_EQ(all[0].kind, StreamKind::kView);
  EXPECT_EQ(all[1].reference, "\"raw\".\"We.ird\"");
  EXPECT_EQ(all[1].columns.primary_key, Lines{"a \"b"});
  EXPECT_FALSE(all[1].columns.fields[0].nullable);
  EXPECT_EQ(source->Discover("raw", {}).ValueOrDie().size(), 1u);
  const auto described = source->Describe(Table(all[1].reference), {}).ValueOrDie();
  EXPECT_EQ(described.columns.fields[0].name, "a \"b");
  EXPECT_EQ(source->Describe(Table("RAW.\"we.IRD\""), {}).ValueOrDie().name, "We.ird");
}

TEST_F(SourceTest, AMissingTableSuggestsTheNearest) {
  Sql({"CREATE TABLE orders (id INTEGER)"});
  auto source = OpenSource();
  const auto missing = source->Describe(Table("ordrs"), {});
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(GetErrorInfo(missing.status()).code, "duckdb.table_missing");
  EXPECT_EQ(GetErrorInfo(missing.status()).hint, "Did you mean 'orders'?");
}

TEST_F(SourceTest, CursorFiltersOrderAndLimitAreApplied) {
  Sql({"CREATE TABLE t (id INTEGER, seen TIMESTAMP, name VARCHAR)",
       "INSERT INTO t VALUES (1, '2020-01-01', 'b'), (2, '2020-01-02', 'a'), "
       "(3, '2020-01-03', 'B'), (4, NULL, 'c'), (5, '2020-01-02 00:00:00.000001', "
       "'a''x')"});
  auto source = OpenSource();
  ReadSpec spec = All(*source, Table("t"));
  spec.columns.resize(1);
  spec.cursor = Cursor("seen", DType::kTimestamp, "2020-01-02 00:00:00.000000");
  spec.order_by_cursor = true;
  EXPECT_EQ(Read(*source, spec).ValueOrDie(), (Lines{"5", "3"}));
  spec.cursor->lower_inclusive = true;
  spec.cursor->upper = "2020-01-03 00:00:00.000000";
  EXPECT_EQ(Read(*source, spec).ValueOrDie(), (Lines{"2", "5"}));
  EXPECT_EQ(source->CountRows(spec, {}).ValueOrDie(), 2);
  spec.limit = 1;
  EXPECT_EQ(Read(*source, spec).ValueOrDie(), Lines{"2"});
  spec.limit.reset();
  spec.cursor = Cursor("name", DType::kString, "a");
  EXPECT_EQ(Read(*source, spec).ValueOrDie(), (Lines{"5", "1", "4"}));
  spec.cursor.reset();
  Filter filter;
  filter.column = "name";
  filter.op = FilterOp::kIn;
  filter.values = {"a'x", "B"};
  spec.filters = {filter};
  EXPECT_EQ(Read(*source, spec).ValueOrDie(), (Lines{"3", "5"}));
  filter.column = "id";
  filter.op = FilterOp::kLt;
  filter.values = {"3000000000"};
  filter.type.dtype = DType::kInt32;
  spec.filters = {filter};
  spec.where = "id % 2 = 0 -- even";
  EXPECT_EQ(Read(*source, spec).ValueOrDie(), (Lines{"2", "4"}));
}

TEST_F(SourceTest, QueriesTakeValuesAndExpressionsHaveTypes) {
  Sql({"CREATE TABLE t AS SELECT i::INTEGER AS id FROM range(5) t(i)"});
  auto source = OpenSource();
  const StreamRef query = Query(
      "SELECT id, {{ var.tag }} AS tag FROM t WHERE id > {{ cursor }} ORDER BY id; ");
  ReadSpec spec = All(*source, query);
  ASSERT_EQ(spec.columns.size(), 2u);
  EXPECT_EQ(spec.columns[0].type.dtype, DType::kInt32);
  spec.variables = {{"tag", "it's"}};
  spec.cursor = Cursor("id", DType::kInt32, "2");
  spec.cursor->placeholder = true;
  spec.columns[1].type.dtype = DType::kString;
  spec.columns[1].native.type = "VARCHAR";
  EXPECT_EQ(Read(*source, spec).ValueOrDie(), (Lines{"3|it's", "4|it's"}));
  const auto types =
      source->DescribeExpressions(Table("t"), {"id + 1", "id::VARCHAR -- text"}, {});
  ASSERT_TRUE(types.ok()) << types.status();
  EXPECT_EQ(types->at(1).type.dtype, DType::kString);
  const auto broken = source->Describe(Query("SELECT * FORM t"), {});
  EXPECT_EQ(GetErrorInfo(broken.status()).code, "duckdb.syntax");
}

TEST_F(SourceTest, SqlOfAStreamReachesNoFiles) {
  Sql({"CREATE TABLE t (id INTEGER)"});
  auto source = OpenSource();
  for (const std::string text :
       {"SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM '/etc/passwd.csv'",
        "SELECT * FROM read_text('/etc/hostname')"}) {
    const auto refused = source->Describe(Query(text), {});
    ASSERT_FALSE(refused.ok()) << text;
    EXPECT_EQ(GetErrorInfo(refused.status()).code, "duckdb.forbidden")
        << refused.status();
  }
}

TEST_F(SourceTest, BatchesAreSliced) {
  Sql({"CREATE TABLE t AS SELECT i FROM range(5000) t(i)"});
  auto source = OpenSource();
  ReadSpec spec = All(*source, Table("t"));
  spec.batch_rows = 700;
  const auto lines = Read(*source, spec).ValueOrDie();
  ASSERT_EQ(lines.size(), 5000u);
  EXPECT_EQ(lines[4999], "4999");
}

TEST_F(SourceTest, AStopEndsABlockedReadSoon) {
  Sql({"CREATE TABLE t AS SELECT i FROM range(10) t(i)"});
  auto source = OpenSource();
  const ReadSpec spec =
      All(*source, Query("SELECT count(*) AS n FROM range(100000000000) r(i) "
                         "WHERE i % 7 = (SELECT max(i) FROM t)"));
  std::stop_source stop;
  const auto begun = std::chrono::steady_clock::now();
  std::jthread stopper([&] { stop.request_stop(); });
  auto reader = source->OpenReader(spec, {}, std::nullopt, stop.get_token());
  const auto status =
      reader.ok() ? (*reader)->Next(stop.get_token()).status() : reader.status();
  EXPECT_EQ(GetErrorInfo(status).error_class, ErrorClass::kCancelled) << status;
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(2));
}

TEST_F(SourceTest, HugeintBeyondDecimalIsAnErrorNotAnotherNumber) {
  Sql({"CREATE TABLE t AS SELECT 170141183460469231731687303715884105727::HUGEINT AS h"});
  auto source = OpenSource();
  const auto lines = Read(*source, All(*source, Table("t")));
  ASSERT_FALSE(lines.ok());
  EXPECT_EQ(GetErrorInfo(lines.status()).code, "duckdb.conversion") << lines.status();
}

}  // namespace
}  // namespace dxt::duckdb
