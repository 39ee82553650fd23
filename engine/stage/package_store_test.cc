#include "engine/stage/package_store.h"

#include <cmath>
#include <fstream>
#include <limits>
#include <thread>
#include <vector>

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/json/from_string.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "tests/support/field_types.h"

namespace dxt {
namespace {

namespace fs = std::filesystem;

struct Column {
  std::string name;
  FieldType type;
  std::string json;  ///< Three rows; the second is NULL.
};

std::vector<Column> AllColumns() {
  return {
      {"i8", Of(DType::kInt8), "[-128, null, 127]"},
      {"i16", Of(DType::kInt16), "[-32768, null, 32767]"},
      {"i32", Of(DType::kInt32), "[-2147483648, null, 2147483647]"},
      {"i64", Of(DType::kInt64), "[-9223372036854775808, null, 9223372036854775807]"},
      {"u8", Of(DType::kUint8), "[0, null, 255]"},
      {"u16", Of(DType::kUint16), "[0, null, 65535]"},
      {"u32", Of(DType::kUint32), "[0, null, 4294967295]"},
      {"u64", Of(DType::kUint64), "[0, null, 18446744073709551615]"},
      {"f32", Of(DType::kFloat32), "[0.1, null, -1.5e38]"},
      {"f64", Of(DType::kFloat64), "[0.1, null, NaN]"},
      {"inf", Of(DType::kFloat64), "[Inf, null, -Inf]"},
      {"dec", Of(DType::kDecimal, 38, 10), R"(["-1.0000000001", null, "0.0000000000"])"},
      {"wide", Of(DType::kDecimal, 76, 2),
       R"(["99999999999999999999999999999999999999999999999999.99", null, "-0.01"])"},
      {"num", Of(DType::kDecimal), R"(["1.500", null, "NaN"])"},
      {"text", Of(DType::kString), R"(["", null, "a,\"b\"\n\r\n€😀"])"},
      {"flag", Of(DType::kBool), "[true, null, false]"},
      {"day", Of(DType::kDate), "[-1000000, null, 2147483647]"},
      {"time", Of(DType::kTime), "[0, null, 86400000000]"},
      {"ts", Of(DType::kTimestamp), "[-62135596800000001, null, 9223372036854775807]"},
      {"tsn", Nano(DType::kTimestamp), "[1, null, -9223372036854775808]"},
      {"tz", Of(DType::kTimestampTz), "[1, null, -1]"},
      {"tzn", Nano(DType::kTimestampTz), "[1, null, 1700000000123456789]"},
      {"bytes", Of(DType::kBinary), R"(["", null, "\u0000\u0001x"])"},
      {"doc", Of(DType::kJson), R"(["{\"a\": 1.10}", null, " [1,\n2] "])"},
      {"list", Of(DType::kArray), R"(["[1]", null, "[]"])"},
      {"object", Of(DType::kObject), R"(["{}", null, "{\"x\":null}"])"},
      {"ints", ListOf(Of(DType::kInt32)), "[[1, null, -3], null, []]"},
      {"texts", ListOf(Of(DType::kString)), R"([["a\"b", "", null], null, ["1"]])"},
      {"floats", ListOf(Of(DType::kFloat64)), "[[0.1, NaN], null, [null]]"},
      {"decs", ListOf(Of(DType::kDecimal, 9, 2)), R"([["1.10", null], null, []])"},
      {"days", ListOf(Of(DType::kDate)), "[[0, null], null, []]"},
      {"blobs", ListOf(Of(DType::kBinary)), R"([["ab", null], null, [""]])"},
  };
}

class PackageTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "dxt_package_XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
    store_ = std::make_unique<PackageStore>(root_ / "buffer", SystemClock());
  }
  void TearDown() override { fs::remove_all(root_); }

  PackageSpec Spec(std::string load_id = "01JD0000000000000000000001") {
    PackageSpec spec;
    spec.identity.pipeline = "shop/orders";
    spec.identity.stream = "raw.order items/ä";
    spec.identity.target = "analytics.orders";
    spec.identity.fingerprint = "f1";
    spec.load_id = std::move(load_id);
    spec.run = "01JD0000000000000000000000";
    spec.document_hash = "abc";
    spec.full = false;
    spec.cursor_before = "10";
    spec.read_from = "9";
    spec.schema.fields = {{"id", Of(DType::kInt64), false, {"postgres", "bigint"}}};
    spec.schema.primary_key = {"id"};
    return spec;
  }

  static std::shared_ptr<arrow::RecordBatch> Ids(const PackageSpec& spec, int64_t from,
                                                 int64_t count) {
    arrow::Int64Builder builder;
    for (int64_t i = 0; i < count; ++i) EXPECT_TRUE(builder.Append(from + i).ok());
    return arrow::RecordBatch::Make(ArrowSchema(spec.schema), count, {*builder.Finish()});
  }

  PackageManifest Sealed(const PackageSpec& spec, int64_t rows = 3) {
    auto writer = *store_->Create(spec);
    EXPECT_TRUE(writer->Append(*Ids(spec, 0, rows)).ok());
    PackageSeal seal;
    seal.cursor_after = "20";
    auto sealed = writer->Seal(seal);
    EXPECT_TRUE(sealed.ok()) << sealed.status();
    return *sealed;
  }

  std::vector<int64_t> ReadIds(const PackageManifest& package,
                               int64_t batch_rows = 10000) {
    std::vector<int64_t> ids;
    auto reader = store_->Open(package, batch_rows);
    EXPECT_TRUE(reader.ok()) << reader.status();
    while (auto batch = *(*reader)->Next()) {
      EXPECT_LE(batch->num_rows(), batch_rows);
      const auto& column = static_cast<const arrow::Int64Array&>(*batch->column(0));
      for (int64_t i = 0; i < column.length(); ++i) ids.push_back(column.Value(i));
    }
    return ids;
  }

  template <typename T>
  static std::string CodeOf(const arrow::Result<T>& result) {
    return result.ok() ? "ok" : GetErrorInfo(result.status()).code;
  }

  std::vector<PackageState> States() {
    std::vector<PackageState> states;
    for (const auto& info : *store_->List()) states.push_back(info.state);
    return states;
  }

  fs::path root_;
  std::unique_ptr<PackageStore> store_;
};

struct Format {
  SegmentFormat format;
  std::string compression;
};

class FormatTest : public PackageTest, public testing::WithParamInterface<Format> {};

TEST_P(FormatTest, EveryTypeComesBackAsItWas) {
  PackageSpec spec = Spec();
  spec.format = GetParam().format;
  spec.compression = GetParam().compression;
  spec.schema = {};
  arrow::ArrayVector arrays;
  for (const auto& column : AllColumns()) {
    spec.schema.fields.push_back({column.name, column.type, true, {}});
    auto array = arrow::json::ArrayFromJSONString(ArrowType(column.type), column.json);
    ASSERT_TRUE(array.ok()) << column.name << array.status();
    arrays.push_back(*array);
  }
  const auto batch = arrow::RecordBatch::Make(ArrowSchema(spec.schema), 3, arrays);
  auto writer = *store_->Create(spec);
  ASSERT_TRUE(writer->Append(*batch).ok());
  // A slice must not bring what lies beside it.
  ASSERT_TRUE(writer->Append(*batch->Slice(2, 1)).ok());
  const auto package = writer->Seal({});
  ASSERT_TRUE(package.ok()) << package.status();
  EXPECT_EQ(package->rows, 4);

  auto reader = *store_->Open(*package);
  const auto back = reader->Next();
  ASSERT_TRUE(back.ok()) << back.status();
  ASSERT_EQ((*back)->num_rows(), 4);
  ASSERT_TRUE((*back)->schema()->Equals(*batch->schema(), true));
  for (int i = 0; i < batch->num_columns(); ++i) {
    const auto equal = arrow::EqualOptions::Defaults().nans_equal(true);
    EXPECT_TRUE((*back)->column(i)->Slice(0, 3)->Equals(batch->column(i), equal))
        << spec.schema.fields[i].name << " became " << (*back)->column(i)->ToString();
    EXPECT_TRUE(
        (*back)->column(i)->Slice(3, 1)->Equals(batch->column(i)->Slice(2, 1), equal))
        << spec.schema.fields[i].name;
  }
  EXPECT_EQ(*reader->Next(), nullptr);
}

