#include <arrow/api.h>
#include <arrow/io/file.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/writer.h>
#include <parquet/column_writer.h>
#include <parquet/file_reader.h>
#include <parquet/file_writer.h>
#include <parquet/schema.h>

#include "base/error.h"
#include "connectors/file/file_fixture.h"

namespace dxt::file {
namespace {

using Lines = std::vector<std::string>;

class ParquetTest : public FileTest {
 protected:
  void WriteTable(const std::string& name, const std::shared_ptr<arrow::Table>& table,
                  int64_t group = 1 << 20) const {
    auto sink = *arrow::io::FileOutputStream::Open(Path(name).string());
    parquet::ArrowWriterProperties::Builder properties;
    properties.store_schema();
    ASSERT_TRUE(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), sink,
                                           group, parquet::default_writer_properties(),
                                           properties.build())
                    .ok());
    ASSERT_TRUE(sink->Close().ok());
  }

  std::shared_ptr<arrow::Table> Ids(int64_t rows) const {
    const Sample sample = Numbered(0, rows);
    return *arrow::Table::FromRecordBatches({sample.batch});
  }
};

TEST_F(ParquetTest, TruncatedFilesAreCorrupt) {
  WriteTable("a.parquet", Ids(50000), 10000);
  const std::string bytes = ReadText("a.parquet");
  WriteText("cut.parquet", bytes.substr(0, bytes.size() / 2));
  WriteText("tail.parquet", bytes.substr(bytes.size() / 2));
  WriteText("text.parquet", "this is no parquet file");
  WriteText("empty.parquet", "");
  for (const std::string name :
       {"cut.parquet", "tail.parquet", "text.parquet", "empty.parquet"}) {
    const Rows rows = Read(name);
    ASSERT_FALSE(rows.status.ok()) << name;
    EXPECT_EQ(GetErrorInfo(rows.status).code, "file.corrupt") << rows.status.ToString();
    EXPECT_EQ(GetErrorInfo(rows.status).error_class, ErrorClass::kData);
    EXPECT_NE(rows.status.message().find(Path(name).string()), std::string::npos);
  }
}

TEST_F(ParquetTest, NormalizesForeignTypes) {
  const auto dictionary = arrow::dictionary(arrow::int32(), arrow::utf8());
  const auto schema = arrow::schema(
      {arrow::field("dict", dictionary), arrow::field("large", arrow::large_utf8()),
       arrow::field("ms", arrow::timestamp(arrow::TimeUnit::MILLI)),
       arrow::field("t32", arrow::time32(arrow::TimeUnit::MILLI)),
       arrow::field("nested",
                    arrow::struct_({arrow::field("x", arrow::int32()),
                                    arrow::field("y", arrow::list(arrow::utf8()))})),
       arrow::field("list", arrow::list(arrow::int64())),
       arrow::field("none", arrow::null()),
       arrow::field("fixed", arrow::fixed_size_binary(2))});
  auto array = [](const std::shared_ptr<arrow::DataType>& type, auto&& fill) {
    auto builder = *arrow::MakeBuilder(type);
    fill(*builder);
    return *builder->Finish();
  };
  auto texts = array(arrow::utf8(), [](arrow::ArrayBuilder& b) {
    EXPECT_TRUE(static_cast<arrow::StringBuilder&>(b).Append("red").ok());
  });
  arrow::Int32Builder zero;
  ASSERT_TRUE(zero.Append(0).ok());
  auto dict = *arrow::DictionaryArray::FromArrays(dictionary, *zero.Finish(), texts);
  auto large = array(arrow::large_utf8(), [](arrow::ArrayBuilder& b) {
    EXPECT_TRUE(static_cast<arrow::LargeStringBuilder&>(b).Append("big").ok());
  });
  auto ms = array(arrow::timestamp(arrow::TimeUnit::MILLI), [](arrow::ArrayBuilder& b) {
    EXPECT_TRUE(static_cast<arrow::TimestampBuilder&>(b).Append(1500).ok());
  });
  auto t32 = array(arrow::time32(arrow::TimeUnit::MILLI), [](arrow::ArrayBuilder& b) {
    EXPECT_TRUE(static_cast<arrow::Time32Builder&>(b).Append(1500).ok());
  });
  auto nested = array(schema->field(4)->type(), [](arrow::ArrayBuilder& b) {
    auto& s = static_cast<arrow::StructBuilder&>(b);
    EXPECT_TRUE(s.Append().ok());
    EXPECT_TRUE(static_cast<arrow::Int32Builder*>(s.field_builder(0))->Append(7).ok());
    auto* list = static_cast<arrow::ListBuilder*>(s.field_builder(1));
    EXPECT_TRUE(list->Append().ok());
    EXPECT_TRUE(
        static_cast<arrow::StringBuilder*>(list->value_builder())->Append("q\"").ok());
  });
  auto list = array(arrow::list(arrow::int64()), [](arrow::ArrayBuilder& b) {
    auto& l = static_cast<arrow::ListBuilder&>(b);
    EXPECT_TRUE(l.Append().ok());
    EXPECT_TRUE(static_cast<arrow::Int64Builder*>(l.value_builder())->Append(5).ok());
  });
  auto none = *arrow::MakeArrayOfNull(arrow::null(), 1);
  auto fixed = array(arrow::fixed_size_binary(2), [](arrow::ArrayBuilder& b) {
    EXPECT_TRUE(static_cast<arrow::FixedSizeBinaryBuilder&>(b).Append("ab").ok());
  });
  WriteTable("f.parquet",
             arrow::Table::Make(schema, arrow::ArrayVector{dict, large, ms, t32, nested,
                                                           list, none, fixed}));
  const Rows rows = Read("f.parquet");
  ASSERT_TRUE(rows.status.ok()) << rows.status.ToString();
  EXPECT_EQ(rows.types(),
            "dict string, large string, ms timestamp, t32 time, nested object, "
            "list array<int64>, none string, fixed binary");
  ASSERT_EQ(rows.lines.size(), 1u);
  EXPECT_EQ(
      rows.lines[0].substr(0, 71),
      "red|big|1970-01-01 00:00:01.500000|00:00:01.500000|{\"x\":7,\"y\":[\"q\\\"\"]}|");
}

