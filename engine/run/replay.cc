#include "engine/run/replay.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <set>

#include <arrow/api.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"
#include "engine/run/loader.h"
#include "engine/run/meter.h"
#include "engine/run/observer.h"
#include "engine/run/rejects.h"
#include "engine/run/stream_plan.h"
#include "engine/stage/row_json.h"

namespace dxt {
namespace {

/// Letters that one load carries.
constexpr int kLettersOfLoad = 1000;

/// The stream as a replay loads it.
StreamConfig AdditiveOnly(const StreamConfig& config) {
  StreamConfig added = config;
  LoadConfig& load = added.load;
  const bool keyed = !load.upsert_keys.empty() && load.mode != LoadMode::kDeleteInsert;
  if (load.mode == LoadMode::kHistory) {
    load.history.closes_unseen = false;
  } else if (load.mode != LoadMode::kInsertOnly && load.mode != LoadMode::kAppend) {
    load.mode = keyed ? LoadMode::kUpsert : LoadMode::kAppend;
  }
  load.mirror = {};
  load.on_error = OnError::kDeadLetter;
  load.max_rejected = std::numeric_limits<int64_t>::max();
  load.max_rejected_percent.reset();
  return added;
}

class Replay {
 public:
  Replay(const PipelineDocument& pipeline, const StreamConfig& config,
         const RunOptions& options, const RunContext& context)
      : pipeline_(pipeline),
        config_(AdditiveOnly(config)),
        options_(options),
        context_(context),
        meter_(config.id, *context.observer, *context.clock) {
    identity_.pipeline = pipeline.project.name + "/" + pipeline.name;
    identity_.stream = config.id;
    identity_.lane = kReplayLane;
    result_.id = config.id;
    result_.target = config.target;
    result_.extract_mode = "dead_letters";
    result_.load_mode = LoadModeName(config_.load.mode);
    result_.lane = kReplayLane;
    result_.buffer = "streamed";
  }

  StreamResult Execute(std::stop_token stop) {
    const auto started = context_.clock->Tick();
    const auto status = Run(stop);
    result_.state = StreamState::kSucceeded;
    if (!status.ok()) {
      ErrorInfo more;
      more.stream = config_.id;
      result_.error = Annotate(status, more);
      const bool cancelled = stop.stop_requested() ||
                             GetErrorInfo(status).error_class == ErrorClass::kCancelled;
      result_.state = cancelled ? StreamState::kCancelled : StreamState::kFailed;
    }
    if (result_.rows_rejected > 0) {
      result_.warnings.push_back(
          {"dlq.refused", std::to_string(result_.rows_rejected) +
                              " dead letters cannot be loaded this time either: dxtctl "
                              "dlq list shows why"});
    }
    result_.seconds =
        std::chrono::duration<double>(context_.clock->Tick() - started).count();
    meter_.SetPhase(StreamPhase::kDone);
    meter_.Event(status.ok() ? Severity::kInfo : Severity::kError, "stream_ended",
                 "Replay of stream " + config_.id + " " +
                     std::string(StreamStateName(result_.state)) +
                     (status.ok() ? "" : ": " + result_.error.message()));
    return std::move(result_);
  }

 private:
  arrow::Status Run(std::stop_token stop) {
    for (int64_t after = 0;;) {
      if (stop.stop_requested()) {
        return MakeError(ErrorClass::kCancelled, "cancelled", "The run was cancelled");
      }
      ARROW_ASSIGN_OR_RAISE(
          auto rows, context_.journal->StoredRows(identity_, *options_.replay, after,
                                                  kLettersOfLoad));
      if (rows.empty()) return arrow::Status::OK();
      const auto other = std::find_if(rows.begin(), rows.end(), [&](const auto& row) {
        return row.schema != rows.front().schema;
      });
      rows.erase(other, rows.end());
      ARROW_ASSIGN_OR_RAISE(const bool settled, Load(rows, stop));
      // What waits is another question after an interrupted replay was settled.
      after = settled ? 0 : rows.back().seq;
    }
  }

