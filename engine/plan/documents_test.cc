#include "engine/plan/documents.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "base/error.h"
#include "connectors/sdk/connector.h"
#include "connectors/sdk/registry.h"
#include "tests/documents/fake_connectors.h"

namespace dxt {
namespace {

class Documents : public testing::Test {
 protected:
  Documents() { AddFakeConnectors(registry_); }

  /// Parses a pipeline at /p/dir/name.yaml that must be good.
  PipelineDocument Pipeline(const std::string& text) {
    inputs_.pipeline = DocumentText{"/p/dir/name.yaml", text};
    auto parsed = ParseDocuments(inputs_, registry_);
    for (const auto& problem : parsed.problems) {
      EXPECT_NE(problem.level, Problem::Level::kError) << FormatProblem(problem);
    }
    secrets_ = parsed.secrets;
    return parsed.pipeline.value_or(PipelineDocument());
  }

  /// A pipeline of one stream.
  StreamConfig Stream(const std::string& keys) {
    auto pipeline = Pipeline(
        "source: sqlite:a.db\ntarget: duckdb:b.db\nstreams:\n  - {id: s, "
        "source: t, target: u" +
        keys + "}\n");
    return pipeline.streams.empty() ? StreamConfig() : pipeline.streams[0];
  }

  std::vector<Problem> Problems(const std::string& text) {
    inputs_.pipeline = DocumentText{"/p/dir/name.yaml", text};
    return ParseDocuments(inputs_, registry_).problems;
  }

