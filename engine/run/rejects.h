#pragma once
// Rows that are left out of a load in place of failing it (`load.on_error`, and
// `load.values` with quarantine).
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

#include "connectors/sdk/stream.h"
#include "connectors/sdk/types.h"
#include "engine/plan/documents.h"
#include "engine/run/observer.h"

namespace dxt {

class RowJsonWriter;

/// How many rows of a stream were left out, and how many may be. Safe from any thread.
class RejectTally {
 public:
  RejectTally(const LoadConfig& load, std::string stream);

  bool stores() const { return stores_; }
  /// Whether a row that fails so is left out; else it fails the stream.
  bool Takes(const ErrorInfo& why) const;
  /// kData `load.too_many_rejected`, naming `why`, when one more is one too many.
  arrow::Status Count(const arrow::Status& why);
  /// The same once the rows that are kept in memory until the commit hold too much.
  arrow::Status Keep(int64_t bytes);
  /// `rows` came to be read. Their part that may be left out is looked at by CheckShare.
  void Saw(int64_t rows) { seen_ += rows; }
  arrow::Status CheckShare() const;
  int64_t rejected() const { return rejected_; }

 private:
  arrow::Status TooMany(const std::string& limit, const std::string& last) const;

  const bool takes_all_;  ///< Not only what `load.values` quarantines.
  const bool stores_;
  const ValuePolicies values_;
  const int64_t max_rows_;
  const std::optional<double> max_percent_;
  const std::string stream_;
  std::atomic<int64_t> rejected_{0}, seen_{0}, bytes_{0};
};

/// Whether a cell of a text file that is meant for this type travels as text to where its
/// row can be left out.
bool IsReadAsText(const FieldType& type);

/// A record that has no columns, as a row of its file, line and text; counts it. It can
/// be looked at, but no replay can load it.
arrow::Result<RejectedRow> RejectRecord(const BadRecord& record, RejectTally& tally);
/// Whether a dead letter's schema is that of such a row.
bool IsRecordText(const StreamSchema& letter);

/// Takes the rows out of batches that one step cannot make something of. Used by one
/// thread at a time.
class RowRejecter {
 public:
  /// Makes the step's result for rows [from, end) of a column, or fails and says at which
  /// row, counted from `from`.
  using ColumnStep = std::function<arrow::Result<std::shared_ptr<arrow::Array>>(
      int column, int64_t from, int64_t* bad_row)>;

  /// `schema`: the columns as the step receives them, named by field id.
  static arrow::Result<std::unique_ptr<RowRejecter>> Make(
      std::shared_ptr<RejectTally> tally, const StreamSchema& schema,
      std::vector<std::string> key_ids);
  ~RowRejecter();

  /// The rows of `batch` that `step` can take; those that it cannot are appended to
  /// `rejected`. `columns`: one array for each field of the schema. A failure that is not
  /// of one row is returned. Called for each batch, as it may hold such rows, or Pass.
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> LeaveOut(
      const std::shared_ptr<arrow::RecordBatch>& batch, const arrow::ArrayVector& columns,
      const ColumnStep& step, std::vector<RejectedRow>* rejected);
  /// A batch of so many rows had none to leave out.
  void Pass(int64_t rows) { rows_before_ += rows; }

 private:
  RowRejecter(std::shared_ptr<RejectTally> tally, const StreamSchema& schema,
              std::vector<std::string> key_ids);
  arrow::Result<RejectedRow> Describe(const arrow::RecordBatch& columns, int64_t row,
                                      int column, const arrow::Status& why) const;

  const std::shared_ptr<RejectTally> tally_;
  const StreamSchema schema_;
  const std::vector<std::string> key_ids_;
  std::unique_ptr<RowJsonWriter> writer_;  ///< Null where rows are only counted.
  int64_t rows_before_ = 0;
};

}  // namespace dxt
