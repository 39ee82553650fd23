#include <nlohmann/json.hpp>

#include "client/dxtctl/adhoc.h"
#include "client/dxtctl/output.h"
#include "client/dxtctl/pipeline_name.h"
#include "client/dxtctl/run_verb.h"
#include "client/dxtctl/verbs.h"
#include "dxt/v1/project_service.pb.h"

namespace dxt::ctl {
namespace {

using Json = nlohmann::ordered_json;

struct PreviewOptions {
  std::string what, stream;
  int rows = 10;
  std::vector<std::string> variables;
};

void PrintPreview(const v1::PreviewStreamResponse& table, Invocation& invocation) {
  const OutputFormat format = invocation.format();
  if (format == OutputFormat::kTable || format == OutputFormat::kWide) {
    std::vector<TableColumn> columns;
    for (const auto& column : table.columns()) {
      const bool number =
          column.dtype().starts_with("int") || column.dtype().starts_with("uint") ||
          column.dtype().starts_with("float") || column.dtype().starts_with("decimal");
      columns.push_back({Printable(column.name()), column.name(), false, number});
    }
    std::vector<std::vector<std::string>> rows;
    for (const auto& row : table.rows()) {
      auto& cells = rows.emplace_back();
      for (const auto& cell : row.cells()) {
        constexpr int kWidest = 60;
        cells.push_back(cell.has_text() ? Printable(cell.text()) : "NULL");
        if (format == OutputFormat::kTable) cells.back() = Shorten(cells.back(), kWidest);
      }
    }
    if (!columns.empty()) PrintTable(columns, rows, TableStyleOf(invocation));
    return;
  }
  Json rows = Json::array();
  for (const auto& row : table.rows()) {
    Json object = Json::object();
    for (int i = 0; i < row.cells_size(); ++i) {
      const auto& cell = row.cells(i);
      object[table.columns(i).name()] = cell.has_text() ? Json(cell.text()) : Json();
    }
    rows.push_back(object);
  }
  PrintListing({"rows", table.columns_size() ? table.columns(0).name() : "", {}}, rows,
               invocation);
}

Result<int> Preview(Invocation& invocation, PreviewOptions options) {
  DocumentOptions wanted;
  wanted.variables = options.variables;
  if (options.stream.empty()) {
    CTL_ASSIGN(const AdhocEnd end, ParseAdhocEnd(options.what));
    if (end.table.empty()) {
      return UsageError("Name a stream of the pipeline, or a table as CONNECTION#table",
                        "dxtctl preview pipeline.yaml STREAM");
    }
    options.stream = "preview";
    wanted.pipeline = "preview.yaml";
    wanted.pipeline_text =
        AdhocPipeline("preview", "preview", end, {end.connection, "_preview"}, {});
  } else {
    wanted.pipeline = options.what;
  }
  CTL_ASSIGN(const Documents documents, invocation.Load(wanted));
  CTL_ASSIGN(const auto daemon, invocation.Connect(documents));
  v1::PreviewStreamRequest request;
  *request.mutable_documents() = *documents.set;
  request.set_stream(options.stream);
  request.set_rows(options.rows);
  const auto response = daemon->Call<v1::PreviewStreamResponse>(request);
  if (!response.ok() && wanted.pipeline_text) {
    return WithoutPlaces(response.error(), MadeUpPath(wanted));
  }
  if (!response.ok()) return response.error();
  PrintPreview(*response, invocation);
  return kExitOk;
}

}  // namespace

void AddPreview(Verb root, Invocation& invocation) {
  auto options = std::make_shared<PreviewOptions>();
  const Verb verb = root.AddVerb("preview", "Show the first rows of a stream or table");
  verb.Add("what", options->what, "Pipeline file, CONNECTION#TABLE, or a data file")
      .Placeholder("PIPELINE|CONNECTION#TABLE")
      .Required();
  verb.Add("stream", options->stream, "Stream of the pipeline");
  verb.Add("--limit,-n", options->rows, "How many rows").ShowDefault().Between(1, 10000);
  AddVariablesOption(verb, options->variables);
  verb.SetAction(invocation, options, Preview);
}

}  // namespace dxt::ctl
