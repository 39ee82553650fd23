#include "connectors/sql/select.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace dxt::sql {
namespace {

/// Binds values as $1, $2 … and remembers them.
class SelectTest : public testing::Test {
 protected:
  SelectTest() {
    dialect_.value = [this](std::string_view value,
                            const FieldType&) -> arrow::Result<std::string> {
      bound_.emplace_back(value);
      return "$" + std::to_string(bound_.size());
    };
    dialect_.bytewise = [](std::string_view sql) {
      return std::string(sql) + " COLLATE \"C\"";
    };
    dialect_.item = [](const ColumnRead& column) {
      return column.expression.empty() ? QuoteIdentifier(column.column)
                                       : "(" + column.expression + ")";
    };
    ColumnRead column;
    column.name = column.column = "id";
    spec_.columns = {column};
  }

  void Cursor(DType dtype = DType::kInt64) {
    CursorRange cursor;
    cursor.name = cursor.column = "id";
    cursor.type.dtype = dtype;
    spec_.cursor = cursor;
  }

  std::string Select(std::string_view extra = {}) {
    const auto sql = BuildSelect(spec_, "\"t\"", dialect_, extra);
    return sql.ok() ? *sql : GetErrorInfo(sql.status()).code;
  }

  SelectDialect dialect_;
  ReadSpec spec_;
  std::vector<std::string> bound_;
};

TEST_F(SelectTest, NamesEveryColumn) {
  ColumnRead hostile;
  hostile.column = "a\", (SELECT secret) --";
  ColumnRead expression;
  expression.expression = "upper(x)";
  spec_.columns.push_back(hostile);
  spec_.columns.push_back(expression);
  EXPECT_EQ(Select(),
            "SELECT \"id\", \"a\"\", (SELECT secret) --\", (upper(x)) FROM \"t\"");
}

TEST_F(SelectTest, ValuesAreBoundNeverPasted) {
  spec_.filters = {{"name", FilterOp::kEq, {"x' OR 1=1 --"}, {}},
                   {"kind", FilterOp::kIn, {"a", "b"}, {}}};
  EXPECT_EQ(Select(),
            "SELECT \"id\" FROM \"t\" WHERE \"name\" = $1 AND \"kind\" IN ($2, $3)");
  EXPECT_EQ(bound_, (std::vector<std::string>{"x' OR 1=1 --", "a", "b"}));
}

TEST_F(SelectTest, ACommentInWhereCannotSwallowWhatFollows) {
  spec_.where = "a = 1 -- only these";
  EXPECT_EQ(Select("ctid < '(9,0)'"),
            "SELECT \"id\" FROM \"t\" WHERE (a = 1 -- only these\n) AND ctid < '(9,0)'");
}

TEST_F(SelectTest, TheCursorsRangeAndItsNulls) {
  Cursor();
  EXPECT_EQ(Select(), "SELECT \"id\" FROM \"t\" WHERE \"id\" IS NOT NULL");
  spec_.cursor->lower = "5";
  spec_.order_by_cursor = true;
  spec_.limit = 10;
  EXPECT_EQ(Select(),
            "SELECT \"id\" FROM \"t\" WHERE \"id\" > $1 ORDER BY \"id\" LIMIT 10");
  spec_.cursor->lower_inclusive = true;
  spec_.cursor->upper = "9";
  spec_.cursor->include_null = true;
  spec_.order_by_cursor = false;
  spec_.limit.reset();
  bound_.clear();
  EXPECT_EQ(Select(),
            "SELECT \"id\" FROM \"t\" WHERE ((\"id\" >= $1 AND \"id\" < $2) OR \"id\" IS "
            "NULL)");
}

TEST_F(SelectTest, StringCursorsCompareBytewise) {
  Cursor(DType::kString);
  spec_.cursor->lower = "m";
  spec_.order_by_cursor = true;
  EXPECT_EQ(Select(),
            "SELECT \"id\" FROM \"t\" WHERE \"id\" COLLATE \"C\" > $1 "
            "ORDER BY \"id\" COLLATE \"C\"");
}

TEST_F(SelectTest, AQueryIsWrappedWithoutItsSemicolon) {
  spec_.ref.kind = StreamKind::kQuery;
  spec_.ref.source = " SELECT 1 AS id -- one\n ; \n";
  EXPECT_EQ(Select(), "SELECT \"id\" FROM (SELECT 1 AS id -- one\n) AS _dxt_q");
}

TEST_F(SelectTest, PlaceholdersBecomeValues) {
  spec_.ref.kind = StreamKind::kQuery;
  spec_.ref.source = "SELECT * FROM t WHERE id > {{ cursor }} AND kind = {{var.kind}}";
  spec_.variables = {{"kind", "a'b"}};
  Cursor();
  spec_.cursor->lower = "7";
  EXPECT_EQ(Select(),
            "SELECT \"id\" FROM (SELECT * FROM t WHERE id > $1 AND kind = $2\n) "
            "AS _dxt_q");
  EXPECT_EQ(bound_, (std::vector<std::string>{"7", "a'b"}));
}

TEST_F(SelectTest, PlaceholdersWithoutAValueAreRefused) {
  spec_.ref.kind = StreamKind::kQuery;
  spec_.ref.source = "SELECT {{ var.missing }}";
  EXPECT_EQ(Select(), "sql.placeholder");
  spec_.ref.source = "SELECT {{ cursor }}";
  EXPECT_EQ(Select(), "sql.placeholder");
  Cursor();
  EXPECT_EQ(Select(), "cursor.no_value");
}

TEST_F(SelectTest, PlaceholdersWithinQuotesAreRefused) {
  spec_.ref.kind = StreamKind::kQuery;
  spec_.variables = {{"x", "or 1 = 1"}};
  for (const char* query :
       {"SELECT * FROM t WHERE s = '{{ var.x }}'", "SELECT \"{{ var.x }}\" FROM t",
        "SELECT '' AS e, 'it''s {{ var.x }}' FROM t",
        "SELECT 1 -- it's\n, '{{ var.x }}'"}) {
    spec_.ref.source = query;
    EXPECT_EQ(Select(), "sql.placeholder") << query;
  }
  spec_.ref.source = "SELECT /* don't */ 'it''s', {{ var.x }} -- \"\nFROM t";
  EXPECT_NE(Select(), "sql.placeholder");
}

TEST_F(SelectTest, CountReadsTheSameRows) {
  spec_.filters = {{"a", FilterOp::kLte, {"1"}, {}}};
  EXPECT_EQ(*BuildCount(spec_, "\"t\"", dialect_),
            "SELECT count(*) FROM \"t\" WHERE \"a\" <= $1");
}

}  // namespace
}  // namespace dxt::sql
