#include <arrow/api.h>
#include <arrow/io/file.h>
#include <parquet/arrow/writer.h>

#include "base/error.h"
#include "connectors/duckdb/test_support.h"

namespace dxt::duckdb {
namespace {

using arrow::field;
using Lines = std::vector<std::string>;

class FilesTest : public DuckdbTest {
 protected:
  std::string WriteParquet(const std::string& name,
                           const std::shared_ptr<arrow::RecordBatch>& batch) {
    const std::string path = (folder_ / name).string();
    const auto table = arrow::Table::FromRecordBatches({batch}).ValueOrDie();
    const auto out = arrow::io::FileOutputStream::Open(path).ValueOrDie();
    EXPECT_TRUE(
        parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), out, 2).ok());
    EXPECT_TRUE(out->Close().ok());
    return path;
  }

  arrow::Result<CommitResult> LoadFiles(const TableSpec& table, const Lines& paths,
                                        const std::string& load_id) {
    auto target = OpenTarget();
    const WriteSpec spec = Prepare(*target, table, load_id);
    ARROW_ASSIGN_OR_RAISE(auto writer, target->OpenWriter(spec, {}));
    ARROW_RETURN_NOT_OK(writer->AppendFiles(paths, {}));
    ARROW_ASSIGN_OR_RAISE(auto receipt, writer->Finish({}));
    return target->Commit(spec, Record(spec), std::span(&receipt, 1), {}, {});
  }
};

const arrow::FieldVector kFields = {
    field("id", arrow::int64()), field("name", arrow::utf8()),
    field("total", arrow::decimal128(9, 2)),
    field("seen", arrow::timestamp(arrow::TimeUnit::MICRO))};

TEST_F(FilesTest, ParquetFilesAreReadByNameInOrder) {
  const auto first =
      Batch(kFields, R"([{"id":1,"name":"a","total":"1.50","seen":0},{"id":2}])");
  // Another order of columns, and -infinity as the smallest integer.
  const auto second = Batch(
      {kFields[3], kFields[0], kFields[2], kFields[1]},
      R"([{"id":3,"seen":-9223372036854775808},{"id":4,"seen":9223372036854775807}])");
  const Lines paths = {WriteParquet("one.parquet", first),
                       WriteParquet("two.parquet", second)};
  const auto loaded = LoadFiles(Table("t", LoadMode::kAppend, first), {paths[0]}, "L1");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->rows_written, 2);
  const auto more = LoadFiles(Table("t", LoadMode::kAppend, first), {paths[1]}, "L2");
  ASSERT_TRUE(more.ok()) << more.status();
  EXPECT_EQ(Look("SELECT id, name, total::VARCHAR, seen::VARCHAR FROM t ORDER BY id"),
            (Lines{"1|a|1.50|1970-01-01 00:00:00", "2|~|~|~", "3|~|~|-infinity",
                   "4|~|~|infinity"}));
  EXPECT_TRUE(std::filesystem::exists(paths[0]));
}

TEST_F(FilesTest, ParquetFilesAreMerged) {
  const auto first =
      Batch(kFields, R"([{"id":1,"name":"a"},{"id":1,"name":"b"},{"id":2}])");
  const Lines paths = {WriteParquet("one.parquet", first)};
  const auto loaded =
      LoadFiles(Table("t", LoadMode::kUpsert, first, {"id"}), paths, "L1");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->rows_deduplicated, 1);
  const auto again = LoadFiles(Table("t", LoadMode::kUpsert, first, {"id"}), paths, "L2");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(Look("SELECT id, name FROM t ORDER BY id"), (Lines{"1|b", "2|~"}));
  const auto null = Batch(kFields, R"([{"id":1},{"name":"b"}])");
  const auto refused = LoadFiles(Table("t", LoadMode::kUpsert, first, {"id"}),
                                 {WriteParquet("null.parquet", null)}, "L3");
  EXPECT_EQ(GetErrorInfo(refused.status()).code, "load.null_key");
}

TEST_F(FilesTest, AnotherTypeOrABrokenFileChangesNothing) {
  const auto batch = Batch(kFields, R"([{"id":1}])");
  const auto other =
      Batch({field("id", arrow::float64()), kFields[1], kFields[2], kFields[3]},
            R"([{"id":1.5}])");
  const TableSpec table = Table("t", LoadMode::kAppend, batch);
  const auto typed = LoadFiles(table, {WriteParquet("other.parquet", other)}, "L1");
  EXPECT_EQ(GetErrorInfo(typed.status()).code, "duckdb.parquet_type") << typed.status();
  const std::string path = WriteParquet("cut.parquet", batch);
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 10);
  EXPECT_FALSE(LoadFiles(table, {path}, "L2").ok());
  EXPECT_FALSE(std::filesystem::exists(path_));
}

}  // namespace
}  // namespace dxt::duckdb
