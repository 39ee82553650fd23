#include "connectors/duckdb/types.h"

#include <fstream>
#include <map>
#include <sstream>

#include <arrow/api.h>

#include "base/error.h"
#include "connectors/duckdb/test_support.h"

namespace dxt::duckdb {
namespace {

using Lines = std::vector<std::string>;

/// A column of every type with the values at its edges.
const std::vector<std::pair<std::string, std::string>> kColumns = {
    {"BOOLEAN", "true, false"},
    {"TINYINT", "-128, 127"},
    {"SMALLINT", "-32768, 32767"},
    {"INTEGER", "-2147483648, 2147483647"},
    {"BIGINT", "-9223372036854775808, 9223372036854775807"},
    {"UTINYINT", "0, 255"},
    {"USMALLINT", "0, 65535"},
    {"UINTEGER", "0, 4294967295"},
    {"UBIGINT", "0, 18446744073709551615"},
    {"HUGEINT",
     "-99999999999999999999999999999999999999, 99999999999999999999999999999999999999"},
    {"UHUGEINT", "0, 99999999999999999999999999999999999999"},
    {"FLOAT", "'nan', '-infinity', -0.0, 3.4028234e38, 1e-45"},
    {"DOUBLE", "'nan', 'infinity', -0.0, 1.7976931348623157e308, 5e-324, 0.1"},
    {"DECIMAL(4,1)", "-999.9, 999.9"},
    {"DECIMAL(9,9)", "-0.999999999, 0.000000001"},
    {"DECIMAL(18,0)", "-999999999999999999, 999999999999999999"},
    {"DECIMAL(38,10)", "-9999999999999999999999999999.9999999999, 0.0000000001"},
    {"VARCHAR", "'', 'it''s', chr(0) || 'x', 'ünïcödé 🦆'"},
    {"BLOB", "'', '\\x00\\xFF'"},
    {"DATE",
     "'infinity', '-infinity', '5877642-06-25 (BC)', '5881580-07-10', '1970-01-01'"},
    {"TIME", "'00:00:00', '24:00:00', '23:59:59.999999'"},
    {"TIMESTAMP",
     "'infinity', '-infinity', '290309-12-22 (BC) 00:00:00', "
     "'294247-01-10 04:00:54.775806', '1969-12-31 23:59:59.999999'"},
    {"TIMESTAMP_S", "'infinity', '-infinity', '2020-01-01 00:00:01'"},
    {"TIMESTAMP_MS", "'infinity', '-infinity', '2020-01-01 00:00:00.001'"},
    {"TIMESTAMP_NS",
     "'infinity', '-infinity', '1677-09-22 00:00:00', "
     "'2262-04-10 23:59:59.999999999'"},
    {"TIMESTAMP WITH TIME ZONE",
     "'infinity', '-infinity', '2020-01-01 00:00:00.123456+02'"},
    {"TIME WITH TIME ZONE", "'10:00:00.123456+02', '23:59:59-15:59'"},
    {"UUID",
     "'00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'"},
    {"INTERVAL", "'1 year -2 days 3.000005 seconds', '-5 months'"},
    {"BIT", "'0', '1010101010101'"},
    {"ENUM('a', 'b''c')", "'a', 'b''c'"},
    {"JSON", "'{\"a\": [1, 2.50]}', 'null', '\"x\"'"},
    {"INTEGER[]", "[], [1, NULL, -2147483648]"},
    {"VARCHAR[]", "['a', NULL, '']"},
    {"DECIMAL(9,2)[]", "[1.25, -0.01]"},
    {"TIMESTAMP[]", "['infinity', '-infinity', '2020-01-01']"},
    {"UUID[]", "['00000000-0000-0000-0000-000000000001']"},
    {"INTEGER[2]", "[1, 2], [NULL, 3]"},
    {"TIMESTAMP_MS[]", "['2020-01-01 00:00:00.001', '-infinity']"},
};

class TypesTest : public DuckdbTest {
 protected:
  /// Copies `from` to `to` as a run would, with native types kept or not.
  void Copy(const std::string& from, const std::string& to, bool keep_native,
            LoadMode mode = LoadMode::kAppend) {
    auto source = OpenSource();
    StreamRef ref;
    ref.source = from;
    const auto info = source->Describe(ref, {}).ValueOrDie();
    ReadSpec read;
    read.ref = ref;
    TableSpec table;
    table.reference = to;
    table.mode = mode;
    for (const auto& field : info.columns.fields) {
      ColumnRead column;
      column.name = column.column = field.name;
      column.type = field.type;
      column.native = field.native;
      read.columns.push_back(column);
      WantedColumn wanted;
      wanted.name = field.name;
      wanted.field = field;
      if (!keep_native) wanted.field.native = {};
      table.columns.push_back(wanted);
    }
    auto target = OpenTarget();
    std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
    {
      auto reader = source->OpenReader(read, {}, std::nullopt, {});
      ASSERT_TRUE(reader.ok()) << reader.status();
      while (true) {
        auto step = (*reader)->Next({});
        ASSERT_TRUE(step.ok()) << step.status();
        if (step->end) break;
        batches.push_back(step->batch);
      }
    }
    source.reset();
    const WriteSpec spec = Prepare(*target, table, "L" + to);
    for (size_t i = 0; i < spec.plan.columns.size(); ++i) {
      ASSERT_TRUE(ArrowType(spec.plan.columns[i].domain.deliver)
                      ->Equals(ArrowType(read.columns[i].type)))
          << spec.plan.columns[i].native;
    }
    auto writer = target->OpenWriter(spec, {}).ValueOrDie();
    for (const auto& batch : batches) {
      const auto status = writer->Append(*batch, {});
      ASSERT_TRUE(status.ok()) << status;
    }
    auto receipt = writer->Finish({});
    ASSERT_TRUE(receipt.ok()) << receipt.status();
    const auto done = target->Commit(spec, Record(spec), std::span(&*receipt, 1), {}, {});
    ASSERT_TRUE(done.ok()) << done.status();
  }

