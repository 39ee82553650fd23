#include <algorithm>
#include <charconv>
#include <regex>

#include "base/error.h"
#include "connectors/sdk/cursor.h"
#include "engine/plan/compile.h"

namespace dxt {
namespace {

using Kind = ConfigValue::Kind;

/// One stream while it is compiled: its tree with the defaults below it.
struct Draft {
  const ConfigValue& own;     ///< As the stream says it.
  const ConfigValue& merged;  ///< With the defaults.
  const std::string& path;
  CompileContext& context;

  const ConfigValue* Get(const char* section, const char* key) const {
    const ConfigValue* block = merged.Get(section);
    return IsSet(block) ? block->Get(key) : nullptr;
  }
  std::string Text(const char* section, const char* key) const {
    const ConfigValue* value = Get(section, key);
    return value && value->kind == Kind::kScalar ? value->scalar : std::string();
  }
  bool Flag(const char* section, const char* key) const {
    return ParseBoolean(Text(section, key)).value_or(false);
  }
  /// Where to point at: the key, else its section, else the stream.
  Mark MarkOf(const char* section, const char* key) const {
    const ConfigValue* value = Get(section, key);
    if (value) return value->mark;
    const ConfigValue* block = merged.Get(section);
    return IsSet(block) && block->mark.line > 0 ? block->mark : merged.mark;
  }
  void Error(const char* section, const char* key, std::string code, std::string message,
             std::string suggestion = {}) const {
    context.problems.Error(MarkOf(section, key), path + "." + section + "." + key,
                           std::move(code), std::move(message), std::move(suggestion));
  }
  void Warn(const char* section, const char* key, std::string code, std::string message,
            std::string suggestion = {}) const {
    context.problems.Warn(MarkOf(section, key), path + "." + section + "." + key,
                          std::move(code), std::move(message), std::move(suggestion));
  }
};

StreamKind KindNamed(const std::string& name) {
  if (name == "view") return StreamKind::kView;
  if (name == "query") return StreamKind::kQuery;
  if (name == "file") return StreamKind::kFile;
  if (name == "api") return StreamKind::kApi;
  return StreamKind::kTable;
}

std::optional<DType> TypeOfWatermark(const std::string& name) {
  if (name == "integer" || name == "int") return DType::kInt64;
  return ParseDType(name);
}

void RecordMarks(const ConfigValue& value, const std::string& path,
                 std::map<std::string, Mark>& marks) {
  if (!path.empty()) marks.emplace(path, value.mark);
  for (size_t i = 0; i < value.list.size(); ++i) {
    RecordMarks(value.list[i], path + "[" + std::to_string(i) + "]", marks);
  }
  for (const auto& [key, item] : value.map) {
    RecordMarks(item, path.empty() ? key : path + "." + key, marks);
  }
}

std::vector<Filter> ReadFilters(const ConfigValue* list, const std::string& path,
                                CompileContext& context) {
  static const std::map<std::string, FilterOp> kOps = {
      {"eq", FilterOp::kEq},   {"ne", FilterOp::kNe},       {"gt", FilterOp::kGt},
      {"gte", FilterOp::kGte}, {"lt", FilterOp::kLt},       {"lte", FilterOp::kLte},
      {"in", FilterOp::kIn},   {"not_in", FilterOp::kNotIn}};
  std::vector<Filter> filters;
  if (!IsSet(list)) return filters;
  for (size_t i = 0; i < list->list.size(); ++i) {
    const ConfigValue& item = list->list[i];
    const auto op = kOps.find(TextAt(item, "op"));
    const ConfigValue* value = item.Get("value");
    if (op == kOps.end() || !IsSet(value)) continue;
    Filter filter;
    filter.column = TextAt(item, "column");
    filter.op = op->second;
    if (value->kind == Kind::kList) {
      filter.values = TextsAt(item, "value");
      if (filter.op != FilterOp::kIn && filter.op != FilterOp::kNotIn) {
        context.problems.Error(
            value->mark, path + "[" + std::to_string(i) + "].value", "filter.list_value",
            "a list of values needs op in or not_in, not " + op->first);
      }
    } else {
      filter.values = {value->scalar};
    }
    filters.push_back(std::move(filter));
  }
  return filters;
}

void ReadExtract(const Draft& draft, StreamConfig& stream) {
  ExtractConfig& extract = stream.extract;
  extract.incremental = draft.Text("extract", "mode") == "incremental";
  if (const auto text = draft.Text("extract", "batch_size"); !text.empty()) {
    extract.batch_size = std::stoll(text);
  }
  if (const auto text = draft.Text("extract", "readers"); !text.empty()) {
    extract.readers = std::stoi(text);
  }
  extract.watermark_field = draft.Text("extract", "watermark_field");
  extract.watermark_type = draft.Text("extract", "watermark_type");
  if (extract.watermark_type == "int") extract.watermark_type = "integer";
  const auto source = draft.Text("extract", "watermark_source");
  if (source == "target") extract.watermark_source = WatermarkSource::kTarget;
  if (source == "state") extract.watermark_source = WatermarkSource::kState;
  extract.inclusive = draft.Text("extract", "boundary") == "inclusive";
  if (IsSet(draft.Get("extract", "initial_value"))) {
    extract.initial_value = draft.Text("extract", "initial_value");
  }
  if (IsSet(draft.Get("extract", "end_value"))) {
    extract.end_value = draft.Text("extract", "end_value");
  }
  const auto null_cursor = draft.Text("extract", "null_cursor");
  if (null_cursor == "first") extract.null_cursor = NullCursor::kFirst;
  if (null_cursor == "always") extract.null_cursor = NullCursor::kAlways;
  if (null_cursor == "exclude") extract.null_cursor = NullCursor::kExclude;
  if (null_cursor == "fail") extract.null_cursor = NullCursor::kFail;
  const auto lag = draft.Text("extract", "lag");
  if (!lag.empty() && lag.find_first_not_of("0123456789") == std::string::npos &&
      lag.size() <= 18) {
    extract.lag = std::stoll(lag);
  } else if (!lag.empty()) {
    extract.lag_ms = ParseDurationMillis(lag);
  }
  extract.hold_back = draft.Text("extract", "horizon") != "off";
  if (const auto text = draft.Text("extract", "horizon_max_hold"); !text.empty()) {
    extract.hold_warn_ms = ParseDurationMillis(text).value_or(extract.hold_warn_ms);
  }
  if (const ConfigValue* options = draft.Get("extract", "options"); IsSet(options)) {
    extract.options = *options;
  }
}

void CheckLag(const Draft& draft, const StreamConfig& stream) {
  const ConfigValue* lag = draft.Get("extract", "lag");
  if (!IsSet(lag)) return;
  if (!stream.extract.lag && !stream.extract.lag_ms) {
    draft.Error("extract", "lag", "extract.bad_lag",
                Shown(*lag) + " is neither a time nor a whole number",
                "write 15m, 2h or, for a field of whole numbers, 1000");
  } else if (!stream.extract.incremental) {
    draft.Error("extract", "lag", "extract.bad_lag",
                "`lag` needs mode: incremental, whose watermark it goes back from");
  } else if (stream.load.mode != LoadMode::kUpsert &&
             stream.load.mode != LoadMode::kInsertOnly &&
             stream.load.mode != LoadMode::kHistory) {
    draft.Error("extract", "lag", "extract.bad_lag",
                "`lag` reads rows again, which load.mode " +
                    std::string(LoadModeName(stream.load.mode)) + " would load twice",
                "use load.mode: upsert, insert_only or scd2 with upsert_keys");
  }
}

void CheckExtract(const Draft& draft, const StreamConfig& stream) {
  const ExtractConfig& extract = stream.extract;
  const ConfigValue* field = draft.Get("extract", "watermark_field");
  if (extract.incremental && !IsSet(field) && !WasRefused(field)) {
    draft.Error("extract", "mode", "extract.watermark_missing",
                "mode: incremental needs `watermark_field`",
                "name the column by which new rows are found");
  }
  const ConfigValue* own = draft.own.Get("extract");
  if (!extract.incremental && !WasRefused(draft.Get("extract", "mode")) && IsSet(own) &&
      IsSet(own->Get("watermark_field")) && !IsKeyed(stream.load.mode)) {
    draft.Warn("extract", "watermark_field", "extract.watermark_unused",
               "`watermark_field` has no effect with mode: full",
               "add mode: incremental, or remove it");
  }
  if (extract.incremental && stream.kind == StreamKind::kQuery &&
      !std::regex_search(stream.source.substr(0, 20000),
                         std::regex(R"(\{\{\s{0,20}cursor\s{0,20}\}\})"))) {
    draft.Warn("extract", "mode", "extract.no_cursor_placeholder",
               "the query is run in full each time and old rows are dropped afterwards",
               "put a predicate with {{ cursor }} into the query");
  }
  std::optional<FieldType> type;
  if (const auto dtype = TypeOfWatermark(extract.watermark_type)) {
    type = FieldType{};
    type->dtype = *dtype;
  }
  for (const auto& config : stream.fields) {
    if (!type && config.id == extract.watermark_field) type = config.type;
  }
  if (!extract.incremental || !type) return;
  for (const char* key : {"initial_value", "end_value"}) {
    const ConfigValue* value = draft.Get("extract", key);
    if (!IsSet(value)) continue;
    const auto cursor = CanonicalCursor(value->scalar, *type);
    if (cursor.ok()) continue;
    draft.Error("extract", key, "extract.bad_cursor",
                Shown(*value) + " is not a value of type " + ToString(*type));
  }
}

LoadMode ModeNamed(const std::string& name) {
  if (name == "replace" || name == "overwrite") return LoadMode::kReplace;
  if (name == "upsert" || name == "merge") return LoadMode::kUpsert;
  if (name == "mirror") return LoadMode::kMirror;
  if (name == "insert_only") return LoadMode::kInsertOnly;
  if (name == "delete_insert") return LoadMode::kDeleteInsert;
  if (name == "scd2") return LoadMode::kHistory;
  return LoadMode::kAppend;
}

MirrorSpec ReadMirror(const ConfigValue& block) {
  MirrorSpec mirror;
  const auto scope = TextAt(block, "scope");
  if (scope == "destination") mirror.scope = MirrorScope::kDestination;
  if (scope == "tracked") mirror.scope = MirrorScope::kTracked;
  if (TextAt(block, "deletes") == "soft") {
    mirror.soft_delete_column = TextAt(block, "soft_delete_column");
    if (mirror.soft_delete_column.empty()) mirror.soft_delete_column = "_dxt_deleted_at";
  }
  return mirror;
}

/// Of a mode scd2, whether the block is written or not.
HistorySpec ReadHistory(const ConfigValue* block, bool incremental) {
  HistorySpec history;
  std::string deletes;
  if (IsSet(block)) {
    history.valid_from = TextAt(*block, "valid_from");
    history.valid_to = TextAt(*block, "valid_to");
    deletes = TextAt(*block, "deletes");
  }
  if (history.valid_from.empty()) history.valid_from = "valid_from";
  if (history.valid_to.empty()) history.valid_to = "valid_to";
  history.closes_unseen = deletes.empty() ? !incremental : deletes == "close";
  return history;
}

void ReadMaxRejected(const Draft& draft, LoadConfig& load) {
  const auto text = draft.Text("load", "max_rejected");
  const char* end = text.data() + text.size();
  if (!text.ends_with('%')) {
    std::from_chars(text.data(), end, load.max_rejected);
    return;
  }
  double percent = 0;
  std::from_chars(text.data(), end, percent);
  if (percent <= 100) load.max_rejected_percent = percent;
}

void ReadLoad(const Draft& draft, StreamConfig& stream) {
  LoadConfig& load = stream.load;
  load.mode = ModeNamed(draft.Text("load", "mode"));
  if (const auto text = draft.Text("load", "batch_size"); !text.empty()) {
    load.batch_size = std::stoll(text);
  }
  if (const ConfigValue* block = draft.merged.Get("load"); IsSet(block)) {
    load.upsert_keys = TextsAt(*block, "upsert_keys");
  }
  const auto strategy = draft.Text("load", "replace_strategy");
  if (strategy == "swap") load.strategy = ReplaceStrategy::kSwap;
  if (strategy == "rewrite" || strategy == "truncate") {
    load.strategy = ReplaceStrategy::kRewrite;
  }
  if (strategy == "recreate") load.strategy = ReplaceStrategy::kRecreate;
  load.dedup_sort = draft.Text("load", "dedup_sort");
  load.duplicate_keys_fail = draft.Text("load", "on_duplicate_key") == "fail";
  load.null_keys_match = draft.Text("load", "null_key") == "match";
  const auto on_error = draft.Text("load", "on_error");
  if (on_error == "skip") load.on_error = OnError::kSkip;
  if (on_error == "dead_letter") load.on_error = OnError::kDeadLetter;
  ReadMaxRejected(draft, load);
  if (const ConfigValue* values = draft.Get("load", "values"); IsSet(values)) {
    for (const auto& kind : ValueKinds()) {
      load.values.Set(kind, TextAt(*values, kind.name));
    }
  }
  load.partial_replace = draft.Flag("load", "partial_replace");
  load.shared_target = draft.Flag("load", "shared_target");
  if (const auto text = draft.Text("load", "max_shrink"); !text.empty()) {
    std::from_chars(text.data(), text.data() + text.size(), load.max_shrink);
  }
  if (IsSet(draft.Get("load", "allow_empty"))) {
    load.allow_empty = draft.Flag("load", "allow_empty");
  }
  if (const ConfigValue* mirror = draft.Get("load", "mirror"); IsSet(mirror)) {
    load.mirror = ReadMirror(*mirror);
  }
  if (load.mode == LoadMode::kHistory) {
    load.history = ReadHistory(draft.Get("load", "scd2"), stream.extract.incremental);
  }
  if (const auto text = draft.Text("load", "window_rows"); !text.empty()) {
    load.window_rows = std::stoll(text);
  }
  load.window_bytes = ParseByteSize(draft.Text("load", "window_bytes"));
  load.window_ms = ParseDurationMillis(draft.Text("load", "window_time"));
  if (const ConfigValue* options = draft.Get("load", "options"); IsSet(options)) {
    load.options = *options;
  }
}

/// Windows are cut in the order of the watermark, and what was committed must stay right
/// when the rest never comes.
void CheckWindows(const Draft& draft, const StreamConfig& stream) {
  if (!stream.load.windowed()) return;
  const char* key = stream.load.window_rows    ? "window_rows"
                    : stream.load.window_bytes ? "window_bytes"
                                               : "window_time";
  const LoadMode mode = stream.load.mode;
  if (mode == LoadMode::kHistory) {
    draft.Error("load", key, "load.window_mode",
                "load.mode scd2 opens one version of a row in each load, so windows "
                "would decide which versions there are",
                "leave the window keys out");
  } else if (IsWhole(mode) || mode == LoadMode::kDeleteInsert) {
    draft.Error("load", key, "load.window_mode",
                "load.mode " + std::string(LoadModeName(mode)) +
                    " shows all its rows at once, so it cannot be committed in windows",
                "use append, upsert or insert_only, or leave the window keys out");
  } else if (!stream.extract.incremental) {
    draft.Error("load", key, "load.window_order",
                "windows are cut in the order of the watermark, and a full read has none "
                "to resume from",
                "write extract.mode: incremental and name a field that grows, such as "
                "the primary key, as watermark_field");
  } else if (stream.kind == StreamKind::kQuery) {
    draft.Error("load", key, "load.window_order",
                "the rows of a query cannot be had in the order of the watermark",
                "make it a view and read that, or leave the window keys out");
  }
}

/// A name in `upsert_keys` or `dedup_sort` must be a field, where the fields are known.
void CheckFieldNames(const Draft& draft, const StreamConfig& stream) {
  std::vector<std::string> ids;
  for (const auto& field : stream.fields) {
    if (field.id == "*") return;
    ids.push_back(field.id);
  }
  const auto check = [&](const char* key, const ConfigValue& value) {
    if (value.kind != Kind::kScalar || ids.empty() ||
        std::find(ids.begin(), ids.end(), value.scalar) != ids.end()) {
      return;
    }
    draft.context.problems.Error(value.mark, draft.path + ".load." + key,
                                 "load.unknown_field",
                                 "there is no field " + Shown(value) + " in `fields`",
                                 DidYouMean(value.scalar, ids));
  };
  if (const ConfigValue* keys = draft.Get("load", "upsert_keys"); IsSet(keys)) {
    for (const auto& key : keys->list) check("upsert_keys", key);
  }
  const ConfigValue* sort = draft.Get("load", "dedup_sort");
  if (IsSet(sort)) check("dedup_sort", *sort);
}

/// A row that a mirror does not read is one that it deletes, so it reads all.
/// The key by which rows may be left out, null where none may.
const char* LeavesOutBy(const LoadConfig& load) {
  if (!load.leaves_rows_out()) return nullptr;
  return load.on_error != OnError::kFail ? "on_error" : "values";
}

void CheckMirror(const Draft& draft, const StreamConfig& stream) {
  if (stream.load.mode != LoadMode::kMirror) {
    const ConfigValue* own = draft.own.Get("load");
    if (!WasRefused(draft.Get("load", "mode")) && IsSet(own) &&
        IsSet(own->Get("mirror"))) {
      draft.Warn("load", "mirror", "load.mirror_unused",
                 "`mirror` has no effect with mode: " +
                     std::string(LoadModeName(stream.load.mode)));
    }
    return;
  }
  if (stream.extract.incremental) {
    draft.Error("load", "mode", "load.mirror_incremental",
                "mirror with an incremental read would delete all rows that are not new",
                "use upsert, which deletes nothing, or extract.mode: full");
  }
  if (!stream.filters.empty() || !stream.where.empty()) {
    draft.Error("load", "mode", "load.mirror_filtered",
                std::string("mirror with ") +
                    (stream.where.empty() ? "`filters`" : "`criteria.where`") +
                    " would delete the rows that the source has and does not yield",
                "read a view or a query that is the whole of what is mirrored, or use "
                "upsert");
  }
  if (const char* key = LeavesOutBy(stream.load)) {
    draft.Error("load", key, "load.mirror_left_out",
                "mirror would delete the rows whose new version " + std::string(key) +
                    " leaves out",
                "use on_error: fail and no quarantine, or mode: upsert");
  }
}

/// The same of one that closes the versions of rows that are gone.
void CheckHistory(const Draft& draft, const StreamConfig& stream) {
  const LoadConfig& load = stream.load;
  if (load.mode != LoadMode::kHistory) {
    const ConfigValue* own = draft.own.Get("load");
    if (!WasRefused(draft.Get("load", "mode")) && IsSet(own) && IsSet(own->Get("scd2"))) {
      draft.Warn(
          "load", "scd2", "load.scd2_unused",
          "`scd2` has no effect with mode: " + std::string(LoadModeName(load.mode)));
    }
    return;
  }
  if (load.history.valid_from == load.history.valid_to) {
    draft.Error("load", "scd2", "load.scd2_columns",
                "`valid_from` and `valid_to` are one column",
                "name two columns, or leave them out");
  }
  if (!load.history.closes_unseen) return;
  if (stream.extract.incremental) {
    draft.Error("load", "scd2", "load.scd2_incremental",
                "scd2 with an incremental read and deletes: close would close the "
                "versions of all rows that are not new",
                "use deletes: keep, or extract.mode: full");
    return;
  }
  if (const char* key = LeavesOutBy(load)) {
    draft.Error(
        "load", key, "load.scd2_left_out",
        "scd2 would close the versions of rows that " + std::string(key) + " leaves out",
        "use on_error: fail and no quarantine, or say load.scd2: {deletes: "
        "keep}");
  }
  if (!stream.filters.empty() || !stream.where.empty()) {
    draft.Error("load", "mode", "load.scd2_filtered",
                std::string("scd2 with ") +
                    (stream.where.empty() ? "`filters`" : "`criteria.where`") +
                    " would close the versions of rows that the source has and does not "
                    "yield",
                "read a view or a query that is the whole, or say load.scd2: {deletes: "
                "keep}");
  }
}

void CheckLoad(const Draft& draft, const StreamConfig& stream) {
  const LoadConfig& load = stream.load;
  const ConfigValue* keys = draft.Get("load", "upsert_keys");
  if (IsKeyed(load.mode) && load.upsert_keys.empty() && !WasRefused(keys)) {
    draft.Error("load", "mode", "load.keys_missing",
                "mode: " + std::string(LoadModeName(load.mode)) + " needs `upsert_keys`",
                "name the fields that identify a record, for example upsert_keys: [id]");
  }
  CheckMirror(draft, stream);
  CheckHistory(draft, stream);
  if (load.on_error == OnError::kSkip && load.values.quarantines()) {
    draft.Error("load", "values", "load.values_skip",
                "quarantine keeps rows that on_error: skip would drop",
                "use on_error: dead_letter, which keeps all of them");
  }
  if (IsSet(keys)) {
    std::map<std::string, int> seen;
    for (const auto& key : keys->list) {
      if (key.kind != Kind::kScalar || ++seen[key.scalar] != 2) continue;
      draft.context.problems.Error(key.mark, draft.path + ".load.upsert_keys",
                                   "load.duplicate_key",
                                   Shown(key) + " stands in `upsert_keys` twice");
    }
  }
  CheckFieldNames(draft, stream);
  if (load.mode == LoadMode::kReplace && stream.extract.incremental &&
      !load.partial_replace) {
    draft.Error(
        "load", "mode", "load.partial_replace",
        "replace with an incremental read would leave only the new rows in the target",
        "use upsert or append, or say load.partial_replace: true");
  }
  const ConfigValue* own = draft.own.Get("load");
  if (load.mode != LoadMode::kReplace && !WasRefused(draft.Get("load", "mode")) &&
      IsSet(own) && IsSet(own->Get("replace_strategy"))) {
    draft.Warn("load", "replace_strategy", "load.strategy_unused",
               "`replace_strategy` has no effect with mode: " +
                   std::string(LoadModeName(load.mode)));
  }
}

void ReadContract(const Draft& draft, SchemaContract& contract) {
  const auto read = [&](const char* key, ContractMode& mode) {
    const auto text = draft.Text("schema_contract", key);
    if (!text.empty())
      mode = text == "evolve" ? ContractMode::kEvolve : ContractMode::kFreeze;
  };
  read("tables", contract.tables);
  read("columns", contract.columns);
  read("data_type", contract.data_type);
}

bool NamesManyTables(const StreamConfig& stream) {
  return (stream.kind == StreamKind::kTable || stream.kind == StreamKind::kView) &&
         (stream.source == "*" || stream.source.ends_with(".*"));
}

void CheckStream(const ConfigValue& own, const StreamConfig& stream,
                 const std::string& path, CompileContext& context) {
  const ConfigValue* criteria = own.Get("criteria");
  const ConfigValue* where = IsSet(criteria) ? criteria->Get("where") : nullptr;
  const bool has_table =
      stream.kind == StreamKind::kTable || stream.kind == StreamKind::kView;
  if (IsSet(where) && !has_table && !WasRefused(own.Get("kind"))) {
    context.problems.Error(criteria->key_mark, path + ".criteria", "stream.criteria_kind",
                           "`criteria` works for kind table and view only",
                           stream.kind == StreamKind::kQuery
                               ? "put the condition into the query"
                               : "use `filters`");
  }
  CheckTemplates(where, path + ".criteria.where", context);
  if (stream.kind == StreamKind::kQuery) {
    CheckTemplates(own.Get("source"), path + ".source", context);
  }
  const ConfigValue* target = own.Get("target");
  if (NamesManyTables(stream) && IsSet(target) &&
      stream.target.find("{name}") == std::string::npos) {
    context.problems.Error(target->mark, path + ".target", "stream.target_template",
                           "'" + stream.source +
                               "' is many tables, so the target needs "
                               "{name}",
                           "write target: \"raw.{name}\"");
  }
  std::map<std::string, const FieldConfig*> fields;
  for (const auto& field : stream.fields) fields.emplace(field.id, &field);
  const ConfigValue* exclude = own.Get("exclude");
  if (!IsSet(exclude)) return;
  for (const auto& column : exclude->list) {
    if (column.kind != Kind::kScalar || !fields.contains(column.scalar)) continue;
    context.problems.Error(column.mark, path + ".exclude", "stream.excluded_field",
                           Shown(column) + " stands in `fields` too");
  }
}

}  // namespace

void CheckTemplates(const ConfigValue* sql, const std::string& path,
                    CompileContext& context) {
  if (!IsSet(sql) || sql->kind != Kind::kScalar) return;
  static const std::regex kTemplate(R"(\{\{\s*([A-Za-z_][A-Za-z0-9_.]{0,100})\s*\}\})");
  const std::string& text = sql->scalar;
  // The matcher recurses by character: only what follows a `{{` is handed to it.
  for (size_t at = text.find("{{"); at != std::string::npos;
       at = text.find("{{", at + 2)) {
    const std::string part = text.substr(at, 256);
    std::smatch match;
    if (!std::regex_search(part, match, kTemplate,
                           std::regex_constants::match_continuous)) {
      continue;
    }
    const std::string name = match[1];
    if (name == "cursor") continue;
    if (!name.starts_with("var.")) {
      context.problems.Error(sql->mark, path, "config.unknown_template",
                             "'{{ " + name + " }}' is not known in SQL",
                             "use {{ cursor }}, {{ var.NAME }} or ${NAME}");
      continue;
    }
    const std::string variable = name.substr(4);
    if (context.inputs.sql_variables.contains(variable) ||
        context.used_variables.contains(variable)) {
      continue;
    }
    context.problems.Error(sql->mark, path, "config.missing_variable",
                           "the variable '" + variable + "' is not set",
                           "give it with --var " + variable + "=…");
  }
}

StreamConfig CompileStream(ConfigValue own, const ConfigValue& defaults,
                           const std::string& path, CompileContext& context) {
  StreamConfig stream;
  stream.mark = own.mark;
  stream.id = TextAt(own, "id");
  stream.kind = KindNamed(TextAt(own, "kind"));
  stream.source = TextAt(own, "source");
  stream.target = TextAt(own, "target");
  stream.tags = TextsAt(own, "tags");
  stream.exclude = TextsAt(own, "exclude");
  stream.json_columns = TextsAt(own, "json_columns");
  if (const ConfigValue* criteria = own.Get("criteria"); IsSet(criteria)) {
    stream.where = TextAt(*criteria, "where");
  }
  stream.filters = ReadFilters(own.Get("filters"), path + ".filters", context);
  if (const ConfigValue* fields = own.Get("fields"); IsSet(fields)) {
    stream.fields = CompileFields(*fields, path + ".fields", context);
  }
  ConfigValue merged = Merged(defaults, own);
  merged.mark = own.mark;
  RecordMarks(merged, "", stream.marks);
  const Draft draft{own, merged, path, context};
  ReadExtract(draft, stream);
  ReadLoad(draft, stream);
  ReadContract(draft, stream.contract);
  CheckStream(own, stream, path, context);
  CheckExtract(draft, stream);
  CheckLag(draft, stream);
  CheckLoad(draft, stream);
  CheckWindows(draft, stream);
  return stream;
}

}  // namespace dxt
