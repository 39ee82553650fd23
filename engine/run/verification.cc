#include "engine/run/verification.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include <arrow/api.h>
#include <arrow/compute/api.h>

#include "base/fnv1a.h"
#include "engine/run/canonical_values.h"
#include "engine/run/cell_text.h"
#include "engine/run/extractor.h"
#include "engine/run/key_set.h"

namespace dxt {
namespace {

constexpr size_t kParts = 1 << 14;
/// Records of one kind that are shown.
constexpr int kMostShown = 10;

/// The finalizer of MurmurHash3 (Appleby, fmix64): spreads FNV's low bits, so that sums
/// of hashes tell sets apart.
uint64_t Spread(uint64_t hash) {
  hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccdull;
  hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53ull;
  return hash ^ hash >> 33;
}

std::string Hex(uint64_t number) {
  char text[17];
  std::snprintf(text, sizeof text, "%016" PRIx64, number);
  return text;
}

}  // namespace

Verification::Verification(const PreparedStream& stream, const PipelineDocument& pipeline,
                           const RunContext& context)
    : stream_(stream),
      pipeline_(pipeline),
      context_(context),
      by_key_(!stream.table.keys.empty() && stream.mode != LoadMode::kDeleteInsert),
      parts_(kParts) {}

arrow::Result<VerifyResult> Verification::Run(const ReadSource& source,
                                              std::stop_token stop) {
  ARROW_RETURN_NOT_OK(ChooseColumns(stop));
  ARROW_RETURN_NOT_OK(source([&](const auto& rows) { return Count(kSource, rows); }));
  ARROW_RETURN_NOT_OK(
      ReadTarget([&](const auto& rows) { return Count(kTarget, rows); }, stop));
  ChooseParts();
  if (result_.parts_different > 0) {
    ARROW_RETURN_NOT_OK(source([&](const auto& rows) { return Gather(kSource, rows); }));
    ARROW_RETURN_NOT_OK(
        ReadTarget([&](const auto& rows) { return Gather(kTarget, rows); }, stop));
    ARROW_RETURN_NOT_OK(CompareRows());
  }
  Judge();
  return std::move(result_);
}

arrow::Status Verification::ChooseColumns(std::stop_token stop) {
  if (stream_.target.exists) {
    ARROW_ASSIGN_OR_RAISE(target_, TargetRows::Open(stream_, pipeline_, context_, stop));
  }
  const auto& keys = stream_.table.keys;
  for (size_t i = 0; i < stream_.table_plan.columns.size(); ++i) {
    Column column{stream_.table_plan.columns[i].name,
                  stream_.table_plan.columns[i].domain.deliver};
    column.key = std::find(keys.begin(), keys.end(), column.name) != keys.end();
    // The time of the load is no value of the source, and rows that are there already
    // keep theirs with insert_only.
    if (stream_.columns.columns[i].read_index < 0) continue;
    if (stream_.mode == LoadMode::kInsertOnly && by_key_ && !column.key) continue;
    wanted_.push_back({column.name, column.name, column.type});
    columns_.push_back(std::move(column));
  }
  const bool moves_on = stream_.config.extract.incremental && stream_.watermark.value;
  if (moves_on && !stream_.columns.cursor_target.empty()) {
    const auto found = std::find_if(
        columns_.begin(), columns_.end(),
        [&](const Column& one) { return one.name == stream_.columns.cursor_target; });
    if (found != columns_.end() && CanBeCursor(found->type)) {
      cursor_column_ = found->name;
      cursor_type_ = found->type;
    }
  }
  for (const auto& name :
       {stream_.table.history.valid_to, stream_.table.mirror.soft_delete_column}) {
    const Field* field = target_ && !name.empty() ? target_->Find(name) : nullptr;
    if (!field) continue;
    markers_.push_back(name);
    wanted_.push_back({name, name, field->type});
  }
  return arrow::Status::OK();
}

arrow::Status Verification::ReadTarget(const TargetRows::Sink& sink,
                                       std::stop_token stop) {
  return target_ ? target_->Read(wanted_, {}, sink, stop) : arrow::Status::OK();
}

arrow::Status Verification::MarkLeftOut(Side side, const arrow::RecordBatch& batch,
                                        std::vector<bool>* left_out) const {
  left_out->assign(batch.num_rows(), false);
  if (side == kTarget) {
    for (const auto& name : markers_) {
      const auto marker = batch.GetColumnByName(name);
      for (int64_t row = 0; row < batch.num_rows(); ++row) {
        if (marker->IsValid(row)) (*left_out)[row] = true;
      }
    }
    return arrow::Status::OK();
  }
  if (cursor_column_.empty()) return arrow::Status::OK();
  const auto cursor = batch.GetColumnByName(cursor_column_);
  for (int64_t row = 0; row < batch.num_rows(); ++row) {
    if (cursor->IsNull(row)) continue;
    ARROW_ASSIGN_OR_RAISE(const auto text, CursorText(*cursor, row, cursor_type_));
    (*left_out)[row] = CompareCursors(text, *stream_.watermark.value, cursor_type_) > 0;
  }
  return arrow::Status::OK();
}

arrow::Result<Verification::Hashed> Verification::Hash(Side side,
                                                       const arrow::RecordBatch& batch) {
  Hashed hashed;
  arrow::FieldVector fields;
  std::vector<std::shared_ptr<arrow::Array>> arrays;
  for (const auto& column : columns_) {
    ARROW_ASSIGN_OR_RAISE(
        arrays.emplace_back(),
        CanonicalValues(batch.GetColumnByName(column.name), column.type));
    fields.push_back(arrow::field(column.name, arrays.back()->type()));
  }
  hashed.rows = arrow::RecordBatch::Make(arrow::schema(std::move(fields)),
                                         batch.num_rows(), std::move(arrays));
  hashed.keys.assign(batch.num_rows(), kFnv1aBasis);
  hashed.values.assign(batch.num_rows(), kFnv1aBasis);
  ARROW_RETURN_NOT_OK(MarkLeftOut(side, batch, &hashed.left_out));
  for (auto& column : columns_) {
    ARROW_ASSIGN_OR_RAISE(auto cells, RowKeys::Make(*hashed.rows, {column.name}));
    for (int64_t row = 0; row < batch.num_rows(); ++row) {
      const std::string_view cell = cells.At(row);
      hashed.values[row] = Fnv1a(cell, hashed.values[row]);
      if (column.key) hashed.keys[row] = Fnv1a(cell, hashed.keys[row]);
    }
  }
  // Without a key a row is its own.
  const bool keyed = std::any_of(columns_.begin(), columns_.end(),
                                 [](const Column& column) { return column.key; });
  for (int64_t row = 0; row < batch.num_rows(); ++row) {
    hashed.values[row] = Spread(hashed.values[row]);
    hashed.keys[row] = keyed ? Spread(hashed.keys[row]) : hashed.values[row];
  }
  return hashed;
}

arrow::Status Verification::Count(Side side, const arrow::RecordBatch& batch) {
  ARROW_ASSIGN_OR_RAISE(const auto hashed, Hash(side, batch));
  int64_t& rows = side == kSource ? result_.source_rows : result_.target_rows;
  for (int64_t row = 0; row < batch.num_rows(); ++row) {
    if (hashed.left_out[row]) {
      result_.pending += side == kSource;
      continue;
    }
    ++rows;
    Sums& part = parts_[hashed.keys[row] % kParts].sides[side];
    ++part.rows;
    part.sum += hashed.values[row];
  }
  for (auto& column : columns_) {
    ARROW_ASSIGN_OR_RAISE(auto cells, RowKeys::Make(*hashed.rows, {column.name}));
    for (int64_t row = 0; row < batch.num_rows(); ++row) {
      if (!hashed.left_out[row]) column.sums[side] += Spread(Fnv1a(cells.At(row)));
    }
  }
  return arrow::Status::OK();
}

void Verification::ChooseParts() {
  result_.parts = kParts;
  for (Part& part : parts_) {
    if (part.sides[kSource] == part.sides[kTarget]) continue;
    ++result_.parts_different;
    const int64_t rows = part.sides[kSource].rows + part.sides[kTarget].rows;
    if (rows_to_gather_ > 0 && rows_to_gather_ + rows > kMostRows) {
      result_.complete = false;
      continue;
    }
    rows_to_gather_ += rows;
    part.looked_into = true;
  }
  for (const auto& column : columns_) {
    result_.columns.push_back(
        {column.name, Hex(column.sums[kSource]), Hex(column.sums[kTarget])});
  }
}

arrow::Status Verification::Gather(Side side, const arrow::RecordBatch& batch) {
  ARROW_ASSIGN_OR_RAISE(const auto hashed, Hash(side, batch));
  arrow::BooleanBuilder wanted;
  int64_t count = 0;
  for (int64_t row = 0; row < batch.num_rows(); ++row) {
    // A pending version of a row says why the target has another one.
    const bool here = parts_[hashed.keys[row] % kParts].looked_into &&
                      (side == kSource || !hashed.left_out[row]);
    count += here;
    ARROW_RETURN_NOT_OK(wanted.Append(here));
  }
  if (count == 0) return arrow::Status::OK();
  if (gathered_rows_[side] + count > 2 * kMostRows) {
    result_.complete = false;
    return arrow::Status::OK();
  }
  gathered_rows_[side] += count;
  ARROW_ASSIGN_OR_RAISE(const auto mask, wanted.Finish());
  // A copy of the struct's columns, so that the rest of the batch is released.
  const auto whole =
      arrow::RecordBatch::Make(batch.schema(), batch.num_rows(), batch.columns());
  ARROW_ASSIGN_OR_RAISE(const auto kept, arrow::compute::Filter(whole, mask));
  gathered_[side].push_back(kept.record_batch());
  return arrow::Status::OK();
}

arrow::Status Verification::CompareRows() {
  struct Group {
    std::array<std::vector<Row>, 2> sides;
  };
  std::unordered_map<std::string, Group> groups;
  std::vector<std::string> names;
  for (const auto& column : columns_) names.push_back(column.name);
  for (const Side side : {kSource, kTarget}) {
    for (const auto& batch : gathered_[side]) {
      ARROW_ASSIGN_OR_RAISE(const auto hashed, Hash(side, *batch));
      ARROW_ASSIGN_OR_RAISE(auto values, RowKeys::Make(*hashed.rows, names));
      ARROW_ASSIGN_OR_RAISE(
          auto keys, RowKeys::Make(*hashed.rows, by_key_ ? stream_.table.keys : names));
      for (int64_t row = 0; row < batch->num_rows(); ++row) {
        groups[std::string(keys.At(row))].sides[side].push_back(
            {batch.get(), row, std::string(values.At(row)),
             side == kSource && hashed.left_out[row]});
      }
    }
  }
  for (auto& [key, group] : groups)
    CompareGroup(group.sides[kSource], group.sides[kTarget]);
  return arrow::Status::OK();
}

void Verification::CompareGroup(std::vector<Row>& wanted, std::vector<Row>& there) {
  const bool in_source = !wanted.empty();
  const bool pending = std::any_of(wanted.begin(), wanted.end(),
                                   [](const Row& row) { return row.pending; });
  std::erase_if(wanted, [](const Row& row) { return row.pending; });
  bool matched = false;
  std::erase_if(there, [&](const Row& row) {
    const auto same = std::find_if(wanted.begin(), wanted.end(), [&](const Row& one) {
      return one.bytes == row.bytes;
    });
    if (same == wanted.end()) return false;
    wanted.erase(same);
    matched = true;
    return true;
  });
  const bool one_a_key = by_key_ && IsKeyed(stream_.mode);
  // Of equal keys one row is loaded, and what a newer version will replace is no loss.
  if (one_a_key && matched) wanted.clear();
  if (one_a_key && wanted.size() > 1) wanted.erase(wanted.begin(), wanted.end() - 1);
  if (pending && by_key_ && wanted.empty() && there.size() == 1) there.clear();
  size_t paired = 0;
  if (by_key_) {
    while (paired < wanted.size() && paired < there.size()) {
      Note(RecordChange::Kind::kChange, &wanted[paired], &there[paired]);
      ++paired;
    }
  }
  for (size_t i = paired; i < wanted.size(); ++i) {
    Note(RecordChange::Kind::kAdd, &wanted[i], nullptr);
  }
  for (size_t i = paired; i < there.size(); ++i) {
    Note(in_source ? RecordChange::Kind::kDouble : RecordChange::Kind::kDelete, nullptr,
         &there[i]);
  }
}

void Verification::Note(RecordChange::Kind kind, const Row* source, const Row* target) {
  int64_t* counts[] = {&result_.missing, &result_.changed, &result_.extra,
                       &result_.doubled};
  ++*counts[static_cast<size_t>(kind)];
  const auto shown =
      std::count_if(result_.changes.begin(), result_.changes.end(),
                    [&](const RecordChange& one) { return one.kind == kind; });
  if (shown < kMostShown) result_.changes.push_back(Describe(kind, source, target));
}

RecordChange Verification::Describe(RecordChange::Kind kind, const Row* source,
                                    const Row* target) const {
  const Row& any = source ? *source : *target;
  RecordChange change;
  change.kind = kind;
  change.key = stream_.table.keys.empty()
                   ? "{}"
                   : RowKey(*any.batch, any.number, stream_.table.keys, 0);
  for (const auto& column : columns_) {
    if (column.key) continue;
    const auto text = [&](const Row* row) -> std::optional<std::string> {
      if (!row) return std::nullopt;
      return CellText(*row->batch->GetColumnByName(column.name), row->number,
                      column.type);
    };
    RecordChange::Cell cell{column.name, text(target), text(source)};
    if (kind != RecordChange::Kind::kChange || cell.before != cell.after) {
      change.cells.push_back(std::move(cell));
    }
  }
  return change;
}

void Verification::Judge() {
  const bool all_rows_are_its_own =
      stream_.Whole() && stream_.table.mirror.scope != MirrorScope::kTracked;
  result_.equal = result_.complete && result_.missing == 0 && result_.changed == 0 &&
                  result_.doubled == 0 && (result_.extra == 0 || !all_rows_are_its_own);
}

}  // namespace dxt
