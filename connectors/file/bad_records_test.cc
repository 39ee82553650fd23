// Records of text files that are no rows: told with their line and text, and stepped
// over.
#include "base/error.h"
#include "connectors/file/file_fixture.h"

namespace dxt::file {
namespace {

using Lines = std::vector<std::string>;

class BadRecordsTest : public FileTest {
 protected:
  void SetUp() override {
    FileTest::SetUp();
    tells_bad_records_ = true;
  }
  Rows ReadAs(const std::string& name, std::string_view text) const {
    WriteText(name, text);
    return Read(name);
  }
};

TEST_F(BadRecordsTest, RowsOfAnotherWidthAreSteppedOver) {
  const Rows rows = ReadAs("t.csv", "a,b\n1,x\n2\n3,y,z\r\n\n4,w\n5,\"p\nq\",r");
  ASSERT_TRUE(rows.status.ok()) << rows.status.ToString();
  EXPECT_EQ(rows.lines, (Lines{"1|x", "4|w"}));
  EXPECT_EQ(rows.bad, (Lines{"3: 2", "4: 3,y,z", "7: 5,\"p\nq\",r"}));
  EXPECT_EQ(rows.types(), "a int64, b string");
}

TEST_F(BadRecordsTest, ABrokenQuoteTakesAllLinesUpToItsMistake) {
  const Rows rows = ReadAs("t.csv", "a,b\n1,\"x\n2,\"y\n3,z\n4,w\rv\n5,u\n");
  ASSERT_TRUE(rows.status.ok()) << rows.status.ToString();
  EXPECT_EQ(rows.lines, (Lines{"3|z", "5|u"}));
  EXPECT_EQ(rows.bad, (Lines{"2: 1,\"x\n2,\"y", "5: 4,w\rv"}));
}

TEST_F(BadRecordsTest, WhatHasNoEndFailsTheRead) {
  EXPECT_EQ(GetErrorInfo(ReadAs("t.csv", "a,b\n1,x\n2,\"y\n3,z\n").status).code,
            "file.csv_quote");
  EXPECT_EQ(GetErrorInfo(ReadAs("t.csv", "a,a\n1,x\n").status).code,
            "file.duplicate_column");
  EXPECT_EQ(GetErrorInfo(ReadAs("t.json", "[{\"a\": 1}, {\"a\": }]").status).code,
            "file.json_syntax");
}

TEST_F(BadRecordsTest, LinesThatAreNoObjectsAreSteppedOver) {
  const Rows rows = ReadAs("t.jsonl",
                           "{\"a\": 1}\nnothing\n{\"a\": 2, \"b\":\n{\"a\": 3}\n"
                           "{\"a\": 4} more\n[5]\n{\"a\": 6, \"a\": 7}\n\n{\"a\": 8}\n"
                           "{\"a\": 9");
  ASSERT_TRUE(rows.status.ok()) << rows.status.ToString();
  EXPECT_EQ(rows.lines, (Lines{"1", "3", "8"}));
  EXPECT_EQ(rows.bad, (Lines{"2: nothing", "3: {\"a\": 2, \"b\":", "5: {\"a\": 4} more",
                             "6: [5]", "7: {\"a\": 6, \"a\": 7}", "10: {\"a\": 9"}));
  EXPECT_EQ(rows.types(), "a int64") << "a bad line adds no column";
}

TEST_F(BadRecordsTest, ManyInARowAreNotTheEnd) {
  std::string csv = "a,b\n", jsonl;
  for (int i = 0; i < 1000; ++i) {
    csv += "1,2,3\n";
    jsonl += "bad\n";
  }
  const Rows rows = ReadAs("t.csv", csv + "7,x\n");
  EXPECT_EQ(rows.lines, Lines{"7|x"}) << rows.status.ToString();
  EXPECT_EQ(rows.bad.size(), 1000u);
  const Rows objects = ReadAs("t.jsonl", jsonl + "{\"a\": 7}\n");
  EXPECT_EQ(objects.lines, Lines{"7"}) << objects.status.ToString();
  EXPECT_EQ(objects.bad.size(), 1000u);
}

TEST_F(BadRecordsTest, OneLongerThanTheWindowIsTakenWhole) {
  const std::string big(3 << 20, 'x');
  const Rows rows = ReadAs("t.csv", "a,b\n1,2," + big + "\n7,x\n");
  EXPECT_EQ(rows.lines, Lines{"7|x"}) << rows.status.ToString();
  EXPECT_EQ(rows.bad, Lines{"2: 1,2," + big});
}

TEST_F(BadRecordsTest, WithoutTheWishTheyFailTheRead) {
  tells_bad_records_ = false;
  EXPECT_EQ(GetErrorInfo(ReadAs("t.csv", "a,b\n1\n").status).code, "file.row_width");
}

}  // namespace
}  // namespace dxt::file
