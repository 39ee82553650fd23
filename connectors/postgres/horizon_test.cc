#include "connectors/postgres/fixture_test.h"

namespace dxt::postgres {
namespace {

class HorizonTest : public PostgresTest {
 protected:
  /// A session with a transaction of its own.
  std::unique_ptr<Connection> Begin(const std::string& sql) {
    auto session = Connect();
    EXPECT_TRUE(session->Run("BEGIN; " + sql, "Testing", {}).ok());
    return session;
  }

  struct Seen {
    std::vector<int64_t> ids;
    std::optional<HeldBack> held;
  };
  /// Reads the ids of `t` by a cursor on `column`, from `lower` on.
  Seen Read(const std::string& column, std::optional<std::string> lower = {}) {
    Seen seen;
    auto source = OpenSource();
    StreamRef ref;
    ref.source = "t";
    auto info = source->Describe(ref, {});
    EXPECT_TRUE(info.ok()) << info.status().ToString();
    ReadSpec spec = SpecOf(ref, *info);
    spec.hold_back = hold_back_;
    spec.cursor.emplace();
    spec.cursor->name = spec.cursor->column = column;
    spec.cursor->type = info->columns.Find(column)->type;
    spec.cursor->lower = std::move(lower);
    auto reader = source->OpenReader(spec, Split{}, std::nullopt, {});
    EXPECT_TRUE(reader.ok()) << reader.status().ToString();
    seen.held = (*reader)->held_back();
    while (true) {
      auto step = (*reader)->Next({});
      EXPECT_TRUE(step.ok()) << step.status().ToString();
      if (!step.ok()) return seen;
      if (step->batch) {
        const auto ids = step->batch->GetColumnByName("id");
        for (int64_t row = 0; row < ids->length(); ++row) {
          seen.ids.push_back(std::stoll(ids->GetScalar(row).ValueOrDie()->ToString()));
        }
      }
      if (step->end) break;
    }
    std::sort(seen.ids.begin(), seen.ids.end());
    return seen;
  }

