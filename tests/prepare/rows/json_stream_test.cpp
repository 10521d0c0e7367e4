// Large JSON is read element by element, and hostile JSON ends in one message; also TSV.
#include "prepare/rows/json_stream.h"

#include "tests/prepare/sources/source_fixture.h"

namespace lynceus::prepare {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class JsonStreamTest : public SourceTest {
 protected:
  /// "array:element" of the wanted arrays.
  std::vector<std::string> elements(const std::string& text,
                                    const std::vector<std::string>& arrays) const {
    std::vector<std::string> all;
    read_json_elements(write("x.json", text), arrays,
                       [&](const std::string& array, const JsonRow& element) {
                         all.push_back(array + ":" + text_of(element));
                       });
    return all;
  }
  /// The row as JSON, or the message of its fault.
  static std::string text_of(const JsonRow& row) {
    std::string text;
    const std::string fault = input_error([&] { text = row().dump(); });
    return text.empty() ? fault : text;
  }
  std::string fault(const std::string& text, const std::vector<std::string>& arrays = {"a"}) const {
    return input_error([&] { elements(text, arrays); });
  }
};

TEST_F(JsonStreamTest, WantedArraysInTheirOrder) {
  const std::string text =
      R"({"info": {"a": [9], "deep": [[{}]]}, "b": [1, "two", null], "a": [{"x": [1, {"y": 2}]},
          [3], true], "tail": "a"})";
  EXPECT_THAT(elements(text, {"a"}), ElementsAre(R"(a:{"x":[1,{"y":2}]})", "a:[3]", "a:true"));
  EXPECT_THAT(elements(text, {"a", "b"}), ElementsAre("b:1", "b:\"two\"", "b:null",
                                                      R"(a:{"x":[1,{"y":2}]})", "a:[3]", "a:true"));
  EXPECT_THAT(elements("[[1], 2]", {""}), ElementsAre(":[1]", ":2"));
  EXPECT_THAT(elements("{\"a\": []}", {"a"}), ElementsAre());
}

TEST_F(JsonStreamTest, ErrorsNameTheElement) {
  read_json_elements(write("x.json", R"({"a": [{}, {"k": 1}]})"), {"a"},
                     [](const std::string&, const JsonRow& element) {
                       if (element().size() == 0) return;
                       EXPECT_THAT(input_error([&] { element().at("k").string(); }),
                                   HasSubstr("x.json: a[1]: key k: expected a string, found 1"));
                     });
}

TEST_F(JsonStreamTest, HostileFiles) {
  EXPECT_THAT(fault("{\"a\": [1]} x"), HasSubstr("not valid JSON after the end"));
  EXPECT_THAT(fault("{\"a\" [1]}"), HasSubstr("after the key 'a': expected :, found '[1]}'"));
  EXPECT_THAT(fault("{3: [1]}"), HasSubstr("expected a key, found '3"));
  EXPECT_THAT(fault("{\"a\": [1] 2}"), HasSubstr("after the member 'a': expected , or }"));
  EXPECT_THAT(fault("[1] x", {""}), HasSubstr("not valid JSON after the end"));
  EXPECT_THAT(fault("[1]"), HasSubstr("expected JSON that is an object with the arrays a"));
  EXPECT_THAT(fault("{}", {""}), HasSubstr("expected JSON that is an array, found '{}'"));
  EXPECT_THAT(fault("3"), HasSubstr("expected JSON that is"));
  EXPECT_THAT(fault("{\"a\": {}}"), HasSubstr("key a: expected an array"));
  EXPECT_THAT(fault("{\"a\": 1}"), HasSubstr("key a: expected an array"));
  EXPECT_THAT(fault("{\"a\": [1], \"a\": [2]}"), HasSubstr("duplicate key 'a' in one object"));
}

TEST_F(JsonStreamTest, ABadElementCostsThatElement) {
  for (const std::string bad : {R"({"v": "\ud83d"})", R"({"v": "\q"})", R"({"v": NaN})", "NaN",
                                "-Infinity", "tru", "{'v': 1}", "{\"v\": \"a\nb\"}",
                                "{\"v\": \"\xff\"}", R"({"v" 1})", R"({"v": [1, 2}})", "\"\t\""}) {
    const auto all = elements("[{\"n\": 0}, " + bad + "\n, {\"n\": \"}],\\\"\"}]", {""});
    EXPECT_THAT(
        all, ElementsAre(":{\"n\":0}", AllOf(HasSubstr("x.json: [1]"), HasSubstr("not valid JSON")),
                         ":{\"n\":\"}],\\\"\"}"))
        << bad;
  }
  EXPECT_THAT(elements("[1,,2,]", {""}), ElementsAre(":1", ":2")) << "a blank element is no row";
}

