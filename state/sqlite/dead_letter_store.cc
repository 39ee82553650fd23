#include <algorithm>

#include "base/error.h"
#include "state/sqlite/facets.h"

namespace dxt {
namespace {

using Row = StateDatabase::Row;
using Transaction = StateDatabase::Transaction;
using Values = StateDatabase::Values;
using std::string_view;

constexpr int64_t kLettersAtOnce = 500;

constexpr char kLetterColumns[] =
    "seq, id, pipeline, stream, lane, run, load_id, state, code, field, message, "
    "row_key, row_json, row_schema, at, attempts, replay_load, replayed_at";

DeadLetter ReadLetter(const Row& row) {
  DeadLetter letter;
  letter.seq = row.Integer(0);
  letter.id = row.Text(1);
  letter.key = {row.Text(2), row.Text(3), row.Text(4)};
  letter.run = row.Text(5);
  letter.load_id = row.Text(6);
  letter.state = row.Text(7);
  letter.code = row.Text(8);
  letter.field = row.Text(9);
  letter.message = row.Text(10);
  letter.row_key = row.Text(11);
  letter.row_json = row.Text(12);
  letter.row_schema = row.Text(13);
  letter.at = row.Text(14);
  letter.attempts = row.Integer(15);
  // Until the load that carries it is settled, it says nothing.
  if (letter.state == "REPLAYED") letter.replayed_by = row.Text(16);
  letter.replayed_at = row.Text(17);
  return letter;
}

string_view StageName(RejectedAt at) {
  return at == RejectedAt::kExtract ? "extract" : "load";
}

/// " WHERE …" of a query, its values appended to `values`.
std::string Condition(const DeadLetterQuery& query, Values* values) {
  std::string sql = " WHERE state <> 'HELD'";
  const auto equal = [&](const char* column, const std::string& value) {
    if (value.empty()) return;
    sql += std::string(" AND ") + column + " = ?";
    values->emplace_back(string_view(value));
  };
  equal("pipeline", query.pipeline);
  equal("stream", query.stream);
  equal("code", query.code);
  equal("run", query.run);
  equal("state", query.state);
  if (query.after > 0) {
    sql += " AND seq > ?";
    values->emplace_back(query.after);
  }
  if (query.ids.empty()) return sql;
  sql += " AND id IN (";
  for (size_t i = 0; i < query.ids.size(); ++i) {
    sql += i == 0 ? "?" : ", ?";
    values->emplace_back(string_view(query.ids[i]));
  }
  return sql + ")";
}

arrow::Status CheckRoom(Transaction& transaction, const ChainKey& key,
                        std::span<const NewDeadLetter> rows) {
  int64_t bytes = 0;
  ARROW_RETURN_NOT_OK(transaction
                          .Run("SELECT bytes FROM dead_letter_space", {},
                               [&](const Row& row) { bytes = row.Integer(0); })
                          .status());
  for (const auto& row : rows) {
    bytes += static_cast<int64_t>(row.row_json.size() + row.row_schema.size());
  }
  if (bytes <= DeadLetterStore::kMaxBytes) return arrow::Status::OK();
  return MakeError(ErrorClass::kData, "dlq.full",
                   "the dead letters of this state folder would hold more than " +
                       std::to_string(DeadLetterStore::kMaxBytes >> 20) +
                       " MiB with those of stream '" + key.stream + "'",
                   "Replay or drop some: dxtctl dlq list shows them");
}

arrow::Status DropHeld(Transaction& transaction, const ChainKey& key, string_view load_id,
                       RejectedAt at) {
  Values values = {string_view(key.pipeline), string_view(key.stream),
                   string_view(key.lane), StageName(at)};
  std::string chain = "pipeline = ? AND stream = ? AND lane = ? AND stage = ?";
  if (at == RejectedAt::kExtract) {
    chain += " AND load_id = ?";
    values.emplace_back(load_id);
  }
  ARROW_RETURN_NOT_OK(
      transaction
          .Run("DELETE FROM dead_letters WHERE state = 'HELD' AND " + chain, values)
          .status());
  return transaction.Run("DELETE FROM rejections WHERE settled = 0 AND " + chain, values)
      .status();
}

}  // namespace

arrow::Status SettleRejected(Transaction& transaction, const ChainKey& key,
                             const Checkpoint& checkpoint, string_view now) {
  const string_view load(checkpoint.load_id);
  ARROW_ASSIGN_OR_RAISE(
      const int64_t settled,
      transaction.Run("UPDATE rejections SET settled = 1, run = ? WHERE load_id = ?",
                      {string_view(checkpoint.run), load}));
  if (settled > 0) {
    ARROW_RETURN_NOT_OK(transaction
                            .Run("UPDATE dead_letters SET state = 'STORED', run = ? "
                                 "WHERE load_id = ? AND state = 'HELD'",
                                 {string_view(checkpoint.run), load})
                            .status());
  }
  ARROW_RETURN_NOT_OK(transaction
                          .Run("UPDATE dead_letters SET state = 'REPLAYED', "
                               "replayed_at = ? WHERE replay_load = ? AND "
                               "replay_load <> '' AND state = 'STORED'",
                               {now, load})
                          .status());
  // What the whole source was read for anew, or its row was, waits no longer.
  const bool whole =
      checkpoint.mode.starts_with("replace") || checkpoint.mode.starts_with("mirror");
  const bool keyed = checkpoint.mode == "upsert" || checkpoint.mode == "insert_only" ||
                     checkpoint.mode == "scd2";
  if (!whole && (!keyed || settled == 0)) return arrow::Status::OK();
  return transaction
      .Run(std::string("DELETE FROM dead_letters WHERE pipeline = ?1 AND stream = ?2 AND "
                       "lane = ?3 AND load_id <> ?4 AND state = 'STORED'") +
               (whole ? ""
                      : " AND row_key <> '' AND row_key IN (SELECT row_key FROM "
                        "dead_letters WHERE load_id = ?4)"),
           {string_view(key.pipeline), string_view(key.stream), string_view(key.lane),
            load})
      .status();
}

arrow::Status SqliteDeadLetterStore::Hold(const Lease& lease, const ChainKey& key,
                                          string_view load_id, RejectedAt at,
                                          std::span<const NewDeadLetter> rows,
                                          string_view now) {
  return database_.Write([&](Transaction& transaction) -> arrow::Status {
    ARROW_RETURN_NOT_OK(CheckLease(transaction, lease));
    ARROW_RETURN_NOT_OK(DropHeld(transaction, key, load_id, at));
    if (rows.empty()) return arrow::Status::OK();
    ARROW_RETURN_NOT_OK(CheckRoom(transaction, key, rows));
    int64_t letters = 0;
    for (const auto& row : rows) {
      if (row.row_json.empty()) continue;
      const std::string id = std::string(load_id) +
                             (at == RejectedAt::kExtract ? "-x" : "-") +
                             std::to_string(++letters);
      ARROW_RETURN_NOT_OK(
          transaction
              .Run("INSERT INTO dead_letters (id, load_id, stage, pipeline, stream, "
                   "lane, run, state, code, field, message, row_key, row_json, "
                   "row_schema, at) VALUES (?, ?, ?, ?, ?, ?, ?, 'HELD', ?, ?, ?, ?, ?, "
                   "?, ?)",
                   {string_view(id), load_id, StageName(at), string_view(key.pipeline),
                    string_view(key.stream), string_view(key.lane),
                    string_view(lease.run_id), string_view(row.code),
                    string_view(row.field), string_view(row.message),
                    string_view(row.row_key), string_view(row.row_json),
                    string_view(row.row_schema), now})
              .status());
    }
    return transaction
        .Run("INSERT INTO rejections VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?, ?)",
             {load_id, StageName(at), string_view(key.pipeline), string_view(key.stream),
              string_view(key.lane), string_view(lease.run_id),
              static_cast<int64_t>(rows.size()), letters, now})
        .status();
  });
}

arrow::Status SqliteDeadLetterStore::Forget(const Lease& lease, const ChainKey& key,
                                            std::span<const std::string> but) {
  return database_.Write([&](Transaction& transaction) -> arrow::Status {
    ARROW_RETURN_NOT_OK(CheckLease(transaction, lease));
    std::vector<std::string> held;
    ARROW_RETURN_NOT_OK(
        transaction
            .Run("SELECT load_id FROM rejections WHERE pipeline = ? AND stream = ? AND "
                 "lane = ? AND settled = 0 AND stage = 'extract'",
                 {string_view(key.pipeline), string_view(key.stream),
                  string_view(key.lane)},
                 [&](const Row& row) { held.push_back(row.Text(0)); })
            .status());
    for (const auto& load : held) {
      if (std::find(but.begin(), but.end(), load) != but.end()) continue;
      ARROW_RETURN_NOT_OK(DropHeld(transaction, key, load, RejectedAt::kExtract));
    }
    return arrow::Status::OK();
  });
}

arrow::Result<RejectedCounts> SqliteDeadLetterStore::Counts(const ChainKey& key,
                                                            string_view run) {
  RejectedCounts counts;
  ARROW_RETURN_NOT_OK(database_.Read([&](Transaction& transaction) {
    return transaction
        .Run(
            "SELECT coalesce(sum(row_count), 0), coalesce(sum(letters), 0) FROM "
            "rejections INDEXED BY rejections_by_run WHERE run = ? AND pipeline = ? AND "
            "stream = ? AND lane = ? AND settled = 1",
            {run, string_view(key.pipeline), string_view(key.stream),
             string_view(key.lane)},
            [&](const Row& row) { counts = {row.Integer(0), row.Integer(1)}; })
        .status();
  }));
  return counts;
}

arrow::Status SqliteDeadLetterStore::HoldReplay(const Lease& lease, string_view load_id,
                                                std::span<const std::string> ids) {
  return database_.Write([&](Transaction& transaction) -> arrow::Status {
    ARROW_RETURN_NOT_OK(CheckLease(transaction, lease));
    // Of an attempt before, which left out others.
    ARROW_RETURN_NOT_OK(transaction
                            .Run("UPDATE dead_letters SET replay_load = '' WHERE "
                                 "replay_load = ? AND replay_load <> '' AND "
                                 "state = 'STORED'",
                                 {load_id})
                            .status());
    for (const auto& id : ids) {
      ARROW_RETURN_NOT_OK(transaction
                              .Run("UPDATE dead_letters SET replay_load = ? WHERE "
                                   "id = ? AND state = 'STORED'",
                                   {load_id, string_view(id)})
                              .status());
    }
    return arrow::Status::OK();
  });
}

arrow::Status SqliteDeadLetterStore::Refuse(const Lease& lease, string_view id,
                                            const NewDeadLetter& why, string_view now) {
  return database_.Write([&](Transaction& transaction) -> arrow::Status {
    ARROW_RETURN_NOT_OK(CheckLease(transaction, lease));
    return transaction
        .Run(
            "UPDATE dead_letters SET code = ?, field = ?, message = ?, at = ?, "
            "attempts = attempts + 1, replay_load = '' WHERE id = ? AND "
            "state = 'STORED'",
            {string_view(why.code), string_view(why.field), string_view(why.message), now,
             id})
        .status();
  });
}

arrow::Result<std::vector<DeadLetter>> SqliteDeadLetterStore::List(
    const DeadLetterQuery& query) {
  std::vector<DeadLetter> letters;
  Values values;
  const std::string condition = Condition(query, &values);
  values.emplace_back(static_cast<int64_t>(query.limit));
  ARROW_RETURN_NOT_OK(database_.Read([&](Transaction& transaction) {
    return transaction
        .Run("SELECT " + std::string(kLetterColumns) + " FROM dead_letters" + condition +
                 " ORDER BY seq LIMIT ?",
             values, [&](const Row& row) { letters.push_back(ReadLetter(row)); })
        .status();
  }));
  return letters;
}

arrow::Result<std::optional<DeadLetter>> SqliteDeadLetterStore::Get(string_view id) {
  DeadLetterQuery query;
  query.ids = {std::string(id)};
  query.limit = 1;
  ARROW_ASSIGN_OR_RAISE(auto found, List(query));
  if (found.empty()) return std::nullopt;
  return std::move(found.front());
}

arrow::Result<int64_t> SqliteDeadLetterStore::Drop(const DeadLetterQuery& query,
                                                   const AuditRecord* audit) {
  Values values;
  const std::string condition = Condition(query, &values);
  int64_t dropped = 0;
  ARROW_RETURN_NOT_OK(database_.Write([&](Transaction& transaction) -> arrow::Status {
    ARROW_ASSIGN_OR_RAISE(
        dropped, transaction.Run("DELETE FROM dead_letters" + condition, values));
    return dropped > 0 ? WriteAudit(transaction, audit) : arrow::Status::OK();
  }));
  return dropped;
}

arrow::Result<int64_t> SqliteDeadLetterStore::Prune(string_view before) {
  constexpr const char* kOld[] = {
      "DELETE FROM dead_letters WHERE seq IN (SELECT seq FROM dead_letters WHERE "
      "state = 'REPLAYED' AND replayed_at < ?1 LIMIT ?2)",
      "DELETE FROM dead_letters WHERE seq IN (SELECT l.seq FROM rejections AS r JOIN "
      "dead_letters AS l ON l.load_id = r.load_id AND l.stage = r.stage WHERE r.at < ?1 "
      "AND r.settled = 0 AND l.state = 'HELD' AND NOT EXISTS (SELECT 1 FROM packages AS "
      "p WHERE p.load_id = r.load_id) AND NOT EXISTS (SELECT 1 FROM intents AS i WHERE "
      "i.load_id = r.load_id) LIMIT ?2)",
      "DELETE FROM rejections WHERE (load_id, stage) IN (SELECT load_id, stage FROM "
      "rejections AS r WHERE at < ?1 AND NOT EXISTS (SELECT 1 FROM dead_letters AS l "
      "WHERE l.load_id = r.load_id AND l.stage = r.stage) AND (settled = 1 OR (NOT "
      "EXISTS (SELECT 1 FROM intents AS i WHERE i.load_id = r.load_id) AND NOT EXISTS "
      "(SELECT 1 FROM packages AS p WHERE p.load_id = r.load_id))) LIMIT ?2)"};
  int64_t pruned = 0;
  for (const char* sql : kOld) {
    for (int64_t gone = kLettersAtOnce; gone == kLettersAtOnce;) {
      ARROW_RETURN_NOT_OK(database_.Write([&](Transaction& transaction) {
        return transaction.Run(sql, {before, kLettersAtOnce}).Value(&gone);
      }));
      pruned += gone;
    }
  }
  return pruned;
}

}  // namespace dxt
