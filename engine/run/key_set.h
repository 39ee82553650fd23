#pragma once
// Keys of rows, told apart as values, in little memory.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

namespace dxt {

/// The keys of one batch as bytes: equal for equal values of equal types. Allocates
/// nothing per row, but for values that are lists or maps. Used by one thread.
class RowKeys {
 public:
  /// kInternal "key.missing" when the batch lacks one of the columns.
  static arrow::Result<RowKeys> Make(const arrow::RecordBatch& rows,
                                     const std::vector<std::string>& columns);

  /// Valid until the next call.
  std::string_view At(int64_t row);

 private:
  std::vector<std::shared_ptr<arrow::Array>> columns_;
  std::string key_;
};

/// Grows only. Reading is safe from several threads.
class KeySet {
 public:
  void Add(std::string_view key);
  bool Contains(std::string_view key) const;
  bool empty() const { return count_ == 0; }
  /// What it takes in memory.
  size_t bytes() const { return keys_.capacity() + slots_.capacity() * sizeof(uint64_t); }

 private:
  /// The slot that holds the key, or the free one where it belongs.
  size_t SlotOf(std::string_view key) const;
  std::string_view KeyAt(uint64_t offset) const;
  void Grow();

  std::string keys_;             ///< One behind the other, each after its length.
  std::vector<uint64_t> slots_;  ///< 1 + where in `keys_`; 0 = free.
  size_t count_ = 0;
};

}  // namespace dxt