  /// The fields that a letter's have become in today's document; those that it no longer
  /// has are left out. Text without a dtype takes the type of the target's column, as
  /// cells of a text file do.
  arrow::Result<StreamSchema> Fields(const StreamSchema& letter, std::stop_token stop) {
    if (!target_) {
      ARROW_ASSIGN_OR_RAISE(auto destination, OpenDestination(pipeline_.target, config_,
                                                              context_, nullptr, stop));
      ARROW_ASSIGN_OR_RAISE(target_, destination->Describe(config_.target, stop));
    }
    StreamSchema fields;
    const auto& wanted = config_.fields;
    const auto named = [&](const std::string& id) {
      return std::find_if(wanted.begin(), wanted.end(),
                          [&](const FieldConfig& field) { return field.id == id; });
    };
    const bool all = wanted.empty() || named("*") != wanted.end();
    for (Field field : letter.fields) {
      const auto found = named(field.name);
      if (found == wanted.end() && !all) continue;
      const bool mapped = found != wanted.end() && !found->target_name.empty();
      const auto* column = target_->Find(mapped ? found->target_name : field.name);
      if (found != wanted.end() && found->type) {
        field.type = *found->type;
      } else if (field.type.dtype == DType::kString && column &&
                 IsReadAsText(column->domain.deliver)) {
        field.type = column->domain.deliver;
      }
      fields.fields.push_back(std::move(field));
    }
    return fields;
  }

  std::string TimezoneOf(const std::string& id) const {
    for (const auto& field : config_.fields) {
      if (field.id == id) return field.timezone;
    }
    return "";
  }

  /// `batch`, of the letters' types, in those of `fields`, without what cannot be.
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Convert(
      std::shared_ptr<arrow::RecordBatch> batch, const StreamSchema& letter,
      const StreamSchema& fields, const PreparedStream& stream,
      std::vector<RejectedRow>* rejected, ValueChanges* changed) const {
    std::vector<std::unique_ptr<Conversion>> conversions;
    std::vector<ValueMender> menders;
    StreamSchema arriving;
    arrow::ArrayVector arrays;
    for (const auto& field : fields.fields) {
      const Field* from = letter.Find(field.name);
      arriving.fields.push_back(*from);
      arrays.push_back(batch->GetColumnByName(field.name));
      ConversionOptions options;
      options.timezone = TimezoneOf(field.name);
      ARROW_ASSIGN_OR_RAISE(auto conversion,
                            Conversion::Make(*from, field.type, options));
      conversions.push_back(std::move(conversion));
      menders.push_back(
          stream.Mender(field.name, *from, ValueDomain{.deliver = field.type}));
    }
    batch = arrow::RecordBatch::Make(ArrowSchema(arriving), batch->num_rows(), arrays);
    const auto convert = [&](size_t column, const std::shared_ptr<arrow::Array>& array,
                             int64_t* bad_row, ValueChanges* changes) {
      const auto apply = [&](const std::shared_ptr<arrow::Array>& values, int64_t* row) {
        return conversions[column]->Apply(values, row);
      };
      return menders[column].Apply(array, apply, bad_row, changes);
    };
    const auto step = [&](int column, int64_t from, int64_t* bad_row) {
      ValueChanges sought;  // Counted once the rows that stay are converted.
      return convert(column, batch->column(column)->Slice(from), bad_row, &sought);
    };
    ARROW_ASSIGN_OR_RAISE(auto rejecter, RowRejecter::Make(stream.rejects, arriving, {}));
    ARROW_ASSIGN_OR_RAISE(auto kept,
                          rejecter->LeaveOut(batch, batch->columns(), step, rejected));
    arrow::ArrayVector converted;
    for (size_t i = 0; i < conversions.size(); ++i) {
      ARROW_ASSIGN_OR_RAISE(
          auto array, convert(i, kept->column(static_cast<int>(i)), nullptr, changed));
      converted.push_back(std::move(array));
    }
    return arrow::RecordBatch::Make(ArrowSchema(fields), kept->num_rows(),
                                    std::move(converted));
  }

  /// What was no row when it was read is none now.
  arrow::Result<bool> RefuseRecords(const std::vector<StoredRow>& rows) {
    RejectedRow why;
    why.code = "dlq.no_row";
    why.message =
        "The text of this record has no columns that a replay could load: correct it in "
        "its file and have that read again, then drop the letter";
    for (const auto& row : rows) {
      ARROW_RETURN_NOT_OK(context_.journal->RefuseReplay(row.id, why));
    }
    result_.rows_read += static_cast<int64_t>(rows.size());
    result_.rows_rejected += static_cast<int64_t>(rows.size());
    result_.dead_letters = result_.rows_rejected;
    return false;
  }

