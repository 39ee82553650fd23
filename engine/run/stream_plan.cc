#include "engine/run/stream_plan.h"

#include <algorithm>

#include "base/error.h"
#include "connectors/sdk/cursor.h"

namespace dxt {
namespace {

ConnectorContext ContextFor(const RunContext& context, const RuntimeConfig* runtime) {
  ConnectorContext lent;
  lent.clock = context.clock;
  lent.scratch_dir = context.state_dir / "tmp";
  lent.threads = std::max(1, context.worker_threads);
  if (runtime) lent.memory_limit = runtime->memory_limit / 4;
  return lent;
}

arrow::Status Unsupported(std::string_view code, std::string message, std::string hint) {
  return MakeError(ErrorClass::kUnsupported, code, std::move(message), std::move(hint));
}

ConfigValue Scalar(std::string text) {
  ConfigValue value;
  value.kind = ConfigValue::Kind::kScalar;
  value.scalar = std::move(text);
  value.quoted = true;
  return value;
}

Capability NeededFor(LoadMode mode) {
  switch (mode) {
    case LoadMode::kAppend:
      return Capability::kAppend;
    case LoadMode::kReplace:
      return Capability::kReplace;
    case LoadMode::kUpsert:
    case LoadMode::kInsertOnly:
      return Capability::kUpsert;
    case LoadMode::kMirror:
    case LoadMode::kDeleteInsert:
      return Capability::kDelete;
  }
  return Capability::kAppend;
}

class Preparer {
 public:
  Preparer(const PipelineDocument& pipeline, const StreamConfig& config,
           const RunOptions& options, const RunContext& context, std::stop_token stop)
      : pipeline_(pipeline),
        options_(options),
        context_(context),
        stop_(stop),
        out_(std::make_unique<PreparedStream>()) {
    out_->config = config;
    out_->target_connection = &pipeline.target;
    out_->mode = config.load.mode;
    if (Refreshed()) out_->mode = LoadMode::kReplace;
    out_->accept_shrink = options.accept_shrink;
    out_->identity.pipeline = pipeline.project.name + "/" + pipeline.name;
    out_->identity.stream = config.id;
    out_->identity.target = config.target;
    out_->identity.fingerprint = Fingerprint(pipeline, config);
    if (options.backfill) out_->identity.lane = options.backfill->Lane();
    out_->source_can = pipeline.source.connector->info().capabilities;
    out_->target_can = pipeline.target.connector->info().capabilities;
  }

  arrow::Result<std::unique_ptr<PreparedStream>> FromSource() {
    ARROW_RETURN_NOT_OK(CheckCapabilities());
    ARROW_RETURN_NOT_OK(OpenTarget());
    ARROW_ASSIGN_OR_RAISE(out_->source, OpenEnd(pipeline_.source));
    StreamRef ref{out_->config.kind, out_->config.source, out_->config.extract.options};
    DeclareTypes(&ref);
    ARROW_ASSIGN_OR_RAISE(out_->info, out_->source->Describe(ref, stop_));
    if (out_->info.kind == StreamKind::kTable) out_->info.kind = out_->config.kind;
    if (out_->info.columns.fields.empty() && !out_->source_can.Has(Capability::kSql)) {
      ARROW_RETURN_NOT_OK(TakeWantedColumns());
    }
    const auto expressions = ExpressionsOf(out_->config);
    std::vector<Field> typed;
    if (!expressions.empty()) {
      ARROW_ASSIGN_OR_RAISE(typed,
                            out_->source->DescribeExpressions(ref, expressions, stop_));
    }
    ARROW_ASSIGN_OR_RAISE(out_->columns, ResolveColumns(out_->config, out_->info, typed));
    ARROW_RETURN_NOT_OK(CheckSameTable());
    ARROW_RETURN_NOT_OK(PlanTarget());
    ARROW_RETURN_NOT_OK(CheckShared());
    ARROW_RETURN_NOT_OK(ChooseBuffer());
    ChooseRaw();
    ARROW_RETURN_NOT_OK(FillReadSpec(std::move(ref)));
    ARROW_RETURN_NOT_OK(DecideCursor());
    return std::move(out_);
  }

