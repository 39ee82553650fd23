#include "connectors/file/destination.h"

#include <algorithm>

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include "base/clock.h"
#include "base/error.h"
#include "connectors/file/commit.h"
#include "connectors/file/file_reader.h"
#include "connectors/file/file_writer.h"
#include "connectors/file/ledger.h"
#include "connectors/file/plan.h"
#include "connectors/file/store.h"
#include "connectors/file/target.h"
#include "connectors/file/target_writer.h"
#include "connectors/sdk/connector.h"
#include "connectors/sdk/cursor.h"
#include "connectors/sdk/guards.h"
#include "connectors/sdk/patience.h"

namespace dxt::file {
namespace {

constexpr int64_t kCountedBytes = 64 << 20;

/// What the target's files hold, from the first of them.
arrow::Result<StreamSchema> SchemaOf(const Target& target, const TargetFiles& files) {
  if (target.options.format == Format::kParquet) {
    ARROW_ASSIGN_OR_RAISE(auto shape,
                          ReadParquetShape(*target.store, files.paths.front()));
    return std::move(shape.schema);
  }
  return InferTextSchema(*target.store, files.paths, target.options, kSampleBytes);
}

/// Reads columns of all files of a target; `see` gets each batch.
template <typename See>
arrow::Status ReadTarget(const Target& target, const TargetFiles& files,
                         const StreamSchema& schema,
                         const std::vector<ColumnRead>& columns, std::stop_token stop,
                         See see) {
  for (const auto& path : files.paths) {
    FileRead read;
    read.path = path;
    read.options = target.options;
    read.schema = schema;
    read.columns = columns;
    ARROW_ASSIGN_OR_RAISE(auto reader, MakeFileReader(*target.store, read));
    for (;;) {
      if (stop.stop_requested()) {
        return MakeError(ErrorClass::kCancelled, "cancelled", "The read was stopped");
      }
      ARROW_ASSIGN_OR_RAISE(auto batch, reader->Next(stop));
      if (!batch) break;
      ARROW_ASSIGN_OR_RAISE(const bool more, see(*batch));
      if (!more) return arrow::Status::OK();
    }
  }
  return arrow::Status::OK();
}

arrow::Result<int64_t> RowsIn(const Target& target, const TargetFiles& files,
                              std::stop_token stop, int64_t enough) {
  int64_t rows = 0;
  if (target.options.format == Format::kParquet) {
    for (const auto& path : files.paths) {
      ARROW_ASSIGN_OR_RAISE(const auto shape, ReadParquetShape(*target.store, path));
      rows += shape.rows;
    }
    return rows;
  }
  ARROW_ASSIGN_OR_RAISE(const auto schema,
                        InferTextSchema(*target.store, files.paths, target.options,
                                        enough == 1 ? 1 : kSampleBytes));
  ARROW_RETURN_NOT_OK(
      ReadTarget(target, files, schema, {}, stop,
                 [&](const arrow::RecordBatch& batch) -> arrow::Result<bool> {
                   rows += batch.num_rows();
                   return rows < enough;
                 }));
  return rows;
}

ColumnRead ReadAs(const std::string& name, const FieldType& type) {
  ColumnRead column;
  column.name = column.column = name;
  column.type = type;
  return column;
}

class FileDestination final : public Destination {
 public:
  FileDestination(Location location, const ConnectorContext& context)
      : location_(std::move(location)), context_(context) {}

  /// Leaves nothing of chains that never came to a row.
  ~FileDestination() override {
    constexpr int64_t kWaitMs = 1000;
    for (const auto& taken : taken_) {
      const Ledger ledger(taken.target);
      // Locking makes the folder, also where somebody has removed it.
      if (ledger.Epoch(taken.identity).ValueOr(0) != taken.epoch) continue;
      const auto lock =
          taken.target.store->Lock(taken.target.ledger(), kWaitMs, [] { return false; });
      // What stays is a fence, which the next owner raises.
      if (!lock.ok()) continue;
      ARROW_UNUSED(ledger.GiveUp(taken.identity, taken.epoch, taken.made));
    }
  }

  arrow::Status Check(std::stop_token) override {
    if (location_.folder.empty()) return arrow::Status::OK();
    ARROW_ASSIGN_OR_RAISE(const auto entry, location_.store->Stat(location_.folder));
    // The folder of a target is made when it is missing (contracts 1.5).
    if (!entry && location_.store->is_local()) return arrow::Status::OK();
    return location_.store->Check(location_.folder);
  }

