// `generate`: rows in, answers out, in their order and the same on every grid, with any batch and
// after a restart; what cannot be answered is listed or is one clear message.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "io/files/json.h"
#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const fs::path kPictures = fs::path(LYNCEUS_SOURCE_DIR) / "tests/data/photos/images";

class Generate : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const Output output = run(train_arguments(trained()) + Arguments{"--train.steps", "4"});
    ASSERT_EQ(output.code, 0) << output.all();
  }
  static const fs::path& trained() {
    static const fs::path run = fs::path(testing::TempDir()) / "generate-run";
    return run;
  }
  static Output generate(const Arguments& more, int ranks = 0) {
    return run(Arguments{"generate", "--run", trained(), "--generate.max_new_tokens", "6"} + more,
               {.ranks = ranks});
  }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }
  /// Questions about the photographs, one each, and two about the first.
  std::string questions() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(kPictures))
      names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    std::string text;
    for (size_t i = 0; i < names.size(); ++i)
      text += fmt::format(
                  R"({{"question": "What is this, number {}?", "image": "{}", "b": 1, "a": [2]}})",
                  i, names[i]) +
              "\n";
    text += fmt::format(R"({{"image":"{}","question":"Where is it?"}})", names[0]) + "\n";
    text += "{\"question\": \"Two and two?\"}\n";
    return write("questions.jsonl", text);
  }
  static std::string answer_of(const std::string& line) {
    return io::Json::parse(line, "line").at("answer_predicted").string();
  }

  const Folder folder_{"generate"};
  const std::string out_ = folder_ / "answers.jsonl";
};

TEST_F(Generate, RowsStayAsTheyAreAndGetAnswers) {
  const std::string input = questions();
  const Output output = generate({"--input", input, "--root", kPictures, "--output", out_});
  ASSERT_EQ(output.code, 0) << output.all();
  const std::vector<std::string> rows = lines_of(input), lines = lines_of(out_);
  ASSERT_EQ(lines.size(), rows.size());
  std::set<std::string> different;
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_TRUE(
        lines[i].starts_with(rows[i].substr(0, rows[i].size() - 1) + ",\"answer_predicted\":"))
        << lines[i];
    different.insert(answer_of(lines[i]));
  }
  EXPECT_GT(different.size(), 1u);
  EXPECT_THAT(output.out, HasSubstr(fmt::format("{0} of {0} rows answered", rows.size())));
  EXPECT_FALSE(fs::exists(out_ + ".partial"));
  EXPECT_FALSE(fs::exists(out_ + ".rejected.jsonl"));
  const io::Json card = io::Json::read(out_ + ".card.json");
  EXPECT_EQ(card.at("prompt_template").at("name").string(), "lynx");
  EXPECT_EQ(card.at("decoding").at("max_new_tokens").integer(), 6);
  EXPECT_THAT(card.at("checkpoint").string(), HasSubstr("step 4"));
}

TEST_F(Generate, NoGridAndNoBatchChangesAnAnswer) {
  const std::string input = questions();
  const Arguments common = {
      "--input", input, "--root", kPictures, "--scores", "--generate.num_beams", "3"};
  ASSERT_EQ(generate(common + Arguments{"--output", out_}).code, 0);
  const std::vector<std::string> alone = lines_of(out_);
  EXPECT_THAT(alone.front(), HasSubstr("\"scores\":[{\"sum\":"));
  int number = 0;
  for (const Arguments& shape : {grid(1, 1, 1), grid(2, 1, 1), grid(1, 2, 1), grid(1, 1, 2)}) {
    const std::string file = folder_ / fmt::format("{}.jsonl", number);
    const Output output =
        generate(common + shape + Arguments{"--output", file, "--generate.batch_size", "1"},
                 number++ == 0 ? 1 : 2);
    ASSERT_EQ(output.code, 0) << output.all();
    EXPECT_EQ(lines_of(file), alone);
  }
}

