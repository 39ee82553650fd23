#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include <arrow/status.h>

namespace parquet {
class ParquetFileReader;
}

namespace dxt::file {

/// INT96 timestamps reach Arrow as nanoseconds in 64 bits, which wrap silently outside
/// 1677-09-21 … 2262-04-11. Reads the raw values of a row group first.
class Int96Check {
 public:
  /// `leaves`: columns of the file; those of other types cost nothing. `file` must
  /// outlive it.
  Int96Check(parquet::ParquetFileReader& file, std::vector<int> groups,
             const std::vector<int>& leaves, std::string shown);

  /// Checks all row groups that hold the next `rows` rows of the file; kData "file.value"
  /// names column and row. Memory does not grow with the group.
  arrow::Status Advance(int64_t rows);

 private:
  arrow::Status CheckGroup(int group);
  arrow::Status CheckColumn(int group, int leaf);

  parquet::ParquetFileReader& file_;
  std::vector<int> groups_;
  std::vector<int> leaves_;  ///< Of type INT96.
  std::string shown_;
  size_t next_ = 0;
  int64_t rows_ = 0;     ///< Handed out.
  int64_t checked_ = 0;  ///< In groups that were checked.
};

}  // namespace dxt::file
