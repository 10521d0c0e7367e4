// Rows of TSV and CSV: cells, quotes, line ends, and what a malformed row costs.
#include "io/files/table.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>

#include "core/error.h"

namespace lynceus::io {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class TableTest : public testing::Test {
 protected:
  static std::filesystem::path write(const std::string& name, const std::string& bytes) {
    const auto path = std::filesystem::path(testing::TempDir()) / name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  /// The message of the InputError that `read` throws.
  static std::string input_error(const std::function<void()>& read) {
    try {
      read();
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  }
  /// Each row as text, or the message of the refused one.
  std::vector<std::string> all(const std::string& text, TableFormat format,
                               bool has_header = false) const {
    TableRows rows(write("x.txt", text), format, has_header);
    std::vector<std::string> found;
    for (bool more = true; more;) {
      try {
        const auto row = rows.next();
        more = row.has_value();
        if (more) found.push_back(fmt::format("{} {}", rows.line_number(), row->dump()));
      } catch (const InputError& error) {
        const std::string message = error.what();
        found.push_back(message.substr(message.find("x.txt:")));
      }
    }
    return found;
  }
};

TEST_F(TableTest, Tsv) {
  EXPECT_THAT(
      all("caption\turl \"x\"\r\na \"dog\"\\\t1\r\n\n only one\nb\x01\t\n", TableFormat::kTsv,
          true),
      ElementsAre(R"(2 {"caption":"a \"dog\"\\","url \"x\"":"1"})",
                  AllOf(HasSubstr("x.txt:4"), HasSubstr("expected 2 cells"), HasSubstr("found 1")),
                  R"(5 {"caption":"b\u0001","url \"x\"":""})"));
  EXPECT_THAT(all("a\tb\n\xff\t\nc", TableFormat::kTsv),
              ElementsAre(R"(1 {"1":"a","2":"b"})", HasSubstr("x.txt:2"), R"(3 {"1":"c"})"));
}

TEST_F(TableTest, NamesOfColumnsDiffer) {
  EXPECT_THAT(
      input_error([&] { all("image\tcaption\tcaption\na\tb\tc\n", TableFormat::kTsv, true); }),
      HasSubstr("x.txt:1: expected columns of different names, found 'caption' twice"));
  EXPECT_THAT(input_error([&] { all("\"a\",b,a\n1,2,3\n", TableFormat::kCsv, true); }),
              HasSubstr("found 'a' twice"));
  EXPECT_EQ(all("a,,\n1,,\n", TableFormat::kCsv, true).size(), 1u) << "columns of a spreadsheet";
}

TEST_F(TableTest, CsvAsInRfc4180) {
  EXPECT_THAT(
      all("a,\"b \"\"c\"\", d\",\"\"\r\n\r\n\"one\r\ntwo\n\nthree\",,x\r\n5\" disk,'y', \"z\"",
          TableFormat::kCsv),
      ElementsAre(R"(1 {"1":"a","2":"b \"c\", d","3":""})",
                  R"(6 {"1":"one\r\ntwo\n\nthree","2":"","3":"x"})",
                  R"(7 {"1":"5\" disk","2":"'y'","3":" \"z\""})"));
  TableRows named(write("x.csv", "\"path, of\nthe image\",caption\r\na.jpg,x\r\n"),
                  TableFormat::kCsv, true);
  EXPECT_THAT(named.names(), ElementsAre("path, of\nthe image", "caption"));
  EXPECT_EQ(named.next()->at("caption").string(), "x");
}

TEST_F(TableTest, AMalformedRowCostsItsFirstLine) {
  const auto found =
      all("a,b\n1,\"open\n2,fine\n3,\"closed\"\n4,\"x\"y\n5,z,\n6,\"several\nlines\"\n7,\"never\n8,"
          "end\n",
          TableFormat::kCsv, true);
  EXPECT_THAT(found, ElementsAre(HasSubstr("x.txt:2: expected a comma or the line end"),
                                 R"(3 {"a":"2","b":"fine"})", R"(4 {"a":"3","b":"closed"})",
                                 HasSubstr("x.txt:5: expected a comma"),
                                 HasSubstr("x.txt:6: expected 2 cells"),
                                 R"(8 {"a":"6","b":"several\nlines"})",
                                 HasSubstr("x.txt:9: expected the end of a quoted cell"),
                                 R"(10 {"a":"8","b":"end"})"));
  // The lines of a malformed row are read again, and quotes inside their cells are faults.
  EXPECT_THAT(all("1,\"x\ny\",2\nz,3\n", TableFormat::kCsv, false),
              ElementsAre(R"(2 {"1":"1","2":"x\ny","3":"2"})", R"(3 {"1":"z","2":"3"})"));
  EXPECT_THAT(all("a,b\n1,\"x\ny\",2\nz,3\n", TableFormat::kCsv, true),
              ElementsAre(HasSubstr("x.txt:2: expected 2 cells as in the first line, found 3"),
                          HasSubstr("x.txt:3: expected a comma"), R"(4 {"a":"z","b":"3"})"));
  const auto big = all("1,\"" + std::string(1 << 20, 'x') + "\n2\n3\n", TableFormat::kCsv);
  ASSERT_EQ(big.size(), 3u);
  EXPECT_THAT(big[1], HasSubstr("2 {"));
}

}  // namespace
}  // namespace lynceus::io
