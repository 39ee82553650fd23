#include "connectors/sqlite/sqlite_fixture.h"

#include <sqlite3.h>
#include <unistd.h>

#include <utility>

#include <arrow/api.h>

namespace dxt {

namespace fs = std::filesystem;

void SqliteTest::SetUp() {
  std::string folder = (fs::temp_directory_path() / "dxt_sqlite_XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  folder_ = folder;
  path_ = (folder_ / "shop.db").string();
}

void SqliteTest::TearDown() { fs::remove_all(folder_); }

void SqliteTest::Sql(const std::string& sql) {
  sqlite3* connection = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &connection), SQLITE_OK);
  char* error = nullptr;
  ASSERT_EQ(sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, &error), SQLITE_OK)
      << error << "\n"
      << sql;
  sqlite3_close(connection);
}

std::string SqliteTest::Ask(const std::string& sql) {
  sqlite3* connection = nullptr;
  std::string answer;
  EXPECT_EQ(sqlite3_open(path_.c_str(), &connection), SQLITE_OK);
  const auto row = [](void* out, int count, char** values, char**) {
    for (int i = 0; i < count; ++i) {
      *static_cast<std::string*>(out) +=
          (i > 0 ? "|" : "") + std::string(values[i] ? values[i] : "NULL");
    }
    *static_cast<std::string*>(out) += "\n";
    return 0;
  };
  EXPECT_EQ(sqlite3_exec(connection, sql.c_str(), row, &answer, nullptr), SQLITE_OK)
      << sqlite3_errmsg(connection);
  sqlite3_close(connection);
  return answer;
}

ConfigView SqliteTest::Config(const std::string& path, const std::string& lock_wait) {
  ConfigValue values;
  values.kind = ConfigValue::Kind::kMap;
  for (const auto& [name, text] :
       {std::pair<std::string, std::string>{"path", path}, {"lock_wait", lock_wait}}) {
    ConfigValue value;
    value.kind = ConfigValue::Kind::kScalar;
    value.scalar = text;
    values.map.emplace_back(name, value);
  }
  return ConfigView(&connector_->spec(), values);
}

std::unique_ptr<Source> SqliteTest::OpenSource(const std::string& lock_wait) {
  return *connector_->OpenSource(Config(path_, lock_wait), {}, {});
}

std::unique_ptr<Destination> SqliteTest::OpenTarget(const std::string& lock_wait) {
  return *connector_->OpenDestination(Config(path_, lock_wait), {}, {});
}

ReadSpec SqliteTest::AllOf(const StreamRef& ref, const StreamInfo& info) {
  ReadSpec spec;
  spec.ref = ref;
  for (const auto& field : info.columns.fields) {
    spec.columns.push_back({field.name, field.name, "", field.type, field.native});
  }
  return spec;
}

arrow::Result<std::string> SqliteTest::ReadText(Source& source, const ReadSpec& spec,
                                                std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(const auto plan, source.PlanRead(spec, 1, stop));
  ARROW_ASSIGN_OR_RAISE(auto reader, source.OpenReader(spec, plan.splits[0], {}, stop));
  std::string text;
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const auto step, reader->Next(stop));
    for (int64_t row = 0; step.batch && row < step.batch->num_rows(); ++row) {
      for (int i = 0; i < step.batch->num_columns(); ++i) {
        text += (i > 0 ? "|" : "") + (*step.batch->column(i)->GetScalar(row))->ToString();
      }
      text += "\n";
    }
    if (step.end) return text;
  }
}

arrow::Result<std::string> SqliteTest::ReadTable(const StreamRef& ref) {
  auto source = OpenSource();
  ARROW_ASSIGN_OR_RAISE(const auto info, source->Describe(ref, {}));
  return ReadText(*source, AllOf(ref, info));
}

arrow::Result<CommitResult> SqliteTest::Load(Destination& target, LoadMode mode,
                                             const std::vector<int64_t>& ids,
                                             const std::string& name,
                                             ReplaceStrategy strategy) {
  WriteSpec spec;
  spec.identity = {"p/x", "items", "sync", "items", "f"};
  spec.table.reference = "items";
  spec.table.mode = mode;
  spec.table.strategy = strategy;
  spec.table.columns = {{"id", {"id", {DType::kInt64}, false, {}}, "", false},
                        {"name", {"name", {DType::kString}, true, {}}, "", true}};
  if (mode == LoadMode::kUpsert) spec.table.keys = {"id"};
  ARROW_ASSIGN_OR_RAISE(spec.target, target.Describe("items", {}));
  ARROW_ASSIGN_OR_RAISE(spec.plan, target.PlanTable(spec.table, spec.target));
  StreamSchema schema;
  for (const auto& column : spec.table.columns) schema.fields.push_back(column.field);
  spec.schema = ArrowSchema(schema);
  ARROW_ASSIGN_OR_RAISE(const auto owned, target.Acquire({&spec.identity, 1}, {}, {}));
  spec.epoch = owned[0].epoch;
  spec.window_seq = owned[0].last ? owned[0].last->window_seq + 1 : 1;
  spec.load_id = "load" + std::to_string(spec.epoch);
  ARROW_ASSIGN_OR_RAISE(auto writer, target.OpenWriter(spec, {}));
  arrow::Int64Builder id;
  arrow::StringBuilder text;
  for (const int64_t value : ids) {
    ARROW_RETURN_NOT_OK(id.Append(value));
    ARROW_RETURN_NOT_OK(text.Append(name));
  }
  const auto rows = static_cast<int64_t>(ids.size());
  ARROW_ASSIGN_OR_RAISE(auto id_array, id.Finish());
  ARROW_ASSIGN_OR_RAISE(auto text_array, text.Finish());
  ARROW_RETURN_NOT_OK(writer->Append(
      *arrow::RecordBatch::Make(spec.schema, rows, {id_array, text_array}), {}));
  ARROW_ASSIGN_OR_RAISE(const auto receipt, writer->Finish({}));
  LoadRecord record;
  record.load_id = spec.load_id;
  record.window_seq = spec.window_seq;
  return target.Commit(spec, record, {&receipt, 1}, {}, {});
}

}  // namespace dxt
