#include "engine/run/key_set.h"

#include <cstring>
#include <functional>
#include <utility>

#include <arrow/api.h>

#include "base/error.h"

namespace dxt {
namespace {

constexpr char kNull = 'n';
constexpr char kValue = 'v';

void AppendSized(std::string_view bytes, std::string* key) {
  const uint64_t size = bytes.size();
  key->append(reinterpret_cast<const char*>(&size), sizeof size);
  key->append(bytes);
}

void AppendValue(const arrow::Array& column, int64_t row, std::string* key) {
  switch (column.type_id()) {
    case arrow::Type::BOOL:
      *key += static_cast<const arrow::BooleanArray&>(column).Value(row) ? '1' : '0';
      return;
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      return AppendSized(static_cast<const arrow::BinaryArray&>(column).GetView(row),
                         key);
    case arrow::Type::LARGE_STRING:
    case arrow::Type::LARGE_BINARY:
      return AppendSized(static_cast<const arrow::LargeBinaryArray&>(column).GetView(row),
                         key);
    default:
      break;
  }
  if (arrow::is_fixed_width(column.type_id()) &&
      column.type_id() != arrow::Type::DICTIONARY) {
    const arrow::ArrayData& data = *column.data();
    const int64_t width =
        static_cast<const arrow::FixedWidthType&>(*column.type()).bit_width() / 8;
    key->append(reinterpret_cast<const char*>(data.buffers[1]->data()) +
                    (data.offset + row) * width,
                static_cast<size_t>(width));
    return;
  }
  const auto scalar = column.GetScalar(row);
  AppendSized(scalar.ok() ? (*scalar)->ToString() : scalar.status().ToString(), key);
}

}  // namespace

arrow::Result<RowKeys> RowKeys::Make(const arrow::RecordBatch& rows,
                                     const std::vector<std::string>& columns) {
  RowKeys keys;
  for (const auto& name : columns) {
    keys.columns_.push_back(rows.GetColumnByName(name));
    if (keys.columns_.back()) continue;
    return MakeError(ErrorClass::kInternal, "key.missing",
                     "The key column '" + name + "' is not among the rows");
  }
  return keys;
}

std::string_view RowKeys::At(int64_t row) {
  key_.clear();
  for (const auto& column : columns_) {
    const bool null = column->IsNull(row);
    key_ += null ? kNull : kValue;
    if (!null) AppendValue(*column, row, &key_);
  }
  return key_;
}

void KeySet::Add(std::string_view key) {
  // At most two thirds full, so that a search is short.
  if ((count_ + 1) * 3 > slots_.size() * 2) Grow();
  const size_t slot = SlotOf(key);
  if (slots_[slot] != 0) return;
  slots_[slot] = keys_.size() + 1;
  AppendSized(key, &keys_);
  ++count_;
}

bool KeySet::Contains(std::string_view key) const {
  return count_ > 0 && slots_[SlotOf(key)] != 0;
}

size_t KeySet::SlotOf(std::string_view key) const {
  size_t slot = std::hash<std::string_view>{}(key) & (slots_.size() - 1);
  while (slots_[slot] != 0 && KeyAt(slots_[slot] - 1) != key) {
    slot = (slot + 1) & (slots_.size() - 1);
  }
  return slot;
}

std::string_view KeySet::KeyAt(uint64_t offset) const {
  uint64_t size = 0;
  std::memcpy(&size, keys_.data() + offset, sizeof size);
  return std::string_view(keys_).substr(offset + sizeof size, size);
}

void KeySet::Grow() {
  const auto old = std::exchange(slots_, {});
  slots_.assign(old.empty() ? 64 : old.size() * 2, 0);
  for (const uint64_t entry : old) {
    if (entry != 0) slots_[SlotOf(KeyAt(entry - 1))] = entry;
  }
}

}  // namespace dxt
