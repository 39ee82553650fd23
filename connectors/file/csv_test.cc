#include <arrow/api.h>

#include "base/error.h"
#include "connectors/file/file_fixture.h"

namespace dxt::file {
namespace {

using Lines = std::vector<std::string>;

class CsvTest : public FileTest {
 protected:
  /// Reads `text` as a file of its own.
  Rows ReadCsv(std::string_view text, ConfigValue options = Map({})) const {
    WriteText("t.csv", text);
    return Read("t.csv", std::move(options));
  }
  void ExpectError(const Rows& rows, std::string_view code, std::string_view part) const {
    ASSERT_FALSE(rows.status.ok());
    EXPECT_EQ(GetErrorInfo(rows.status).code, code) << rows.status.ToString();
    EXPECT_EQ(GetErrorInfo(rows.status).error_class, ErrorClass::kData);
    EXPECT_NE(rows.status.message().find(part), std::string::npos)
        << rows.status.message();
  }
};

TEST_F(CsvTest, OnlyTheUnquotedEmptyFieldIsNull) {
  const Rows rows = ReadCsv("a,b\n,\"\"\nx,y\n");
  ASSERT_TRUE(rows.status.ok()) << rows.status.ToString();
  EXPECT_EQ(rows.lines, (Lines{"∅|", "x|y"}));
}

TEST_F(CsvTest, NullValuesAreAddedAndOnlyUnquoted) {
  const Rows rows = ReadCsv("a,b\nNA,\"NA\"\n,x\n", Map({{"null_values", List({"NA"})}}));
  ASSERT_TRUE(rows.status.ok()) << rows.status.ToString();
  EXPECT_EQ(rows.lines, (Lines{"∅|NA", "∅|x"}));
}

TEST_F(CsvTest, InfersTheSixTypesAndLeavesDoubtfulTextsAlone) {
  const Rows rows = ReadCsv(
      "i,f,b,d,t,tz,s,zero,long,exp,hex,mixed,none,digits\n"
      "1,1.5,true,2024-02-29,2024-01-02 "
      "03:04:05,2024-01-02T03:04:05Z,x,007,1234567890123456789,"
      "1e5,0x10,1,,0.12345678901234567890\n"
      "-2,2,false,2023-12-31,2024-01-02T03:04:05.123456,2024-01-02T03:04:05+02:00,y,8,1,"
      "2,3,2.5,,1.5\n");
  ASSERT_TRUE(rows.status.ok()) << rows.status.ToString();
  EXPECT_EQ(
      rows.types(),
      "i int64, f float64, b bool, d date, t timestamp, tz timestamp_tz, s string, "
      "zero string, long string, exp string, hex string, mixed float64, none string, "
      "digits string");
}

TEST_F(CsvTest, DatesThatAreNoneAreText) {
  EXPECT_EQ(ReadCsv("d\n2023-02-29\n").types(), "d string");
  EXPECT_EQ(ReadCsv("d\n2023-13-01\n").types(), "d string");
  EXPECT_EQ(ReadCsv("d\n0000-01-01\n").types(), "d string");
  EXPECT_EQ(ReadCsv("d\n2024-01-01 24:00:00\n").types(), "d string");
}

TEST_F(CsvTest, FloatsKeepTheirDigitsOrStayText) {
  EXPECT_EQ(ReadCsv("f\n0.30000000000000004\n").types(), "f float64");
  EXPECT_EQ(ReadCsv("f\n0.30000000000000001\n").types(), "f string");
  EXPECT_EQ(ReadCsv("f\n9007199254740993\n1.5\n").types(), "f string");
}

TEST_F(CsvTest, EmptyStringsMakeAColumnText) {
  const Rows rows = ReadCsv("a\n1\n\"\"\n");
  EXPECT_EQ(rows.types(), "a string");
  EXPECT_EQ(rows.lines, (Lines{"1", ""}));
}

TEST_F(CsvTest, QuotesHoldDelimitersQuotesAndLines) {
  const Rows rows = ReadCsv("a,b\r\n\"x,\"\"y\"\"\r\nz\",\"1\"\r\n5\" pipe,2\r\n");
  ASSERT_TRUE(rows.status.ok()) << rows.status.ToString();
  EXPECT_EQ(rows.lines, (Lines{"x,\"y\"\r\nz|1", "5\" pipe|2"}));
}

TEST_F(CsvTest, TheLastLineNeedsNoEnd) {
  EXPECT_EQ(ReadCsv("a,b\n1,2").lines, Lines{"1|2"});
  EXPECT_EQ(ReadCsv("a,b\n1,").lines, Lines{"1|∅"});
  EXPECT_EQ(ReadCsv("a,b\n1,\"x\"").lines, Lines{"1|x"});
  EXPECT_EQ(ReadCsv("a,b").lines, Lines{});
}

TEST_F(CsvTest, BlankLinesAreSkippedBetweenWiderRowsAndAreNullInOneColumn) {
  EXPECT_EQ(ReadCsv("a,b\n\n1,2\n\n").lines, Lines{"1|2"});
  EXPECT_EQ(ReadCsv("a\n\nx\n").lines, (Lines{"∅", "x"}));
}

TEST_F(CsvTest, RowsOfAnotherWidthAreRefusedWithTheirLine) {
  ExpectError(ReadCsv("a,b\n\"1\n1\",2\n1,2,3\n"), "file.row_width",
              "t.csv:4: the row has 3 cells, but the header has 2");
  ExpectError(ReadCsv("a,b\n1\n"), "file.row_width", "t.csv:2: the row has 1 cell");
}

TEST_F(CsvTest, BrokenQuotesAreRefused) {
  ExpectError(ReadCsv("a\n\"x\"y\n"), "file.csv_quote", "t.csv:2");
  ExpectError(ReadCsv("a\nx\n\"y\nz\n"), "file.csv_quote", "t.csv:3");
  ExpectError(ReadCsv("a\rb\r"), "file.bare_cr", "t.csv:1");
}

TEST_F(CsvTest, HeadersMustNameColumnsOnce) {
  ExpectError(ReadCsv("a,a\n1,2\n"), "file.duplicate_column", "'a' twice");
  ExpectError(ReadCsv("a,\n1,2\n"), "file.empty_column_name", "column 2");
}

TEST_F(CsvTest, HeaderCanBeAbsent) {
  const Rows rows = ReadCsv("1,x\n2,y\n", Map({{"header", Scalar("false")}}));
  EXPECT_EQ(rows.types(), "column1 int64, column2 string");
  EXPECT_EQ(rows.lines, (Lines{"1|x", "2|y"}));
}

TEST_F(CsvTest, DelimiterAndQuoteCanBeSet) {
  EXPECT_EQ(
      ReadCsv("a;b\n'x;y';2\n", Map({{"delimiter", Scalar(";")}, {"quote", Scalar("'")}}))
          .lines,
      Lines{"x;y|2"});
  EXPECT_EQ(ReadCsv("a,b\n\"x,y\"\n", Map({{"quote", Scalar("none")}})).lines,
            Lines{"\"x|y\""});
}

TEST_F(CsvTest, ALaterValueOfAnotherTypeNamesLineAndColumn) {
  std::string text = "id,qty\n";
  for (int i = 0; i < 2'000'000; ++i) text += std::to_string(i) + ",1234\n";
  const size_t rows_before = 2'000'000;
  ASSERT_GT(text.size(), size_t{17} << 20);
  text += "7,many\n";
  const Rows rows = ReadCsv(text);
  ExpectError(rows, "file.inferred_type", "t.csv:" + std::to_string(rows_before + 2));
  EXPECT_EQ(GetErrorInfo(rows.status).column, "qty");
  EXPECT_NE(rows.status.message().find("'many'"), std::string::npos);
  // The engine asks again with the column as text.
  const Rows again = Read("t.csv", Map({{"string_columns", List({"qty"})}}));
  ASSERT_TRUE(again.status.ok()) << again.status.ToString();
  EXPECT_EQ(again.types(), "id int64, qty string");
  EXPECT_EQ(again.lines.back(), "7|many");
  EXPECT_EQ(again.lines.size(), rows_before + 1);
}

TEST_F(CsvTest, DeclaredTypesAreReadStrictly) {
  const auto options = Map({{"columns", Map({{"a", Scalar("decimal(5,2)")}})}});
  const Rows rows = ReadCsv("a\n1.5\n-007.25\n2e2\n", options);
  ASSERT_TRUE(rows.status.ok()) << rows.status.ToString();
  EXPECT_EQ(rows.lines, (Lines{"1.50", "-7.25", "200.00"}));
  ExpectError(ReadCsv("a\n1.255\n", options), "file.value", "t.csv:2");
  ExpectError(ReadCsv("a\n1000\n", options), "file.value", "t.csv:2");
}

TEST_F(CsvTest, ByteOrderMarkIsDropped) {
  const Rows rows = ReadCsv(
      "\xef\xbb\xbf"
      "a\n1\n");
  EXPECT_EQ(rows.types(), "a int64");
}

TEST_F(CsvTest, Utf16NeedsItsMarkAndLatin1NeedsToBeSaid) {
  const auto utf16 = Map({{"encoding", Scalar("utf16")}});
  std::string little = "\xff\xfe", big = "\xfe\xff";
  for (const char16_t c : std::u16string(u"a\né€😀\n")) {
    little += static_cast<char>(c & 0xff);
    little += static_cast<char>(c >> 8);
    big += static_cast<char>(c >> 8);
    big += static_cast<char>(c & 0xff);
  }
  EXPECT_EQ(ReadCsv(little, utf16).lines, Lines{"é€😀"});
  EXPECT_EQ(ReadCsv(big, utf16).lines, Lines{"é€😀"});
  ExpectError(ReadCsv("a\nb\n", utf16), "file.no_bom", "byte order mark");
  const Rows plain = ReadCsv(little);
  EXPECT_EQ(GetErrorInfo(plain.status).code, "file.invalid_utf8");
  EXPECT_NE(GetErrorInfo(plain.status).hint.find("utf16"), std::string::npos);
  EXPECT_EQ(ReadCsv("a\n\xe9\n", Map({{"encoding", Scalar("latin1")}})).lines,
            Lines{"é"});
}

TEST_F(CsvTest, InvalidUtf8IsRefusedWithItsLine) {
  ExpectError(ReadCsv("a\nx\n\xc3(\n"), "file.invalid_utf8", "t.csv:3");
}

TEST_F(CsvTest, TruncatedCompressionIsCorrupt) {
  const Sample sample = Numbered(1, 20000);
  Load load;
  load.target = "z.csv.gz";
  load.schema = sample.schema;
  load.batches = {sample.batch};
  ASSERT_TRUE(Run(load).ok());
  const std::string bytes = ReadText("z.csv.gz");
  WriteText("cut.csv.gz", bytes.substr(0, bytes.size() / 2));
  ExpectError(Read("cut.csv.gz"), "file.corrupt", "cut.csv.gz");
}

TEST_F(CsvTest, SeveralFilesFormOneStreamByName) {
  WriteText("in/b.csv", "id,x\n3,c\n");
  WriteText("in/a.csv", "id,x\n1,a\n2,b\n");
  WriteText("in/.hidden.csv", "nothing\n");
  WriteText("in/_dxt/c.csv", "nothing\n");
  WriteText("in/deep/d.csv", "id,x\n4,d\n");
  WriteText("in/note.txt", "nothing");
  EXPECT_EQ(Read("in/*.csv").lines, (Lines{"1|a", "2|b", "3|c"}));
  EXPECT_EQ(Read("in").lines, (Lines{"1|a", "2|b", "3|c"}));
  EXPECT_EQ(Read("in/**/*.csv").lines, (Lines{"1|a", "2|b", "3|c", "4|d"}));
  EXPECT_EQ(Read("in/[ab].csv").lines.size(), 3u);
}

TEST_F(CsvTest, FilesOfOneStreamMustHaveOneShape) {
  WriteText("a.csv", "id,x\n1,a\n");
  WriteText("b.csv", "id,y\n2,b\n");
  ExpectError(Read("*.csv"), "file.schema_differs", "b.csv");
  WriteText("c.jsonl", "{}\n");
  const Rows mixed = Read("");
  EXPECT_EQ(GetErrorInfo(mixed.status).code, "file.mixed_formats")
      << mixed.status.ToString();
}

TEST_F(CsvTest, EachFileOfAGlobIsDecompressedAsItsNameSays) {
  // Written by the connector itself: a folder of compressed parts.
  Load load;
  const Sample sample = Numbered(1, 2);
  load.target = "z/";
  load.schema = sample.schema;
  load.batches = {sample.batch};
  load.options = Map({{"format", Scalar("csv")}, {"compression", Scalar("gzip")}});
  ASSERT_TRUE(Run(load).ok());
  std::filesystem::rename(Path("z/part-00000001.csv.gz"), Path("p1.csv.gz"));
  WriteText("p2.csv", "id,name\n7,plain\n");
  const Rows rows = Read("p*.csv*");
  ASSERT_TRUE(rows.status.ok()) << rows.status.ToString();
  ASSERT_EQ(rows.lines.size(), 3u);
  EXPECT_EQ(rows.lines[2], "7|plain");
  // The other way round, the plain one first.
  std::filesystem::rename(Path("p1.csv.gz"), Path("p3.csv.gz"));
  EXPECT_EQ(Read("p*.csv*").lines.size(), 3u);
  // An option speaks for what a name leaves open.
  std::filesystem::rename(Path("p3.csv.gz"), Path("q.csv"));
  EXPECT_EQ(Read("q.csv", Map({{"compression", Scalar("gzip")}})).lines.size(), 2u);
}

TEST_F(CsvTest, AFileWithoutRowsHasItsHeadersColumns) {
  const Rows header = ReadCsv("id,name\n");
  ASSERT_TRUE(header.status.ok()) << header.status.ToString();
  EXPECT_EQ(header.lines, Lines{});
  EXPECT_EQ(header.types(), "id string, name string");
  // Without a byte nothing is known but what the stream wants, and there is no row of it.
  WriteText("none.csv", "");
  const auto source = OpenSource();
  const auto info = source->Describe({StreamKind::kFile, "none.csv", Map({})}, {});
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_TRUE(info->columns.fields.empty());
  ColumnRead id;
  id.name = id.column = "id";
  id.type = {DType::kInt64};
  const Rows none = Read("none.csv", Map({}), {id});
  ASSERT_TRUE(none.status.ok()) << none.status.ToString();
  EXPECT_EQ(none.lines, Lines{});
  // Among others such files add nothing, wherever they stand.
  WriteText("g1.csv", "");
  WriteText("g2.csv", "id,name\n1,a\n");
  WriteText("g3.csv", "id,name\n");
  WriteText("g4.csv", "");
  const Rows glob = Read("g*.csv");
  ASSERT_TRUE(glob.status.ok()) << glob.status.ToString();
  EXPECT_EQ(glob.lines, Lines{"1|a"});
  EXPECT_EQ(glob.types(), "id int64, name string");
}

TEST_F(CsvTest, OneColumnThatHoldsAnotherDelimiterIsTold) {
  const auto notes = [&](const std::string& text, ConfigValue options = Map({})) {
    WriteText("t.csv", text);
    const auto source = OpenSource();
    const auto info =
        source->Describe({StreamKind::kFile, "t.csv", std::move(options)}, {});
    EXPECT_TRUE(info.ok()) << info.status();
    std::string all;
    for (const auto& note : info->notes) all += note.code + ": " + note.message;
    return all;
  };
  for (const auto& [name, shown] :
       {std::pair("id;v", ";"), std::pair("id\tv", "\\t"), std::pair("id|v", "|")}) {
    const std::string note = notes(std::string(name) + "\n1\n");
    EXPECT_NE(note.find("file.one_column"), std::string::npos) << name;
    EXPECT_NE(note.find("delimiter: \"" + std::string(shown) + "\""), std::string::npos)
        << note;
  }
  EXPECT_EQ(notes("id\n1;2\n"), "");
  EXPECT_EQ(notes("id;v,w\n1,2\n"), "");
  EXPECT_EQ(notes("id;v\n1;2\n", Map({{"delimiter", Scalar(";")}})), "");
}

TEST_F(CsvTest, EveryRefusalOfAFileNamesANextStep) {
  for (const std::string text :
       {"a\n\"open", "a\n\"x\"y\n", "a,a\n1,2\n", "a,\n1,2\n", "a,b\n1\n", "a\rb\n"}) {
    const Rows rows = ReadCsv(text);
    ASSERT_FALSE(rows.status.ok()) << text;
    EXPECT_NE(GetErrorInfo(rows.status).hint, "") << rows.status.ToString();
  }
  for (const std::string text : {"{\"a\":1", "[1]", "{\"a\":1,\"a\":2}", "{a:1}"}) {
    WriteText("t.jsonl", text);
    const Rows rows = Read("t.jsonl");
    ASSERT_FALSE(rows.status.ok()) << text;
    EXPECT_NE(GetErrorInfo(rows.status).hint, "") << rows.status.ToString();
  }
}

TEST_F(CsvTest, MissingFilesAreNamedAndNeverMade) {
  WriteText("orders.csv", "a\n1\n");
  const Rows rows = Read("order.csv");
  EXPECT_EQ(GetErrorInfo(rows.status).code, "file.missing");
  EXPECT_EQ(GetErrorInfo(rows.status).error_class, ErrorClass::kConfig);
  EXPECT_NE(rows.status.message().find(Path("order.csv").string()), std::string::npos);
  EXPECT_NE(rows.status.message().find("did you mean 'orders.csv'"), std::string::npos);
  EXPECT_EQ(GetErrorInfo(Read("no/*.csv").status).code, "file.missing");
  EXPECT_EQ(Names(), Lines{"orders.csv"});
}

TEST_F(CsvTest, PathsStayInsideTheFolder) {
  for (const std::string path :
       {"../x.csv", "/etc/passwd", "a/../../x.csv", "file:///etc/passwd"}) {
    EXPECT_EQ(GetErrorInfo(Read(path).status).code, "file.outside") << path;
  }
  WriteText("in/a.csv", "a\n1\n");
  EXPECT_TRUE(Read("in/../in/./a.csv").status.ok());
  EXPECT_TRUE(Read(Path("in/a.csv").string()).status.ok());
}

TEST_F(CsvTest, LineageColumnsNameFileAndRow) {
  WriteText("a.csv", "x\n5\n6\n");
  WriteText("b.csv", "x\n7\n");
  const Rows rows = Read("*.csv", Map({{"lineage", Scalar("true")}}));
  ASSERT_TRUE(rows.status.ok()) << rows.status.ToString();
  const std::string a = Path("a.csv").string(), b = Path("b.csv").string();
  EXPECT_EQ(rows.lines, (Lines{"5|" + a + "|1", "6|" + a + "|2", "7|" + b + "|1"}));
}

TEST_F(CsvTest, OptionsThatDoNotExistAreRefused) {
  const Rows rows = ReadCsv("a\n", Map({{"delimeter", Scalar(";")}}));
  EXPECT_EQ(GetErrorInfo(rows.status).code, "file.unknown_option");
  EXPECT_NE(rows.status.message().find("did you mean 'delimiter'"), std::string::npos);
}

TEST_F(CsvTest, EveryPositionIsAResumePoint) {
  std::string text = "id\n";
  for (int i = 0; i < 1000; ++i) text += std::to_string(i) + "\n";
  WriteText("r.csv", text);
  auto source = OpenSource();
  ReadSpec spec;
  spec.ref = {StreamKind::kFile, "r.csv", {}};
  ColumnRead column;
  column.name = column.column = "id";
  column.type = {DType::kInt64};
  spec.columns = {column};
  spec.batch_rows = 300;
  const auto plan = *source->PlanRead(spec, 4, {});
  ASSERT_EQ(plan.splits.size(), 1u);
  auto reader = *source->OpenReader(spec, plan.splits[0], std::nullopt, {});
  const auto first = *reader->Next({});
  ASSERT_TRUE(first.position);
  auto rest = *source->OpenReader(spec, plan.splits[0], first.position, {});
  const auto next = *rest->Next({});
  EXPECT_EQ(static_cast<const arrow::Int64Array&>(*next.batch->column(0)).Value(0),
            first.batch->num_rows());
}

TEST_F(CsvTest, RowsLongerThanTheWindowAreReadWhole) {
  const std::string big(3 << 20, 'x');
  const Rows rows = ReadCsv("a,b\n1,\"" + big + "\"\n2,y\n");
  ASSERT_TRUE(rows.status.ok()) << rows.status.ToString();
  ASSERT_EQ(rows.lines.size(), 2u);
  EXPECT_EQ(rows.lines[0].size(), big.size() + 2);
}

TEST_F(CsvTest, DiscoverListsFilesWithTheirColumns) {
  WriteText("orders.csv", "id,total\n1,2.5\n");
  WriteText("events/part-1.jsonl", "{\"a\":1}\n");
  WriteText("notes.txt", "x");
  const auto streams = *OpenSource()->Discover("", {});
  ASSERT_EQ(streams.size(), 2u);
  EXPECT_EQ(streams[0].reference, "events");
  EXPECT_EQ(streams[1].reference, "orders.csv");
  EXPECT_EQ(streams[1].name, "orders");
  EXPECT_EQ(streams[1].columns.fields.size(), 2u);
}

TEST_F(CsvTest, AConnectionCanNameOneFile) {
  WriteText("one.csv", "a\n1\n");
  settings_ = Map({{"url", Scalar(Path("one.csv").string())}});
  EXPECT_EQ(Read("").lines, Lines{"1"});
  EXPECT_EQ(Read("one").lines, Lines{"1"});
  EXPECT_EQ(GetErrorInfo(Read("two.csv").status).code, "file.outside");
}

TEST_F(CsvTest, ParseUrlKnowsPathsAndBuckets) {
  const auto local = *connector_->ParseUrl("file:///tmp/a%20b/x.csv");
  EXPECT_EQ(local.Get("url")->scalar, "/tmp/a b/x.csv");
  const auto s3 =
      *connector_->ParseUrl("s3://bucket/key?endpoint=http%3A%2F%2Flocalhost%3A9");
  EXPECT_EQ(s3.Get("url")->scalar, "s3://bucket/key");
  EXPECT_EQ(s3.Get("endpoint")->scalar, "http://localhost:9");
  EXPECT_FALSE(connector_->ParseUrl("s3://bucket/key?nonsense=1").ok());
  EXPECT_EQ(connector_->info().url_schemes.size(), 2u);
  settings_ = Map({{"url", Scalar("gs://bucket/x")}});
  const auto gs = connector_->OpenSource(Config(), context_, {});
  EXPECT_EQ(GetErrorInfo(gs.status()).code, "file.unknown_scheme");
}

}  // namespace
}  // namespace dxt::file
