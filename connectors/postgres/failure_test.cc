// What goes wrong: connecting, rights, locks, values, cancellation.
#include <chrono>
#include <thread>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connectors/postgres/fixture_test.h"

namespace dxt::postgres {
namespace {

using std::chrono::steady_clock;

class FailureTest : public PostgresTest {
 protected:
  arrow::Status Check(const std::string& url) {
    auto source = connector_->OpenSource(Config(url), context_, {});
    return source.ok() ? (*source)->Check({}) : source.status();
  }
  std::string At(const std::string& host, int port, const std::string& rest) const {
    return "postgresql://postgres@" + host + ":" + std::to_string(port) + "/" + rest;
  }
};

TEST_F(FailureTest, ConnectFailuresSayWhatToDo) {
  const int port = server().port();
  const int closed = [] {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    bind(fd, reinterpret_cast<sockaddr*>(&address), size);
    getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    close(fd);
    return ntohs(address.sin_port);
  }();
  EXPECT_EQ(CodeOf(Check(At("127.0.0.1", closed, "postgres"))), "pg.connection_refused");
  EXPECT_EQ(CodeOf(Check(At("no-such-host.invalid", port, "postgres"))),
            "pg.unknown_host");
  EXPECT_EQ(CodeOf(Check(At("127.0.0.1", port, "no_such_db"))), "pg.database_missing");
  EXPECT_EQ(CodeOf(Check("postgresql://nobody@127.0.0.1:" + std::to_string(port) +
                         "/postgres")),
            "pg.auth_failed");
  EXPECT_EQ(CodeOf(Check(At("127.0.0.1", port, "postgres?sslmode=require"))), "pg.tls");
  EXPECT_EQ(CodeOf(Check(At("127.0.0.1", port, database_))), "");
}

TEST_F(FailureTest, AWrongPasswordIsAuthAndNeverShown) {
  auto secured = testing::PostgresServer::Start({.password = true});
  ASSERT_OK(secured);
  EXPECT_EQ(CodeOf(Check((*secured)->Url("postgres"))), "");
  const std::string port = std::to_string((*secured)->port());
  const auto wrong =
      Check("postgresql://postgres:Tr0ub4dor@127.0.0.1:" + port + "/postgres");
  EXPECT_EQ(CodeOf(wrong), "pg.auth_failed");
  EXPECT_EQ(GetErrorInfo(wrong).error_class, ErrorClass::kAuth);
  EXPECT_EQ(wrong.ToString().find("Tr0ub4dor"), std::string::npos);
  EXPECT_EQ(CodeOf(Check("postgresql://postgres@127.0.0.1:" + port + "/postgres")),
            "pg.auth_failed");
}

TEST_F(FailureTest, ABadUrlDoesNotShowThePassword) {
  for (const std::string url :
       {"postgresql://u:p4ss@h:notaport/d", "postgresql://u:p4%zz@h/d",
        "postgresql://u:p4ss@[::1/d", "postgresql://h/d?p4ss"}) {
    const auto parsed = connector_->ParseUrl(url);
    EXPECT_EQ(CodeOf(parsed.status()).substr(0, 14), parsed.ok() ? "" : "pg.invalid_url")
        << url;
    EXPECT_EQ(parsed.status().ToString().find("p4"), std::string::npos);
  }
  // An @ of the password would make the rest of it the host, which errors show.
  for (const std::string url : {"postgresql://u:secret@p4ss@h/d", "postgres://u:p4@@h"}) {
    const auto parsed = connector_->ParseUrl(url);
    EXPECT_EQ(CodeOf(parsed.status()), "pg.invalid_url") << url;
    EXPECT_EQ(parsed.status().ToString().find("p4"), std::string::npos);
  }
  EXPECT_TRUE(connector_->ParseUrl("postgresql://u:p%40ss@h/d").ok());
}

TEST_F(FailureTest, AServerThatDoesNotAnswerTimesOut) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  bind(fd, reinterpret_cast<sockaddr*>(&address), size);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  listen(fd, 5);
  const int port = ntohs(address.sin_port);
  EXPECT_EQ(CodeOf(Check(At("127.0.0.1", port, "d?connect_timeout=1"))),
            "pg.connect_timeout");
  std::stop_source stop;
  std::thread stopper([&] { stop.request_stop(); });
  auto source = connector_->OpenSource(Config(At("127.0.0.1", port, "d")), context_, {});
  const auto start = steady_clock::now();
  EXPECT_EQ(CodeOf((*source)->Check(stop.get_token())), "cancelled");
  EXPECT_LT(steady_clock::now() - start, std::chrono::seconds(2));
  stopper.join();
  close(fd);
}

TEST_F(FailureTest, OptionsAreReadAndWrongOnesNamed) {
  auto values = connector_->ParseUrl(
      "postgresql://me:s%40crt@db.example:6543/shop?sslmode=disable&application_name=x");
  ASSERT_OK(values);
  const ConfigView view(&connector_->spec(), *values);
  EXPECT_EQ(view.String("host"), "db.example");
  EXPECT_EQ(view.String("password"), "s@crt");
  EXPECT_EQ(view.String("sslmode"), "disable");
  EXPECT_EQ(view.Value("options")->Get("application_name")->scalar, "x");
  EXPECT_EQ(connector_->Identity(view), "postgres://db.example:6543/shop");
  ConfigValue wrong;
  wrong.kind = ConfigValue::Kind::kMap;
  ConfigValue further;
  further.kind = ConfigValue::Kind::kMap;
  further.map.emplace_back("sslrootcrt", ConfigValue{});
  wrong.map.emplace_back("options", further);
  const auto opened =
      connector_->OpenSource(ConfigView(&connector_->spec(), wrong), context_, {});
  EXPECT_EQ(CodeOf(opened.status()), "config.unknown_key");
  EXPECT_EQ(GetErrorInfo(opened.status()).hint, "Did you mean 'sslrootcert'?");
}

TEST_F(FailureTest, MissingRightsAreNamed) {
  Sql("CREATE ROLE weak_" + database_ +
      " LOGIN; CREATE TABLE t AS SELECT 1 AS id; CREATE TABLE "
      "src AS SELECT 1 AS id; REVOKE CREATE ON SCHEMA public FROM PUBLIC");
  const std::string url = "postgresql://weak_" + database_ +
                          "@127.0.0.1:" + std::to_string(server().port()) + "/" +
                          database_;
  auto source = connector_->OpenSource(Config(url), context_, {}).ValueOrDie();
  StreamRef ref;
  ref.source = "t";
  auto info = source->Describe(ref, {});
  ASSERT_OK(info);
  const auto read = ReadAll(*source, SpecOf(ref, *info)).status();
  EXPECT_EQ(CodeOf(read), "pg.permission_denied");
  EXPECT_EQ(GetErrorInfo(read).vendor_code, "42501");
  auto target = connector_->OpenDestination(Config(url), context_, {}).ValueOrDie();
  const StreamIdentity identities[] = {Identity("t")};
  // The plan says it, and the SQL that it names is enough.
  const auto planned = target->Peek(identities[0], {}).status();
  EXPECT_EQ(CodeOf(planned), "pg.metadata_denied");
  const std::string hint = GetErrorInfo(planned).hint;
  const auto acquired = target->Acquire(identities, {"r", "o"}, {}).status();
  EXPECT_EQ(CodeOf(acquired), "pg.metadata_denied");
  EXPECT_EQ(GetErrorInfo(acquired).hint, hint);
  const auto sql = [](const std::string& text) {
    constexpr std::string_view run = "Let an administrator run: ";
    const size_t at = text.find(run);
    EXPECT_NE(at, std::string::npos) << text;
    return at == std::string::npos ? "" : text.substr(at + run.size());
  };
  Sql(sql(hint));
  ASSERT_OK(target->Peek(identities[0], {}));
  ASSERT_OK(target->Acquire(identities, {"r", "o"}, {}));
  Sql("REVOKE DELETE ON _dxt_loads FROM weak_" + database_);
  const auto unusable = target->Peek(identities[0], {}).status();
  EXPECT_EQ(CodeOf(unusable), "pg.metadata_denied");
  Sql(sql(GetErrorInfo(unusable).hint));
  ASSERT_OK(target->Peek(identities[0], {}));
  Sql("DROP OWNED BY weak_" + database_ + "; DROP ROLE weak_" + database_);
}

TEST_F(FailureTest, AFailedLoadLeavesTheTargetUntouched) {
  Sql("CREATE TABLE src AS SELECT i AS id FROM generate_series(1, 100) i; CREATE TABLE "
      "dst (id "
      "int PRIMARY KEY CHECK (id < 100)); INSERT INTO dst VALUES (-1)");
  EXPECT_EQ(CodeOf(Copy("src", "dst").status()), "pg.check_violation");
  EXPECT_EQ(Sql("SELECT string_agg(id::text, ',') FROM dst"), "-1");
  Sql("ALTER TABLE dst DROP CONSTRAINT dst_id_check; INSERT INTO dst VALUES (50)");
  const auto unique = Copy("src", "dst").status();
  EXPECT_EQ(CodeOf(unique), "pg.unique_violation");
  EXPECT_EQ(GetErrorInfo(unique).vendor_code, "23505");
  EXPECT_EQ(Sql("SELECT count(*) FROM dst"), "2");
  EXPECT_EQ(Sql("SELECT count(*) FROM _dxt_loads"), "0");
}

TEST_F(FailureTest, ATableThatTwoSessionsMakeAtOnceIsPlannedAgain) {
  Sql("CREATE TABLE src AS SELECT 1 AS id; CREATE TABLE dst (id int); CREATE FUNCTION "
      "twice() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'twice' "
      "USING "
      "ERRCODE = '23505', SCHEMA = 'pg_catalog', TABLE = 'pg_type'; END $$; CREATE "
      "TRIGGER t BEFORE INSERT ON dst FOR EACH ROW EXECUTE FUNCTION twice()");
  const auto refused = Copy("src", "dst").status();
  EXPECT_EQ(CodeOf(refused), "pg.table_exists");
  EXPECT_EQ(GetErrorInfo(refused).error_class, ErrorClass::kTransient);
}

TEST_F(FailureTest, PlansRefuseWhatCannotBeLoaded) {
  Sql("CREATE TABLE src AS SELECT 1 AS id, 'x' AS name; CREATE TABLE less (id int); "
      "CREATE TABLE "
      "more (id int, name text, must int NOT NULL); CREATE VIEW v AS SELECT * FROM less; "
      "CREATE "
      "TABLE gen (id int GENERATED ALWAYS AS IDENTITY, name text); CREATE TABLE ref (id "
      "int "
      "PRIMARY KEY, name text); CREATE TABLE child (r int REFERENCES ref); CREATE TABLE "
      "bytes "
      "(id int, name bytea)");
  const auto less = Copy("src", "less").status();
  EXPECT_EQ(CodeOf(less), "schema.column_missing");
  EXPECT_NE(
      GetErrorInfo(less).hint.find("ALTER TABLE public.less ADD COLUMN \"name\" text"),
      std::string::npos)
      << GetErrorInfo(less).hint;
  EXPECT_EQ(CodeOf(Copy("src", "more").status()), "target.column_required");
  EXPECT_EQ(CodeOf(Copy("src", "v").status()), "target.is_view");
  EXPECT_EQ(CodeOf(Copy("src", "gen").status()), "target.column_generated");
  EXPECT_EQ(CodeOf(Copy("src", "bytes").status()), "type.refused");
  const auto referenced = Copy("src", "ref", LoadMode::kReplace).status();
  EXPECT_EQ(CodeOf(referenced), "target.referenced");
  EXPECT_NE(referenced.message().find("child"), std::string::npos);
  EXPECT_EQ(CodeOf(Copy("src", "less", LoadMode::kUpsert).status()),
            "load.keys_required");
}

TEST_F(FailureTest, TypesThatRoundInSilenceTakeOnlyTheirOwn) {
  Sql("CREATE TABLE src AS SELECT '1.005'::text AS v; CREATE TABLE n AS SELECT 123 AS v");
  for (const char* type : {"money", "interval(0)", "timetz(0)"}) {
    Sql("DROP TABLE IF EXISTS dst; CREATE TABLE dst (v " + std::string(type) + ")");
    const auto refused = Copy("src", "dst").status();
    EXPECT_EQ(CodeOf(refused), "type.refused") << type;
    EXPECT_EQ(GetErrorInfo(refused).column, "v");
  }
  Sql("DROP TABLE dst; CREATE TABLE dst (v integer[]); CREATE TABLE docs (v json)");
  EXPECT_EQ(GetErrorInfo(Copy("docs", "dst").status()).column, "v");
  Sql("DROP TABLE dst; CREATE TABLE dst (v numeric(3,-2))");
  EXPECT_EQ(CodeOf(Copy("n", "dst").status()), "type.refused");
  Sql("DROP TABLE dst; CREATE TABLE dst (v bit(4)); TRUNCATE src; INSERT INTO src VALUES "
      "('10101')");
  EXPECT_FALSE(Copy("src", "dst").ok());
  Sql("UPDATE src SET v = '1010'");
  ASSERT_OK(Copy("src", "dst"));
  EXPECT_EQ(Sql("SELECT v FROM dst"), "1010");
}

TEST_F(FailureTest, NamesThatTheServerWouldCutAreRefused) {
  const std::string name(64, 'n');
  Sql("CREATE TABLE src AS SELECT 1 AS id");
  EXPECT_EQ(CodeOf(Copy("src", "s." + name).status()), "target.name_too_long");
  EXPECT_EQ(CodeOf(Copy("src", "s." + name.substr(1)).status()), "");
}

TEST_F(FailureTest, ARefusedRowEndsTheCopyLongBeforeItsEnd) {
  Sql("CREATE TABLE dst (id int CHECK (id <> 1))");
  StreamSchema schema;
  schema.fields.push_back(Field{"id", {}, true, {}});
  schema.fields[0].type.dtype = DType::kInt32;
  auto target = OpenDestination();
  auto load = Prepare(*target, Wanted("dst", schema, LoadMode::kAppend));
  ASSERT_OK(load);
  auto writer = target->OpenWriter(load->spec, {});
  ASSERT_OK(writer);
  const auto ones =
      arrow::MakeArrayFromScalar(arrow::Int32Scalar(1), 100000).ValueOrDie();
  const auto batch = arrow::RecordBatch::Make(load->spec.schema, 100000, {ones});
  arrow::Status status;
  const auto deadline = steady_clock::now() + std::chrono::seconds(60);
  while (status.ok() && steady_clock::now() < deadline)
    status = (*writer)->Append(*batch, {});
  EXPECT_EQ(CodeOf(status), "pg.check_violation");
}

TEST_F(FailureTest, TextWithNulIsRefusedNotCut) {
  StreamSchema schema;
  schema.fields.push_back(Field{"v", FieldType{}, true, {}});
  arrow::StringBuilder builder;
  ASSERT_OK(builder.Append("fine"));
  ASSERT_OK(builder.Append(std::string_view("a\0b", 3)));
  auto batch = arrow::RecordBatch::Make(
      ArrowSchema(schema), 2, arrow::ArrayVector{builder.Finish().ValueOrDie()});
  const auto table = arrow::Table::FromRecordBatches({batch}).ValueOrDie();
  const auto status =
      LoadTable(Wanted("dst", schema, LoadMode::kAppend), *table).status();
  EXPECT_EQ(CodeOf(status), "pg.nul_in_text");
  EXPECT_EQ(GetErrorInfo(status).key, R"({"row":2})");
  EXPECT_EQ(Sql("SELECT to_regclass('dst') IS NULL"), "t");
}

class CancelTest : public FailureTest {
 protected:
  /// Runs `work` and requests the stop once `ready` is seen on the server.
  template <typename Work>
  arrow::Status Cancel(const std::string& ready, Work work) {
    std::stop_source stop;
    steady_clock::time_point asked;
    std::thread stopper([&] {
      while (Sql(ready) != "t") std::this_thread::yield();
      asked = steady_clock::now();
      stop.request_stop();
    });
    const auto status = work(stop.get_token());
    const auto done = steady_clock::now();
    stopper.join();
    EXPECT_LT(done - asked, std::chrono::seconds(2));
    return status;
  }
  static std::string Active(const std::string& text) {
    return "SELECT count(*) > 0 FROM pg_stat_activity WHERE state = 'active' AND pid <> "
           "pg_backend_pid() AND query LIKE '" +
           text + "%' AND datname = current_database()";
  }
};

TEST_F(CancelTest, ABlockedReadEndsAndItsStatementToo) {
  Sql("CREATE FUNCTION slow() RETURNS int LANGUAGE sql AS 'SELECT 1 FROM pg_sleep(600)'");
  auto source = OpenSource();
  StreamRef ref;
  ref.kind = StreamKind::kQuery;
  ref.source = "SELECT slow() AS s";
  ReadSpec spec = SpecOf(ref, source->Describe(ref, {}).ValueOrDie());
  const auto status = Cancel(Active("COPY"), [&](std::stop_token stop) {
    return ReadAll(*source, spec, stop).status();
  });
  EXPECT_EQ(GetErrorInfo(status).error_class, ErrorClass::kCancelled);
  while (Sql(Active("COPY")) == "t") std::this_thread::yield();
}

TEST_F(CancelTest, AWriteThatWaitsForALockEnds) {
  Sql("CREATE TABLE src AS SELECT 1 AS id; CREATE TABLE dst (id int)");
  auto target = OpenDestination();
  StreamSchema schema;
  schema.fields.push_back(Field{"id", {}, true, {}});
  schema.fields[0].type.dtype = DType::kInt32;
  auto load = Prepare(*target, Wanted("dst", schema, LoadMode::kAppend));
  ASSERT_OK(load);
  auto holder = Connect();
  ASSERT_OK(holder->Run("BEGIN; LOCK TABLE dst", "Locking", {}));
  const auto status = Cancel(Active("COPY"), [&](std::stop_token stop) {
    return target->OpenWriter(load->spec, stop).status();
  });
  EXPECT_EQ(GetErrorInfo(status).error_class, ErrorClass::kCancelled);
}

}  // namespace
}  // namespace dxt::postgres