  /// The values of a list: commas inside brackets and quotes belong to a value.
  static Lines Values(const std::string& list) {
    Lines values(1);
    int depth = 0;
    bool quoted = false;
    for (const char c : list) {
      if (c == '\'') quoted = !quoted;
      if (!quoted) depth += (c == '[' || c == '(') - (c == ']' || c == ')');
      if (c == ',' && !quoted && depth == 0) {
        values.emplace_back();
      } else {
        values.back() += c;
      }
    }
    return values;
  }

  /// Makes `table` with a column of each of kColumns that is, or is not, what a new
  /// column would be declared; its rows hold the edge values and NULL.
  void Seed(const std::string& table, bool plain) {
    types_.clear();
    std::string columns;
    std::vector<Lines> values;
    size_t rows = 0;
    for (const auto& [type, list] : kColumns) {
      Field field;
      field.type = ReadTypeOf(type).type;
      if ((NewColumnType(field).ValueOrDie() == type) != plain) continue;
      columns +=
          (types_.empty() ? "c" : ", c") + std::to_string(types_.size()) + " " + type;
      types_.push_back(type);
      values.push_back(Values(list));
      rows = std::max(rows, values.back().size() + 1);
    }
    Lines statements = {"CREATE TABLE " + table + " (" + columns + ")"};
    for (size_t row = 0; row < rows; ++row) {
      std::string list;
      for (size_t i = 0; i < types_.size(); ++i) {
        const std::string value = row < values[i].size() ? values[i][row] : "NULL";
        list += (i > 0 ? ", CAST(" : "CAST(") + value + " AS " + types_[i] + ")";
      }
      statements.push_back("INSERT INTO " + table + " VALUES (" + list + ")");
    }
    Sql(statements);
  }

  /// Every column of both tables holds the same values; NaN equals NaN.
  void ExpectSame(const std::string& a, const std::string& b) {
    std::string select = "SELECT true";
    for (size_t i = 0; i < types_.size(); ++i) {
      const std::string column = "c" + std::to_string(i) + "::" + types_[i];
      const auto less = [&](const std::string& x, const std::string& y) {
        return "(SELECT count(*) FROM (SELECT " + column + " FROM " + x +
               " EXCEPT ALL SELECT " + column + " FROM " + y + "))";
      };
      select += ", " + less(a, b) + " + " + less(b, a) + " = 0";
    }
    const auto lines = Look(select);
    ASSERT_EQ(lines.size(), 1u);
    std::stringstream cells(lines[0]);
    std::string cell;
    std::getline(cells, cell, '|');
    for (const auto& type : types_) {
      std::getline(cells, cell, '|');
      EXPECT_EQ(cell, "true") << type << " from " << a << " to " << b;
    }
  }