TEST_P(FormatTest, SegmentsEndByBytesAndAreReadInOrder) {
  PackageSpec spec = Spec();
  spec.format = GetParam().format;
  spec.compression = GetParam().compression;
  spec.segment_bytes = 50000;
  auto writer = *store_->Create(spec);
  for (int i = 0; i < 40; ++i)
    ASSERT_TRUE(writer->Append(*Ids(spec, i * 2500, 2500)).ok());
  const auto package = *writer->Seal({});
  EXPECT_GT(package.segments.size(), 1u);
  for (const auto& segment : package.segments) {
    EXPECT_LT(segment.bytes, 80000);
    EXPECT_EQ(fs::file_size(package.folder / segment.file),
              static_cast<uintmax_t>(segment.bytes));
  }
  const auto ids = ReadIds(package, 777);
  ASSERT_EQ(ids.size(), 100000u);
  for (size_t i = 0; i < ids.size(); ++i) ASSERT_EQ(ids[i], static_cast<int64_t>(i));
}

TEST_P(FormatTest, SplitsThatComeAtATimeAreReadOneAfterTheOther) {
  PackageSpec spec = Spec();
  spec.format = GetParam().format;
  spec.compression = GetParam().compression;
  auto writer = *store_->Create(spec);
  // Each lane has every third split, from the last to the first.
  std::vector<std::jthread> lanes;
  for (int lane = 0; lane < 3; ++lane) {
    lanes.emplace_back([&, lane] {
      for (int split = 9 + lane; split >= 0; split -= 3) {
        for (int part = 0; part < 4; ++part) {
          const auto ids = Ids(spec, split * 400 + part * 100, 100);
          EXPECT_TRUE(writer->Append(*ids, lane, split).ok());
        }
      }
    });
  }
  lanes.clear();
  EXPECT_EQ(writer->rows(), 4800);
  const auto ids = ReadIds(*writer->Seal({}), 777);
  ASSERT_EQ(ids.size(), 4800u);
  for (size_t i = 0; i < ids.size(); ++i) ASSERT_EQ(ids[i], static_cast<int64_t>(i));
}

TEST_P(FormatTest, ACutOffSegmentIsCorruptEvenUnverified) {
  PackageSpec spec = Spec();
  spec.format = GetParam().format;
  spec.compression = GetParam().compression;
  const auto package = Sealed(spec, 1000);
  const fs::path segment = package.folder / package.segments[0].file;
  fs::resize_file(segment, fs::file_size(segment) - 3);
  auto reader = *store_->Open(package, 10000, /*verify=*/false);
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> batch = reader->Next();
  while (batch.ok() && *batch) batch = reader->Next();
  EXPECT_EQ(CodeOf(batch), "buffer.corrupt");
}

TEST_P(FormatTest, AnEmptyPackageHasNoRows) {
  PackageSpec spec = Spec();
  spec.format = GetParam().format;
  spec.compression = GetParam().compression;
  const auto package = *(*store_->Create(spec))->Seal({});
  EXPECT_TRUE(package.segments.empty());
  EXPECT_TRUE(ReadIds(package).empty());
}

INSTANTIATE_TEST_SUITE_P(All, FormatTest,
                         testing::Values(Format{SegmentFormat::kParquet, ""},
                                         Format{SegmentFormat::kParquet, "zstd"},
                                         Format{SegmentFormat::kCsv, ""},
                                         Format{SegmentFormat::kCsv, "gzip"},
                                         Format{SegmentFormat::kJsonl, ""},
                                         Format{SegmentFormat::kJsonl, "zstd"}),
                         [](const auto& info) {
                           return std::string(SegmentFormatName(info.param.format)) +
                                  info.param.compression;
                         });

