#include "connectors/memory/source.h"

#include <algorithm>
#include <charconv>
#include <map>

#include <arrow/api.h>

#include "base/error.h"
#include "base/spelling.h"
#include "connectors/memory/database.h"
#include "connectors/sql/identifier.h"

namespace dxt::memory {
namespace {

using TablePtr = std::shared_ptr<const MemoryTable>;

std::string Pair(int64_t a, int64_t b) {
  return std::to_string(a) + ":" + std::to_string(b);
}

arrow::Result<std::pair<int64_t, int64_t>> ParsePair(const std::string& text) {
  std::pair<int64_t, int64_t> pair;
  const char* end = text.data() + text.size();
  const auto [middle, first] = std::from_chars(text.data(), end, pair.first);
  if (first == std::errc() && middle != end && *middle == ':') {
    const auto [last, second] = std::from_chars(middle + 1, end, pair.second);
    if (second == std::errc() && last == end) return pair;
  }
  return MakeError(ErrorClass::kInternal, "memory.position",
                   "A position is not readable");
}

/// Batches [next, end) of a table, cut to the spec's columns and batch size.
class MemoryReader final : public Reader {
 public:
  MemoryReader(std::shared_ptr<MemoryDatabase> database, TablePtr table,
               std::vector<int> columns, std::shared_ptr<arrow::Schema> schema,
               int64_t batch_rows)
      : database_(std::move(database)),
        table_(std::move(table)),
        columns_(std::move(columns)),
        schema_(std::move(schema)),
        batch_rows_(std::max<int64_t>(1, batch_rows)) {}

  void SetRange(int64_t next, int64_t row, int64_t end) {
    next_ = next;
    row_ = row;
    end_ = end;
  }

  const std::shared_ptr<arrow::Schema>& schema() const override { return schema_; }
  int64_t bytes_read() const override { return bytes_; }

  arrow::Result<ReadStep> Next(std::stop_token stop) override {
    ARROW_RETURN_NOT_OK(database_->Step("read", stop));
    ReadStep step;
    while (next_ < end_ && row_ >= table_->batches[next_]->num_rows()) {
      ++next_;
      row_ = 0;
    }
    if (next_ >= end_) {
      step.end = true;
      return step;
    }
    const auto& batch = table_->batches[next_];
    const int64_t rows = std::min(batch_rows_, batch->num_rows() - row_);
    arrow::ArrayVector arrays;
    for (const int column : columns_) {
      arrays.push_back(batch->column(column)->Slice(row_, rows));
      for (const auto& buffer : arrays.back()->data()->buffers) {
        if (buffer)
          bytes_ += buffer->size() * rows / std::max<int64_t>(1, batch->num_rows());
      }
    }
    step.batch = arrow::RecordBatch::Make(schema_, rows, std::move(arrays));
    row_ += rows;
    step.position = Position{1, Pair(next_, row_)};
    return step;
  }

 private:
  std::shared_ptr<MemoryDatabase> database_;
  TablePtr table_;
  std::vector<int> columns_;
  std::shared_ptr<arrow::Schema> schema_;
  int64_t batch_rows_;
  int64_t next_ = 0, row_ = 0, end_ = 0;
  int64_t bytes_ = 0;
};

class MemorySource final : public Source {
 public:
  explicit MemorySource(std::shared_ptr<MemoryDatabase> database)
      : database_(std::move(database)) {}

  arrow::Status Check(std::stop_token stop) override {
    return database_->Step("check", stop);
  }

  arrow::Result<std::vector<StreamInfo>> Discover(const std::string& schema,
                                                  std::stop_token stop) override {
    ARROW_RETURN_NOT_OK(database_->Step("describe", stop));
    std::vector<StreamInfo> streams;
    for (const auto& reference : database_->References()) {
      const auto table = database_->Table(reference);
      if (!table) continue;
      ARROW_ASSIGN_OR_RAISE(auto info, Info(reference, *table));
      if (schema.empty() || info.schema == schema) streams.push_back(std::move(info));
    }
    return streams;
  }

  arrow::Result<StreamInfo> Describe(const StreamRef& ref,
                                     std::stop_token stop) override {
    ARROW_RETURN_NOT_OK(database_->Step("describe", stop));
    ARROW_ASSIGN_OR_RAISE(const auto table, Find(ref));
    ARROW_ASSIGN_OR_RAISE(const auto parts, sql::SplitReference(ref.source));
    return Info(sql::ReferenceText(parts), *table);
  }

