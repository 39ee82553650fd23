#include "engine/run/stream_plan.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/spelling.h"
#include "connectors/sql/identifier.h"
#include "engine/run/boundary.h"
#include "engine/run/cursor_plan.h"

namespace dxt {
namespace {

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
    case LoadMode::kHistory:
      return Capability::kHistory;
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
    if (Refreshed(options, config.id)) out_->mode = LoadMode::kReplace;
    out_->accept_shrink = options.accept_shrink;
    if (config.load.leaves_rows_out()) {
      out_->rejects = std::make_shared<RejectTally>(config.load, config.id);
    }
    out_->identity.pipeline = pipeline.project.name + "/" + pipeline.name;
    out_->identity.stream = config.id;
    out_->identity.target = config.target;
    if (options.replay) out_->identity.lane = kReplayLane;
    out_->identity.fingerprint = Fingerprint(pipeline, config);
    if (options.backfill) out_->identity.lane = options.backfill->Lane();
    out_->source_can = pipeline.source.connector->info().capabilities;
    out_->target_can = pipeline.target.connector->CapabilitiesOf(pipeline.target.config);
  }

  arrow::Result<std::unique_ptr<PreparedStream>> FromSource() {
    ARROW_RETURN_NOT_OK(CheckCapabilities());
    ARROW_RETURN_NOT_OK(OpenTarget());
    ARROW_ASSIGN_OR_RAISE(out_->source, OpenEnd(pipeline_.source));
    StreamRef ref{out_->config.kind, out_->config.source, out_->config.extract.options,
                  /*tells_bad_records=*/out_->config.load.on_error != OnError::kFail};
    DeclareTypes(&ref);
    ARROW_ASSIGN_OR_RAISE(out_->info, out_->source->Describe(ref, stop_));
    TypeFieldsReadAsText();
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
    if (options_.administrator_sql) return std::move(out_);
    ARROW_RETURN_NOT_OK(CheckShared());
    ARROW_RETURN_NOT_OK(ChooseBuffer());
    ChooseRaw();
    ARROW_RETURN_NOT_OK(FillReadSpec(std::move(ref)));
    ARROW_RETURN_NOT_OK(DecideCursor(*out_, options_, context_, stop_));
    ChooseReaders();
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

  arrow::Result<std::unique_ptr<Source>> OpenEnd(const Connection& connection) {
    return connection.connector->OpenSource(connection.config,
                                            LentTo(context_, &pipeline_.runtime), stop_);
  }

  arrow::Status OpenTarget() {
    ARROW_ASSIGN_OR_RAISE(out_->destination,
                          OpenDestination(pipeline_.target, out_->config, context_,
                                          &pipeline_.runtime, stop_));
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
        pipeline_.target.connector->GuaranteeOf(pipeline_.target.config) ==
            Guarantee::kAtLeastOnce) {
      return Unsupported("plan.guarantee", target + " can only promise at_least_once",
                         "Remove `guarantee: required`, or load into another target");
    }
    ARROW_RETURN_NOT_OK(CheckHistory());
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

  /// What would take versions away that no source can bring again.
  arrow::Status CheckHistory() const {
    const LoadConfig& load = out_->config.load;
    if (load.mode != LoadMode::kHistory) return arrow::Status::OK();
    if (out_->mode == LoadMode::kReplace) {
      return MakeError(ErrorClass::kConfig, "plan.history_refresh",
                       "--full-refresh would replace all versions of stream '" +
                           out_->config.id + "' by one of each row",
                       "Leave it out, or drop the table " + out_->config.target +
                           " if its history is no longer wanted");
    }
    if (!options_.limit || !load.history.closes_unseen) return arrow::Status::OK();
    return MakeError(ErrorClass::kConfig, "plan.partial_history",
                     "--limit with load.mode scd2 would close the versions of the rows "
                     "of stream '" +
                         out_->config.id + "' that it leaves out",
                     "Try it with dxtctl preview, or with load.scd2: {deletes: keep}");
  }

  /// Text files have no types of their own: an existing target's are the schema
  /// (contracts 2.6), a field of bytes stands there as base64, which only its reader
  /// decodes, and what is inferred as a float64 is no longer the decimal or float32 that
  /// is written there.
  void DeclareTypes(StreamRef* ref) {
    const bool untyped =
        ref->kind == StreamKind::kFile || !out_->source_can.Has(Capability::kSql);
    if (!untyped) return;
    ConfigValue columns;
    columns.kind = ConfigValue::Kind::kMap;
    const ConfigValue* written = ref->options.Get("columns");
    if (written) columns = *written;
    for (const auto& field : out_->config.fields) {
      const auto dtype = field.type ? field.type->dtype : DType::kString;
      const bool number = dtype == DType::kDecimal || dtype == DType::kFloat32;
      if (dtype != DType::kBinary && !number) continue;
      const std::string& source =
          field.source_column.empty() ? field.id : field.source_column;
      if (columns.Get(source)) continue;
      columns.map.emplace_back(source, Scalar(number ? "string" : "binary"));
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

  void DeclareTargetTypes(ConfigValue* columns) {
    for (const auto& column : out_->target.columns) {
      std::string source = column.name;
      for (const auto& field : out_->config.fields) {
        const std::string& name =
            field.target_name.empty() ? field.id : field.target_name;
        if (name == column.name && field.id != "*")
          source = field.source_column.empty() ? field.id : field.source_column;
      }
      if (columns->Get(source)) continue;
      FieldType type = column.domain.deliver;
      // A reader of text stops at the first cell that is not of its type; rows can be
      // left out where the engine converts them.
      if ((out_->rejects || out_->config.load.values.any()) && IsReadAsText(type)) {
        read_as_text_.emplace_back(source, type);
        type = FieldType{DType::kString};
      }
      columns->map.emplace_back(source, Scalar(ToString(type)));
    }
  }

  void TypeFieldsReadAsText() {
    auto& fields = out_->config.fields;
    const auto rest = [&] {
      return std::find_if(fields.begin(), fields.end(),
                          [](const auto& field) { return field.id == "*"; });
    };
    const auto& exclude = out_->config.exclude;
    if (fields.empty() && !read_as_text_.empty()) fields.emplace_back().id = "*";
    for (const auto& [source, type] : read_as_text_) {
      const auto found =
          std::find_if(fields.begin(), fields.end(), [&](const FieldConfig& field) {
            return (field.source_column.empty() ? field.id : field.source_column) ==
                   source;
          });
      if (found != fields.end()) {
        if (!found->type && !found->generated) found->type = type;
        continue;
      }
      if (rest() == fields.end() || !out_->info.columns.Find(source) ||
          std::find(exclude.begin(), exclude.end(), source) != exclude.end()) {
        continue;
      }
      FieldConfig field;
      field.id = source;
      field.type = type;
      fields.insert(rest(), std::move(field));
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

  bool SameReference() const {
    const auto source = sql::SplitReference(out_->info.reference);
    const auto target = sql::SplitReference(out_->target.reference);
    if (!source.ok() || !target.ok())
      return out_->info.reference == out_->target.reference;
    return *source == *target;
  }

  arrow::Status CheckSameTable() const {
    if (!out_->target.exists) return arrow::Status::OK();
    const auto& files = out_->info.files;
    const std::string& file = out_->target.file;
    const bool same_file =
        !file.empty() && std::any_of(files.begin(), files.end(), [&](const auto& read) {
          return read == file || read.starts_with(file + "/");
        });
    if (!same_file && !(file.empty() && SameSystem() && SameReference())) {
      return arrow::Status::OK();
    }
    return MakeError(ErrorClass::kConfig, "plan.same_table",
                     "Stream '" + out_->config.id + "' reads and writes the same " +
                         (same_file ? "file " : "table ") + out_->target.reference +
                         ", so each run would load what the last one wrote",
                     "Name another target");
  }

  arrow::Status PlanTarget() {
    out_->table = WantedTable(out_->config, out_->columns, out_->info, out_->mode);
    if (options_.administrator_sql) return PlanRights();
    ARROW_ASSIGN_OR_RAISE(out_->last, NewestLoad(*out_, out_->identity, context_, stop_));
    ARROW_RETURN_NOT_OK(CheckTimeColumns());
    if (out_->mode == LoadMode::kMirror) ARROW_RETURN_NOT_OK(DecideMirror());
    if (out_->Whole()) ARROW_RETURN_NOT_OK(CheckClosing());
    ARROW_ASSIGN_OR_RAISE(out_->table_plan,
                          out_->destination->PlanTable(out_->table, out_->target));
    ARROW_ASSIGN_OR_RAISE(out_->fits, JudgeColumns(out_->columns, out_->table_plan));
    return arrow::Status::OK();
  }

  /// What is planned before the role may look at the ledger.
  arrow::Status PlanRights() {
    ARROW_ASSIGN_OR_RAISE(out_->table_plan,
                          out_->destination->PlanTable(out_->table, out_->target));
    ARROW_ASSIGN_OR_RAISE(out_->fits, JudgeColumns(out_->columns, out_->table_plan));
    return arrow::Status::OK();
  }

  arrow::Status CheckTimeColumns() const {
    for (const auto& time : out_->table.TimeColumns()) {
      for (const auto& column : out_->table.columns) {
        if (MatchName({column.name}, time.name) < 0) continue;
        return MakeError(
            ErrorClass::kConfig, "plan.time_column",
            "Stream '" + out_->config.id + "' has a field for the column '" + time.name +
                "', in which the load itself sets times",
            "Leave the field out with `exclude`, or name another " + time.key);
      }
    }
    return arrow::Status::OK();
  }

  /// Nobody's versions are closed in a table that dxt did not fill, unless the document
  /// says so.
  arrow::Status CheckClosing() const {
    if (!out_->table.history.closes_unseen || !out_->target.exists ||
        out_->target.empty || out_->config.marks.contains("load.scd2.deletes")) {
      return arrow::Status::OK();
    }
    if (out_->LoadedLast() && out_->last->mode == LoadModeName(LoadMode::kHistory)) {
      return arrow::Status::OK();
    }
    if (LoadedOtherwise(LoadMode::kHistory)) {
      return Changed("would close the versions of rows that it does not bring any more",
                     "Write load.scd2.deletes: close if that is meant, or keep to close "
                     "none of them");
    }
    return MakeError(
        ErrorClass::kConfig, "plan.history_scope",
        "Stream '" + out_->config.id + "' keeps versions in " + out_->target.reference +
            ", which it did not fill: it may hold rows of others",
        "Write load.scd2.deletes: close to close every version whose row the "
        "source does not have, or keep to close none of them");
  }

  /// Whether this stream made what stands in the target, by this mode, when it read or
  /// wrote something else.
  bool LoadedOtherwise(LoadMode mode) const {
    return out_->last && out_->target.exists &&
           out_->last->fingerprint != out_->identity.fingerprint &&
           (out_->last->target_ident.empty() ||
            out_->last->target_ident == out_->target.ident) &&
           out_->last->mode.starts_with(LoadModeName(mode));
  }

  arrow::Status Changed(const std::string& danger, std::string hint) const {
    return MakeError(ErrorClass::kConfig, "state.changed",
                     "Stream '" + out_->config.id + "' loaded " + out_->target.reference +
                         " with another source connection, source, watermark field, "
                         "target or keys than it has now, and " +
                         danger,
                     std::move(hint));
  }

  /// Contracts 3.7: nobody's rows are deleted from a table that dxt did not make, unless
  /// the document says so.
  arrow::Status DecideMirror() {
    MirrorSpec& mirror = out_->table.mirror;
    if (mirror.scope != MirrorScope::kUnset) return arrow::Status::OK();
    mirror.scope = MirrorScope::kDestination;
    const bool whole =
        out_->LoadedLast() && (out_->last->mode == LoadModeName(LoadMode::kMirror) ||
                               out_->last->mode == LoadModeName(LoadMode::kReplace));
    if (!out_->target.exists || whole) return arrow::Status::OK();
    if (LoadedOtherwise(LoadMode::kMirror) || LoadedOtherwise(LoadMode::kReplace)) {
      return Changed("would delete the rows that it does not bring any more",
                     "dxtctl run with --full-refresh " + out_->config.id +
                         " replaces them all by what the stream brings now, and "
                         "load.mirror.scope: destination deletes those that it does not");
    }
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
    if (!out_->Whole() || !out_->target.exists || out_->config.load.shared_target)
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
    // What is not decoded can be neither checked nor set aside, nor compared.
    const bool possible = !out_->staged && !out_->rejects && !options_.diff &&
                          !options_.verify &&
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

  /// What asks for the order of the cursor, or only for a small part of the table, is
  /// read by one.
  void ChooseReaders() {
    const ReadSpec& read = out_->read;
    const bool whole = !out_->windowed && !read.order_by_cursor && !out_->limit &&
                       !(read.cursor && read.cursor->lower) && !NeedsBoundaryKeys(*out_);
    // Of equal keys the last row wins: packages and such targets keep the rows' places.
    const bool placed = out_->staged || out_->target_can.Has(Capability::kManyWriters);
    if (!whole || !out_->source_can.Has(Capability::kSplit) ||
        (IsKeyed(out_->mode) && !placed)) {
      return;
    }
    const auto& asked = out_->config.extract.readers;
    if (asked) {
      out_->readers = std::min(*asked, context_.stream_readers);
      return;
    }
    // Several pay where reading is the slower half, and the order of rows is nobody's.
    constexpr int kMostUnasked = 4;
    constexpr int64_t kSmallestUnasked = 32 << 20;
    const bool database = out_->target_can.Has(Capability::kManyWriters) ||
                          out_->target_can.Has(Capability::kEmbedded);
    if (!out_->source_can.Has(Capability::kPushdown) || (database && !out_->staged)) {
      return;
    }
    out_->readers = std::min(kMostUnasked, context_.stream_readers);
    out_->read.split_bytes = kSmallestUnasked;
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

  const PipelineDocument& pipeline_;
  const RunOptions& options_;
  const RunContext& context_;
  std::stop_token stop_;
  std::unique_ptr<PreparedStream> out_;
  /// Columns of text files that rows may be left out for, and what they hold.
  std::vector<std::pair<std::string, FieldType>> read_as_text_;
};

}  // namespace

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
