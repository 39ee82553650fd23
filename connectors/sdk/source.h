#pragma once
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

#include "connectors/sdk/stream.h"

namespace dxt {

/// One step of a read: rows, a resume point, both, or the end.
struct ReadStep {
  std::shared_ptr<arrow::RecordBatch> batch;
  std::optional<Position> position;  ///< Every row up to here was returned.
  /// Met since the last step; only with StreamRef::tells_bad_records.
  std::vector<BadRecord> bad;
  bool end = false;
};

/// Reads one split of one stream. Used by one thread at a time. Destroying it at any
/// moment releases the split's resources without blocking for long.
class Reader {
 public:
  virtual ~Reader() = default;
  /// The schema of every batch: ArrowSchema of the ReadSpec's columns, in their order.
  virtual const std::shared_ptr<arrow::Schema>& schema() const = 0;
  /// Blocks until there is something to report; returns kCancelled within 2 s of a stop.
  /// Once it has failed, the reader is dead: the engine opens a new one.
  virtual arrow::Result<ReadStep> Next(std::stop_token stop) = 0;
  /// Bytes that came over the wire (or from disk) so far.
  virtual int64_t bytes_read() const = 0;
  /// Told once `position` is durable at the destination, so that a slot, offset or lease
  /// upstream may move. May be called late, never early.
  virtual arrow::Status Acknowledge(const Position& position);
  /// Known as soon as the reader is open; nullopt = nothing is held back.
  virtual std::optional<HeldBack> held_back() const { return std::nullopt; }
};

/// An open connection to a system that can be read. One per stream and run; used by one
/// thread at a time, but its Readers may run on threads of their own, and it must outlive
/// them. Any text that reaches a user names no secret.
class Source {
 public:
  virtual ~Source() = default;
  /// Proves reachability and credentials, reading no rows.
  virtual arrow::Status Check(std::stop_token stop) = 0;
  /// Lists tables, views or files with their columns, by one catalogue query.
  /// `schema` "" = all that are not the system's own.
  virtual arrow::Result<std::vector<StreamInfo>> Discover(const std::string& schema,
                                                          std::stop_token stop) = 0;
  /// Returns the columns of one stream: all of a table, view or file; those of the result
  /// of a query. A missing table is kConfig "<system>.table_missing" with 'did you mean'.
  virtual arrow::Result<StreamInfo> Describe(const StreamRef& ref,
                                             std::stop_token stop) = 0;
  /// Returns the types of columns that are SQL expressions over `ref`, in their order.
  /// Default: kUnsupported, "expressions need an SQL source".
  virtual arrow::Result<std::vector<Field>> DescribeExpressions(
      const StreamRef& ref, const std::vector<std::string>& expressions,
      std::stop_token stop);
  /// Cuts a read into independent splits (at most `max_splits`), all of one snapshot,
  /// in the order of their rows if they have one. Connectors without kSplit return one.
  virtual arrow::Result<ReadPlan> PlanRead(const ReadSpec& spec, int max_splits,
                                           std::stop_token stop) = 0;
  /// `from`: resume after this position, or from the split's beginning. Of a connector
  /// with kSplit several threads may call this at once; whoever cannot open a split
  /// leaves it to another.
  virtual arrow::Result<std::unique_ptr<Reader>> OpenReader(const ReadSpec& spec,
                                                            const Split& split,
                                                            std::optional<Position> from,
                                                            std::stop_token stop) = 0;
  /// Exact count of what `spec` would read, for dry runs; nullopt when it cannot be had
  /// without reading everything.
  virtual arrow::Result<std::optional<int64_t>> CountRows(const ReadSpec& spec,
                                                          std::stop_token stop) = 0;
};

}  // namespace dxt
