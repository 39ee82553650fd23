#include "connectors/memory/versions.h"

#include <algorithm>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <arrow/api.h>

#include "base/error.h"
#include "connectors/memory/merge.h"
#include "connectors/sdk/cursor.h"
#include "connectors/sql/keyed.h"

namespace dxt::memory {
namespace {

constexpr int64_t kDayMicros = 24LL * 3600 * 1000000;

using Batch = std::shared_ptr<arrow::RecordBatch>;

class Versions {
 public:
  Versions(Batch old, Batch latest, const WriteSpec& spec)
      : old_(std::move(old)), latest_(std::move(latest)), spec_(spec) {}

  arrow::Result<KeptVersions> Keep(std::chrono::system_clock::time_point now) {
    const HistorySpec& history = spec_.table.history;
    const int rows = static_cast<int>(old_->num_rows());
    from_ = Times(history.valid_from);
    to_ = Times(history.valid_to);
    if (!from_ || !to_) {
      return MakeError(ErrorClass::kConfig, "target.column_missing",
                       "The target " + spec_.table.reference +
                           " has no column for the times of its versions");
    }
    ARROW_ASSIGN_OR_RAISE(moment_, Moment(now));
    ARROW_RETURN_NOT_OK(FindOpen());
    KeptVersions kept;
    kept.open_before = static_cast<int64_t>(open_.size());
    ARROW_ASSIGN_OR_RAISE(const auto keys, KeysOf(*latest_, spec_.table.keys));
    std::vector<bool> closed(rows, false);
    std::vector<std::optional<int64_t>> opened;
    for (int64_t row = 0; row < latest_->num_rows(); ++row) {
      const auto known = open_.find(keys[row]);
      if (known == open_.end()) {
        opened.emplace_back(row);
        continue;
      }
      const int64_t version = known->second;
      open_.erase(known);
      ARROW_ASSIGN_OR_RAISE(const bool newer, KeepsNewer(version, row));
      if (newer || !Differs(version, row)) continue;
      closed[version] = true;
      opened.emplace_back(row);
    }
    if (history.closes_unseen) {
      for (const auto& [key, version] : open_) closed[version] = true;
      kept.unseen = static_cast<int64_t>(open_.size());
    }
    kept.opened = static_cast<int64_t>(opened.size());
    ARROW_ASSIGN_OR_RAISE(kept.rows, Written(closed, opened));
    return kept;
  }

 private:
  std::shared_ptr<arrow::TimestampArray> Times(const std::string& name) const {
    return std::dynamic_pointer_cast<arrow::TimestampArray>(old_->GetColumnByName(name));
  }

  /// Behind that of each version, whatever the clock says.
  arrow::Result<int64_t> Moment(std::chrono::system_clock::time_point now) const {
    const int64_t clock =
        std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch())
            .count();
    int64_t moment = clock;
    for (const auto& times : {from_, to_}) {
      for (int64_t row = 0; row < times->length(); ++row) {
        if (times->IsValid(row)) moment = std::max(moment, times->Value(row) + 1);
      }
    }
    if (moment > clock + kDayMicros) {
      // The clock's own times end in the year 2262.
      ARROW_ASSIGN_OR_RAISE(
          const auto at,
          arrow::MakeArrayFromScalar(arrow::TimestampScalar(moment, from_->type()), 1));
      ARROW_ASSIGN_OR_RAISE(auto text,
                            CursorText(*at, 0, FieldType{DType::kTimestampTz}));
      return sql::VersionAhead(spec_.table.reference, spec_.table.history, text);
    }
    return moment;
  }

  arrow::Status FindOpen() {
    ARROW_ASSIGN_OR_RAISE(old_keys_, KeysOf(*old_, spec_.table.keys));
    for (int64_t row = 0; row < old_->num_rows(); ++row) {
      if (to_->IsValid(row)) continue;
      if (open_.emplace(old_keys_[row], row).second) continue;
      return sql::TwoOpen(spec_.table.reference, spec_.table.history,
                          {"(" + old_keys_[row] + ")"});
    }
    return arrow::Status::OK();
  }

