#include "tests/conformance/loader.h"

#include <algorithm>

#include <arrow/api.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"
#include "connectors/sdk/source.h"

namespace dxt::conformance {

StreamSchema People() {
  StreamSchema schema;
  schema.fields = {{"id", {DType::kInt64}, false, {}},
                   {"name", {DType::kString}, true, {}}};
  return schema;
}

Wanted PeopleBy(LoadMode mode, std::vector<std::string> keys) {
  Wanted wanted;
  wanted.schema = People();
  wanted.mode = mode;
  wanted.keys = std::move(keys);
  return wanted;
}

StreamIdentity IdentityOf(Harness& harness, const Wanted& wanted) {
  return {wanted.pipeline, wanted.table, "sync", harness.Reference(wanted.table), "f00d"};
}

arrow::Result<WriteSpec> SpecOf(Harness& harness, Destination& target,
                                const Wanted& wanted) {
  WriteSpec spec;
  spec.identity = IdentityOf(harness, wanted);
  spec.table.reference = harness.Reference(wanted.table);
  spec.table.mode = wanted.mode;
  spec.table.keys = wanted.keys;
  spec.table.mirror = wanted.mirror;
  spec.table.history = wanted.history;
  spec.keep_newer = wanted.keep_newer;
  spec.forget_keys = wanted.forget_keys;
  for (const auto& field : wanted.schema.fields) {
    const bool key = std::find(wanted.keys.begin(), wanted.keys.end(), field.name) !=
                     wanted.keys.end();
    spec.table.columns.push_back({field.name, field, "", field.nullable && !key});
  }
  ARROW_ASSIGN_OR_RAISE(spec.target, target.Describe(spec.table.reference, {}));
  ARROW_ASSIGN_OR_RAISE(spec.plan, target.PlanTable(spec.table, spec.target));
  StreamSchema delivered = wanted.schema;
  for (size_t i = 0; i < delivered.fields.size(); ++i) {
    delivered.fields[i].type = spec.plan.columns[i].domain.deliver;
  }
  spec.schema = ArrowSchema(delivered);
  spec.raw.assign(delivered.fields.size(), false);
  spec.dedup_column = wanted.dedup_column;
  spec.duplicate_keys_fail = wanted.duplicate_keys_fail;
  return spec;
}

arrow::Result<Ownership> AcquireFor(Destination& target, WriteSpec* spec) {
  static const auto ids = MakeIdSource(SystemClock());
  ARROW_ASSIGN_OR_RAISE(
      auto owned, target.Acquire({&spec->identity, 1}, {"run", "host/boot/1/run"}, {}));
  spec->epoch = owned.at(0).epoch;
  spec->window_seq = owned[0].last ? owned[0].last->window_seq + 1 : 1;
  spec->load_id = ids->Ulid();
  return owned[0];
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> DeliveredBatch(const WriteSpec& spec,
                                                                  const Rows& rows) {
  arrow::ArrayVector arrays;
  for (int i = 0; i < spec.schema->num_fields(); ++i) {
    std::vector<Cell> cells;
    for (const auto& row : rows) cells.push_back(row[i]);
    ARROW_ASSIGN_OR_RAISE(auto array,
                          ArrayOf(spec.plan.columns[i].domain.deliver, cells));
    arrays.push_back(std::move(array));
  }
  return arrow::RecordBatch::Make(spec.schema, static_cast<int64_t>(rows.size()),
                                  std::move(arrays));
}

arrow::Result<WriteReceipt> WriteRows(Destination& target, const WriteSpec& spec,
                                      const Rows& rows) {
  ARROW_ASSIGN_OR_RAISE(const auto batch, DeliveredBatch(spec, rows));
  ARROW_ASSIGN_OR_RAISE(auto writer, target.OpenWriter(spec, {}));
  auto appended = writer->Append(*batch, {});
  if (!appended.ok()) {
    writer->Abort();
    return appended;
  }
  auto receipt = writer->Finish({});
  if (!receipt.ok()) writer->Abort();
  return receipt;
}

LoadRecord RecordOf(const WriteSpec& spec, const std::optional<LoadRecord>& last) {
  LoadRecord record;
  record.window_seq = spec.window_seq;
  record.load_id = spec.load_id;
  record.run = "run";
  record.cursor_before = last ? last->cursor_after : "";
  record.cursor_after = "cursor " + std::to_string(spec.window_seq);
  record.read_from = record.cursor_before;
  record.mode = LoadModeName(spec.table.mode);
  record.schema_hash = "5c4e";
  record.fingerprint = spec.identity.fingerprint;
  record.target = spec.identity.target;
  return record;
}

arrow::Result<CommitResult> Load(Harness& harness, Destination& target,
                                 const Wanted& wanted, const Rows& rows,
                                 const CommitGuards& guards) {
  ARROW_ASSIGN_OR_RAISE(auto spec, SpecOf(harness, target, wanted));
  ARROW_ASSIGN_OR_RAISE(const auto owned, AcquireFor(target, &spec));
  ARROW_ASSIGN_OR_RAISE(const auto receipt, WriteRows(target, spec, rows));
  LoadRecord record = RecordOf(spec, owned.last);
  record.rows = receipt.rows;
  return target.Commit(spec, record, {&receipt, 1}, guards, {});
}

arrow::Result<std::optional<Rows>> RowsIn(Harness& harness, const std::string& table) {
  const auto batch = harness.ReadBack(table);
  if (batch.ok()) return SortedRows(**batch);
  if (GetErrorInfo(batch.status()).error_class == ErrorClass::kConfig)
    return std::nullopt;
  return batch.status();
}

ReadSpec ReadAllOf(const StreamRef& ref, const StreamInfo& info) {
  ReadSpec spec;
  spec.ref = ref;
  for (const auto& field : info.columns.fields) {
    spec.columns.push_back({field.name, field.name, "", field.type, field.native});
  }
  return spec;
}

arrow::Result<Rows> ReadRows(Source& source, const ReadSpec& spec) {
  ARROW_ASSIGN_OR_RAISE(const auto plan, source.PlanRead(spec, 1, {}));
  Rows rows;
  for (const auto& split : plan.splits) {
    ARROW_ASSIGN_OR_RAISE(auto reader, source.OpenReader(spec, split, std::nullopt, {}));
    while (true) {
      ARROW_ASSIGN_OR_RAISE(const auto step, reader->Next({}));
      if (step.batch) {
        if (!step.batch->schema()->Equals(*reader->schema())) {
          return arrow::Status::Invalid("a batch has another schema than its reader");
        }
        for (const auto& column : step.batch->columns()) {
          // Arrow itself has no 24:00:00.
          const bool time = column->type_id() == arrow::Type::TIME64;
          ARROW_RETURN_NOT_OK(time ? column->Validate() : column->ValidateFull());
        }
        const size_t first = rows.size();
        rows.resize(first + static_cast<size_t>(step.batch->num_rows()));
        for (int i = 0; i < step.batch->num_columns(); ++i) {
          ARROW_ASSIGN_OR_RAISE(auto cells,
                                CellsOf(*step.batch->column(i), spec.columns[i].type));
          for (size_t row = 0; row < cells.size(); ++row) {
            rows[first + row].push_back(std::move(cells[row]));
          }
        }
      }
      if (step.end) break;
    }
  }
  return rows;
}

}  // namespace dxt::conformance
