// `evaluate BENCHMARK --run`: a model answers the questions of a benchmark, and the answers are
// scored, with a complete protocol card; `evaluate heldout --answers` and its contact sheet.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/files/digest.h"
#include "io/files/json.h"
#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const fs::path kPictures = fs::path(LYNCEUS_SOURCE_DIR) / "tests/data/photos/images";
constexpr const char* kPicture = "000000002473.jpg";

class EvaluateRun : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const Output output = run(train_arguments(trained()) + Arguments{"--train.steps", "4"});
    ASSERT_EQ(output.code, 0) << output.all();
  }
  static const fs::path& trained() {
    static const fs::path run = fs::path(testing::TempDir()) / "evaluated-run";
    return run;
  }
  std::string write(const std::string& name, const std::string& text) const {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }
  Output evaluate(const std::string& benchmark, const std::string& input,
                  const Arguments& more = {}, int ranks = 0) const {
    return run(Arguments{"evaluate", benchmark, "--run", trained(), "--input", input, "--root",
                         kPictures, "--output", out_, "--generate.max_new_tokens", "4",
                         "--describe.max_new_tokens", "4"} +
                   more,
               {.ranks = ranks});
  }
  /// The scores, whose card says all that is known of the answers.
  io::Json scored(const std::string& benchmark, const std::string& input,
                  const Arguments& more = {}, int ranks = 0) const {
    const Output output = evaluate(benchmark, input, more, ranks);
    EXPECT_EQ(output.code, 0) << output.all();
    const io::Json json = io::Json::parse(output.out, "output");
    EXPECT_EQ(json.at("benchmark").string(), benchmark);
    const io::Json card = json.at("protocol");
    EXPECT_EQ(card.at("prompt_template").at("name").string(), "lynx");
    EXPECT_TRUE(card.at("decoding").is_object());
    EXPECT_EQ(card.at("weights").string(),
              "llm random (seed 1, std 0.1), vision random (seed 1, std 0)");
    EXPECT_THAT(card.at("checkpoint").string(), HasSubstr("step 4"));
    EXPECT_EQ(card.at("answers").at(size_t{0}).at("digest").string(), io::digest_file(out_).hex());
    return json;
  }

  const Folder folder_{"evaluate-run"};
  const std::string out_ = folder_ / "answers.jsonl";
};

TEST_F(EvaluateRun, AnswersAndScoresEveryBenchmark) {
  const std::string openvqa = write(
      "openvqa.jsonl",
      fmt::format(R"({{"dataset": "Open_VQA_images", "question": "How many?", "answer": ["two"], )"
                  R"("index": 1, "image": "{}", "class": "Counting"}})"
                  "\n",
                  kPicture));
  const io::Json judged =
      scored("openvqa", openvqa, {"--items", folder_ / "items.jsonl", "--judge", "exact"});
  EXPECT_EQ(judged.at("images").at("questions").integer(), 1);
  EXPECT_TRUE(judged.at("protocol").at("decoding").find("description_first"));
  EXPECT_EQ(lines_of(folder_ / "items.jsonl").size(), 1u);

  const std::string captions =
      write("captions.jsonl",
            fmt::format("{{\"image\": \"{}\", \"references\": [\"a man\"]}}\n", kPicture));
  const io::Json caption =
      scored("caption", captions, {"--question", "What is shown?", "--overwrite"});
  EXPECT_EQ(caption.at("items").integer(), 1);
  EXPECT_EQ(caption.at("protocol").at("decoding").at("question").string(), "What is shown?");

  const std::string vqa =
      write("vqa.jsonl", fmt::format(R"({{"question_id": 1, "image": "{}", "question": "What?", )"
                                     R"("answers": ["a", "b", "a"]}})"
                                     "\n",
                                     kPicture));
  EXPECT_EQ(scored("vqa", vqa, {"--overwrite"}, 2).at("questions").integer(), 1);

  const std::string owleval =
      write("owleval.jsonl",
            fmt::format("{{\"question_id\": 1, \"image\": \"{}\", \"question\": \"What?\"}}\n",
                        kPicture));
  const io::Json rated = scored("owleval", owleval,
                                {"--overwrite", "--questions", owleval, "--sheet",
                                 folder_ / "sheet.html", "--images", kPictures});
  EXPECT_TRUE(fs::exists(folder_ / "sheet.html"));
}

