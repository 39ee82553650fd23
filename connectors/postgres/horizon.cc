#include "connectors/postgres/horizon.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <vector>

#include "connectors/postgres/connection.h"
#include "connectors/postgres/cursor_value.h"
#include "connectors/sdk/cursor.h"

namespace dxt::postgres {
namespace {

/// Looks at the snapshot and then at the sessions; a transaction that ends between the
/// two is seen in neither, so another pair is tried.
constexpr int kAttempts = 5;
/// More xids than that are not looked for one by one.
constexpr int64_t kMostGiven = 10000;

struct OpenTransaction {
  std::string since, since_local;
  int64_t seconds = 0;
  bool elsewhere = false;  ///< Cannot write to this database's tables.
};

struct Activity {
  std::map<uint32_t, OpenTransaction> by_xid;
  /// No transaction that had no xid yet, or began later, began before this.
  OpenTransaction others;
};

/// The first row is the moment of asking: what begins later begins after it. Of a
/// prepared transaction only the moment of PREPARE is known. Autovacuum writes no rows.
constexpr std::string_view kActivity =
    "SELECT coalesce(q.xid, ''), q.start::text, (q.start AT TIME ZONE zone.name)::text, "
    "floor(extract(epoch FROM pg_catalog.clock_timestamp() - q.start))::bigint, "
    "q.elsewhere FROM (SELECT NULL::text AS xid, pg_catalog.clock_timestamp() AS start, "
    "false AS elsewhere UNION ALL SELECT backend_xid::text, xact_start, datname IS "
    "DISTINCT FROM pg_catalog.current_database() OR backend_type = 'autovacuum worker' "
    "FROM pg_catalog.pg_stat_activity WHERE xact_start IS NOT NULL AND pid <> "
    "pg_catalog.pg_backend_pid() UNION ALL SELECT transaction::text, prepared, database "
    "<> pg_catalog.current_database() FROM pg_catalog.pg_prepared_xacts) AS q, (SELECT "
    "coalesce(nullif($1, ''), reset_val) AS name FROM pg_catalog.pg_settings WHERE name "
    "= 'TimeZone') AS zone";

const FieldType& MomentType() {
  static const FieldType type = [] {
    FieldType moment;
    moment.dtype = DType::kTimestampTz;
    return moment;
  }();
  return type;
}

FieldType LocalType() {
  FieldType type;
  type.dtype = DType::kTimestamp;
  return type;
}

arrow::Result<Activity> LookAround(Connection& connection, const std::string& timezone,
                                   std::string_view doing, std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(
      auto rows, connection.Query(std::string(kActivity), {timezone}, doing, stop));
  Activity activity;
  for (int row = 0; row < rows.rows(); ++row) {
    OpenTransaction open;
    ARROW_ASSIGN_OR_RAISE(open.since, CanonicalCursor(rows.Get(row, 1), MomentType()));
    ARROW_ASSIGN_OR_RAISE(open.since_local,
                          CanonicalCursor(rows.Get(row, 2), LocalType()));
    open.seconds = std::max<int64_t>(0, rows.Int(row, 3));
    open.elsewhere = rows.Bool(row, 4);
    if (rows.Get(row, 0).empty()) {
      const bool earlier =
          activity.others.since.empty() || open.since < activity.others.since;
      if (!open.elsewhere && earlier) activity.others = std::move(open);
    } else {
      activity.by_xid[static_cast<uint32_t>(rows.Int(row, 0))] = std::move(open);
    }
  }
  return activity;
}

/// Who may have written and was not committed when a transaction took its snapshot.
struct Snapshot {
  std::vector<int64_t> open;  ///< Their xids, with the upper half of each.
  /// The first that it knows nothing of, and how many have been given out since then on:
  /// to transactions that were open, or began afterwards.
  int64_t next = 0, given = 0;