TEST_F(PackageTest, TheManifestKeepsEverything) {
  const PackageSpec spec = Spec();
  auto writer = *store_->Create(spec);
  ASSERT_TRUE(writer->Append(*Ids(spec, 0, 2)).ok());
  PackageSeal seal{"20", 5, 99, {{"cursor.nulls", "one"}}};
  const auto sealed = *writer->Seal(seal);
  const auto found = *store_->Find(spec.identity, spec.load_id);
  EXPECT_EQ(found.spec.identity.pipeline, "shop/orders");
  EXPECT_EQ(found.spec.identity.stream, spec.identity.stream);
  EXPECT_EQ(found.spec.identity.fingerprint, "f1");
  EXPECT_EQ(found.spec.document_hash, "abc");
  EXPECT_FALSE(found.spec.full);
  EXPECT_EQ(found.spec.cursor_before, "10");
  EXPECT_EQ(found.spec.read_from, "9");
  EXPECT_EQ(found.seal.cursor_after, "20");
  EXPECT_EQ(found.seal.rows_read, 5);
  EXPECT_EQ(found.seal.warnings, seal.warnings);
  EXPECT_EQ(found.rows, 2);
  EXPECT_EQ(found.sha256, sealed.sha256);
  EXPECT_EQ(found.sha256.size(), 64u);
  ASSERT_EQ(found.spec.schema.fields.size(), 1u);
  EXPECT_EQ(found.spec.schema.fields[0].native.type, "bigint");
  EXPECT_FALSE(found.spec.schema.fields[0].nullable);
  EXPECT_EQ(found.spec.schema.primary_key, spec.schema.primary_key);
  EXPECT_EQ(found.Paths(), sealed.Paths());
}

TEST_F(PackageTest, AnUnsealedPackageCannotBeRead) {
  const PackageSpec spec = Spec();
  auto writer = *store_->Create(spec);
  ASSERT_TRUE(writer->Append(*Ids(spec, 0, 2)).ok());
  EXPECT_EQ(CodeOf(store_->Find(spec.identity, spec.load_id)), "buffer.not_sealed");
  EXPECT_TRUE(store_->Pending(spec.identity)->empty());
  PackageManifest unsealed;
  unsealed.folder =
      store_->StreamFolder("shop/orders", spec.identity.stream) / spec.load_id;
  EXPECT_EQ(CodeOf(store_->Open(unsealed)), "buffer.not_sealed");
  EXPECT_EQ(States(), std::vector{PackageState::kWriting});
  EXPECT_EQ(GetErrorInfo(store_->Drop((*store_->List())[0])).code, "buffer.busy");
}

TEST_F(PackageTest, AbortLeavesNothing) {
  const PackageSpec spec = Spec();
  {
    auto writer = *store_->Create(spec);
    ASSERT_TRUE(writer->Append(*Ids(spec, 0, 2)).ok());
    writer->Abort();
    writer->Abort();
    EXPECT_FALSE(writer->Append(*Ids(spec, 0, 2)).ok());
  }
  EXPECT_FALSE(fs::exists(root_ / "buffer" / "shop"));
  // A writer that is dropped unsealed aborts too.
  {
    auto writer = *store_->Create(spec);
  }
  EXPECT_TRUE(store_->List()->empty());
}

TEST_F(PackageTest, PendingIsInOrderAndEndsWithRelease) {
  const auto second = Sealed(Spec("01JD0000000000000000000002"));
  const auto first = Sealed(Spec("01JD0000000000000000000001"));
  auto other = Spec("01JD0000000000000000000003");
  other.identity.stream = "other";
  Sealed(other);
  auto pending = *store_->Pending(Spec().identity);
  ASSERT_EQ(pending.size(), 2u);
  EXPECT_EQ(pending[0].spec.load_id, first.spec.load_id);
  EXPECT_EQ((*store_->Newest(Spec().identity))->spec.load_id, second.spec.load_id);
  ASSERT_TRUE(store_->Release(first).ok());
  EXPECT_EQ((*store_->Pending(Spec().identity)).size(), 1u);
  ASSERT_TRUE(store_->Release(second).ok());
  EXPECT_TRUE(store_->Pending(Spec().identity)->empty());
  EXPECT_EQ(store_->List()->size(), 1u);
  EXPECT_EQ(store_->List("shop/other")->size(), 0u);
  EXPECT_EQ(store_->List("shop/orders", "other")->size(), 1u);
}