  bool Differs(int64_t version, int64_t row) const {
    const auto& keys = spec_.table.keys;
    const auto& unwatched = spec_.table.history.unwatched;
    const auto options = arrow::EqualOptions::Defaults().nans_equal(true);
    for (const auto& field : latest_->schema()->fields()) {
      const auto is_it = [&](const auto& names) {
        return std::find(names.begin(), names.end(), field->name()) != names.end();
      };
      if (is_it(keys) || is_it(unwatched)) continue;
      const auto mine = old_->GetColumnByName(field->name());
      const auto theirs = latest_->GetColumnByName(field->name());
      if (!mine->RangeEquals(version, version + 1, row, theirs, options)) return true;
    }
    return false;
  }

  /// Whether the version in the target is later than the incoming row.
  arrow::Result<bool> KeepsNewer(int64_t version, int64_t row) const {
    if (!spec_.keep_newer || spec_.dedup_column.empty()) return false;
    const auto mine = old_->GetColumnByName(spec_.dedup_column);
    const auto theirs = latest_->GetColumnByName(spec_.dedup_column);
    ARROW_ASSIGN_OR_RAISE(const auto both, arrow::Concatenate({mine->Slice(version, 1),
                                                               theirs->Slice(row, 1)}));
    ARROW_ASSIGN_OR_RAISE(
        const auto type,
        FieldTypeOf(*latest_->schema()->GetFieldByName(spec_.dedup_column)));
    ARROW_ASSIGN_OR_RAISE(const bool later, LaterWins(both.get(), type, 0, 1));
    return !later;
  }

  /// The old versions, some closed now, and those of `latest_` that begin.
  arrow::Result<Batch> Written(const std::vector<bool>& closed,
                               const std::vector<std::optional<int64_t>>& opened) const {
    const HistorySpec& history = spec_.table.history;
    const auto count = static_cast<int64_t>(opened.size());
    arrow::ArrayVector columns;
    for (const auto& field : old_->schema()->fields()) {
      std::shared_ptr<arrow::Array> before = old_->GetColumnByName(field->name());
      std::shared_ptr<arrow::Array> after = latest_->GetColumnByName(field->name());
      if (after) {
        ARROW_ASSIGN_OR_RAISE(after, Taken(after, opened));
      } else if (field->name() == history.valid_from) {
        ARROW_ASSIGN_OR_RAISE(after,
                              arrow::MakeArrayFromScalar(
                                  arrow::TimestampScalar(moment_, field->type()), count));
      } else {
        ARROW_ASSIGN_OR_RAISE(after, arrow::MakeArrayOfNull(field->type(), count));
      }
      if (field->name() == history.valid_to) {
        arrow::TimestampBuilder builder(field->type(), arrow::default_memory_pool());
        for (int64_t row = 0; row < to_->length(); ++row) {
          const bool ends = closed[row] || to_->IsValid(row);
          ARROW_RETURN_NOT_OK(
              ends ? builder.Append(closed[row] ? moment_ : to_->Value(row))
                   : builder.AppendNull());
        }
        ARROW_ASSIGN_OR_RAISE(before, builder.Finish());
      }
      ARROW_ASSIGN_OR_RAISE(auto column, arrow::Concatenate({before, after}));
      columns.push_back(std::move(column));
    }
    return arrow::RecordBatch::Make(old_->schema(), old_->num_rows() + count,
                                    std::move(columns));
  }

  const Batch old_, latest_;
  const WriteSpec& spec_;
  std::shared_ptr<arrow::TimestampArray> from_, to_;
  int64_t moment_ = 0;
  std::vector<std::string> old_keys_;
  std::unordered_map<std::string_view, int64_t> open_;
};

}  // namespace

arrow::Result<KeptVersions> KeepVersions(const Batch& old, const Batch& fresh,
                                         const WriteSpec& spec,
                                         std::chrono::system_clock::time_point now) {
  ARROW_ASSIGN_OR_RAISE(auto nothing, arrow::RecordBatch::MakeEmpty(fresh->schema()));
  ARROW_ASSIGN_OR_RAISE(const auto latest,
                        Merge(nothing, fresh, spec.table.keys, spec.dedup_column,
                              spec.duplicate_keys_fail, KnownKeys::kUpdate));
  ARROW_ASSIGN_OR_RAISE(auto kept, Versions(old, latest.rows, spec).Keep(now));
  kept.deduplicated = latest.deduplicated;
  return kept;
}

}  // namespace dxt::memory