  arrow::Result<ReadPlan> PlanRead(const ReadSpec& spec, int max_splits,
                                   std::stop_token stop) override {
    ARROW_RETURN_NOT_OK(database_->Step("describe", stop));
    ARROW_ASSIGN_OR_RAISE(const auto table, Find(spec.ref));
    snapshots_[spec.ref.source] = table;
    ReadPlan plan;
    plan.estimated_rows = table->rows();
    plan.text = "memory table " + spec.ref.source;
    const auto batches = static_cast<int64_t>(table->batches.size());
    const int64_t count = std::max<int64_t>(1, std::min<int64_t>(max_splits, batches));
    for (int64_t i = 0; i < count; ++i) {
      plan.splits.push_back({static_cast<int32_t>(i),
                             Pair(batches * i / count, batches * (i + 1) / count)});
    }
    return plan;
  }

  arrow::Result<std::unique_ptr<Reader>> OpenReader(const ReadSpec& spec,
                                                    const Split& split,
                                                    std::optional<Position> from,
                                                    std::stop_token stop) override {
    const auto found = snapshots_.find(spec.ref.source);
    TablePtr table;
    if (found != snapshots_.end()) {
      table = found->second;
    } else {
      ARROW_ASSIGN_OR_RAISE(table, Find(spec.ref));
    }
    std::vector<int> columns;
    StreamSchema wanted;
    for (const auto& column : spec.columns) {
      ARROW_ASSIGN_OR_RAISE(const int index, ColumnOf(spec.ref, *table, column));
      columns.push_back(index);
      wanted.fields.push_back({column.name, column.type,
                               table->schema.fields[index].nullable, column.native});
    }
    ARROW_ASSIGN_OR_RAISE(auto range, ParsePair(split.bytes));
    int64_t row = 0;
    if (from) {
      ARROW_ASSIGN_OR_RAISE(const auto start, ParsePair(from->bytes));
      range.first = start.first;
      row = start.second;
    }
    auto reader = std::make_unique<MemoryReader>(database_, table, std::move(columns),
                                                 ArrowSchema(wanted), spec.batch_rows);
    reader->SetRange(range.first, row, range.second);
    return reader;
  }

  arrow::Result<std::optional<int64_t>> CountRows(const ReadSpec& spec,
                                                  std::stop_token) override {
    ARROW_ASSIGN_OR_RAISE(const auto table, Find(spec.ref));
    if (spec.cursor || !spec.filters.empty() || spec.limit) return std::nullopt;
    return table->rows();
  }

 private:
  static arrow::Result<StreamInfo> Info(const std::string& reference,
                                        const MemoryTable& table) {
    ARROW_ASSIGN_OR_RAISE(const auto parts, sql::SplitReference(reference));
    StreamInfo info;
    info.reference = reference;
    info.name = parts.back();
    if (parts.size() > 1) {
      info.schema =
          sql::ReferenceText(std::vector<std::string>(parts.begin(), parts.end() - 1));
    }
    info.columns = table.schema;
    for (auto& field : info.columns.fields) {
      if (field.native.system.empty()) field.native = {"memory", ToString(field.type)};
    }
    info.estimated_rows = table.rows();
    return info;
  }

  arrow::Result<TablePtr> Find(const StreamRef& ref) {
    if (ref.kind != StreamKind::kTable && ref.kind != StreamKind::kView) {
      return MakeError(ErrorClass::kUnsupported, "memory.kind",
                       "A memory database has tables only");
    }
    ARROW_RETURN_NOT_OK(sql::SplitReference(ref.source));
    if (auto table = database_->Table(ref.source)) return table;
    const auto near = NearestSpelling(ref.source, database_->References());
    return MakeError(ErrorClass::kConfig, "memory.table_missing",
                     "The memory database has no table '" + ref.source + "'",
                     near.empty() ? "" : "Did you mean '" + near + "'?");
  }

  static arrow::Result<int> ColumnOf(const StreamRef& ref, const MemoryTable& table,
                                     const ColumnRead& column) {
    if (!column.expression.empty() || column.raw) {
      return MakeError(ErrorClass::kUnsupported, "source.no_expressions",
                       "A memory table delivers its columns as they are");
    }
    const auto& fields = table.schema.fields;
    for (size_t i = 0; i < fields.size(); ++i) {
      if (fields[i].name != column.column) continue;
      if (fields[i].type == column.type) return static_cast<int>(i);
      return MakeError(ErrorClass::kUnsupported, "memory.type",
                       "Column '" + column.column + "' is " + ToString(fields[i].type) +
                           " and cannot be read as " + ToString(column.type));
    }
    return MakeError(
        ErrorClass::kConfig, "memory.column_missing",
        "The table '" + ref.source + "' has no column '" + column.column + "'");
  }

  std::shared_ptr<MemoryDatabase> database_;
  std::map<std::string, TablePtr> snapshots_;
};

}  // namespace

std::unique_ptr<Source> MakeSource(std::shared_ptr<MemoryDatabase> database) {
  return std::make_unique<MemorySource>(std::move(database));
}

}  // namespace dxt::memory