  /// Loads rows of one schema, as one load. True: an interrupted replay was settled, and
  /// nothing else was done.
  arrow::Result<bool> Load(const std::vector<StoredRow>& rows, std::stop_token stop) {
    meter_.SetPhase(StreamPhase::kPlanning);
    ARROW_ASSIGN_OR_RAISE(const auto letter, ReadRowSchema(rows.front().schema));
    if (IsRecordText(letter)) return RefuseRecords(rows);
    std::vector<std::string> texts;
    for (const auto& row : rows) texts.push_back(row.row);
    ARROW_ASSIGN_OR_RAISE(auto batch, ReadRows(letter, texts));
    ARROW_ASSIGN_OR_RAISE(const StreamSchema fields, Fields(letter, stop));
    StreamConfig config = config_;
    // The row may have come again meanwhile: the later version of a key stays.
    std::string& sort = config.load.dedup_sort;
    if (sort.empty()) sort = config.extract.watermark_field;
    if (!fields.Find(sort)) sort.clear();
    ARROW_ASSIGN_OR_RAISE(
        auto stream, PreparePackage(pipeline_, config, fields, options_, context_, stop));
    if (!stream->target.reference.empty()) result_.target = stream->target.reference;
    result_.strategy = stream->table_plan.strategy;
    ARROW_ASSIGN_OR_RAISE(auto loader,
                          Loader::Make(*stream, context_, meter_, ArrowSchema(fields)));
    ARROW_ASSIGN_OR_RAISE(const auto settled, loader->Own(stop));
    if (settled) {
      result_.rows_written += settled->rows;
      return true;
    }
    std::vector<RejectedRow> rejected;
    ValueChanges changed;
    ARROW_ASSIGN_OR_RAISE(batch,
                          Convert(batch, letter, fields, *stream, &rejected, &changed));
    loader->Changed(changed);
    // Places of the rows that the loader sees.
    std::set<int64_t> refused;
    for (const auto& row : rejected) refused.insert(row.position);
    std::vector<int64_t> places;
    for (int64_t i = 0; i < static_cast<int64_t>(rows.size()); ++i) {
      if (!refused.contains(i)) places.push_back(i);
    }
    LoadRecord record;
    record.load_id = context_.ids->Ulid();
    const std::string load_id = record.load_id;
    if (batch->num_rows() > 0) {
      ARROW_RETURN_NOT_OK(loader->Begin(std::move(record), stop));
      result_.began_writing = true;
      meter_.SetPhase(StreamPhase::kWriting);
      ARROW_RETURN_NOT_OK(loader->Append(*batch, stop));
      for (auto& row : loader->TakeRejected()) {
        row.position = places[row.position];
        refused.insert(row.position);
        rejected.push_back(std::move(row));
      }
    }
    result_.rows_read += static_cast<int64_t>(rows.size());
    for (const auto& row : rejected) {
      ARROW_RETURN_NOT_OK(context_.journal->RefuseReplay(rows[row.position].id, row));
    }
    result_.rows_rejected += static_cast<int64_t>(rejected.size());
    result_.dead_letters = result_.rows_rejected;
    if (refused.size() == rows.size()) return false;
    return Commit(*loader, rows, refused, load_id, stop);
  }

  arrow::Result<bool> Commit(Loader& loader, const std::vector<StoredRow>& rows,
                             const std::set<int64_t>& refused, const std::string& load_id,
                             std::stop_token stop) {
    std::vector<std::string> carried;
    for (size_t i = 0; i < rows.size(); ++i) {
      if (!refused.contains(static_cast<int64_t>(i))) carried.push_back(rows[i].id);
    }
    ARROW_RETURN_NOT_OK(context_.journal->HoldReplay(load_id, carried));
    ARROW_ASSIGN_OR_RAISE(const auto committed, loader.Commit("", stop));
    ++result_.windows;
    meter_.CountWindow();
    result_.load_id = load_id;
    result_.window_seq = loader.record().window_seq;
    result_.rows_written += committed.rows_written;
    result_.rows_deduplicated += committed.rows_deduplicated;
    result_.values_changed.Add(loader.TakeChanged());
    for (const auto& message : result_.values_changed.Messages()) {
      result_.warnings.push_back({"values.changed", message});
    }
    for (const auto& warning : committed.warnings) {
      result_.warnings.push_back({warning.code, warning.message});
    }
    meter_.Event(Severity::kInfo, "load_committed",
                 "Load " + load_id + " committed, " + std::to_string(carried.size()) +
                     " dead letters replayed");
    return false;
  }

  const PipelineDocument& pipeline_;
  const StreamConfig config_;
  const RunOptions& options_;
  const RunContext& context_;
  StreamMeter meter_;
  StreamIdentity identity_;
  std::optional<TargetTable> target_;  ///< Once it was asked for.
  StreamResult result_;
};

}  // namespace

StreamResult ReplayStream(const PipelineDocument& pipeline, const StreamConfig& config,
                          const RunOptions& options, const RunContext& context,
                          std::stop_token stop) {
  return Replay(pipeline, config, options, context).Execute(stop);
}

}  // namespace dxt
