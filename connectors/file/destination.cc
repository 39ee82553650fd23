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
#include "connectors/file/file_reader.h"
#include "connectors/file/file_writer.h"
#include "connectors/file/ledger.h"
#include "connectors/file/store.h"
#include "connectors/file/target.h"
#include "connectors/file/target_writer.h"
#include "connectors/sdk/connector.h"
#include "connectors/sdk/cursor.h"
#include "connectors/sdk/guards.h"

namespace dxt::file {
namespace {

constexpr int64_t kCountedBytes = 64 << 20;
constexpr int64_t kLargeAppend = 1LL << 30;

arrow::Status NoUpsert(LoadMode mode) {
  return MakeError(ErrorClass::kUnsupported, "file.no_upsert",
                   "Files have no keys, so load.mode: " +
                       std::string(LoadModeName(mode)) + " cannot be done in place",
                   "Use append or replace, or a database as target");
}

arrow::Status Differs(const TargetTable& target, const std::string& why) {
  return MakeError(ErrorClass::kConfig, "file.schema_mismatch",
                   "'" + target.reference + "' cannot be appended to: " + why,
                   "Use load.mode: replace, name another target, or match the columns in "
                   "`fields`");
}

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
    if (wanted.mode != LoadMode::kAppend && wanted.mode != LoadMode::kReplace) {
      return NoUpsert(wanted.mode);
    }
    ARROW_ASSIGN_OR_RAISE(const Target target,
                          ResolveTarget(location_, wanted.reference, &wanted.options));
    if (target.options.encoding != Encoding::kUtf8) {
      return MakeError(ErrorClass::kUnsupported, "file.encoding",
                       "Files are written in UTF-8 only", "Leave options.encoding out");
    }
    TablePlan plan;
    plan.create = !existing.exists;
    // JSON without rows has no columns yet.
    const bool append =
        existing.exists && wanted.mode == LoadMode::kAppend && !existing.columns.empty();
    const std::string kind = std::string(FormatName(target.options.format)) +
                             (target.is_folder ? " folder " : " file ");
    if (plan.create) plan.ddl.push_back("new " + kind + existing.reference);
    Strategy(target, append, &plan);
    for (const auto& column : wanted.columns) {
      ARROW_ASSIGN_OR_RAISE(auto planned, PlanColumn(target, column, existing, append));
      plan.columns.push_back(std::move(planned));
    }
    if (!append) return plan;
    for (const auto& column : existing.columns) {
      bool found = false;
      for (const auto& candidate : wanted.columns) found |= candidate.name == column.name;
      if (found) continue;
      if (!column.nullable) {
        return Differs(existing,
                       "its column '" + column.name +
                           "' must not be NULL, and the stream does not have it");
      }
      plan.notes.push_back("Column '" + column.name + "' of the target will be NULL");
    }
    return plan;
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
      ARROW_ASSIGN_OR_RAISE(const auto lock, Lock(target, stop));
      ARROW_RETURN_NOT_OK(ledger.RollForward());
      Ownership ownership;
      ARROW_ASSIGN_OR_RAISE(ownership.epoch, ledger.Bump(identity, owner, Now()));
      ARROW_ASSIGN_OR_RAISE(ownership.last, Last(ledger, identity));
      owned.push_back(std::move(ownership));
    }
    return owned;
  }

  arrow::Result<std::unique_ptr<Writer>> OpenWriter(const WriteSpec& spec,
                                                    std::stop_token) override {
    if (spec.table.mode != LoadMode::kAppend && spec.table.mode != LoadMode::kReplace) {
      return NoUpsert(spec.table.mode);
    }
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
    ARROW_RETURN_NOT_OK(target.is_folder
                            ? CommitFolder(target, ledger, staged, replace, old, &row)
                            : CommitFile(target, ledger, staged, replace, old, &row));
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
    return target.store->Lock(target.ledger(), context_.lock_wait_ms,
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

  static arrow::Status MissingColumn(const std::string& reference,
                                     const std::string& name) {
    return MakeError(ErrorClass::kConfig, "file.column_missing",
                     "'" + reference + "' has no column '" + name + "'");
  }

  static void Strategy(const Target& target, bool append, TablePlan* plan) {
    if (plan->create) {
      plan->strategy = "create";
    } else if (!append) {
      plan->strategy = target.is_folder ? "swap" : "replace the file";
      plan->strategy_reason = "readers see the old or the new contents";
    } else if (target.is_folder) {
      plan->strategy = "append a part";
    } else {
      plan->strategy = "append by rewriting the file";
      plan->strategy_reason = "a file becomes visible as a whole";
      const auto entry = target.store->Stat(target.path);
      if (entry.ok() && *entry && (*entry)->size > kLargeAppend) {
        plan->notes.push_back(
            "The file is larger than 1 GiB and is rewritten by every append; a folder "
            "(the "
            "name without extension, or with / behind it) only gains a part");
      }
    }
  }

  static arrow::Result<TablePlan::Column> PlanColumn(const Target& target,
                                                     const WantedColumn& wanted,
                                                     const TargetTable& existing,
                                                     bool append) {
    TablePlan::Column column;
    column.name = wanted.name;
    column.nullable = wanted.nullable;
    const Format format = target.options.format;
    if (append) {
      const TargetColumn* there = existing.Find(wanted.name);
      if (!there) return Differs(existing, "it has no column '" + wanted.name + "'");
      if (format == Format::kParquet) {
        column.domain = there->domain;
        column.native = there->native.type;
        column.nullable = there->nullable;
        return column;
      }
    }
    FieldType type = wanted.field.type;
    if (!wanted.native_override.empty()) {
      ARROW_ASSIGN_OR_RAISE(type, ParseFieldType(wanted.native_override));
    }
    auto domain = DomainOf(format, type);
    if (!domain.ok()) return Prefix(domain.status(), "Column '" + wanted.name + "'");
    column.domain = std::move(*domain);
    column.native = ToString(column.domain.deliver);
    column.created = !append;
    // Text has no NOT NULL to keep.
    if (format != Format::kParquet) column.nullable = true;
    return column;
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

  /// From here on an error leaves open whether the row was written.
  static arrow::Status Unknown(const arrow::Status& status) {
    if (status.ok()) return status;
    ErrorInfo info = GetErrorInfo(status);
    info.outcome_unknown = true;
    return MakeError(std::move(info), status.message());
  }

  static arrow::Status Record(const Ledger& ledger, const LedgerRow& row) {
    auto made = ledger.Insert(row);
    if (!made.ok()) return Unknown(made.status());
    if (!*made) {
      return MakeError(ErrorClass::kFenced, "file.fenced",
                       "Another run has written window " +
                           std::to_string(row.record.window_seq) + " of stream '" +
                           row.identity.stream + "'");
    }
    return Unknown(ledger.Apply(row));
  }

  static arrow::Status CommitFile(const Target& target, const Ledger& ledger,
                                  const StagedLoad& staged, bool replace,
                                  const TargetFiles& old, LedgerRow* row) {
    const std::string& path = staged.paths.front();
    ARROW_ASSIGN_OR_RAISE(const auto entry, target.store->Stat(path));
    row->record.target_ident = FileIdent(*target.store, entry->size, entry->mtime_ns);
    row->moves = {{std::string(BaseName(path)), std::string(BaseName(target.path))}};
    row->base_ident = replace ? "" : old.ident;
    return Record(ledger, *row);
  }

  static arrow::Status CommitFolder(const Target& target, const Ledger& ledger,
                                    const StagedLoad& staged, bool replace,
                                    const TargetFiles& old, LedgerRow* row) {
    std::string number = std::to_string(row->record.window_seq);
    number.insert(0, number.size() < 8 ? 8 - number.size() : 0, '0');
    const std::string extension = PartExtension(target.options);
    std::string part = "part-" + number + "." + extension;
    std::string folder = "load-" + number;
    ARROW_ASSIGN_OR_RAISE(const auto part_there,
                          target.store->Stat(JoinPath(target.path, part)));
    ARROW_ASSIGN_OR_RAISE(const auto folder_there,
                          target.store->Stat(JoinPath(target.path, folder)));
    if (!replace && (part_there || folder_there)) {
      // Another pipeline's window of that number.
      part = "part-" + number + "-" + row->record.load_id + "." + extension;
      folder += "-" + row->record.load_id;
    }
    std::vector<std::pair<std::string, std::string>> moves;
    std::vector<std::pair<std::string, int64_t>> sizes;
    for (const auto& path : staged.paths) {
      const std::string to =
          staged.paths.size() == 1 ? part : JoinPath(folder, BaseName(path));
      ARROW_ASSIGN_OR_RAISE(const auto entry, target.store->Stat(path));
      moves.emplace_back(path, to);
      sizes.emplace_back("/" + to, entry->size);
    }
    if (!replace) {
      for (const auto& path : old.paths) {
        ARROW_ASSIGN_OR_RAISE(const auto entry, target.store->Stat(path));
        sizes.emplace_back(path.substr(target.path.size()), entry->size);
      }
    }
    row->record.target_ident = FolderIdent(std::move(sizes));
    if (replace) {
      ARROW_RETURN_NOT_OK(CheckOurs(target));
      ARROW_ASSIGN_OR_RAISE(const bool swapped, Swap(target, ledger, moves, *row));
      if (swapped) return arrow::Status::OK();
      for (const auto& path : old.paths) {
        row->removes.push_back(path.substr(target.path.size() + 1));
      }
    }
    return MoveParts(target, ledger, moves, row);
  }

  /// Parts are moved after the row: one by one, or as the folder they make up.
  static arrow::Status MoveParts(
      const Target& target, const Ledger& ledger,
      const std::vector<std::pair<std::string, std::string>>& moves, LedgerRow* row) {
    const auto relative = [&](const std::string& path) {
      // A replace stages beside the folder.
      return path.starts_with(target.path + "/")
                 ? path.substr(target.path.size() + 1)
                 : "../" + path.substr(ParentPath(target.path).size() + 1);
    };
    for (const auto& [from, to] : moves) {
      row->moves.emplace_back(relative(from), to);
      // A new part may have the name of an old one; it is moved over it, not removed.
      std::erase(row->removes, to);
    }
    if (moves.size() > 1 && target.store->is_local() && row->removes.empty()) {
      row->moves = {{relative(std::string(ParentPath(moves[0].first))),
                     std::string(ParentPath(moves[0].second))}};
    }
    return Record(ledger, *row);
  }

  /// A folder is replaced only if all it holds came from a load or could have.
  static arrow::Status CheckOurs(const Target& target) {
    ARROW_ASSIGN_OR_RAISE(const auto entries, target.store->List(target.path, false));
    for (const auto& entry : entries) {
      const std::string_view name = BaseName(entry.path);
      const bool ours =
          entry.is_folder
              ? name == "_dxt" || name.starts_with("load-") || name[0] == '.'
              : name[0] == '.' || FormatOfName(name).format == target.options.format;
      if (ours) continue;
      return MakeError(ErrorClass::kConfig, "file.foreign_files",
                       "'" + target.store->Show(target.path) + "' also holds '" +
                           std::string(name) + "', which a replace would remove",
                       "Name a folder that holds nothing else");
    }
    return arrow::Status::OK();
  }

  /// Makes the new folder whole, ledger included, and exchanges it with the old one: data
  /// and row become visible in one step. False where the file system cannot.
  static arrow::Result<bool> Swap(
      const Target& target, const Ledger& ledger,
      const std::vector<std::pair<std::string, std::string>>& moves,
      const LedgerRow& row) {
    if (!target.store->is_local()) return false;
    Store& store = *target.store;
    const std::string fresh(ParentPath(moves[0].first));
    for (const auto& [from, to] : moves) {
      ARROW_RETURN_NOT_OK(store.Move(from, JoinPath(fresh, to)));
    }
    ARROW_RETURN_NOT_OK(ledger.CopyInto(fresh, row));
    auto swapped = store.Exchange(fresh, target.path);
    if (!swapped.ok()) return Unknown(swapped.status());
    if (!*swapped) {
      ARROW_RETURN_NOT_OK(store.Remove(JoinPath(fresh, "_dxt")));
      for (const auto& [from, to] : moves) {
        ARROW_RETURN_NOT_OK(store.Move(JoinPath(fresh, to), from));
      }
      return false;
    }
    // The old contents now stand where the new ones were made.
    ARROW_RETURN_NOT_OK(Unknown(ledger.Apply(row)));
    return true;
  }

  Location location_;
  ConnectorContext context_;
};

}  // namespace

std::unique_ptr<Destination> MakeFileDestination(Location location,
                                                 const ConnectorContext& context) {
  return std::make_unique<FileDestination>(std::move(location), context);
}

}  // namespace dxt::file
