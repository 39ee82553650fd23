// The write protocol: fence, chain, guards, lost acknowledgements, what readers see.
#include <atomic>
#include <future>
#include <thread>

#include "connectors/postgres/fixture_test.h"
#include "connectors/postgres/owner.h"

namespace dxt::postgres {
namespace {

class ProtocolTest : public PostgresTest {
 protected:
  void SetUp() override {
    PostgresTest::SetUp();
    Sql("CREATE TABLE src AS SELECT i AS id FROM generate_series(1, 1000) i");
    source_ = OpenSource();
    StreamRef ref;
    ref.source = "src";
    info_ = source_->Describe(ref, {}).ValueOrDie();
    rows_ = ReadAll(*source_, SpecOf(ref, info_)).ValueOrDie();
  }

  TableSpec Table(LoadMode mode = LoadMode::kAppend) {
    return Wanted("dst", info_.columns, mode);
  }
  static bool Exists(const std::string& found) { return found == "t"; }
  bool TableExists(const std::string& name) {
    return Exists(Sql("SELECT to_regclass('" + name + "') IS NOT NULL"));
  }
  arrow::Result<CommitResult> Commit(Destination& target, const TestLoad& load,
                                     const WriteReceipt& receipt,
                                     CommitGuards guards = {}) {
    const WriteReceipt receipts[] = {receipt};
    return target.Commit(load.spec, load.record, receipts, guards, {});
  }