TEST_F(PackageTest, AKeptPackageIsLoadedNotPending) {
  const auto package = Sealed(Spec());
  ASSERT_TRUE(store_->Release(package, /*keep=*/true).ok());
  EXPECT_TRUE(store_->Pending(package.spec.identity)->empty());
  EXPECT_EQ(States(), std::vector{PackageState::kLoaded});
  EXPECT_TRUE(store_->Newest(package.spec.identity)->has_value());
  ASSERT_TRUE(store_->Drop((*store_->List())[0]).ok());
  EXPECT_TRUE(store_->List()->empty());
}

TEST_F(PackageTest, ASealedLoadIdIsNotWrittenAgain) {
  Sealed(Spec());
  EXPECT_EQ(CodeOf(store_->Create(Spec())), "buffer.exists");
  auto writer = *store_->Create(Spec("01JD0000000000000000000002"));
  EXPECT_EQ(CodeOf(store_->Create(Spec("01JD0000000000000000000002"))), "buffer.busy");
}

TEST_F(PackageTest, WhatACrashLeftIsSweptAndReplaced) {
  const PackageSpec spec = Spec();
  const fs::path folder =
      store_->StreamFolder(spec.identity.pipeline, spec.identity.stream) / spec.load_id;
  const auto crash = [&] {
    fs::create_directories(folder);
    std::ofstream(folder / "owner.lock");
    std::ofstream(folder / "segment-00000001.parquet.tmp") << "half";
    std::ofstream(folder / "manifest.json.tmp") << "{";
  };
  crash();
  EXPECT_EQ(States(), std::vector{PackageState::kAbandoned});
  EXPECT_EQ(*store_->Sweep(spec.identity), 1);
  EXPECT_FALSE(fs::exists(folder));
  EXPECT_EQ(*store_->Sweep(spec.identity), 0);
  crash();
  const auto package = Sealed(spec);
  EXPECT_EQ(ReadIds(package).size(), 3u);
  EXPECT_EQ(*store_->Sweep(spec.identity), 0);
  EXPECT_EQ(States(), std::vector{PackageState::kPending});
}

TEST_F(PackageTest, ASweepSparesALivingWriter) {
  const PackageSpec spec = Spec();
  auto writer = *store_->Create(spec);
  EXPECT_EQ(*store_->Sweep(spec.identity), 0);
  ASSERT_TRUE(writer->Append(*Ids(spec, 0, 1)).ok());
  EXPECT_TRUE(writer->Seal({}).ok());
}