TEST_F(Generate, ALaterStartKeepsWhatIsAnswered) {
  const std::string input = questions();
  const Arguments common = {"--input", input, "--root", kPictures};
  ASSERT_EQ(generate(common + Arguments{"--output", out_}).code, 0);
  const std::vector<std::string> all = lines_of(out_);
  // As a start that was killed leaves it: some rows, the last one incomplete.
  const std::string part = folder_ / "part.jsonl";
  fs::create_directories(part + ".partial");
  fs::copy_file(out_ + ".card.json", part + ".partial/card.json");
  std::ofstream lines(part + ".partial/replica-3.jsonl");
  for (size_t row : {4, 1}) {
    std::string answered = all[row];
    const size_t at = answered.rfind("\":\"");
    answered = answered.substr(0, at) + "\":\"kept\"}";
    lines << fmt::format("{{\"row\":{},\"line\":{}}}\n", row, io::json_quoted(answered));
  }
  lines << "{\"row\":2,\"line\":\"{";
  lines.close();
  const Output output = generate(common + Arguments{"--output", part});
  ASSERT_EQ(output.code, 0) << output.all();
  EXPECT_THAT(output.out, HasSubstr("(2 by an earlier start)"));
  const std::vector<std::string> found = lines_of(part);
  ASSERT_EQ(found.size(), all.size());
  for (size_t row = 0; row < all.size(); ++row)
    if (row == 1 || row == 4) {
      EXPECT_EQ(answer_of(found[row]), "kept");
    } else {
      EXPECT_EQ(found[row], all[row]);
    }
  // The finished file is kept as a whole, and by the same settings only.
  const Output again = generate(common + Arguments{"--output", part});
  EXPECT_THAT(again.out, HasSubstr(fmt::format("({} by an earlier start)", all.size())));
  EXPECT_EQ(lines_of(part), found);
  const Output refused =
      generate(common + Arguments{"--output", part, "--generate.num_beams", "2"});
  EXPECT_EQ(refused.code, 2) << refused.all();
  EXPECT_EQ(refused.messages(), 1) << refused.all();
  EXPECT_THAT(refused.err, AllOf(HasSubstr("decoding"), HasSubstr("\"num_beams\":2")));
  ASSERT_EQ(generate(common + Arguments{"--output", part, "--overwrite"}).code, 0);
  EXPECT_EQ(lines_of(part), all);
}

// The rank that writes fails while the other one of its replica waits for it.
TEST_F(Generate, AFullDiskOfOneRankEndsAllAndLosesNothing) {
  const std::string input = questions();
  const Arguments common = {"--input", input, "--root", kPictures, "--output", out_};
  for (const Arguments& shape : {grid(2, 1, 1), grid(1, 2, 1)}) {
    const Output full =
        run(Arguments{"generate", "--run", trained(), "--generate.max_new_tokens", "6",
                      "--generate.batch_size", "1", "--overwrite"} +
                common + shape,
            {.ranks = 2, .environment = {"LYNCEUS_FAULT=generate.answer@0#3=enospc"}});
    EXPECT_EQ(full.code, 4) << full.all();
    EXPECT_THAT(full.err, HasSubstr("No space left on device"));
    EXPECT_FALSE(fs::exists(out_));
    const Output later = generate(common);
    EXPECT_EQ(later.code, 0) << later.all();
    EXPECT_THAT(later.out, HasSubstr("(2 by an earlier start)"));
  }
}

TEST_F(Generate, RowsThatCannotBeAnsweredAreListed) {
  write("broken.jpg", "no picture");
  const std::string picture = kPictures / fs::directory_iterator(kPictures)->path().filename();
  const std::string input =
      write("rows.jsonl", fmt::format("{{\"question\": \"What?\", \"image\": \"{}\"}}\n", picture) +
                              "{\"question\": \"What?\", \"image\": \"missing.jpg\"}\n"
                              "{\"question\": \"What?\", \"image\": \"broken.jpg\"}\n"
                              "{\"question\": \"  \"}\n"
                              "{\"image\": \"a.jpg\"}\n"
                              "{\"question\": \n"
                              "{\"question\": \"" +
                              std::string(20000, 'x') + "\"}\n");
  const Output output = generate({"--input", input, "--output", out_});
  ASSERT_EQ(output.code, 0) << output.all();
  EXPECT_THAT(output.out, HasSubstr("1 of 7 rows answered"));
  ASSERT_EQ(lines_of(out_).size(), 1u);
  const std::vector<std::string> rejected = lines_of(out_ + ".rejected.jsonl");
  ASSERT_EQ(rejected.size(), 6u);
  const char* reasons[] = {"missing.jpg", "broken.jpg",   "question: expected a text",
                           "question",    "rows.jsonl:6", "context of the model"};
  for (size_t i = 0; i < 6; ++i) {
    const io::Json entry = io::Json::parse(rejected[i], "line");
    EXPECT_EQ(entry.at("row").integer(), static_cast<int64_t>(i) + 1);
    EXPECT_THAT(entry.at("reason").string(), HasSubstr(reasons[i]));
  }
}