  arrow::Result<std::unique_ptr<PreparedStream>> FromPackage(
      const StreamSchema& package) {
    ARROW_RETURN_NOT_OK(OpenTarget());
    out_->info.columns = package;
    out_->info.reference = "the package of stream '" + out_->config.id + "'";
    // The package holds fields by id; only the target half of the field list still
    // applies.
    StreamConfig config = out_->config;
    config.exclude.clear();
    config.extract.incremental = false;
    config.fields.clear();
    for (const auto& field : package.fields) {
      FieldConfig entry;
      entry.id = field.name;
      for (const auto& written : out_->config.fields) {
        if (written.id != field.name) continue;
        entry.target_name = written.target_name;
        entry.target_native = written.target_native;
        entry.nullable = written.nullable;
        entry.target_nullable = written.target_nullable;
      }
      config.fields.push_back(std::move(entry));
    }
    ARROW_ASSIGN_OR_RAISE(out_->columns, ResolveColumns(config, out_->info, {}));
    const PlannedColumn* cursor = out_->Column(CursorId());
    if (cursor) out_->columns.cursor_target = cursor->wanted.name;
    ARROW_RETURN_NOT_OK(PlanTarget());
    ARROW_RETURN_NOT_OK(CheckShared());
    out_->raw.assign(out_->columns.columns.size(), false);
    return std::move(out_);
  }

 private:
  /// The field that the watermark field is loaded as; "" = none is known.
  std::string CursorId() const {
    if (!out_->config.extract.incremental) return "";
    const std::string& wanted = out_->config.extract.watermark_field;
    for (const auto& field : out_->config.fields) {
      if (field.id == wanted) return wanted;
    }
    for (const auto& field : out_->config.fields) {
      if (field.target_name == wanted || field.source_column == wanted) return field.id;
    }
    return wanted;
  }

  bool Refreshed() const {
    if (!options_.full_refresh) return false;
    const auto& only = options_.full_refresh_streams;
    return only.empty() ||
           std::find(only.begin(), only.end(), out_->config.id) != only.end();
  }

  arrow::Result<std::unique_ptr<Source>> OpenEnd(const Connection& connection) {
    return connection.connector->OpenSource(
        connection.config, ContextFor(context_, &pipeline_.runtime), stop_);
  }

  arrow::Status OpenTarget() {
    ARROW_ASSIGN_OR_RAISE(
        out_->destination,
        pipeline_.target.connector->OpenDestination(
            pipeline_.target.config, ContextFor(context_, &pipeline_.runtime), stop_));
    ARROW_ASSIGN_OR_RAISE(out_->target,
                          out_->destination->Describe(out_->config.target, stop_));
    return arrow::Status::OK();
  }

