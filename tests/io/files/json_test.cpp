// The JSON reader is strict and bounded, and its messages name the place.
#include "io/files/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "core/error.h"
#include "io/files/decimal.h"

namespace lynceus::io {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

Json parse(const std::string& text, const JsonLimits& limits = {}) {
  return Json::parse(text, "here.json", limits);
}

TEST(Json, ReadsValues) {
  const Json json = parse(R"( {"a": {"b": [1, -2, 2.5, "x\u00e9", true, null]}, "c": 1e3} )");
  const Json list = json.at("a").at("b");
  EXPECT_EQ(list.size(), 6u);
  EXPECT_EQ(list.at(0).integer(), 1);
  EXPECT_EQ(list.at(1).integer(-5, 5), -2);
  EXPECT_EQ(list.at(2).number(), 2.5);
  EXPECT_EQ(list.at(3).string(), "x\xC3\xA9");
  EXPECT_TRUE(list.at(4).boolean());
  EXPECT_TRUE(list.at(5).is_null());
  EXPECT_EQ(json.at("c").number(), 1000.0);
  EXPECT_FALSE(json.find("d"));
  EXPECT_EQ(json.members().size(), 2u);
  EXPECT_EQ(json.at("a").dump(), R"({"b":[1,-2,2.5,"xé",true,null]})");
  EXPECT_EQ(parse("[3,4]").integers(), (std::vector<int64_t>{3, 4}));
}

TEST(Json, AHandleKeepsItsDocument) {
  const Json inner = parse(R"({"a": ["text"]})").at("a").at(0);
  EXPECT_EQ(inner.string(), "text");
}

TEST(Json, AccessErrorsNameFileKeyExpectedAndFound) {
  const Json json = parse(R"({"a": {"b": [1, "x"]}, "big": 9223372036854775808})");
  EXPECT_THAT(
      [&] { json.at("a").at("c"); },
      ThrowsMessage<InputError>(AllOf(HasSubstr("here.json"), HasSubstr("'a.c' is missing"))));
  EXPECT_THAT([&] { json.at("a").at("b").at(1).integer(); },
              ThrowsMessage<InputError>(
                  AllOf(HasSubstr("a.b[1]"), HasSubstr("an integer"), HasSubstr("\"x\""))));
  EXPECT_THAT([&] { json.at("a").at("b").at(0).integer(2, 9); },
              ThrowsMessage<InputError>(HasSubstr("from 2 to 9")));
  EXPECT_THROW(json.at("big").integer(), InputError);
  EXPECT_THROW(json.at("a").at("b").at(2), InputError);
  EXPECT_THROW(json.at("a").elements(), InputError);
  EXPECT_THROW(json.at("a").number(), InputError);
  EXPECT_THROW(json.at("a").boolean(), InputError);
  EXPECT_THROW(json.at("a").string(), InputError);
  EXPECT_THROW(json.at("big").size(), InputError);
  EXPECT_THROW(json.at("big").find("x"), InputError);
  EXPECT_THROW(parse("[2.0]").at(0).integer(), InputError);
}

TEST(Json, SyntaxErrorsNameThePosition) {
  EXPECT_THAT([] { parse("{\"a\": 1,}"); },
              ThrowsMessage<InputError>(AllOf(HasSubstr("here.json"), HasSubstr("byte 9"))));
  for (const char* wrong : {"", " ", "{", "[1", "nul", "{\"a\"}", "1 2", "'a'", "[01]", "1e999",
                            "// x\n1", "\"\x01\"", "NaN", "[1,]", "\"\\ud800\""})
    EXPECT_THROW(parse(wrong), InputError) << wrong;
}

TEST(Json, InvalidUtf8IsRefused) {
  for (const char* wrong : {"\"\xFF\"", "\"\xC0\x80\"", "\"\xED\xA0\x80\"", "\"\xE2\x82\"",
                            "\"\xF4\x90\x80\x80\"", "{\"\xFF\": 1}"})
    EXPECT_THROW(parse(wrong), InputError);
}

TEST(Json, DuplicateKeys) {
  EXPECT_THAT([] { parse(R"({"a": 1, "b": {"c": 1, "c": 2}})"); },
              ThrowsMessage<InputError>(HasSubstr("'c' appears twice")));
  EXPECT_EQ(parse(R"({"a": {"a": 1}, "b": [{"a": 1}, {"a": 2}]})").size(), 2u);
  JsonLimits limits;
  limits.refuse_duplicate_keys = false;
  EXPECT_EQ(parse(R"({"a": [1], "a": 2})", limits).at("a").integer(), 2);
}

TEST(Json, DepthIsBounded) {
  const auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_NO_THROW(parse(nested(64)));
  EXPECT_THAT([&] { parse(nested(65)); }, ThrowsMessage<InputError>(HasSubstr("deeper than 64")));
  EXPECT_THROW(parse(std::string(5'000'000, '[')), InputError);
  std::string objects;
  for (int i = 0; i < 70; ++i) objects += "{\"a\":";
  EXPECT_THROW(parse(objects), InputError);
}

TEST(Json, SizeAndNumberOfValuesAreBounded) {
  JsonLimits limits;
  limits.max_bytes = 6;
  limits.max_values = 3;
  EXPECT_NO_THROW(parse("[1,2]", limits));
  EXPECT_THAT([&] { parse("[1,2,3]", limits); }, ThrowsMessage<InputError>(HasSubstr("7 bytes")));
  limits.max_bytes = 100;
  EXPECT_THAT([&] { parse("[1,2,3]", limits); },
              ThrowsMessage<InputError>(HasSubstr("more than 3 JSON values")));
}

TEST(Json, MessagesAboutHostileNamesStayShort) {
  const std::string name(1'000'000, 'x');
  try {
    parse("{\"" + name + "\":1}").at(name).string();
    FAIL();
  } catch (const InputError& error) {
    EXPECT_LT(std::string(error.what()).size(), 1000u);
  }
}

TEST(Json, NumbersAsExactText) {
  const auto decimal = [](const std::string& number) {
    const Json row = parse(R"([{"other": [0.12345678901234567], "n": )" + number + "}]");
    return decimal_of(row.at(0).at("n"));
  };
  for (const char* number : {"1", "1.0", "1e0", "10e-1", "0.1E+1"}) EXPECT_EQ(decimal(number), "1");
  for (const char* number : {"0", "-0", "0.00", "-0.0e9", "0e-99999"})
    EXPECT_EQ(decimal(number), "0");
  EXPECT_EQ(decimal("-12.50"), "-12.5");
  EXPECT_EQ(decimal("1e-3"), "0.001");
  EXPECT_EQ(decimal("12e3"), "12000");
  for (const std::string number :
       {"9007199254740993", "9007199254740992", "18446744073709551615", "18446744073709551616",
        "18446744073709551617", "-9223372036854775809",
        "123456789012345678901234567890123456789012345"}) {
    EXPECT_EQ(decimal(number), number);
    EXPECT_EQ(decimal(number + ".0"), number);
    EXPECT_EQ(decimal(number + "0e-1"), number);
  }
  EXPECT_EQ(decimal("0.10000000000000000001"), "0.10000000000000000001");
  EXPECT_EQ(decimal("1e300"), "1e300");
  EXPECT_EQ(decimal("100e298"), "1e300");
  EXPECT_EQ(decimal("1.5e-300"), "15e-301");
  JsonLimits limits;
  limits.refuse_duplicate_keys = false;
  const Json twice = parse(R"({"n": 9007199254740993.0, "n": 9007199254740995.0})", limits);
  EXPECT_EQ(decimal_of(twice.at("n")), "9007199254740995");
  EXPECT_THAT([] { decimal_of(parse(R"({"n": "1"})").at("n")); },
              ThrowsMessage<InputError>(HasSubstr("key n: expected a number")));
}

class JsonLinesTest : public testing::Test {
 protected:
  JsonLines lines(const std::string& text) {
    std::ofstream(path_, std::ios::binary) << text;
    return JsonLines(path_);
  }
  void TearDown() override { std::filesystem::remove(path_); }
  std::string path_ = testing::TempDir() + "/json_lines_test.jsonl";
};

TEST_F(JsonLinesTest, OneValuePerLine) {
  JsonLines file = lines("{\"a\":1}\n\n  \r\n[2]\r\n3");
  EXPECT_EQ(file.next()->at("a").integer(), 1);
  EXPECT_EQ(file.line_number(), 1);
  EXPECT_EQ(file.next()->at(0).integer(), 2);
  EXPECT_EQ(file.line_number(), 4);
  EXPECT_EQ(file.next()->integer(), 3);
  EXPECT_FALSE(file.next());
  EXPECT_FALSE(file.next());
  EXPECT_FALSE(lines("").next());
  EXPECT_FALSE(lines("\n\n").next());
}

TEST_F(JsonLinesTest, AByteOrderMarkIsIgnoredAndUtf16IsNamed) {
  JsonLines file = lines("\xEF\xBB\xBF{\"a\":1}\n2");
  EXPECT_EQ(file.next()->at("a").integer(), 1);
  EXPECT_EQ(file.next()->integer(), 2);
  EXPECT_FALSE(lines("\xEF\xBB\xBF").next());
  EXPECT_THAT([&] { lines(std::string("\xFF\xFE{\0", 4)); },
              ThrowsMessage<InputError>(HasSubstr("test.jsonl is text in UTF-16")));
  EXPECT_EQ(parse("\xEF\xBB\xBF[3]").at(0).integer(), 3);
}

TEST_F(JsonLinesTest, AMalformedLineIsNamedAndSkipped) {
  JsonLines file = lines("1\n{bad}\n\"\xFF\"\n2\n");
  EXPECT_EQ(file.next()->integer(), 1);
  EXPECT_THAT([&] { file.next(); }, ThrowsMessage<InputError>(HasSubstr("test.jsonl:2:")));
  EXPECT_THAT([&] { file.next(); }, ThrowsMessage<InputError>(HasSubstr("test.jsonl:3:")));
  EXPECT_EQ(file.next()->integer(), 2);
}

TEST_F(JsonLinesTest, LinesLongerThanTheChunk) {
  const std::string text(3'000'000, 'x');
  JsonLines file = lines("\"" + text + "\"\n\"" + text + "\"\n7\n");
  EXPECT_EQ(file.next()->string(), text);
  EXPECT_EQ(file.next()->string(), text);
  EXPECT_EQ(file.next()->integer(), 7);
}

TEST_F(JsonLinesTest, TooLongALineIsRefusedAndSkipped) {
  JsonLines file = lines("1\n\"" + std::string(40 << 20, 'x') + "\"\n2\n");
  EXPECT_EQ(file.next()->integer(), 1);
  EXPECT_THAT([&] { file.next(); }, ThrowsMessage<InputError>(HasSubstr("line 2 is longer")));
  EXPECT_EQ(file.next()->integer(), 2);
  EXPECT_FALSE(file.next());
}

}  // namespace
}  // namespace lynceus::io
