#pragma once
// The engine's part of the write protocol, in its simplest form.
#include <memory>
#include <string>
#include <vector>

#include "connectors/sdk/destination.h"
#include "tests/conformance/harness.h"
#include "tests/conformance/values.h"

namespace dxt::conformance {

/// What a load is to do; columns are `schema`'s.
struct Wanted {
  std::string table = "people";
  StreamSchema schema;
  LoadMode mode = LoadMode::kAppend;
  std::vector<std::string> keys;
  std::string pipeline = "suite/people";
  std::string dedup_column;
  bool duplicate_keys_fail = false;
  MirrorSpec mirror;
  HistorySpec history;
  bool keep_newer = false;
  bool forget_keys = false;
};

/// `people`: id int64 NOT NULL, name string.
StreamSchema People();
Wanted PeopleBy(LoadMode mode, std::vector<std::string> keys = {});

StreamIdentity IdentityOf(Harness& harness, const Wanted& wanted);
/// Describe and PlanTable; no epoch yet.
arrow::Result<WriteSpec> SpecOf(Harness& harness, Destination& target,
                                const Wanted& wanted);
/// Acquires the stream: epoch, window_seq and load_id of `spec`.
arrow::Result<Ownership> AcquireFor(Destination& target, WriteSpec* spec);
/// A batch of the types that the spec's writer must be handed.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> DeliveredBatch(const WriteSpec& spec,
                                                                  const Rows& rows);
/// Opens a writer, appends the rows in one batch, finishes it.
arrow::Result<WriteReceipt> WriteRows(Destination& target, const WriteSpec& spec,
                                      const Rows& rows);
/// A record that continues the chain from `last`.
LoadRecord RecordOf(const WriteSpec& spec, const std::optional<LoadRecord>& last);
/// All of it: plan, acquire, write, commit.
arrow::Result<CommitResult> Load(Harness& harness, Destination& target,
                                 const Wanted& wanted, const Rows& rows,
                                 const CommitGuards& guards = {});

/// Rows of a table, sorted; nullopt when there is no such table.
arrow::Result<std::optional<Rows>> RowsIn(Harness& harness, const std::string& table);

/// A ReadSpec of all columns of a described stream.
ReadSpec ReadAllOf(const StreamRef& ref, const StreamInfo& info);
/// Reads all splits of `spec`; rows in the order in which they came.
arrow::Result<Rows> ReadRows(Source& source, const ReadSpec& spec);

}  // namespace dxt::conformance
