#include "client/dxtctl/summary.h"

#include <algorithm>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "client/dxtctl/output.h"

namespace dxt::ctl {
namespace {

using Json = nlohmann::ordered_json;

std::string Text(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return {};
  return found->is_string() ? found->get<std::string>() : ToJson(*found);
}

int64_t Number(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<int64_t>() : 0;
}

std::string Seconds(const Json& object) {
  char text[32];
  const auto found = object.find("seconds");
  std::snprintf(text, sizeof text, "%.2fs",
                found != object.end() && found->is_number() ? found->get<double>() : 0.0);
  return text;
}

std::string WatermarkText(const Json& stream) {
  const auto watermark = stream.find("watermark");
  if (watermark == stream.end() || watermark->is_null()) return "-";
  const std::string after = Text(*watermark, "after");
  const std::string value = after.empty() ? Text(*watermark, "before") : after;
  return value.empty() ? "-" : value;
}

const std::vector<TableColumn> kSummaryColumns = {
    {"STREAM", "id"},
    {"STATE", "state"},
    {"TARGET", "target", true},
    {"READ", "rows_read", false, true},
    {"WRITTEN", "rows_written", false, true},
    {"DELETED", "rows_deleted", true, true},
    {"REJECTED", "rows_rejected", false, true},
    {"BYTES", "bytes", false, true},
    {"TIME", "time", false, true},
    {"LOAD", "load", true},
    {"STRATEGY", "strategy", true},
    {"BUFFER", "buffer", true},
    {"WATERMARK", "watermark_text"},
};

void PrintSummary(const Json& result, Invocation& invocation) {
  Json rows = Json::array();
  for (auto stream : result.value("streams", Json::array())) {
    const int64_t bytes = Number(stream, "bytes_written") > 0
                              ? Number(stream, "bytes_written")
                              : Number(stream, "bytes_read");
    stream["bytes"] = ShortBytes(static_cast<double>(bytes));
    stream["time"] = Seconds(stream);
    stream["watermark_text"] = WatermarkText(stream);
    rows.push_back(stream);
  }
  if (!rows.empty()) PrintListing({"streams", "id", kSummaryColumns}, rows, invocation);
  const Json totals = result.value("totals", Json::object());
  std::string line = Text(result, "pipeline") + ": " + Text(result, "state") + ", " +
                     Counted(Number(totals, "rows_read"), "row") + " read, " +
                     std::to_string(Number(totals, "rows_written")) + " written";
  if (const int64_t deleted = Number(totals, "rows_deleted")) {
    line += ", " + std::to_string(deleted) + " deleted";
  }
  line += ", " + std::to_string(Number(totals, "rows_rejected")) + " rejected in " +
          Seconds(result);
  if (result.value("resumed", false)) line += " (an interrupted run was continued)";
  std::printf("%s\n", line.c_str());
}

void PrintPlannedColumns(const Json& stream) {
  const auto columns = stream.find("columns");
  if (columns == stream.end() || columns->empty()) return;
  const std::vector<TableColumn> shown = {
      {"  COLUMN", "id"},   {"SOURCE", "source_native"}, {"DTYPE", "dtype"},
      {"TARGET", "target"}, {"TYPE", "target_native"},   {"EXACTNESS", "exactness"},
      {"REASON", "reason"}};
  std::vector<std::vector<std::string>> rows;
  for (const auto& column : *columns) {
    auto& row = rows.emplace_back();
    for (const auto& cell : shown) {
      const std::string text = Printable(Text(column, cell.field.c_str()));
      row.push_back(row.empty() ? "  " + text : text);
    }
  }
  PrintTable(shown, rows);
}

/// "+ {"id":3}  name=new", "~ {"id":1}  name: old -> new".
std::string RecordLine(const Json& record) {
  const std::string change = Text(record, "change");
  const auto cell = [](const Json& both, const char* when) {
    return both.contains(when) && both[when].is_null() ? "NULL" : Text(both, when);
  };
  std::string line = change == "add"      ? "+ "
                     : change == "delete" ? "- "
                     : change == "double" ? "2 "
                                          : "~ ";
  line += record.value("key", Json()).dump();
  const char* separator = "  ";
  const Json columns = record.value("columns", Json::object());
  for (const auto& [column, both] : columns.items()) {
    line += separator + column;
    if (change == "change") {
      line += ": " + cell(both, "before") + " -> " + cell(both, "after");
    } else {
      line += "=" + cell(both, change == "add" ? "after" : "before");
    }
    separator = ", ";
  }
  return Printable(line);
}

void PrintDiff(const Json& stream) {
  const auto found = stream.find("diff");
  if (found == stream.end()) return;
  const Json& diff = *found;
  const std::string deleted = Text(diff, "deleted");
  std::printf("  diff of %s%s: %s added, %s changed, %s unchanged, %s deleted\n",
              diff.value("complete", false) ? "" : "the first ",
              Counted(Number(diff, "rows_compared"), "row").c_str(),
              Text(diff, "added").c_str(), Text(diff, "changed").c_str(),
              Text(diff, "unchanged").c_str(), deleted.empty() ? "?" : deleted.c_str());
  for (const auto& record : diff.value("records", Json::array())) {
    std::printf("    %s\n", RecordLine(record).c_str());
  }
  if (const auto note = Text(diff, "note"); !note.empty()) {
    std::printf("    (%s)\n", note.c_str());
  }
}

void PrintVerify(const Json& verify) {
  const auto count = [&](const char* key) { return Text(verify, key); };
  if (verify.value("equal", false)) {
    std::printf("  equal: %s on both sides",
                Counted(Number(verify, "source_rows"), "row").c_str());
    if (Number(verify, "target_rows") > Number(verify, "source_rows")) {
      std::printf(", %s more that the source no longer has", count("extra").c_str());
    }
    std::printf("\n");
  } else {
    std::printf(
        "  differs: %s in the source, %s in the target; %s missing, %s changed, "
        "%s too many, %s that the source does not have%s\n",
        Counted(Number(verify, "source_rows"), "row").c_str(),
        count("target_rows").c_str(), count("missing").c_str(), count("changed").c_str(),
        count("doubled").c_str(), count("extra").c_str(),
        verify.value("complete", true) ? "" : ", of the rows that were compared");
    std::string columns;
    for (const auto& column : verify.value("checksums", Json::array())) {
      if (Text(column, "source") == Text(column, "target")) continue;
      columns += (columns.empty() ? "" : ", ") + Text(column, "column");
    }
    if (!columns.empty()) {
      std::printf("  columns that differ: %s\n", Printable(columns).c_str());
    }
  }
  if (const int64_t pending = Number(verify, "pending")) {
    std::printf("  %s above the watermark: the next run brings them\n",
                Counted(pending, "row").c_str());
  }
  for (const auto& record : verify.value("records", Json::array())) {
    std::printf("    %s\n", RecordLine(record).c_str());
  }
}

/// What the streams need, once each, to be piped into a database's shell.
bool PrintAdministratorSql(const Json& result) {
  std::vector<std::string> printed;
  for (const auto& stream : result.value("streams", Json::array())) {
    for (const auto& item : stream.value("administrator_sql", Json::array())) {
      const auto statement = item.get<std::string>();
      if (std::count(printed.begin(), printed.end(), statement) > 0) continue;
      std::printf("%s;\n", statement.c_str());
      printed.push_back(statement);
    }
  }
  return !printed.empty();
}

void PrintPlan(const Json& result) {
  if (PrintAdministratorSql(result)) return;
  for (const auto& stream : result.value("streams", Json::array())) {
    std::printf("stream %s -> %s  [%s, %s]\n", Text(stream, "id").c_str(),
                Text(stream, "target").c_str(), Text(stream, "extract").c_str(),
                Text(stream, "load").c_str());
    if (const auto verify = stream.find("verify"); verify != stream.end()) {
      PrintVerify(*verify);
      continue;
    }
    const auto line = [&](const char* label, const std::string& text) {
      if (!text.empty()) std::printf("  %s: %s\n", label, text.c_str());
    };
    line("query", Text(stream, "query"));
    if (const auto mark = stream.find("watermark");
        mark != stream.end() && mark->is_object()) {
      const std::string before = Text(*mark, "before");
      const std::string source = Text(*mark, "source");
      line("watermark", Text(*mark, "field") +
                            (source == "initial" ? " from " : " after ") +
                            (before.empty() ? "-" : before) + " (from " + source + ")");
    }
    std::string strategy = Text(stream, "strategy");
    if (const auto why = Text(stream, "strategy_reason"); !why.empty())
      strategy += ": " + why;
    line("strategy", strategy);
    line("buffer", Text(stream, "buffer"));
    line("guarantee", Text(stream, "guarantee"));
    if (stream.value("splits", 1) > 1) {
      line("splits",
           Text(stream, "splits") + ", " + Text(stream, "readers") + " read at a time");
    }
    line("source rows", Text(stream, "source_rows"));
    line("target rows", Text(stream, "target_rows"));
    for (const auto& statement : stream.value("ddl", Json::array())) {
      std::printf("  ddl: %s\n", statement.get<std::string>().c_str());
    }
    PrintPlannedColumns(stream);
    PrintDiff(stream);
  }
}

Error ErrorOfJson(const Json& error, const std::string& stream) {
  Error shown;
  shown.message = Text(error, "message");
  shown.hint = Text(error, "hint");
  shown.code = Text(error, "code");
  shown.stream = stream;
  if (const auto column = Text(error, "column"); !column.empty()) {
    shown.message += " (column '" + column + "'";
    if (const auto key = Text(error, "key"); !key.empty())
      shown.message += ", key " + key;
    shown.message += ")";
  }
  return shown;
}

void PrintMessages(Invocation& invocation, const Json& result) {
  for (const auto& stream : result.value("streams", Json::array())) {
    const std::string id = Text(stream, "id");
    for (const auto& warning : stream.value("warnings", Json::array())) {
      invocation.Note(invocation.terminal().Yellow("Warning:") + " stream '" + id +
                      "': " + Text(warning, "message") + " [" + Text(warning, "code") +
                      "]");
    }
    if (const auto error = stream.find("error");
        error != stream.end() && error->is_object()) {
      invocation.Report(ErrorOfJson(*error, id));
    }
  }
  if (const auto error = result.find("error");
      error != result.end() && error->is_object()) {
    invocation.Report(ErrorOfJson(*error, ""));
  }
}

}  // namespace

void PrintRunResult(Invocation& invocation, const std::string& run_name,
                    const std::string& result_json) {
  const OutputFormat format = invocation.format();
  if (format == OutputFormat::kJson || format == OutputFormat::kJsonl) {
    PrintJsonText(invocation, result_json);
    return;
  }
  if (format == OutputFormat::kName) {
    std::printf("%s\n", run_name.c_str());
    return;
  }
  const Json result = Json::parse(result_json, nullptr, /*allow_exceptions=*/false);
  if (result.is_discarded()) {
    std::printf("%s\n", result_json.c_str());
    return;
  }
  if (format == OutputFormat::kYaml) {
    std::printf("%s", ToYaml(result).c_str());
    return;
  }
  if (result.value("dry_run", false)) {
    PrintPlan(result);
  } else {
    PrintSummary(result, invocation);
  }
  std::fflush(stdout);
  PrintMessages(invocation, result);
}

}  // namespace dxt::ctl
