#pragma once
// The target half of a stream's run: own the chain, convert, check, write, commit.
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

#include "engine/plan/convert.h"
#include "engine/run/prepared_stream.h"
#include "engine/run/rejects.h"
#include "engine/run/value_check.h"

namespace dxt {

class StreamMeter;

/// Bumps the chain's fence and settles what a process that ended too early left: when
/// the journal's pending load turns out to be committed, saves its checkpoint and returns
/// its record, and that window must not be loaded again.
arrow::Result<std::optional<LoadRecord>> TakeOver(PreparedStream& stream,
                                                  const RunContext& context,
                                                  StreamMeter& meter,
                                                  Ownership* ownership,
                                                  std::stop_token stop);

/// Loads windows: Make -> Own -> (Begin -> Append* -> Commit)+. Used by one thread at a
/// time, but that each writer may have one for Append and Reject; the PreparedStream must
/// outlive it. Destroying it before Commit leaves the target as it was after the last
/// one.
class Loader {
 public:
  /// `incoming`: schema of the batches, one column per PlannedColumn, in its order.
  static arrow::Result<std::unique_ptr<Loader>> Make(
      PreparedStream& stream, const RunContext& context, StreamMeter& meter,
      std::shared_ptr<arrow::Schema> incoming);
  ~Loader();

  /// TakeOver, for the window that follows.
  arrow::Result<std::optional<LoadRecord>> Own(std::stop_token stop);

  /// Opens up to `most` writers. `record` carries load_id, cursors and hashes; window_seq
  /// is filled in from the target. kTransient "load.moved" when another run committed to
  /// the chain since the stream was planned.
  arrow::Status Begin(LoadRecord record, std::stop_token stop, int most = 1);
  int writers() const { return static_cast<int>(hands_.size()); }
  arrow::Status Append(const arrow::RecordBatch& batch, std::stop_token stop) {
    return Append(0, batch, std::nullopt, stop);
  }
  /// By one of the writers. `ordinal`: of the batch's first row, where rows do not come
  /// in the source's order.
  arrow::Status Append(int writer, const arrow::RecordBatch& batch,
                       std::optional<int64_t> ordinal, std::stop_token stop);
  /// `batch` as it would be written, converted and checked, without the rows that are
  /// left out. Needs no writer.
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Deliverable(
      const arrow::RecordBatch& batch) {
    return Deliverable(hands_.front(), batch);
  }
  /// Rows of this window that were left out before it.
  void Reject(std::vector<RejectedRow> rows, int writer = 0);
  /// Values of this window that were changed before it.
  void Changed(const ValueChanges& changed, int writer = 0) {
    hands_[writer].changed.Add(changed);
  }
  /// What was changed since the last call.
  ValueChanges TakeChanged();
  /// What was left out so far; it is the caller's then, and not stored with the commit.
  std::vector<RejectedRow> TakeRejected();
  /// The writer itself reads sealed Parquet segments; only when `CanReadFiles`.
  arrow::Status AppendFiles(const std::vector<std::string>& paths, std::stop_token stop);
  /// True when the target reads Parquet and no column needs a conversion or a check.
  bool CanReadFiles() const;
  /// Finish, journal the intent, guard, commit, save the checkpoint. An unknown outcome
  /// is looked up, never repeated.
  arrow::Result<CommitResult> Commit(std::string cursor_after, std::stop_token stop);

  const LoadRecord& record() const { return record_; }

 private:
  /// One writer, and what is known of the rows that went through it.
  struct Hand {
    std::unique_ptr<Writer> writer;
    std::unique_ptr<RowRejecter> rejecter;  ///< Null where none may be.
    std::vector<RejectedRow> rejected;      ///< Of the window.
    ValueChanges changed;                   ///< Likewise.
    int64_t rows = 0;
  };

  Loader(PreparedStream& stream, const RunContext& context, StreamMeter& meter)
      : stream_(stream), context_(context), meter_(meter) {}

  arrow::Status Prepare(std::shared_ptr<arrow::Schema> incoming);
  arrow::Result<Hand> MakeHand() const;
  /// With fewer hands where the target has no room for all of them.
  arrow::Status OpenWriters(std::stop_token stop);
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Deliverable(
      Hand& hand, const arrow::RecordBatch& batch) const;
  bool NeedsValue(size_t column) const;
  arrow::Result<std::shared_ptr<arrow::Array>> ConvertColumn(
      const Hand& hand, const arrow::RecordBatch& batch, size_t column, int64_t from,
      int64_t* bad_row, ValueChanges* changed) const;
  arrow::Status MissingValue(const Hand& hand, size_t column,
                             const arrow::Array& array) const;
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Convert(
      Hand& hand, const arrow::RecordBatch& batch) const;
  arrow::Status BadValue(const arrow::Status& status, const Hand& hand,
                         const arrow::RecordBatch& batch, int64_t row,
                         const PlannedColumn& column) const;
  arrow::Result<CommitResult> Settle(const arrow::Status& failure);
  CommitGuards Guards() const;

  PreparedStream& stream_;
  const RunContext& context_;
  StreamMeter& meter_;
  std::vector<std::unique_ptr<Conversion>> conversions_;  ///< Null for raw columns.
  std::vector<ValueCheck> checks_;
  std::vector<ValueMender> menders_;
  std::shared_ptr<arrow::Schema> incoming_, outgoing_;
  Ownership ownership_;
  LoadRecord record_;
  WriteSpec write_;
  std::vector<Hand> hands_;  ///< At least one.
};

}  // namespace dxt
