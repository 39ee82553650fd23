#include <tuple>

#include "base/error.h"
#include "state/sqlite/facets.h"

namespace dxt {
namespace {

using Row = StateDatabase::Row;
using Transaction = StateDatabase::Transaction;
using Value = StateDatabase::Value;

/// Columns that cursors and intents share, in the order of the schema.
constexpr char kCheckpointColumns[] =
    "window_seq, load_id, run, cursor_before, cursor_after, read_from, row_count, "
    "rows_deleted, mode, schema_hash, package_hash, fingerprint, target, target_ident, "
    "committed_at, cursor_type";

Checkpoint ReadCheckpoint(const Row& row, int at) {
  Checkpoint c;
  c.window_seq = row.Integer(at++);
  c.load_id = row.Text(at++);
  c.run = row.Text(at++);
  c.cursor_before = row.Text(at++);
  c.cursor_after = row.Text(at++);
  c.read_from = row.Text(at++);
  c.rows = row.Integer(at++);
  c.rows_deleted = row.Integer(at++);
  c.mode = row.Text(at++);
  c.schema_hash = row.Text(at++);
  c.package_hash = row.Text(at++);
  c.fingerprint = row.Text(at++);
  c.target = row.Text(at++);
  c.target_ident = row.Text(at++);
  c.committed_at = row.Text(at++);
  c.cursor_type = row.Text(at++);
  return c;
}

std::vector<Value> KeyValues(const ChainKey& key) {
  return {std::string_view(key.pipeline), std::string_view(key.stream),
          std::string_view(key.lane)};
}

std::vector<Value> RowValues(const ChainKey& key, const Checkpoint& c) {
  auto values = KeyValues(key);
  const std::vector<Value> rest = {c.window_seq,
                                   std::string_view(c.load_id),
                                   std::string_view(c.run),
                                   std::string_view(c.cursor_before),
                                   std::string_view(c.cursor_after),
                                   std::string_view(c.read_from),
                                   c.rows,
                                   c.rows_deleted,
                                   std::string_view(c.mode),
                                   std::string_view(c.schema_hash),
                                   std::string_view(c.package_hash),
                                   std::string_view(c.fingerprint),
                                   std::string_view(c.target),
                                   std::string_view(c.target_ident),
                                   std::string_view(c.committed_at),
                                   std::string_view(c.cursor_type)};
  values.insert(values.end(), rest.begin(), rest.end());
  return values;
}

/// Of RowValues, and of `further` behind them.
std::string InsertCheckpoint(const std::string& table, const std::string& further,
                             size_t values) {
  std::string sql = "INSERT OR REPLACE INTO " + table + " (pipeline, stream, lane, " +
                    kCheckpointColumns + further + ") VALUES (?";
  for (size_t i = 1; i < values; ++i) sql += ", ?";
  return sql + ")";
}

arrow::Result<std::optional<Checkpoint>> FindCheckpoint(StateDatabase& database,
                                                        const std::string& table,
                                                        const ChainKey& key) {
  std::optional<Checkpoint> found;
  ARROW_RETURN_NOT_OK(database.Read([&](Transaction& transaction) {
    return transaction
        .Run("SELECT " + std::string(kCheckpointColumns) + " FROM " + table +
                 " WHERE pipeline = ? AND stream = ? AND lane = ?",
             KeyValues(key), [&](const Row& row) { found = ReadCheckpoint(row, 0); })
        .status();
  }));
  return found;
}

/// Forgets what `table` has of one load.
arrow::Status DeleteOfLoad(Transaction& transaction, const std::string& table,
                           const ChainKey& key, std::string_view load_id) {
  auto values = KeyValues(key);
  values.push_back(load_id);
  return transaction
      .Run("DELETE FROM " + table +
               " WHERE pipeline = ? AND stream = ? AND lane = ? AND load_id = ?",
           values)
      .status();
}

arrow::Result<bool> IsPending(Transaction& transaction, const ChainKey& key,
                              std::string_view load_id) {
  auto values = KeyValues(key);
  values.push_back(load_id);
  bool pending = false;
  ARROW_RETURN_NOT_OK(
      transaction
          .Run("SELECT 1 FROM intents WHERE pipeline = ? AND stream = ? AND lane = ? AND "
               "load_id = ?",
               values, [&](const Row&) { pending = true; })
          .status());
  return pending;
}

std::string_view KindName(Directive::Kind kind) {
  switch (kind) {
    case Directive::Kind::kReset:
      return "reset";
    case Directive::Kind::kAccept:
      return "accept";
    case Directive::Kind::kSet:
      return "set";
  }
  return "reset";
}

/// Of settled loads; `chains` are in the order of their keys.
arrow::Status AddGaps(Transaction& transaction, std::string_view pipeline,
                      std::vector<ChainRecord>& chains) {
  auto chain = chains.begin();
  return transaction
      .Run(
          "SELECT pipeline, stream, lane, after_value, up_to, load_id, run FROM gaps AS "
          "g "
          "WHERE (?1 = '' OR pipeline = ?1) AND NOT EXISTS (SELECT 1 FROM intents AS i "
          "WHERE i.load_id = g.load_id) ORDER BY pipeline, stream, lane, load_id",
          {pipeline},
          [&](const Row& row) {
            const auto key = std::tuple(row.Text(0), row.Text(1), row.Text(2));
            const auto of = [](const ChainRecord& record) {
              return std::tie(record.key.pipeline, record.key.stream, record.key.lane);
            };
            while (chain != chains.end() && of(*chain) < key) ++chain;
            if (chain == chains.end() || of(*chain) != key) return;
            chain->gaps.push_back({row.Text(3), row.Text(4), row.Text(5), row.Text(6)});
          })
      .status();
}

Directive ReadDirective(const Row& row, int at) {
  Directive directive;
  const std::string kind = row.Text(at);
  directive.kind = kind == "set"      ? Directive::Kind::kSet
                   : kind == "accept" ? Directive::Kind::kAccept
                                      : Directive::Kind::kReset;
  directive.value = row.Text(at + 1);
  directive.made_at = row.Text(at + 2);
  return directive;
}

}  // namespace

arrow::Result<std::optional<Checkpoint>> SqliteCursorStore::Load(const ChainKey& key) {
  return FindCheckpoint(database_, "cursors", key);
}

arrow::Status SqliteCursorStore::Save(const Lease& lease, const ChainKey& key,
                                      const Checkpoint& checkpoint,
                                      std::string_view now) {
  return database_.Write([&](Transaction& transaction) -> arrow::Status {
    ARROW_RETURN_NOT_OK(CheckLease(transaction, lease));
    auto values = RowValues(key, checkpoint);
    values.push_back(now);
    ARROW_RETURN_NOT_OK(
        transaction
            .Run(InsertCheckpoint("cursors", ", updated_at", values.size()), values)
            .status());
    ARROW_RETURN_NOT_OK(
        transaction
            .Run("DELETE FROM directives WHERE pipeline = ? AND stream = ? AND lane = ?",
                 KeyValues(key))
            .status());
    if (checkpoint.read_from.empty()) {
      ARROW_RETURN_NOT_OK(
          transaction
              .Run("DELETE FROM gaps WHERE pipeline = ? AND stream = ? AND lane = ?",
                   KeyValues(key))
              .status());
    }
    ARROW_RETURN_NOT_OK(SettleRejected(transaction, key, checkpoint, now));
    return DeleteOfLoad(transaction, "intents", key, checkpoint.load_id);
  });
}

arrow::Result<std::vector<ChainRecord>> SqliteCursorStore::List(
    std::string_view pipeline) {
  std::vector<ChainRecord> chains;
  const std::string sql =
      "SELECT k.pipeline, k.stream, k.lane, c.pipeline IS NOT NULL, d.kind, d.value, "
      "d.made_at, coalesce(c.updated_at, d.made_at), " +
      std::string(kCheckpointColumns) +
      " FROM (SELECT pipeline, stream, lane FROM cursors UNION "
      "SELECT pipeline, stream, lane FROM directives) AS k "
      "LEFT JOIN cursors AS c USING (pipeline, stream, lane) "
      "LEFT JOIN directives AS d USING (pipeline, stream, lane) "
      "WHERE ?1 = '' OR k.pipeline = ?1 ORDER BY k.pipeline, k.stream, k.lane";
  ARROW_RETURN_NOT_OK(database_.Read([&](Transaction& transaction) -> arrow::Status {
    ARROW_RETURN_NOT_OK(transaction
                            .Run(sql, {pipeline},
                                 [&](const Row& row) {
                                   ChainRecord chain;
                                   chain.key = {row.Text(0), row.Text(1), row.Text(2)};
                                   if (row.Integer(3))
                                     chain.checkpoint = ReadCheckpoint(row, 8);
                                   if (!row.IsNull(4))
                                     chain.directive = ReadDirective(row, 4);
                                   chain.updated_at = row.Text(7);
                                   chains.push_back(std::move(chain));
                                 })
                            .status());
    return AddGaps(transaction, pipeline, chains);
  }));
  return chains;
}

arrow::Result<std::optional<Directive>> SqliteCursorStore::GetDirective(
    const ChainKey& key) {
  std::optional<Directive> found;
  ARROW_RETURN_NOT_OK(database_.Read([&](Transaction& transaction) {
    return transaction
        .Run(
            "SELECT kind, value, made_at FROM directives WHERE pipeline = ? AND "
            "stream = ? AND lane = ?",
            KeyValues(key), [&](const Row& row) { found = ReadDirective(row, 0); })
        .status();
  }));
  return found;
}

arrow::Status SqliteCursorStore::SetDirective(const ChainKey& key,
                                              const Directive& directive) {
  auto values = KeyValues(key);
  values.push_back(KindName(directive.kind));
  values.push_back(std::string_view(directive.value));
  values.push_back(std::string_view(directive.made_at));
  return database_.Write([&](Transaction& transaction) {
    return transaction
        .Run("INSERT OR REPLACE INTO directives VALUES (?, ?, ?, ?, ?, ?)", values)
        .status();
  });
}

arrow::Status SqliteIntentStore::Record(const Lease& lease, const ChainKey& key,
                                        const Checkpoint& intended) {
  return database_.Write([&](Transaction& transaction) -> arrow::Status {
    ARROW_RETURN_NOT_OK(CheckLease(transaction, lease));
    // What another load meant to leave out, it never will.
    ARROW_RETURN_NOT_OK(
        transaction
            .Run("DELETE FROM gaps WHERE pipeline = ?1 AND stream = ?2 AND lane = ?3 AND "
                 "load_id IN (SELECT load_id FROM intents WHERE pipeline = ?1 AND stream "
                 "= ?2 AND lane = ?3)",
                 KeyValues(key))
            .status());
    if (intended.leaves_gap) {
      auto values = KeyValues(key);
      for (const std::string* text : {&intended.load_id, &intended.run,
                                      &intended.cursor_before, &intended.read_from}) {
        values.push_back(std::string_view(*text));
      }
      ARROW_RETURN_NOT_OK(
          transaction
              .Run("INSERT OR REPLACE INTO gaps VALUES (?, ?, ?, ?, ?, ?, ?)", values)
              .status());
    }
    const auto values = RowValues(key, intended);
    return transaction.Run(InsertCheckpoint("intents", "", values.size()), values)
        .status();
  });
}

arrow::Result<std::optional<Checkpoint>> SqliteIntentStore::Pending(const ChainKey& key) {
  return FindCheckpoint(database_, "intents", key);
}

arrow::Status SqliteIntentStore::Clear(const Lease& lease, const ChainKey& key,
                                       std::string_view load_id) {
  return database_.Write([&](Transaction& transaction) -> arrow::Status {
    ARROW_RETURN_NOT_OK(CheckLease(transaction, lease));
    ARROW_ASSIGN_OR_RAISE(const bool pending, IsPending(transaction, key, load_id));
    // After its checkpoint was saved there is nothing left to clear, and the gap stays.
    if (!pending) return arrow::Status::OK();
    ARROW_RETURN_NOT_OK(DeleteOfLoad(transaction, "gaps", key, load_id));
    return DeleteOfLoad(transaction, "intents", key, load_id);
  });
}

}  // namespace dxt