TEST_F(PackageTest, AChangedSegmentIsSetAsideAndNeverRead) {
  const auto package = Sealed(Spec());
  std::fstream file(package.folder / package.segments[0].file,
                    std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(10);
  file.put('\x7f');
  file.close();
  EXPECT_EQ(CodeOf(store_->Open(package)), "buffer.corrupt");
  EXPECT_TRUE(store_->Pending(package.spec.identity)->empty());
  EXPECT_EQ(States(), std::vector{PackageState::kCorrupt});
  EXPECT_EQ((*store_->List())[0].load_id, package.spec.load_id);
  ASSERT_TRUE(store_->Drop((*store_->List())[0]).ok());
  EXPECT_TRUE(store_->List()->empty());
}

TEST_F(PackageTest, AMissingSegmentIsCorrupt) {
  const auto package = Sealed(Spec());
  fs::remove(package.folder / package.segments[0].file);
  EXPECT_EQ(GetErrorInfo(store_->Verify(package)).code, "buffer.corrupt");
}

TEST_F(PackageTest, AnyChangedByteOfTheManifestIsFound) {
  const auto package = Sealed(Spec());
  const fs::path path = package.folder / "manifest.json";
  std::ifstream in(path);
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  const size_t cursor = text.find("\"20\"");
  ASSERT_NE(cursor, std::string::npos);
  std::string changed = text;
  changed[cursor + 1] = '3';
  for (const auto& bad : {changed, text.substr(0, text.size() / 2), std::string()}) {
    std::ofstream(path, std::ios::trunc) << bad;
    EXPECT_EQ(CodeOf(store_->Pending(package.spec.identity)), "buffer.corrupt");
    EXPECT_EQ(States(), std::vector{PackageState::kCorrupt});
  }
}

TEST_F(PackageTest, ABatchOfAnotherSchemaIsRefused) {
  const PackageSpec spec = Spec();
  auto writer = *store_->Create(spec);
  const auto other =
      arrow::RecordBatch::Make(arrow::schema({arrow::field("id", arrow::int32())}), 0,
                               {*arrow::json::ArrayFromJSONString(arrow::int32(), "[]")});
  EXPECT_EQ(GetErrorInfo(writer->Append(*other)).code, "buffer.wrong_schema");
}

TEST_F(PackageTest, AnUnknownCompressionIsRefusedBeforeAnythingIsMade) {
  PackageSpec spec = Spec();
  spec.compression = "lzo";
  EXPECT_EQ(CodeOf(store_->Create(spec)), "buffer.compression");
  EXPECT_FALSE(fs::exists(root_ / "buffer"));
}

TEST_F(PackageTest, AFolderThatCannotBeWrittenIsTheUsersToMend) {
  if (geteuid() == 0) {
    // Root may write anywhere but into what is no folder.
    std::ofstream(root_ / "file");
    PackageStore store(root_ / "file" / "buffer", SystemClock());
    EXPECT_FALSE(store.Create(Spec()).ok());
    return;
  }
  fs::create_directories(root_ / "locked");
  fs::permissions(root_ / "locked", fs::perms::owner_read | fs::perms::owner_exec);
  PackageStore store(root_ / "locked" / "buffer", SystemClock());
  EXPECT_EQ(CodeOf(store.Create(Spec())), "buffer.not_writable");
}

TEST_F(PackageTest, BrokenUtf8IsKeptWhereTheFormatCan) {
  PackageSpec spec = Spec();
  spec.schema.fields = {{"t", Of(DType::kString), true, {}}};
  arrow::StringBuilder builder;
  ASSERT_TRUE(builder.Append("\xff").ok());
  const auto batch =
      arrow::RecordBatch::Make(ArrowSchema(spec.schema), 1, {*builder.Finish()});
  spec.format = SegmentFormat::kCsv;
  auto csv = *store_->Create(spec);
  ASSERT_TRUE(csv->Append(*batch).ok());
  auto reader = *store_->Open(*csv->Seal({}));
  EXPECT_TRUE((*reader->Next())->column(0)->Equals(batch->column(0)));
  spec.load_id = "01JD0000000000000000000002";
  spec.format = SegmentFormat::kJsonl;
  auto jsonl = *store_->Create(spec);
  EXPECT_EQ(GetErrorInfo(jsonl->Append(*batch)).code, "value.invalid_utf8");
}

TEST_F(PackageTest, AValueOfManyMegabytesPasses) {
  for (const auto format :
       {SegmentFormat::kParquet, SegmentFormat::kCsv, SegmentFormat::kJsonl}) {
    PackageSpec spec = Spec();
    spec.format = format;
    spec.load_id[25] = static_cast<char>('A' + static_cast<int>(format));
    spec.schema.fields = {{"t", Of(DType::kString), true, {}}};
    arrow::StringBuilder builder;
    const std::string big(9 << 20, 'x');
    ASSERT_TRUE(builder.Append(big).ok());
    ASSERT_TRUE(builder.Append("y").ok());
    const auto batch =
        arrow::RecordBatch::Make(ArrowSchema(spec.schema), 2, {*builder.Finish()});
    auto writer = *store_->Create(spec);
    ASSERT_TRUE(writer->Append(*batch).ok());
    auto reader = *store_->Open(*writer->Seal({}));
    int64_t rows = 0;
    size_t bytes = 0;
    while (auto back = *reader->Next()) {
      rows += back->num_rows();
      for (int64_t i = 0; i < back->num_rows(); ++i) {
        bytes +=
            static_cast<const arrow::StringArray&>(*back->column(0)).GetView(i).size();
      }
    }
    EXPECT_EQ(rows, 2);
    EXPECT_EQ(bytes, big.size() + 1);
  }
}

}  // namespace
}  // namespace dxt
