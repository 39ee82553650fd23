#pragma once
// `--diff`: what a run would do to the records of its target, shown before it is done.
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

#include "engine/run/prepared_stream.h"
#include "engine/run/result.h"

namespace dxt {

/// Compares rows that a run would load with those that the target holds. Add what is
/// read, as it would be written (names of target columns), then Finish once. Holds what
/// was added; used by one thread. The references must outlive it.
class RecordDiff {
 public:
  /// Rows that are compared where the run itself has no smaller limit; and the most of
  /// them.
  static constexpr int64_t kRows = 1000, kMostRows = 10000;

  RecordDiff(const PreparedStream& stream, const PipelineDocument& pipeline,
             const RunContext& context)
      : stream_(stream), pipeline_(pipeline), context_(context) {}

  arrow::Status Add(std::shared_ptr<arrow::RecordBatch> rows);
  /// `complete`: nothing that the run would read is missing. Reads the target; writes
  /// nothing.
  arrow::Result<DiffResult> Finish(bool complete, std::stop_token stop);

 private:
  struct Row {
    const arrow::RecordBatch* batch;
    int64_t number;
  };
  /// By the bytes of their key; several only where a key names a group of rows.
  using Rows = std::unordered_map<std::string, std::vector<Row>>;

  bool Groups() const { return stream_.mode == LoadMode::kDeleteInsert; }
  arrow::Status GroupByKey();
  arrow::Status Compare(std::stop_token stop);
  arrow::Status CompareRow(const arrow::RecordBatch& target, int64_t row,
                           std::vector<Row>& wanted);
  arrow::Status FindDeleted(std::stop_token stop);
  std::vector<RecordChange::Cell> Differences(const arrow::RecordBatch& before,
                                              int64_t before_row, const Row& after) const;
  RecordChange Change(RecordChange::Kind kind, const arrow::RecordBatch& batch,
                      int64_t row) const;
  void Note(RecordChange change, int64_t& count);
  void NoteAdded(const Rows& rows);
  /// The cell as the target holds it; nullopt = NULL.
  std::optional<std::string> Text(const arrow::Array& array, int64_t row,
                                  size_t column) const;
  const FieldType& TypeOf(size_t column) const;
  bool IsKey(const std::string& name) const;

  const PreparedStream& stream_;
  const PipelineDocument& pipeline_;
  const RunContext& context_;
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches_;
  Rows rows_;   ///< Not met in the target yet.
  Rows found_;  ///< Met there.
  DiffResult result_;
};

}  // namespace dxt
