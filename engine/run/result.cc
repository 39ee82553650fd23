#include "engine/run/result.h"

#include <cmath>

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace dxt {
namespace {

using Json = nlohmann::ordered_json;

Json OrNull(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

/// Milliseconds are enough, and keep the document short.
double Rounded(double seconds) { return std::round(seconds * 1000) / 1000; }

Json ErrorJson(const arrow::Status& status) {
  if (status.ok()) return nullptr;
  const ErrorInfo info = GetErrorInfo(status);
  Json key = nullptr;
  if (!info.key.empty()) {
    key = Json::parse(info.key, nullptr, /*allow_exceptions=*/false);
    if (key.is_discarded()) key = info.key;
  }
  return {{"class", ErrorClassName(info.error_class)},
          {"code", info.code},
          {"vendor_code", OrNull(info.vendor_code)},
          {"message", status.message()},
          {"hint", OrNull(info.hint)},
          {"column", OrNull(info.column)},
          {"key", key},
          {"retryable", IsRetryable(info.error_class)}};
}

Json ColumnJson(const ColumnResult& column) {
  return {{"id", column.id},
          {"source", column.source},
          {"source_native", column.source_native},
          {"dtype", column.dtype},
          {"target", column.target},
          {"target_native", column.target_native},
          {"exactness", column.exactness},
          {"reason", OrNull(column.reason)}};
}

std::string_view ChangeName(RecordChange::Kind kind) {
  switch (kind) {
    case RecordChange::Kind::kAdd:
      return "add";
    case RecordChange::Kind::kChange:
      return "change";
    case RecordChange::Kind::kDelete:
      return "delete";
    case RecordChange::Kind::kDouble:
      return "double";
  }
  return "";
}

Json RecordsJson(const std::vector<RecordChange>& changes) {
  const auto text = [](const std::optional<std::string>& cell) {
    return cell ? Json(*cell) : Json(nullptr);
  };
  Json records = Json::array();
  for (const auto& change : changes) {
    const bool comes = change.kind == RecordChange::Kind::kAdd ||
                       change.kind == RecordChange::Kind::kChange;
    Json cells = Json::object();
    for (const auto& cell : change.cells) {
      Json& both = cells[cell.column] = Json::object();
      if (change.kind != RecordChange::Kind::kAdd) both["before"] = text(cell.before);
      if (comes) both["after"] = text(cell.after);
    }
    Json key = Json::parse(change.key, nullptr, /*allow_exceptions=*/false);
    records.push_back({{"change", ChangeName(change.kind)},
                       {"key", key.is_discarded() ? Json(change.key) : std::move(key)},
                       {"columns", std::move(cells)}});
  }
  return records;
}

Json DiffJson(const DiffResult& diff) {
  return {{"rows_compared", diff.compared},
          {"complete", diff.complete},
          {"added", diff.added},
          {"changed", diff.changed},
          {"unchanged", diff.unchanged},
          {"deleted", diff.deleted ? Json(*diff.deleted) : Json(nullptr)},
          {"note", OrNull(diff.note)},
          {"records", RecordsJson(diff.changes)}};
}

Json VerifyJson(const VerifyResult& verify) {
  Json columns = Json::array();
  for (const auto& column : verify.columns) {
    columns.push_back(
        {{"column", column.name}, {"source", column.source}, {"target", column.target}});
  }
  return {{"equal", verify.equal},
          {"source_rows", verify.source_rows},
          {"target_rows", verify.target_rows},
          {"pending", verify.pending},
          {"missing", verify.missing},
          {"changed", verify.changed},
          {"extra", verify.extra},
          {"doubled", verify.doubled},
          {"complete", verify.complete},
          {"parts", verify.parts},
          {"parts_different", verify.parts_different},
          {"checksums", std::move(columns)},
          {"records", RecordsJson(verify.changes)}};
}

void AddPlan(const StreamResult& stream, Json* json) {
  const auto count = [](const std::optional<int64_t>& rows) {
    return rows ? Json(*rows) : Json(nullptr);
  };
  Json columns = Json::array();
  for (const auto& column : stream.columns) columns.push_back(ColumnJson(column));
  (*json)["query"] = stream.query;
  (*json)["strategy_reason"] = OrNull(stream.strategy_reason);
  (*json)["ddl"] = stream.ddl;
  if (!stream.administrator_sql.empty()) {
    (*json)["administrator_sql"] = stream.administrator_sql;
  }
  (*json)["columns"] = std::move(columns);
  (*json)["splits"] = stream.splits;
  (*json)["source_rows"] = count(stream.source_rows);
  (*json)["target_rows"] = count(stream.target_rows);
  if (stream.diff) (*json)["diff"] = DiffJson(*stream.diff);
}

Json StreamJson(const StreamResult& stream, bool dry_run) {
  Json watermark = nullptr;
  if (stream.watermark) {
    watermark = {{"field", stream.watermark->field},
                 {"before", OrNull(stream.watermark->before)},
                 {"after", OrNull(stream.watermark->after)},
                 {"source", stream.watermark->source},
                 {"read_from", OrNull(stream.watermark->read_from)},
                 {"held_from", OrNull(stream.watermark->held_from)}};
  }
  Json warnings = Json::array();
  for (const auto& warning : stream.warnings) {
    warnings.push_back({{"code", warning.code}, {"message", warning.message}});
  }
  Json changed = Json::array();
  for (const auto& change : stream.values_changed.Entries()) {
    changed.push_back({{"column", change.column},
                       {"kind", ValueKindName(change.kind)},
                       {"policy", ValuePolicyName(change.policy)},
                       {"values", change.values}});
  }
  Json json = {{"id", stream.id},
               {"state", StreamStateName(stream.state)},
               {"target", stream.target},
               {"extract", stream.extract_mode},
               {"load", stream.load_mode},
               {"strategy", OrNull(stream.strategy)},
               {"buffer", OrNull(stream.buffer)},
               {"attempts", stream.attempts},
               {"load_id", OrNull(stream.load_id)},
               {"window_seq", stream.window_seq},
               {"windows", stream.windows},
               {"readers", stream.readers},
               {"writers", stream.writers},
               {"lane", stream.lane},
               {"guarantee", OrNull(stream.guarantee)},
               {"watermark", std::move(watermark)},
               {"rows_read", stream.rows_read},
               {"rows_written", stream.rows_written},
               {"rows_deleted", stream.rows_deleted},
               {"rows_rejected", stream.rows_rejected},
               {"dead_letters", stream.dead_letters},
               {"rows_deduplicated", stream.rows_deduplicated},
               {"values_changed", std::move(changed)},
               {"bytes_read", stream.bytes_read},
               {"bytes_written", stream.bytes_written},
               {"seconds", Rounded(stream.seconds)},
               {"schema_changes", stream.schema_changes},
               {"warnings", std::move(warnings)},
               {"error", ErrorJson(stream.error)}};
  if (stream.verify) {
    json["verify"] = VerifyJson(*stream.verify);
  } else if (dry_run) {
    AddPlan(stream, &json);
  }
  return json;
}

Json Totals(const std::vector<StreamResult>& streams) {
  StreamResult sum;
  for (const auto& stream : streams) {
    sum.rows_read += stream.rows_read;
    sum.rows_written += stream.rows_written;
    sum.rows_deleted += stream.rows_deleted;
    sum.rows_rejected += stream.rows_rejected;
    sum.dead_letters += stream.dead_letters;
    sum.rows_deduplicated += stream.rows_deduplicated;
    sum.bytes_read += stream.bytes_read;
    sum.bytes_written += stream.bytes_written;
  }
  return {
      {"rows_read", sum.rows_read},       {"rows_written", sum.rows_written},
      {"rows_deleted", sum.rows_deleted}, {"rows_rejected", sum.rows_rejected},
      {"dead_letters", sum.dead_letters}, {"rows_deduplicated", sum.rows_deduplicated},
      {"bytes_read", sum.bytes_read},     {"bytes_written", sum.bytes_written}};
}

/// What a failure alone would exit with.
int FailureCode(const arrow::Status& status, bool wrote) {
  switch (GetErrorInfo(status).error_class) {
    case ErrorClass::kConfig:
    case ErrorClass::kUnsupported:
      return wrote ? 1 : 2;
    case ErrorClass::kGuard:
      return 4;
    case ErrorClass::kCancelled:
      return 6;
    default:
      return 1;
  }
}

}  // namespace

std::string_view StreamStateName(StreamState state) {
  switch (state) {
    case StreamState::kQueued:
      return "QUEUED";
    case StreamState::kRunning:
      return "RUNNING";
    case StreamState::kSucceeded:
      return "SUCCEEDED";
    case StreamState::kFailed:
      return "FAILED";
    case StreamState::kCancelled:
      return "CANCELLED";
    case StreamState::kSkipped:
      return "SKIPPED";
  }
  return "FAILED";
}

std::string_view RunStateName(RunState state) {
  switch (state) {
    case RunState::kQueued:
      return "QUEUED";
    case RunState::kRunning:
      return "RUNNING";
    case RunState::kCancelling:
      return "CANCELLING";
    case RunState::kSucceeded:
      return "SUCCEEDED";
    case RunState::kPartial:
      return "PARTIAL";
    case RunState::kFailed:
      return "FAILED";
    case RunState::kCancelled:
      return "CANCELLED";
  }
  return "FAILED";
}

int RunResult::ExitCode() const {
  switch (state) {
    case RunState::kSucceeded:
      return 0;
    case RunState::kPartial:
      return 3;
    case RunState::kCancelled:
      return 6;
    default:
      break;
  }
  if (!error.ok()) return FailureCode(error, false);
  // One code for all failed streams, or the general one.
  int code = 0;
  for (const auto& stream : streams) {
    if (stream.state != StreamState::kFailed) continue;
    const int own = FailureCode(stream.error, stream.began_writing);
    code = code == 0 || code == own ? own : 1;
  }
  return code == 0 ? 1 : code;
}

std::string RunResult::ToJson() const {
  Json stream_list = Json::array();
  for (const auto& stream : streams) stream_list.push_back(StreamJson(stream, dry_run));
  const Json json = {{"schema", "dxt.run_result/1"},
                     {"project", project},
                     {"pipeline", pipeline},
                     {"run", run},
                     {"state", RunStateName(state)},
                     {"exit_code", ExitCode()},
                     {"resumed", resumed},
                     {"dry_run", dry_run},
                     {"started_at", OrNull(started_at)},
                     {"ended_at", OrNull(ended_at)},
                     {"seconds", Rounded(seconds)},
                     {"server", server},
                     {"totals", Totals(streams)},
                     {"streams", std::move(stream_list)},
                     {"error", ErrorJson(error)}};
  // Messages may quote bytes that are not UTF-8; they must not cost the whole result.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace dxt
