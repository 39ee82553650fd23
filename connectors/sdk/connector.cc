#include "connectors/sdk/connector.h"

#include "base/error.h"
#include "connectors/sdk/source.h"

namespace dxt {

const std::vector<std::pair<Capability, std::string_view>>& CapabilityNames() {
  static const std::vector<std::pair<Capability, std::string_view>> names = {
      {Capability::kRead, "read"},
      {Capability::kDiscover, "discover"},
      {Capability::kPushdown, "pushdown"},
      {Capability::kSql, "sql"},
      {Capability::kSplit, "split"},
      {Capability::kResume, "resume"},
      {Capability::kReadAgain, "read_again"},
      {Capability::kWrite, "write"},
      {Capability::kAppend, "append"},
      {Capability::kReplace, "replace"},
      {Capability::kUpsert, "upsert"},
      {Capability::kDelete, "delete"},
      {Capability::kHistory, "history"},
      {Capability::kAtomicCommit, "atomic_commit"},
      {Capability::kLedger, "ledger"},
      {Capability::kReadsParquet, "reads_parquet"},
      {Capability::kRawValues, "raw_values"},
      {Capability::kEmbedded, "embedded"},
      {Capability::kManyWriters, "many_writers"},
  };
  return names;
}

std::string_view StreamKindName(StreamKind kind) {
  switch (kind) {
    case StreamKind::kTable:
      return "table";
    case StreamKind::kView:
      return "view";
    case StreamKind::kQuery:
      return "query";
    case StreamKind::kFile:
      return "file";
    case StreamKind::kApi:
      return "api";
  }
  return "table";
}

std::string_view LoadModeName(LoadMode mode) {
  switch (mode) {
    case LoadMode::kAppend:
      return "append";
    case LoadMode::kReplace:
      return "replace";
    case LoadMode::kUpsert:
      return "upsert";
    case LoadMode::kMirror:
      return "mirror";
    case LoadMode::kInsertOnly:
      return "insert_only";
    case LoadMode::kDeleteInsert:
      return "delete_insert";
    case LoadMode::kHistory:
      return "scd2";
  }
  return "append";
}

std::string MirrorText(const MirrorSpec& mirror) {
  const bool tracked = mirror.scope == MirrorScope::kTracked;
  const std::string which =
      tracked ? "rows that this stream loaded and the source no longer has"
              : "rows that the source does not have";
  if (mirror.soft_delete_column.empty()) return which + " are deleted";
  return which + " are marked in " + mirror.soft_delete_column;
}

std::string HistoryText(const HistorySpec& history) {
  return "rows that changed get a new version" +
         std::string(history.closes_unseen
                         ? ", versions that the source no longer has are closed"
                         : "; rows that the source no longer has stay open");
}

std::vector<std::string> TableSpec::PrimaryKey() const {
  if (mode == LoadMode::kDeleteInsert || null_keys) return {};
  auto unique = keys;
  if (mode == LoadMode::kHistory) unique.push_back(history.valid_from);
  return unique;
}

std::vector<TimeColumn> TableSpec::TimeColumns() const {
  std::vector<TimeColumn> columns;
  if (!mirror.soft_delete_column.empty()) {
    columns.push_back({mirror.soft_delete_column, "load.mirror.soft_delete_column"});
  }
  if (mode == LoadMode::kHistory) {
    columns.push_back({history.valid_from, "load.scd2.valid_from", /*nullable=*/false});
    columns.push_back({history.valid_to, "load.scd2.valid_to"});
  }
  return columns;
}

std::string_view ReplaceStrategyName(ReplaceStrategy strategy) {
  switch (strategy) {
    case ReplaceStrategy::kAuto:
      return "auto";
    case ReplaceStrategy::kSwap:
      return "swap";
    case ReplaceStrategy::kRewrite:
      return "rewrite";
    case ReplaceStrategy::kRecreate:
      return "recreate";
  }
  return "auto";
}

std::string_view GuaranteeName(Guarantee guarantee) {
  switch (guarantee) {
    case Guarantee::kExactlyOnceTxn:
      return "exactly_once_txn";
    case Guarantee::kExactlyOnceIdempotent:
      return "exactly_once_idempotent";
    case Guarantee::kAtLeastOnce:
      return "at_least_once";
  }
  return "at_least_once";
}

const TargetColumn* TargetTable::Find(std::string_view name) const {
  for (const auto& column : columns) {
    if (column.name == name) return &column;
  }
  return nullptr;
}

arrow::Status Reader::Acknowledge(const Position&) { return arrow::Status::OK(); }

arrow::Result<std::vector<Field>> Source::DescribeExpressions(
    const StreamRef&, const std::vector<std::string>&, std::stop_token) {
  return MakeError(
      ErrorClass::kUnsupported, "source.no_expressions",
      "This source has no SQL, so `source.expression` cannot be used",
      "Name a column in `source`, or load first and use an SQL source after");
}

arrow::Result<std::vector<std::string>> Destination::Lanes(const StreamIdentity&,
                                                           std::stop_token) {
  return std::vector<std::string>();
}

arrow::Status Destination::Settle(const StreamIdentity&, std::stop_token) {
  return arrow::Status::OK();
}

int Destination::MostWriters(const WriteSpec&) const { return 1; }

arrow::Result<std::vector<std::string>> Destination::AdministratorSql(const TableSpec&,
                                                                      const TargetTable&,
                                                                      const TablePlan&,
                                                                      std::stop_token) {
  return std::vector<std::string>();
}

void Writer::Place(int64_t) {}

arrow::Status Writer::AppendFiles(std::span<const std::string>, std::stop_token) {
  return MakeError(ErrorClass::kUnsupported, "target.no_files",
                   "This target does not read Parquet files itself");
}

Capabilities Connector::CapabilitiesOf(const ConfigView&) const {
  return info().capabilities;
}

Guarantee Connector::GuaranteeOf(const ConfigView&) const { return info().guarantee; }

arrow::Result<std::unique_ptr<Source>> Connector::OpenSource(const ConfigView&,
                                                             const ConnectorContext&,
                                                             std::stop_token) const {
  return MakeError(ErrorClass::kUnsupported, "connector.not_a_source",
                   std::string(info().name) + " cannot be read from");
}

arrow::Result<std::unique_ptr<Destination>> Connector::OpenDestination(
    const ConfigView&, const ConnectorContext&, std::stop_token) const {
  return MakeError(ErrorClass::kUnsupported, "connector.not_a_target",
                   std::string(info().name) + " cannot be written to");
}

}  // namespace dxt
