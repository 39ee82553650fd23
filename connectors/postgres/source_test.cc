#include "connectors/postgres/fixture_test.h"
#include "connectors/postgres/literal.h"
#include "connectors/sdk/cursor.h"

namespace dxt::postgres {
namespace {

class SourceTest : public PostgresTest {
 protected:
  arrow::Result<StreamInfo> Describe(const std::string& reference,
                                     StreamKind kind = StreamKind::kTable) {
    StreamRef ref;
    ref.kind = kind;
    ref.source = reference;
    return OpenSource()->Describe(ref, {});
  }
  /// Texts of the first column.
  static std::string Column(const arrow::Table& table, int column = 0) {
    std::string text;
    for (const auto& chunk : table.column(column)->chunks()) {
      for (int64_t row = 0; row < chunk->length(); ++row) {
        text +=
            (text.empty() ? "" : ",") + chunk->GetScalar(row).ValueOrDie()->ToString();
      }
    }
    return text;
  }
};

TEST_F(SourceTest, DiscoverListsTablesViewsAndPartitionedTablesOnce) {
  Sql("CREATE SCHEMA a; CREATE TABLE a.t (id int PRIMARY KEY, v text); CREATE VIEW a.v "
      "AS SELECT "
      "* FROM a.t; CREATE MATERIALIZED VIEW a.m AS SELECT * FROM a.t; CREATE TABLE a.p "
      "(id int, "
      "d date, PRIMARY KEY (d, id)) PARTITION BY RANGE (d); CREATE TABLE a.p1 PARTITION "
      "OF a.p "
      "FOR VALUES FROM ('2024-01-01') TO ('2025-01-01'); CREATE TABLE other (x int); "
      "CREATE "
      "TABLE a._dxt_loads (x int); CREATE TABLE a.none ()");
  auto streams = OpenSource()->Discover("a", {});
  ASSERT_OK(streams);
  std::string found;
  for (const auto& stream : *streams) {
    found += stream.reference + ":" + std::string(StreamKindName(stream.kind)) + ":" +
             std::to_string(stream.columns.fields.size()) + " ";
  }
  EXPECT_EQ(found, "a.m:view:2 a.none:table:0 a.p:table:2 a.t:table:2 a.v:view:2 ");
  EXPECT_EQ((*streams)[2].columns.primary_key, (std::vector<std::string>{"d", "id"}));
  EXPECT_EQ(OpenSource()->Discover("", {}).ValueOrDie().size(), 6u);
  EXPECT_EQ(CodeOf(OpenSource()->Discover("aa", {}).status()), "pg.schema_missing");
}

TEST_F(SourceTest, NamesMatchExactlyThenByCaseThenAreSuggested) {
  Sql("CREATE TABLE \"Orders\" (id int); CREATE TABLE customers (id int); CREATE SCHEMA "
      "\"we.ird\";"
      "CREATE TABLE \"we.ird\".\"sel\"\"ect Ü\" (\"from\" int, \"a.b\" int, \"q\"\"q\" "
      "int);"
      "INSERT INTO \"we.ird\".\"sel\"\"ect Ü\" VALUES (1, 2, 3)");
  EXPECT_EQ(Describe("orders").ValueOrDie().reference, "public.Orders");
  EXPECT_EQ(Describe("PUBLIC.Customers").ValueOrDie().reference, "public.customers");
  const auto missing = Describe("custmers").status();
  EXPECT_EQ(CodeOf(missing), "pg.table_missing");
  EXPECT_EQ(GetErrorInfo(missing).error_class, ErrorClass::kConfig);
  EXPECT_EQ(GetErrorInfo(missing).hint, "Did you mean 'public.customers'?");
  EXPECT_EQ(CodeOf(Describe("publi.customers").status()), "pg.schema_missing");
  auto rows = Read("\"we.ird\".\"sel\"\"ect Ü\"");
  ASSERT_OK(rows);
  EXPECT_EQ((*rows)->num_rows(), 1);
  EXPECT_EQ((*rows)->schema()->field(2)->name(), "q\"q");
  ASSERT_OK(Copy("\"we.ird\".\"sel\"\"ect Ü\"", "\"n ew\".\"Drop\"\"Table;--\""));
  EXPECT_EQ(Sql("SELECT string_agg(t::text, '') FROM \"n ew\".\"Drop\"\"Table;--\" t"),
            "(1,2,3)");
}

/// COPY's bytes would be taken for what they were when the read was planned: a time for
/// a number, another type's text for a text.
TEST_F(SourceTest, AColumnAlteredAfterThePlanIsNoticedBeforeItIsRead) {
  Sql("CREATE TABLE t (id int, v bigint, w text, n numeric(6,2)); "
      "INSERT INTO t VALUES (1, 2, '3', 4.5)");
  auto source = OpenSource();
  StreamRef ref;
  ref.source = "t";
  auto info = source->Describe(ref, {});
  ASSERT_OK(info);
  ReadSpec spec;
  spec.ref = ref;
  for (const auto& field : info->columns.fields) {
    spec.columns.push_back({field.name, field.name, "", field.type, field.native});
  }
  const auto open = [&] {
    auto plan = source->PlanRead(spec, 1, {});
    EXPECT_TRUE(plan.ok()) << plan.status().ToString();
    return source->OpenReader(spec, plan->splits.front(), std::nullopt, {}).status();
  };
  ASSERT_OK(open());
  // What the same bytes still mean is nobody's concern.
  Sql("ALTER TABLE t ALTER n TYPE numeric(12,4)");
  ASSERT_OK(open());
  Sql("ALTER TABLE t ALTER v TYPE timestamp USING now()");
  auto changed = open();
  EXPECT_EQ(CodeOf(changed), "pg.source_changed");
  EXPECT_EQ(GetErrorInfo(changed).column, "v");
  EXPECT_TRUE(IsRetryable(GetErrorInfo(changed).error_class));
  Sql("ALTER TABLE t ALTER v TYPE bigint USING 2, ALTER w TYPE int USING 3");
  EXPECT_EQ(CodeOf(open()), "pg.source_changed");
  for (auto& column : spec.columns) column.raw = column.name == "v";
  Sql("ALTER TABLE t ALTER w TYPE text");
  ASSERT_OK(open());
  Sql("ALTER TABLE t ALTER v TYPE double precision");
  EXPECT_EQ(CodeOf(open()), "pg.source_changed");
}

TEST_F(SourceTest, QueriesAreDescribedAndReadWithPlaceholders) {
  Sql("CREATE TABLE t AS SELECT i AS id, i::numeric(6,2) AS n FROM generate_series(1, "
      "20) i");
  const std::string query =
      "SELECT id, n, n * 2 AS m, now() AS at FROM t WHERE id > {{ cursor }} AND id < "
      "{{ var.top }} -- all;\n;";
  StreamRef ref;
  ref.kind = StreamKind::kQuery;
  ref.source = query;
  auto source = OpenSource();
  auto info = source->Describe(ref, {});
  ASSERT_OK(info);
  EXPECT_EQ(ToString(info->columns.fields[1].type), "decimal(6,2)");
  EXPECT_EQ(ToString(info->columns.fields[2].type), "decimal");
  ReadSpec spec = SpecOf(ref, *info);
  spec.cursor.emplace();
  spec.cursor->placeholder = true;
  spec.cursor->type = info->columns.fields[0].type;
  spec.cursor->lower = "15";
  spec.variables = {{"top", "18"}};
  auto rows = ReadAll(*source, spec);
  ASSERT_OK(rows);
  EXPECT_EQ(Column(**rows), "16,17");
  EXPECT_EQ(CodeOf(Describe("SELECT nope FROM t", StreamKind::kQuery).status()),
            "pg.column_missing");
  EXPECT_EQ(CodeOf(Describe("SELEC 1", StreamKind::kQuery).status()), "pg.sql_syntax");
}

TEST_F(SourceTest, AQueryCannotWrite) {
  Sql("CREATE TABLE t (id int)");
  const auto status =
      Read("WITH w AS (INSERT INTO t VALUES (1) RETURNING id) SELECT * FROM w",
           StreamKind::kQuery)
          .status();
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(Sql("SELECT count(*) FROM t"), "0");
}

TEST_F(SourceTest, ExpressionsAreTypedAndRead) {
  Sql("CREATE TABLE t AS SELECT 2 AS id, 'x' AS name");
  StreamRef ref;
  ref.source = "t";
  auto source = OpenSource();
  auto fields = source->DescribeExpressions(ref, {"id * 1.5", "upper(name) -- up"}, {});
  ASSERT_OK(fields);
  EXPECT_EQ(ToString((*fields)[0].type), "decimal");
  ReadSpec spec;
  spec.ref = ref;
  ColumnRead read;
  read.name = "up";
  read.expression = "upper(name) -- up";
  read.type = (*fields)[1].type;
  read.native = (*fields)[1].native;
  spec.columns.push_back(read);
  auto rows = ReadAll(*source, spec);
  ASSERT_OK(rows);
  EXPECT_EQ(Column(**rows), "X");
}

TEST_F(SourceTest, CursorsOfEveryTypeReadTheRest) {
  struct CursorCase {
    const char* type;
    std::vector<const char*> values;  ///< In ascending order.
  };
  const CursorCase cases[] = {
      {"smallint", {"-5", "0", "7"}},
      {"bigint", {"-9223372036854775808", "0", "9223372036854775807"}},
      {"numeric(38,10)",
       {"-0.0000000001", "0", "9999999999999999999999999999.9999999999"}},
      {"numeric", {"-1.5", "0.00", "1e30"}},
      {"date", {"4713-01-01 BC", "0001-12-31 BC", "2024-01-01", "5874897-12-31"}},
      {"timestamp",
       {"0044-03-15 12:00:00 BC", "2024-01-01 00:00:00.000001", "2024-01-01 00:00:01"}},
      {"timestamptz",
       {"0001-01-01 00:00:00+00 BC", "2024-01-01 00:00:00+02", "2024-01-01 00:00:00+00"}},
      {"text", {"A", "a", "a'\\b", "ä"}},
      {"varchar(9)", {"", "B", "b"}},
      {"uuid",
       {"00000000-0000-0000-0000-000000000001", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}},
  };
  auto source = OpenSource();
  for (const auto& one : cases) {
    SCOPED_TRACE(one.type);
    std::string sql = "DROP TABLE IF EXISTS t; CREATE TABLE t (c " +
                      std::string(one.type) + "); INSERT INTO t VALUES (NULL)";
    for (const std::string value : one.values) {
      std::string escaped;
      for (const char c : value) escaped += c == '\'' ? "''" : std::string(1, c);
      sql += ", ('" + escaped + "')";
    }
    Sql(sql);
    StreamRef ref;
    ref.source = "t";
    auto info = source->Describe(ref, {});
    ASSERT_OK(info);
    ReadSpec spec = SpecOf(ref, *info);
    auto all = ReadAll(*source, spec);
    ASSERT_OK(all);
    const auto values = arrow::Concatenate((*all)->column(0)->chunks()).ValueOrDie();
    spec.cursor.emplace();
    spec.cursor->name = spec.cursor->column = "c";
    spec.cursor->type = info->columns.fields[0].type;
    spec.order_by_cursor = true;
    for (int64_t row = 1; row < values->length(); ++row) {
      spec.cursor->lower = CursorText(*values, row, spec.cursor->type).ValueOrDie();
      SCOPED_TRACE(*spec.cursor->lower);
      for (const bool inclusive : {false, true}) {
        spec.cursor->lower_inclusive = inclusive;
        spec.cursor->include_null = inclusive;
        auto rest = ReadAll(*source, spec);
        ASSERT_OK(rest);
        EXPECT_EQ((*rest)->num_rows(), values->length() - 1 - row + (inclusive ? 2 : 0));
      }
    }
  }
}

TEST_F(SourceTest, LiteralsRefuseWhatIsNoValueOfTheType) {
  const auto connection = Connect();
  const auto literal = [&](DType dtype, std::string_view value) {
    FieldType type;
    type.dtype = dtype;
    auto written = ValueLiteral(*connection, value, type);
    return written.ok() ? *written : CodeOf(written.status());
  };
  EXPECT_EQ(literal(DType::kInt64, "1"), "'1'::int8");
  EXPECT_EQ(literal(DType::kInt64, "1; DROP TABLE t"), "cursor.invalid");
  EXPECT_EQ(literal(DType::kInt64, ""), "cursor.invalid");
  EXPECT_EQ(literal(DType::kTimestamp, "2024-01-01'; --"), "cursor.invalid");
  EXPECT_EQ(literal(DType::kDate, "-0043-03-15"), "'0044-03-15 BC'::date");
  EXPECT_EQ(literal(DType::kDate, "0000-03-15"), "'0001-03-15 BC'::date");
  EXPECT_EQ(literal(DType::kString, "it's \\ x"), " E'it''s \\\\ x'");
  EXPECT_EQ(literal(DType::kString, std::string_view("a\0b", 3)), "cursor.invalid");
}

TEST_F(SourceTest, FiltersWhereAndLimitAreApplied) {
  Sql("CREATE TABLE t AS SELECT i AS id, CASE WHEN i % 2 = 0 THEN 'even' END AS kind "
      "FROM "
      "generate_series(1, 10) i");
  auto source = OpenSource();
  StreamRef ref;
  ref.source = "t";
  auto info = source->Describe(ref, {}).ValueOrDie();
  ReadSpec spec = SpecOf(ref, info);
  spec.where = "id > 2";
  spec.filters = {{"kind", FilterOp::kEq, {"even"}, info.columns.fields[1].type},
                  {"id", FilterOp::kNotIn, {"4", "6"}, info.columns.fields[0].type}};
  EXPECT_EQ(source->CountRows(spec, {}).ValueOrDie(), 2);
  EXPECT_EQ(Column(*ReadAll(*source, spec).ValueOrDie()), "8,10");
  spec.limit = 1;
  EXPECT_EQ(ReadAll(*source, spec).ValueOrDie()->num_rows(), 1);
}

TEST_F(SourceTest, BatchesKeepToTheirLimits) {
  Sql("CREATE TABLE t AS SELECT i AS id, repeat('x', 100) AS v FROM generate_series(1, "
      "1000) i");
  auto source = OpenSource();
  StreamRef ref;
  ref.source = "t";
  ReadSpec spec = SpecOf(ref, source->Describe(ref, {}).ValueOrDie());
  spec.batch_rows = 64;
  auto reader = source->OpenReader(spec, Split{}, std::nullopt, {}).ValueOrDie();
  auto step = reader->Next({}).ValueOrDie();
  EXPECT_EQ(step.batch->num_rows(), 64);
  spec.batch_rows = 100000;
  spec.batch_bytes = 5000;
  reader = source->OpenReader(spec, Split{}, std::nullopt, {}).ValueOrDie();
  step = reader->Next({}).ValueOrDie();
  EXPECT_LT(step.batch->num_rows(), 60);
}

TEST_F(SourceTest, AnEmptyTableHasASchemaAndNoBatch) {
  Sql("CREATE TABLE t (id int, g int GENERATED ALWAYS AS (id * 2) STORED, s serial)");
  auto rows = Read("t");
  ASSERT_OK(rows);
  EXPECT_EQ((*rows)->num_rows(), 0);
  EXPECT_EQ((*rows)->num_columns(), 3);
}

TEST_F(SourceTest, OneSnapshotWhateverIsWrittenMeanwhile) {
  Sql("CREATE TABLE t AS SELECT i AS id, repeat('x', 500) AS v FROM generate_series(1, "
      "20000) i");
  auto source = OpenSource();
  StreamRef ref;
  ref.source = "t";
  ReadSpec spec = SpecOf(ref, source->Describe(ref, {}).ValueOrDie());
  spec.batch_rows = 100;
  auto reader = source->OpenReader(spec, Split{}, std::nullopt, {}).ValueOrDie();
  int64_t rows = reader->Next({}).ValueOrDie().batch->num_rows();
  Sql("DELETE FROM t WHERE id > 10000; UPDATE t SET v = 'new'; INSERT INTO t VALUES (0, "
      "'n')");
  while (true) {
    auto step = reader->Next({});
    ASSERT_OK(step);
    if (step->batch) rows += step->batch->num_rows();
    if (step->end) break;
  }
  EXPECT_EQ(rows, 20000);
}

TEST_F(SourceTest, SessionSettingsDoNotDependOnTheServers) {
  Sql("ALTER DATABASE " + database_ +
      " SET IntervalStyle = 'sql_standard'; ALTER DATABASE " + database_ +
      " SET TimeZone = 'America/New_York'; ALTER DATABASE " + database_ +
      " SET DateStyle = 'German'; ALTER DATABASE " + database_ +
      " SET default_transaction_read_only = on");
  auto rows = Read(
      "SELECT interval '1 day 02:00' AS i, now()::text LIKE '%+00' AS utc, "
      "date '2024-01-02'::text AS d",
      StreamKind::kQuery);
  ASSERT_OK(rows);
  EXPECT_EQ(Column(**rows, 0), "P1DT2H");
  EXPECT_EQ(Column(**rows, 1), "true");
  EXPECT_EQ(Column(**rows, 2), "2024-01-02");
}

}  // namespace
}  // namespace dxt::postgres
