#include "client/dxtctl/output.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "client/dxtctl/invocation.h"
#include "client/dxtctl/terminal.h"

namespace dxt::ctl {
namespace {

using Json = nlohmann::ordered_json;

std::string Printed(const Json& rows, const std::string& format) {
  Invocation invocation;
  invocation.options.output = format;
  EXPECT_TRUE(invocation.TakeJsonPath().ok());
  const Listing listing{"streams",
                        "id",
                        {{"STREAM", "id"},
                         {"ROWS", "rows", false, true},
                         {"KIND", "kind", true},
                         {"TAGS", "tags"}}};
  testing::internal::CaptureStdout();
  PrintListing(listing, rows, invocation);
  std::fflush(stdout);
  return testing::internal::GetCapturedStdout();
}

const Json kRows = Json::parse(R"([
  {"id": "a", "rows": 5, "kind": "table", "tags": ["x", "y"]},
  {"id": "long one", "rows": 1234, "kind": null, "tags": []}])");

TEST(Listing, TableIsAlignedAndLeavesWideColumnsOut) {
  EXPECT_EQ(Printed(kRows, "table"),
            "STREAM    ROWS  TAGS\n"
            "a            5  x,y\n"
            "long one  1234  -\n");
}

TEST(Listing, WideHasEveryColumn) {
  EXPECT_EQ(Printed(kRows, "wide"),
            "STREAM    ROWS  KIND   TAGS\n"
            "a            5  table  x,y\n"
            "long one  1234  -      -\n");
}

TEST(Listing, JsonIsOneObjectAndJsonlOneLineARow) {
  EXPECT_EQ(Json::parse(Printed(kRows, "json")), Json({{"streams", kRows}}));
  EXPECT_EQ(Printed(kRows, "jsonl"), kRows[0].dump() + "\n" + kRows[1].dump() + "\n");
}

TEST(Listing, APathPicksOutOfTheObject) {
  EXPECT_EQ(Printed(kRows, "jsonpath={.streams[*].id}"), "a long one\n");
}

TEST(PrintJson, APathPicksOutOfTextTooAndRefusesABadTemplate) {
  Invocation invocation;
  invocation.options.output = "jsonpath={.name}";
  ASSERT_TRUE(invocation.TakeJsonPath().ok());
  testing::internal::CaptureStdout();
  PrintJsonText(invocation, R"({"name":"one"})");
  PrintJson(invocation, {{"name", "two"}});
  std::fflush(stdout);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "one\ntwo\n");
  Invocation bad;
  bad.options.output = "jsonpath={.name";
  EXPECT_FALSE(bad.TakeJsonPath().ok());
}

TEST(Listing, NamesAreOneALine) { EXPECT_EQ(Printed(kRows, "name"), "a\nlong one\n"); }

TEST(Listing, OfNothing) {
  const Json none = Json::array();
  EXPECT_EQ(Printed(none, "table"), "STREAM  ROWS  TAGS\n");
  EXPECT_EQ(Printed(none, "json"), "{\"streams\":[]}\n");
  EXPECT_EQ(Printed(none, "yaml"), "streams: []\n");
  EXPECT_EQ(Printed(none, "name"), "");
}

TEST(Listing, ControlCharactersDoNotReachTheTerminal) {
  const Json rows = Json::array({{{"id", "a\x1b[2Jb\nc"}}});
  for (const std::string format : {"table", "name"}) {
    const std::string text = Printed(rows, format);
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
    EXPECT_EQ(text.find("\nc"), std::string::npos);
  }
}

TEST(Yaml, QuotesWhatWouldBeReadAsSomethingElse) {
  EXPECT_EQ(ToYaml(Json::parse(R"({"a": "text", "b": "no", "c": "12", "d": "x: y",
                                   "e": "", "f": null, "g": 7, "h": "a #b", "i": " a",
                                   "y": 1})")),
            "a: text\nb: \"no\"\nc: \"12\"\nd: \"x: y\"\ne: \"\"\nf: null\ng: 7\n"
            "h: \"a #b\"\ni: \" a\"\n\"y\": 1\n");
}

TEST(Yaml, ListsOfMapsAreBlocks) {
  EXPECT_EQ(ToYaml(Json::parse(R"({"l": [{"a": 1, "b": [2, 3]}, {"a": {}}]})")),
            "l:\n  - a: 1\n    b:\n      - 2\n      - 3\n  - a: {}\n");
}

TEST(Json, InvalidUtf8IsReplaced) {
  EXPECT_EQ(ToJson(Json("a\xff"
                        "b")),
            "\"a\xef\xbf\xbd"
            "b\"");
}

TEST(Short, CountsAndBytes) {
  EXPECT_EQ(ShortCount(312), "312");
  EXPECT_EQ(ShortCount(80500), "80.5k");
  EXPECT_EQ(ShortCount(1200000), "1.2M");
  EXPECT_EQ(ShortBytes(812), "812 B");
  EXPECT_EQ(ShortBytes(4400000), "4.4 MB");
}

TEST(Terminal, WidthCountsColumnsNotBytes) {
  EXPECT_EQ(DisplayWidth("abc"), 3);
  EXPECT_EQ(DisplayWidth("äö"), 2);
  EXPECT_EQ(DisplayWidth("日本"), 4);
  EXPECT_EQ(DisplayWidth("e\xcc\x81"), 1);
}

TEST(Terminal, ShortenCutsAtColumns) {
  EXPECT_EQ(Shorten("abcdef", 6), "abcdef");
  EXPECT_EQ(Shorten("abcdef", 4), "abc…");
  EXPECT_EQ(Shorten("日本語", 4), "日…");
}

TEST(Terminal, PrintableShowsControlCharacters) {
  EXPECT_EQ(Printable("plain ü"), "plain ü");
  for (const std::string& text : {std::string("a\0b", 3), std::string("a\x1b[0mb"),
                                  std::string("a\rb"), std::string("a\x7f")}) {
    for (const char c : Printable(text)) EXPECT_GE(static_cast<unsigned char>(c), 0x20);
  }
}

}  // namespace
}  // namespace dxt::ctl
