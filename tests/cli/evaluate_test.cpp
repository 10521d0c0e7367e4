// `evaluate`: a line for each set and class with what was scored, the answers, a table for people,
// and the same names and figures as the validation of the run, on every grid.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>

#include <cmath>
#include <cstdlib>
#include <sstream>

#include "io/files/json.h"
#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Evaluate : public testing::Test {
 protected:
  void SetUp() override {
    const Output output = run(train_arguments(run_) + Arguments{"--train.steps", "4"} + sets_);
    ASSERT_EQ(output.code, 0) << output.all();
  }
  Output evaluate(const Arguments& more = {}, int ranks = 0) const {
    return run(Arguments{"evaluate", "--run", run_} + more, {.ranks = ranks});
  }
  static std::vector<std::string> lines_in(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }
  static std::vector<std::string> keys_of(const std::string& line) {
    std::vector<std::string> keys;
    for (const auto& [key, value] : io::Json::parse(line, "line").members()) keys.push_back(key);
    return keys;
  }

  const Folder folder_{"evaluate"};
  const fs::path run_ = folder_ / "run";
  // Two sets of one task, and one of another.
  const Arguments sets_ = {"--data.validation", "near:" + shard("validation-Color"),
                           "far:" + shard("train-Color"), "cap:" + shard("validation-captions")};
};

TEST_F(Evaluate, SetsOfOneTaskAreLinesOfTheirOwnAsInTheRun) {
  const std::vector<std::string> said = metrics_of(run_).validations;
  const Output output = evaluate();
  ASSERT_EQ(output.code, 0) << output.all();
  const std::vector<std::string> lines = lines_in(output.out);
  ASSERT_EQ(lines.size(), 3u) << output.all();
  ASSERT_EQ(said.size(), 3u);
  const char* sets[] = {"\"near\"", "\"far\"", "\"cap\""};
  const char* counts[] = {"12", "24", "12"};
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(member(lines[i], "set"), sets[i]);
    EXPECT_EQ(member(lines[i], "samples"), counts[i]);
    EXPECT_EQ(member(lines[i], "step"), "4");
    EXPECT_EQ(member(lines[i], "run"), fmt::format("\"{}\"", run_.string()));
    EXPECT_EQ(member(lines[i], "weights"), "\"random 1 0.1\"");
    EXPECT_EQ(member(lines[i], "template"), "\"lynx\"");
    // All that the run says, under the same names.
    for (const std::string& key : keys_of(said[i]))
      if (key != "validation" && key != "kind") {
        EXPECT_EQ(member(lines[i], key), member(said[i], key)) << key;
      }
  }
}

TEST_F(Evaluate, PredictionsAreTheSameOnEveryGrid) {
  ASSERT_EQ(evaluate().code, 0);
  const std::vector<std::string> alone = lines_of(run_ / "predictions.jsonl");
  ASSERT_EQ(alone.size(), 48u);
  EXPECT_THAT(keys_of(alone[0]), ElementsAre("answer", "class", "key", "log_probability",
                                             "question", "reference", "right", "set", "turn"));
  EXPECT_EQ(member(alone[0], "key"), "\"validation-Color-5-0\"");
  EXPECT_THAT(member(alone[0], "question"), HasSubstr("color is the"));
  double sum = 0;
  int64_t right = 0;
  for (size_t i = 0; i < 12; ++i) {
    sum -= std::stod(member(alone[i], "log_probability"));
    right += member(alone[i], "right") == "true";
  }
  const std::string line = lines_in(evaluate().out)[0];
  // Greedy decoding and the end token: the loss is a mean over all of them.
  const double tokens = sum / std::stod(member(line, "loss"));
  EXPECT_NEAR(tokens, std::round(tokens), 1e-2);
  EXPECT_NEAR(std::stod(member(line, "answer_accuracy")), static_cast<double>(right) / 12, 1e-9);
  int number = 0;
  for (const Arguments& shape : {grid(2, 1, 1), grid(1, 2, 1), grid(1, 1, 2), grid(2, 2, 1)}) {
    const std::string file = folder_ / fmt::format("{}.jsonl", number);
    const int ranks = number++ == 3 ? 4 : 2;
    const Output output = evaluate(shape + Arguments{"--predictions", file}, ranks);
    ASSERT_EQ(output.code, 0) << output.all();
    const std::vector<std::string> lines = lines_of(file);
    ASSERT_EQ(lines.size(), alone.size());
    for (size_t i = 0; i < lines.size(); ++i) {
      for (const char* key : {"set", "key", "answer", "reference", "right"})
        EXPECT_EQ(member(lines[i], key), member(alone[i], key)) << lines[i];
      EXPECT_NEAR(std::stod(member(lines[i], "log_probability")),
                  std::stod(member(alone[i], "log_probability")), 1e-3);
    }
  }
}

TEST_F(Evaluate, PredictionsGoWhereTheyAreWanted) {
  ASSERT_EQ(evaluate({"--predictions", "none"}).code, 0);
  EXPECT_FALSE(fs::exists(run_ / "predictions.jsonl"));
  const Output refused = evaluate({"--predictions", folder_ / "nowhere" / "p.jsonl"});
  EXPECT_EQ(refused.code, 4) << refused.all();
  EXPECT_THAT(refused.err, HasSubstr("nowhere/p.jsonl"));
}