/// One value of INT96: nanoseconds of the day, Julian day.
parquet::Int96 Int96(uint64_t nanos, int32_t day) {
  parquet::Int96 value;
  value.value = {static_cast<uint32_t>(nanos), static_cast<uint32_t>(nanos >> 32),
                 static_cast<uint32_t>(day)};
  return value;
}

TEST_F(ParquetTest, Int96OutsideItsRangeIsRefusedByColumnAndRow) {
  constexpr int32_t kEpoch = 2440588;
  const auto write = [&](const std::string& name,
                         const std::vector<parquet::Int96>& values) {
    auto sink = *arrow::io::FileOutputStream::Open(Path(name).string());
    const auto root = std::static_pointer_cast<parquet::schema::GroupNode>(
        parquet::schema::GroupNode::Make(
            "schema", parquet::Repetition::REQUIRED,
            {parquet::schema::PrimitiveNode::Make("at", parquet::Repetition::OPTIONAL,
                                                  parquet::Type::INT96)}));
    auto writer = parquet::ParquetFileWriter::Open(sink, root);
    for (int group = 0; group < 2; ++group) {
      auto* column =
          static_cast<parquet::Int96Writer*>(writer->AppendRowGroup()->NextColumn());
      const int16_t null = 0;
      column->WriteBatch(1, &null, nullptr, nullptr);
      for (const auto& value : values) {
        const int16_t there = 1;
        column->WriteBatch(1, &there, nullptr, &value);
      }
      column->Close();
    }
    writer->Close();
    ASSERT_TRUE(sink->Close().ok());
  };
  constexpr uint64_t kLastNanos = 85636854775807u;  // Of 2262-04-11.
  constexpr uint64_t kFirstNanos = 763145224192u;   // Of 1677-09-21.
  write("good.parquet", {Int96(1, kEpoch), Int96(kLastNanos, kEpoch + 106751),
                         Int96(kFirstNanos, kEpoch - 106752)});
  const Rows good = Read("good.parquet");
  ASSERT_TRUE(good.status.ok()) << good.status.ToString();
  ASSERT_EQ(good.lines.size(), 8u);
  EXPECT_EQ(good.lines[1].substr(0, 29), "1970-01-01 00:00:00.000000001");
  EXPECT_EQ(good.lines[2].substr(0, 29), "2262-04-11 23:47:16.854775807");
  for (const auto& bad :
       {Int96(kLastNanos + 1, kEpoch + 106751), Int96(kFirstNanos - 1, kEpoch - 106752),
        Int96(0, 5373485) /* 9999-12-31 */, Int96(0, 0)}) {
    write("bad.parquet", {Int96(1, kEpoch), bad});
    const Rows rows = Read("bad.parquet");
    const ErrorInfo info = GetErrorInfo(rows.status);
    EXPECT_EQ(info.code, "file.value") << rows.status.ToString();
    EXPECT_EQ(info.column, "at");
    EXPECT_EQ(info.key, "{\"row\":3}");
    EXPECT_NE(info.hint, "");
  }
}