// A member that is there already would be twice in the line, which is no valid answer then.
TEST_F(Generate, MembersOfAnswersAreNotAmongThoseOfRows) {
  const std::string input = write("rows.jsonl", R"({"question": "a", "description": "mine"}
{"question": "b", "scores": 1}
{"question": "c", "answers_predicted": []}
{"question": "d", "answer_predicted": "e"}
)");
  const auto answered = [&](const Arguments& more) {
    const Output output =
        generate(Arguments{"--input", input, "--output", out_, "--overwrite"} + more);
    EXPECT_EQ(output.code, 0) << output.all();
    std::string questions;
    for (const std::string& line : lines_of(out_))
      questions += io::Json::parse(line, "line").at("question").string();
    return questions;
  };
  EXPECT_EQ(answered({}), "abc");
  EXPECT_EQ(answered({"--scores"}), "ac");
  EXPECT_EQ(answered({"--generate.num_beams", "2", "--generate.num_return_sequences", "2"}), "ab");
  EXPECT_EQ(answered({"--describe.first"}), "bc");
  EXPECT_THAT(lines_of(out_ + ".rejected.jsonl").front(), HasSubstr("description: expected a row"));
}

TEST_F(Generate, AnswersWithAndWithoutScoresAreNotMixed) {
  const std::string input = write("rows.jsonl", "{\"question\": \"What?\"}\n");
  const Arguments common = {"--input", input, "--output", out_};
  ASSERT_EQ(generate(common).code, 0);
  const Output refused = generate(common + Arguments{"--scores"});
  EXPECT_EQ(refused.code, 2) << refused.all();
  EXPECT_THAT(refused.err, HasSubstr("\"scores\":true"));
  ASSERT_EQ(generate(common + Arguments{"--scores", "--overwrite"}).code, 0);
  EXPECT_THAT(lines_of(out_).front(), HasSubstr("\"scores\":[{"));
}

TEST_F(Generate, OneQuestionIsAnsweredOnStandardOutput) {
  const std::string picture = kPictures / fs::directory_iterator(kPictures)->path().filename();
  const Output output = generate({"--image", picture, "--question", "What is this?"});
  ASSERT_EQ(output.code, 0) << output.all();
  EXPECT_EQ(std::count(output.out.begin(), output.out.end(), '\n'), 1);
  const Output missing = generate({"--image", "nowhere.jpg", "--question", "What is this?"});
  EXPECT_EQ(missing.code, 3) << missing.all();
  EXPECT_EQ(missing.messages(), 1) << missing.all();
  EXPECT_THAT(missing.err, HasSubstr("nowhere.jpg"));
}

TEST_F(Generate, ADescriptionStaysInTheConversation) {
  const std::string input = questions();
  const Arguments common = {"--input", input, "--root", kPictures, "--describe.max_new_tokens",
                            "5"};
  ASSERT_EQ(generate(common + Arguments{"--output", out_}).code, 0);
  const std::string described = folder_ / "described.jsonl";
  ASSERT_EQ(generate(common + Arguments{"--output", described, "--describe.first", "true"}).code,
            0);
  const std::vector<std::string> without = lines_of(out_), with = lines_of(described);
  ASSERT_EQ(with.size(), without.size());
  EXPECT_THAT(with.front(), HasSubstr("\"description\":\""));
  EXPECT_EQ(with.back(), without.back()) << "a text without a picture has no description";
  EXPECT_NE(with, without);
  // The description is the answer to its request.
  const io::Json first = io::Json::parse(with.front(), "line");
  const Output alone =
      run({"generate", "--run", trained(), "--generate.max_new_tokens", "5", "--image",
           kPictures / first.at("image").string(), "--question", "Describe the image in detail"});
  EXPECT_EQ(alone.out, first.at("description").string() + "\n");
}

TEST_F(Generate, PresetsAreSettings) {
  const std::string input = write("rows.jsonl", "{\"question\": \"What?\"}\n");
  const Output output = generate({"--input", input, "--output", out_, "--preset", "openvqa-image",
                                  "--generate.num_beams", "2"});
  ASSERT_EQ(output.code, 0) << output.all();
  const io::Json decoding = io::Json::read(out_ + ".card.json").at("decoding");
  EXPECT_EQ(decoding.at("length_penalty").number(), -2);
  EXPECT_EQ(decoding.at("num_beams").integer(), 2);
  EXPECT_EQ(decoding.at("max_new_tokens").integer(), 6);
  EXPECT_TRUE(decoding.find("description_first"));
  const Output unknown = generate({"--input", input, "--output", out_, "--preset", "nonsense"});
  EXPECT_EQ(unknown.code, 2) << unknown.all();
  EXPECT_THAT(unknown.err, HasSubstr("nonsense"));
}

