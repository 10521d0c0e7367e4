// Templates to tokens: which tokens are scored, what is cut off, messages about invalid files.
#include "io/text/prompt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "core/error.h"

namespace lynceus::io {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

const fs::path kRoot = LYNCEUS_SOURCE_DIR;
constexpr int64_t kNoLimit = 1 << 20;

class PromptTest : public testing::Test {
 protected:
  static PromptStyle style(const std::string& name) {
    return PromptStyle::load(kRoot / "configs/prompts" / (name + ".ini"));
  }
  /// bos, then each text encoded separately; texts at odd indices are answers: scored, with eos.
  TokenizedSample expected(const std::vector<std::string>& texts) const {
    TokenizedSample sample{{tokenizer.bos_id()}, {0}, 0};
    for (size_t i = 0; i < texts.size(); ++i) {
      for (const int32_t id : tokenizer.encode(texts[i])) {
        sample.token_ids.push_back(id);
        sample.scored.push_back(i % 2);
      }
      if (i % 2 == 1) {
        sample.token_ids.push_back(tokenizer.eos_id());
        sample.scored.push_back(1);
      }
    }
    return sample;
  }
  static void expect_equal(const TokenizedSample& a, const TokenizedSample& b) {
    EXPECT_EQ(a.token_ids, b.token_ids);
    EXPECT_EQ(a.scored, b.scored);
    EXPECT_EQ(a.cut, b.cut);
  }

