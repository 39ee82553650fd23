#include "engine/run/prepared_stream.h"

#include <algorithm>

#include "base/error.h"
#include "connectors/sdk/cursor.h"

namespace dxt {
namespace {

ConfigView TargetConfig(const Connection& connection, const StreamConfig& config) {
  const ConfigSpec& spec = connection.connector->spec();
  const OptionSpec* known = spec.Find("options");
  if (!known || known->kind != OptionKind::kObject) return connection.config;
  ConfigValue merged = config.load.options;
  merged.kind = ConfigValue::Kind::kMap;
  if (const ConfigValue* general = connection.config.Value("options")) {
    for (const auto& option : general->map) {
      if (!merged.Get(option.first)) merged.map.push_back(option);
    }
  }
  ConfigValue values = connection.config.values();
  std::erase_if(values.map, [](const auto& entry) { return entry.first == "options"; });
  values.map.emplace_back("options", std::move(merged));
  return ConfigView(&spec, std::move(values));
}

}  // namespace

ConnectorContext LentTo(const RunContext& context, const RuntimeConfig* runtime) {
  ConnectorContext lent;
  lent.clock = context.clock;
  lent.scratch_dir = context.state_dir / "tmp";
  lent.threads = std::max(1, context.worker_threads);
  if (runtime) lent.memory_limit = runtime->memory_limit / 4;
  return lent;
}

ValueMender PreparedStream::Mender(const std::string& id, Field from,
                                   ValueDomain domain) const {
  const auto& keys = columns.key_ids;
  const bool decides = std::find(keys.begin(), keys.end(), id) != keys.end() ||
                       id == config.extract.watermark_field ||
                       id == config.load.dedup_sort;
  if (decides || !config.load.values.changes_values()) return {};
  from.name = id;
  return ValueMender(config.load.values, std::move(from), std::move(domain));
}

const PlannedColumn* PreparedStream::Column(const std::string& id) const {
  for (const auto& column : columns.columns) {
    if (column.id == id) return &column;
  }
  return nullptr;
}

Guarantee PreparedStream::Promise() const {
  const Connection& target = *target_connection;
  if (target_can.Has(Capability::kLedger) || mode == LoadMode::kAppend) {
    return target.connector->GuaranteeOf(target.config);
  }
  return Guarantee::kExactlyOnceIdempotent;
}

arrow::Result<std::optional<LoadRecord>> NewestLoad(const PreparedStream& stream,
                                                    const StreamIdentity& identity,
                                                    const RunContext& context,
                                                    std::stop_token stop) {
  if (stream.target_can.Has(Capability::kLedger)) {
    return stream.destination->Peek(identity, stop);
  }
  return context.journal->LoadCheckpoint(identity);
}

std::string PreparedStream::CursorType() const {
  if (columns.cursor) return ToString(columns.cursor->type);
  if (columns.cursor_target.empty()) return "";
  for (const auto& column : columns.columns) {
    if (column.wanted.name == columns.cursor_target) return ToString(column.field.type);
  }
  return "";
}

arrow::Result<std::string> PreparedStream::DedupColumn() const {
  const std::string& sort = config.load.dedup_sort;
  if (sort.empty()) return columns.cursor_target;
  const PlannedColumn* by = Column(sort);
  if (by) return by->wanted.name;
  return MakeError(ErrorClass::kConfig, "plan.column_missing",
                   "load.dedup_sort names '" + sort +
                       "', which is not a field of stream '" + config.id + "'");
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
    return MakeError(ErrorClass::kUnsupported, "cursor.no_distance",
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
  if (mode != LoadMode::kUpsert && mode != LoadMode::kHistory) return false;
  const bool replayed = identity.lane == kReplayLane && !config.load.dedup_sort.empty();
  return replayed || RangeOfLane(identity.lane).has_value();
}

std::string PreparedStream::LedgerMode() const {
  const bool tracked =
      mode == LoadMode::kMirror && table.mirror.scope == MirrorScope::kTracked;
  return std::string(LoadModeName(mode)) + (tracked ? " tracked" : "");
}

bool PreparedStream::LoadedLast() const {
  return last && target.exists && last->fingerprint == identity.fingerprint &&
         (last->target_ident == target.ident || last->target_ident.empty());
}

bool PreparedStream::KeysAreTracked() const {
  return LoadedLast() && last->mode == LedgerMode() && last->target_ident == target.ident;
}

arrow::Status PreparedStream::Reopen(const RunContext& context) {
  destination.reset();
  ARROW_ASSIGN_OR_RAISE(
      destination, OpenDestination(*target_connection, config, context, nullptr, {}));
  return arrow::Status::OK();
}

arrow::Result<std::unique_ptr<Source>> OpenSource(const Connection& connection,
                                                  const RunContext& context,
                                                  std::stop_token stop) {
  return connection.connector->OpenSource(connection.config, LentTo(context, nullptr),
                                          stop);
}

arrow::Result<std::unique_ptr<Destination>> OpenDestination(const Connection& connection,
                                                            const StreamConfig& config,
                                                            const RunContext& context,
                                                            const RuntimeConfig* runtime,
                                                            std::stop_token stop) {
  return connection.connector->OpenDestination(TargetConfig(connection, config),
                                               LentTo(context, runtime), stop);
}

}  // namespace dxt