  arrow::Status CheckCapabilities() const {
    const StreamConfig& config = out_->config;
    const std::string source(pipeline_.source.connector->info().name);
    const std::string target(pipeline_.target.connector->info().name);
    if (!out_->source_can.Has(Capability::kRead)) {
      return Unsupported("plan.not_a_source", source + " cannot be read from", "");
    }
    if (config.kind == StreamKind::kApi) {
      return Unsupported("plan.no_api",
                         "Stream '" + config.id +
                             "' is of kind api, which "
                             "needs an API connector; " +
                             source + " is none",
                         "dxtctl connectors lists what each connector can do");
    }
    const bool sql = out_->source_can.Has(Capability::kSql);
    if (!sql && config.kind == StreamKind::kQuery) {
      return Unsupported(
          "plan.no_sql",
          "Stream '" + config.id + "' is of kind query, but " + source + " has no SQL",
          "Use kind: file or table");
    }
    if (!sql && !config.where.empty()) {
      return Unsupported(
          "plan.no_sql",
          "Stream '" + config.id + "' has criteria.where, but " + source + " has no SQL",
          "Use `filters`, which work everywhere");
    }
    if (!out_->target_can.Has(NeededFor(out_->mode))) {
      return Unsupported("plan.mode_unsupported",
                         "Stream '" + config.id + "' wants load.mode " +
                             std::string(LoadModeName(out_->mode)) + ", which " + target +
                             " cannot do: it has no keys to find a row by",
                         "Use append or replace, or another target");
    }
    if (pipeline_.guarantee_required &&
        pipeline_.target.connector->info().guarantee == Guarantee::kAtLeastOnce) {
      return Unsupported("plan.guarantee", target + " can only promise at_least_once",
                         "Remove `guarantee: required`, or load into another target");
    }
    if (options_.limit && out_->mode == LoadMode::kMirror) {
      return MakeError(ErrorClass::kConfig, "plan.partial_mirror",
                       "--limit with load.mode mirror would delete the rows of stream '" +
                           config.id + "' that it leaves out",
                       "Try it with dxtctl preview, or with mode: upsert");
    }
    const bool partial = out_->config.load.partial_replace;
    if (options_.limit && out_->mode == LoadMode::kReplace && !partial) {
      return MakeError(ErrorClass::kConfig, "plan.partial_replace",
                       "--limit with load.mode replace would leave stream '" + config.id +
                           "' with a part of its rows only",
                       "Write load.partial_replace: true if that is meant");
    }
    return arrow::Status::OK();
  }

  /// Text files have no types of their own: an existing target's are the schema
  /// (contracts 2.6), and a field of bytes stands there as base64, which only its reader
  /// decodes.
  void DeclareTypes(StreamRef* ref) const {
    const bool untyped =
        ref->kind == StreamKind::kFile || !out_->source_can.Has(Capability::kSql);
    if (!untyped) return;
    ConfigValue columns;
    columns.kind = ConfigValue::Kind::kMap;
    const ConfigValue* written = ref->options.Get("columns");
    if (written) columns = *written;
    for (const auto& field : out_->config.fields) {
      if (!field.type || field.type->dtype != DType::kBinary) continue;
      const std::string& source =
          field.source_column.empty() ? field.id : field.source_column;
      if (!columns.Get(source)) columns.map.emplace_back(source, Scalar("binary"));
    }
    const bool appended = out_->target.exists && out_->mode != LoadMode::kReplace;
    if (appended && !written) DeclareTargetTypes(&columns);
    if (columns.map.empty()) return;
    if (ref->options.kind != ConfigValue::Kind::kMap) {
      ref->options = {};
      ref->options.kind = ConfigValue::Kind::kMap;
    }
    std::erase_if(ref->options.map,
                  [](const auto& entry) { return entry.first == "columns"; });
    ref->options.map.emplace_back("columns", std::move(columns));
  }

  void DeclareTargetTypes(ConfigValue* columns) const {
    for (const auto& column : out_->target.columns) {
      std::string source = column.name;
      for (const auto& field : out_->config.fields) {
        const std::string& name =
            field.target_name.empty() ? field.id : field.target_name;
        if (name == column.name && field.id != "*")
          source = field.source_column.empty() ? field.id : field.source_column;
      }
      if (columns->Get(source)) continue;
      columns->map.emplace_back(source, Scalar(ToString(column.domain.deliver)));
    }
  }

  /// A file without a byte in it names no column: the stream's fields are what it would
  /// have, else the target's columns. Its readers yield no row.
  arrow::Status TakeWantedColumns() {
    auto& columns = out_->info.columns.fields;
    for (const auto& field : out_->config.fields) {
      if (field.generated || !field.source_expression.empty() || field.id == "*")
        continue;
      const std::string& name =
          field.source_column.empty() ? field.id : field.source_column;
      columns.push_back({name, field.type.value_or(FieldType()), true, {}});
    }
    if (columns.empty()) {
      for (const auto& column : out_->target.columns) {
        if (column.generated) continue;
        columns.push_back({column.name, column.domain.deliver, true, {}});
      }
    }
    if (!columns.empty()) return arrow::Status::OK();
    return MakeError(ErrorClass::kConfig, "plan.empty_source",
                     "Stream '" + out_->config.id + "' reads " + out_->info.reference +
                         ", which is empty and names no column, and the target does not "
                         "exist yet",
                     "List the columns with their dtypes in `fields`: then an empty file "
                     "is a stream without rows");
  }

