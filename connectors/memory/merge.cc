#include "connectors/memory/merge.h"

#include <unordered_map>

#include <arrow/api.h>
#include <arrow/compute/api_vector.h>

#include "base/error.h"
#include "connectors/sdk/cursor.h"

namespace dxt::memory {
namespace {

/// Appends the bytes of one value, self-delimiting, so that equal keys have equal bytes.
arrow::Status AppendKey(const arrow::Array& array, int64_t row, std::string* key) {
  ARROW_ASSIGN_OR_RAISE(auto scalar, array.GetScalar(row));
  const std::string text = scalar->ToString();
  *key += std::to_string(text.size());
  *key += ':';
  *key += text;
  return arrow::Status::OK();
}

}  // namespace

arrow::Result<std::vector<std::string>> KeysOf(const arrow::RecordBatch& batch,
                                               const std::vector<std::string>& names) {
  std::vector<std::string> keys(batch.num_rows());
  for (const auto& name : names) {
    const auto column = batch.GetColumnByName(name);
    if (!column) {
      return MakeError(ErrorClass::kConfig, "load.key_missing",
                       "The key column '" + name + "' is not among the stream's columns");
    }
    for (int64_t row = 0; row < batch.num_rows(); ++row) {
      if (column->IsNull(row)) {
        ErrorInfo info;
        info.error_class = ErrorClass::kData;
        info.code = "load.null_key";
        info.column = name;
        info.hint = "Filter such rows out, or choose other upsert_keys";
        return MakeError(std::move(info),
                         "Row " + std::to_string(row + 1) +
                             " of the load has no value in the key column '" + name +
                             "'");
      }
      ARROW_RETURN_NOT_OK(AppendKey(*column, row, &keys[row]));
    }
  }
  return keys;
}

arrow::Result<bool> LaterWins(const arrow::Array* order, const FieldType& type,
                              int64_t earlier, int64_t later) {
  if (!order || order->IsNull(earlier)) return true;
  if (order->IsNull(later)) return false;
  ARROW_ASSIGN_OR_RAISE(auto a, CursorText(*order, earlier, type));
  ARROW_ASSIGN_OR_RAISE(auto b, CursorText(*order, later, type));
  return CompareCursors(a, b, type) <= 0;
}

arrow::Result<std::shared_ptr<arrow::Array>> Taken(
    const std::shared_ptr<arrow::Array>& values,
    const std::vector<std::optional<int64_t>>& rows) {
  arrow::Int64Builder builder;
  ARROW_RETURN_NOT_OK(builder.Reserve(static_cast<int64_t>(rows.size())));
  for (const auto& row : rows) {
    if (row) {
      builder.UnsafeAppend(*row);
    } else {
      builder.UnsafeAppendNull();
    }
  }
  ARROW_ASSIGN_OR_RAISE(auto indices, builder.Finish());
  ARROW_ASSIGN_OR_RAISE(auto taken, arrow::compute::Take(values, indices));
  return taken.make_array();
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> Joined(
    const std::vector<std::shared_ptr<arrow::RecordBatch>>& batches,
    const std::shared_ptr<arrow::Schema>& schema) {
  if (batches.empty()) return arrow::RecordBatch::MakeEmpty(schema);
  if (batches.size() == 1) return batches.front();
  return arrow::ConcatenateRecordBatches(batches);
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> Aligned(
    const std::shared_ptr<arrow::RecordBatch>& fresh,
    const std::shared_ptr<arrow::Schema>& schema) {
  arrow::ArrayVector columns;
  for (const auto& field : schema->fields()) {
    auto column = fresh->GetColumnByName(field->name());
    if (!column) {
      ARROW_ASSIGN_OR_RAISE(column,
                            arrow::MakeArrayOfNull(field->type(), fresh->num_rows()));
    } else if (!column->type()->Equals(*field->type())) {
      return MakeError(ErrorClass::kInternal, "memory.type",
                       "Column '" + field->name() + "' is " + field->type()->ToString() +
                           " but was handed " + column->type()->ToString());
    }
    columns.push_back(std::move(column));
  }
  return arrow::RecordBatch::Make(schema, fresh->num_rows(), std::move(columns));
}

arrow::Result<Merged> Merge(const std::shared_ptr<arrow::RecordBatch>& old,
                            const std::shared_ptr<arrow::RecordBatch>& fresh,
                            const std::vector<std::string>& keys,
                            const std::string& dedup_column, bool duplicates_fail,
                            KnownKeys known) {
  ARROW_ASSIGN_OR_RAISE(const auto fresh_keys, KeysOf(*fresh, keys));
  std::shared_ptr<arrow::Array> order;
  FieldType order_type;
  if (!dedup_column.empty()) {
    order = fresh->GetColumnByName(dedup_column);
    ARROW_ASSIGN_OR_RAISE(order_type,
                          FieldTypeOf(*fresh->schema()->GetFieldByName(dedup_column)));
  }
  Merged merged;
  std::unordered_map<std::string_view, int64_t> winners;
  for (int64_t row = 0; row < fresh->num_rows(); ++row) {
    const auto [at, first] = winners.emplace(fresh_keys[row], row);
    if (first) continue;
    if (duplicates_fail) {
      return MakeError(ErrorClass::kData, "load.duplicate_key",
                       "Rows " + std::to_string(at->second + 1) + " and " +
                           std::to_string(row + 1) + " of the load have the same key",
                       "Set on_duplicate_key: last, or choose other upsert_keys");
    }
    ++merged.deduplicated;
    ARROW_ASSIGN_OR_RAISE(const bool later,
                          LaterWins(order.get(), order_type, at->second, row));
    if (later) at->second = row;
  }
  merged.written = static_cast<int64_t>(winners.size());

  // Row i of the result: which row of old ⧺ fresh gives the stream's columns, and which
  // row of old the others.
  std::vector<std::optional<int64_t>> from, kept;
  const int64_t before = old->num_rows();
  ARROW_ASSIGN_OR_RAISE(const auto old_keys, KeysOf(*old, keys));
  std::unordered_map<std::string_view, bool> matched;
  for (int64_t row = 0; row < before; ++row) {
    const auto winner = winners.find(old_keys[row]);
    if (winner == winners.end()) {
      from.emplace_back(row);
      kept.emplace_back(row);
      continue;
    }
    const bool first = matched.emplace(winner->first, true).second;
    bool stays = known == KnownKeys::kStay;
    if (stays && first) --merged.written;
    if (known == KnownKeys::kUpdateOlder && order) {
      const auto mine = old->GetColumnByName(dedup_column);
      ARROW_ASSIGN_OR_RAISE(
          const auto both,
          arrow::Concatenate({mine->Slice(row, 1), order->Slice(winner->second, 1)}));
      ARROW_ASSIGN_OR_RAISE(const bool later, LaterWins(both.get(), order_type, 0, 1));
      stays = !later;
    }
    from.emplace_back(stays ? row : before + winner->second);
    kept.emplace_back(row);
  }
  for (int64_t row = 0; row < fresh->num_rows(); ++row) {
    if (winners.at(fresh_keys[row]) != row || matched.contains(fresh_keys[row])) continue;
    from.emplace_back(before + row);
    kept.emplace_back(std::nullopt);
  }
  arrow::ArrayVector columns;
  for (int i = 0; i < old->num_columns(); ++i) {
    const auto column = fresh->GetColumnByName(old->schema()->field(i)->name());
    std::shared_ptr<arrow::Array> values = old->column(i);
    if (column) {
      ARROW_ASSIGN_OR_RAISE(values, arrow::Concatenate({old->column(i), column}));
    }
    ARROW_ASSIGN_OR_RAISE(auto taken, Taken(values, column ? from : kept));
    columns.push_back(std::move(taken));
  }
  merged.rows = arrow::RecordBatch::Make(old->schema(), static_cast<int64_t>(from.size()),
                                         std::move(columns));
  return merged;
}

}  // namespace dxt::memory
