#include "connectors/postgres/fixture_test.h"

namespace dxt::postgres {
namespace {

class LoadTest : public PostgresTest {};

TEST_F(LoadTest, AppendCreatesTheTableWithTypesAndRows) {
  Sql("CREATE TABLE src (id int PRIMARY KEY, name varchar(20) NOT NULL, price "
      "numeric(15,2), "
      "at timestamptz(3), tag text[]);"
      "INSERT INTO src SELECT i, 'n' || i, i / 4.0, '2024-01-01'::timestamptz + i * "
      "interval '1 min', ARRAY['a', NULL, i::text] FROM generate_series(1, 5000) i");
  auto result = Copy("src", "raw.dst");
  ASSERT_OK(result);
  EXPECT_EQ(result->rows_written, 5000);
  EXPECT_EQ(Sql("SELECT count(*) FROM (TABLE src EXCEPT TABLE raw.dst) q"), "0");
  EXPECT_EQ(Sql("SELECT count(*) FROM raw.dst"), "5000");
  EXPECT_EQ(
      Sql("SELECT string_agg(format_type(atttypid, atttypmod) || "
          "CASE WHEN attnotnull THEN '!' ELSE '' END, ',' ORDER BY attnum) "
          "FROM pg_attribute WHERE attrelid = 'raw.dst'::regclass AND attnum > 0"),
      "integer!,character varying(20)!,numeric(15,2),timestamp(3) with time zone,text[]");
  EXPECT_EQ(result->target_ident, Sql("SELECT 'raw.dst'::regclass::oid"));
  EXPECT_EQ(Sql("SELECT rows || ' ' || window_seq || ' ' || target FROM raw._dxt_loads"),
            "5000 1 raw.dst");
}

TEST_F(LoadTest, AppendAddsToAnExistingTable) {
  Sql("CREATE TABLE src AS SELECT 1 AS id, 'x' AS name; CREATE TABLE dst (name text, "
      "extra int DEFAULT 7, id bigint)");
  ASSERT_OK(Copy("src", "dst"));
  ASSERT_OK(Copy("src", "dst"));
  EXPECT_EQ(Sql("SELECT string_agg(dst::text, ';') FROM dst"), "(x,7,1);(x,7,1)");
}

TEST_F(LoadTest, ReplaceSwapsAndCarriesOver) {
  Sql("CREATE TABLE src AS SELECT i AS id, 'v' || i AS name FROM generate_series(1, 100) "
      "i;"
      "CREATE ROLE reader; CREATE TABLE dst (id int PRIMARY KEY, name text DEFAULT 'd' "
      "CHECK "
      "(name <> ''), extra int DEFAULT 5); CREATE INDEX by_name ON dst (lower(name)) "
      "WHERE id > 1;"
      "COMMENT ON TABLE dst IS 'it''s mine'; COMMENT ON COLUMN dst.name IS 'n'; "
      "COMMENT ON INDEX by_name IS 'i'; GRANT SELECT ON dst TO reader; "
      "GRANT UPDATE (name) ON dst TO reader; ALTER TABLE dst SET (fillfactor = 70); "
      "INSERT INTO dst VALUES (1000, 'old')");
  const std::string before = Sql("SELECT 'dst'::regclass::oid");
  auto described = OpenDestination()->Describe("dst", {});
  ASSERT_OK(described);
  EXPECT_EQ(described->attachments, std::vector<std::string>());
  auto result = Copy("src", "dst", LoadMode::kReplace);
  ASSERT_OK(result);
  EXPECT_NE(Sql("SELECT 'dst'::regclass::oid"), before);
  EXPECT_EQ(result->target_ident, Sql("SELECT 'dst'::regclass::oid"));
  EXPECT_EQ(Sql("SELECT count(*) || ' ' || min(id) || ' ' || max(extra) FROM dst"),
            "100 1 5");
  EXPECT_EQ(
      Sql("SELECT string_agg(indexname || ':' || indexdef, E'\\n' ORDER BY indexname) "
          "FROM "
          "pg_indexes WHERE tablename = 'dst'"),
      "by_name:CREATE INDEX by_name ON public.dst USING btree (lower(name)) WHERE (id > "
      "1)\ndst_pkey:CREATE UNIQUE INDEX dst_pkey ON public.dst USING btree (id)");
  EXPECT_EQ(Sql("SELECT string_agg(conname || ' ' || contype::text, ',' ORDER BY 1) FROM "
                "pg_constraint WHERE conrelid = 'dst'::regclass"),
            "dst_name_check c,dst_pkey p");
  EXPECT_EQ(Sql("SELECT obj_description('dst'::regclass) || "
                "col_description('dst'::regclass, 2) "
                "|| obj_description('by_name'::regclass)"),
            "it's mineni");
  EXPECT_EQ(Sql("SELECT has_table_privilege('reader', 'dst', 'SELECT')::text || "
                "has_table_privilege('reader', 'dst', 'INSERT')::text || "
                "has_column_privilege('reader', 'dst', 'name', 'UPDATE')::text"),
            "truefalsetrue");
  EXPECT_EQ(Sql("SELECT reloptions::text FROM pg_class WHERE oid = 'dst'::regclass"),
            "{fillfactor=70}");
  Sql("DROP OWNED BY reader; DROP ROLE reader");
}

TEST_F(LoadTest, ReplaceRewritesATableWithAView) {
  Sql("CREATE TABLE src AS SELECT i AS id FROM generate_series(1, 10) i;"
      "CREATE TABLE dst (id int); INSERT INTO dst VALUES (77); CREATE VIEW v AS SELECT * "
      "FROM dst");
  auto target = OpenDestination();
  auto described = target->Describe("dst", {});
  ASSERT_OK(described);
  ASSERT_EQ(described->attachments.size(), 1u) << described->attachments.front();
  const std::string before = Sql("SELECT 'dst'::regclass::oid");
  ASSERT_OK(Copy("src", "dst", LoadMode::kReplace));
  EXPECT_EQ(Sql("SELECT 'dst'::regclass::oid"), before);
  EXPECT_EQ(Sql("SELECT count(*) || ' ' || max(id) FROM v"), "10 10");
}

}  // namespace
}  // namespace dxt::postgres