  bool SameSystem() const {
    const auto& source = pipeline_.source;
    const auto& target = pipeline_.target;
    return source.connector == target.connector &&
           source.connector->Identity(source.config) ==
               target.connector->Identity(target.config);
  }

  arrow::Status CheckSameTable() const {
    if (!SameSystem() || !out_->target.exists) return arrow::Status::OK();
    if (out_->info.reference != out_->target.reference) return arrow::Status::OK();
    return MakeError(ErrorClass::kConfig, "plan.same_table",
                     "Stream '" + out_->config.id + "' reads and writes the same table " +
                         out_->target.reference,
                     "Name another target");
  }

  arrow::Status PlanTarget() {
    out_->table = WantedTable(out_->config, out_->columns, out_->info, out_->mode);
    ARROW_ASSIGN_OR_RAISE(out_->last, out_->destination->Peek(out_->identity, stop_));
    if (out_->mode == LoadMode::kMirror) ARROW_RETURN_NOT_OK(DecideMirror());
    ARROW_ASSIGN_OR_RAISE(out_->table_plan,
                          out_->destination->PlanTable(out_->table, out_->target));
    ARROW_ASSIGN_OR_RAISE(out_->fits, JudgeColumns(out_->columns, out_->table_plan));
    return arrow::Status::OK();
  }

  /// Whether the newest load of this stream left the target that stands there now.
  bool LoadedLast() const {
    return out_->last && out_->target.exists &&
           out_->last->fingerprint == out_->identity.fingerprint &&
           (out_->last->target_ident == out_->target.ident ||
            out_->last->target_ident.empty());
  }

  /// Contracts 3.7: nobody's rows are deleted from a table that dxt did not make, unless
  /// the document says so.
  arrow::Status DecideMirror() {
    MirrorSpec& mirror = out_->table.mirror;
    const std::string& soft = mirror.soft_delete_column;
    for (const auto& column : out_->table.columns) {
      if (soft.empty() || column.name != soft) continue;
      return MakeError(ErrorClass::kConfig, "plan.soft_delete_column",
                       "Stream '" + out_->config.id + "' has a field for the column '" +
                           soft + "', which soft deletes set",
                       "Leave the field out with `exclude`, or name another "
                       "load.mirror.soft_delete_column");
    }
    if (mirror.scope != MirrorScope::kUnset) return arrow::Status::OK();
    mirror.scope = MirrorScope::kDestination;
    const bool whole =
        LoadedLast() && (out_->last->mode == LoadModeName(LoadMode::kMirror) ||
                         out_->last->mode == LoadModeName(LoadMode::kReplace));
    if (!out_->target.exists || whole) return arrow::Status::OK();
    return MakeError(ErrorClass::kConfig, "plan.mirror_scope",
                     "Stream '" + out_->config.id + "' mirrors into " +
                         out_->target.reference +
                         ", which dxt did not make: it may hold rows of others",
                     "Write load.mirror.scope: tracked to delete only rows that this "
                     "stream loaded, or destination to delete every row that the source "
                     "does not have");
  }

  /// Contracts 4.1: what another pipeline loads is not this one's to take away.
  arrow::Status CheckShared() {
    if (!IsWhole(out_->mode) || !out_->target.exists || out_->config.load.shared_target)
      return arrow::Status::OK();
    ARROW_ASSIGN_OR_RAISE(const bool shared,
                          out_->destination->SharedTarget(out_->identity, stop_));
    if (!shared) return arrow::Status::OK();
    return MakeError(ErrorClass::kConfig, "plan.shared_target",
                     "Stream '" + out_->config.id + "' would take away from " +
                         out_->target.reference + " what another pipeline loaded there",
                     "Write load.shared_target: true if that is meant, or load into "
                     "another target");
  }

