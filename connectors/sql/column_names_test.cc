#include "connectors/sql/column_names.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace dxt::sql {
namespace {

TableSpec Columns(std::vector<std::string> names) {
  TableSpec table;
  for (auto& name : names) table.columns.emplace_back().name = std::move(name);
  return table;
}

TEST(ColumnNames, DifferingInCaseAloneAreOneWhereTheTargetFoldsIt) {
  const auto status = CheckColumnNames(Columns({"Id2", "v", "id2"}), NameCase::kFolded);
  EXPECT_EQ(GetErrorInfo(status).code, "target.column_names");
  EXPECT_NE(status.message().find("'Id2' and 'id2'"), std::string::npos);
  EXPECT_NE(GetErrorInfo(status).hint.find("target.name"), std::string::npos);
  EXPECT_TRUE(CheckColumnNames(Columns({"Id2", "id2"}), NameCase::kMatters).ok());
  // Beyond ASCII neither SQLite nor DuckDB folds.
  EXPECT_TRUE(
      CheckColumnNames(Columns({"\xC3\x9C", "\xC3\xBC"}), NameCase::kFolded).ok());
}

TEST(ColumnNames, MustNotBeEmpty) {
  for (const auto name_case : {NameCase::kFolded, NameCase::kMatters}) {
    const auto status = CheckColumnNames(Columns({"a", ""}), name_case);
    EXPECT_EQ(GetErrorInfo(status).code, "target.column_names");
  }
}

}  // namespace
}  // namespace dxt::sql
