#include "connectors/sdk/types.h"
#include "engine/plan/keys.h"
#include "engine/plan/value_policies.h"

namespace dxt {
namespace {

OptionSpec BatchSize() {
  return Key("batch_size", OptionKind::kInteger, "Rows of a batch.")
      .Default("10000")
      .Between(1, 10000000);
}

OptionSpec Options(const std::string& of) {
  return Key("options", OptionKind::kMap,
             "Settings of the " + of + " system, free in form.");
}

OptionSpec ContractEntity(std::string name, std::string help, std::string default_value) {
  return Key(std::move(name), OptionKind::kString, std::move(help))
      .Default(std::move(default_value))
      .Choices({"evolve", "freeze"});
}

OptionSpec FilterKeys() {
  return Key("filters", OptionKind::kList, "Rows to read; all filters must hold.")
      .Of({Key("", OptionKind::kObject, "One filter.")
               .Fields({
                   Key("column", OptionKind::kString, "Column of the source.").Required(),
                   Key("op", OptionKind::kString, "How column and value are compared.")
                       .Required()
                       .Example("gte")
                       .Choices({"eq", "ne", "gt", "gte", "lt", "lte", "in", "not_in"}),
                   Key("value", OptionKind::kAny, "A value, or a list for in and not_in.")
                       .Required()
                       .Of({Key("", OptionKind::kString, ""),
                            Key("", OptionKind::kList, "")
                                .Required()
                                .Of({Key("", OptionKind::kString, "")})}),
               })});
}

OptionSpec ValueKeys() {
  std::vector<OptionSpec> kinds;
  for (const auto& kind : ValueKinds()) {
    OptionSpec key = Key(std::string(kind.name), OptionKind::kString,
                         "What becomes of " + std::string(kind.help) + ".")
                         .Default("fail");
    key.choices = kind.Choices();
    kinds.push_back(std::move(key));
  }
  return Key("values", OptionKind::kObject,
             "What is loaded in place of a value that does not fit, by the reason; "
             "quarantine keeps its row as a dead letter. Values of keys and of the "
             "watermark are never changed.")
      .Fields(std::move(kinds));
}

OptionSpec MirrorKeys() {
  return Key("mirror", OptionKind::kObject, "What mode mirror deletes, and how.")
      .Fields({
          Key("scope", OptionKind::kString,
              "destination: every row of the target that the source does not have; "
              "tracked: of the rows that this stream loaded. The default is destination "
              "for a table that dxt made.")
              .Choices({"destination", "tracked"}),
          Key("deletes", OptionKind::kString,
              "hard takes the rows away; soft keeps them and sets the time.")
              .Default("hard")
              .Choices({"hard", "soft"}),
          Key("soft_delete_column", OptionKind::kString,
              "Column of the target that soft deletes set; NULL in rows that live.")
              .Default("_dxt_deleted_at"),
      });
}

OptionSpec HistoryKeys() {
  return Key("scd2", OptionKind::kObject, "How mode scd2 keeps the versions of rows.")
      .Fields({
          Key("valid_from", OptionKind::kString,
              "Column of the target with the time from which a version holds.")
              .Default("valid_from"),
          Key("valid_to", OptionKind::kString,
              "Column of the target with the time up to which it held; NULL in the "
              "version that holds now.")
              .Default("valid_to"),
          Key("deletes", OptionKind::kString,
              "close closes the versions of rows that the source no longer has, keep "
              "leaves them open. The default is close for full reads, keep for "
              "incremental ones.")
              .Choices({"close", "keep"}),
      });
}

}  // namespace

OptionSpec ExtractKeys() {
  return Key("extract", OptionKind::kObject, "How records are read.")
      .Fields({
          Key("mode", OptionKind::kString,
              "All rows, or only those behind the watermark.")
              .Default("full")
              .Choices({"full", "incremental"}),
          BatchSize(),
          Key("readers", OptionKind::kInteger,
              "How many readers share the stream, each with a part of the table; at most "
              "what --threads or runtime.parallelism leave to it. By default one, or "
              "several where a large table of PostgreSQL goes into files.")
              .Between(1, 64)
              .Example("4"),
          Key("watermark_field", OptionKind::kString,
              "Field id (or source column) by which new rows are found.")
              .Alias({"watermark_column", "cursor_column"})
              .Example("updated_at"),
          Key("watermark_type", OptionKind::kString,
              "Type of the watermark; the default is the column's own.")
              .Choices({"timestamp", "timestamp_tz", "integer", "int", "date", "string"}),
          Key("watermark_source", OptionKind::kString,
              "Where the last watermark comes from.")
              .Default("auto")
              .Choices({"auto", "target", "state"}),
          Key("boundary", OptionKind::kString,
              "Whether rows equal to the last watermark are read again.")
              .Default("exclusive")
              .Choices({"exclusive", "inclusive"}),
          Key("initial_value", OptionKind::kString,
              "The first run reads rows from this value on.")
              .Example("\"2024-01-01 00:00:00\""),
          Key("end_value", OptionKind::kString, "Rows from this value on are not read."),
          Key("null_cursor", OptionKind::kString,
              "What happens to rows whose watermark is NULL; the default depends on the "
              "load "
              "mode.")
              .Choices({"first", "always", "exclude", "fail"}),
          Key("lag", OptionKind::kString,
              "Each read begins this far below the watermark: a time, or a number for "
              "whole numbers; needs load.mode upsert.")
              .Example("15m"),
          Key("horizon", OptionKind::kString,
              "Whether rows that transactions which are still open could get company "
              "below are left to the next run; tables of PostgreSQL.")
              .Default("auto")
              .Choices({"auto", "off"}),
          Key("horizon_max_hold", OptionKind::kDuration,
              "The run warns when such a transaction is open for longer.")
              .Default("1h"),
          Options("source"),
      });
}

OptionSpec LoadKeys() {
  OptionSpec keys = Names("upsert_keys", "Field ids that identify a record.");
  keys.aliases = {"upsert_key", "merge_keys", "primary_key", "primary_keys"};
  keys.example = "[id]";
  return Key("load", OptionKind::kObject, "How records are written.")
      .Fields({
          Key("mode", OptionKind::kString,
              "append inserts, replace exchanges the contents, upsert updates by key, "
              "mirror also deletes what the source no longer has, insert_only leaves "
              "known keys alone, delete_insert exchanges all rows of each key, scd2 "
              "keeps "
              "the versions of each row.")
              .Default("append")
              .Alias({"write_mode", "write_disposition"})
              .Choices({"append", "replace", "upsert", "mirror", "insert_only",
                        "delete_insert", "scd2", "merge", "overwrite"}),
          BatchSize(),
          keys,
          Key("replace_strategy", OptionKind::kString,
              "How replace does it; truncate is rewrite.")
              .Default("auto")
              .Choices({"auto", "swap", "rewrite", "recreate", "truncate"}),
          Key("dedup_sort", OptionKind::kString,
              "Of records with equal keys the one with the largest value of this field "
              "wins; "
              "the default is the watermark field."),
          Key("on_duplicate_key", OptionKind::kString,
              "What happens to records of one run with equal keys.")
              .Default("last")
              .Choices({"last", "fail"}),
          Key("null_key", OptionKind::kString,
              "What happens to records with a NULL in a key.")
              .Default("fail")
              .Choices({"fail", "match"}),
          Key("on_error", OptionKind::kString,
              "What happens to a record that cannot be converted or that the target "
              "cannot hold: the stream fails, or the record is left out, and with "
              "dead_letter kept to be replayed.")
              .Default("fail")
              .Choices({"fail", "skip", "dead_letter"}),
          Key("max_rejected", OptionKind::kString,
              "The stream fails when more records are left out: a number, or a part of "
              "those read.")
              .Default("1000")
              .Example("1%")
              .Matching(R"([0-9]{1,12}|[0-9]{1,3}(\.[0-9]{1,6})?%)",
                        "a number of records, or a percentage such as 1%"),
          ValueKeys(),
          Key("partial_replace", OptionKind::kBoolean,
              "Allow replace with an incremental or limited read.")
              .Default("false"),
          Key("shared_target", OptionKind::kBoolean,
              "Allow replace, mirror and scd2 of a table that another pipeline loads "
              "too.")
              .Default("false"),
          Key("max_shrink", OptionKind::kNumber,
              "Largest part of the target's rows that replace and mirror may take away, "
              "or "
              "of its open versions that scd2 may close for rows that are gone.")
              .Default("0.5")
              .Between(0, 1),
          Key("allow_empty", OptionKind::kBoolean,
              "Allow a replace, mirror or scd2 with no records to empty the target."),
          MirrorKeys(),
          HistoryKeys(),
          Key("window_rows", OptionKind::kInteger,
              "Commit after so many rows and go on: a run that breaks off resumes from "
              "there. Needs extract.mode incremental, and append, upsert or insert_only.")
              .Between(1, std::nullopt)
              .Example("1000000"),
          Key("window_bytes", OptionKind::kBytes,
              "The same, after so many bytes were read.")
              .Between(1, std::nullopt)
              .Example("256MiB"),
          Key("window_time", OptionKind::kDuration, "The same, after so long a time.")
              .Between(1, 366LL * 24 * 3600)
              .Example("5m"),
          Options("target"),
      });
}

OptionSpec SchemaContractKeys() {
  return Key("schema_contract", OptionKind::kObject,
             "What a load may change in the target.")
      .Fields({
          ContractEntity("tables", "Whether missing tables are created.", "evolve"),
          ContractEntity("columns", "Whether missing columns are added.", "freeze"),
          ContractEntity("data_type", "Whether types may be widened.", "freeze"),
      });
}

OptionSpec FieldKeys() {
  OptionSpec dtype = Key("dtype", OptionKind::kString,
                         "Type of the field; the default is the source column's.");
  dtype.choices = DTypeNames();
  dtype.pattern_help =
      "a type of the target system goes to target.dtype; decimals have precision and "
      "scale";
  const OptionSpec native =
      Key("dtype", OptionKind::kString, "Type in the words of the source system.");
  const OptionSpec source =
      Key("source", OptionKind::kAny,
          "Column of the source, or an SQL expression over it.")
          .Of({Key("", OptionKind::kString, "Column of the source.").Required(),
               Key("", OptionKind::kObject, "Column or expression, and native type.")
                   .Fields({
                       Key("column", OptionKind::kString, "Column of the source.")
                           .Alias({"name"}),
                       Key("expression", OptionKind::kString,
                           "SQL in the source's dialect, in place of a column.")
                           .Example("YEAR(order_date)"),
                       native,
                   })});
  const OptionSpec target =
      Key("target", OptionKind::kAny, "Column of the target.")
          .Of({Key("", OptionKind::kString, "Column of the target.").Required(),
               Key("", OptionKind::kObject, "Name, native type and nullability.")
                   .Fields({
                       Key("name", OptionKind::kString, "Column of the target."),
                       Key("dtype", OptionKind::kString,
                           "Type in the words of the target system, used as it stands.")
                           .Example("timestamp_ntz(0)"),
                       Key("nullable", OptionKind::kBoolean,
                           "Whether the column may hold NULL."),
                   })});
  return Key("", OptionKind::kAny, "A field: its id, or a map.")
      .Of({Key("", OptionKind::kString, "Id of a field that needs no more.").Required(),
           Key("", OptionKind::kObject, "A field with its settings.")
               .Fields({
                   Key("id", OptionKind::kString,
                       "Name of the field inside dxt; \"*\" stands for all other "
                       "columns.")
                       .Required()
                       .Alias({"name"}),
                   dtype,
                   source,
                   target,
                   Key("nullable", OptionKind::kBoolean, "Whether values may be NULL.")
                       .Default("true"),
                   Key("precision", OptionKind::kInteger, "Digits of a decimal.")
                       .Between(1, 76),
                   Key("scale", OptionKind::kInteger,
                       "Digits of a decimal behind the point.")
                       .Between(0, 76),
                   Key("timezone", OptionKind::kString,
                       "Zone by which a timestamp becomes a timestamp_tz, or the "
                       "reverse.")
                       .Example("Europe/Berlin"),
                   Key("metadata", OptionKind::kMap,
                       "Free notes; `generated_by: dxt` fills the field with the load "
                       "time."),
               })});
}

OptionSpec StreamKeys() {
  return Key("stream", OptionKind::kObject, "One dataset: where from, where to, how.")
      .Fields({
          Key("id", OptionKind::kString, "Name of the stream, unique in the pipeline.")
              .Required()
              .Example("orders")
              .Matching(
                  kStreamPattern,
                  "a stream id: letters, digits, _ - and ., at most 128, beginning with "
                  "a letter, digit or _"),
          Key("kind", OptionKind::kString, "What `source` is.")
              .Default("table")
              .Choices({"table", "view", "query", "file", "api"}),
          Key("source", OptionKind::kString,
              "Table, view, SQL text, path or glob; `schema.*` is every table of a "
              "schema.")
              .Required()
              .Example("public.orders"),
          Key("target", OptionKind::kString,
              "Table or path; `{name}` is the source table's name.")
              .Required()
              .Alias({"destination"})
              .Example("raw.orders"),
          Names("tags", "Labels for selectors."),
          Key("criteria", OptionKind::kObject, "Which rows are read.")
              .Fields({Key("where", OptionKind::kString,
                           "SQL predicate in the source's dialect; kind table and view.")
                           .Example("status = 'open'")}),
          FilterKeys(),
          Key("fields", OptionKind::kList,
              "Exactly these columns in this order; the default is all.")
              .Of({FieldKeys()}),
          Names("exclude", "Columns of the source that are left out."),
          Names("json_columns",
                "Columns whose text is JSON: short for a field with dtype json. They are "
                "never "
                "flattened."),
          ExtractKeys(),
          LoadKeys(),
          SchemaContractKeys(),
      });
}

}  // namespace dxt