  arrow::Status ChooseBuffer() {
    const BufferConfig& buffer = pipeline_.buffer;
    const bool asked = options_.phase == RunOptions::Phase::kExtract || options_.persist;
    if (asked && buffer.format == BufferFormat::kMemory) {
      return MakeError(ErrorClass::kConfig, "buffer.memory_persist",
                       "A memory buffer keeps no package to load later",
                       "Set buffer.format to parquet, or leave it out");
    }
    const bool package =
        options_.phase != RunOptions::Phase::kRun || options_.persist || buffer.persist;
    switch (buffer.format) {
      case BufferFormat::kAuto:
        out_->staged = package || !out_->target_can.Has(Capability::kAtomicCommit) ||
                       !out_->source_can.Has(Capability::kReadAgain) ||
                       (SameSystem() && out_->source_can.Has(Capability::kEmbedded));
        break;
      case BufferFormat::kMemory:
        out_->staged = package;
        break;
      default:
        out_->staged = true;
        out_->buffer = buffer.format;
    }
    return arrow::Status::OK();
  }

  void ChooseRaw() {
    out_->raw.assign(out_->columns.columns.size(), false);
    const bool possible = !out_->staged &&
                          pipeline_.source.connector == pipeline_.target.connector &&
                          out_->source_can.Has(Capability::kRawValues);
    if (!possible) return;
    for (size_t i = 0; i < out_->columns.columns.size(); ++i) {
      const PlannedColumn& column = out_->columns.columns[i];
      const auto& keys = out_->columns.key_ids;
      const bool key = std::find(keys.begin(), keys.end(), column.id) != keys.end();
      if (column.read_index < 0 || !(column.field.type == column.source.type) || key ||
          column.read_index == out_->columns.cursor_read ||
          !out_->table_plan.columns[i].accepts_raw) {
        continue;
      }
      out_->raw[i] = true;
      out_->columns.reads[column.read_index].raw = true;
    }
  }

  arrow::Status FillReadSpec(StreamRef ref) {
    ReadSpec& read = out_->read;
    read.ref = std::move(ref);
    read.columns = out_->columns.reads;
    read.where = out_->config.where;
    read.filters = out_->config.filters;
    ARROW_RETURN_NOT_OK(TypeFilters(out_->info, &read.filters));
    read.cursor = out_->columns.cursor;
    read.batch_rows = out_->config.extract.batch_size;
    out_->limit = options_.limit;
    for (const auto& [name, value] : pipeline_.variables) {
      read.variables.emplace_back(name, value);
    }
    return arrow::Status::OK();
  }

  arrow::Status DecideCursor() {
    if (options_.backfill) return DecideRange(*options_.backfill);
    if (!out_->config.extract.incremental) {
      if (out_->last) out_->watermark.stored_before = out_->last->cursor_after;
      // Whether filters run at the source is not known here, so the engine cuts as well.
      if (out_->source_can.Has(Capability::kPushdown)) out_->read.limit = options_.limit;
      return arrow::Status::OK();
    }
    const ColumnPlan& columns = out_->columns;
    WatermarkInputs in;
    in.config = &out_->config;
    in.type = columns.cursor->type;
    in.fingerprint = out_->identity.fingerprint;
    in.has_ledger = out_->target_can.Has(Capability::kLedger);
    in.last = out_->last;
    ARROW_ASSIGN_OR_RAISE(in.stored, context_.journal->LoadCheckpoint(out_->identity));
    ARROW_ASSIGN_OR_RAISE(in.directive, context_.journal->Directive(out_->identity));
    in.target_exists = out_->target.exists;
    in.target_empty = out_->target.empty;
    in.target_ident = out_->target.ident;
    if (!in.last || out_->config.extract.watermark_source == WatermarkSource::kTarget) {
      ARROW_ASSIGN_OR_RAISE(const auto lanes,
                            out_->destination->Lanes(out_->identity, stop_));
      in.backfilled = std::any_of(lanes.begin(), lanes.end(), [](const auto& lane) {
        return RangeOfLane(lane).has_value();
      });
    }
    ARROW_ASSIGN_OR_RAISE(in.shared_target,
                          out_->destination->SharedTarget(out_->identity, stop_));
    for (size_t i = 0; i < columns.columns.size(); ++i) {
      if (columns.columns[i].wanted.name != columns.cursor_target) continue;
      in.cursor_in_target = out_->target.Find(columns.cursor_target) != nullptr;
      in.cursor_exact = out_->fits[i].exactness == Exactness::kExact;
    }
    in.cli_value = options_.cursor_value;
    in.allow_duplicates = options_.allow_duplicates;
    in.full_refresh = Refreshed();
    in.target_max = [&] {
      return out_->destination->MaxCursor(out_->config.target, columns.cursor_target,
                                          columns.cursor->type, stop_);
    };
    ARROW_ASSIGN_OR_RAISE(out_->watermark, DecideWatermark(in));
    return ApplyCursor();
  }