  Tokenizer tokenizer{kRoot / "tests/data/tokenizer/test_model.model"};
};

TEST_F(PromptTest, LynxTemplate) {
  const std::vector<Turn> turns{{TurnRole::kUser, "What is it?"}, {TurnRole::kAssistant, "a cat"}};
  const auto sample = tokenize_sample(tokenizer, style("lynx"), turns, kNoLimit);
  expect_equal(sample, expected({"user: what is it?\nbot:", "a cat"}));
  EXPECT_EQ(sample.scored[0], 0) << "bos";
  EXPECT_EQ(sample.token_ids.back(), tokenizer.eos_id());
  PromptStyle as_written = style("lynx");
  as_written.lower_case = LowerCase::kNone;
  expect_equal(tokenize_sample(tokenizer, as_written, turns, kNoLimit),
               expected({"User: What is it?\nBot:", "a cat"}));
}

TEST_F(PromptTest, NoSpaceIsDoubledWhereSpacesCount) {
  const fs::path file = fs::path(testing::TempDir()) / "lynceus_prompt.model";
  std::vector<std::string> lines;
  for (int i = 0; i < 40; ++i) lines.push_back("User: is it a cat? Bot: yes it is");
  train_tokenizer(lines, {.vocab_size = 290}, file);
  const Tokenizer exact(file);  // keeps every space of its text
  const std::vector<Turn> turns{{TurnRole::kUser, "is it a cat?"}, {TurnRole::kAssistant, "yes"}};
  const auto sample = tokenize_sample(exact, style("lynx-cased"), turns, kNoLimit);
  EXPECT_EQ(exact.decode(sample.token_ids), "User: is it a cat?\nBot: yes");
  fs::remove(file);
}

TEST_F(PromptTest, VicunaTemplateWithSeveralTurns) {
  PromptStyle vicuna = style("vicuna");
  EXPECT_THAT(vicuna.default_system, HasSubstr("curious user"));
  vicuna.default_system = "Hello.";
  const std::vector<Turn> turns{{TurnRole::kUser, "One?"},
                                {TurnRole::kAssistant, "yes"},
                                {TurnRole::kUser, "Two?"},
                                {TurnRole::kAssistant, "no"}};
  expect_equal(tokenize_sample(tokenizer, vicuna, turns, kNoLimit),
               expected({"Hello. USER: One? ASSISTANT:", "yes", "USER: Two? ASSISTANT:", "no"}));
  std::vector<Turn> with_system = turns;
  with_system.insert(with_system.begin(), {TurnRole::kSystem, "Be brief."});
  with_system.resize(3);
  expect_equal(tokenize_sample(tokenizer, vicuna, with_system, kNoLimit),
               expected({"Be brief. USER: One? ASSISTANT:", "yes"}));
}

TEST_F(PromptTest, APromptIsWhatPrecedesTheAnswerInTraining) {
  const std::vector<Turn> turns{{TurnRole::kUser, "What is it?"},
                                {TurnRole::kAssistant, "A cat."},
                                {TurnRole::kUser, "Which color?"},
                                {TurnRole::kAssistant, "Black."}};
  for (const char* name : {"lynx", "lynx-cased", "vicuna"})
    for (const size_t asked : {1, 3}) {
      SCOPED_TRACE(fmt::format("{}, {} turns", name, asked));
      const auto whole =
          tokenize_sample(tokenizer, style(name), std::span(turns).first(asked + 1), kNoLimit);
      const auto prompt = tokenize_prompt(tokenizer, style(name), std::span(turns).first(asked));
      size_t answer = whole.scored.size();
      while (answer > 0 && whole.scored[answer - 1] == 0) --answer;
      while (answer > 0 && whole.scored[answer - 1] == 1) --answer;
      EXPECT_EQ(prompt, std::vector<int32_t>(
                            whole.token_ids.begin(),
                            whole.token_ids.begin() + static_cast<std::ptrdiff_t>(answer)));
    }
}

TEST_F(PromptTest, CaptionsAndPlainText) {
  const std::vector<Turn> caption{{TurnRole::kAssistant, "a red circle"}};
  expect_equal(tokenize_sample(tokenizer, style("plain"), caption, kNoLimit),
               expected({"", "a red circle"}));
  const std::vector<Turn> text{{TurnRole::kText, "Once upon a time"}};
  for (const char* name : {"lynx", "vicuna", "plain"}) {
    expect_equal(tokenize_sample(tokenizer, style(name), text, kNoLimit),
                 expected({"", "Once upon a time"}));
  }
  expect_equal(tokenize_sample(tokenizer, style("plain"), {}, kNoLimit), expected({}));
}

TEST_F(PromptTest, LongAnswersLoseTheirEnd) {
  std::string answer;
  for (int i = 0; i < 50; ++i) answer += "word ";
  const std::vector<Turn> turns{{TurnRole::kUser, "What?"}, {TurnRole::kAssistant, answer}};
  const auto whole = tokenize_sample(tokenizer, style("lynx"), turns, kNoLimit);
  const auto sample = tokenize_sample(tokenizer, style("lynx"), turns, 40);
  ASSERT_EQ(sample.token_ids.size(), 40u);
  EXPECT_TRUE(
      std::equal(sample.token_ids.begin(), sample.token_ids.end(), whole.token_ids.begin()));
  EXPECT_EQ(sample.cut, static_cast<int64_t>(whole.token_ids.size()) - 40);
  EXPECT_EQ(sample.scored.back(), 1);
}

TEST_F(PromptTest, LongQuestionsKeepTheirHeadAndTheirTemplate) {
  std::string question = "How";
  for (int i = 0; i < 60; ++i) question += " \xC3\xA9t\xC3\xA9 many";
  const std::vector<Turn> turns{{TurnRole::kUser, question}, {TurnRole::kAssistant, "a cat"}};
  const auto whole = tokenize_sample(tokenizer, style("lynx"), turns, kNoLimit);
  const auto answer = tokenizer.encode("a cat");
  for (const int64_t limit : {24, 31, 64}) {
    SCOPED_TRACE(limit);
    const auto sample = tokenize_sample(tokenizer, style("lynx"), turns, limit);
    const auto size = static_cast<int64_t>(sample.token_ids.size());
    EXPECT_LE(size, limit);
    EXPECT_GE(size, limit - 4) << "the limit is used";
    EXPECT_EQ(sample.cut + size, static_cast<int64_t>(whole.token_ids.size()));
    const std::vector<int32_t> end(sample.token_ids.end() - answer.size() - 1,
                                   sample.token_ids.end() - 1);
    EXPECT_EQ(end, answer) << "the answer is complete";
    EXPECT_EQ(sample.token_ids.back(), tokenizer.eos_id());
    const std::string text = tokenizer.decode(sample.token_ids);
    EXPECT_THAT(text, AllOf(HasSubstr("user: how"), HasSubstr("bot:")));
  }
}

TEST_F(PromptTest, TinyLimitsStillGiveSomething) {
  const std::vector<Turn> turns{{TurnRole::kUser, "What is that over there?"},
                                {TurnRole::kAssistant, "a cat"}};
  const auto whole = tokenize_sample(tokenizer, style("lynx"), turns, kNoLimit);
  for (int64_t limit = 1; limit < static_cast<int64_t>(whole.token_ids.size()); ++limit) {
    const auto sample = tokenize_sample(tokenizer, style("lynx"), turns, limit);
    ASSERT_LE(static_cast<int64_t>(sample.token_ids.size()), limit);
    ASSERT_EQ(sample.token_ids.size(), sample.scored.size());
    ASSERT_EQ(sample.token_ids[0], tokenizer.bos_id());
    ASSERT_GT(sample.cut, 0);
  }
}

TEST_F(PromptTest, AQuestionWithoutItsAnswerIsDropped) {
  const std::vector<Turn> turns{{TurnRole::kUser, "One?"},
                                {TurnRole::kAssistant, "yes"},
                                {TurnRole::kUser, std::string(500, 'x')},
                                {TurnRole::kAssistant, "no"}};
  const auto sample = tokenize_sample(tokenizer, style("lynx"), turns, 60);
  const auto first = tokenize_sample(tokenizer, style("lynx"), std::span(turns).first(2), kNoLimit);
  EXPECT_EQ(sample.token_ids, first.token_ids);
  EXPECT_GT(sample.cut, 100);
}

TEST_F(PromptTest, ListsGiveEachSampleItsWording) {
  const PromptList list({"Look.", "{text}", "Say.", "Now: {text}", "See: {text} Well?"});
  EXPECT_EQ(list.size(), 5u);
  std::set<std::string> instructions, wordings;
  for (uint64_t i = 0; i < 100; ++i) {
    instructions.insert(*list.pick(false, 1, i));
    wordings.insert(*list.pick(true, 1, i));
    EXPECT_EQ(*list.pick(true, 1, i), *list.pick(true, 1, i));
  }
  EXPECT_EQ(instructions, (std::set<std::string>{"Look.", "Say."}));
  EXPECT_EQ(wordings, (std::set<std::string>{"{text}", "Now: {text}", "See: {text} Well?"}));
  int differ = 0;
  for (uint64_t i = 0; i < 100; ++i) differ += *list.pick(true, 1, i) != *list.pick(true, 2, i);
  EXPECT_GT(differ, 30) << "another seed, other wordings";

  const PromptList first = list.first_only();
  EXPECT_EQ(first.size(), 2u);
  for (uint64_t i = 0; i < 20; ++i) {
    EXPECT_EQ(*first.pick(false, 1, i), "Look.");
    EXPECT_EQ(*first.pick(true, 1, i), "{text}");
  }
  EXPECT_NE(first.fingerprint(), list.fingerprint());
  EXPECT_EQ(PromptList({"Look.", "{text}"}).fingerprint(), first.fingerprint());
}

TEST_F(PromptTest, ListsWrapTheFirstTurn) {
  const PromptList list({"Look: {text} Now.", "Describe it."});
  const Turn answer{TurnRole::kAssistant, "a cat"}, system{TurnRole::kSystem, "Be brief."};
  const std::vector<Turn> asked{
      {TurnRole::kUser, "Why?"}, answer, {TurnRole::kUser, "So?"}, answer};
  std::vector<Turn> wrapped = asked;
  wrapped[0].text = "Look: Why? Now.";
  EXPECT_EQ(list.apply(asked, 1, 7), wrapped);
  EXPECT_EQ(list.apply({system, answer}, 1, 7),
            (std::vector<Turn>{system, {TurnRole::kUser, "Describe it."}, answer}));
  const std::vector<Turn> text{{TurnRole::kText, "t"}};
  EXPECT_EQ(list.apply(text, 1, 7), text);
  EXPECT_TRUE(list.apply({}, 1, 7).empty());
  // A list without the kind leaves the sample unchanged.
  EXPECT_EQ(PromptList({"Describe it."}).apply(asked, 1, 7), asked);
  EXPECT_EQ(PromptList({"Look: {text}"}).apply({answer}, 1, 7), std::vector<Turn>{answer});
}

TEST_F(PromptTest, ErrorsNameThePlace) {
  const fs::path file = fs::path(testing::TempDir()) / "lynceus_style.ini";
  const auto message = [&](const std::string& text, bool list = false) {
    std::ofstream(file, std::ios::binary) << text;
    try {
      if (list) {
        PromptList::load(file);
      } else {
        PromptStyle::load(file);
      }
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  const std::string good = "user = \"Q: {text}\\n\"\nassistant = A: {text}\n";
  EXPECT_EQ(message(good), "no error");
  EXPECT_EQ(PromptStyle::load(file).user.before, "Q: ");
  EXPECT_EQ(PromptStyle::load(file).user.after, "\n");
  EXPECT_EQ(PromptStyle::load(file).name, "lynceus_style");
  EXPECT_EQ(message("\xEF\xBB\xBF" + good), "no error");
  EXPECT_EQ(message("\xEF\xBB\xBFLook.\n", true), "no error");
  EXPECT_EQ(*PromptList::load(file).pick(false, 1, 0), "Look.");
  EXPECT_THAT(message(good + "usr = x\n"), HasSubstr("lynceus_style.ini:3: usr: expected KEY"));
  EXPECT_THAT(message(good + "user = {text}\n"), HasSubstr(":3: user: this key is given twice"));
  EXPECT_THAT(message("user = hello\n"), HasSubstr("one {text}, found \"hello\""));
  EXPECT_THAT(message("user = {text}\n"), HasSubstr("expected the key assistant"));
  EXPECT_THAT(message("user = \"{text}\n"), HasSubstr("closing quote"));
  EXPECT_THAT(message("user = {text}\\t\n"), HasSubstr("after a backslash"));
  EXPECT_THAT(message("lower_case = yes\n"),
              HasSubstr("expected none, questions or prompt, found \"yes\""));
  EXPECT_THAT(message("# nothing\n\n", true), HasSubstr("expected one instruction a line"));
  EXPECT_THAT(message("a {text} b {text}\n", true), HasSubstr(":1: expected {text} at most once"));
  EXPECT_THROW(PromptStyle::load("/no/such/style.ini"), IoError);
  fs::remove(file);
}

TEST(PromptList, OtherThanLinesOfTextIsRefused) {
  const auto file = std::filesystem::path(testing::TempDir()) / "no_lines.txt";
  const auto load = [&](const std::string& content) {
    std::ofstream(file, std::ios::binary) << content;
    return PromptList::load(file);
  };
  EXPECT_THAT([&] { load("[\"Look.\",\n \"Say.\"]\n"); },
              testing::ThrowsMessage<InputError>(testing::HasSubstr("found JSON")));
  EXPECT_THAT([&] { load("{\"a\": 1}"); },
              testing::ThrowsMessage<InputError>(testing::HasSubstr("found JSON")));
  EXPECT_THAT([&] { load(std::string("Look.\nSa\0y.\n", 12)); },
              testing::ThrowsMessage<InputError>(testing::HasSubstr("found the byte 0x00")));
  EXPECT_THAT([&] { load("Look\xFF.\n"); },
              testing::ThrowsMessage<InputError>(testing::HasSubstr("UTF-8")));
  EXPECT_EQ(load("[photo] What is it?\nR\xC3\xB6ntgen: {text}\n").size(), 2u);
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace lynceus::io
