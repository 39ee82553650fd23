#include "connectors/duckdb/arrays.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include <arrow/api.h>

#include "base/error.h"

namespace dxt::duckdb {
namespace {

using ArrayDataPtr = std::shared_ptr<arrow::ArrayData>;

bool IsDay(const arrow::DataType& type) { return type.id() == arrow::Type::DATE32; }
bool IsInstant(const arrow::DataType& type) {
  return type.id() == arrow::Type::TIMESTAMP;
}

/// Replaces `from` by `to` among an array's values; copies only where one is found. NULL
/// slots hold anything, and changing them changes nothing.
template <typename Value>
arrow::Result<ArrayDataPtr> Replaced(const ArrayDataPtr& data, Value from, Value to) {
  const Value* values = data->GetValues<Value>(1);
  if (!values ||
      std::find(values, values + data->length, from) == values + data->length) {
    return data;
  }
  const int64_t size =
      (data->offset + data->length) * static_cast<int64_t>(sizeof(Value));
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> buffer,
                        arrow::AllocateBuffer(size));
  std::memcpy(buffer->mutable_data(), data->buffers[1]->data(),
              static_cast<size_t>(size));
  auto* copy = reinterpret_cast<Value*>(buffer->mutable_data()) + data->offset;
  std::replace(copy, copy + data->length, from, to);
  auto changed = data->Copy();
  changed->buffers[1] = std::move(buffer);
  return changed;
}

/// Swaps the two forms of -infinity: the smallest integer and its successor.
arrow::Result<ArrayDataPtr> Infinity(const ArrayDataPtr& data, bool from_duckdb) {
  const auto change = [&]<typename Value>(Value least) {
    const Value theirs = static_cast<Value>(least + 1);
    return from_duckdb ? Replaced<Value>(data, theirs, least)
                       : Replaced<Value>(data, least, theirs);
  };
  if (IsDay(*data->type)) return change(std::numeric_limits<int32_t>::min());
  if (IsInstant(*data->type)) return change(std::numeric_limits<int64_t>::min());
  if (data->type->id() == arrow::Type::LIST) {
    ARROW_ASSIGN_OR_RAISE(auto child, Infinity(data->child_data[0], from_duckdb));
    if (child == data->child_data[0]) return data;
    auto changed = data->Copy();
    changed->child_data[0] = std::move(child);
    return changed;
  }
  return data;
}

/// True when the same buffers can be read as the other type.
bool SameLayout(const arrow::DataType& a, const arrow::DataType& b) {
  if (a.id() != b.id()) return false;
  if (a.id() == arrow::Type::LIST) {
    return SameLayout(*static_cast<const arrow::ListType&>(a).value_type(),
                      *static_cast<const arrow::ListType&>(b).value_type());
  }
  if (a.id() == arrow::Type::TIMESTAMP) {
    return static_cast<const arrow::TimestampType&>(a).unit() ==
           static_cast<const arrow::TimestampType&>(b).unit();
  }
  return a.id() == arrow::Type::STRING || a.Equals(b);
}

ArrayDataPtr Retyped(const ArrayDataPtr& data,
                     const std::shared_ptr<arrow::DataType>& type) {
  auto changed = data->Copy();
  changed->type = type;
  if (type->id() == arrow::Type::LIST) {
    changed->child_data[0] = Retyped(
        data->child_data[0], static_cast<const arrow::ListType&>(*type).value_type());
  }
  return changed;
}

}  // namespace

arrow::Result<std::shared_ptr<arrow::RecordBatch>> FromDuckdb(
    const arrow::RecordBatch& batch, const std::shared_ptr<arrow::Schema>& schema) {
  std::vector<ArrayDataPtr> columns;
  for (int i = 0; i < schema->num_fields(); ++i) {
    const auto& field = *schema->field(i);
    const auto& data = batch.column_data(i);
    if (!SameLayout(*data->type, *field.type())) {
      return MakeError(ErrorClass::kInternal, "duckdb.type",
                       "Column '" + field.name() + "' came as " + data->type->ToString() +
                           " instead of " + field.type()->ToString());
    }
    ARROW_ASSIGN_OR_RAISE(auto normal, Infinity(data, /*from_duckdb=*/true));
    columns.push_back(Retyped(normal, field.type()));
  }
  return arrow::RecordBatch::Make(schema, batch.num_rows(), std::move(columns));
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> ToDuckdb(
    const arrow::RecordBatch& batch) {
  std::vector<ArrayDataPtr> columns;
  for (const auto& data : batch.column_data()) {
    ARROW_ASSIGN_OR_RAISE(auto theirs, Infinity(data, /*from_duckdb=*/false));
    columns.push_back(std::move(theirs));
  }
  // Without the metadata: DuckDB would read extension names in it.
  arrow::FieldVector fields;
  for (const auto& field : batch.schema()->fields()) {
    fields.push_back(arrow::field(field->name(), field->type(), field->nullable()));
  }
  return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), batch.num_rows(),
                                  std::move(columns));
}

}  // namespace dxt::duckdb