  arrow::Status DecideRange(const RunOptions::Backfill& asked) {
    BackfillInputs in;
    in.config = &out_->config;
    in.mode = out_->mode;
    if (out_->columns.cursor) in.type = out_->columns.cursor->type;
    in.identity = out_->identity;
    in.from = asked.from;
    in.to = asked.to;
    in.allow_duplicates = options_.allow_duplicates;
    const std::string& cursor_target = out_->columns.cursor_target;
    const auto& keys = out_->table.keys;
    in.cursor_loaded = !cursor_target.empty();
    in.cursor_is_key = std::find(keys.begin(), keys.end(), cursor_target) != keys.end();
    in.target_empty = !out_->target.exists || out_->target.empty;
    if (options_.phase != RunOptions::Phase::kRun) {
      return MakeError(ErrorClass::kConfig, "backfill.mode",
                       "--from and --to load what they read, so they cannot be parted",
                       "Use dxtctl run");
    }
    ARROW_ASSIGN_OR_RAISE(const auto lanes,
                          out_->destination->Lanes(out_->identity, stop_));
    for (const auto& name : lanes) {
      if (name == out_->identity.lane || !RangeOfLane(name)) continue;
      ARROW_ASSIGN_OR_RAISE(auto lane, LaneNamed(name));
      in.others.push_back(std::move(lane));
    }
    ARROW_ASSIGN_OR_RAISE(in.own, LaneNamed(out_->identity.lane));
    ARROW_ASSIGN_OR_RAISE(const auto regular, LaneNamed(StreamIdentity().lane));
    if (regular.last && !in.target_empty) in.regular = regular.last->cursor_after;
    ARROW_ASSIGN_OR_RAISE(out_->backfill, DecideBackfill(in));
    const BackfillDecision& range = *out_->backfill;
    WatermarkDecision& watermark = out_->watermark;
    watermark.value = range.begin;
    watermark.inclusive = !range.resumed;
    watermark.source = range.resumed ? "target" : "cli";
    if (out_->last) watermark.stored_before = out_->last->cursor_after;
    if (range.Complete()) {
      watermark.warnings.push_back(
          {"backfill.complete",
           "The whole range was loaded before, and rows that came into it since are not "
           "appended; dxtctl state reset " +
               out_->config.id + " --lane '" + out_->identity.lane +
               "' has it loaded again, after its rows were deleted from the target"});
    }
    if (range.lost) {
      watermark.warnings.push_back(
          {"state.target_missing",
           "The target is " + std::string(out_->target.exists ? "empty" : "gone") +
               " although rows of this range were loaded: it is loaded again"});
    }
    CursorRange& cursor = *out_->read.cursor;
    cursor.lower = range.begin;
    cursor.lower_inclusive = !range.resumed;
    cursor.upper = range.end;
    return OrderRead();
  }

