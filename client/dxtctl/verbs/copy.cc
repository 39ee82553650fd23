#include <cstdio>

#include "base/url_password.h"
#include "client/dxtctl/adhoc.h"
#include "client/dxtctl/run_verb.h"
#include "client/dxtctl/verbs.h"

namespace dxt::ctl {
namespace {

struct CopyOptions {
  RunVerbOptions run;
  std::string source, target, mode, cursor;
  std::vector<std::string> keys;
  bool print_yaml = false;
};

/// Names the pipeline of one pair of ends: copies of other pairs have their own cursors.
std::string PipelineNameOf(const AdhocEnd& source, const AdhocEnd& target) {
  uint32_t hash = 2166136261u;
  for (const auto* text :
       {&source.connection, &source.table, &target.connection, &target.table}) {
    for (const char c : *text + "#")
      hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  }
  char name[24];
  std::snprintf(name, sizeof name, "copy-%08x", hash);
  return name;
}

/// What is printed gets into files: a password stays where it was typed.
AdhocEnd WithoutPassword(AdhocEnd end, const char* variable, Invocation& invocation) {
  if (auto named = PasswordAsVariable(end.connection, variable)) {
    end.connection = std::move(*named);
    invocation.Note(std::string("The password is not written: set ") + variable +
                    " in the environment or in .env.");
  }
  return end;
}

Result<int> Copy(Invocation& invocation, CopyOptions options) {
  CTL_ASSIGN(const AdhocEnd source, ParseAdhocEnd(options.source));
  CTL_ASSIGN(AdhocEnd target, ParseAdhocEnd(options.target));
  if (source.table.empty()) {
    const std::string shown =
        PasswordAsVariable(options.source, "PASSWORD").value_or(options.source);
    return UsageError(
        "'" + shown + "' names no table",
        "Write " + shown + "#table; `dxtctl discover " + shown + "` lists what there is");
  }
  const std::string bare = BareTableName(source.table);
  const std::string stream = StreamIdOf(bare);
  if (target.table.empty()) {
    const bool files =
        target.connection.starts_with("file:") || target.connection.starts_with("s3:");
    target.table = files ? bare + ".parquet" : TableReference(bare);
  }
  AdhocLoad load;
  load.keys = options.keys;
  load.cursor = options.cursor;
  load.mode = !options.mode.empty()     ? options.mode
              : !options.keys.empty()   ? "upsert"
              : !options.cursor.empty() ? "append"
                                        : "replace";
  load.partial = options.run.limit && load.mode == "replace";
  const std::string name = PipelineNameOf(source, target);
  if (options.print_yaml) {
    const AdhocEnd shown_source = WithoutPassword(source, "SOURCE_PASSWORD", invocation);
    const AdhocEnd shown_target = WithoutPassword(target, "TARGET_PASSWORD", invocation);
    std::printf("%s",
                AdhocPipeline(name, stream, shown_source, shown_target, load).c_str());
    return kExitOk;
  }
  const std::string yaml = AdhocPipeline(name, stream, source, target, load);
  options.run.documents.pipeline = name + ".yaml";
  options.run.documents.pipeline_text = yaml;
  auto ended = ExecuteRunVerb(invocation, options.run);
  if (ended.ok()) return ended;
  return WithoutPlaces(ended.error(), MadeUpPath(options.run.documents));
}

}  // namespace

void AddCopy(Verb root, Invocation& invocation) {
  auto options = std::make_shared<CopyOptions>();
  const Verb verb =
      root.AddVerb("copy", "Copy one table or file: a pipeline in one line");
  verb.Examples(
      "  dxtctl copy shop#orders warehouse#orders --key id --cursor updated_at\n"
      "  dxtctl copy data/orders.csv 'duckdb:///tmp/orders.duckdb'\n"
      "  dxtctl copy shop#orders files#orders.parquet --print-yaml");
  verb.Add("source", options->source,
           "CONNECTION#table, a connection string with #table, or a data file")
      .Placeholder("SOURCE[#TABLE]")
      .Required();
  verb.Add("target", options->target, "Likewise; without #table the source's name")
      .Placeholder("TARGET[#TABLE]")
      .Required();
  verb.Add("--mode", options->mode,
           "append, replace or upsert (default: upsert with --key, append with "
           "--cursor, else replace)")
      .OneOf({"append", "replace", "upsert"});
  verb.Add("--key", options->keys, "Key column of upsert; may be repeated or a,b")
      .Placeholder("COLUMN")
      .SplitAt(',');
  verb.Add("--cursor", options->cursor, "Column by which later copies read what is new")
      .Placeholder("COLUMN");
  verb.AddFlag("--print-yaml", options->print_yaml, "Print the pipeline instead");
  AddDryRunOptions(verb, options->run);
  AddLimitOption(verb, options->run.limit);
  verb.SetAction(invocation, options, Copy);
}

}  // namespace dxt::ctl
