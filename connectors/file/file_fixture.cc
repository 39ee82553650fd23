#include "connectors/file/file_fixture.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include <arrow/api.h>
#include <arrow/util/decimal.h>

#include "base/clock.h"
#include "base/error.h"
#include "connectors/file/file.h"

namespace dxt::file {

ConfigValue Scalar(std::string text) {
  ConfigValue value;
  value.kind = ConfigValue::Kind::kScalar;
  value.scalar = std::move(text);
  return value;
}

ConfigValue List(std::vector<std::string> texts) {
  ConfigValue value;
  value.kind = ConfigValue::Kind::kList;
  for (auto& text : texts) value.list.push_back(Scalar(std::move(text)));
  return value;
}

ConfigValue Map(std::vector<std::pair<std::string, ConfigValue>> entries) {
  ConfigValue value;
  value.kind = ConfigValue::Kind::kMap;
  value.map = std::move(entries);
  return value;
}

void FileTest::SetUp() {
  std::string name =
      (std::filesystem::temp_directory_path() / "dxt-file-XXXXXX").string();
  ASSERT_NE(mkdtemp(name.data()), nullptr);
  folder_ = name;
  connector_ = MakeFileConnector();
  context_.clock = &SystemClock();
}

void FileTest::TearDown() { std::filesystem::remove_all(folder_); }

void FileTest::WriteText(const std::string& name, std::string_view text) const {
  std::filesystem::create_directories(Path(name).parent_path());
  std::ofstream(Path(name), std::ios::binary) << text;
}

std::string FileTest::ReadText(const std::string& name) const {
  std::ostringstream text;
  text << std::ifstream(Path(name), std::ios::binary).rdbuf();
  return text.str();
}

std::vector<std::string> FileTest::Names(const std::string& folder) const {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

ConfigView FileTest::Config() const {
  ConfigValue values = settings_;
  if (!values.Get("url")) values.map.emplace_back("url", Scalar(folder_.string()));
  return ConfigView(&connector_->spec(), values);
}

std::unique_ptr<Source> FileTest::OpenSource() const {
  auto source = connector_->OpenSource(Config(), context_, {});
  EXPECT_TRUE(source.ok()) << source.status().ToString();
  return source.ok() ? std::move(*source) : nullptr;
}

std::unique_ptr<Destination> FileTest::OpenDestination() const {
  auto destination = connector_->OpenDestination(Config(), context_, {});
  EXPECT_TRUE(destination.ok()) << destination.status().ToString();
  return destination.ok() ? std::move(*destination) : nullptr;
}

std::string FileTest::Rows::types() const {
  std::string text;
  for (const auto& field : schema.fields) {
    text += (text.empty() ? "" : ", ") + field.name + " " + ToString(field.type);
  }
  return text;
}

FileTest::Rows FileTest::Read(const std::string& source, ConfigValue options) const {
  return Read(source, std::move(options), {});
}

FileTest::Rows FileTest::Read(const std::string& source, ConfigValue options,
                              const std::vector<ColumnRead>& columns) const {
  Rows rows;
  const auto read = [&]() -> arrow::Status {
    ARROW_ASSIGN_OR_RAISE(auto open, connector_->OpenSource(Config(), context_, {}));
    ReadSpec spec;
    spec.ref = {StreamKind::kFile, source, std::move(options), tells_bad_records_};
    ARROW_ASSIGN_OR_RAISE(const auto info, open->Describe(spec.ref, {}));
    rows.schema = info.columns;
    spec.columns = columns;
    if (columns.empty()) {
      for (const auto& field : info.columns.fields) {
        ColumnRead column;
        column.name = column.column = field.name;
        column.type = field.type;
        spec.columns.push_back(column);
      }
    }
    ARROW_ASSIGN_OR_RAISE(const auto plan, open->PlanRead(spec, 1, {}));
    ARROW_ASSIGN_OR_RAISE(auto reader,
                          open->OpenReader(spec, plan.splits.at(0), std::nullopt, {}));
    std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
    for (;;) {
      ARROW_ASSIGN_OR_RAISE(auto step, reader->Next({}));
      for (const auto& record : step.bad) {
        rows.bad.push_back(std::to_string(record.line) + ": " + record.text);
      }
      if (step.batch) {
        ARROW_RETURN_NOT_OK(step.batch->ValidateFull());
        batches.push_back(step.batch);
      }
      if (step.end) break;
    }
    ARROW_ASSIGN_OR_RAISE(rows.table,
                          arrow::Table::FromRecordBatches(reader->schema(), batches));
    for (const auto& batch : batches) {
      for (int64_t row = 0; row < batch->num_rows(); ++row) {
        std::string line;
        for (int i = 0; i < batch->num_columns(); ++i) {
          if (i > 0) line += "|";
          ARROW_ASSIGN_OR_RAISE(const auto cell, batch->column(i)->GetScalar(row));
          line += cell->is_valid ? cell->ToString() : "∅";
        }
        rows.lines.push_back(line);
      }
    }
    return arrow::Status::OK();
  };
  rows.status = read();
  return rows;
}

StreamIdentity FileTest::Identity(const Load& load) const {
  StreamIdentity identity;
  identity.pipeline = load.pipeline;
  identity.stream = load.stream;
  identity.target = load.target;
  identity.fingerprint = "f";
  return identity;
}

arrow::Result<CommitResult> FileTest::Run(const Load& load) const {
  ARROW_ASSIGN_OR_RAISE(auto destination,
                        connector_->OpenDestination(Config(), context_, {}));
  return Run(load, *destination);
}

arrow::Result<CommitResult> FileTest::Run(const Load& load,
                                          Destination& destination) const {
  WriteSpec spec;
  spec.identity = Identity(load);
  spec.table.reference = load.target;
  spec.table.mode = load.mode;
  spec.table.options = load.options;
  for (const auto& field : load.schema.fields) {
    WantedColumn column;
    column.name = field.name;
    column.field = field;
    column.nullable = field.nullable;
    spec.table.columns.push_back(column);
  }
  ARROW_ASSIGN_OR_RAISE(spec.target, destination.Describe(load.target, {}));
  ARROW_ASSIGN_OR_RAISE(spec.plan, destination.PlanTable(spec.table, spec.target));
  Owner owner;
  owner.run = "run";
  owner.text = "test";
  const StreamIdentity identities[] = {spec.identity};
  ARROW_ASSIGN_OR_RAISE(auto owned, destination.Acquire(identities, owner, {}));
  ARROW_RETURN_NOT_OK(destination.Sweep(spec.identity, {}));
  spec.epoch = owned[0].epoch;
  spec.window_seq = owned[0].last ? owned[0].last->window_seq + 1 : 1;
  spec.load_id = load.load_id.empty() ? "LOAD" + std::to_string(++loads_) : load.load_id;
  spec.schema = ArrowSchema(load.schema);
  LoadRecord record;
  record.window_seq = spec.window_seq;
  record.load_id = spec.load_id;
  record.cursor_before = owned[0].last ? owned[0].last->cursor_after : "";
  record.cursor_after = load.cursor_after;
  ARROW_ASSIGN_OR_RAISE(auto writer, destination.OpenWriter(spec, {}));
  for (const auto& batch : load.batches) ARROW_RETURN_NOT_OK(writer->Append(*batch, {}));
  ARROW_ASSIGN_OR_RAISE(auto receipt, writer->Finish({}));
  record.rows = receipt.rows;
  if (!load.commit) return CommitResult{};
  const WriteReceipt receipts[] = {receipt};
  return destination.Commit(spec, record, receipts, load.guards, {});
}

Sample Numbered(int64_t first, int64_t rows) {
  Sample sample;
  sample.schema.fields = {{"id", {DType::kInt64}, true, {}},
                          {"name", {DType::kString}, true, {}}};
  arrow::Int64Builder ids;
  arrow::StringBuilder names;
  for (int64_t i = first; i < first + rows; ++i) {
    EXPECT_TRUE(ids.Append(i).ok());
    EXPECT_TRUE(names.Append("n" + std::to_string(i)).ok());
  }
  sample.batch = arrow::RecordBatch::Make(ArrowSchema(sample.schema), rows,
                                          {*ids.Finish(), *names.Finish()});
  return sample;
}

Sample EveryType() {
  Sample sample;
  arrow::ArrayVector arrays;
  const auto add = [&](const char* name, FieldType type, auto builder, auto value) {
    EXPECT_TRUE(builder.Append(value).ok());
    EXPECT_TRUE(builder.AppendNull().ok());
    arrays.push_back(*builder.Finish());
    sample.schema.fields.push_back({name, type, true, {}});
  };
  const auto pool = arrow::default_memory_pool();
  add("i8", {DType::kInt8}, arrow::Int8Builder(), int8_t{-128});
  add("i16", {DType::kInt16}, arrow::Int16Builder(), int16_t{-32768});
  add("i32", {DType::kInt32}, arrow::Int32Builder(), INT32_MIN);
  add("i64", {DType::kInt64}, arrow::Int64Builder(), INT64_MIN);
  add("u8", {DType::kUint8}, arrow::UInt8Builder(), uint8_t{255});
  add("u16", {DType::kUint16}, arrow::UInt16Builder(), uint16_t{65535});
  add("u32", {DType::kUint32}, arrow::UInt32Builder(), UINT32_MAX);
  add("u64", {DType::kUint64}, arrow::UInt64Builder(), UINT64_MAX);
  add("f32", {DType::kFloat32}, arrow::FloatBuilder(), 0.1f);
  add("f64", {DType::kFloat64}, arrow::DoubleBuilder(), 0.1 + 0.2);
  FieldType decimal{DType::kDecimal, 15, 2};
  add("d", decimal, arrow::Decimal128Builder(ArrowType(decimal), pool),
      arrow::Decimal128(-105));
  FieldType wide{DType::kDecimal, 38, 10};
  add("wide", wide, arrow::Decimal128Builder(ArrowType(wide), pool),
      *arrow::Decimal128::FromString("1234567890123456789012345678.0123456789"));
  add("s", {DType::kString}, arrow::StringBuilder(), "a,\"b\"\r\nc\té€😀");
  add("empty", {DType::kString}, arrow::StringBuilder(), "");
  add("b", {DType::kBool}, arrow::BooleanBuilder(), true);
  add("date", {DType::kDate}, arrow::Date32Builder(), -719162);
  FieldType time{DType::kTime};
  add("time", time, arrow::Time64Builder(ArrowType(time), pool), int64_t{86399999999});
  FieldType stamp{DType::kTimestamp};
  add("ts", stamp, arrow::TimestampBuilder(ArrowType(stamp), pool), int64_t{-1});
  FieldType nanos{DType::kTimestamp};
  nanos.nanoseconds = true;
  add("tsn", nanos, arrow::TimestampBuilder(ArrowType(nanos), pool),
      int64_t{1234567890123456789});
  FieldType zoned{DType::kTimestampTz};
  add("tz", zoned, arrow::TimestampBuilder(ArrowType(zoned), pool),
      int64_t{1700000000000001});
  add("bin", {DType::kBinary}, arrow::BinaryBuilder(), std::string("\0\xff\x10", 3));
  add("json", {DType::kJson}, arrow::StringBuilder(), "{\"a\": [1.10, null, \"x\"]}");
  sample.batch =
      arrow::RecordBatch::Make(ArrowSchema(sample.schema), 2, std::move(arrays));
  return sample;
}

}  // namespace dxt::file