  arrow::Result<Lane> LaneNamed(const std::string& name) {
    StreamIdentity identity = out_->identity;
    identity.lane = name;
    Lane lane;
    lane.name = name;
    ARROW_ASSIGN_OR_RAISE(lane.last, out_->destination->Peek(identity, stop_));
    ARROW_ASSIGN_OR_RAISE(const auto directive, context_.journal->Directive(identity));
    lane.given_up = directive && directive->kind == CursorDirective::Kind::kReset;
    return lane;
  }

  arrow::Status ApplyCursor() {
    CursorRange& cursor = *out_->read.cursor;
    ARROW_RETURN_NOT_OK(out_->BeginAtWatermark());
    cursor.upper = out_->config.extract.end_value;
    cursor.include_null = out_->ReadsNullCursors(!cursor.lower && !NullCursorsLoaded());
    return OrderRead();
  }

  /// What windows and limits need of the order of the rows.
  arrow::Status OrderRead() {
    out_->read.hold_back = out_->config.extract.hold_back;
    const LoadMode mode = out_->mode;
    out_->windowed = out_->config.load.windowed() &&
                     (mode == LoadMode::kAppend || mode == LoadMode::kUpsert);
    if (out_->windowed) {
      if (!out_->source_can.Has(Capability::kPushdown)) {
        return Unsupported("load.window_order",
                           "Windows are cut in the order of the watermark, and stream '" +
                               out_->config.id + "' cannot be read so",
                           "Leave load.window_rows, window_bytes and window_time out");
      }
      out_->read.order_by_cursor = true;
    }
    if (options_.limit) {
      if (!out_->source_can.Has(Capability::kPushdown) ||
          out_->config.kind == StreamKind::kQuery) {
        return Unsupported(
            "plan.limit_unordered",
            "--limit needs rows in the order of the watermark, and stream '" +
                out_->config.id + "' cannot be read so",
            "Leave --limit out, or use extract.mode: full");
      }
      // No LIMIT in the statement: a tie at the end must be finished.
      out_->read.order_by_cursor = true;
    }
    return arrow::Status::OK();
  }

  /// A load that moved no cursor loaded nothing but rows without one.
  bool NullCursorsLoaded() const {
    return !Refreshed() && out_->last && out_->last->cursor_after.empty() &&
           out_->last->fingerprint == out_->identity.fingerprint && out_->target.exists &&
           !out_->target.empty;
  }

