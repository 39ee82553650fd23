#include "engine/run/record_diff.h"

#include <algorithm>
#include <set>
#include <utility>

#include <arrow/api.h>

#include "connectors/sdk/cursor.h"
#include "engine/run/cell_text.h"
#include "engine/run/extractor.h"
#include "engine/run/key_set.h"
#include "engine/run/target_rows.h"

namespace dxt {
namespace {

/// Records of one kind that are shown.
constexpr int kMostShown = 10;
/// Values of one question to the target.
constexpr size_t kValuesAtOnce = 500;

}  // namespace

arrow::Status RecordDiff::Add(std::shared_ptr<arrow::RecordBatch> rows) {
  result_.compared += rows->num_rows();
  batches_.push_back(std::move(rows));
  return arrow::Status::OK();
}

arrow::Result<DiffResult> RecordDiff::Finish(bool complete, std::stop_token stop) {
  result_.complete = complete;
  const bool whole = IsWhole(stream_.mode);
  const bool by_key = (IsKeyed(stream_.mode) || whole) && !stream_.table.keys.empty() &&
                      stream_.target_can.Has(Capability::kUpsert);
  if (by_key) ARROW_RETURN_NOT_OK(GroupByKey());
  if (!by_key) {
    for (const auto& batch : batches_) {
      for (int64_t row = 0; row < batch->num_rows(); ++row) {
        Note(Change(RecordChange::Kind::kAdd, *batch, row), result_.added);
      }
    }
    result_.deleted = 0;
    if (whole && stream_.target.exists) {
      ARROW_ASSIGN_OR_RAISE(result_.deleted,
                            stream_.destination->CountRows(stream_.config.target, stop));
      result_.note =
          "Rows without keys are not compared: all that stand there are "
          "replaced";
    }
    return std::move(result_);
  }
  if (stream_.target.exists) ARROW_RETURN_NOT_OK(Compare(stop));
  NoteAdded(rows_);
  if (stream_.table.history.closes_unseen && stream_.target.exists) {
    result_.note =
        "Which versions are closed because their key does not come is known "
        "only at the load";
  } else if (!whole || !stream_.target.exists) {
    result_.deleted = result_.deleted.value_or(0);
  } else if (!complete) {
    result_.note = "What would be deleted is known only once the whole source is read";
  } else if (stream_.table.mirror.scope == MirrorScope::kTracked) {
    result_.note = "What a mirror of scope tracked deletes is known only at the load";
  } else {
    ARROW_RETURN_NOT_OK(FindDeleted(stop));
  }
  return std::move(result_);
}

arrow::Status RecordDiff::GroupByKey() {
  ARROW_ASSIGN_OR_RAISE(const std::string by, stream_.DedupColumn());
  const auto later = [&](const Row& a, const Row& b) {
    const auto left = by.empty() ? nullptr : a.batch->GetColumnByName(by);
    const auto right = by.empty() ? nullptr : b.batch->GetColumnByName(by);
    if (!left || !right) return true;
    const size_t column = a.batch->schema()->GetFieldIndex(by);
    const auto before = CellText(*left, a.number, TypeOf(column));
    const auto after = CellText(*right, b.number, TypeOf(column));
    if (!before || !after) return after.has_value() || !before.has_value();
    return CompareCursors(*after, *before, TypeOf(column)) >= 0;
  };
  for (const auto& batch : batches_) {
    ARROW_ASSIGN_OR_RAISE(auto keys, RowKeys::Make(*batch, stream_.table.keys));
    for (int64_t row = 0; row < batch->num_rows(); ++row) {
      auto& same = rows_[std::string(keys.At(row))];
      const Row here{batch.get(), row};
      if (same.empty() || Groups()) {
        same.push_back(here);
      } else if (later(same.front(), here)) {
        same.front() = here;
      }
    }
  }
  return arrow::Status::OK();
}

arrow::Status RecordDiff::Compare(std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(auto target,
                        TargetRows::Open(stream_, pipeline_, context_, stop));
  std::vector<TargetRows::Wanted> wanted;
  for (size_t i = 0; i < stream_.table_plan.columns.size(); ++i) {
    const auto& column = stream_.table_plan.columns[i];
    // One that the run would add.
    if (!target->Find(column.name)) continue;
    wanted.push_back({column.name, column.name, TypeOf(i)});
  }
  // Of a history only the open versions stand for their rows.
  const std::string& closed_at = stream_.table.history.valid_to;
  const Field* closed = closed_at.empty() ? nullptr : target->Find(closed_at);
  if (closed) wanted.push_back({closed_at, closed_at, closed->type});
  const auto compare = [&](const arrow::RecordBatch& batch) -> arrow::Status {
    ARROW_ASSIGN_OR_RAISE(auto keys, RowKeys::Make(batch, stream_.table.keys));
    const auto ended = closed ? batch.GetColumnByName(closed_at) : nullptr;
    for (int64_t row = 0; row < batch.num_rows(); ++row) {
      if (ended && ended->IsValid(row)) continue;
      const std::string key(keys.At(row));
      auto here = found_.find(key);
      if (here == found_.end()) {
        auto moved = rows_.extract(key);
        if (moved.empty()) continue;
        here = found_.insert(std::move(moved)).position;
      }
      ARROW_RETURN_NOT_OK(CompareRow(batch, row, here->second));
    }
    return arrow::Status::OK();
  };
  // One column of the key is enough to ask for; what else has its values is left out.
  std::set<std::string> values;
  Filter filter;
  for (size_t i = 0; i < wanted.size() && filter.column.empty(); ++i) {
    if (!IsKey(wanted[i].column) || !CanBeCursor(wanted[i].type)) continue;
    filter.column = wanted[i].column;
    filter.type = target->Find(filter.column)->type;
    for (const auto& [key, rows] : rows_) {
      const auto array = rows.front().batch->GetColumnByName(filter.column);
      if (auto text = CellText(*array, rows.front().number, wanted[i].type)) {
        values.insert(std::move(*text));
      }
    }
  }
  if (filter.column.empty()) {
    ARROW_RETURN_NOT_OK(target->Read(wanted, {}, compare, stop));
  }
  filter.op = FilterOp::kIn;
  for (auto value = values.begin(); value != values.end();) {
    filter.values.clear();
    while (value != values.end() && filter.values.size() < kValuesAtOnce) {
      filter.values.push_back(*value++);
    }
    ARROW_RETURN_NOT_OK(target->Read(wanted, {filter}, compare, stop));
  }
  if (Groups()) NoteAdded(found_);
  return arrow::Status::OK();
}

arrow::Status RecordDiff::CompareRow(const arrow::RecordBatch& target, int64_t row,
                                     std::vector<Row>& wanted) {
  if (Groups()) {
    const auto same = std::find_if(wanted.begin(), wanted.end(), [&](const Row& one) {
      return Differences(target, row, one).empty();
    });
    if (same != wanted.end()) {
      wanted.erase(same);
      ++result_.unchanged;
      return arrow::Status::OK();
    }
    int64_t deleted = result_.deleted.value_or(0);
    Note(Change(RecordChange::Kind::kDelete, target, row), deleted);
    result_.deleted = deleted;
    return arrow::Status::OK();
  }
  auto cells = stream_.mode == LoadMode::kInsertOnly
                   ? std::vector<RecordChange::Cell>()
                   : Differences(target, row, wanted.front());
  if (cells.empty()) {
    ++result_.unchanged;
    return arrow::Status::OK();
  }
  RecordChange change;
  change.kind = RecordChange::Kind::kChange;
  change.key = RowKey(target, row, stream_.table.keys, 0);
  change.cells = std::move(cells);
  Note(std::move(change), result_.changed);
  return arrow::Status::OK();
}

arrow::Status RecordDiff::FindDeleted(std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(auto target,
                        TargetRows::Open(stream_, pipeline_, context_, stop));
  std::vector<TargetRows::Wanted> wanted;
  for (size_t i = 0; i < stream_.table_plan.columns.size(); ++i) {
    const std::string& name = stream_.table_plan.columns[i].name;
    if (IsKey(name)) wanted.push_back({name, name, TypeOf(i)});
  }
  const std::string& soft = stream_.table.mirror.soft_delete_column;
  const Field* marked = soft.empty() ? nullptr : target->Find(soft);
  if (marked) wanted.push_back({soft, soft, marked->type});
  int64_t deleted = 0;
  const auto look = [&](const arrow::RecordBatch& batch) -> arrow::Status {
    ARROW_ASSIGN_OR_RAISE(auto keys, RowKeys::Make(batch, stream_.table.keys));
    const auto gone = marked ? batch.GetColumnByName(soft) : nullptr;
    for (int64_t row = 0; row < batch.num_rows(); ++row) {
      if (found_.contains(std::string(keys.At(row)))) continue;
      if (gone && gone->IsValid(row)) continue;
      Note(Change(RecordChange::Kind::kDelete, batch, row), deleted);
    }
    return arrow::Status::OK();
  };
  ARROW_RETURN_NOT_OK(target->Read(wanted, {}, look, stop));
  result_.deleted = deleted;
  return arrow::Status::OK();
}

std::vector<RecordChange::Cell> RecordDiff::Differences(const arrow::RecordBatch& before,
                                                        int64_t before_row,
                                                        const Row& after) const {
  std::vector<RecordChange::Cell> cells;
  for (size_t i = 0; i < stream_.table_plan.columns.size(); ++i) {
    const std::string& name = stream_.table_plan.columns[i].name;
    // A key is equal here, and the time of the load is another each time.
    if (IsKey(name) || stream_.columns.columns[i].read_index < 0) continue;
    const auto old = before.GetColumnByName(name);
    RecordChange::Cell cell{name, std::nullopt, std::nullopt};
    if (old) cell.before = Text(*old, before_row, i);
    cell.after = Text(*after.batch->column(static_cast<int>(i)), after.number, i);
    if (cell.before != cell.after) cells.push_back(std::move(cell));
  }
  return cells;
}

RecordChange RecordDiff::Change(RecordChange::Kind kind, const arrow::RecordBatch& batch,
                                int64_t row) const {
  RecordChange change;
  change.kind = kind;
  change.key = RowKey(batch, row, stream_.table.keys, 0);
  for (size_t i = 0; i < stream_.table_plan.columns.size(); ++i) {
    const std::string& name = stream_.table_plan.columns[i].name;
    const auto array = batch.GetColumnByName(name);
    if (!array || IsKey(name)) continue;
    auto text = Text(*array, row, i);
    const bool added = kind == RecordChange::Kind::kAdd;
    change.cells.push_back(
        {name, added ? std::nullopt : text, added ? text : std::nullopt});
  }
  return change;
}

void RecordDiff::NoteAdded(const Rows& rows) {
  for (const auto& [key, same] : rows) {
    for (const auto& row : same) {
      Note(Change(RecordChange::Kind::kAdd, *row.batch, row.number), result_.added);
    }
  }
}

void RecordDiff::Note(RecordChange change, int64_t& count) {
  ++count;
  const auto shown =
      std::count_if(result_.changes.begin(), result_.changes.end(),
                    [&](const RecordChange& one) { return one.kind == change.kind; });
  if (shown < kMostShown) result_.changes.push_back(std::move(change));
}

std::optional<std::string> RecordDiff::Text(const arrow::Array& array, int64_t row,
                                            size_t column) const {
  auto text = CellText(array, row, TypeOf(column));
  // As the target will have it.
  const bool signed_zero = stream_.table_plan.columns[column].domain.signed_zero;
  if (!signed_zero && text == "-0" && !CanBeCursor(TypeOf(column))) text = "0";
  return text;
}

const FieldType& RecordDiff::TypeOf(size_t column) const {
  return stream_.table_plan.columns[column].domain.deliver;
}

bool RecordDiff::IsKey(const std::string& name) const {
  const auto& keys = stream_.table.keys;
  return std::find(keys.begin(), keys.end(), name) != keys.end();
}

}  // namespace dxt