  StreamInfo info_;
  std::shared_ptr<arrow::Table> rows_;
};

TEST_F(ProtocolTest, PeekWritesNothingAndToleratesMissingTables) {
  auto target = OpenDestination();
  auto peeked = target->Peek(Identity("dst"), {});
  ASSERT_OK(peeked);
  EXPECT_FALSE(peeked->has_value());
  EXPECT_EQ(target->SharedTarget(Identity("dst"), {}).ValueOrDie(), false);
  EXPECT_EQ(target->Resolve(Identity("dst"), "x", {}).ValueOrDie(), false);
  EXPECT_FALSE(TableExists("_dxt_loads"));
}

TEST_F(ProtocolTest, AcquireBumpsAndReadsTheNewestLoad) {
  auto target = OpenDestination();
  const StreamIdentity identities[] = {Identity("dst"), Identity("other.t", "s2")};
  auto first = target->Acquire(identities, {"r", "o"}, {});
  ASSERT_OK(first);
  EXPECT_EQ((*first)[0].epoch, 1);
  EXPECT_FALSE((*first)[0].last);
  ASSERT_OK(LoadTable(Table(), *rows_));
  auto second = target->Acquire(identities, {"r", "o"}, {});
  ASSERT_OK(second);
  EXPECT_EQ((*second)[0].epoch, 3);
  ASSERT_TRUE((*second)[0].last);
  EXPECT_EQ((*second)[0].last->rows, 1000);
  EXPECT_EQ((*second)[0].last->target, "public.dst");
  EXPECT_EQ((*second)[1].epoch, 2);
  EXPECT_TRUE(TableExists("other._dxt_fence"));
}

TEST_F(ProtocolTest, ASecondAcquireFencesTheFirstCommit) {
  auto first = OpenDestination();
  auto second = OpenDestination();
  auto load = Prepare(*first, Table());
  ASSERT_OK(load);
  auto receipt = Write(*first, load->spec, *rows_);
  ASSERT_OK(receipt);
  const StreamIdentity identities[] = {load->spec.identity};
  ASSERT_OK(second->Acquire(identities, {"r2", "host/1"}, {}));
  const auto result = Commit(*first, *load, *receipt);
  EXPECT_EQ(GetErrorInfo(result.status()).error_class, ErrorClass::kFenced);
  EXPECT_FALSE(TableExists("dst"));
  EXPECT_EQ(Sql("SELECT count(*) FROM _dxt_loads"), "0");
}

TEST_F(ProtocolTest, ANewcomerEndsTheSessionThatKeepsItsLocks) {
  auto first = OpenDestination();
  auto second = OpenDestination();
  auto load = Prepare(*first, Table());
  ASSERT_OK(load);
  auto receipt = Write(*first, load->spec, *rows_);
  ASSERT_OK(receipt);
  // The table that `first` has made in its transaction would keep the second out.
  auto then = Prepare(*second, Table());
  ASSERT_OK(then);
  auto written = Write(*second, then->spec, *rows_);
  ASSERT_OK(written);
  ASSERT_OK(Commit(*second, *then, *written));
  const auto fenced = Commit(*first, *load, *receipt);
  EXPECT_EQ(GetErrorInfo(fenced.status()).error_class, ErrorClass::kFenced)
      << fenced.status();
  EXPECT_EQ(Sql("SELECT count(*) FROM dst"), "1000");
}

TEST_F(ProtocolTest, ANewcomerWaitsForALivingOwner) {
  auto first = OpenDestination();
  auto second = OpenDestination();
  auto load = Prepare(*first, Table());
  ASSERT_OK(load);
  auto receipt = Write(*first, load->spec, *rows_);
  ASSERT_OK(receipt);
  const StreamIdentity identities[] = {load->spec.identity};
  std::stop_source stop;
  auto waiting = std::async(std::launch::async, [&] {
    return second->Acquire(identities, {"r2", "o2"}, stop.get_token());
  });
  EXPECT_EQ(waiting.wait_for(std::chrono::milliseconds(300)),
            std::future_status::timeout);
  ASSERT_OK(Commit(*first, *load, *receipt));
  const auto owned = waiting.get();
  ASSERT_OK(owned);
  ASSERT_TRUE((*owned)[0].last) << "it must see what it waited for";
  EXPECT_EQ((*owned)[0].last->window_seq, 1);
}

TEST_F(ProtocolTest, ANewcomerDoesNotWaitForAnOwnerThatHangs) {
  auto first = OpenDestination();
  auto second = OpenDestination();
  auto load = Prepare(*first, Table());
  ASSERT_OK(load);
  ASSERT_OK(Write(*first, load->spec, *rows_));
  const StreamIdentity identities[] = {load->spec.identity};
  auto waiting = std::async(
      std::launch::async, [&] { return second->Acquire(identities, {"r2", "o2"}, {}); });
  // As if it had said for a while that it lives, and no more: the row is its last word.
  while (waiting.wait_for(std::chrono::milliseconds(50)) != std::future_status::ready) {
    Sql("UPDATE _dxt_fence SET renewed_at = renewed_at - interval '1 h'");
  }
  const auto owned = waiting.get();
  ASSERT_OK(owned);
  EXPECT_EQ((*owned)[0].epoch, 2);
}

TEST_F(ProtocolTest, APlanEndsAnOwnerThatHangsWithTheTablesLock) {
  Sql("CREATE TABLE dst (id int)");
  auto first = OpenDestination();
  auto load = Prepare(*first, Table());
  ASSERT_OK(load);
  auto hanging = Connect();
  ASSERT_OK(
      hanging->Run("BEGIN; SET LOCAL application_name = '" +
                       SessionName(load->spec.identity, load->spec.epoch) +
                       "'; LOCK TABLE dst IN ACCESS EXCLUSIVE MODE; INSERT INTO dst "
                       "VALUES (7)",
                   "Hanging", {}));
  Sql("UPDATE _dxt_fence SET renewed_at = renewed_at - interval '1 h'");
  auto second = OpenDestination();
  const auto target = second->Describe("dst", {});
  ASSERT_OK(target);
  EXPECT_TRUE(target->empty) << "what hung was rolled back";
}

TEST_F(ProtocolTest, ANewcomerEndsASessionThatHangsWhileItTakesOver) {
  auto first = OpenDestination();
  auto load = Prepare(*first, Table());
  ASSERT_OK(load);
  auto hanging = Connect();
  ASSERT_OK(hanging->Run("BEGIN; SET LOCAL application_name = '" +
                             SessionName(load->spec.identity, kAcquiring) +
                             "'; UPDATE _dxt_fence SET epoch = epoch + 1",
                         "Hanging", {}));
  auto second = OpenDestination();
  const StreamIdentity identities[] = {load->spec.identity};
  const auto owned = second->Acquire(identities, {"r2", "host/1"}, {});
  ASSERT_OK(owned);
  EXPECT_EQ((*owned)[0].epoch, 2) << "what hung was rolled back";
}

TEST_F(ProtocolTest, AnAcquireAfterTheChecksStillFences) {
  // The other owner comes between the early look and the last statement of the commit.
  Sql("CREATE TABLE dst (id int); CREATE FUNCTION late() RETURNS trigger LANGUAGE "
      "plpgsql AS "
      "$$BEGIN UPDATE _dxt_fence SET epoch = epoch + 1; RETURN NEW; END$$");
  auto target = OpenDestination();
  auto load = Prepare(*target, Table());
  ASSERT_OK(load);
  auto receipt = Write(*target, load->spec, *rows_);
  ASSERT_OK(receipt);
  Sql("CREATE TRIGGER late BEFORE INSERT ON _dxt_loads FOR EACH ROW EXECUTE FUNCTION "
      "late()");
  const auto result = Commit(*target, *load, *receipt);
  EXPECT_EQ(GetErrorInfo(result.status()).error_class, ErrorClass::kFenced);
  EXPECT_EQ(Sql("SELECT count(*) FROM dst"), "0");
}

TEST_F(ProtocolTest, TheSameLoadIsCommittedOnce) {
  auto target = OpenDestination();
  auto load = Prepare(*target, Table());
  ASSERT_OK(load);
  auto receipt = Write(*target, load->spec, *rows_);
  ASSERT_OK(receipt);
  ASSERT_OK(Commit(*target, *load, *receipt));
  auto again = Prepare(*target, Table());
  ASSERT_OK(again);
  again->spec.load_id = again->record.load_id = load->spec.load_id;
  auto receipt2 = Write(*target, again->spec, *rows_);
  ASSERT_OK(receipt2);
  auto result = Commit(*target, *again, *receipt2);
  ASSERT_OK(result);
  EXPECT_TRUE(result->already);
  EXPECT_EQ(Sql("SELECT count(*) FROM dst"), "1000");
}

TEST_F(ProtocolTest, ALoadThatDoesNotContinueTheChainIsStale) {
  ASSERT_OK(LoadTable(Table(), *rows_));
  auto target = OpenDestination();
  auto load = Prepare(*target, Table());
  ASSERT_OK(load);
  load->record.cursor_before = "other";
  auto receipt = Write(*target, load->spec, *rows_);
  ASSERT_OK(receipt);
  EXPECT_EQ(CodeOf(Commit(*target, *load, *receipt).status()), "load.stale");
  EXPECT_EQ(Sql("SELECT count(*) FROM dst"), "1000");
}

TEST_F(ProtocolTest, GuardsStopAReplaceThatShrinks) {
  Sql("CREATE TABLE dst AS SELECT i AS id FROM generate_series(1, 3000) i");
  const auto shrunk = LoadTable(Table(LoadMode::kReplace), *rows_, {0.5, false});
  EXPECT_EQ(CodeOf(shrunk.status()), "guard.shrink");
  const auto empty =
      LoadTable(Table(LoadMode::kReplace), *rows_->Slice(0, 0), {1.0, false});
  EXPECT_EQ(CodeOf(empty.status()), "guard.empty");
  EXPECT_EQ(Sql("SELECT count(*) FROM dst"), "3000");
  ASSERT_OK(LoadTable(Table(LoadMode::kReplace), *rows_, {0.9, false}));
  EXPECT_EQ(Sql("SELECT count(*) FROM dst"), "1000");
}

TEST_F(ProtocolTest, DiscardAbortAndDestructionLeaveNothing) {
  const auto leftovers = [&] {
    return Sql(
        "SELECT count(*) FROM pg_class WHERE relname LIKE '\\_dxt\\_s%' OR relname = "
        "'dst'");
  };
  {
    auto target = OpenDestination();
    auto load = Prepare(*target, Table());
    ASSERT_OK(load);
    auto receipt = Write(*target, load->spec, *rows_);
    ASSERT_OK(receipt);
    const WriteReceipt receipts[] = {*receipt};
    target->Discard(receipts);
    EXPECT_EQ(leftovers(), "0");
    auto writer = target->OpenWriter(load->spec, {});
    ASSERT_OK(writer);
    (*writer)->Abort();
    (*writer)->Abort();
    EXPECT_EQ(leftovers(), "0");
    ASSERT_OK(Write(*target, load->spec, *rows_));
  }
  EXPECT_EQ(leftovers(), "0");
}

TEST_F(ProtocolTest, RowsAreInvisibleUntilTheCommit) {
  Sql("CREATE TABLE dst AS SELECT 0 AS id");
  auto target = OpenDestination();
  auto load = Prepare(*target, Table());
  ASSERT_OK(load);
  auto receipt = Write(*target, load->spec, *rows_);
  ASSERT_OK(receipt);
  EXPECT_EQ(Sql("SELECT count(*) FROM dst"), "1");
  ASSERT_OK(Commit(*target, *load, *receipt));
  EXPECT_EQ(Sql("SELECT count(*) FROM dst"), "1001");
}

TEST_F(ProtocolTest, ReadersOfAReplacedTableSeeOldOrNew) {
  for (const bool rewrite : {false, true}) {
    Sql("DROP TABLE IF EXISTS dst CASCADE; CREATE TABLE dst AS SELECT -i AS id FROM "
        "generate_series(1, 500) i; DROP VIEW IF EXISTS v");
    if (rewrite) Sql("CREATE VIEW v AS SELECT * FROM dst");
    std::atomic<bool> done = false;
    std::atomic<int> polls = 0;
    std::string other;
    std::thread reader([&] {
      while (!done) {
        const auto seen = Sql("SELECT count(*) || ' ' || sum(sign(id)) FROM dst");
        if (seen != "500 -500" && seen != "1000 1000") other = seen;
        ++polls;
      }
    });
    while (polls < 3) std::this_thread::yield();
    for (int i = 0; i < 3; ++i) {
      const auto loaded = LoadTable(Table(LoadMode::kReplace), *rows_);
      EXPECT_TRUE(loaded.ok()) << loaded.status().ToString();
    }
    const int seen = polls;
    while (polls < seen + 3) std::this_thread::yield();
    done = true;
    reader.join();
    EXPECT_EQ(other, "");
    EXPECT_EQ(Sql("SELECT count(*) FROM dst"), "1000");
  }
}

TEST_F(ProtocolTest, ALostCommitIsUnknownAndResolved) {
  // The backend dies when the deferred trigger runs inside COMMIT: the answer never
  // comes.
  Sql("CREATE TABLE dst (id int); CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql "
      "AS "
      "$$BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END$$;"
      "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON dst DEFERRABLE INITIALLY DEFERRED "
      "FOR EACH "
      "ROW EXECUTE FUNCTION die()");
  auto target = OpenDestination();
  auto load = Prepare(*target, Table());
  ASSERT_OK(load);
  auto receipt = Write(*target, load->spec, *rows_->Slice(0, 1));
  ASSERT_OK(receipt);
  const auto result = Commit(*target, *load, *receipt);
  ASSERT_FALSE(result.ok());
  EXPECT_TRUE(GetErrorInfo(result.status()).outcome_unknown)
      << result.status().ToString();
  EXPECT_EQ(GetErrorInfo(result.status()).error_class, ErrorClass::kTransient);
  auto fresh = OpenDestination();
  const StreamIdentity identities[] = {load->spec.identity};
  ASSERT_OK(fresh->Acquire(identities, {"r", "o"}, {}));
  EXPECT_EQ(fresh->Resolve(load->spec.identity, load->spec.load_id, {}).ValueOrDie(),
            false);
  EXPECT_EQ(Sql("SELECT count(*) FROM dst"), "0");
}

TEST_F(ProtocolTest, AFailingConstraintAtCommitIsAPlainFailure) {
  Sql("CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE dst (id int REFERENCES "
      "parent "
      "DEFERRABLE INITIALLY DEFERRED)");
  const auto result = LoadTable(Table(), *rows_);
  EXPECT_EQ(CodeOf(result.status()), "pg.foreign_key_violation");
  EXPECT_FALSE(GetErrorInfo(result.status()).outcome_unknown);
  EXPECT_EQ(Sql("SELECT count(*) FROM dst"), "0");
  EXPECT_EQ(Sql("SELECT count(*) FROM _dxt_loads"), "0");
}

TEST_F(ProtocolTest, OtherPipelinesOfATargetAreSeen) {
  ASSERT_OK(LoadTable(Table(), *rows_));
  auto target = OpenDestination();
  StreamIdentity other = Identity("public.dst");
  EXPECT_EQ(target->SharedTarget(other, {}).ValueOrDie(), false);
  other.pipeline = "another/one";
  EXPECT_EQ(target->SharedTarget(other, {}).ValueOrDie(), true);
}

TEST_F(ProtocolTest, MaxCursorReadsTheTarget) {
  Sql("CREATE TABLE dst (id int, at timestamptz(3), name text); INSERT INTO dst VALUES "
      "(1, "
      "'2024-01-01 00:00:00.5+01', 'a'), (2, NULL, 'B'), (3, '2024-01-01 00:00:00.5+01', "
      "'b')");
  auto target = OpenDestination();
  FieldType type;
  type.dtype = DType::kTimestampTz;
  EXPECT_EQ(target->MaxCursor("dst", "at", type, {}).ValueOrDie(),
            "2023-12-31 23:00:00.500000+00:00");
  type.dtype = DType::kInt64;
  EXPECT_EQ(target->MaxCursor("dst", "id", type, {}).ValueOrDie(), "3");
  type.dtype = DType::kString;
  EXPECT_EQ(target->MaxCursor("dst", "name", type, {}).ValueOrDie(), "b");
  EXPECT_EQ(target->CountRows("dst", {}).ValueOrDie(), 3);
}

}  // namespace
}  // namespace dxt::postgres