  bool empty() const { return open.empty() && given == 0; }
};

arrow::Result<Snapshot> TakeSnapshot(Connection& connection, std::string_view doing,
                                     std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(
      auto rows,
      connection.Query(
          "SELECT pg_catalog.txid_snapshot_xmax(s), pg_catalog.age((pg_catalog."
          "txid_snapshot_xmax(s) & 4294967295)::text::pg_catalog.xid), x FROM (SELECT "
          "pg_catalog.txid_current_snapshot() AS s) AS q LEFT JOIN LATERAL "
          "pg_catalog.txid_snapshot_xip(s) AS x ON true",
          {}, doing, stop));
  Snapshot snapshot;
  snapshot.next = rows.Int(0, 0);
  snapshot.given = std::clamp<int64_t>(rows.Int(0, 1), 0, kMostGiven);
  for (int row = 0; row < rows.rows(); ++row) {
    if (!rows.IsNull(row, 2)) snapshot.open.push_back(rows.Int(row, 2));
  }
  return snapshot;
}

/// All that may have been open, none of them twice.
std::vector<int64_t> XidsOf(const Snapshot& snapshot) {
  std::vector<int64_t> xids = snapshot.open;
  for (int64_t i = 0; i < snapshot.given; ++i) xids.push_back(snapshot.next + i);
  return xids;
}

Horizon HorizonOf(const Snapshot& snapshot, const Activity& now,
                  const std::optional<Activity>& before, bool visible) {
  Horizon horizon;
  int64_t oldest = snapshot.next;
  for (const int64_t xid : XidsOf(snapshot)) {
    const auto low = static_cast<uint32_t>(xid);
    const OpenTransaction* open = nullptr;
    if (const auto found = now.by_xid.find(low); found != now.by_xid.end()) {
      open = &found->second;
    } else if (before) {
      const auto earlier = before->by_xid.find(low);
      open = earlier != before->by_xid.end() ? &earlier->second : &before->others;
    }
    if (open && open->elsewhere) continue;
    oldest = std::min(oldest, xid);
    if (!open || !visible) continue;
    if (horizon.since.empty() || open->since < horizon.since) {
      horizon.since = open->since;
      horizon.since_local = open->since_local;
      horizon.open_seconds = open->seconds;
    }
  }
  // No row that the snapshot sees is of a younger one.
  if (oldest < snapshot.next) {
    horizon.oldest_xid = std::to_string(static_cast<uint32_t>(oldest));
  }
  return horizon;
}

arrow::Result<bool> SeesOthers(Connection& connection, std::string_view doing,
                               std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(auto rows,
                        connection.Query("SELECT pg_catalog.pg_has_role(current_user, "
                                         "'pg_read_all_stats', 'USAGE')",
                                         {}, doing, stop));
  return rows.Bool(0, 0);
}

/// A column that keeps fewer digits of a second may hold an earlier moment than it was
/// given.
std::string RoundedDown(std::string moment, const std::string& native) {
  const size_t open = native.find('(');
  const size_t point = moment.find('.');
  if (open == std::string::npos || point == std::string::npos) return moment;
  size_t digits = 6;
  std::from_chars(native.data() + open + 1, native.data() + native.size(), digits);
  for (size_t at = point + 1 + digits; at < moment.size() && std::isdigit(moment[at]);
       ++at) {
    moment[at] = '0';
  }
  return moment;
}

/// The smallest cursor of rows that younger transactions than `oldest_xid` committed.
arrow::Result<std::optional<std::string>> FirstYoung(
    Connection& connection, const std::string& oldest_xid, const ReadSpec& spec,
    ColumnRead read, const std::string& table, const sql::SelectDialect& dialect,
    std::string_view doing, std::stop_token stop) {
  const CursorRange& cursor = *spec.cursor;
  const std::string column = cursor.expression.empty()
                                 ? sql::QuoteIdentifier(cursor.column)
                                 : "(" + cursor.expression + "\n)";
  read.expression = "pg_catalog.min(" + CursorOperand(column, &read) + ")";
  ReadSpec young = spec;
  young.cursor->include_null = false;
  young.order_by_cursor = false;
  young.limit.reset();
  young.columns = {read};
  ARROW_ASSIGN_OR_RAISE(
      const auto select,
      sql::BuildSelect(young, table, dialect,
                       "pg_catalog.age(xmin) BETWEEN 0 AND pg_catalog.age('" +
                           oldest_xid + "'::pg_catalog.xid)"));
  return QueryCursor(connection, select, read, cursor.type, doing, stop);
}

}  // namespace

arrow::Result<Horizon> BeginBehindHorizon(Connection& connection,
                                          const std::string& begin,
                                          const std::string& timezone,
                                          std::string_view doing, std::stop_token stop) {
  std::optional<Activity> before;
  for (int attempt = 1;; ++attempt) {
    ARROW_RETURN_NOT_OK(connection.Run(begin, doing, stop).status());
    ARROW_ASSIGN_OR_RAISE(const auto snapshot, TakeSnapshot(connection, doing, stop));
    if (snapshot.empty()) return Horizon{};
    ARROW_ASSIGN_OR_RAISE(const bool visible, SeesOthers(connection, doing, stop));
    ARROW_ASSIGN_OR_RAISE(auto now, LookAround(connection, timezone, doing, stop));
    const auto xids = XidsOf(snapshot);
    const bool all = std::all_of(xids.begin(), xids.end(), [&](int64_t xid) {
      return now.by_xid.contains(static_cast<uint32_t>(xid));
    });
    if (all || !visible || attempt == kAttempts) {
      return HorizonOf(snapshot, now, before, visible);
    }
    before = std::move(now);
    ARROW_RETURN_NOT_OK(connection.Run("ROLLBACK", doing, stop).status());
  }
}

arrow::Result<std::optional<HeldBack>> FindHeldBack(
    Connection& connection, const Horizon& horizon, const ReadSpec& spec,
    const std::string& table, const sql::SelectDialect& dialect, std::string_view doing,
    std::stop_token stop) {
  const CursorRange& cursor = *spec.cursor;
  ColumnRead read;
  read.name = cursor.name;
  read.type = cursor.type;
  for (const auto& column : spec.columns) {
    if (column.name == cursor.name) read.native = column.native;
  }
  std::optional<std::string> from;
  const bool zoned = cursor.type.dtype == DType::kTimestampTz;
  if ((zoned || cursor.type.dtype == DType::kTimestamp) && !horizon.since.empty()) {
    from = RoundedDown(zoned ? horizon.since : horizon.since_local, read.native.type);
  }
  if (!horizon.oldest_xid.empty()) {
    ARROW_ASSIGN_OR_RAISE(auto young, FirstYoung(connection, horizon.oldest_xid, spec,
                                                 read, table, dialect, doing, stop));
    if (young && (!from || CompareCursors(*young, *from, cursor.type) < 0)) {
      from = std::move(young);
    }
  }
  if (!from) return std::nullopt;
  if (cursor.upper && CompareCursors(*cursor.upper, *from, cursor.type) <= 0) {
    return std::nullopt;
  }
  HeldBack held;
  held.from = std::move(*from);
  held.since = horizon.since;
  held.open_seconds = horizon.open_seconds;
  return held;
}

arrow::Result<std::string> HiddenTransactions(Connection& connection,
                                              std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(const bool sees,
                        SeesOthers(connection, "Looking for open transactions", stop));
  if (sees) return std::string();
  return std::string(
      "The role may not see when the transactions of others began, so a row that one of "
      "them stamped early and commits late may be passed over: GRANT pg_read_all_stats "
      "to it, or use extract.lag with keys");
}

}  // namespace dxt::postgres
