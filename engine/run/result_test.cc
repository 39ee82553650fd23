#include "engine/run/result.h"

#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include "base/error.h"

namespace dxt {
namespace {

using nlohmann::json;

/// "" when `document` is what the committed schema says, else what is wrong with it.
std::string Violations(const json& document) {
  std::ifstream file(DXT_SOURCE_DIR "/docs/reference/run_result.schema.json");
  const json schema_json = json::parse(file);
  valijson::Schema schema;
  valijson::SchemaParser parser;
  parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(schema_json), schema);
  valijson::ValidationResults results;
  valijson::Validator validator;
  if (validator.validate(schema, valijson::adapters::NlohmannJsonAdapter(document),
                         &results)) {
    return {};
  }
  std::ostringstream text;
  for (valijson::ValidationResults::Error error; results.popError(error);) {
    for (const auto& part : error.context) text << part;
    text << ": " << error.description << "\n";
  }
  return text.str();
}

StreamResult Stream(std::string id, StreamState state) {
  StreamResult stream;
  stream.id = std::move(id);
  stream.state = state;
  stream.target = "analytics.orders";
  stream.extract_mode = "incremental";
  stream.load_mode = "upsert";
  return stream;
}

RunResult EndedRun(RunState state, std::vector<StreamResult> streams) {
  RunResult run;
  run.project = "shop";
  run.pipeline = "orders";
  run.run = "01JD0000000000000000000000";
  run.state = state;
  run.started_at = "2026-11-21T09:00:00.000Z";
  run.ended_at = "2026-11-21T09:00:01.930Z";
  run.seconds = 1.9304;
  run.streams = std::move(streams);
  return run;
}

StreamResult Failed(ErrorClass error_class) {
  auto stream = Stream("b", StreamState::kFailed);
  ErrorInfo info;
  info.error_class = error_class;
  info.code = "pg.numeric_out_of_range";
  info.vendor_code = "22003";
  info.hint = "dxtctl plan";
  info.column = "total";
  info.key = R"({"id":7})";
  stream.error = MakeError(std::move(info), "Too large");
  return stream;
}

TEST(RunResultJson, SuccessHasTheShapeOfTheContract) {
  auto stream = Stream("orders", StreamState::kSucceeded);
  stream.strategy = "upsert by unique index";
  stream.buffer = "streamed";
  stream.load_id = "01JD0000000000000000000001";
  stream.window_seq = 5;
  stream.watermark =
      WatermarkResult{"updated_at", "", "2026-01-01 00:00:00.000000", "target", "", ""};
  stream.rows_read = 10;
  stream.rows_written = 9;
  stream.bytes_read = 812;
  stream.warnings = {{"cursor.nulls", "3 rows have no updated_at"}};
  stream.schema_changes = {"ADD COLUMN x"};
  const json document =
      json::parse(EndedRun(RunState::kSucceeded, {stream, stream}).ToJson());
  EXPECT_EQ(Violations(document), "");
  EXPECT_EQ(document["schema"], "dxt.run_result/1");
  EXPECT_EQ(document["exit_code"], 0);
  EXPECT_EQ(document["seconds"], 1.93);
  EXPECT_EQ(document["totals"]["rows_read"], 20);
  EXPECT_EQ(document["streams"][0]["watermark"]["before"], nullptr);
  EXPECT_EQ(document["streams"][0]["error"], nullptr);
  EXPECT_FALSE(document["streams"][0].contains("ddl"));
}

TEST(RunResultJson, PartialCarriesTheErrorOfEachStream) {
  const auto run = EndedRun(RunState::kPartial, {Stream("a", StreamState::kSucceeded),
                                                 Failed(ErrorClass::kData),
                                                 Stream("c", StreamState::kSkipped)});
  const json document = json::parse(run.ToJson());
  EXPECT_EQ(Violations(document), "");
  EXPECT_EQ(document["exit_code"], 3);
  const json& error = document["streams"][1]["error"];
  EXPECT_EQ(error["class"], "data");
  EXPECT_EQ(error["vendor_code"], "22003");
  EXPECT_EQ(error["key"]["id"], 7);
  EXPECT_EQ(error["retryable"], false);
}

TEST(RunResultJson, FailureOfTheWholeRunStandsAtTheTop) {
  auto run = EndedRun(RunState::kFailed, {});
  run.error = MakeError(ErrorClass::kConfig, "selection.empty", "No stream matches 'x'");
  run.started_at.clear();
  const json document = json::parse(run.ToJson());
  EXPECT_EQ(Violations(document), "");
  EXPECT_EQ(document["exit_code"], 2);
  EXPECT_EQ(document["error"]["code"], "selection.empty");
  EXPECT_EQ(document["error"]["hint"], nullptr);
}

TEST(RunResultJson, CancelAndDryRunAreValidToo) {
  auto cancelled = Stream("a", StreamState::kCancelled);
  cancelled.error =
      MakeError(ErrorClass::kCancelled, "cancelled", "The run was cancelled");
  EXPECT_EQ(Violations(json::parse(EndedRun(RunState::kCancelled, {cancelled}).ToJson())),
            "");

  auto planned = Stream("a", StreamState::kSucceeded);
  planned.query = "SELECT 1";
  planned.ddl = {"CREATE TABLE x (y INTEGER)"};
  ColumnResult column;
  column.id = column.source = column.target = "y";
  column.dtype = "int32";
  column.exactness = "exact";
  planned.columns = {column};
  planned.source_rows = 3;
  auto run = EndedRun(RunState::kSucceeded, {planned});
  run.dry_run = true;
  const json document = json::parse(run.ToJson());
  EXPECT_EQ(Violations(document), "");
  EXPECT_EQ(document["streams"][0]["columns"][0]["exactness"], "exact");
  EXPECT_EQ(document["streams"][0]["source_rows"], 3);
  EXPECT_EQ(document["streams"][0]["target_rows"], nullptr);
}

TEST(RunResultJson, TheSchemaRefusesAnotherShape) {
  json document = json::parse(EndedRun(RunState::kSucceeded, {}).ToJson());
  document["exit_code"] = "0";
  EXPECT_NE(Violations(document), "");
}

TEST(RunResultJson, BytesThatAreNotUtf8CostOneCharacterOnly) {
  auto run = EndedRun(RunState::kFailed, {});
  run.error = MakeError(ErrorClass::kData, "value.invalid_utf8", "bad \xff byte");
  EXPECT_EQ(json::parse(run.ToJson())["error"]["message"], "bad \xef\xbf\xbd byte");
}

TEST(ExitCode, FollowsStateAndErrorClass) {
  EXPECT_EQ(EndedRun(RunState::kSucceeded, {}).ExitCode(), 0);
  EXPECT_EQ(EndedRun(RunState::kPartial, {}).ExitCode(), 3);
  EXPECT_EQ(EndedRun(RunState::kCancelled, {}).ExitCode(), 6);
  EXPECT_EQ(EndedRun(RunState::kFailed, {Failed(ErrorClass::kData)}).ExitCode(), 1);
  EXPECT_EQ(EndedRun(RunState::kFailed, {Failed(ErrorClass::kAuth)}).ExitCode(), 1);
  EXPECT_EQ(EndedRun(RunState::kFailed, {Failed(ErrorClass::kInternal)}).ExitCode(), 1);
  EXPECT_EQ(EndedRun(RunState::kFailed, {Failed(ErrorClass::kConfig)}).ExitCode(), 2);
  EXPECT_EQ(EndedRun(RunState::kFailed, {Failed(ErrorClass::kUnsupported)}).ExitCode(),
            2);
  EXPECT_EQ(EndedRun(RunState::kFailed, {Failed(ErrorClass::kGuard)}).ExitCode(), 4);
}

TEST(ExitCode, AConfigErrorAfterTheFirstWriteIsAFailedRun) {
  auto stream = Failed(ErrorClass::kConfig);
  stream.began_writing = true;
  EXPECT_EQ(EndedRun(RunState::kFailed, {stream}).ExitCode(), 1);
}

TEST(ExitCode, FailuresOfDifferentKindsAreOne) {
  EXPECT_EQ(EndedRun(RunState::kFailed,
                     {Failed(ErrorClass::kGuard), Failed(ErrorClass::kConfig)})
                .ExitCode(),
            1);
  EXPECT_EQ(EndedRun(RunState::kFailed,
                     {Failed(ErrorClass::kConfig), Failed(ErrorClass::kConfig)})
                .ExitCode(),
            2);
}

}  // namespace
}  // namespace dxt