  arrow::Result<TargetTable> Describe(const std::string& reference,
                                      std::stop_token stop) override {
    ARROW_ASSIGN_OR_RAISE(const Target target,
                          ResolveTarget(location_, reference, nullptr));
    TargetTable table;
    table.reference = target.store->Show(target.path);
    table.file = location_.IdentityOf(target.path);
    ARROW_ASSIGN_OR_RAISE(const auto files, Ledger(target).Files());
    if (files.paths.empty()) return table;
    table.exists = true;
    table.ident = files.ident;
    ARROW_ASSIGN_OR_RAISE(const auto schema, SchemaOf(target, files));
    for (const auto& field : schema.fields) {
      TargetColumn column;
      column.name = field.name;
      column.native = {"file", ToString(field.type)};
      column.nullable = field.nullable;
      ARROW_ASSIGN_OR_RAISE(column.domain, DomainOf(target.options.format, field.type));
      table.columns.push_back(std::move(column));
    }
    ARROW_ASSIGN_OR_RAISE(const int64_t rows, RowsIn(target, files, stop, 1));
    table.empty = rows == 0;
    return table;
  }

  arrow::Result<TablePlan> PlanTable(const TableSpec& wanted,
                                     const TargetTable& existing) const override {
    return PlanFileTable(location_, wanted, existing);
  }

  arrow::Result<std::optional<int64_t>> CountRows(const std::string& reference,
                                                  std::stop_token stop) override {
    ARROW_ASSIGN_OR_RAISE(const Target target,
                          ResolveTarget(location_, reference, nullptr));
    return Count(target, stop);
  }

  arrow::Result<std::optional<std::string>> MaxCursor(const std::string& reference,
                                                      const std::string& column,
                                                      const FieldType& type,
                                                      std::stop_token stop) override {
    std::optional<std::string> largest;
    ARROW_ASSIGN_OR_RAISE(const Target target,
                          ResolveTarget(location_, reference, nullptr));
    ARROW_ASSIGN_OR_RAISE(const auto files, Ledger(target).Files());
    if (files.paths.empty()) return largest;
    ARROW_ASSIGN_OR_RAISE(const auto schema, SchemaOf(target, files));
    ARROW_RETURN_NOT_OK(
        ReadTarget(target, files, schema, {ReadAs(column, type)}, stop,
                   [&](const arrow::RecordBatch& batch) -> arrow::Result<bool> {
                     const auto& values = batch.column(0);
                     for (int64_t row = 0; row < values->length(); ++row) {
                       if (values->IsNull(row)) continue;
                       ARROW_ASSIGN_OR_RAISE(auto text, CursorText(*values, row, type));
                       if (!largest || CompareCursors(*largest, text, type) < 0)
                         largest = std::move(text);
                     }
                     return true;
                   }));
    return largest;
  }

  arrow::Result<std::optional<LoadRecord>> Peek(const StreamIdentity& identity,
                                                std::stop_token) override {
    ARROW_ASSIGN_OR_RAISE(const Target target,
                          ResolveTarget(location_, identity.target, nullptr));
    return Last(Ledger(target), identity);
  }

  arrow::Result<std::vector<std::string>> Lanes(const StreamIdentity& identity,
                                                std::stop_token) override {
    ARROW_ASSIGN_OR_RAISE(const Target target,
                          ResolveTarget(location_, identity.target, nullptr));
    return Ledger(target).Lanes(identity);
  }

  arrow::Result<bool> SharedTarget(const StreamIdentity& identity,
                                   std::stop_token) override {
    ARROW_ASSIGN_OR_RAISE(const Target target,
                          ResolveTarget(location_, identity.target, nullptr));
    return Ledger(target).HasOtherPipeline(identity);
  }

  arrow::Result<std::vector<Ownership>> Acquire(
      std::span<const StreamIdentity> identities, const Owner& owner,
      std::stop_token stop) override {
    std::vector<Ownership> owned;
    for (const auto& identity : identities) {
      ARROW_ASSIGN_OR_RAISE(const Target target,
                            ResolveTarget(location_, identity.target, nullptr));
      const Ledger ledger(target);
      ARROW_ASSIGN_OR_RAISE(std::string made, FirstMissing(target));
      ARROW_ASSIGN_OR_RAISE(const auto lock, Lock(target, stop));
      ARROW_RETURN_NOT_OK(ledger.RollForward());
      if (owner.admits) {
        ARROW_ASSIGN_OR_RAISE(const auto lanes, ledger.Lanes(identity));
        ARROW_RETURN_NOT_OK(owner.admits(lanes));
      }
      Ownership ownership;
      ARROW_ASSIGN_OR_RAISE(ownership.epoch, ledger.Bump(identity, owner, Now()));
      // A range is its owner's until it is loaded or given up with `state reset`: it is
      // planned anew, and its package loaded, by other destinations than this one.
      if (!owner.admits) {
        taken_.push_back({identity, target, ownership.epoch, std::move(made)});
      }
      ARROW_ASSIGN_OR_RAISE(ownership.last, Last(ledger, identity));
      owned.push_back(std::move(ownership));
    }
    return owned;
  }

