// Large JSON is read element by element, and hostile JSON ends in one message; also TSV.
#include "prepare/json_stream.h"

#include "prepare/tsv.h"
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
                       [&](const std::string& array, const io::Json& element) {
                         all.push_back(array + ":" + element.dump());
                       });
    return all;
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
                     [](const std::string&, const io::Json& element) {
                       if (element.size() == 0) return;
                       EXPECT_THAT(input_error([&] { element.at("k").string(); }),
                                   HasSubstr("x.json: a[1]: key k: expected a string, found 1"));
                     });
}

TEST_F(JsonStreamTest, HostileFiles) {
  EXPECT_THAT(fault("{\"a\": [1, 2"), HasSubstr("x.json: not valid JSON at byte"));
  EXPECT_THAT(fault("{\"a\": [1]} x"), HasSubstr("not valid JSON"));
  EXPECT_THAT(fault("{\"a\": [\"\xff\"]}"), HasSubstr("not valid JSON"));
  EXPECT_THAT(fault(""), HasSubstr("not valid JSON"));
  EXPECT_THAT(fault("[1]"), HasSubstr("expected JSON that is an object with the arrays a"));
  EXPECT_THAT(fault("{}", {""}), HasSubstr("expected JSON that is an array"));
  EXPECT_THAT(fault("3"), HasSubstr("expected JSON that is"));
  EXPECT_THAT(fault("{\"a\": {}}"), HasSubstr("key a: expected an array"));
  EXPECT_THAT(fault("{\"a\": 1}"), HasSubstr("key a: expected an array"));
  EXPECT_THAT(fault("{\"a\": [1], \"a\": [2]}"), HasSubstr("duplicate key 'a' in one object"));
}

TEST_F(JsonStreamTest, DepthIsBounded) {
  const auto nested = [](const std::string& key, int depth) {
    return "{\"" + key + "\": " + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  EXPECT_EQ(fault(nested("a", 63)), "no InputError");
  EXPECT_THAT(fault(nested("a", 64)), HasSubstr("nested deeper than"));
  EXPECT_EQ(fault(nested("b", 64)), "no InputError");
  EXPECT_THAT(fault(nested("b", 100'000)), HasSubstr("nested deeper than 64"));
}

TEST_F(JsonStreamTest, ElementsAndStringsAreBounded) {
  const std::string quarter(4 << 20, 'x');
  std::string element = "{\"a\": [[";
  for (int i = 0; i < 3; ++i) element += "\"" + quarter + "\", ";
  EXPECT_EQ(fault(element + "1]]}"), "no InputError");
  EXPECT_THAT(fault(element + "\"" + quarter + quarter + "\"]]}"),
              HasSubstr("a[0]: more than 16777216 bytes"));
  EXPECT_THAT(fault("{\"b\": \"" + quarter + quarter + quarter + quarter + "x\"}"),
              HasSubstr("more than 16777216 bytes of one JSON value"));
}

TEST_F(JsonStreamTest, RowsOfEitherForm) {
  for (const std::string text : {"[{\"n\": 0}, {\"n\": 1}]", " \n[\n{\"n\": 0},\n{\"n\": 1}\n]",
                                 "{\"n\": 0}\n\n{\"n\": 1}\n"}) {
    const JsonRows file(write("x.json", text));
    EXPECT_EQ(file.count(), 2) << text;
    std::vector<int64_t> numbers;
    file.for_each([&](const std::function<io::Json()>& value) {
      numbers.push_back(value().at("n").integer());
    });
    EXPECT_THAT(numbers, ElementsAre(0, 1)) << text;
  }
  EXPECT_EQ(JsonRows(write("x.json", "")).count(), 0);
  EXPECT_THAT(input_error([&] { JsonRows(write("x.json", "[{}, {")); }), HasSubstr("x.json"));
}

TEST_F(JsonStreamTest, AMalformedLineIsARowOfItsOwn) {
  const JsonRows file(write("x.jsonl", "{\"n\": 0}\n{broken\n{\"n\": 2}\n"));
  EXPECT_EQ(file.count(), 3);
  std::vector<SourceRow> all;
  const auto make = [](const io::Json& row, int64_t index) -> std::vector<io::Sample> {
    EXPECT_EQ(row.at("n").integer(), index);
    return {io::Sample{}};
  };
  file.read_from(
      0, [&](SourceRow row) { all.push_back(std::move(row)); }, make);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[1].reject, "malformed row");
  EXPECT_THAT(all[1].problem, HasSubstr("x.jsonl:2"));
  EXPECT_EQ(all[2].done, 3);
  all.clear();
  file.read_from(
      2, [&](SourceRow row) { all.push_back(std::move(row)); }, make);
  EXPECT_EQ(all.size(), 1u);
  // An exception of the sink does not count as a malformed line.
  EXPECT_THAT(input_error([&] {
                file.read_from(
                    0, [](const SourceRow&) { throw InputError("enough"); }, make);
              }),
              testing::StrEq("enough"));
}

TEST_F(JsonStreamTest, Tsv) {
  TsvLines named(write("x.tsv", "caption\turl \"x\"\r\na \"dog\"\\\t1\r\n\n only one\nb\x01\t\n"),
                 true);
  EXPECT_EQ(named.next()->dump(), R"({"caption":"a \"dog\"\\","url \"x\"":"1"})");
  EXPECT_THAT(input_error([&] { named.next(); }),
              AllOf(HasSubstr("x.tsv:4"), HasSubstr("expected 2 cells"), HasSubstr("found 1")));
  EXPECT_EQ(named.next()->dump(), R"({"caption":"b\u0001","url \"x\"":""})");
  EXPECT_FALSE(named.next());
  TsvLines numbered(write("x.tsv", "a\tb\n\xff\t\nc"), false);
  EXPECT_EQ(numbered.next()->dump(), R"({"1":"a","2":"b"})");
  EXPECT_THAT(input_error([&] { numbered.next(); }), HasSubstr("x.tsv:2"));
  EXPECT_EQ(numbered.next()->dump(), R"({"1":"c"})");
}

}  // namespace
}  // namespace lynceus::prepare