/// Rows as programs write them, with spaces, in lines or indented.
class JsonRecoveryTest : public JsonStreamTest {
 protected:
  static std::string good(int i) {
    return fmt::format(R"({{"id": {}, "chat": [{{"from": "a", "text": "x, y"}}, {{"from": "b",)"
                       R"( "text": "}}, {{\"id\": 1}}, {{"}}]}})",
                       i);
  }
  /// "ok" or "bad" for each row of the array; the numbers of the good ones must be their places.
  std::string read(const std::string& text, bool also_as_member = true) const {
    std::string all;
    int place = 0;
    const auto add = [&](const std::string&, const JsonRow& row) {
      const std::string fault = input_error([&] { EXPECT_EQ(row().at("id").integer(), place); });
      all += fault == "no InputError" ? " ok" : " bad";
      ++place;
    };
    notes_ = read_json_elements(write("x.json", text), {""}, add).notes;
    if (!also_as_member) return all;
    std::string of_member;
    const auto count = [&](const std::string&, const JsonRow& row) {
      const std::string fault = input_error([&] { row(); });
      of_member += fault == "no InputError" ? " ok" : " bad";
    };
    read_json_elements(write("y.json", "{\"a\": " + text + ", \"b\": [{\"id\": 1}]}"), {"a"},
                       count);
    EXPECT_EQ(of_member, all) << "the same array as a member";
    return all;
  }
  mutable std::vector<std::string> notes_;
};

TEST_F(JsonRecoveryTest, QuotesAndBracketsThatDoNotMatchCostOneRow) {
  const std::vector<std::string> damaged = {
      R"({"id": 2, "text": "a"b"})",
      R"({"id": 2, "text": "say "hi", ok"})",
      R"({"id": 2, "text": "a})",
      R"({"id": 2, "text": a"})",
      R"({"id": 2, "text: "a"})",
      R"({"id": 2, "text": "C:\"})",
      R"({"id": 2, "text": ["b"})",
      R"({"id": 2, "text": "b"]})",
      R"({"id": 2, "text": {"b": 1})",
      R"({"id": 2, "text": ["b")",
      R"({"id": 2, "text": ["b", )",
      R"({"id": 2, "text": "b"}})",
      R"({"id": 2, "text": "b"}])",
      R"({"id": 2, "text": {"b": 1}}, "more": 1})",
      R"({"id": 2, "text": "b"} {)",
      R"({"id": 2, "chat": [{"from": "a", "text": "x"y"}, {"from": "b", "text": "z"}]})",
      R"({"id": 2, "chat": [{"from": "a", "text": "x"}, {"from": "b", "text": ["z"}]})",
      R"({"id": 2, "chat": [{"from": "a", "text": ["x"}, {"from": "b", "text": "z"}]})",
      R"({"id": 2, "chat": {"from": "a", "text": "x"}]})",
  };
  for (const std::string& bad : damaged) {
    for (const std::string between : {", ", ",", ",\n", "\n,\n    "}) {
      const auto joined = [&](const std::vector<std::string>& rows) {
        return "[" + fmt::format("{}", fmt::join(rows, between)) + "]\n";
      };
      EXPECT_EQ(read(joined({good(0), good(1), bad, good(3), good(4)})), " ok ok bad ok ok")
          << bad << between;
      EXPECT_EQ(read(joined({bad, good(1), bad, bad, good(4), bad}), false),
                " bad ok bad bad ok bad")
          << bad << between;
      EXPECT_THAT(notes_, ElementsAre()) << bad;
    }
  }
}

TEST_F(JsonRecoveryTest, AMissingCommaCostsNothing) {
  EXPECT_EQ(read("[" + good(0) + ", }, " + good(2) + "]"), " ok bad ok") << "a stray bracket";
  EXPECT_EQ(read("[" + good(0) + "\n" + good(1) + " " + good(2) + "]"), " ok ok ok");
}