  arrow::Result<std::unique_ptr<Writer>> OpenWriter(const WriteSpec& spec,
                                                    std::stop_token) override {
    ARROW_RETURN_NOT_OK(CheckFileMode(spec.table.mode));
    ARROW_ASSIGN_OR_RAISE(
        const Target target,
        ResolveTarget(location_, spec.table.reference, &spec.table.options));
    const Ledger ledger(target);
    ARROW_ASSIGN_OR_RAISE(const auto old, ledger.Files());
    WriteSpec staged = spec;
    // What a committed row moves must never be staged anew under the same name.
    ARROW_ASSIGN_OR_RAISE(const auto done, ledger.Find(spec.identity, spec.load_id));
    if (done) staged.load_id += "-again";
    StreamSchema columns;
    if (spec.table.mode == LoadMode::kAppend && !old.paths.empty()) {
      ARROW_ASSIGN_OR_RAISE(columns, SchemaOf(target, old));
    }
    if (!columns.fields.empty()) {
      // Columns of text have the type of what is written now.
      for (auto& field : columns.fields) {
        for (const auto& column : spec.plan.columns) {
          if (column.name == field.name) field.type = column.domain.deliver;
        }
      }
    } else {
      for (const auto& column : spec.plan.columns) {
        columns.fields.push_back(
            {column.name, column.domain.deliver, column.nullable, {}});
      }
    }
    return OpenTargetWriter(target, staged, std::move(columns), old);
  }

  arrow::Result<CommitResult> Commit(const WriteSpec& spec, const LoadRecord& record,
                                     std::span<const WriteReceipt> receipts,
                                     const CommitGuards& guards,
                                     std::stop_token stop) override {
    ARROW_ASSIGN_OR_RAISE(
        const Target target,
        ResolveTarget(location_, spec.table.reference, &spec.table.options));
    const Ledger ledger(target);
    ARROW_ASSIGN_OR_RAISE(const auto lock, Lock(target, stop));
    ARROW_RETURN_NOT_OK(ledger.RollForward());
    CommitResult result;
    ARROW_ASSIGN_OR_RAISE(const auto done, ledger.Find(spec.identity, record.load_id));
    if (done) {
      Discard(receipts);
      result.already = true;
      result.rows_written = done->record.rows;
      result.target_ident = done->record.target_ident;
      return result;
    }
    ARROW_RETURN_NOT_OK(CheckTurn(ledger, spec, record));
    LedgerRow row;
    row.record = record;
    row.identity = spec.identity;
    row.epoch = spec.epoch;
    row.record.committed_at = Now();
    ARROW_ASSIGN_OR_RAISE(const auto staged, Staged(target, receipts));
    const bool replace = spec.table.mode == LoadMode::kReplace;
    ARROW_ASSIGN_OR_RAISE(const auto old, ledger.Files());
    if (replace) {
      ARROW_ASSIGN_OR_RAISE(const auto before, Count(target, stop));
      const int64_t rows = before.value_or(LastRows(ledger, spec.identity));
      ARROW_RETURN_NOT_OK(CheckGuards(guards, rows, staged.rows));
      result.rows_deleted = before.value_or(0);
    } else if (!staged.base_ident.empty() && staged.base_ident != old.ident) {
      return MakeError(
          ErrorClass::kTransient, "file.changed",
          "'" + target.store->Show(target.path) +
              "' was changed by something else while rows were appended to it");
    }
    row.record.rows_deleted = result.rows_deleted;
    ARROW_RETURN_NOT_OK(CommitStaged(target, ledger, staged.paths, replace, old, &row));
    taken_.clear();
    result.rows_written = staged.rows;
    result.target_ident = row.record.target_ident;
    return result;
  }

  void Discard(std::span<const WriteReceipt> receipts) noexcept override {
    for (const auto& receipt : receipts) {
      const auto staged = DecodeStaged(receipt.handle);
      if (!staged.ok()) continue;
      for (const auto& path : staged->paths) {
        // Parts lie in a folder of their own, which goes with them.
        const std::string folder(ParentPath(path));
        const bool part =
            BaseName(folder).starts_with('.') && BaseName(folder).ends_with(".tmp");
        static_cast<void>(location_.store->Remove(part ? folder : path));
      }
    }
  }

  arrow::Result<bool> Resolve(const StreamIdentity& identity, std::string_view load_id,
                              std::stop_token) override {
    ARROW_ASSIGN_OR_RAISE(const Target target,
                          ResolveTarget(location_, identity.target, nullptr));
    ARROW_ASSIGN_OR_RAISE(const auto row, Ledger(target).Find(identity, load_id));
    return row.has_value();
  }

