#include "base/error.h"
#include "state/sqlite/facets.h"

namespace dxt {
namespace {

using Row = StateDatabase::Row;
using Transaction = StateDatabase::Transaction;
using Values = StateDatabase::Values;
using std::string_view;

constexpr char kSelectSchedule[] =
    "SELECT project, name, pipeline, cron, timezone, misfire, misfire_grace_seconds, "
    "max_instances, jitter_seconds, options, variables, priority, paused, pause_note, "
    "next_at, last_at, created_at, updated_at, revision FROM schedules ";

ScheduleRecord ReadSchedule(const Row& row) {
  ScheduleRecord record;
  int at = 0;
  record.project = row.Text(at++);
  record.name = row.Text(at++);
  record.pipeline = row.Text(at++);
  record.cron = row.Text(at++);
  record.timezone = row.Text(at++);
  record.misfire = row.Text(at++);
  record.misfire_grace_seconds = row.Integer(at++);
  record.max_instances = static_cast<int>(row.Integer(at++));
  record.jitter_seconds = row.Integer(at++);
  record.options = row.Text(at++);
  record.variables = row.Text(at++);
  record.priority = static_cast<int>(row.Integer(at++));
  record.paused = row.Integer(at++) != 0;
  record.pause_note = row.Text(at++);
  record.next_at = row.Text(at++);
  record.last_at = row.Text(at++);
  record.created_at = row.Text(at++);
  record.updated_at = row.Text(at++);
  record.revision = row.Integer(at++);
  return record;
}

arrow::Result<std::vector<ScheduleRecord>> ReadSchedules(Transaction& transaction,
                                                         string_view condition,
                                                         const Values& values) {
  std::vector<ScheduleRecord> records;
  ARROW_RETURN_NOT_OK(
      transaction
          .Run(std::string(kSelectSchedule).append(condition), values,
               [&](const Row& row) { records.push_back(ReadSchedule(row)); })
          .status());
  return records;
}

arrow::Result<std::optional<ScheduleRecord>> FindSchedule(Transaction& transaction,
                                                          string_view project,
                                                          string_view name) {
  ARROW_ASSIGN_OR_RAISE(
      auto found,
      ReadSchedules(transaction, "WHERE project = ? AND name = ?", {project, name}));
  if (found.empty()) return std::nullopt;
  return std::move(found.front());
}

std::string Called(string_view project, string_view name) {
  return "schedule " + std::string(project) + "/" + std::string(name);
}

arrow::Status NoSchedule(string_view project, string_view name) {
  return MakeError(ErrorClass::kConfig, "schedule.not_found",
                   "there is no " + Called(project, name),
                   "`dxtctl schedules list` shows those that are stored");
}

/// `record` under its name, in place of what is there.
arrow::Status StoreSchedule(Transaction& transaction, const ScheduleRecord& record) {
  return transaction
      .Run(
          "INSERT INTO schedules VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
          "?, ?, ?, ?) ON CONFLICT (project, name) DO UPDATE SET "
          "pipeline = excluded.pipeline, cron = excluded.cron, "
          "timezone = excluded.timezone, misfire = excluded.misfire, "
          "misfire_grace_seconds = excluded.misfire_grace_seconds, "
          "max_instances = excluded.max_instances, "
          "jitter_seconds = excluded.jitter_seconds, options = excluded.options, "
          "variables = excluded.variables, priority = excluded.priority, "
          "paused = excluded.paused, pause_note = excluded.pause_note, "
          "next_at = excluded.next_at, updated_at = excluded.updated_at, "
          "revision = excluded.revision",
          {string_view(record.project), string_view(record.name),
           string_view(record.pipeline), string_view(record.cron),
           string_view(record.timezone), string_view(record.misfire),
           record.misfire_grace_seconds, int64_t{record.max_instances},
           record.jitter_seconds, string_view(record.options),
           string_view(record.variables), int64_t{record.priority},
           int64_t{record.paused}, string_view(record.pause_note),
           string_view(record.next_at), string_view(record.last_at),
           string_view(record.created_at), string_view(record.updated_at),
           record.revision})
      .status();
}

arrow::Status StoreTick(Transaction& transaction, const TickRecord& tick) {
  ARROW_ASSIGN_OR_RAISE(
      const int64_t stored,
      transaction.Run(
          "INSERT INTO ticks VALUES (?, ?, ?, ?, ?, ?, ?) "
          "ON CONFLICT DO NOTHING",
          {string_view(tick.project), string_view(tick.schedule),
           string_view(tick.scheduled_at), string_view(tick.fired_at),
           string_view(tick.outcome), string_view(tick.run), string_view(tick.reason)}));
  if (stored > 0) return arrow::Status::OK();
  return MakeError(ErrorClass::kFenced, "schedule.tick_fired",
                   Called(tick.project, tick.schedule) + " fired for " +
                       tick.scheduled_at + " before");
}

}  // namespace

arrow::Result<ScheduleRecord> SqliteScheduleStore::Create(const ScheduleRecord& record,
                                                          const AuditRecord* audit) {
  ScheduleRecord made = record;
  ARROW_RETURN_NOT_OK(database_.Write([&](Transaction& transaction) -> arrow::Status {
    ARROW_ASSIGN_OR_RAISE(const auto stored,
                          FindSchedule(transaction, record.project, record.name));
    if (stored) {
      return MakeError(ErrorClass::kConfig, "schedule.exists",
                       Called(record.project, record.name) + " exists already",
                       "Update it, or use another name");
    }
    ARROW_RETURN_NOT_OK(RequirePipeline(transaction, record.project, record.pipeline));
    ARROW_ASSIGN_OR_RAISE(
        const int64_t retired,
        RetiredRevision(transaction, "schedule", record.project, record.name));
    made.revision = retired + 1;
    made.last_at.clear();
    made.updated_at = made.created_at;
    ARROW_RETURN_NOT_OK(StoreSchedule(transaction, made));
    return WriteAudit(transaction, audit);
  }));
  return made;
}

arrow::Result<std::optional<ScheduleRecord>> SqliteScheduleStore::Get(string_view project,
                                                                      string_view name) {
  std::optional<ScheduleRecord> found;
  ARROW_RETURN_NOT_OK(database_.Read([&](Transaction& transaction) {
    return FindSchedule(transaction, project, name).Value(&found);
  }));
  return found;
}

arrow::Result<std::vector<ScheduleRecord>> SqliteScheduleStore::List(string_view project,
                                                                     string_view pipeline,
                                                                     string_view after,
                                                                     int limit) {
  const auto [after_project, after_name] = SplitName(after);
  std::string condition = "WHERE (project, name) > (?1, ?2) ";
  Values values = {after_project, after_name, int64_t{limit}};
  for (const auto& [column, value] :
       {std::pair<const char*, string_view>{"project", project},
        {"pipeline", pipeline}}) {
    if (value.empty()) continue;
    values.emplace_back(value);
    condition +=
        std::string("AND ") + column + " = ?" + std::to_string(values.size()) + " ";
  }
  std::vector<ScheduleRecord> records;
  ARROW_RETURN_NOT_OK(database_.Read([&](Transaction& transaction) {
    return ReadSchedules(transaction, condition + "ORDER BY project, name LIMIT ?3",
                         values)
        .Value(&records);
  }));
  return records;
}

arrow::Result<ScheduleRecord> SqliteScheduleStore::Update(
    const ScheduleRecord& record, std::optional<int64_t> expected_revision,
    const AuditRecord* audit) {
  ScheduleRecord updated = record;
  ARROW_RETURN_NOT_OK(database_.Write([&](Transaction& transaction) -> arrow::Status {
    ARROW_ASSIGN_OR_RAISE(const auto stored,
                          FindSchedule(transaction, record.project, record.name));
    if (!stored) return NoSchedule(record.project, record.name);
    ARROW_RETURN_NOT_OK(CheckRevision(Called(record.project, record.name),
                                      stored->revision, expected_revision));
    ARROW_RETURN_NOT_OK(RequirePipeline(transaction, record.project, record.pipeline));
    updated.revision = stored->revision + 1;
    updated.created_at = stored->created_at;
    updated.last_at = stored->last_at;
    ARROW_RETURN_NOT_OK(StoreSchedule(transaction, updated));
    return WriteAudit(transaction, audit);
  }));
  return updated;
}

arrow::Status SqliteScheduleStore::Delete(string_view project, string_view name,
                                          const AuditRecord* audit) {
  return database_.Write([&](Transaction& transaction) -> arrow::Status {
    int64_t revision = 0;
    ARROW_RETURN_NOT_OK(
        transaction
            .Run(
                "DELETE FROM schedules WHERE project = ? AND name = ? RETURNING revision",
                {project, name}, [&](const Row& row) { revision = row.Integer(0); })
            .status());
    if (revision == 0) return NoSchedule(project, name);
    ARROW_RETURN_NOT_OK(RetireRevision(transaction, "schedule", project, name, revision));
    return WriteAudit(transaction, audit);
  });
}

arrow::Result<int64_t> SqliteScheduleStore::CountActive() {
  return ReadNumber(database_,
                    "SELECT count(*) FROM schedules WHERE paused = 0 AND next_at <> ''");
}

arrow::Result<std::vector<ScheduleRecord>> SqliteScheduleStore::Due(string_view now,
                                                                    int limit) {
  std::vector<ScheduleRecord> records;
  ARROW_RETURN_NOT_OK(database_.Read([&](Transaction& transaction) {
    return ReadSchedules(transaction,
                         "WHERE paused = 0 AND next_at <> '' AND next_at <= ? "
                         "ORDER BY next_at, project, name LIMIT ?",
                         {now, int64_t{limit}})
        .Value(&records);
  }));
  return records;
}

arrow::Result<std::optional<std::string>> SqliteScheduleStore::NextDue() {
  std::optional<std::string> next;
  ARROW_RETURN_NOT_OK(database_.Read([&](Transaction& transaction) {
    return transaction
        .Run(
            "SELECT next_at FROM schedules WHERE paused = 0 AND next_at <> '' "
            "ORDER BY next_at LIMIT 1",
            {}, [&](const Row& row) { next = row.Text(0); })
        .status();
  }));
  return next;
}

arrow::Result<std::optional<RunRecord>> SqliteScheduleStore::Fire(
    const TickRecord& tick, string_view next_at, const std::optional<NewRun>& run) {
  std::optional<RunRecord> made;
  ARROW_RETURN_NOT_OK(database_.Write([&](Transaction& transaction) -> arrow::Status {
    int64_t revision = 0;
    ARROW_RETURN_NOT_OK(
        transaction
            .Run("UPDATE schedules SET next_at = ?3, "
                 "last_at = CASE ?4 WHEN 'FIRED' THEN ?5 ELSE last_at END "
                 "WHERE project = ?1 AND name = ?2 RETURNING revision",
                 {string_view(tick.project), string_view(tick.schedule), next_at,
                  string_view(tick.outcome), string_view(tick.fired_at)},
                 [&](const Row& row) { revision = row.Integer(0); })
            .status());
    if (revision == 0) return NoSchedule(tick.project, tick.schedule);
    if (tick.schedule_revision != 0 && tick.schedule_revision != revision) {
      return MakeError(ErrorClass::kFenced, "schedule.changed",
                       Called(tick.project, tick.schedule) +
                           " was changed while its tick was prepared");
    }
    ARROW_RETURN_NOT_OK(StoreTick(transaction, tick));
    if (!run) return arrow::Status::OK();
    ARROW_ASSIGN_OR_RAISE(auto created, InsertRun(transaction, *run));
    made = std::move(created.run);
    return arrow::Status::OK();
  }));
  return made;
}

arrow::Result<std::vector<TickRecord>> SqliteScheduleStore::Ticks(string_view project,
                                                                  string_view schedule,
                                                                  string_view before,
                                                                  int limit) {
  std::string condition = "WHERE project = ?1 AND schedule = ?2 ";
  Values values = {project, schedule, int64_t{limit}};
  if (!before.empty()) {
    condition += "AND scheduled_at < ?4 ";
    values.emplace_back(before);
  }
  std::vector<TickRecord> ticks;
  ARROW_RETURN_NOT_OK(database_.Read([&](Transaction& transaction) {
    return transaction
        .Run(
            "SELECT project, schedule, scheduled_at, fired_at, outcome, run, reason "
            "FROM ticks " +
                condition + "ORDER BY scheduled_at DESC LIMIT ?3",
            values,
            [&](const Row& row) {
              ticks.push_back({row.Text(0), row.Text(1), row.Text(2), row.Text(3),
                               row.Text(4), row.Text(5), row.Text(6)});
            })
        .status();
  }));
  return ticks;
}

}  // namespace dxt