TEST_F(EvaluateRun, ReadsTheFoldersOfMme) {
  for (const char* name : {"a", "b"}) {
    write(fmt::format("mme/count/{}.txt", name), "One?\tYes\nTwo?\tNo\n");
    fs::copy_file(kPictures / kPicture, folder_ / fmt::format("mme/count/{}.jpg", name));
  }
  const Output output =
      run({"evaluate", "mme", "--run", trained(), "--input", folder_ / "mme", "--output", out_,
           "--partial", "--generate.max_new_tokens", "4", "--describe.max_new_tokens", "4"});
  ASSERT_EQ(output.code, 0) << output.all();
  const io::Json json = io::Json::parse(output.out, "output");
  EXPECT_EQ(json.at("items").integer(), 4);
  EXPECT_THAT(lines_of(out_)[0], AllOf(HasSubstr(R"("category":"count","image":"count/a.jpg")"),
                                       HasSubstr("description")));
}

TEST_F(EvaluateRun, ChoosesOptionsByTheirLikelihood) {
  const std::string rows = write(
      "options.jsonl",
      fmt::format(
          R"({{"question": "What color is it?", "image": "{0}", "options": ["red", "dark blue"], "answer": "red"}}
{{"question": "What color is it?", "image": "{0}", "options": ["dark blue", "red"], "answer": 1}}
{{"question": "What color is it?", "options": ["green", "yellow", "red"], "answer": "red"}}
)",
          kPicture));
  const io::Json json = scored("options", rows);
  EXPECT_EQ(json.at("questions").integer(), 3);
  EXPECT_THAT(json.at("protocol").at("decoding").at("mode").string(),
              HasSubstr("mean log-probability"));
  const std::vector<std::string> lines = lines_of(out_);
  ASSERT_EQ(lines.size(), 3u);
  const auto sum = [&](size_t row, size_t option) {
    return io::Json::parse(lines[row], "line").at("option_scores").at(option).at("sum").number();
  };
  // Their order and the other options change nothing.
  EXPECT_EQ(sum(0, 0), sum(1, 1));
  EXPECT_EQ(sum(0, 1), sum(1, 0));
  EXPECT_LT(sum(0, 0), 0);
  // The grid neither.
  const std::string alone = io::read_text(out_);
  int number = 0;
  for (const Arguments& shape : {grid(2, 1, 1), grid(1, 2, 1)}) {
    const std::string file = folder_ / fmt::format("{}.jsonl", number++);
    ASSERT_EQ(evaluate("options", rows, shape + Arguments{"--output", file}, 2).code, 0);
    EXPECT_EQ(io::read_text(file), alone);
  }
  const std::string bad =
      write("bad.jsonl", "{\"question\": \"What?\", \"options\": [\"a\", \"a\"], \"answer\": 0}\n");
  const Output refused = evaluate("options", bad, {"--overwrite"});
  EXPECT_EQ(refused.code, 3) << refused.all();
  EXPECT_THAT(refused.err, HasSubstr("expected at least two texts, all different"));
}

