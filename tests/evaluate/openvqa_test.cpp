// Open-VQA: accuracy by set and class, the judge as a function, refused rows.
#include "evaluate/benchmarks/openvqa.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "answer_files.h"

namespace lynceus::evaluate {
namespace {

using evaluate_test::data_folder;
using evaluate_test::empty_folder;
using evaluate_test::parsed;
using evaluate_test::refusal;
using evaluate_test::write;
using std::filesystem::path;
using testing::AllOf;
using testing::HasSubstr;

std::string row(const std::string& media, const std::string& class_name, int index,
                const std::string& answer) {
  return fmt::format(
      R"({{"dataset": "Open_VQA_{0}s", "question": "Which?", "answer": ["two dogs"], )"
      R"("index": {1}, "{0}": "{0}s/{1}", "class": "{2}", "answer_predicted": "{3}"}})"
      "\n",
      media, index, class_name, answer);
}

TEST(OpenVqa, CountsBySetAndClass) {
  const path folder = empty_folder();
  const path images =
      write(folder / "i.jsonl", row("image", "OCR", 1, "2 dogs") + row("image", "OCR", 2, "cats") +
                                    row("image", "Color", 3, "The two dogs!"));
  const path videos = write(folder / "v.jsonl", row("video", "Others", 1, ""));
  const Evaluation result = evaluate_openvqa({videos, images}, exact_judge());
  const io::Json json = parsed(to_json(result));
  EXPECT_DOUBLE_EQ(json.at("accuracy").number(), 0.5);
  EXPECT_EQ(json.at("right").integer(), 2);
  EXPECT_EQ(json.at("questions").integer(), 4);
  EXPECT_FALSE(json.at("complete").boolean());
  EXPECT_DOUBLE_EQ(json.at("images").at("accuracy").number(), 2.0 / 3);
  EXPECT_DOUBLE_EQ(json.at("images").at("classes").at("OCR").at("accuracy").number(), 0.5);
  EXPECT_EQ(json.at("videos").at("classes").at("Others").at("right").integer(), 0);
  EXPECT_EQ(json.at("protocol").at("judge").string(), "exact");
  EXPECT_EQ(json.at("protocol").at("answers").size(), 2u);
  EXPECT_EQ(result.items[0].id, "videos#1");
  EXPECT_EQ(result.items[1].id, "images#1");
  EXPECT_EQ(result.items[1].media, "images/1");
  EXPECT_EQ(result.items[1].class_, "OCR");
  EXPECT_EQ(result.items[1].right, true);
  EXPECT_THAT(
      result.warnings,
      testing::ElementsAre(
          HasSubstr("images: expected the numbers of questions as published, found Action 0 "
                    "of 20, Color 1 of 30, Counting 0 of 37, OCR 2 of 53, Others 0 of 94, "
                    "Place 0 of 22, Reasoning 0 of 31, Spatial 0 of 15: "),
          HasSubstr("videos: expected the numbers of questions as published, found "
                    "Action(Y/N) 0 of 108, Others 1 of 40: ")));
}

TEST(OpenVqa, AsksTheJudgeOnceForAllItems) {
  const path file = write(empty_folder() / "a.jsonl", row("image", "OCR", 1, "one") +
                                                          row("image", "OCR", 2, "two") +
                                                          row("image", "OCR", 3, "three"));
  int calls = 0;
  const Judge judge = {.name = "stub",
                       .rule = "right, wrong, no answer",
                       .source = "this test",
                       .decide = [&](std::span<const JudgedItem> items) {
                         ++calls;
                         EXPECT_EQ(items[1].id, "images#2");
                         EXPECT_EQ(items[1].question, "Which?");
                         EXPECT_EQ(items[1].references, std::vector<std::string>{"two dogs"});
                         EXPECT_EQ(items[1].answer, "two");
                         return std::vector<Judgement>{true, false, std::nullopt};
                       }};
  const Evaluation result = evaluate_openvqa({file}, judge);
  const io::Json json = parsed(to_json(result));
  EXPECT_EQ(calls, 1);
  EXPECT_DOUBLE_EQ(json.at("accuracy").number(), 0.5);
  EXPECT_EQ(json.at("unjudged").integer(), 1);
  EXPECT_EQ(result.items[2].right, std::nullopt);
  EXPECT_EQ(result.items[2].judge, "stub");
  EXPECT_THAT(result.warnings.back(), HasSubstr("the judge stub gave no verdict on 1 of 3"));
}

TEST(OpenVqa, ListsAllFaults) {
  const path file = write(
      empty_folder() / "a.jsonl",
      row("image", "OCR", 1, "x") + row("image", "OCR", 1, "y") +
          R"({"question": "q", "answer": ["a"], "index": 2, "image": "i", "class": "OCR"})"
          "\n"
          R"({"question": "q", "answer": ["a"], "index": 3, "class": "OCR", "answer_predicted": ""})"
          "\n"
          R"({"question": "q", "answer": ["a"], "index": 4, "image": "i", "answer_predicted": ""})"
          "\n"
          R"({"question": "q", "answer": "a", "index": 5, "image": "i", "class": "OCR", "answer_predicted": ""})"
          "\n"
          R"({"question": "q", "answer": ["a"], "index": 6, "image": "i", "class": "OCR", "answer_predicted": null})"
          "\n");
  EXPECT_THAT(refusal([&] { evaluate_openvqa({file}, exact_judge()); }),
              AllOf(HasSubstr("a.jsonl:2: expected each id once, found 'images#1' again"),
                    HasSubstr("a.jsonl:3: the key 'answer_predicted' is missing"),
                    HasSubstr("a.jsonl:4: expected an image or a video, found neither"),
                    HasSubstr("a.jsonl:5: the key 'class' is missing"),
                    HasSubstr("a.jsonl:6: key answer: expected an array"),
                    HasSubstr("a.jsonl:7: key answer_predicted: expected a string, found null")));
}

/// The published rows, each with its reference as the answer.
TEST(OpenVqa, PublishedRowsAreComplete) {
  const auto folder = data_folder("openvqa");
  if (!folder) GTEST_SKIP() << "LYNCEUS_DATA_DIR has no openvqa";
  const path written = empty_folder();
  std::vector<path> files;
  for (const char* name : {"Open_VQA_images.jsonl", "Open_VQA_videos.jsonl"}) {
    std::string rows;
    io::JsonLines lines(*folder / name);
    while (const auto line = lines.next()) {
      const std::string text = line->dump();
      rows += text.substr(0, text.size() - 1) +
              ",\"answer_predicted\":" + line->at("answer").at(size_t{0}).dump() + "}\n";
    }
    files.push_back(write(written / name, rows));
  }
  const Evaluation result = evaluate_openvqa(files, exact_judge());
  const io::Json json = parsed(to_json(result));
  EXPECT_TRUE(json.at("complete").boolean());
  EXPECT_TRUE(result.warnings.empty());
  EXPECT_EQ(json.at("images").at("questions").integer(), 302);
  EXPECT_EQ(json.at("videos").at("questions").integer(), 148);
  EXPECT_DOUBLE_EQ(json.at("accuracy").number(), 1);
}

}  // namespace
}  // namespace lynceus::evaluate
