// `lynceus compare` as users start it: pages, JSON, run directories, exit codes. It needs no MPI.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/files/json.h"
#include "tests/cli/run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

/// Items of which every second is of the class OCR; first..last are right.
fs::path write_items(const std::string& name, int first, int last,
                     const std::string& judge = "gpt-4") {
  const fs::path path = fs::path(testing::TempDir()) / name;
  fs::create_directories(path.parent_path());
  std::ofstream file(path);
  for (int i = 0; i < 100; ++i)
    file << fmt::format(
        R"({{"benchmark": "openvqa", "set": "images", "class": "{}", "task": "", "id": "{}", )"
        R"("media": "{}.jpg", "question": "q", "reference": "r", "answer": "a", "right": {}, )"
        R"("value": null, "judge": "{}"}})"
        "\n",
        i % 2 == 0 ? "OCR" : "Color", i, i, i >= first && i < last, judge);
  return path;
}

TEST(CompareCommand, PrintsAPageAndOneObject) {
  const fs::path a = write_items("one/items.jsonl", 0, 50), b = write_items("b.jsonl", 4, 70);
  const Output page = run({"compare", a.parent_path(), b});
  ASSERT_EQ(page.code, 0) << page.all();
  EXPECT_EQ(page.err, "");
  EXPECT_THAT(page.out, AllOf(HasSubstr("openvqa images: a difference is shown: B is right more "
                                        "often than A by 16.0 points (95 % interval +"),
                              HasSubstr("reported, not measured here"), HasSubstr("Lynx llama"),
                              HasSubstr("Color")));
  const Output object =
      run({"compare", a, b, "--format", "json", "--seed", "3", "--resamples", "500"});
  ASSERT_EQ(object.code, 0) << object.all();
  const io::Json json = io::Json::parse(object.out, "output");
  const io::Json whole = json.at("comparisons").at(0).at("groups").at(0);
  EXPECT_EQ(whole.at("only_first_right").integer(), 4);
  EXPECT_EQ(whole.at("only_second_right").integer(), 20);
  EXPECT_NEAR(whole.at("first_interval").at(0).number(), 0.403832, 1e-6) << "50 of 100";
  EXPECT_NEAR(whole.at("mcnemar_p").number(), 0.001544, 1e-6);
  EXPECT_TRUE(json.at("comparisons").at(0).at("shown").boolean());
  EXPECT_EQ(json.at("paper").at(0).at("rows").size(), 17u) << "two measured, 15 of the paper";
  EXPECT_EQ(run({"compare", a, b, "--format", "json", "--seed", "3", "--resamples", "500"}).out,
            object.out);
}

TEST(CompareCommand, KappaOfTwoJudges) {
  const fs::path a = write_items("x.jsonl", 0, 50), b = write_items("y.jsonl", 0, 55, "other");
  const Output page = run({"compare", a, b, "--paper", "none"});
  ASSERT_EQ(page.code, 0) << page.all();
  EXPECT_THAT(page.out, AllOf(HasSubstr("not compared: A was scored by 'gpt-4', B by 'other'"),
                              HasSubstr("agree on 95 of 100 items, Cohen's kappa 0.900 (95 % ")));
}

TEST(CompareCommand, RefusesWithOneMessage) {
  const fs::path a = write_items("a.jsonl", 0, 50);
  const auto expect = [&](const Arguments& arguments, int code, const std::string& message) {
    const Output output = run(Arguments{"compare"} + arguments);
    EXPECT_EQ(output.code, code) << output.all();
    EXPECT_EQ(output.messages(), 1) << output.err;
    EXPECT_THAT(output.err, HasSubstr(message));
    EXPECT_EQ(output.out, "");
  };
  expect({a}, 2, "expected 2 to 26 files or run directories, found 1");
  expect({a, a, "--resamples", "3"}, 2, "resamples");
  expect({a, "absent.jsonl"}, 3, "absent.jsonl: expected per-item results");
  const fs::path bad = fs::path(testing::TempDir()) / "bad.jsonl";
  std::ofstream(bad) << "{\"benchmark\": \"mme\", \"id\": \"1\", \"right\": \"yes\"}\n";
  expect({a, bad}, 3, "bad.jsonl:1");
  std::ofstream(bad) << "{\"benchmark\": \"mme\", \"id\": \"1\", \"right\": true}\n";
  expect({a, bad}, 3, "expected items that are in");
  expect({a, a, "--paper", testing::TempDir()}, 3, "open_vqa_image.csv");
}

TEST(CompareCommand, AFullDiskIsAnError) {
  const fs::path a = write_items("a.jsonl", 0, 50);
  Launch launch;
  launch.shell = "\"$@\" >/dev/full";
  const Output output = run({"compare", a, a}, launch);
  EXPECT_EQ(output.code, 4) << output.all();
}

}  // namespace
}  // namespace lynceus::cli_test