// The log-probability of the right answer is what `evaluate heldout` says of it.
TEST_F(EvaluateRun, LikelihoodsAreThoseOfHeldOutAnswers) {
  const Arguments set = {"--data.validation", "color:" + shard("validation-Color")};
  ASSERT_EQ(run(Arguments{"evaluate", "--run", trained()} + set).code, 0);
  ASSERT_EQ(run(Arguments{"generate", "--run", trained(), "--output", out_, "--scores"} + set).code,
            0);
  int right = 0;
  const std::vector<std::string> said = lines_of(trained() / "predictions.jsonl");
  const std::vector<std::string> lines = lines_of(out_);
  ASSERT_EQ(lines.size(), said.size());
  for (size_t i = 0; i < lines.size(); ++i) {
    const io::Json line = io::Json::parse(lines[i], "line"),
                   other = io::Json::parse(said[i], "line");
    EXPECT_EQ(line.at("right").boolean(), other.at("right").boolean());
    EXPECT_EQ(line.at("sample").integer(), static_cast<int64_t>(i));
    if (!line.at("right").boolean()) continue;
    ++right;
    EXPECT_NEAR(line.at("scores").at(size_t{0}).at("sum").number(),
                other.at("log_probability").number(), 1e-3);
  }
  const Output scores =
      run({"evaluate", "heldout", "--answers", out_, "--sheet", folder_ / "sheet.html",
           "--pictures", "color:" + shard("validation-Color")});
  ASSERT_EQ(scores.code, 0) << scores.all();
  EXPECT_EQ(io::Json::parse(scores.out, "output").at("right").integer(), right);
  const std::string page = io::read_text(folder_ / "sheet.html");
  size_t pictures = 0;
  for (size_t at = page.find("<img src=\"data:image/"); at != std::string::npos;
       at = page.find("<img src=\"data:image/", at + 1))
    ++pictures;
  EXPECT_EQ(pictures, lines.size());
  const auto expect_refused = [&](const Arguments& more, int code, const std::string& message) {
    const Output output = run(Arguments{"evaluate", "heldout", "--answers", out_} + more);
    EXPECT_EQ(output.code, code) << output.all();
    EXPECT_EQ(output.messages(), 1) << output.all();
    EXPECT_THAT(output.err, HasSubstr(message));
  };
  const std::string sheet = folder_ / "other.html";
  expect_refused({"--sheet", sheet}, 2, "--sheet FILE and --pictures NAME:GLOB together");
  expect_refused({"--sheet", sheet, "--pictures", "other:" + shard("validation-Color")}, 3,
                 "expected the dataset of its pictures, --pictures color:GLOB, found none");
  expect_refused({"--sheet", sheet, "--pictures", "color:" + shard("train-Color")}, 3,
                 "expected sample 0 of color to be");
  expect_refused({"--partial"}, 2, "--partial is an option of mme only");
  EXPECT_FALSE(fs::exists(sheet));
}

TEST_F(EvaluateRun, NamesWhatIsMissing) {
  const auto expect_refused = [&](const Arguments& arguments, int code,
                                  const std::string& message) {
    const Output output = run(Arguments{"evaluate"} + arguments);
    EXPECT_EQ(output.code, code) << output.all();
    EXPECT_EQ(output.messages(), 1) << output.all();
    EXPECT_THAT(output.err, HasSubstr(message));
  };
  const std::string from = trained();
  expect_refused({"mme", "--run", from, "--output", out_}, 2,
                 "evaluate mme: expected --input PATH");
  expect_refused({"vqa", "--run", from, "--input", "rows.jsonl"}, 2, "output: expected a file");
  expect_refused({"vqa", "--run", from, "--input", folder_ / "absent.jsonl", "--output", out_}, 3,
                 "absent.jsonl");
  expect_refused({"vqa", "--run", from, "--input", "x.jsonl", "--output", out_, "--partial"}, 2,
                 "evaluate vqa: --partial is an option of mme only");
  const std::string both = write("both.jsonl",
                                 "{\"question\": \"a?\", \"image\": \"a.jpg\"}\n{\"question\": "
                                 "\"b?\", \"video\": \"b.mp4\"}\n");
  expect_refused({"openvqa", "--run", from, "--input", both, "--output", out_}, 2,
                 "expected questions about images or about videos, found both");
}

}  // namespace
}  // namespace lynceus::cli_test