// Greedy answers of held-out samples are right where `evaluate` says so, and a prediction is the
// answer up to its first wrong token.
TEST_F(Generate, AnswersOfHeldOutSamplesAreThoseThatEvaluateCounts) {
  const Arguments sets = {"--data.validation", "color:" + shard("validation-Color"),
                          "cap:" + shard("validation-captions"), "seen:" + shard("train-Color")};
  ASSERT_EQ(run(Arguments{"evaluate", "--run", trained()} + sets).code, 0);
  const Output output = run(Arguments{"generate", "--run", trained(), "--output", out_,
                                      "--generate.max_new_tokens", "40"} +
                            sets);
  ASSERT_EQ(output.code, 0) << output.all();
  const std::vector<std::string> counted = lines_of(trained() / "predictions.jsonl"),
                                 answers = lines_of(out_);
  ASSERT_EQ(answers.size(), counted.size());
  for (size_t i = 0; i < answers.size(); ++i) {
    const io::Json said = io::Json::parse(counted[i], "line");
    const std::string answer = answer_of(answers[i]);
    EXPECT_EQ(said.at("right").boolean(), answer == said.at("reference").string()) << answers[i];
    EXPECT_EQ(io::Json::parse(answers[i], "line").at("key").string(), said.at("key").string());
  }
}

TEST_F(Generate, ACheckpointIsARunToo) {
  const std::string input = write("rows.jsonl", "{\"question\": \"What?\"}\n");
  const auto answer_with = [&](const std::string& path) {
    const std::string file = folder_ / "one.jsonl";
    const Output output = run({"generate", "--checkpoint", path, "--input", input, "--output", file,
                               "--overwrite", "--generate.max_new_tokens", "6"});
    EXPECT_EQ(output.code, 0) << output.all();
    return lines_of(file);
  };
  EXPECT_EQ(answer_with(trained()), answer_with(checkpoint(trained(), 4)));
  const Output refused =
      run({"generate", "--checkpoint", folder_ / "nothing", "--input", input, "--output", out_});
  EXPECT_EQ(refused.code, 3) << refused.all();
  EXPECT_THAT(refused.err, HasSubstr("expected a run directory"));
}

TEST_F(Generate, ACheckpointIsFoundFromTheFolderOfItsRun) {
  const Arguments ask = {"--question", "What?", "--generate.max_new_tokens", "6"};
  const std::string there = "cd " + trained().string() + " && exec \"$@\"";
  const Output expected = generate({"--question", "What?"});
  EXPECT_EQ(expected.code, 0) << expected.all();
  for (const char* checkpoint :
       {".", "checkpoints/step-00000004", "./checkpoints/step-00000004/"}) {
    const Output found =
        run(Arguments{"generate", "--checkpoint", checkpoint} + ask, {.shell = there});
    EXPECT_EQ(found.code, 0) << found.all();
    EXPECT_EQ(found.out, expected.out);
  }
}

TEST_F(Generate, OptionsThatChooseTheCheckpointAreNeverIgnored) {
  const Arguments ask = {"--question", "What?"};
  const Output both = generate(ask + Arguments{"--checkpoint", trained()});
  EXPECT_EQ(both.code, 2) << both.all();
  EXPECT_THAT(both.err, HasSubstr("expected --run or --checkpoint, found both"));
  const Output two_steps =
      run(Arguments{"generate", "--checkpoint", checkpoint(trained(), 4), "--resume", "4"} + ask);
  EXPECT_EQ(two_steps.code, 2) << two_steps.all();
  EXPECT_THAT(two_steps.err, HasSubstr("--resume: expected a run in --checkpoint"));
  const Output missing =
      run(Arguments{"generate", "--checkpoint", trained(), "--resume", "3"} + ask);
  EXPECT_EQ(missing.code, 3) << missing.all();
  EXPECT_THAT(missing.err, HasSubstr("no committed checkpoint of step 3"));
}

TEST_F(Generate, ATokenizerOfAnotherCheckpointIsRefused) {
  const std::string other =
      std::string(LYNCEUS_SOURCE_DIR) + "/tests/data/tokenizer/test_model.model";
  const Output output =
      generate({"--question", "What?", "--data.tokenizer", other, "--model.vocab_size", "1001"});
  EXPECT_NE(output.code, 0);
  EXPECT_EQ(output.messages(), 1) << output.all();
  EXPECT_THAT(output.err, HasSubstr("tokenizer"));
}

TEST_F(Generate, WrongOptionsAreNamedTogether) {
  const Output output = generate({"--image", "a.jpg", "--generate.batch_size", "0"});
  EXPECT_EQ(output.code, 2) << output.all();
  EXPECT_THAT(output.err, AllOf(HasSubstr("question"), HasSubstr("generate.batch_size")));
  const Output nothing = generate({"--generate.num_beams", "2"});
  EXPECT_EQ(nothing.code, 2) << nothing.all();
  EXPECT_THAT(nothing.err, HasSubstr("output: expected a file"));
}

}  // namespace
}  // namespace lynceus::cli_test
