#include <sys/resource.h>
#include <csignal>
#include <fstream>

#include <arrow/api.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "connectors/file/file_fixture.h"

namespace dxt::file {
namespace {

class DestinationTest : public FileTest {
 protected:
  Load NumberedLoad(const std::string& target, int64_t first, int64_t rows,
                    LoadMode mode = LoadMode::kAppend) const {
    const Sample sample = Numbered(first, rows);
    Load load;
    load.target = target;
    load.schema = sample.schema;
    load.batches = {sample.batch};
    load.mode = mode;
    return load;
  }

  void ExpectIds(const std::string& target, const std::vector<int64_t>& wanted) const {
    const Rows rows = Read(target);
    ASSERT_TRUE(rows.status.ok()) << rows.status.ToString();
    std::vector<std::string> lines;
    for (const int64_t id : wanted) {
      lines.push_back(std::to_string(id) + "|n" + std::to_string(id));
    }
    EXPECT_EQ(rows.lines, lines);
  }
};

/// "csv.gz" as options of a stream.
struct NameFormatOption {
  std::string extension;
  ConfigValue options() const {
    const size_t dot = extension.find('.');
    auto map = Map({{"format", Scalar(extension.substr(0, dot))}});
    if (dot != std::string::npos) {
      map.map.emplace_back("compression",
                           Scalar(extension.substr(dot + 1) == "gz" ? "gzip" : "zstd"));
    }
    return map;
  }
};

class EveryFormat : public DestinationTest,
                    public ::testing::WithParamInterface<std::string> {};

INSTANTIATE_TEST_SUITE_P(Formats, EveryFormat,
                         ::testing::Values("csv", "tsv", "json", "jsonl", "parquet",
                                           "csv.gz", "csv.zst", "jsonl.gz", "json.zst"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

TEST_P(EveryFormat, AppendsTwiceToOneFile) {
  const std::string target = "out." + GetParam();
  ASSERT_TRUE(Run(NumberedLoad(target, 1, 2)).ok());
  ExpectIds(target, {1, 2});
  const auto second = Run(NumberedLoad(target, 3, 2));
  ASSERT_TRUE(second.ok()) << second.status().ToString();
  EXPECT_EQ(second->rows_written, 2);
  ExpectIds(target, {1, 2, 3, 4});
  EXPECT_EQ(Names(), (std::vector<std::string>{"_dxt", target}));
}

TEST_P(EveryFormat, ReplacesOneFile) {
  const std::string target = "out." + GetParam();
  ASSERT_TRUE(Run(NumberedLoad(target, 1, 3)).ok());
  const auto replaced = Run(NumberedLoad(target, 8, 1, LoadMode::kReplace));
  ASSERT_TRUE(replaced.ok()) << replaced.status().ToString();
  EXPECT_EQ(replaced->rows_deleted, 3);
  ExpectIds(target, {8});
}

TEST_P(EveryFormat, WritesEveryTypeSoThatItReadsBackTheSame) {
  const Sample sample = EveryType();
  Load load;
  load.target = "all." + GetParam();
  load.schema = sample.schema;
  load.batches = {sample.batch};
  const auto done = Run(load);
  ASSERT_TRUE(done.ok()) << done.status().ToString();
  std::vector<ColumnRead> columns;
  for (const auto& field : sample.schema.fields) {
    ColumnRead column;
    column.name = column.column = field.name;
    column.type = field.type;
    columns.push_back(column);
  }
  std::vector<std::pair<std::string, ConfigValue>> declared;
  for (const auto& field : sample.schema.fields) {
    declared.emplace_back(field.name, Scalar(ToString(field.type)));
  }
  const Rows rows = Read(load.target, Map({{"columns", Map(declared)}}), columns);
  ASSERT_TRUE(rows.status.ok()) << rows.status.ToString();
  const auto wanted = *arrow::Table::FromRecordBatches({sample.batch});
  ASSERT_EQ(rows.table->num_rows(), 2);
  for (int i = 0; i < wanted->num_columns(); ++i) {
    EXPECT_TRUE(rows.table->column(i)->Equals(*wanted->column(i)))
        << wanted->field(i)->name() << ": " << rows.table->column(i)->ToString();
  }
}

TEST_P(EveryFormat, MakesAFileOfZeroRows) {
  Load load = NumberedLoad("none." + GetParam(), 1, 1);
  load.batches.clear();
  ASSERT_TRUE(Run(load).ok());
  ASSERT_TRUE(std::filesystem::exists(Path(load.target)));
  auto destination = OpenDestination();
  const auto table = *destination->Describe(load.target, {});
  EXPECT_TRUE(table.exists);
  EXPECT_TRUE(table.empty);
  ASSERT_TRUE(Run(NumberedLoad(load.target, 5, 1)).ok());
  ExpectIds(load.target, {5});
}

TEST_P(EveryFormat, AddsPartsToAFolderAndReplacesItWhole) {
  Load load = NumberedLoad("orders/", 1, 2);
  const NameFormatOption option{GetParam()};
  load.options = option.options();
  ASSERT_TRUE(Run(load).ok());
  Load second = NumberedLoad("orders", 3, 1);
  second.options = option.options();
  const auto done = Run(second);
  ASSERT_TRUE(done.ok()) << done.status().ToString();
  EXPECT_EQ(Names("orders"),
            (std::vector<std::string>{"_dxt", "part-00000001." + GetParam(),
                                      "part-00000002." + GetParam()}));
  ExpectIds("orders", {1, 2, 3});
  Load third = NumberedLoad("orders", 9, 1, LoadMode::kReplace);
  third.options = option.options();
  const auto replaced = Run(third);
  ASSERT_TRUE(replaced.ok()) << replaced.status().ToString();
  EXPECT_EQ(Names("orders"),
            (std::vector<std::string>{"_dxt", "part-00000003." + GetParam()}));
  EXPECT_EQ(Names(), std::vector<std::string>{"orders"});
  ExpectIds("orders", {9});
}

TEST_F(DestinationTest, QuotesWhatWouldReadAsSomethingElse) {
  const Sample sample = EveryType();
  Load load;
  load.target = "q.csv";
  load.schema.fields = {sample.schema.fields[12], sample.schema.fields[13],
                        sample.schema.fields[17], sample.schema.fields[9]};
  load.batches = {*sample.batch->SelectColumns({12, 13, 17, 9})};
  ASSERT_TRUE(Run(load).ok());
  EXPECT_EQ(ReadText("q.csv"),
            "s,empty,ts,f64\n\"a,\"\"b\"\"\r\nc\té€😀\",\"\",1969-12-31T23:59:59.999999,"
            "0.30000000000000004\n,,,\n");
}

TEST_F(DestinationTest, ALoadIsInvisibleUntilItsCommit) {
  ASSERT_TRUE(Run(NumberedLoad("a.csv", 1, 1)).ok());
  Load load = NumberedLoad("a.csv", 2, 1);
  load.commit = false;
  ASSERT_TRUE(Run(load).ok());
  ExpectIds("a.csv", {1});
  // The next owner sweeps what was left.
  ASSERT_TRUE(Run(NumberedLoad("a.csv", 3, 1)).ok());
  ExpectIds("a.csv", {1, 3});
  EXPECT_EQ(Names(), (std::vector<std::string>{"_dxt", "a.csv"}));
}

TEST_F(DestinationTest, LeftoversOfACrashAreIgnoredByReaders) {
  ASSERT_TRUE(Run(NumberedLoad("out/", 1, 1)).ok());
  Load load = NumberedLoad("out/", 2, 1);
  load.commit = false;
  ASSERT_TRUE(Run(load).ok());
  ExpectIds("out", {1});
  ASSERT_TRUE(Run(NumberedLoad("out/", 3, 1)).ok());
  EXPECT_EQ(Names("out"), (std::vector<std::string>{"_dxt", "part-00000001.parquet",
                                                    "part-00000002.parquet"}));
}

TEST_F(DestinationTest, AFirstLoadThatIsGivenUpLeavesNothing) {
  for (const std::string target : {"a.csv", "deep/er/a.csv", "parts/"}) {
    Load load = NumberedLoad(target, 1, 1);
    load.commit = false;
    ASSERT_TRUE(Run(load).ok());
    EXPECT_EQ(Names(), std::vector<std::string>{}) << target;
  }
  // A folder that stood there stays, and so does what another stream has recorded.
  std::filesystem::create_directory(Path("parts"));
  Load load = NumberedLoad("parts/", 1, 1);
  load.commit = false;
  ASSERT_TRUE(Run(load).ok());
  EXPECT_EQ(Names("parts"), std::vector<std::string>{});
  ASSERT_TRUE(Run(NumberedLoad("parts/", 1, 1)).ok());
  load.stream = "other";
  ASSERT_TRUE(Run(load).ok());
  EXPECT_EQ(Names("parts/_dxt"), std::vector<std::string>{"s"});
  ExpectIds("parts", {1});
}

TEST_F(DestinationTest, AFenceThatSomebodyElseHasRaisedStays) {
  const StreamIdentity identity = Identity(NumberedLoad("a.csv", 1, 1));
  const StreamIdentity identities[] = {identity};
  auto first = OpenDestination();
  EXPECT_EQ((*first->Acquire(identities, Owner(), {}))[0].epoch, 1);
  auto second = OpenDestination();
  EXPECT_EQ((*second->Acquire(identities, Owner(), {}))[0].epoch, 2);
  // Neither the one whose turn is over nor a later one may let epochs begin anew: the
  // first could hang, and would pass for the third.
  second.reset();
  EXPECT_TRUE(std::filesystem::exists(Path("_dxt/a.csv/s/fence.json")));
  EXPECT_EQ((*OpenDestination()->Acquire(identities, Owner(), {}))[0].epoch, 3);
  first.reset();
  EXPECT_TRUE(std::filesystem::exists(Path("_dxt/a.csv/s/fence.json")));
}

TEST_F(DestinationTest, ARangeStaysTakenWhenTheDestinationThatTookItIsGone) {
  StreamIdentity range;
  range.pipeline = "p/p";
  range.stream = "s";
  range.lane = "backfill/1..9";
  range.target = "out.csv";
  Owner owner;
  owner.admits = [](const std::vector<std::string>&) { return arrow::Status::OK(); };
  const StreamIdentity identities[] = {range};
  ASSERT_TRUE(OpenDestination()->Acquire(identities, owner, {}).ok());
  std::vector<std::string> seen;
  owner.admits = [&](const std::vector<std::string>& lanes) -> arrow::Status {
    seen = lanes;
    return MakeError(ErrorClass::kConfig, "backfill.overlap", "taken");
  };
  StreamIdentity overlapping = range;
  overlapping.lane = "backfill/5..12";
  const StreamIdentity others[] = {overlapping};
  const auto refused = OpenDestination()->Acquire(others, owner, {});
  EXPECT_EQ(GetErrorInfo(refused.status()).code, "backfill.overlap");
  EXPECT_EQ(seen, std::vector<std::string>{range.lane});
  EXPECT_EQ(*OpenDestination()->Lanes(overlapping, {}), seen);
}

TEST_F(DestinationTest, WritesToTheFileBehindALink) {
  WriteText("real/data.txt", "{\"id\":7,\"name\":\"n7\"}\n");
  std::filesystem::create_symlink("real/data.txt", Path("link.jsonl"));
  ASSERT_TRUE(Run(NumberedLoad("link.jsonl", 1, 2, LoadMode::kReplace)).ok());
  EXPECT_TRUE(std::filesystem::is_symlink(Path("link.jsonl")));
  EXPECT_EQ(ReadText("real/data.txt"),
            "{\"id\":1,\"name\":\"n1\"}\n{\"id\":2,\"name\":\"n2\"}\n");
  EXPECT_EQ(Names(), (std::vector<std::string>{"link.jsonl", "real"}));
  ASSERT_TRUE(Run(NumberedLoad("link.jsonl", 3, 1)).ok());
  ExpectIds("link.jsonl", {1, 2, 3});
  // Of a link into nowhere the file is made; a folder is exchanged behind its link.
  std::filesystem::create_symlink("real/new.csv", Path("later.csv"));
  ASSERT_TRUE(Run(NumberedLoad("later.csv", 1, 1)).ok());
  EXPECT_TRUE(std::filesystem::is_symlink(Path("later.csv")));
  EXPECT_EQ(ReadText("real/new.csv"), "id,name\n1,n1\n");
  ASSERT_TRUE(Run(NumberedLoad("parts/", 1, 1)).ok());
  std::filesystem::create_directory_symlink("parts", Path("linked"));
  ASSERT_TRUE(Run(NumberedLoad("linked", 9, 1, LoadMode::kReplace)).ok());
  EXPECT_TRUE(std::filesystem::is_symlink(Path("linked")));
  ExpectIds("parts", {9});
}

TEST_F(DestinationTest, WhatADeadOwnerHalfWroteIntoTheLedgerIsRemoved) {
  ASSERT_TRUE(Run(NumberedLoad("orders/", 1, 1)).ok());
  const std::string chain = Path("orders/_dxt/s");
  ASSERT_TRUE(std::filesystem::exists(chain)) << chain;
  WriteText("orders/_dxt/s/.00000002.json.17.18.tmp", "{");
  WriteText("orders/_dxt/s/.fence.json.17.18.tmp", "");
  ASSERT_TRUE(Run(NumberedLoad("orders/", 2, 1)).ok());
  EXPECT_EQ(Names("orders/_dxt/s"),
            (std::vector<std::string>{"00000001.json", "00000002.json", "fence.json"}));
}

TEST_F(DestinationTest, ARecordedLoadIsFinishedByWhoeverComesNext) {
  // As if the process had died between the ledger row and the rename. Who comes next has
  // something to load, or nothing.
  for (const std::string target : {"a.csv", "f/", "idle.csv", "idle/"}) {
    const bool idle = target.starts_with("idle");
    const bool file = target.ends_with(".csv");
    ASSERT_TRUE(Run(NumberedLoad(target, 1, 1)).ok());
    Load load = NumberedLoad(target, 2, 1);
    load.cursor_after = "2";
    load.load_id = "DEAD";
    const std::string name = file ? target : target + "part-00000002.parquet";
    const std::string before = file ? ReadText(name) : "";
    ASSERT_TRUE(Run(load).ok());
    const std::string after = ReadText(name);
    const std::string staged = file ? "." + target + ".DEAD.tmp"
                                    : target + ".load.DEAD.tmp/part-00000001.parquet";
    const std::string chain = file ? "_dxt/" + target + "/s/" : target + "_dxt/s/";
    // The row names the base by size and time, which a copy does not keep.
    auto row = nlohmann::json::parse(ReadText(chain + "00000002.json"));
    WriteText(staged, after);
    if (file) {
      WriteText(name, before);
      row["base_ident"] = "";
      WriteText(chain + "00000002.json", row.dump());
    } else {
      std::filesystem::remove(Path(name));
    }
    WriteText(chain + "DEAD.open", "");
    auto destination = OpenDestination();
    const auto identity = Identity(load);
    EXPECT_EQ((*destination->Peek(identity, {}))->cursor_after, "2");
    EXPECT_EQ(*destination->CountRows(target, {}), 2) << "counts what is committed";
    const StreamIdentity identities[] = {identity};
    ASSERT_TRUE(idle ? destination->Settle(identity, {}).ok()
                     : destination->Acquire(identities, Owner(), {}).ok());
    EXPECT_TRUE(*destination->Resolve(identity, "DEAD", {}));
    EXPECT_FALSE(*destination->Resolve(identity, "OTHER", {}));
    ExpectIds(target, {1, 2});
    EXPECT_FALSE(std::filesystem::exists(Path(staged)));
  }
}

TEST_F(DestinationTest, ACommitIsDoneOnce) {
  auto destination = OpenDestination();
  Load load = NumberedLoad("once.csv", 1, 2);
  load.load_id = "ONE";
  ASSERT_TRUE(Run(load, *destination).ok());
  const auto again = Run(load, *destination);
  ASSERT_TRUE(again.ok()) << again.status().ToString();
  EXPECT_TRUE(again->already);
  ExpectIds("once.csv", {1, 2});
}

TEST_F(DestinationTest, AnOlderOwnerIsFenced) {
  for (const std::string target : {"z.csv", "z/"}) {
    const Load load = NumberedLoad(target, 1, 1);
    auto zombie = OpenDestination();
    WriteSpec spec;
    spec.identity = Identity(load);
    spec.table.reference = target;
    for (const auto& field : load.schema.fields) {
      spec.table.columns.push_back({field.name, field, "", true});
    }
    spec.target = *zombie->Describe(target, {});
    spec.plan = *zombie->PlanTable(spec.table, spec.target);
    const StreamIdentity identities[] = {spec.identity};
    spec.epoch = (*zombie->Acquire(identities, {}, {}))[0].epoch;
    spec.window_seq = 1;
    spec.load_id = "ZOMBIE";
    spec.schema = ArrowSchema(load.schema);
    auto writer = *zombie->OpenWriter(spec, {});
    ASSERT_TRUE(writer->Append(*load.batches[0], {}).ok());
    const WriteReceipt receipts[] = {*writer->Finish({})};
    auto heir = OpenDestination();
    ASSERT_TRUE(heir->Acquire(identities, {}, {}).ok());
    LoadRecord record;
    record.window_seq = 1;
    record.load_id = "ZOMBIE";
    const auto done = zombie->Commit(spec, record, receipts, {}, {});
    EXPECT_EQ(GetErrorInfo(done.status()).error_class, ErrorClass::kFenced);
    zombie->Discard(receipts);
    ASSERT_TRUE(heir->Sweep(spec.identity, {}).ok());
    EXPECT_FALSE((*heir->Describe(target, {})).exists);
  }
}

TEST_F(DestinationTest, WindowsOfSeveralPipelinesShareAFolder) {
  Load first = NumberedLoad("shared/", 1, 1);
  Load second = NumberedLoad("shared/", 2, 1);
  second.pipeline = "default/other";
  ASSERT_TRUE(Run(first).ok());
  auto destination = OpenDestination();
  EXPECT_FALSE(*destination->SharedTarget(Identity(first), {}));
  const auto done = Run(second);
  ASSERT_TRUE(done.ok()) << done.status().ToString();
  EXPECT_TRUE(*destination->SharedTarget(Identity(first), {}));
  EXPECT_EQ((*destination->Peek(Identity(first), {}))->window_seq, 1);
  EXPECT_EQ((*destination->Peek(Identity(second), {}))->window_seq, 1);
  const Rows rows = Read("shared");
  EXPECT_EQ(rows.lines.size(), 2u);
}

TEST_F(DestinationTest, LargeWindowsBecomeAFolderOfParts) {
  Load load = NumberedLoad("big/", 1, 1000);
  load.options = Map({{"format", Scalar("csv")}, {"max_part_bytes", Scalar("4KiB")}});
  const auto whole = load.batches[0];
  load.batches.clear();
  for (int64_t i = 0; i < 1000; i += 100) load.batches.push_back(whole->Slice(i, 100));
  ASSERT_TRUE(Run(load).ok());
  EXPECT_EQ(Names("big"), (std::vector<std::string>{"_dxt", "load-00000001"}));
  EXPECT_GT(Names("big/load-00000001").size(), 1u);
  EXPECT_EQ(Read("big").lines.size(), 1000u);
  load.mode = LoadMode::kReplace;
  const auto replaced = Run(load);
  ASSERT_TRUE(replaced.ok()) << replaced.status().ToString();
  EXPECT_EQ(Names("big"), (std::vector<std::string>{"_dxt", "load-00000002"}));
  EXPECT_EQ(Read("big").lines.size(), 1000u);
}

TEST_F(DestinationTest, UpsertIsRefusedWithTheReason) {
  auto destination = OpenDestination();
  TableSpec wanted;
  wanted.reference = "u.csv";
  wanted.mode = LoadMode::kUpsert;
  const auto plan = destination->PlanTable(wanted, *destination->Describe("u.csv", {}));
  EXPECT_EQ(GetErrorInfo(plan.status()).code, "file.no_upsert");
  EXPECT_EQ(GetErrorInfo(plan.status()).error_class, ErrorClass::kUnsupported);
}

TEST_F(DestinationTest, ADifferingHeaderIsRefused) {
  WriteText("h.csv", "id,title\n1,x\n");
  const auto done = Run(NumberedLoad("h.csv", 1, 1));
  EXPECT_EQ(GetErrorInfo(done.status()).code, "file.schema_mismatch");
  EXPECT_EQ(ReadText("h.csv"), "id,title\n1,x\n");
}

TEST_F(DestinationTest, ColumnsFollowTheHeaderAndOldLinesAreKept) {
  WriteText("o.csv", "name,extra,id\nx,y,1");
  ASSERT_TRUE(Run(NumberedLoad("o.csv", 2, 1)).ok());
  EXPECT_EQ(ReadText("o.csv"), "name,extra,id\nx,y,1\nn2,,2\n");
}

TEST_F(DestinationTest, GuardsStopAShrinkingReplace) {
  ASSERT_TRUE(Run(NumberedLoad("g.csv", 1, 200)).ok());
  Load load = NumberedLoad("g.csv", 1, 10, LoadMode::kReplace);
  load.guards = {0.5, false};
  const auto done = Run(load);
  EXPECT_EQ(GetErrorInfo(done.status()).error_class, ErrorClass::kGuard);
  EXPECT_EQ(Read("g.csv").lines.size(), 200u);
}

TEST_F(DestinationTest, AReplaceLeavesForeignFilesAlone) {
  WriteText("mine/readme.md", "x");
  ASSERT_TRUE(Run(NumberedLoad("mine/", 1, 1)).ok());
  const auto done = Run(NumberedLoad("mine/", 2, 1, LoadMode::kReplace));
  EXPECT_EQ(GetErrorInfo(done.status()).code, "file.foreign_files");
  ExpectIds("mine", {1});
}

TEST_F(DestinationTest, MaxCursorReadsAllFiles) {
  ASSERT_TRUE(Run(NumberedLoad("m/", 1, 3)).ok());
  ASSERT_TRUE(Run(NumberedLoad("m/", 3, 2)).ok());
  auto destination = OpenDestination();
  EXPECT_EQ(**destination->MaxCursor("m", "id", {DType::kInt64}, {}), "4");
}

TEST_F(DestinationTest, TheIdentOfTheTargetIsWhatTheLedgerSays) {
  for (const std::string target : {"i.csv", "i/"}) {
    const auto done = Run(NumberedLoad(target, 1, 1));
    ASSERT_TRUE(done.ok());
    EXPECT_EQ((*OpenDestination()->Describe(target, {})).ident, done->target_ident);
    const auto replaced = Run(NumberedLoad(target, 1, 5, LoadMode::kReplace));
    ASSERT_TRUE(replaced.ok());
    EXPECT_EQ((*OpenDestination()->Describe(target, {})).ident, replaced->target_ident);
  }
}

TEST_F(DestinationTest, TargetsStayInsideTheFolder) {
  const auto done = Run(NumberedLoad("../out.csv", 1, 1));
  EXPECT_EQ(GetErrorInfo(done.status()).code, "file.outside");
}

TEST_F(DestinationTest, AFullDiskIsSaidAndLeavesNothing) {
  ASSERT_TRUE(Run(NumberedLoad("full.csv", 1, 1)).ok());
  // A limit on the size of files stands for the disk's.
  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  for (const std::string target : {"full.csv", "full/", "full.parquet"}) {
    const rlimit small{64 << 10, old.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
    const auto done = Run(NumberedLoad(target, 1, 100000));
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
    EXPECT_EQ(GetErrorInfo(done.status()).code, "file.no_space")
        << done.status().ToString();
    EXPECT_EQ(GetErrorInfo(done.status()).error_class, ErrorClass::kTransient);
    EXPECT_NE(done.status().message().find(folder_.string()), std::string::npos);
  }
  std::signal(SIGXFSZ, handler);
  ExpectIds("full.csv", {1});
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_)) {
    EXPECT_EQ(entry.path().string().find(".tmp"), std::string::npos) << entry.path();
    EXPECT_EQ(entry.path().string().find(".open"), std::string::npos) << entry.path();
  }
}

}  // namespace
}  // namespace dxt::file
