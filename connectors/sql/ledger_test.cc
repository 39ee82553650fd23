#include "connectors/sql/ledger.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace dxt::sql {
namespace {

TEST(LedgerSql, StandsInItsContainer) {
  const LedgerSql ledger("my schema", "TIMESTAMPTZ", "clock_timestamp()");
  EXPECT_EQ(ledger.loads_table(), "\"my schema\".\"_dxt_loads\"");
  EXPECT_EQ(LedgerSql("", "TEXT", "now", "p_").fence_table(), "\"p_fence\"");
}

TEST(LedgerSql, InsertsEveryColumnOnce) {
  const LedgerSql ledger("", "TEXT", "CLOCK");
  const std::string sql = ledger.InsertLoad();
  for (const auto& column : LedgerSql::LoadColumns()) {
    EXPECT_NE(sql.find("\"" + column + "\""), std::string::npos) << column;
    EXPECT_NE(ledger.Create()[1].find(column), std::string::npos) << column;
  }
  EXPECT_NE(sql.find("$18, CLOCK)"), std::string::npos) << sql;
  EXPECT_EQ(sql.find("$19"), std::string::npos);
}

TEST(LedgerSql, AColumnThatIsGoneIsNamedWithWhatRepairsIt) {
  const LedgerSql ledger("s", "TEXT", "CLOCK");
  std::vector<std::pair<std::string, std::string>> found;
  EXPECT_FALSE(*ledger.IsWhole(found));
  for (const auto& column : LedgerSql::LoadColumns()) {
    found.emplace_back("_dxt_loads", column);
  }
  EXPECT_FALSE(*ledger.IsWhole(found));
  for (const auto* column : {"pipeline", "stream", "lane", "owner", "renewed_at"}) {
    found.emplace_back("_dxt_fence", column);
  }
  const auto damaged = ledger.IsWhole(found).status();
  EXPECT_EQ(GetErrorInfo(damaged).code, "state.ledger_damaged");
  EXPECT_NE(damaged.message().find("\"s\".\"_dxt_fence\""), std::string::npos);
  EXPECT_NE(damaged.message().find("'epoch'"), std::string::npos);
  EXPECT_NE(GetErrorInfo(damaged).hint.find("DROP TABLE \"s\".\"_dxt_loads\""),
            std::string::npos);
  found.emplace_back("_dxt_fence", "epoch");
  found.emplace_back("_dxt_fence", "mine");
  EXPECT_TRUE(*ledger.IsWhole(found));
}

}  // namespace
}  // namespace dxt::sql
