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

}  // namespace
}  // namespace lynceus
