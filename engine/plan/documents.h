#pragma once
// Project and pipeline documents: text in, checked and typed documents out. Pure: no
// files, no environment, no systems.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

#include "connectors/sdk/config.h"
#include "connectors/sdk/destination.h"
#include "connectors/sdk/stream.h"
#include "connectors/sdk/types.h"
#include "engine/plan/value_policies.h"

namespace dxt {

class Connector;
class ConnectorRegistry;

/// A document as it came from a client.
struct DocumentText {
  /// Absolute; "" = none (inline). Relative paths inside belong to its folder.
  std::string path;
  std::string text;
};

/// One thing wrong with a document.
struct Problem {
  enum class Level : uint8_t { kError, kWarning };
  Level level = Level::kError;
  Mark mark;
  std::string path;        ///< Key path: streams[2].load.mode
  std::string code;        ///< config.unknown_key, config.wrong_type, …
  std::string message;     ///< Without full stop; never holds a secret.
  std::string suggestion;  ///< "did you mean 'mode'?", or what to do; "" = none.
};

/// A named or inline connection, checked against its connector's spec. Paths are
/// absolute.
struct Connection {
  std::string name;  ///< Of the project; for inline ones the URL without secrets.
  bool is_inline = false;
  const Connector* connector = nullptr;
  ConfigView config;
  int max_concurrent_runs = 0;  ///< Of one daemon; 0 = any number.
  Mark mark;
};

enum class BufferFormat : uint8_t { kAuto, kParquet, kMemory, kCsv, kJsonl };
std::string_view BufferFormatName(BufferFormat format);

struct BufferConfig {
  BufferFormat format = BufferFormat::kAuto;
  std::string compression;  ///< "" = the format's default (parquet: snappy).
  std::string location;     ///< Absolute; "" = the state folder's buffer/.
  bool persist = false;
  bool cleanup_on_success = true;
  bool retain_on_failure = true;
};

struct FieldConfig {
  std::string id;                 ///< "*" adds the columns not named.
  std::optional<FieldType> type;  ///< dtype with precision and scale.
  std::string source_column;      ///< "" = id.
  std::string source_expression;
  std::string source_native;  ///< source.dtype
  std::string target_name;    ///< "" = id.
  std::string target_native;  ///< target.dtype
  std::optional<bool> nullable;
  std::optional<bool> target_nullable;
  std::string timezone;    ///< timestamp <-> timestamp_tz only through this.
  bool generated = false;  ///< metadata.generated_by: dxt
  std::string generator;   ///< current_timestamp
  Mark mark;
};

enum class WatermarkSource : uint8_t { kAuto, kTarget, kState };
enum class NullCursor : uint8_t { kAuto, kFirst, kAlways, kExclude, kFail };

struct ExtractConfig {
  bool incremental = false;
  int64_t batch_size = 10000;
  std::optional<int> readers;
  std::string watermark_field;
  std::string watermark_type;  ///< "" = the column's own.
  WatermarkSource watermark_source = WatermarkSource::kAuto;
  bool inclusive = false;  ///< boundary: inclusive
  std::optional<std::string> initial_value, end_value;
  NullCursor null_cursor = NullCursor::kAuto;
  /// How far below the watermark each read begins: a number, or (`lag_ms`) a time.
  std::optional<int64_t> lag, lag_ms;
  bool hold_back = true;               ///< horizon: auto
  int64_t hold_warn_ms = 3600 * 1000;  ///< horizon_max_hold
  ConfigValue options;
};

enum class ContractMode : uint8_t { kEvolve, kFreeze };
struct SchemaContract {
  ContractMode tables = ContractMode::kEvolve;
  ContractMode columns = ContractMode::kFreeze;
  ContractMode data_type = ContractMode::kFreeze;
};

/// What becomes of a row that cannot be converted, or that the target cannot hold.
enum class OnError : uint8_t {
  kFail,        ///< The stream fails.
  kSkip,        ///< It is left out and counted.
  kDeadLetter,  ///< It is left out, counted and stored for a replay.
};

struct LoadConfig {
  LoadMode mode = LoadMode::kAppend;
  int64_t batch_size = 10000;
  std::vector<std::string> upsert_keys;  ///< Field ids.
  ReplaceStrategy strategy = ReplaceStrategy::kAuto;
  std::string dedup_sort;
  bool duplicate_keys_fail = false;
  bool null_keys_match = false;
  bool partial_replace = false;
  bool shared_target = false;
  double max_shrink = 0.5;
  std::optional<bool> allow_empty;  ///< Default: contracts 3.7.
  OnError on_error = OnError::kFail;
  ValuePolicies values;
  /// How many rows may be left out: a number of a stream's, or a part of them.
  int64_t max_rejected = 1000;
  std::optional<double> max_rejected_percent;  ///< In place of `max_rejected`.
  MirrorSpec mirror;
  HistorySpec history;
  /// What one commit covers at most, but for rows with equal cursors; unset = the run.
  std::optional<int64_t> window_rows, window_bytes, window_ms;
  ConfigValue options;