  ConnectorRegistry registry_;
  DocumentInputs inputs_;
  std::vector<std::string> secrets_;
};

constexpr char kHead[] = "source: sqlite:a.db\ntarget: duckdb:b.db\n";
constexpr char kStream[] = "streams: [{id: s, source: t, target: u}]\n";

TEST_F(Documents, AMinimalStreamGetsTheDefaults) {
  const auto stream = Stream("");
  EXPECT_EQ(stream.kind, StreamKind::kTable);
  EXPECT_FALSE(stream.extract.incremental);
  EXPECT_EQ(stream.extract.batch_size, 10000);
  EXPECT_EQ(stream.load.mode, LoadMode::kAppend);
  EXPECT_EQ(stream.load.strategy, ReplaceStrategy::kAuto);
  EXPECT_EQ(stream.load.max_shrink, 0.5);
  EXPECT_FALSE(stream.load.allow_empty.has_value());
  EXPECT_EQ(stream.contract.tables, ContractMode::kEvolve);
  EXPECT_EQ(stream.contract.columns, ContractMode::kFreeze);
  EXPECT_TRUE(stream.fields.empty());
  EXPECT_EQ(stream.marks.at("id").line, 4);
}

TEST_F(Documents, TheNameIsWrittenOrTheFiles) {
  EXPECT_EQ(Pipeline(std::string(kHead) + kStream).name, "name");
  EXPECT_EQ(Pipeline(std::string("name: other\n") + kHead + kStream).name, "other");
}

TEST_F(Documents, AMirrorSaysWhatItDeletesAndHow) {
  auto stream = Stream(", load: {mode: mirror, upsert_keys: [id]}");
  EXPECT_EQ(stream.load.mode, LoadMode::kMirror);
  EXPECT_EQ(stream.load.mirror.scope, MirrorScope::kUnset);
  EXPECT_EQ(stream.load.mirror.soft_delete_column, "");
  stream = Stream(
      ", load: {mode: mirror, upsert_keys: [id], mirror: {scope: tracked, deletes: "
      "soft}}");
  EXPECT_EQ(stream.load.mirror.scope, MirrorScope::kTracked);
  EXPECT_EQ(stream.load.mirror.soft_delete_column, "_dxt_deleted_at");
  stream = Stream(
      ", load: {mode: mirror, upsert_keys: [id], mirror: {scope: destination, "
      "deletes: soft, soft_delete_column: gone}}");
  EXPECT_EQ(stream.load.mirror.scope, MirrorScope::kDestination);
  EXPECT_EQ(stream.load.mirror.soft_delete_column, "gone");
}

TEST_F(Documents, VersionsAreClosedWhereTheWholeSourceIsRead) {
  auto stream = Stream(", load: {mode: scd2, upsert_keys: [id]}");
  EXPECT_EQ(stream.load.mode, LoadMode::kHistory);
  EXPECT_EQ(stream.load.history.valid_from, "valid_from");
  EXPECT_EQ(stream.load.history.valid_to, "valid_to");
  EXPECT_TRUE(stream.load.history.closes_unseen);
  stream = Stream(
      ", load: {mode: scd2, upsert_keys: [id], scd2: {valid_from: since, valid_to: till, "
      "deletes: keep}}");
  EXPECT_EQ(stream.load.history.valid_from, "since");
  EXPECT_EQ(stream.load.history.valid_to, "till");
  EXPECT_FALSE(stream.load.history.closes_unseen);
  stream = Stream(
      ", extract: {mode: incremental, watermark_field: w}, load: {mode: scd2, "
      "upsert_keys: [id]}");
  EXPECT_FALSE(stream.load.history.closes_unseen);
}

TEST_F(Documents, EveryKeyOfAStreamArrives) {
  const auto stream = Stream(
      ", kind: view, tags: [x, y], criteria: {where: a > 1}, exclude: [z],"
      " filters: [{column: c, op: not_in, value: [1, b]}, {column: d, op: lte, value: "
      "5}],"
      " extract: {mode: incremental, batch_size: 7, watermark_field: w, watermark_type: "
      "int,"
      " watermark_source: state, boundary: inclusive, initial_value: 5, end_value: 9,"
      " null_cursor: fail, options: {a: {b: c}}},"
      " load: {mode: merge, batch_size: 8, upsert_keys: [a, b], dedup_sort: w,"
      " on_duplicate_key: fail, null_key: match, shared_target: true, max_shrink: 0.25,"
      " allow_empty: true, options: {k: v}},"
      " schema_contract: {tables: freeze, columns: evolve, data_type: evolve}");
  EXPECT_EQ(stream.kind, StreamKind::kView);
  EXPECT_EQ(stream.tags, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(stream.where, "a > 1");
  EXPECT_EQ(stream.exclude, std::vector<std::string>{"z"});
  ASSERT_EQ(stream.filters.size(), 2u);
  EXPECT_EQ(stream.filters[0].op, FilterOp::kNotIn);
  EXPECT_EQ(stream.filters[0].values, (std::vector<std::string>{"1", "b"}));
  EXPECT_EQ(stream.filters[1].op, FilterOp::kLte);
  EXPECT_TRUE(stream.extract.incremental);
  EXPECT_EQ(stream.extract.batch_size, 7);
  EXPECT_EQ(stream.extract.watermark_field, "w");
  EXPECT_EQ(stream.extract.watermark_type, "integer");
  EXPECT_EQ(stream.extract.watermark_source, WatermarkSource::kState);
  EXPECT_TRUE(stream.extract.inclusive);
  EXPECT_EQ(stream.extract.initial_value, "5");
  EXPECT_EQ(stream.extract.end_value, "9");
  EXPECT_EQ(stream.extract.null_cursor, NullCursor::kFail);
  EXPECT_EQ(stream.extract.options.Get("a")->Get("b")->scalar, "c");
  EXPECT_EQ(stream.load.mode, LoadMode::kUpsert);
  EXPECT_EQ(stream.load.batch_size, 8);
  EXPECT_EQ(stream.load.upsert_keys, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(stream.load.dedup_sort, "w");
  EXPECT_TRUE(stream.load.duplicate_keys_fail);
  EXPECT_TRUE(stream.load.null_keys_match);
  EXPECT_TRUE(stream.load.shared_target);
  EXPECT_EQ(stream.load.max_shrink, 0.25);
  EXPECT_EQ(stream.load.allow_empty, true);
  EXPECT_EQ(stream.load.options.Get("k")->scalar, "v");
  EXPECT_EQ(stream.contract.tables, ContractMode::kFreeze);
  EXPECT_EQ(stream.contract.columns, ContractMode::kEvolve);
  EXPECT_EQ(stream.contract.data_type, ContractMode::kEvolve);
}

TEST_F(Documents, FieldsHaveFourLevels) {
  const auto fields =
      Stream(
          ", fields: [one, {id: two, dtype: decimal, precision: 10, scale: 2},"
          " {id: three, source: '[Old Name]', target: new},"
          " {id: four, source: {expression: YEAR(d), dtype: int4}, nullable: true,"
          " target: {name: y, dtype: timestamp_ntz(0), nullable: false}},"
          " {id: at, metadata: {generated_by: dxt}}, '*']")
          .fields;
  ASSERT_EQ(fields.size(), 6u);
  EXPECT_EQ(fields[0].id, "one");
  EXPECT_FALSE(fields[0].type.has_value());
  EXPECT_EQ(ToString(*fields[1].type), "decimal(10,2)");
  EXPECT_EQ(fields[2].source_column, "[Old Name]");
  EXPECT_EQ(fields[2].target_name, "new");
  EXPECT_EQ(fields[3].source_expression, "YEAR(d)");
  EXPECT_EQ(fields[3].source_native, "int4");
  EXPECT_EQ(fields[3].target_name, "y");
  EXPECT_EQ(fields[3].target_native, "timestamp_ntz(0)");
  EXPECT_EQ(fields[3].nullable, true);
  EXPECT_EQ(fields[3].target_nullable, false);
  EXPECT_TRUE(fields[4].generated);
  EXPECT_EQ(fields[4].generator, "current_timestamp");
  EXPECT_EQ(fields[5].id, "*");
}

TEST_F(Documents, NearerSettingsWin) {
  inputs_.project = DocumentText{
      "/p/dxt_project.yaml",
      "defaults:\n  extract: {batch_size: 1}\n  load: {batch_size: 2, mode: replace,"
      " options: {a: 1, b: 1}}\nbuffer: {default_format: csv, persist: true}\n"};
  const auto pipeline = Pipeline(
      std::string(kHead) +
      "runtime: {batch_size: 3}\nbuffer: {format: parquet}\ndefaults:\n  load: {mode: "
      "append,"
      " options: {b: 2}}\nstreams:\n  - {id: s, source: t, target: u, load: {batch_size: "
      "4,"
      " options: {c: 3}}}\n  - {id: r, source: t, target: v, load: {mode: replace}}\n");
  ASSERT_EQ(pipeline.streams.size(), 2u);
  const auto& stream = pipeline.streams[0];
  EXPECT_EQ(stream.extract.batch_size, 3);
  EXPECT_EQ(stream.load.batch_size, 4);
  EXPECT_EQ(stream.load.mode, LoadMode::kAppend);
  EXPECT_EQ(stream.load.options.Get("a")->scalar, "1");
  EXPECT_EQ(stream.load.options.Get("b")->scalar, "2");
  EXPECT_EQ(stream.load.options.Get("c")->scalar, "3");
  EXPECT_EQ(pipeline.streams[1].load.mode, LoadMode::kReplace);
  EXPECT_EQ(pipeline.buffer.format, BufferFormat::kParquet);
  EXPECT_TRUE(pipeline.buffer.persist);
}

TEST_F(Documents, ASingleTableIsAStreamNamedAfterIt) {
  const auto pipeline = Pipeline(
      "source: {connection: 'sqlite:a.db', table: 'main.\"Order Lines\"',"
      " incremental: {cursor_column: ts, initial_value: 0}}\n"
      "destination: {type: duckdb, path: b.db, write_mode: merge, merge_keys: id}\n");
  ASSERT_EQ(pipeline.streams.size(), 1u);
  const auto& stream = pipeline.streams[0];
  EXPECT_EQ(stream.id, "Order_Lines");
  EXPECT_EQ(stream.source, "main.\"Order Lines\"");
  EXPECT_EQ(stream.target, stream.source);
  EXPECT_TRUE(stream.extract.incremental);
  EXPECT_EQ(stream.extract.watermark_field, "ts");
  EXPECT_EQ(stream.extract.initial_value, "0");
  EXPECT_EQ(stream.load.mode, LoadMode::kUpsert);
  EXPECT_EQ(stream.load.upsert_keys, std::vector<std::string>{"id"});
  EXPECT_EQ(pipeline.target.connector->info().name, "duckdb");
}

TEST_F(Documents, RelativePathsBelongToTheirDocument) {
  inputs_.project = DocumentText{
      "/p/dxt_project.yaml",
      "connections:\n  lake: {type: file, path: ./lake/../sea}\n  old: sqlite:old.db\n"};
  auto pipeline = Pipeline(std::string("source: lake\ntarget: old\n") + kStream);
  EXPECT_EQ(pipeline.source.config.String("url"), "/p/sea");
  EXPECT_EQ(pipeline.target.config.String("path"), "/p/old.db");
  EXPECT_EQ(pipeline.source.name, "lake");
  EXPECT_FALSE(pipeline.source.is_inline);

  pipeline = Pipeline(std::string("source: {type: file, url: data}\n"
                                  "target: {type: duckdb, path: ':memory:'}\n"
                                  "buffer: {location: ../buf}\n") +
                      kStream);
  EXPECT_EQ(pipeline.source.config.String("url"), "/p/dir/data");
  EXPECT_EQ(pipeline.target.config.String("path"), ":memory:");
  EXPECT_EQ(pipeline.buffer.location, "/p/buf");
  EXPECT_TRUE(pipeline.source.is_inline);
  EXPECT_EQ(pipeline.source.name, "file:/p/dir/data");

  pipeline = Pipeline(std::string("source: {type: file, url: 's3://b/k'}\n"
                                  "target: sqlite:////abs.db\n") +
                      kStream);
  EXPECT_EQ(pipeline.source.config.String("url"), "s3://b/k");
  EXPECT_EQ(pipeline.target.config.String("path"), "/abs.db");
}

TEST_F(Documents, ARelativePathWithoutAFolderIsRefused) {
  inputs_.pipeline = DocumentText{"", std::string("name: x\n") + kHead + kStream};
  const auto problems = ParseDocuments(inputs_, registry_).problems;
  ASSERT_EQ(problems.size(), 2u);
  EXPECT_EQ(problems[0].code, "config.relative_path");
  EXPECT_EQ(problems[0].mark.file, "<pipeline>");
}

TEST_F(Documents, SecretsAndTheirVariablesAreKnownToTheRedactor) {
  inputs_.variables = {
      {"PW", "pass-word"}, {"HOST", "h"}, {"URL", "postgresql://u:in-url@h/d"}};
  const auto pipeline = Pipeline(
      std::string("source: {type: postgres, host: '${HOST}', password: 'x${PW}'}\n"
                  "target: ${URL}\n") +
      kStream);
  EXPECT_EQ(secrets_, (std::vector<std::string>{"in-url", "pass-word", "xpass-word"}));
  EXPECT_EQ(pipeline.source.config.String("password"), "xpass-word");
  EXPECT_EQ(pipeline.target.name, "postgresql://u@h/d");
  EXPECT_EQ(pipeline.target.config.String("password"), "in-url");
  EXPECT_EQ(pipeline.variables.at("PW"), "pass-word");
}

TEST_F(Documents, APasswordInsideAUrlOptionIsASecretAndAUrlWithoutOneIsNot) {
  const auto head = [](const std::string& url) {
    return "source: {type: postgres, url: '" + url + "'}\ntarget: duckdb:b.db\n" +
           kStream;
  };
  Pipeline(head("postgresql://me@h/d"));
  EXPECT_TRUE(secrets_.empty());
  EXPECT_TRUE(Problems(head("postgresql://me@h/d")).empty());
  Pipeline(head("postgresql://me:pw@h/d"));
  EXPECT_EQ(secrets_, (std::vector<std::string>{"postgresql://me:pw@h/d", "pw"}));
  EXPECT_EQ(Problems(head("postgresql://me:pw@h/d"))[0].code, "config.literal_secret");
}

TEST_F(Documents, ASubstitutedValueIsNeverQuoted) {
  inputs_.variables = {{"PW", "hunter2"}};
  for (const auto& problem : Problems("name: ${PW}\nsource: ${PW}\ntarget: "
                                      "'memory:${PW}${PW}'\nruntime: {retries: '${PW}'}\n"
                                      "streams: [{id: ' ${PW}', source: t, target: u, "
                                      "kind: '${PW}', fields: [{id: x,"
                                      " dtype: '${PW}'}], load: {mode: upsert, "
                                      "upsert_keys: ['${PW}', '${PW}']}}]\n")) {
    EXPECT_EQ(FormatProblem(problem).find("hunter2"), std::string::npos)
        << FormatProblem(problem);
  }
}

TEST_F(Documents, ProblemsOfBothDocumentsComeAtOnceInOrder) {
  inputs_.project =
      DocumentText{"/p/dxt_project.yaml", "nam: x\nconnections:\n  a: {type: x}\n"};
  const auto problems = Problems("source: a\nstreams:\n  - {id: s, target: u, tag: x}\n");
  ASSERT_EQ(problems.size(), 5u);
  EXPECT_EQ(
      FormatProblem(problems[0]),
      "/p/dxt_project.yaml:1:1: error: nam: there is no key 'nam' here (did you mean "
      "'name'?)");
  EXPECT_EQ(problems[1].code, "connection.unknown_type");
  EXPECT_EQ(problems[2].path, "target");
  EXPECT_EQ(problems[3].path, "streams[0].source");
  EXPECT_EQ(problems[4].path, "streams[0].tag");
  const auto status = ProblemsToStatus(problems);
  EXPECT_EQ(GetErrorInfo(status).code, "document.invalid");
  EXPECT_EQ(GetErrorInfo(status).error_class, ErrorClass::kConfig);
  EXPECT_TRUE(status.message().starts_with("5 problems:\n"));
}

TEST_F(Documents, ManyProblemsAreCutAndHoldNoControlCharacters) {
  std::string text = kHead;
  for (int i = 0; i < 3000; ++i) text += "\"key\\e" + std::to_string(i) + "\": 1\n";
  const auto problems = Problems(text + kStream);
  EXPECT_EQ(problems.size(), 201u);
  EXPECT_EQ(problems.back().message, "2800 more problems are not shown");
  EXPECT_EQ(FormatProblem(problems[0]).find('\x1b'), std::string::npos);
}

TEST_F(Documents, LargeDefaultsOfManyStreamsAreRefused) {
  std::string text = std::string(kHead) + "defaults: {load: {options: {";
  for (int i = 0; i < 3000; ++i) text += "k" + std::to_string(i) + ": v, ";
  text += "}}}\nstreams:\n";
  for (int i = 0; i < 1000; ++i) {
    text += "- {id: s" + std::to_string(i) + ", source: t, target: u}\n";
  }
  const auto problems = Problems(text);
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].code, "config.too_large");
}

TEST_F(Documents, WarningsAreNoFailure) {
  Problem warning;
  warning.level = Problem::Level::kWarning;
  EXPECT_TRUE(ProblemsToStatus({warning}).ok());
}

TEST_F(Documents, TheHashIsOfTheUnresolvedTexts) {
  inputs_.variables = {{"X", "1"}};
  const std::string text = std::string(kHead) + "description: ${X}\n" + kStream;
  const auto first = Pipeline(text).text_hash;
  inputs_.variables = {{"X", "2"}};
  EXPECT_EQ(Pipeline(text).text_hash, first);
  EXPECT_NE(Pipeline(text + "# more\n").text_hash, first);
  EXPECT_EQ(first.size(), 64u);
}

TEST_F(Documents, ConnectionsResolveByNameOrUrl) {
  inputs_.project =
      DocumentText{"/p/dxt_project.yaml", "connections: {shop: 'sqlite:shop.db'}"};
  const auto project = *ParseDocuments(inputs_, registry_).project;
  EXPECT_EQ(ResolveConnection(project, "shop", registry_)->config.String("path"),
            "/p/shop.db");
  const auto inline_one =
      *ResolveConnection(project, "postgresql://u:pw@h:5/d", registry_);
  EXPECT_EQ(inline_one.name, "postgresql://u@h:5/d");
  EXPECT_EQ(inline_one.config.Integer("port"), 5);
  const auto unknown = ResolveConnection(project, "shp", registry_).status();
  EXPECT_EQ(GetErrorInfo(unknown).code, "connection.unknown");
  EXPECT_NE(GetErrorInfo(unknown).hint.find("'shop'"), std::string::npos);
  const auto scheme = ResolveConnection(project, "oracle://u:pw@h/d", registry_).status();
  EXPECT_FALSE(scheme.ok());
  EXPECT_EQ(scheme.ToString().find("pw"), std::string::npos);
}

TEST_F(Documents, AnEmptyOptionalKeyIsAsIfItWereNotThere) {
  const auto pipeline = Pipeline(
      std::string(kHead) +
      "buffer:\nruntime:\ndefaults:\ndescription:\n"
      "streams:\n  - id: s\n    source: t\n    target: u\n    fields:\n    load:\n"
      "    extract:\n      mode:\n    tags: []\n");
  ASSERT_EQ(pipeline.streams.size(), 1u);
  EXPECT_EQ(pipeline.streams[0].load.mode, LoadMode::kAppend);
}

TEST_F(Documents, AlertsOfProjectAndPipelineArriveAndAreSecret) {
  inputs_.project =
      DocumentText{"/p/dxt_project.yaml", "alerts: [{webhook: '${HOOK}', on: guard}]\n"};
  inputs_.variables["HOOK"] = "https://hooks.example/T0/abc";
  const auto pipeline =
      Pipeline(std::string(kHead) + kStream +
               "alerts:\n  - webhook: ${HOOK}/own\n    on: [partial, failed]\n"
               "  - {webhook: '${HOOK}'}\n");
  ASSERT_EQ(pipeline.project.alerts.size(), 1u);
  EXPECT_EQ(pipeline.project.alerts[0].webhook, "https://hooks.example/T0/abc");
  EXPECT_EQ(pipeline.project.alerts[0].on, std::vector<AlertEvent>{AlertEvent::kGuard});
  ASSERT_EQ(pipeline.alerts.size(), 2u);
  EXPECT_EQ(pipeline.alerts[0].webhook, "https://hooks.example/T0/abc/own");
  EXPECT_TRUE(pipeline.alerts[0].Wants(AlertEvent::kPartial));
  EXPECT_FALSE(pipeline.alerts[0].Wants(AlertEvent::kGuard));
  EXPECT_TRUE(pipeline.alerts[1].Wants(AlertEvent::kGuard));
  EXPECT_NE(std::find(secrets_.begin(), secrets_.end(), "https://hooks.example/T0/abc"),
            secrets_.end());
}

TEST_F(Documents, MissedAndStaleAreToldToWhomAsks) {
  const auto pipeline =
      Pipeline(std::string(kHead) + kStream +
               "alerts:\n  - webhook: ${HOOK:-http://localhost/a}\n"
               "    on: [missed, stale]\n    stale_after: 26h\n"
               "  - {webhook: '${HOOK:-http://localhost/b}', on: [stale]}\n"
               "  - {webhook: '${HOOK:-http://localhost/c}'}\n");
  ASSERT_EQ(pipeline.alerts.size(), 3u);
  EXPECT_EQ(pipeline.alerts[0].on,
            (std::vector<AlertEvent>{AlertEvent::kMissed, AlertEvent::kStale}));
  EXPECT_EQ(pipeline.alerts[0].stale_after_ms, 26 * 3600 * 1000);
  EXPECT_FALSE(pipeline.alerts[1].stale_after_ms);
  EXPECT_FALSE(pipeline.alerts[2].Wants(AlertEvent::kMissed));
  EXPECT_FALSE(pipeline.alerts[2].Wants(AlertEvent::kStale));
}

TEST_F(Documents, WhomToTellIsKnownThoughTheRestIsWrong) {
  inputs_.project =
      DocumentText{"/p/dxt_project.yaml", "alerts: [{webhook: '${HOOK}', on: missed}]\n"};
  inputs_.variables["HOOK"] = "https://hooks.example/T0/abc";
  inputs_.pipeline = DocumentText{
      "/p/x.yaml", std::string(kHead) + "streams: [{id: s, source: '${GONE}'}]\n" +
                       "alerts: [{webhook: '${HOOK}/own'}, {webhook: '${GONE}'}]\n"};
  const auto parsed = ParseDocuments(inputs_, registry_);
  EXPECT_FALSE(parsed.ok());
  ASSERT_EQ(parsed.alerts.size(), 2u);
  EXPECT_EQ(parsed.alerts[0].webhook, "https://hooks.example/T0/abc/own");
  EXPECT_EQ(parsed.alerts[1].webhook, "https://hooks.example/T0/abc");
}

TEST_F(Documents, VariablesOfUnusedConnectionsDoNotStopAPipeline) {
  inputs_.project = DocumentText{"/p/dxt_project.yaml",
                                 "connections:\n  a: sqlite:a.db\n"
                                 "  b: {type: postgres, password: '${NOT_SET}'}\n"
                                 "  c: '${NOT_SET}'\n"};
  const auto pipeline =
      Pipeline(std::string("source: a\ntarget: duckdb:b.db\n") + kStream);
  EXPECT_EQ(pipeline.project.connections.size(), 1u);
  EXPECT_FALSE(ParseDocuments({inputs_.project, {}, {}, {}, false}, registry_).ok());
  EXPECT_FALSE(
      Problems(std::string("source: c\ntarget: duckdb:b.db\n") + kStream).empty());
}

}  // namespace
}  // namespace dxt