  const PipelineDocument& pipeline_;
  const RunOptions& options_;
  const RunContext& context_;
  std::stop_token stop_;
  std::unique_ptr<PreparedStream> out_;
};

}  // namespace

const PlannedColumn* PreparedStream::Column(const std::string& id) const {
  for (const auto& column : columns.columns) {
    if (column.id == id) return &column;
  }
  return nullptr;
}

bool PreparedStream::ReadsNullCursors(bool first) const {
  switch (config.extract.null_cursor) {
    case NullCursor::kAuto:
      return first || IsKeyed(mode);
    case NullCursor::kFirst:
      return first;
    case NullCursor::kAlways:
    case NullCursor::kFail:
      return true;
    case NullCursor::kExclude:
      return false;
  }
  return false;
}

arrow::Status PreparedStream::BeginAtWatermark() {
  CursorRange& cursor = *read.cursor;
  cursor.lower = watermark.value;
  cursor.lower_inclusive = watermark.inclusive;
  const auto& extract = config.extract;
  const bool stored = watermark.source == "target" || watermark.source == "state";
  if (!stored || !watermark.value || (!extract.lag && !extract.lag_ms)) {
    return arrow::Status::OK();
  }
  const bool moment =
      cursor.type.dtype == DType::kTimestamp || cursor.type.dtype == DType::kTimestampTz;
  const bool day = cursor.type.dtype == DType::kDate;
  constexpr int64_t kDayMs = 24LL * 3600 * 1000;
  int64_t distance = extract.lag.value_or(0);
  if (moment) distance = extract.lag_ms.value_or(distance * 1000) * 1000;
  if (day && extract.lag_ms) distance = (*extract.lag_ms + kDayMs - 1) / kDayMs;
  if (!moment && !day && extract.lag_ms) {
    return Unsupported("cursor.no_distance",
                       "extract.lag of stream '" + config.id +
                           "' is a time, but the watermark field '" +
                           extract.watermark_field + "' is " + ToString(cursor.type),
                       "Write a number, in units of the field");
  }
  ARROW_ASSIGN_OR_RAISE(auto from, CursorBelow(*watermark.value, distance, cursor.type));
  if (extract.initial_value) {
    // What lies below was never wanted.
    ARROW_ASSIGN_OR_RAISE(auto first,
                          CanonicalCursor(*extract.initial_value, cursor.type));
    if (CompareCursors(from, first, cursor.type) < 0) from = std::move(first);
    if (CompareCursors(from, *watermark.value, cursor.type) > 0) from = *watermark.value;
  }
  cursor.lower = std::move(from);
  cursor.lower_inclusive = true;
  return arrow::Status::OK();
}

arrow::Status PreparedStream::Replan(std::stop_token stop) {
  if (!table_plan.create && table_plan.ddl.empty()) return arrow::Status::OK();
  ARROW_ASSIGN_OR_RAISE(target, destination->Describe(config.target, stop));
  ARROW_ASSIGN_OR_RAISE(auto plan, destination->PlanTable(table, target));
  bool same = plan.columns.size() == table_plan.columns.size() && !plan.create;
  for (size_t i = 0; same && i < plan.columns.size(); ++i) {
    const auto& before = table_plan.columns[i];
    const auto& now = plan.columns[i];
    same = now.name == before.name && now.domain.deliver == before.domain.deliver &&
           (!raw[i] || now.accepts_raw);
  }
  if (!same) {
    return MakeError(ErrorClass::kTransient, "load.moved",
                     "The target of stream '" + config.id +
                         "' was altered between two windows of one run");
  }
  table_plan = std::move(plan);
  return arrow::Status::OK();
}

std::string PreparedStream::ReadFrom() const {
  return read.cursor ? read.cursor->lower.value_or("") : "";
}

bool PreparedStream::KeepsNewer() const {
  return mode == LoadMode::kUpsert && RangeOfLane(identity.lane).has_value();
}

std::string PreparedStream::LedgerMode() const {
  const bool tracked =
      mode == LoadMode::kMirror && table.mirror.scope == MirrorScope::kTracked;
  return std::string(LoadModeName(mode)) + (tracked ? " tracked" : "");
}

bool PreparedStream::KeysAreTracked() const {
  return last && last->mode == LedgerMode() && target.exists &&
         last->fingerprint == identity.fingerprint && last->target_ident == target.ident;
}

arrow::Status PreparedStream::Reopen(const RunContext& context) {
  destination.reset();
  ARROW_ASSIGN_OR_RAISE(destination, OpenDestination(*target_connection, context, {}));
  return arrow::Status::OK();
}

arrow::Result<std::unique_ptr<Source>> OpenSource(const Connection& connection,
                                                  const RunContext& context,
                                                  std::stop_token stop) {
  return connection.connector->OpenSource(connection.config, ContextFor(context, nullptr),
                                          stop);
}

arrow::Result<std::unique_ptr<Destination>> OpenDestination(const Connection& connection,
                                                            const RunContext& context,
                                                            std::stop_token stop) {
  return connection.connector->OpenDestination(connection.config,
                                               ContextFor(context, nullptr), stop);
}

arrow::Result<std::unique_ptr<PreparedStream>> PrepareStream(
    const PipelineDocument& pipeline, const StreamConfig& config,
    const RunOptions& options, const RunContext& context, std::stop_token stop) {
  return Preparer(pipeline, config, options, context, stop).FromSource();
}

arrow::Result<std::unique_ptr<PreparedStream>> PreparePackage(
    const PipelineDocument& pipeline, const StreamConfig& config,
    const StreamSchema& package, const RunOptions& options, const RunContext& context,
    std::stop_token stop) {
  return Preparer(pipeline, config, options, context, stop).FromPackage(package);
}

}  // namespace dxt
