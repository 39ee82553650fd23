#pragma once
// A stream with both ends open and everything decided: what `plan` shows and a run
// carries out.
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "connectors/sdk/connector.h"
#include "connectors/sdk/destination.h"
#include "connectors/sdk/source.h"
#include "engine/plan/plan.h"
#include "engine/run/backfill.h"
#include "engine/run/engine.h"
#include "engine/run/rejects.h"
#include "engine/run/value_mender.h"
#include "engine/run/watermark.h"

namespace dxt {

/// Replays have a chain of their own: they move no watermark.
inline constexpr char kReplayLane[] = "replay";

struct PreparedStream {
  StreamConfig config;
  LoadMode mode = LoadMode::kAppend;  ///< --full-refresh replaces.
  StreamIdentity identity;
  Capabilities source_can, target_can;
  std::unique_ptr<Source> source;  ///< Null when a package is loaded.
  std::unique_ptr<Destination> destination;
  StreamInfo info;
  ColumnPlan columns;
  TableSpec table;
  TargetTable target;
  TablePlan table_plan;
  std::vector<ColumnFit> fits;
  std::vector<bool> raw;  ///< Per PlannedColumn.
  ReadSpec read;
  int readers = 1;               ///< At a time; with several, rows come in any order.
  std::optional<int64_t> limit;  ///< `--limit`; a tie of the cursor is finished.
  std::optional<LoadRecord> last;
  WatermarkDecision watermark;
  std::optional<BackfillDecision> backfill;
  bool windowed = false;  ///< Committed in windows, cut in the order of the cursor.
  bool staged = false;
  bool accept_shrink = false;  ///< --accept-shrink: no guard for this run.
  BufferFormat buffer = BufferFormat::kParquet;
  std::shared_ptr<RejectTally> rejects;  ///< Null where no row may be left out.
  std::vector<Warning> warnings;

  /// Into how many splits the read is cut at most: more than there are readers, so that
  /// these end together though some splits have more rows than others.
  int MostSplits() const { return readers > 1 ? 4 * readers : 1; }
  /// Whether rows without a cursor are to be read; `first` = none was read before.
  bool ReadsNullCursors(bool first) const;
  /// Lets the read begin at the watermark, or `extract.lag` below it.
  arrow::Status BeginAtWatermark();
  /// Where the read really begins; "" = at the first row.
  std::string ReadFrom() const;
  /// Whether the load stands for the whole source: what it does not bring is gone.
  bool Whole() const { return IsWhole(mode) || table.history.closes_unseen; }
  /// Whether it takes away what it does not bring even when nothing is to be written.
  bool TakesAway() const {
    return mode == LoadMode::kMirror || table.history.closes_unseen;
  }
  /// What the ledger calls this load: the mode, and of a mirror also its scope.
  std::string LedgerMode() const;
  /// A backfill's or replay's upsert: later versions that the regular runs have brought
  /// stay.
  bool KeepsNewer() const;
  /// Whether the newest load of this stream left the target that stands there now.
  bool LoadedLast() const;
  /// Tracked mirror: whether the keys that the target keeps are those of its newest load
  /// into this very table.
  bool KeysAreTracked() const;
  const PlannedColumn* Column(const std::string& id) const;
  /// What mends values of a field on their way from `from` to `domain`; nothing does
  /// that of a key, the watermark, or the field that equal keys are sorted by.
  ValueMender Mender(const std::string& id, Field from, ValueDomain domain) const;
  /// What a load of this mode into this target promises.
  Guarantee Promise() const;
  /// Of the watermark field, for the record of the load; "" = none, or not known.
  std::string CursorType() const;
  /// Target column by which the latest of equal keys wins; "" = the last that arrives.
  /// kConfig "plan.column_missing".
  arrow::Result<std::string> DedupColumn() const;
  /// After the first of several windows was committed: the target is what it made of it.
  /// kTransient "load.moved" when somebody altered it meanwhile.
  arrow::Status Replan(std::stop_token stop);
  /// Replaces `destination` by a new connection.
  arrow::Status Reopen(const RunContext& context);

  const Connection* target_connection = nullptr;
};

/// The newest load of a lane: what the target's ledger says or, where it keeps none, the
/// state store.
arrow::Result<std::optional<LoadRecord>> NewestLoad(const PreparedStream& stream,
                                                    const StreamIdentity& identity,
                                                    const RunContext& context,
                                                    std::stop_token stop);

/// What a connector may use of the run; `runtime` also bounds its memory.
ConnectorContext LentTo(const RunContext& context, const RuntimeConfig* runtime);

/// Opens one end of a pipeline with this run's share of memory and threads.
arrow::Result<std::unique_ptr<Source>> OpenSource(const Connection& connection,
                                                  const RunContext& context,
                                                  std::stop_token stop);
/// For one stream, whose `load.options` go before the connection's `options`.
arrow::Result<std::unique_ptr<Destination>> OpenDestination(const Connection& connection,
                                                            const StreamConfig& config,
                                                            const RunContext& context,
                                                            const RuntimeConfig* runtime,
                                                            std::stop_token stop);

}  // namespace dxt
