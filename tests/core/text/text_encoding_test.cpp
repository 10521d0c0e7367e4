// A byte order mark is no text, and UTF-16 is named.
#include "core/text/text_encoding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace lynceus {
namespace {

using namespace std::string_view_literals;

TEST(TextEncoding, AByteOrderMarkIsLeftOut) {
  EXPECT_EQ(utf8_text("\xEF\xBB\xBF{}", "x"), "{}");
  EXPECT_EQ(utf8_text("{}", "x"), "{}");
  EXPECT_EQ(utf8_text("", "x"), "");
  EXPECT_EQ(utf8_text("\xEF\xBB", "x"), "\xEF\xBB");
  EXPECT_EQ(byte_order_mark("\xEF\xBB\xBF"), 3u);
}

TEST(TextEncoding, BytesThatAreNotUtf8AreShown) {
  for (const std::string_view text :
       {""sv, "a\0b\x7F"sv, "\xC3\xA9"sv, "\xE2\x82\xAC"sv, "\xED\x9F\xBF"sv, "\xF0\x9F\xA6\x8A"sv,
        "\xF4\x8F\xBF\xBF"sv}) {
    EXPECT_TRUE(is_utf8(text)) << text;
    EXPECT_EQ(printable(text), text);
  }
  for (const std::string_view text :
       {"\xE9"sv, "\x80"sv, "\xC0\xAF"sv, "\xC3"sv, "\xE0\x9F\xBF"sv, "\xED\xA0\x80"sv,
        "\xF0\x8F\xBF\xBF"sv, "\xF4\x90\x80\x80"sv, "\xF5\x80\x80\x80"sv, "\xFF"sv}) {
    EXPECT_FALSE(is_utf8(text)) << printable(text);
    EXPECT_TRUE(is_utf8(printable(text)));
  }
  EXPECT_EQ(printable("caf\xE9/\xC3\xA9.jsonl"), "caf\\xE9/\xC3\xA9.jsonl");
}

TEST(TextEncoding, WideTextIsNamed) {
  for (const std::string_view text :
       {"\xFF\xFE{\0"sv, "\xFE\xFF\0{"sv, "[\0{\0"sv, "\0[\0{"sv, "\xFF\xFE"sv})
    EXPECT_STREQ(wide_encoding(text), "UTF-16");
  for (const std::string_view text : {"\xFF\xFE\0\0[\0\0\0"sv, "\0\0\xFE\xFF"sv, "[\0\0\0"sv})
    EXPECT_STREQ(wide_encoding(text), "UTF-32");
  for (const std::string_view text : {""sv, "a"sv, "abcd"sv, "\xC3\xA9t\xC3"sv, "a\0bc"sv})
    EXPECT_EQ(wide_encoding(text), nullptr) << text;
  EXPECT_THAT([] { utf8_text("[\0{\0"sv, "x.json"); },
              testing::ThrowsMessage<InputError>(
                  testing::AllOf(testing::HasSubstr("x.json: expected UTF-8, found UTF-16"),
                                 testing::HasSubstr("iconv"))));
}

TEST(TextEncoding, ANameWithZerosAfterItIsNoWideText) {
  std::string tar(512, '\0');
  tar[0] = 'x';
  EXPECT_EQ(wide_encoding(tar), nullptr);
  EXPECT_STREQ(wide_encoding(std::string("x\0\0\0y\0\0\0", 8)), "UTF-32");
  EXPECT_STREQ(wide_encoding(std::string("x\0y\0z\0 \0", 8)), "UTF-16");
}

TEST(TextEncoding, InvalidUtf8IsFound) {
  for (const char* text : {"", "a", "R\xC3\xB6n", "\xE2\x96\x81", "\xF0\x9F\x98\x80"})
    EXPECT_EQ(invalid_utf8(text), std::string_view::npos) << text;
  for (const char* text : {"ab\xFF", "ab\xC3", "ab\xC3(", "ab\xC0\x80", "ab\xED\xA0\x80", "ab\x80",
                           "ab\xF4\x90\x80\x80", "ab\xE0\x80\x80", "ab\xF0\x80\x80\x80"})
    EXPECT_EQ(invalid_utf8(text), 2u) << text;
}

TEST(TextEncoding, ACellOfATableHasNoTabAndNoLineEnd) {
  EXPECT_EQ(table_cell("a/R\xC3\xB6n 1.jpg#2"), "a/R\xC3\xB6n 1.jpg#2");
  EXPECT_EQ(table_cell("a\tb\nc\r"), "a\\tb\\nc\\r");
  EXPECT_EQ(table_cell("a\xFF\xC3(\x7F"), "a\\xFF\\xC3(\\x7F");
  EXPECT_EQ(table_cell("\0\x1F"sv), "\\x00\\x1F");
  EXPECT_NE(table_cell("a\tb"), table_cell("a\\tb")) << "no two texts have the same cell";
  EXPECT_EQ(table_cell(""), "");
}

}  // namespace
}  // namespace lynceus
