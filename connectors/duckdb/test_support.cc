#include "connectors/duckdb/test_support.h"

#include <cstdlib>

#include <arrow/api.h>
#include <arrow/json/from_string.h>

#include "connectors/duckdb/duckdb.h"

namespace dxt::duckdb {

void DuckdbTest::SetUp() {
  std::string pattern =
      (std::filesystem::temp_directory_path() / "dxt-duckdb-XXXXXX").string();
  ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
  folder_ = pattern;
  path_ = (folder_ / "test.duckdb").string();
  std::filesystem::create_directory(folder_ / "scratch");
  context_.scratch_dir = folder_ / "scratch";
  context_.lock_wait_ms = 0;
  context_.threads = 2;
  connector_ = MakeDuckdbConnector();
}

void DuckdbTest::TearDown() {
  connector_.reset();
  // Whatever was opened is closed by now, and a closed database leaves no scratch folder.
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "scratch"));
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

ConfigView DuckdbTest::Config(const std::string& path) const {
  ConfigValue value;
  value.kind = ConfigValue::Kind::kScalar;
  value.scalar = path.empty() ? path_ : path;
  ConfigValue values;
  values.kind = ConfigValue::Kind::kMap;
  values.map.emplace_back("path", std::move(value));
  return ConfigView(&connector_->spec(), std::move(values));
}

std::unique_ptr<Source> DuckdbTest::OpenSource(const std::string& path) {
  auto source = connector_->OpenSource(Config(path), context_, {});
  EXPECT_TRUE(source.ok()) << source.status();
  return source.ok() ? std::move(*source) : nullptr;
}

std::unique_ptr<Destination> DuckdbTest::OpenTarget(const std::string& path) {
  auto target = connector_->OpenDestination(Config(path), context_, {});
  EXPECT_TRUE(target.ok()) << target.status();
  return target.ok() ? std::move(*target) : nullptr;
}

void DuckdbTest::Sql(const std::vector<std::string>& statements) {
  DatabasePool pool;
  auto database = pool.Open(path_, /*create=*/true, context_, {});
  ASSERT_TRUE(database.ok()) << database.status();
  auto session = (*database)->Connect(/*writable=*/true, {});
  ASSERT_TRUE(session.ok()) << session.status();
  for (const auto& statement : statements) {
    const auto done = (*session)->Execute(statement, "Test");
    ASSERT_TRUE(done.ok()) << statement << ": " << done.status();
  }
}

std::vector<std::string> DuckdbTest::Look(const std::string& select) {
  std::vector<std::string> lines;
  DatabasePool pool;
  auto database = pool.Open(path_, /*create=*/false, context_, {});
  EXPECT_TRUE(database.ok()) << database.status();
  if (!database.ok()) return lines;
  auto session = (*database)->Connect(/*writable=*/false, {});
  EXPECT_TRUE(session.ok()) << session.status();
  if (!session.ok()) return lines;
  auto rows = (*session)->Rows(select, "Test");
  EXPECT_TRUE(rows.ok()) << select << ": " << rows.status();
  if (!rows.ok()) return lines;
  for (const auto& row : *rows) {
    std::string line;
    for (const auto& cell : row) line += (line.empty() ? "" : "|") + cell.value_or("~");
    lines.push_back(std::move(line));
  }
  return lines;
}

StreamIdentity DuckdbTest::Identity(const std::string& target,
                                    const std::string& stream) {
  StreamIdentity identity;
  identity.pipeline = "p/q";
  identity.stream = stream;
  identity.target = target;
  identity.fingerprint = "f";
  return identity;
}

TableSpec DuckdbTest::Table(const std::string& reference, LoadMode mode,
                            const std::shared_ptr<arrow::RecordBatch>& batch,
                            std::vector<std::string> keys) {
  TableSpec table;
  table.reference = reference;
  table.mode = mode;
  table.keys = std::move(keys);
  for (const auto& field : batch->schema()->fields()) {
    WantedColumn column;
    column.name = field->name();
    column.field.name = field->name();
    column.field.type = FieldTypeOf(*field).ValueOrDie();
    column.field.nullable = field->nullable();
    column.nullable = field->nullable();
    table.columns.push_back(std::move(column));
  }
  return table;
}

WriteSpec DuckdbTest::Prepare(Destination& target, TableSpec table,
                              const std::string& load_id, const std::string& stream) {
  WriteSpec spec;
  spec.identity = Identity(table.reference, stream);
  spec.target = target.Describe(table.reference, {}).ValueOrDie();
  auto plan = target.PlanTable(table, spec.target);
  EXPECT_TRUE(plan.ok()) << plan.status();
  spec.plan = plan.ValueOrDie();
  spec.table = std::move(table);
  spec.load_id = load_id;
  Owner owner;
  owner.text = "test";
  auto owned = target.Acquire(std::span(&spec.identity, 1), owner, {});
  EXPECT_TRUE(owned.ok()) << owned.status();
  spec.epoch = owned->front().epoch;
  spec.window_seq = owned->front().last ? owned->front().last->window_seq + 1 : 1;
  return spec;
}

LoadRecord DuckdbTest::Record(const WriteSpec& spec) {
  LoadRecord record;
  record.window_seq = spec.window_seq;
  record.load_id = spec.load_id;
  record.run = "run";
  record.mode = LoadModeName(spec.table.mode);
  return record;
}

arrow::Result<CommitResult> DuckdbTest::Load(
    Destination& target, TableSpec table,
    const std::shared_ptr<arrow::RecordBatch>& batch, const std::string& load_id,
    const CommitGuards& guards) {
  const WriteSpec spec = Prepare(target, std::move(table), load_id);
  ARROW_ASSIGN_OR_RAISE(auto writer, target.OpenWriter(spec, {}));
  ARROW_RETURN_NOT_OK(writer->Append(*batch, {}));
  ARROW_ASSIGN_OR_RAISE(auto receipt, writer->Finish({}));
  return target.Commit(spec, Record(spec), std::span(&receipt, 1), guards, {});
}

std::shared_ptr<arrow::RecordBatch> Batch(const arrow::FieldVector& fields,
                                          const std::string& json) {
  const auto rows =
      arrow::json::ArrayFromJSONString(arrow::struct_(fields), json).ValueOrDie();
  return arrow::RecordBatch::FromStructArray(rows).ValueOrDie();
}

}  // namespace dxt::duckdb
