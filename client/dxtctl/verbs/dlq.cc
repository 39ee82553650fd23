#include <algorithm>
#include <cstdio>

#include <google/protobuf/util/time_util.h>
#include <nlohmann/json.hpp>

#include "client/dxtctl/output.h"
#include "client/dxtctl/pipeline_name.h"
#include "client/dxtctl/run_verb.h"
#include "client/dxtctl/verbs.h"
#include "dxt/v1/dead_letter_service.pb.h"

namespace dxt::ctl {
namespace {

using Json = nlohmann::ordered_json;

struct LettersOptions {
  std::string pipeline;  ///< File or name.
  std::string stream, reason, run, state;
  int limit = 50;
  bool rows = false;
  bool all = false;
  std::string id;
  std::vector<std::string> ids;
  std::vector<std::string> variables;
};

struct LettersCall {
  std::unique_ptr<Daemon> daemon;
  std::string parent;
};

struct ReplayOptions {
  RunVerbOptions run;
  std::vector<std::string> ids;
  bool all = false;
};

Result<LettersCall> BeginLetters(Invocation& invocation, const LettersOptions& options) {
  DocumentOptions wanted;
  wanted.variables = options.variables;
  const bool document = IsDocumentArgument(options.pipeline);
  if (document) wanted.pipeline = options.pipeline;
  CTL_ASSIGN(const Documents documents, invocation.Load(wanted));
  LettersCall call;
  CTL_ASSIGN(call.daemon, invocation.Connect(documents));
  CTL_ASSIGN(call.parent, PipelineResourceName(*call.daemon, documents,
                                               document ? "" : options.pipeline));
  return call;
}

v1::DeadLetter::State StateNamed(const std::string& name) {
  if (name == "stored") return v1::DeadLetter::STORED;
  return name == "replayed" ? v1::DeadLetter::REPLAYED
                            : v1::DeadLetter::STATE_UNSPECIFIED;
}

Json LetterRow(const v1::DeadLetter& letter, bool with_row) {
  const auto last = [](const std::string& name) {
    return name.substr(name.rfind('/') + 1);
  };
  const auto text = [](const std::string& value) {
    return value.empty() ? Json() : Json(value);
  };
  const auto time = [](bool known, const google::protobuf::Timestamp& at) {
    return known ? Json(google::protobuf::util::TimeUtil::ToString(at)) : Json();
  };
  // As it stands: a number of a row may have more digits than one of JSON's readers.
  const auto json = [&](const std::string& value) {
    auto parsed = Json::parse(value, nullptr, false);
    return parsed.is_discarded() ? text(value) : parsed;
  };
  Json row = {{"id", last(letter.name())},
              {"pipeline", letter.pipeline()},
              {"stream", letter.stream()},
              {"state", v1::DeadLetter::State_Name(letter.state())},
              {"reason", letter.reason()},
              {"field", letter.field()},
              {"message", letter.message()},
              {"key", json(letter.key())},
              {"at", time(letter.has_time(), letter.time())},
              {"attempts", letter.attempts()},
              {"load_id", letter.load_id()},
              {"run", last(letter.run())},
              {"replayed_by", text(letter.replay_load_id())},
              {"replayed_at", time(letter.has_replay_time(), letter.replay_time())}};
  if (with_row) row["row"] = json(letter.row());
  return row;
}

Result<int> ListLetters(Invocation& invocation, const LettersOptions& options) {
  CTL_ASSIGN(const LettersCall call, BeginLetters(invocation, options));
  v1::ListDeadLettersRequest request;
  request.set_parent(call.parent);
  request.set_stream(options.stream);
  request.set_reason(options.reason);
  request.set_run(options.run);
  request.set_state(StateNamed(options.state));
  request.set_with_rows(options.rows);
  Json rows = Json::array();
  bool more = false;
  do {
    request.set_page_size(std::min(options.limit - static_cast<int>(rows.size()), 1000));
    CTL_ASSIGN(const auto page, call.daemon->Call<v1::ListDeadLettersResponse>(request));
    for (const auto& letter : page.dead_letters()) {
      rows.push_back(LetterRow(letter, options.rows));
    }
    request.set_page_token(page.next_page_token());
    more = !page.next_page_token().empty();
  } while (more && static_cast<int>(rows.size()) < options.limit);
  PrintListing({"dead_letters",
                "id",
                {{"ID", "id"},
                 {"PIPELINE", "pipeline", true},
                 {"STREAM", "stream"},
                 {"STATE", "state"},
                 {"REASON", "reason"},
                 {"FIELD", "field"},
                 {"KEY", "key"},
                 {"AT", "at"},
                 {"MESSAGE", "message", true}}},
               rows, invocation);
  if (more) invocation.Note("There are more: --limit N, --stream, --reason, --run");
  return kExitOk;
}

Result<int> ShowLetter(Invocation& invocation, const LettersOptions& options) {
  CTL_ASSIGN(const LettersCall call, BeginLetters(invocation, {}));
  v1::GetDeadLetterRequest request;
  request.set_name("projects/-/deadLetters/" + options.id);
  CTL_ASSIGN(const auto letter, call.daemon->Call<v1::DeadLetter>(request));
  const bool json = invocation.format() == OutputFormat::kJson ||
                    invocation.format() == OutputFormat::kJsonl;
  const Json row = LetterRow(letter, true);
  if (json) {
    PrintJson(invocation, row);
  } else {
    std::printf("%s", ToYaml(row).c_str());
  }
  return kExitOk;
}

Result<int> DropLetters(Invocation& invocation, const LettersOptions& options) {
  if (options.ids.empty() && !options.all) {
    return UsageError("Nothing says which dead letters are to be dropped",
                      "Name them, or write --all with --stream, --reason or nothing");
  }
  CTL_ASSIGN(const LettersCall call, BeginLetters(invocation, options));
  v1::DropDeadLettersRequest request;
  request.set_parent(call.parent);
  for (const auto& id : options.ids) request.add_ids(id);
  request.set_stream(options.stream);
  request.set_reason(options.reason);
  request.set_run(options.run);
  request.set_state(StateNamed(options.state));
  CTL_ASSIGN(const auto response,
             call.daemon->Call<v1::DropDeadLettersResponse>(request));
  invocation.Note("Dropped " + Counted(response.dropped(), "dead letter") + ".");
  return kExitOk;
}

Result<int> ReplayLetters(Invocation& invocation, const ReplayOptions& options) {
  if (options.ids.empty() != options.all) {
    return UsageError("Nothing says which dead letters are to be loaded again",
                      "Name them, or write --all to load all of the pipeline");
  }
  RunVerbOptions run = options.run;
  run.replay = options.ids;
  return ExecuteRunVerb(invocation, run);
}

void AddWhichLetters(Verb verb, LettersOptions& options) {
  verb.Add("--pipeline", options.pipeline, "Pipeline file or name (default: all)")
      .Placeholder("PIPELINE");
  verb.Add("--stream", options.stream, "Only of this stream").Placeholder("STREAM");
  verb.Add("--reason", options.reason, "Only of this code, such as value.null")
      .Placeholder("CODE");
  verb.Add("--run", options.run, "Only of this run").Placeholder("RUN");
  verb.Add("--state", options.state, "Only those").OneOf({"stored", "replayed"});
  AddVariablesOption(verb, options.variables);
}

void AddReplay(Verb parent, Invocation& invocation) {
  auto options = std::make_shared<ReplayOptions>();
  const Verb verb =
      parent.AddVerb("replay", "Load dead letters again, by the pipeline as it is now");
  verb.Examples(
      "  dxtctl dlq replay orders.yaml --all\n"
      "  dxtctl dlq replay orders.yaml 01KAJ2Z6GQ8Y4R0T5V3W7X9B1C-3");
  verb.Add("pipeline", options->run.documents.pipeline, "Pipeline file").Required();
  verb.Add("id", options->ids, "As `dlq list` names them").Placeholder("ID");
  verb.AddFlag("--all", options->all, "All that wait");
  AddRunOptions(verb, options->run);
  verb.SetAction(invocation, options, ReplayLetters);
}

}  // namespace

void AddDlq(Verb root, Invocation& invocation) {
  const Verb verb = root.AddVerb(
      "dlq", "List, show, replay or drop dead letters: rows that loads left out");
  verb.RequireVerb();

  auto listed = std::make_shared<LettersOptions>();
  const Verb list = verb.AddVerb("list", "List dead letters, oldest first");
  list.Examples(
      "  dxtctl dlq list --stream orders --reason value.invalid_text\n"
      "  dxtctl dlq list --rows -o jsonl");
  AddWhichLetters(list, *listed);
  list.Add("--limit", listed->limit, "At most this many (default 50)")
      .Between(1, 1000000);
  list.AddFlag("--rows", listed->rows, "The rows too; for -o json, jsonl and yaml");
  list.SetAction(invocation, listed, ListLetters);

  auto shown = std::make_shared<LettersOptions>();
  const Verb show = verb.AddVerb("show", "Show one dead letter and its row");
  show.Add("id", shown->id, "As `dlq list` names it").Placeholder("ID").Required();
  show.SetAction(invocation, shown, ShowLetter);

  AddReplay(verb, invocation);

  auto dropped = std::make_shared<LettersOptions>();
  const Verb drop = verb.AddVerb("drop", "Give dead letters up, with their rows");
  drop.Add("id", dropped->ids, "As `dlq list` names them").Placeholder("ID");
  drop.AddFlag("--all", dropped->all, "All that the other options leave");
  AddWhichLetters(drop, *dropped);
  drop.SetAction(invocation, dropped, DropLetters);
}

}  // namespace dxt::ctl