  Lines types_;
};

TEST_F(TypesTest, EveryTypeComesBackAsItWas) {
  for (const bool plain : {true, false}) {
    const std::string from = plain ? "straight" : "recast";
    const std::string to = from + "_copy";
    Seed(from, plain);
    ASSERT_NO_FATAL_FAILURE(Copy(from, to, true));
    ExpectSame(from, to);
    EXPECT_EQ(Look("SELECT data_type FROM duckdb_columns() WHERE table_name = '" + to +
                   "' ORDER BY column_index"),
              types_);
    ASSERT_NO_FATAL_FAILURE(Copy(from, to, true, LoadMode::kReplace));
    ExpectSame(from, to);
  }
}

TEST_F(TypesTest, EveryDtypeComesBackAsItWas) {
  Seed("recast", false);
  ASSERT_NO_FATAL_FAILURE(Copy("recast", "plain", false));
  ExpectSame("recast", "plain");
}

TEST_F(TypesTest, NestedValuesTravelAsJson) {
  Sql(
      {"CREATE TABLE t AS SELECT {'a': 1.10::DECIMAL(30,2), 'b': [NULL, 'x']} AS \"Col\" "
       "UNION ALL SELECT NULL"});
  Copy("t", "c", true);
  EXPECT_EQ(Look("SELECT \"Col\"::VARCHAR FROM c ORDER BY 1"),
            (Lines{"{\"a\":1.10,\"b\":[null,\"x\"]}", "~"}));
  EXPECT_EQ(Look("SELECT data_type FROM duckdb_columns() WHERE table_name = 'c'"),
            Lines{"JSON"});
}

TEST_F(TypesTest, TheReferencePageTellsTheTruth) {
  std::ifstream page(DXT_SOURCE_DIR "/docs/reference/connectors/duckdb.md");
  ASSERT_TRUE(page.good());
  std::map<std::string, std::pair<std::string, std::string>> rows;
  std::string line;
  while (std::getline(page, line)) {
    if (!line.starts_with("| `")) continue;
    Lines cells;
    size_t at = 0;
    while ((at = line.find('`', at)) != std::string::npos) {
      const size_t end = line.find('`', at + 1);
      cells.push_back(line.substr(at + 1, end - at - 1));
      at = end + 1;
    }
    if (cells.size() == 3) rows[cells[0]] = {cells[1], cells[2]};
  }
  for (const auto& [native, values] : kColumns) {
    Field field;
    field.type = ReadTypeOf(native).type;
    const std::string created = NewColumnType(field).ValueOrDie();
    ASSERT_TRUE(rows.contains(native))
        << "| `" << native << "` | `" << ToString(field.type) << "` | `" << created
        << "` |";
    EXPECT_EQ(rows[native].first, ToString(field.type)) << native;
    EXPECT_EQ(rows[native].second, created) << native;
  }
}

TEST_F(TypesTest, UndeclaredDecimalsGetADomain) {
  Field field;
  field.type.dtype = DType::kDecimal;
  const std::string native = NewColumnType(field).ValueOrDie();
  EXPECT_EQ(native, "DECIMAL(38,9)");
  const ValueDomain domain = DomainOf(native, field);
  EXPECT_EQ(domain.deliver.precision, 38);
  EXPECT_EQ(domain.deliver.scale, 9);
  EXPECT_EQ(domain.max_integer_digits, 29);
  EXPECT_EQ(domain.max_fraction_digits, 9);
  EXPECT_FALSE(domain.nan);
  EXPECT_EQ(DomainOf("TIMESTAMP_S", field).fraction_digits, 0);
  EXPECT_EQ(DomainOf("TIMESTAMP_MS", field).fraction_digits, 3);
}

TEST_F(TypesTest, WrittenTypesAreFoundWhateverTheirSpelling) {
  EXPECT_EQ(CanonicalType("text"), "VARCHAR");
  EXPECT_EQ(CanonicalType("varchar(20)"), "VARCHAR");
  EXPECT_EQ(CanonicalType("numeric(9, 2)"), "DECIMAL(9,2)");
  EXPECT_EQ(CanonicalType("decimal(9)"), "DECIMAL(9,0)");
  EXPECT_EQ(CanonicalType("int8[]"), "BIGINT[]");
  EXPECT_EQ(CanonicalType("enum('a','B')"), "ENUM('a','B')");
  EXPECT_EQ(CanonicalType(" timestamptz "), "TIMESTAMP WITH TIME ZONE");
}

}  // namespace
}  // namespace dxt::duckdb