  arrow::Status Settle(const StreamIdentity& identity, std::stop_token stop) override {
    ARROW_ASSIGN_OR_RAISE(const Target target,
                          ResolveTarget(location_, identity.target, nullptr));
    const Ledger ledger(target);
    ARROW_ASSIGN_OR_RAISE(const bool unfinished, ledger.HasUnfinished());
    if (!unfinished) return arrow::Status::OK();
    // Who is about to do it himself holds the lock.
    ARROW_ASSIGN_OR_RAISE(const auto lock, Lock(target, stop));
    return ledger.RollForward();
  }

  arrow::Status Sweep(const StreamIdentity& identity, std::stop_token stop) override {
    ARROW_ASSIGN_OR_RAISE(const Target target,
                          ResolveTarget(location_, identity.target, nullptr));
    ARROW_ASSIGN_OR_RAISE(const auto lock, Lock(target, stop));
    return Ledger(target).Sweep(identity);
  }

 private:
  std::string Now() const {
    return FormatTime((context_.clock ? *context_.clock : SystemClock()).Now());
  }

  arrow::Result<std::unique_ptr<StoreLock>> Lock(const Target& target,
                                                 std::stop_token stop) const {
    const auto patience = LockPatience(std::chrono::milliseconds(context_.lock_wait_ms));
    return target.store->Lock(target.ledger(), patience.count(),
                              [&] { return stop.stop_requested(); });
  }

  static arrow::Result<std::optional<LoadRecord>> Last(const Ledger& ledger,
                                                       const StreamIdentity& identity) {
    ARROW_ASSIGN_OR_RAISE(auto row, ledger.Newest(identity));
    std::optional<LoadRecord> last;
    if (row) last = std::move(row->record);
    return last;
  }

  static int64_t LastRows(const Ledger& ledger, const StreamIdentity& identity) {
    const auto row = ledger.Newest(identity);
    return row.ok() && *row ? (*row)->record.rows : 0;
  }

  static arrow::Result<std::optional<int64_t>> Count(const Target& target,
                                                     std::stop_token stop) {
    ARROW_ASSIGN_OR_RAISE(const auto files, Ledger(target).Files());
    std::optional<int64_t> rows;
    if (files.paths.empty()) {
      rows = 0;
    } else if (target.options.format == Format::kParquet ||
               files.bytes <= kCountedBytes) {
      ARROW_ASSIGN_OR_RAISE(rows, RowsIn(target, files, stop, INT64_MAX));
    }
    return rows;
  }

  static arrow::Status CheckTurn(const Ledger& ledger, const WriteSpec& spec,
                                 const LoadRecord& record) {
    ARROW_ASSIGN_OR_RAISE(const int64_t epoch, ledger.Epoch(spec.identity));
    if (epoch != spec.epoch) {
      return MakeError(
          ErrorClass::kFenced, "file.fenced",
          "Another run has taken over stream '" + spec.identity.stream + "'");
    }
    ARROW_ASSIGN_OR_RAISE(const auto last, ledger.Newest(spec.identity));
    return CheckChain(last ? std::optional(last->record) : std::nullopt, record);
  }

  static arrow::Result<StagedLoad> Staged(const Target& target,
                                          std::span<const WriteReceipt> receipts) {
    if (receipts.size() != 1) {
      return MakeError(ErrorClass::kInternal, "file.receipt",
                       "A file target takes one writer per load");
    }
    ARROW_ASSIGN_OR_RAISE(auto staged, DecodeStaged(receipts[0].handle));
    for (const auto& path : staged.paths) {
      ARROW_ASSIGN_OR_RAISE(const auto entry, target.store->Stat(path));
      if (entry) continue;
      return MakeError(ErrorClass::kTransient, "file.staging_lost",
                       "The staged file '" + target.store->Show(path) + "' is gone");
    }
    return staged;
  }

  /// A chain that was taken over here, and the topmost folder that this has made.
  struct Taken {
    StreamIdentity identity;
    Target target;
    int64_t epoch = 0;
    std::string made;
  };

  /// The topmost folder on the way to the target's ledger that is not there; "" = none.
  static arrow::Result<std::string> FirstMissing(const Target& target) {
    std::string missing;
    for (std::string folder = target.ledger(); !folder.empty() && folder != "/";
         folder = ParentPath(folder)) {
      ARROW_ASSIGN_OR_RAISE(const auto entry, target.store->Stat(folder));
      if (entry) break;
      missing = folder;
    }
    return missing;
  }

  Location location_;
  ConnectorContext context_;
  std::vector<Taken> taken_;
};

}  // namespace

std::unique_ptr<Destination> MakeFileDestination(Location location,
                                                 const ConnectorContext& context) {
  return std::make_unique<FileDestination>(std::move(location), context);
}

}  // namespace dxt::file
