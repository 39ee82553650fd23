#include "connectors/sql/ledger.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace dxt::sql