TEST_F(JsonRecoveryTest, WhatCannotBeDividedIsOneRowWithANote) {
  const std::string cut = "[" + good(0) + ", " + good(1);
  const auto read_cut = [&](const std::string& text) {
    std::vector<std::string> all;
    notes_ = read_json_elements(write("x.json", text), {""},
                                [&](const std::string&, const JsonRow& row) {
                                  all.push_back(input_error([&] { row(); }));
                                })
                 .notes;
    return all;
  };
  EXPECT_THAT(read_cut(cut.substr(0, cut.size() - 9)),
              ElementsAre("no InputError", HasSubstr("x.json: [1]: not valid JSON")));
  EXPECT_THAT(notes_, ElementsAre(HasSubstr("x.json: no row was found after byte ")));
  for (const char* end : {"", ",", ", "}) {
    EXPECT_THAT(read_cut(cut + end), ElementsAre("no InputError", "no InputError"));
    EXPECT_THAT(notes_, ElementsAre(HasSubstr("x.json: it has no ] at its end")));
  }
  const auto object = read_json_elements(write("x.json", "{\"a\": [1, 2"), {"a"},
                                         [](const std::string&, const JsonRow&) {});
  EXPECT_THAT(object.notes, ElementsAre(HasSubstr("check that nothing is missing at its end")));
  const auto closed = read_json_elements(write("x.json", "{\"a\": [1, 2]"), {"a"},
                                         [](const std::string&, const JsonRow&) {});
  EXPECT_THAT(closed.notes, ElementsAre(HasSubstr("has no } at its end")));
}

TEST_F(JsonRecoveryTest, ALongRowIsOneRow) {
  std::string row = "{\"id\": 1, \"boxes\": [";
  while (row.size() < (20 << 20)) row += R"({"from": "a", "text": "z"}, )";
  row += "{}]}";
  EXPECT_EQ(read("[" + good(0) + ", " + row + ", " + good(2) + "]"), " ok bad ok");
  // The list is not closed: the rows after it are in it as far as brackets and quotes say.
  row.resize(row.size() - 4);
  EXPECT_EQ(read("[" + good(0) + ", " + row + good(2) + ", " + good(3) + "]"), " ok bad ok ok");
}

TEST_F(JsonStreamTest, MarksAndEmptyFiles) {
  EXPECT_THAT(elements("\xEF\xBB\xBF[1]", {""}), ElementsAre(":1"));
  EXPECT_THAT(elements("\xEF\xBB\xBF{\"a\": [1]}", {"a"}), ElementsAre("a:1"));
  for (const std::string empty : {"", " \n", "\xEF\xBB\xBF"})
    EXPECT_THAT(elements(empty, {"a"}), ElementsAre());
  EXPECT_THAT(fault(std::string("[\0001\0]\0", 6), {""}),
              HasSubstr("expected UTF-8, found UTF-16"));
}

