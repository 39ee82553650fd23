#include "connectors/file/int96.h"

#include <limits>

#include <parquet/column_reader.h>
#include <parquet/exception.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <parquet/schema.h>
#include <parquet/types.h>

#include "base/error.h"

namespace dxt::file {
namespace {

constexpr int64_t kEpochDay = 2440588;  // The Julian day of 1970-01-01.
constexpr int64_t kDayNanos = 86400LL * 1000 * 1000 * 1000;
constexpr int64_t kBatch = 4096;

bool FitsNanoseconds(const parquet::Int96& value) {
  const uint64_t nanos =
      static_cast<uint64_t>(value.value[1]) << 32 | static_cast<uint64_t>(value.value[0]);
  if (nanos > static_cast<uint64_t>(kDayNanos)) return false;
  const int64_t day = static_cast<int32_t>(value.value[2]) - kEpochDay;
  int64_t product = 0, sum = 0;
  if (__builtin_mul_overflow(day, kDayNanos, &product)) {
    // The first day of the range begins before it.
    return day < 0 && !__builtin_mul_overflow(day + 1, kDayNanos, &product) &&
           !__builtin_add_overflow(product, static_cast<int64_t>(nanos) - kDayNanos,
                                   &sum);
  }
  return !__builtin_add_overflow(product, static_cast<int64_t>(nanos), &sum);
}

arrow::Status OutOfRange(const std::string& shown, const std::string& column,
                         int64_t row) {
  ErrorInfo info;
  info.error_class = ErrorClass::kData;
  info.code = "file.value";
  info.column = column;
  info.key = "{\"row\":" + std::to_string(row) + "}";
  info.hint =
      "Correct the value, or write the file again with timestamps in microseconds "
      "instead of INT96";
  return MakeError(std::move(info),
                   shown + ": column '" + column + "' holds in row " +
                       std::to_string(row) +
                       " an INT96 timestamp outside 1677-09-21 to 2262-04-11, which "
                       "nanoseconds cannot hold");
}

}  // namespace

Int96Check::Int96Check(parquet::ParquetFileReader& file, std::vector<int> groups,
                       const std::vector<int>& leaves, std::string shown)
    : file_(file), groups_(std::move(groups)), shown_(std::move(shown)) {
  const auto metadata = file_.metadata();
  for (const int leaf : leaves) {
    if (metadata->schema()->Column(leaf)->physical_type() == parquet::Type::INT96) {
      leaves_.push_back(leaf);
    }
  }
}

arrow::Status Int96Check::Advance(int64_t rows) {
  rows_ += rows;
  while (!leaves_.empty() && checked_ < rows_ && next_ < groups_.size()) {
    const int group = groups_[next_++];
    ARROW_RETURN_NOT_OK(CheckGroup(group));
    checked_ += file_.metadata()->RowGroup(group)->num_rows();
  }
  return arrow::Status::OK();
}

arrow::Status Int96Check::CheckGroup(int group) {
  for (const int leaf : leaves_) {
    try {
      ARROW_RETURN_NOT_OK(CheckColumn(group, leaf));
    } catch (const std::exception& failure) {
      return MakeError(ErrorClass::kData, "file.corrupt",
                       "'" + shown_ + "' is not a whole Parquet file: " + failure.what(),
                       "Get the file again from where it came");
    }
  }
  return arrow::Status::OK();
}

arrow::Status Int96Check::CheckColumn(int group, int leaf) {
  const auto metadata = file_.metadata();
  int64_t row = 0;  // Of the file, 1-based.
  for (int i = 0; i < group; ++i) row += metadata->RowGroup(i)->num_rows();
  const auto* column = metadata->schema()->Column(leaf);
  const auto reader = file_.RowGroup(group)->Column(leaf);
  auto& values = static_cast<parquet::Int96Reader&>(*reader);
  const bool repeated = column->max_repetition_level() > 0;
  std::vector<parquet::Int96> batch(kBatch);
  std::vector<int16_t> definitions(kBatch), repetitions(kBatch);
  while (values.HasNext()) {
    int64_t read = 0;
    const int64_t levels = values.ReadBatch(kBatch, definitions.data(),
                                            repetitions.data(), batch.data(), &read);
    int64_t value = 0;
    for (int64_t i = 0; i < levels; ++i) {
      if (!repeated || repetitions[static_cast<size_t>(i)] == 0) ++row;
      const bool there =
          column->max_definition_level() == 0 ||
          definitions[static_cast<size_t>(i)] == column->max_definition_level();
      if (there && !FitsNanoseconds(batch[static_cast<size_t>(value++)])) {
        return OutOfRange(shown_, column->path()->ToDotString(), row);
      }
    }
  }
  return arrow::Status::OK();
}

}  // namespace dxt::file
