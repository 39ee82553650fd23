#include <csignal>
#include <fstream>
#include <sys/resource.h>

#include <arrow/api.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "connectors/file/file_fixture.h"

namespace dxt::file {
namespace {

class DestinationTest : public FileTest {
 protected:
  Load NumberedLoad(const std::string& target, int64_t first, int64_t rows,
                    LoadMode mode = LoadMode::kAppend) const {
    const Sample sample = Numbered(first, rows);
    Load load;
    load.target = target;
    load.schema = sample.schema;
    load.batches = {sample.batch};
    load.mode = mode;
    return load;
  }

  void ExpectIds(const std::string& target, const std::vector<int64_t>& wanted) const {
    const Rows rows = Read(target);
    ASSERT_TRUE(rows.status.ok()) << rows.status.ToString();
    std::vector<std::string> lines;
    for (const int64_t id : wanted) {
      lines.push_back(std::to_string(id) + "|n" + std::to_string(id));
    }
    EXPECT_EQ(rows.lines, lines);
  }
};

/// "csv.gz" as options of a stream.
struct NameFormatOption {
  std::string extension;
  ConfigValue options() const {
    const size_t dot = extension.find('.');
    auto map = Map({{"format", Scalar(extension.substr(0, dot))}});
    if (dot != std::string::npos) {
      map.map.emplace_back("compression",
                           Scalar(extension.substr(dot + 1) == "gz" ? "gzip" : "zstd"));
    }
    return map;
  }
};

class EveryFormat : public DestinationTest, public ::testing::WithParamInterface<std::string> {};

INSTANTIATE_TEST_SUITE_P(Formats, EveryFormat,
                         ::testing::Values("csv", "tsv", "json", "jsonl", "parquet", "csv.gz",
                                           "csv.zst", "jsonl.gz", "json.zst"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

TEST_P(EveryFormat, AppendsTwiceToOneFile) {
  const std::string target = "out." + GetParam();
  ASSERT_TRUE(Run(NumberedLoad(target, 1, 2)).ok());
  ExpectIds(target, {1, 2});
  const auto second = Run(NumberedLoad(target, 3, 2));
  ASSERT_TRUE(second.ok()) << second.status().ToString();
  EXPECT_EQ(second->rows_written, 2);
  ExpectIds(target, {1, 2, 3, 4});
  EXPECT_EQ(Names(), (std::vector<std::string>{"_dxt", target}));
}

TEST_P(EveryFormat, ReplacesOneFile) {
  const std::string target = "out." + GetParam();
  ASSERT_TRUE(Run(NumberedLoad(target, 1, 3)).ok());
  const auto replaced = Run(NumberedLoad(target, 8, 1, LoadMode::kReplace));
  ASSERT_TRUE(replaced.ok()) << replaced.status().ToString();
  EXPECT_EQ(replaced->rows_deleted, 3);
  ExpectIds(target, {8});
}

TEST_P(EveryFormat, WritesEveryTypeSoThatItReadsBackTheSame) {
  const Sample sample = EveryType();
  Load load;
  load.target = "all." + GetParam();
  load.schema = sample.schema;
  load.batches = {sample.batch};
  const auto done = Run(load);
  ASSERT_TRUE(done.ok()) << done.status().ToString();
  std::vector<ColumnRead> columns;
  for (const auto& field : sample.schema.fields) {
    ColumnRead column;
    column.name = column.column = field.name;
    column.type = field.type;
    columns.push_back(column);
  }
  std::vector<std::pair<std::string, ConfigValue>> declared;
  for (const auto& field : sample.schema.fields) {
    declared.emplace_back(field.name, Scalar(ToString(field.type)));
  }
  const Rows rows = Read(load.target, Map({{"columns", Map(declared)}}), columns);
  ASSERT_TRUE(rows.status.ok()) << rows.status.ToString();
  const auto wanted = *arrow::Table::FromRecordBatches({sample.batch});
  ASSERT_EQ(rows.table->num_rows(), 2);
  for (int i = 0; i < wanted->num_columns(); ++i) {
    EXPECT_TRUE(rows.table->column(i)->Equals(*wanted->column(i)))
        << wanted->field(i)->name() << ": " << rows.table->column(i)->ToString();
  }
}

TEST_P(EveryFormat, MakesAFileOfZeroRows) {
  Load load = NumberedLoad("none." + GetParam(), 1, 1);
  load.batches.clear();
  ASSERT_TRUE(Run(load).ok());
  ASSERT_TRUE(std::filesystem::exists(Path(load.target)));
  auto destination = OpenDestination();
  const auto table = *destination->Describe(load.target, {});
  EXPECT_TRUE(table.exists);
  EXPECT_TRUE(table.empty);
  ASSERT_TRUE(Run(NumberedLoad(load.target, 5, 1)).ok());
  ExpectIds(load.target, {5});
}

TEST_P(EveryFormat, AddsPartsToAFolderAndReplacesItWhole) {
  Load load = NumberedLoad("orders/", 1, 2);
  const NameFormatOption option{GetParam()};
  load.options = option.options();
  ASSERT_TRUE(Run(load).ok());
  Load second = NumberedLoad("orders", 3, 1);
  second.options = option.options();
  const auto done = Run(second);
  ASSERT_TRUE(done.ok()) << done.status().ToString();
  EXPECT_EQ(Names("orders"),
            (std::vector<std::string>{"_dxt", "part-00000001." + GetParam(),
                                      "part-00000002." + GetParam()}));
  ExpectIds("orders", {1, 2, 3});
  Load third = NumberedLoad("orders", 9, 1, LoadMode::kReplace);
  third.options = option.options();
  const auto replaced = Run(third);
  ASSERT_TRUE(replaced.ok()) << replaced.status().ToString();
  EXPECT_EQ(Names("orders"),
            (std::vector<std::string>{"_dxt", "part-00000003." + GetParam()}));
  EXPECT_EQ(Names(), std::vector<std::string>{"orders"});
  ExpectIds("orders", {9});
}

}  // namespace
}  // namespace dxt::file