  /// Whether each load stands for the whole source: what it does not bring is gone.
  bool whole() const {
    return IsWhole(mode) || (mode == LoadMode::kHistory && history.closes_unseen);
  }
  /// Whether rows may be left out of a load in place of failing it.
  bool leaves_rows_out() const {
    return on_error != OnError::kFail || values.quarantines();
  }
  bool windowed() const { return window_rows || window_bytes || window_ms; }
};

struct StreamConfig {
  std::string id;
  StreamKind kind = StreamKind::kTable;
  std::string source;
  std::string target;
  std::vector<std::string> tags;
  std::string where;
  std::vector<Filter> filters;  ///< Types are filled in when the source is known.
  std::vector<FieldConfig> fields;
  std::vector<std::string> exclude;       ///< Columns left out.
  std::vector<std::string> json_columns;  ///< Columns whose text is JSON.
  ExtractConfig extract;
  LoadConfig load;
  SchemaContract contract;
  Mark mark;
  /// Where each key was written, by path below the stream ("load.mode").
  std::map<std::string, Mark> marks;
};

/// What becomes of a run that a schedule or an upstream run wants while another one of
/// its pipeline runs or waits.
enum class Overlap : uint8_t {
  kSkip,            ///< It is not made.
  kQueue,           ///< It waits; with one waiting already, it is not made.
  kCancelPrevious,  ///< The others are cancelled, then it starts.
};
std::string_view OverlapName(Overlap overlap);

struct RuntimeConfig {
  std::optional<int> parallelism;
  int retries = 3;        ///< Of each stream.
  int retry_budget = 20;  ///< Of all streams of a run together.
  int64_t memory_limit = 512LL << 20;
  Overlap overlap = Overlap::kQueue;
  bool fail_interrupted = false;      ///< on_interrupt: fail
  std::optional<int64_t> timeout_ms;  ///< Of a run, from its start on.
  int priority = 0;
};

/// What an alert tells of.
enum class AlertEvent : uint8_t {
  kFailed,
  kPartial,
  kGuard,
  kMissed,  ///< A tick of a schedule made no run.
  kStale    ///< The pipeline has not succeeded for too long.
};
std::string_view AlertEventName(AlertEvent event);
/// What is told where a rule does not say: whatever goes wrong with a run.
std::vector<AlertEvent> DefaultAlertEvents();

/// One entry of `alerts:`.
struct AlertRule {
  std::string webhook;  ///< A secret.
  std::vector<AlertEvent> on = DefaultAlertEvents();
  /// For kStale; unset = the pipeline's schedules say.
  std::optional<int64_t> stale_after_ms;

  bool Wants(AlertEvent event) const;
};

struct ProjectDocument {
  std::string path;  ///< "" when the pipeline stands alone.
  std::string name = "default";
  std::map<std::string, Connection> connections;
  BufferConfig buffer;
  std::optional<std::string> buffer_format_set;
  ConfigValue defaults;  ///< defaults.extract, defaults.load as written.
  std::string log_level, log_format, log_file;
  std::vector<AlertRule> alerts;
};

struct PipelineDocument {
  std::string path;
  std::string name;  ///< `name`, else the file's stem.
  std::string description;
  ProjectDocument project;
  Connection source, target;
  BufferConfig buffer;
  RuntimeConfig runtime;
  bool guarantee_required = false;
  std::vector<StreamConfig> streams;
  std::vector<AlertRule> alerts;  ///< Its own, beside those of the project.
  /// `--var name=value` and `${NAME}` values that were used, for `{{ var.x }}` in SQL.
  std::map<std::string, std::string> variables;
  std::string text_hash;  ///< Of the unresolved text.
};

/// Everything wrong with the documents, and the documents if no error is among it.
struct ParsedDocuments {
  std::vector<Problem> problems;
  std::optional<PipelineDocument> pipeline;
  std::optional<ProjectDocument> project;
  /// Values of secret options, and of the variables in them, for the redactor.
  std::vector<std::string> secrets;
  /// Of the pipeline, then of the project: whatever could be read of them, errors
  /// elsewhere or not.
  std::vector<AlertRule> alerts;
  bool ok() const;
};

struct DocumentInputs {
  std::optional<DocumentText> project;
  std::optional<DocumentText> pipeline;
  /// Values for ${NAME}: what the client's environment and .env hold of the names used.
  std::map<std::string, std::string> variables;
  /// Values for `{{ var.x }}` in SQL: `--var x=…`.
  std::map<std::string, std::string> sql_variables;
  bool strict = false;  ///< Warnings about literal secrets become errors.
};

/// Parses, substitutes and checks; reports every problem at once, in document order.
/// Limits: no aliases, depth <= 64, <= 20,000 nodes, <= 1 MiB, no duplicate keys.
ParsedDocuments ParseDocuments(const DocumentInputs& inputs,
                               const ConnectorRegistry& registry);

/// A problem list as one failed status (kConfig "document.invalid"), for where one is
/// wanted.
arrow::Status ProblemsToStatus(const std::vector<Problem>& problems);

/// "file:line:column: error: path: message (suggestion)"
std::string FormatProblem(const Problem& problem);

/// Turns a connection name or inline string into a Connection.
arrow::Result<Connection> ResolveConnection(const ProjectDocument& project,
                                            const std::string& name_or_url,
                                            const ConnectorRegistry& registry);

enum class DocumentKind : uint8_t { kProject, kPipeline };
/// Draft-07 JSON Schema, generated from the same tables that ParseDocuments checks with.
std::string DocumentJsonSchema(DocumentKind kind, const ConnectorRegistry& registry);

}  // namespace dxt