  bool hold_back_ = true;
};

using Ids = std::vector<int64_t>;

TEST_F(HorizonTest, RowsStampedAfterAnOpenTransactionBeganAreLeftToALaterRead) {
  Sql("CREATE TABLE t (id int, at timestamptz DEFAULT now()); INSERT INTO t VALUES (1)");
  auto open = Begin("INSERT INTO t VALUES (2)");
  Sql("INSERT INTO t VALUES (3)");
  const Seen first = Read("at");
  EXPECT_EQ(first.ids, Ids{1});
  ASSERT_TRUE(first.held.has_value());
  EXPECT_FALSE(first.held->since.empty());
  EXPECT_LE(first.held->from, first.held->since);
  ASSERT_OK(open->Commit("Testing", {}));
  const Seen second = Read("at");
  EXPECT_EQ(second.ids, (Ids{1, 2, 3}));
  EXPECT_FALSE(second.held.has_value());
}

TEST_F(HorizonTest, ATransactionThatGotItsNumberLateHoldsBackWhatWasStampedSinceItBegan) {
  Sql("CREATE TABLE t (id int, at timestamptz DEFAULT now())");
  auto open = Begin("SELECT now()");
  Sql("INSERT INTO t VALUES (1)");
  ASSERT_OK(open->Run("INSERT INTO t VALUES (2)", "Testing", {}));
  const Seen held = Read("at");
  EXPECT_EQ(held.ids, Ids{});
  EXPECT_TRUE(held.held.has_value());
}

TEST_F(HorizonTest, NumbersAboveThoseOfAnOpenTransactionAreLeftToo) {
  Sql("CREATE TABLE t (id serial, v text); INSERT INTO t (v) VALUES ('a'), ('b')");
  auto open = Begin("INSERT INTO t (v) VALUES ('open')");
  Sql("INSERT INTO t (v) VALUES ('later')");
  EXPECT_EQ(Read("id").ids, (Ids{1, 2}));
  EXPECT_EQ(Read("id", "1").held->from, "4");
  ASSERT_OK(open->Run("ROLLBACK", "Testing", {}));
  EXPECT_EQ(Read("id").ids, (Ids{1, 2, 4}));
}

TEST_F(HorizonTest, TextHoldsBackBytewise) {
  Sql("CREATE TABLE t (id int, code varchar(9)); INSERT INTO t VALUES (1, 'A')");
  auto open = Begin("INSERT INTO t VALUES (2, 'B')");
  Sql("INSERT INTO t VALUES (3, 'a'), (4, 'Z')");
  const Seen held = Read("code");
  EXPECT_EQ(held.ids, Ids{1});
  EXPECT_EQ(held.held->from, "Z");
}

TEST_F(HorizonTest, APreparedTransactionHoldsBackAsAnOpenOneDoes) {
  Sql("CREATE TABLE t (id int, at timestamptz DEFAULT now())");
  auto open = Begin("INSERT INTO t VALUES (1)");
  ASSERT_OK(open->Run("PREPARE TRANSACTION '" + database_ + "'", "Testing", {}));
  Sql("INSERT INTO t VALUES (2)");
  EXPECT_EQ(Read("at").ids, Ids{});
  ASSERT_OK(open->Run("COMMIT PREPARED '" + database_ + "'", "Testing", {}));
  EXPECT_EQ(Read("at").ids, (Ids{1, 2}));
}

TEST_F(HorizonTest, AColumnOfWholeSecondsHoldsBackTheWholeSecond) {
  Sql("CREATE TABLE t (id int, at timestamptz(0)); INSERT INTO t VALUES (1, "
      "now() - interval '5 s')");
  auto open = Begin("INSERT INTO t VALUES (2, date_trunc('second', now()))");
  const Seen held = Read("at");
  EXPECT_EQ(held.ids, Ids{1});
  EXPECT_TRUE(held.held->from.ends_with(".000000+00:00")) << held.held->from;
}

TEST_F(HorizonTest, StampsWithoutAZoneAreMeantAsTheServersClockShowsThem) {
  Sql("ALTER DATABASE " + database_ + " SET TimeZone = 'Asia/Tokyo'");
  Sql("CREATE TABLE t (id int, at timestamp DEFAULT now()); INSERT INTO t VALUES (1)");
  auto open = Begin("SELECT now()");
  Sql("INSERT INTO t VALUES (2)");
  ASSERT_OK(open->Run("INSERT INTO t VALUES (3)", "Testing", {}));
  EXPECT_EQ(Read("at").ids, Ids{1});
}

TEST_F(HorizonTest, OnlyTransactionsThatCouldWriteHereCount) {
  Sql("CREATE TABLE t (id int, at timestamptz DEFAULT now())");
  const std::string other = server().CreateDatabase();
  ConnectOptions options;
  options.host = server().socket_dir();
  options.port = std::to_string(server().port());
  options.user = server().user();
  options.database = other;
  auto elsewhere = Connection::Open(options, {}).ValueOrDie();
  ASSERT_OK(elsewhere->Run("BEGIN; CREATE TABLE x (id int)", "Testing", {}));
  auto reading = Begin("SELECT count(*) FROM t");
  Sql("INSERT INTO t VALUES (1)");
  const Seen seen = Read("at");
  EXPECT_EQ(seen.ids, Ids{1});
  EXPECT_FALSE(seen.held.has_value());
  elsewhere.reset();
  server().DropDatabase(other);
}

TEST_F(HorizonTest, NothingIsHeldBackWhereNobodyAsksForIt) {
  Sql("CREATE TABLE t (id int, at timestamptz DEFAULT now())");
  auto open = Begin("INSERT INTO t VALUES (1)");
  Sql("INSERT INTO t VALUES (2)");
  hold_back_ = false;
  EXPECT_EQ(Read("at").ids, Ids{2});
}

TEST_F(HorizonTest, ARoleThatSeesNoOtherSessionsIsToldAndStillHoldsByNumber) {
  Sql("CREATE TABLE t (id int, at timestamptz DEFAULT now()); CREATE ROLE " + database_ +
      " LOGIN; GRANT SELECT ON t TO " + database_);
  auto open = Begin("INSERT INTO t VALUES (1)");
  Sql("INSERT INTO t VALUES (2)");
  std::string url = server().Url(database_);
  auto source = connector_->OpenSource(
      Config(url + (url.find('?') == std::string::npos ? "?" : "&") +
             "user=" + database_),
      context_, {});
  ASSERT_OK(source);
  StreamRef ref;
  ref.source = "t";
  ReadSpec spec = SpecOf(ref, (*source)->Describe(ref, {}).ValueOrDie());
  spec.hold_back = true;
  spec.cursor.emplace();
  spec.cursor->name = spec.cursor->column = "at";
  spec.cursor->type = spec.columns[1].type;
  auto plan = (*source)->PlanRead(spec, 1, {});
  ASSERT_OK(plan);
  ASSERT_EQ(plan->notes.size(), 1u);
  EXPECT_NE(plan->notes[0].find("pg_read_all_stats"), std::string::npos);
  auto rows = ReadAll(**source, spec);
  ASSERT_OK(rows);
  EXPECT_EQ((*rows)->num_rows(), 0);
  open.reset();
  source->reset();
  Sql("DROP OWNED BY " + database_ + "; DROP ROLE " + database_);
}

}  // namespace
}  // namespace dxt::postgres
