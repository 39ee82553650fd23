#include <algorithm>
#include <array>

#include "base/error.h"
#include "state/sqlite/facets.h"

namespace dxt {
namespace {

using Row = StateDatabase::Row;
using Transaction = StateDatabase::Transaction;
using Values = StateDatabase::Values;
using std::string_view;

/// Stored by their place here, so that "or above" is a comparison.
constexpr std::array<string_view, 4> kSeverities = {"DEBUG", "INFO", "WARNING", "ERROR"};

int64_t SeverityRank(string_view severity) {
  const auto* const found = std::find(kSeverities.begin(), kSeverities.end(), severity);
  return found == kSeverities.end() ? 1 : found - kSeverities.begin();
}

}  // namespace

arrow::Status WriteAudit(Transaction& transaction, const AuditRecord* audit) {
  if (audit == nullptr) return arrow::Status::OK();
  return transaction
      .Run(
          "INSERT INTO audit (at, principal, action, resource, detail) "
          "VALUES (?, ?, ?, ?, ?)",
          {string_view(audit->at), string_view(audit->principal),
           string_view(audit->action), string_view(audit->resource),
           string_view(audit->detail)})
      .status();
}

arrow::Result<int64_t> ReadNumber(StateDatabase& database, string_view sql) {
  int64_t number = 0;
  ARROW_RETURN_NOT_OK(database.Read([&](Transaction& transaction) {
    return transaction.Run(sql, {}, [&](const Row& row) { number = row.Integer(0); })
        .status();
  }));
  return number;
}

arrow::Result<int64_t> AppendLines(Transaction& transaction, string_view run,
                                   std::span<const LogRecord> lines) {
  int64_t seq = 0;
  bool exists = false;
  ARROW_RETURN_NOT_OK(
      transaction
          .Run("SELECT (SELECT max(seq) FROM run_logs WHERE run = ?1) FROM runs "
               "WHERE id = ?1",
               {run},
               [&](const Row& row) {
                 exists = true;
                 seq = row.Integer(0);
               })
          .status());
  if (!exists) {
    return MakeError(ErrorClass::kConfig, "run.not_found",
                     "there is no run " + std::string(run));
  }
  for (const LogRecord& line : lines) {
    ARROW_RETURN_NOT_OK(transaction
                            .Run("INSERT INTO run_logs VALUES (?, ?, ?, ?, ?, ?, ?)",
                                 {run, ++seq, string_view(line.time),
                                  SeverityRank(line.severity), string_view(line.stream),
                                  string_view(line.event), string_view(line.message)})
                            .status());
  }
  constexpr int64_t kMost = LogStore::kLinesPerRun;
  if (seq > kMost) {
    ARROW_RETURN_NOT_OK(
        transaction
            .Run("DELETE FROM run_logs WHERE run = ? AND seq <= ?", {run, seq - kMost})
            .status());
  }
  return seq;
}

arrow::Result<int64_t> SqliteLogStore::Append(string_view run,
                                              std::span<const LogRecord> lines) {
  int64_t seq = 0;
  ARROW_RETURN_NOT_OK(database_.Write([&](Transaction& transaction) {
    return AppendLines(transaction, run, lines).Value(&seq);
  }));
  return seq;
}

arrow::Result<std::vector<LogRecord>> SqliteLogStore::Read(string_view run, int64_t after,
                                                           int limit,
                                                           string_view min_severity,
                                                           string_view stream) {
  std::string condition = "WHERE run = ?1 AND seq > ?2 ";
  Values values = {run, after, int64_t{limit}};
  if (!min_severity.empty()) {
    values.emplace_back(SeverityRank(min_severity));
    condition += "AND severity >= ?" + std::to_string(values.size()) + " ";
  }
  if (!stream.empty()) {
    values.emplace_back(stream);
    condition += "AND stream = ?" + std::to_string(values.size()) + " ";
  }
  std::vector<LogRecord> lines;
  ARROW_RETURN_NOT_OK(database_.Read([&](Transaction& transaction) {
    return transaction
        .Run("SELECT seq, time, severity, stream, event, message FROM run_logs " +
                 condition + "ORDER BY seq LIMIT ?3",
             values,
             [&](const Row& row) {
               lines.push_back({row.Integer(0), row.Text(1),
                                std::string(kSeverities[row.Integer(2) & 3]), row.Text(3),
                                row.Text(4), row.Text(5)});
             })
        .status();
  }));
  return lines;
}

arrow::Status SqliteAuditStore::Append(const AuditRecord& record) {
  return database_.Write(
      [&](Transaction& transaction) { return WriteAudit(transaction, &record); });
}

arrow::Result<std::vector<AuditRecord>> SqliteAuditStore::List(int64_t before_id,
                                                               int limit) {
  std::vector<AuditRecord> records;
  ARROW_RETURN_NOT_OK(database_.Read([&](Transaction& transaction) {
    return transaction
        .Run(
            "SELECT id, at, principal, action, resource, detail FROM audit "
            "WHERE id < ? ORDER BY id DESC LIMIT ?",
            {before_id == 0 ? INT64_MAX : before_id, int64_t{limit}},
            [&](const Row& row) {
              records.push_back({row.Integer(0), row.Text(1), row.Text(2), row.Text(3),
                                 row.Text(4), row.Text(5)});
            })
        .status();
  }));
  return records;
}

}  // namespace dxt
