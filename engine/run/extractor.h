#pragma once
// The source half of a stream's run: read, filter, follow the cursor, convert to fields.
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

#include "engine/plan/convert.h"
#include "engine/run/batch_queue.h"
#include "engine/run/boundary.h"
#include "engine/run/filter.h"
#include "engine/run/prepared_stream.h"
#include "engine/run/rejects.h"
#include "engine/run/value_mender.h"
#include "engine/run/window_cutter.h"

namespace dxt {

class SplitQueue;
class StreamMeter;

/// The key of a row as JSON, {"id":7}, or {"row":n} where the stream has no key.
std::string RowKey(const arrow::RecordBatch& batch, int64_t row,
                   const std::vector<std::string>& key_ids, int64_t rows_before);

/// Reads one window of one stream. Make, Run once, then ask what was seen. Used by one
/// thread at a time; the PreparedStream must outlive it.
class Extractor {
 public:
  using Sink = std::function<arrow::Status(QueuedBatch)>;

  static arrow::Result<std::unique_ptr<Extractor>> Make(const PreparedStream& stream,
                                                        const RunContext& context,
                                                        StreamMeter& meter);

  /// The columns of the batches that Run hands out: field ids and types, raw columns as
  /// binary.
  const std::shared_ptr<arrow::Schema>& schema() const { return schema_; }
  const StreamSchema& fields() const { return fields_; }

  /// Rows that the target has at the cursor's lower bound already are dropped
  /// (`boundary: inclusive` with append).
  void SkipAtBoundary(std::unique_ptr<Boundary> boundary);

  /// Reads to the end, a limit, or a stop. A batch is empty only when all its rows are
  /// left out. With several readers the sink is called from their threads.
  arrow::Status Run(const Sink& sink, std::stop_token stop);

  /// How many splits are read at a time; known when the first batch is handed out.
  int readers() const { return readers_; }
  /// The largest cursor among the rows handed out, nullopt when there was none.
  const std::optional<std::string>& last_cursor() const { return last_cursor_; }
  int64_t rows_skipped() const { return rows_skipped_; }
  /// Everything in range was read: neither a limit nor the source left anything out.
  bool complete() const { return !full_ && !held_back_; }
  /// What the source left to a later read.
  const std::optional<HeldBack>& held_back() const { return held_back_; }
  /// What the source cannot promise about this read.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  Extractor(const PreparedStream& stream, const RunContext& context, StreamMeter& meter)
      : stream_(stream), context_(context), meter_(meter) {}

  arrow::Status Prepare();
  /// Another one for splits of the same read.
  arrow::Result<std::unique_ptr<Extractor>> Fork(int number) const;
  arrow::Status RunTogether(std::vector<Split> splits, const Sink& sink,
                            std::stop_token stop);
  arrow::Status ReadFrom(SplitQueue& splits, const Sink& sink, std::stop_token stop);
  arrow::Result<std::unique_ptr<Reader>> Open(SplitQueue& splits, const Split& split,
                                              std::stop_token stop);
  arrow::Status ReadSplit(Reader& reader, int32_t number, const Sink& sink,
                          std::stop_token stop);
  arrow::Status Take(std::shared_ptr<arrow::RecordBatch> batch, const Sink& sink);
  arrow::Status TakeWindows(const std::shared_ptr<arrow::RecordBatch>& batch,
                            const Sink& sink);
  arrow::Status HandOut(std::shared_ptr<arrow::RecordBatch> batch, const Sink& sink);
  arrow::Status LeaveOutRecords(const std::vector<BadRecord>& records);
  /// What was left out behind the last row.
  arrow::Status HandOutRejected(const Sink& sink);
  arrow::Status FollowCursor(const arrow::RecordBatch& batch);
  arrow::Result<int64_t> RowsWithinLimit(const arrow::RecordBatch& batch);
  arrow::Status PrepareRejecter();
  arrow::Result<std::shared_ptr<arrow::Array>> ConvertColumn(
      const arrow::RecordBatch& batch, int column, int64_t from, int64_t* bad_row,
      ValueChanges* changed) const;
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Convert(
      const arrow::RecordBatch& batch, ValueChanges* changed);
  /// `batch` without the rows that cannot be converted.
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> LeaveOut(
      const std::shared_ptr<arrow::RecordBatch>& batch,
      std::vector<RejectedRow>* rejected);
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> DropBoundary(
      std::shared_ptr<arrow::RecordBatch> batch,
      const std::shared_ptr<arrow::Array>& cursors);

  const PreparedStream& stream_;
  const RunContext& context_;
  StreamMeter& meter_;
  BatchPlace place_;  ///< Of the next batch.
  int readers_ = 1;
  std::shared_ptr<std::atomic<int64_t>> bytes_;  ///< Read by all forks.
  ReadSpec read_;                      ///< With the hidden columns that filters need.
  std::unique_ptr<RowFilter> filter_;  ///< Null when the source filters.
  std::vector<std::unique_ptr<Conversion>> conversions_;  ///< Null for raw and generated.
  std::vector<ValueMender> menders_;
  std::vector<std::shared_ptr<arrow::Array>> constants_;  ///< One element, for generated.
  StreamSchema fields_;
  std::shared_ptr<arrow::Schema> schema_;
  std::unique_ptr<Boundary> boundary_;     ///< Null when nothing is known of the bound.
  std::unique_ptr<RowRejecter> rejecter_;  ///< Null where no row may be left out.
  std::vector<RejectedRow> left_out_;      ///< Records; go with the next batch.
  std::optional<std::string> last_cursor_;
  std::optional<HeldBack> held_back_;
  std::vector<std::string> notes_;
  std::optional<WindowCutter> windows_;
  std::optional<std::string> window_end_;    ///< Not told yet: goes with the next batch.
  bool window_filled_ = false;               ///< Something of this window was handed out.
  std::optional<std::string> limit_cursor_;  ///< The tie that must still be finished.
  int64_t rows_taken_ = 0, rows_skipped_ = 0, rows_seen_ = 0;
  bool full_ = false;  ///< The limit is reached.
};

}  // namespace dxt
