// `train.sample_prompts`: at each validation the model answers a few rows, on every grid, and
// nothing else of the run changes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/files/json.h"
#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const fs::path kPictures = fs::path(LYNCEUS_SOURCE_DIR) / "tests/data/photos/images";

class SamplePrompts : public testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }
  std::string prompts() const {
    return write("prompts.jsonl",
                 fmt::format(R"({{"question": "What is this?", "image": "{0}/000000002473.jpg"}}
{{"question": "And this?", "image": "{0}/000000006818.jpg", "number": 7}}
{{"question": "Two and two?"}}
)",
                             kPictures.string()));
  }
  /// A run of 4 steps with a validation after each two.
  Output train(const std::string& name, const Arguments& more = {}, int ranks = 0) const {
    return run(train_arguments(folder_ / name) +
                   Arguments{"--train.steps", "4", "--train.validate_every", "2",
                             "--data.validation", "color:" + shard("validation-Color")} +
                   more,
               {.ranks = ranks});
  }
  std::vector<std::string> answers(const std::string& name) const {
    return lines_of(folder_ / name / "sample_answers.jsonl");
  }

  const Folder folder_{"sample-prompts"};
};

TEST_F(SamplePrompts, AreAnsweredAtEachValidationAndChangeNothingElse) {
  ASSERT_EQ(train("without").code, 0);
  const Output output = train("with", {"--train.sample_prompts", prompts()});
  ASSERT_EQ(output.code, 0) << output.all();
  EXPECT_EQ(digests_of(folder_ / "with", 4), digests_of(folder_ / "without", 4));
  EXPECT_EQ(metrics_of(folder_ / "with").steps, metrics_of(folder_ / "without").steps);
  EXPECT_EQ(metrics_of(folder_ / "with").validations, metrics_of(folder_ / "without").validations);
  const std::vector<std::string> lines = answers("with");
  ASSERT_EQ(lines.size(), 6u);
  for (size_t i = 0; i < lines.size(); ++i) {
    const io::Json line = io::Json::parse(lines[i], "line");
    EXPECT_EQ(line.at("step").integer(), i < 3 ? 2 : 4);
    EXPECT_EQ(line.at("row").integer(), static_cast<int64_t>(i % 3));
    EXPECT_TRUE(line.at("answer").is_string());
  }
  EXPECT_EQ(io::Json::parse(lines[1], "line").at("prompt").at("number").integer(), 7);
  EXPECT_FALSE(fs::exists(folder_ / "without/sample_answers.jsonl"));
  // The checkpoint of the last step answers the same.
  const std::string file = folder_ / "answers.jsonl";
  ASSERT_EQ(
      run({"generate", "--run", folder_ / "with", "--input", prompts(), "--output", file}).code, 0);
  const std::vector<std::string> generated = lines_of(file);
  ASSERT_EQ(generated.size(), 3u);
  for (size_t i = 0; i < 3; ++i)
    EXPECT_EQ(io::Json::parse(lines[3 + i], "line").at("answer").string(),
              io::Json::parse(generated[i], "line").at("answer_predicted").string());
}

TEST_F(SamplePrompts, AreAnsweredOnTheGridOfTheRun) {
  const std::string file = prompts();
  ASSERT_EQ(train("alone", {"--train.sample_prompts", file}).code, 0);
  for (const auto& [name, shape] :
       {std::pair{"tensor", grid(2, 1, 1)}, {"pipeline", grid(1, 2, 1)}, {"data", grid(1, 1, 2)}}) {
    const Output output = train(name, shape + Arguments{"--train.sample_prompts", file}, 2);
    ASSERT_EQ(output.code, 0) << output.all();
    EXPECT_EQ(answers(name), answers("alone")) << name;
  }
}

TEST_F(SamplePrompts, OfAResumedRunAreThoseOfTheWholeOne) {
  const Arguments more = {"--train.sample_prompts", prompts(), "--checkpoint.every", "2"};
  ASSERT_EQ(train("whole", more).code, 0);
  ASSERT_EQ(train("parts", more + Arguments{"--stop-after", "2"}).code, 0);
  ASSERT_EQ(answers("parts").size(), 3u);
  ASSERT_EQ(train("parts", more).code, 0);
  EXPECT_EQ(answers("parts"), answers("whole"));
  // From an earlier step: later lines are set aside.
  const Output back = train("parts", more + Arguments{"--resume", "2"});
  ASSERT_EQ(back.code, 0) << back.all();
  EXPECT_EQ(answers("parts"), answers("whole"));
  EXPECT_EQ(lines_of(folder_ / "parts/sample_answers.superseded.jsonl").size(), 3u);
  // Without the lines of its validation in metrics.jsonl, a step is validated and answered again.
  const fs::path metrics = folder_ / "parts/metrics.jsonl";
  std::string kept;
  for (const std::string& line : lines_of(metrics))
    if (member(line, "kind") != "\"validation\"" || member(line, "step") != "4")
      kept += line + "\n";
  std::ofstream(metrics) << kept;
  ASSERT_EQ(train("parts", more).code, 0);
  EXPECT_EQ(answers("parts"), answers("whole"));
}

TEST_F(SamplePrompts, ThatCannotBeAnsweredAreNamedAtTheStart) {
  write("broken.jpg", "no picture");
  const std::string good = "{\"question\": \"Two and two?\"}\n";
  const std::string bad =
      "{\"question\": \"What?\", \"image\": \"missing.jpg\"}\n"
      "{\"question\": \"What?\", \"image\": \"broken.jpg\"}\n"
      "{\"image\": \"broken.jpg\"}\n"
      "{\"question\": \"" +
      std::string(20000, 'x') + "\"}\n";
  const Output output = train(
      "some", grid(2, 1, 1) + Arguments{"--train.sample_prompts", write("some.jsonl", bad + good)},
      2);
  ASSERT_EQ(output.code, 0) << output.all();
  EXPECT_THAT(output.err, AllOf(HasSubstr("row 1 is rejected: "), HasSubstr("missing.jpg"),
                                HasSubstr("row 2 is rejected: "), HasSubstr("broken.jpg"),
                                HasSubstr("row 3 is rejected: "), HasSubstr("row 4 is rejected: "),
                                HasSubstr("context of the model"), Not(HasSubstr("row 5"))));
  ASSERT_EQ(answers("some").size(), 2u);
  EXPECT_EQ(io::Json::parse(answers("some")[0], "line").at("row").integer(), 4);
  int number = 0;
  const auto expect_refused = [&](const std::string& file, int code, const std::string& message) {
    const std::string name = fmt::format("refused-{}", number++);
    const Output refused = train(name, {"--train.sample_prompts", file});
    EXPECT_EQ(refused.code, code) << refused.all();
    EXPECT_EQ(refused.messages(), 1) << refused.all();
    EXPECT_THAT(refused.err, HasSubstr(message));
    EXPECT_FALSE(fs::exists(folder_ / name / "config.ini"));
  };
  expect_refused(write("bad.jsonl", bad), 3,
                 "expected a row that can be answered, found none; row 1");
  expect_refused(folder_ / "absent.jsonl", 3, "absent.jsonl");
  std::string many;
  for (int i = 0; i < 65; ++i) many += good;
  expect_refused(write("many.jsonl", many), 3, "expected at most 64 rows, found 65");
  const Output without =
      run(train_arguments(folder_ / "refused") + Arguments{"--train.sample_prompts", prompts()});
  EXPECT_EQ(without.code, 2) << without.all();
  EXPECT_THAT(without.err,
              HasSubstr("train.sample_prompts: expected no value without data.validation"));
}

}  // namespace
}  // namespace lynceus::cli_test