TEST_F(JsonStreamTest, DepthIsBounded) {
  const auto nested = [](const std::string& key, int depth) {
    return "{\"" + key + "\": [1, " + std::string(depth, '[') + std::string(depth, ']') + ", 2]}";
  };
  EXPECT_THAT(elements(nested("a", 64), {"a"})[1], testing::StartsWith("a:[["));
  EXPECT_THAT(elements(nested("a", 65), {"a"}),
              ElementsAre("a:1", HasSubstr("nested deeper than 64"), "a:2"));
  EXPECT_THAT(elements(nested("a", 100'000), {"a"}),
              ElementsAre("a:1", HasSubstr("nested deeper than 64"), "a:2"));
  EXPECT_EQ(fault(nested("b", 100'000)), "no InputError") << "not read";
}

TEST_F(JsonStreamTest, ElementsAreBounded) {
  const std::string quarter(4 << 20, 'x');
  std::string element = "{\"a\": [[";
  for (int i = 0; i < 3; ++i) element += "\"" + quarter + "\", ";
  EXPECT_EQ(elements(element + "1]]}", {"a"})[0].size(), 2 + quarter.size() * 3 + 12);
  EXPECT_THAT(elements(element + "\"" + quarter + quarter + "\"], 2]}", {"a"}),
              ElementsAre(HasSubstr("a[0]: more than 16777216 bytes"), "a:2"));
}

TEST_F(JsonStreamTest, RowsOfEitherForm) {
  for (const std::string text : {"[{\"n\": 0}, {\"n\": 1}]", " \n[\n{\"n\": 0},\n{\"n\": 1}\n]",
                                 "{\"n\": 0}\n\n{\"n\": 1}\n"}) {
    const JsonRows file(write("x.json", text));
    EXPECT_EQ(file.count(), 2) << text;
    std::vector<int64_t> numbers;
    file.for_each([&](const JsonRow& row) { numbers.push_back(row().at("n").integer()); });
    EXPECT_THAT(numbers, ElementsAre(0, 1)) << text;
  }
  for (const std::string text : {"{\n  \"info\": {},\n  \"images\": []\n}\n", "\n{ \r\n\"n\": 0}"})
    EXPECT_THAT(input_error([&] { JsonRows(write("x.json", text)); }),
                AllOf(HasSubstr("expected a JSON array of rows, or one object per line"),
                      HasSubstr("found a single object over several lines")));
  const std::string cut = "{\"n\": 0\n{\"n\": 1}\n";
  EXPECT_EQ(JsonRows(write("x.json", cut)).count(), 2) << "the first line is incomplete";
  const std::string stray = "{\"n\": 0}\n\"stray line\n{\"n\": 2}\n";
  EXPECT_EQ(JsonRows(write("x.json", stray)).count(), 3) << "the first line is a whole object";
  const std::string message = input_error([&] {
    JsonRows(write("x.json", "{" + std::string(1000, ' ') + "\"" + std::string(1000, 'k') +
                                 "\":\n  \"images\": []}"));
  });
  EXPECT_THAT(message, HasSubstr("begins with { "));
  EXPECT_THAT(message, testing::EndsWith(" \"images\": []}"));
  EXPECT_LT(message.size(), 500u);
  EXPECT_EQ(JsonRows(write("x.json", "")).count(), 0);
  EXPECT_EQ(JsonRows(write("x.json", "[{}, {")).count(), 2) << "the second row is cut";
}

TEST_F(JsonStreamTest, AMalformedLineIsARowOfItsOwn) {
  const JsonRows file(write("x.jsonl", "{\"n\": 0}\n{broken\n{\"n\": 2}\n"));
  EXPECT_EQ(file.count(), 3);
  std::vector<std::string> all;
  file.for_each([&](const JsonRow& row) { all.push_back(text_of(row)); });
  EXPECT_THAT(all, ElementsAre("{\"n\":0}", HasSubstr("x.jsonl:2"), "{\"n\":2}"));
  // An exception of the sink does not count as a malformed line.
  EXPECT_THAT(
      input_error([&] { file.for_each([](const JsonRow&) { throw InputError("enough"); }); }),
      testing::StrEq("enough"));
}

TEST_F(JsonStreamTest, ALineThatIsNoObjectCostsOneRow) {
  const auto read = [&](const std::string& text) {
    const JsonRows file(write("x.jsonl", text));
    std::vector<std::string> all;
    file.for_each([&](const JsonRow& row) { all.push_back(text_of(row)); });
    EXPECT_EQ(file.count(), std::ssize(all)) << text;
    return all;
  };
  const std::string object = R"({"n":1})";
  for (const char* begin : {"[1]\n", "\n [1] \r\n\n", "\xEF\xBB\xBF[1]\n"})
    EXPECT_THAT(read(begin + object + "\n[{}, 2]\n" + object),
                ElementsAre(HasSubstr("expected an object, found an array of 1 value"), object,
                            HasSubstr("expected an object, found an array of 2 values"), object))
        << begin;
  EXPECT_THAT(read("[]\n[]\n"), ElementsAre(HasSubstr("array of 0"), HasSubstr("array of 0")));
  EXPECT_THAT(read(object + "\n7\n\"s\"\nnull"),
              ElementsAre(object, HasSubstr("x.jsonl:2: expected an object, found 7"),
                          HasSubstr("found \"s\""), HasSubstr("found null")));
  const std::string spaces(100'000, ' ');
  EXPECT_EQ(read("[" + spaces + "1]" + spaces + "\n" + object).size(), 2u);
  // One array over the whole file.
  for (const std::string text : {"[1, {\"n\":1}]", "[1, {\"n\":1}]\n \n", "[1,\n{\"n\":1}]",
                                 "[\n1,\n{\"n\":1}\n]", "[1\n,{\"n\":1}]"})
    EXPECT_THAT(read(text), ElementsAre(HasSubstr("[0]: expected an object, found 1"), object))
        << text;
  EXPECT_EQ(read("[{\"n\":1}]\n, {\"n\":1}]").at(1), object) << "a stray bracket in an array";
  EXPECT_EQ(make_row([&]() -> std::vector<io::Sample> {
              object_of(io::Json::parse("7", "x"));
              return {};
            }).reject,
            "no object");
}

}  // namespace
}  // namespace lynceus::prepare
