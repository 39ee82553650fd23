#pragma once
// `verify`: whether a target holds what its source holds, value by value.
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

#include "connectors/sdk/cursor.h"
#include "engine/run/prepared_stream.h"
#include "engine/run/result.h"
#include "engine/run/target_rows.h"

namespace dxt {

/// Compares all rows of a stream with its target: first by checksums of the columns and
/// of some thousand parts, into which the hash of the key deals the rows (systems sort
/// texts differently, so ranges of keys would not have the same rows on both sides); then
/// row by row in the parts that differ. Holds the rows of those parts alone, and not more
/// than kMostRows. Used by one thread; the references must outlive it.
class Verification {
 public:
  static constexpr int64_t kMostRows = 100'000;
  /// Reads the whole source and hands each batch on as it would be written, under the
  /// names of the target's columns. Is called once or twice.
  using ReadSource = std::function<arrow::Status(const TargetRows::Sink&)>;

  Verification(const PreparedStream& stream, const PipelineDocument& pipeline,
               const RunContext& context);

  /// Reads both sides; writes nothing. Rows of the source above the watermark are not
  /// missed: the next run brings them.
  arrow::Result<VerifyResult> Run(const ReadSource& source, std::stop_token stop);

 private:
  enum Side { kSource, kTarget };
  struct Sums {
    int64_t rows = 0;
    uint64_t sum = 0;
    bool operator==(const Sums&) const = default;
  };
  struct Part {
    std::array<Sums, 2> sides;
    bool looked_into = false;
  };
  struct Column {
    std::string name;
    FieldType type;
    bool key = false;
    std::array<uint64_t, 2> sums = {};
  };
  /// A batch whose equal values have equal bytes, and per row where it belongs.
  struct Hashed {
    std::shared_ptr<arrow::RecordBatch> rows;
    std::vector<uint64_t> keys, values;
    std::vector<bool> left_out;
  };
  struct Row {
    const arrow::RecordBatch* batch;
    int64_t number;
    std::string bytes;
    bool pending = false;
  };

  arrow::Status ChooseColumns(std::stop_token stop);
  arrow::Result<Hashed> Hash(Side side, const arrow::RecordBatch& batch);
  arrow::Status MarkLeftOut(Side side, const arrow::RecordBatch& batch,
                            std::vector<bool>* left_out) const;
  arrow::Status Count(Side side, const arrow::RecordBatch& batch);
  arrow::Status Gather(Side side, const arrow::RecordBatch& batch);
  arrow::Status ReadTarget(const TargetRows::Sink& sink, std::stop_token stop);
  void ChooseParts();
  arrow::Status CompareRows();
  void CompareGroup(std::vector<Row>& wanted, std::vector<Row>& there);
  void Note(RecordChange::Kind kind, const Row* source, const Row* target);
  RecordChange Describe(RecordChange::Kind kind, const Row* source,
                        const Row* target) const;
  void Judge();

  const PreparedStream& stream_;
  const PipelineDocument& pipeline_;
  const RunContext& context_;
  const bool by_key_;
  std::unique_ptr<TargetRows> target_;  ///< Null while there is no such table.
  std::vector<Column> columns_;
  std::vector<TargetRows::Wanted> wanted_;
  std::vector<std::string> markers_;  ///< Target columns set in rows that do not count.
  std::string cursor_column_;         ///< "" when nothing can be pending.
  FieldType cursor_type_;
  std::vector<Part> parts_;
  int64_t rows_to_gather_ = 0;
  std::array<std::vector<std::shared_ptr<arrow::RecordBatch>>, 2> gathered_;
  std::array<int64_t, 2> gathered_rows_ = {};
  VerifyResult result_;
};

}  // namespace dxt