TEST_F(Evaluate, ScoresAreNotLostWithTheAnswers) {
  const std::string scores = evaluate().out;
  ASSERT_EQ(lines_in(scores).size(), 3u);
  fs::remove(run_ / "predictions.jsonl");
  // `ulimit` counts blocks of 512 bytes: the scores fit, the answers do not.
  const Launch launch{.shell = "ulimit -f 8; exec \"$@\""};
  const Output output = run({"evaluate", "--run", run_}, launch);
  EXPECT_EQ(output.code, 0) << output.all();
  EXPECT_EQ(output.out, scores);
  EXPECT_THAT(output.err, HasSubstr("no predictions are written (--predictions FILE names "));
  const Output asked =
      run({"evaluate", "--run", run_, "--predictions", folder_ / "asked.jsonl"}, launch);
  EXPECT_EQ(asked.code, 4) << asked.all();
  EXPECT_EQ(asked.messages(), 1) << asked.all();
  EXPECT_EQ(asked.out, scores);
  for (const fs::path& folder : {run_, folder_.path()})
    for (const auto& entry : fs::directory_iterator(folder))
      EXPECT_THAT(entry.path().filename().string(),
                  testing::Not(testing::AnyOf(HasSubstr(".jsonl."), HasSubstr("predictions"))));
}

TEST_F(Evaluate, TwoProcessesMayWriteTheAnswersOfOneRun) {
  std::ofstream(run_ / "predictions.jsonl.partial") << "of another process";
  for (int round = 0; round < 3; ++round) {
    Program one({"evaluate", "--run", run_}), two({"evaluate", "--run", run_});
    for (Program* program : {&one, &two}) {
      const Output output = program->wait();
      EXPECT_EQ(output.code, 0) << output.all();
      EXPECT_EQ(output.err, "");
    }
    EXPECT_EQ(lines_of(run_ / "predictions.jsonl").size(), 48u);
  }
  EXPECT_EQ(io::read_text(run_ / "predictions.jsonl.partial"), "of another process");
}

/// A terminal; what is written to it can be read.
class Terminal {
 public:
  Terminal() : main_(posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK)) {
    EXPECT_TRUE(grantpt(main_) == 0 && unlockpt(main_) == 0);
    name_ = ptsname(main_);
    other_ = open(name_.c_str(), O_RDWR | O_NOCTTY);
    EXPECT_GE(other_, 0);
  }
  ~Terminal() {
    close(main_);
    close(other_);
  }
  const std::string& name() const { return name_; }
  std::string text() const {
    std::string text(1 << 16, '\0');
    const ssize_t count = read(main_, text.data(), text.size());
    text.resize(count > 0 ? static_cast<size_t>(count) : 0);
    return text;
  }

 private:
  int main_, other_ = -1;
  std::string name_;
};

TEST_F(Evaluate, ShowsATableOnATerminal) {
  const Terminal terminal;
  const Launch on_terminal{.shell = "exec \"$@\" >" + terminal.name()};
  for (const Arguments& ranks : {Arguments{}, Arguments{"--ranks", "2"}}) {
    const Output output = run(Arguments{"evaluate", "--run", run_} + ranks, on_terminal);
    ASSERT_EQ(output.code, 0) << output.all();
    EXPECT_THAT(terminal.text(), HasSubstr("set   class    answers  baseline"));
  }
  // mpirun gives its ranks a terminal of their own, whatever its own output is.
  const Output output = evaluate({}, 2);
  EXPECT_THAT(output.out, testing::StartsWith("{\"set\""));
}

TEST_F(Evaluate, ATableIsForPeople) {
  const Output output = evaluate({"--format", "table"});
  ASSERT_EQ(output.code, 0) << output.all();
  const std::vector<std::string> lines = lines_in(output.out);
  ASSERT_EQ(lines.size(), 6u) << output.all();
  EXPECT_THAT(lines[0],
              AllOf(HasSubstr("step 4, weights random (seed 1, std 0.1), template lynx")));
  EXPECT_THAT(lines[2], testing::StartsWith("set   class    answers  baseline"));
  EXPECT_THAT(lines[3], testing::ContainsRegex("^near  Color   +[0-9.]+ %"));
}

TEST_F(Evaluate, AnotherTemplateIsAWarning) {
  EXPECT_THAT(evaluate().err, IsEmpty());
  const Output output = evaluate({"--data.prompt", "vicuna"});
  EXPECT_EQ(output.code, 0) << output.all();
  EXPECT_THAT(output.err,
              AllOf(HasSubstr("data.prompt = vicuna: the run was trained with another prompt "
                              "template; expected "),
                    HasSubstr("(lynx), found "), HasSubstr("(vicuna)")));
  EXPECT_EQ(member(output.out, "template"), "\"vicuna\"");
}

TEST_F(Evaluate, AStepThatIsNotThereIsAnsweredWithThoseThatAre) {
  for (const int ranks : {0, 2}) {
    const Output output = evaluate({"--resume", "3"}, ranks);
    EXPECT_EQ(output.code, 3) << output.all();
    EXPECT_EQ(output.messages(), 1) << output.all();
    EXPECT_THAT(output.err,
                HasSubstr("has no committed checkpoint of step 3: it has that of step 4"));
  }
}

}  // namespace
}  // namespace lynceus::cli_test
