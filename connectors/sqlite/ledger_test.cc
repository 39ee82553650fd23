#include "connectors/sqlite/ledger.h"

#include "base/error.h"
#include "connectors/sqlite/connection.h"
#include "connectors/sqlite/files.h"
#include "connectors/sqlite/sqlite_fixture.h"

namespace dxt::sqlite {
namespace {

class SqliteLedgerTest : public SqliteTest {
 protected:
  void SetUp() override {
    SqliteTest::SetUp();
    auto opened = Connection::Open(path_, Connection::Mode::kCreate, files_,
                                   std::chrono::seconds(30), {});
    ASSERT_TRUE(opened.ok()) << opened.status();
    connection_ = std::move(*opened);
    ASSERT_TRUE(CreateLedger(*connection_).ok());
    identity_.pipeline = "shop/p";
    identity_.stream = "t";
    identity_.target = "rows";
    record_.window_seq = 1;
    record_.load_id = "01A";
  }
  void TearDown() override {
    connection_.reset();
    SqliteTest::TearDown();
  }
  int64_t Own() { return BumpFence(*connection_, identity_, "owner").ValueOr(-1); }
  /// The error's code; "" when the row is there.
  std::string Record(int64_t epoch) {
    const auto recorded = RecordLoad(*connection_, identity_, epoch, "owner", record_);
    return recorded.ok() ? "" : GetErrorInfo(recorded).code;
  }

  FileRegistry files_;
  std::unique_ptr<Connection> connection_;
  StreamIdentity identity_;
  LoadRecord record_;
};

TEST_F(SqliteLedgerTest, ASecondRowWithTheKeyIsRefused) {
  const int64_t epoch = Own();
  EXPECT_EQ(Record(epoch), "");
  record_.load_id = "01B";
  EXPECT_EQ(Record(epoch), "sqlite.unique_violation") << "another load of that window";
  record_.load_id = "01A";
  record_.window_seq = 2;
  EXPECT_EQ(Record(epoch), "sqlite.unique_violation") << "that load in another window";
  record_.load_id = "01C";
  EXPECT_EQ(Record(epoch), "");
}

TEST_F(SqliteLedgerTest, ARowOfAnOwnerThatWasFollowedIsRefused) {
  const int64_t epoch = Own();
  Own();
  EXPECT_EQ(Record(epoch), "load.fenced");
}

}  // namespace
}  // namespace dxt::sqlite