TEST_F(ParquetTest, SplitsByRowGroupAndCountsFromTheFooter) {
  WriteTable("g.parquet", Ids(1000), 100);
  auto source = OpenSource();
  ReadSpec spec;
  spec.ref = {StreamKind::kFile, "g.parquet", {}};
  ColumnRead id, row;
  id.name = id.column = "id";
  id.type = row.type = {DType::kInt64};
  row.name = row.column = "_row_id";
  spec.columns = {id, row};
  const auto plan = *source->PlanRead(spec, 3, {});
  ASSERT_EQ(plan.splits.size(), 3u);
  EXPECT_EQ(*source->CountRows(spec, {}), 1000);
  int64_t next = 0;
  for (const auto& split : plan.splits) {
    auto reader = *source->OpenReader(spec, split, std::nullopt, {});
    for (;;) {
      const auto step = *reader->Next({});
      if (step.end) break;
      const auto& ids = static_cast<const arrow::Int64Array&>(*step.batch->column(0));
      const auto& numbers = static_cast<const arrow::Int64Array&>(*step.batch->column(1));
      for (int64_t i = 0; i < ids.length(); ++i, ++next) {
        ASSERT_EQ(ids.Value(i), next);
        ASSERT_EQ(numbers.Value(i), next + 1);
      }
    }
  }
  EXPECT_EQ(next, 1000);
}

TEST_F(ParquetTest, FilesOfOneStreamMustHaveOneShape) {
  WriteTable("a.parquet", Ids(1));
  WriteTable("b.parquet", *Ids(1)->SelectColumns({0}));
  const Rows rows = Read("*.parquet");
  EXPECT_EQ(GetErrorInfo(rows.status).code, "file.schema_differs");
  EXPECT_NE(rows.status.message().find("b.parquet"), std::string::npos);
}

TEST_F(ParquetTest, WritesLogicalTypesThatOthersRead) {
  const Sample sample = EveryType();
  Load load;
  load.target = "w.parquet";
  load.schema = sample.schema;
  load.batches = {sample.batch};
  load.options = Map({{"compression", Scalar("zstd")}});
  ASSERT_TRUE(Run(load).ok());
  auto reader = parquet::ParquetFileReader::OpenFile(Path("w.parquet").string());
  const auto* schema = reader->metadata()->schema();
  const auto logical = [&](const char* name) {
    return schema->Column(schema->ColumnIndex(name))->logical_type()->ToString();
  };
  EXPECT_EQ(logical("json"), "JSON");
  EXPECT_EQ(logical("d"), "Decimal(precision=15, scale=2)");
  EXPECT_EQ(schema->Column(schema->ColumnIndex("d"))->physical_type(),
            parquet::Type::INT64);
  EXPECT_NE(logical("ts").find("isAdjustedToUTC=false"), std::string::npos);
  EXPECT_NE(logical("tz").find("isAdjustedToUTC=true"), std::string::npos);
  EXPECT_EQ(reader->metadata()->RowGroup(0)->ColumnChunk(0)->compression(),
            parquet::Compression::ZSTD);
}

TEST_F(ParquetTest, WideDecimalsAreRefusedAndUndeclaredOnesGetDigits) {
  TableSpec wanted;
  wanted.reference = "d.parquet";
  WantedColumn column;
  column.name = column.field.name = "d";
  column.field.type = {DType::kDecimal, 50, 2};
  wanted.columns = {column};
  auto destination = OpenDestination();
  auto existing = *destination->Describe("d.parquet", {});
  EXPECT_EQ(GetErrorInfo(destination->PlanTable(wanted, existing).status()).code,
            "file.parquet_decimal");
  wanted.columns[0].native_override = "decimal(38,2)";
  EXPECT_EQ(destination->PlanTable(wanted, existing)->columns[0].domain.deliver.precision,
            38);
  wanted.columns[0].native_override = "";
  wanted.columns[0].field.type = {DType::kDecimal};
  EXPECT_EQ(destination->PlanTable(wanted, existing)->columns[0].domain.deliver.scale, 9);
}

}  // namespace
}  // namespace dxt::file
