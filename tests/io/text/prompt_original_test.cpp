// The shipped templates compared with their originals, character by character: FastChat's
// conversation template "vicuna_v1.1" (system text, separators " " and "</s>"), the released Lynx's
// "User: {question}\nBot:" in lower case, and plain text. The scored text is marked in the expected
// string. Behind an end token, and where an answer begins, SentencePiece puts its space, as LLaMA's
// tokenizer does for FastChat.
#include <gtest/gtest.h>

#include "core/error.h"
#include "io/text/prompt.h"

namespace lynceus::io {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = LYNCEUS_SOURCE_DIR;
constexpr int64_t kNoLimit = 1 << 20;
constexpr const char* kVicunaSystem =
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives "
    "helpful, detailed, and polite answers to the user's questions.";

class PromptOriginal : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    // A tokenizer that keeps every space and line break, so that decoding restores the text.
    const fs::path file = fs::path(testing::TempDir()) / "lynceus_prompt_original.model";
    std::vector<std::string> lines;
    for (int i = 0; i < 40; ++i)
      lines.push_back(std::string(kVicunaSystem) + " USER: what is it? ASSISTANT: it is a cat");
    train_tokenizer(lines, {.vocab_size = 400}, file);
    tokenizer_ = std::make_unique<Tokenizer>(file);
    fs::remove(file);
  }
  static void TearDownTestSuite() { tokenizer_.reset(); }

  /// The sample as text: scored parts between [ and ], the begin and end tokens as <s> and </s>.
  static std::string shown(const std::string& style, const std::vector<Turn>& turns,
                           int64_t max_tokens = kNoLimit) {
    const TokenizedSample sample = tokenize_sample(
        *tokenizer_, PromptStyle::load(kRoot / "configs/prompts" / (style + ".ini")), turns,
        max_tokens);
    EXPECT_EQ(sample.token_ids.size(), sample.scored.size());
    std::string text;
    std::vector<int32_t> run;
    // Decoding takes the space off the front, so a stretch is decoded after the token before it.
    std::vector<int32_t> before_run;
    const auto flush = [&] {
      const size_t known = tokenizer_->decode(before_run).size();
      std::vector<int32_t> both = before_run;
      both.insert(both.end(), run.begin(), run.end());
      text += tokenizer_->decode(both).substr(known);
      if (!run.empty()) before_run = {run.back()};
      run.clear();
    };
    for (size_t i = 0; i < sample.token_ids.size(); ++i) {
      const bool before = i > 0 && sample.scored[i - 1] != 0, now = sample.scored[i] != 0;
      if (before != now) {
        flush();
        text += now ? '[' : ']';
      }
      const int32_t id = sample.token_ids[i];
      if (id == tokenizer_->bos_id() || id == tokenizer_->eos_id()) {
        flush();
        text += id == tokenizer_->bos_id() ? "<s>" : "</s>";
      } else {
        run.push_back(id);
      }
    }
    flush();
    return text + (!sample.scored.empty() && sample.scored.back() != 0 ? "]" : "");
  }

  static inline std::unique_ptr<Tokenizer> tokenizer_;
  const std::vector<Turn> two_{{TurnRole::kUser, "What is it?"},
                               {TurnRole::kAssistant, "A cat."},
                               {TurnRole::kUser, "Is it black?"},
                               {TurnRole::kAssistant, "Yes, it is."}};
  const std::vector<Turn> one_{two_.begin(), two_.begin() + 2};
};

TEST_F(PromptOriginal, VicunaAsFastChatWritesIt) {
  const std::string system = kVicunaSystem;
  EXPECT_EQ(shown("vicuna", one_), "<s>" + system + " USER: What is it? ASSISTANT:[ A cat.</s>]");
  EXPECT_EQ(shown("vicuna", two_), "<s>" + system +
                                       " USER: What is it? ASSISTANT:[ A cat.</s>] USER: Is it "
                                       "black? ASSISTANT:[ Yes, it is.</s>]");
  std::vector<Turn> own_system = one_;
  own_system.insert(own_system.begin(), {TurnRole::kSystem, "Be brief."});
  EXPECT_EQ(shown("vicuna", own_system), "<s>Be brief. USER: What is it? ASSISTANT:[ A cat.</s>]");
}

TEST_F(PromptOriginal, LynxAsReleased) {
  EXPECT_EQ(shown("lynx", one_), "<s>user: what is it?\nbot:[ A cat.</s>]");
  EXPECT_EQ(shown("lynx", two_),
            "<s>user: what is it?\nbot:[ A cat.</s>] \nuser: is it black?\nbot:[ Yes, it is.</s>]");
  const std::vector<Turn> greek{{TurnRole::kSystem, "Be BRIEF. "},
                                {TurnRole::kUser, "WAS IST GRÖẞE? ΟΔΟΣ"},
                                {TurnRole::kAssistant, "Ä"}};
  EXPECT_EQ(shown("lynx", greek), "<s>be brief. user: was ist größe? οδος\nbot:[ Ä</s>]");
}

TEST_F(PromptOriginal, LynxAsVersion010WroteIt) {
  EXPECT_EQ(shown("lynx-cased", one_), "<s>User: what is it?\nBot:[ A cat.</s>]");
  EXPECT_EQ(shown("lynx-cased", two_),
            "<s>User: what is it?\nBot:[ A cat.</s>] \nUser: is it black?\nBot:[ Yes, it is.</s>]");
  const std::vector<Turn> accent{{TurnRole::kUser, "ÉTÉ"}, {TurnRole::kAssistant, "Ä"}};
  EXPECT_EQ(shown("lynx-cased", accent), "<s>User: ÉtÉ\nBot:[ Ä</s>]");
}

TEST_F(PromptOriginal, PlainLlama) {
  EXPECT_EQ(shown("plain", one_), "<s>What is it?\n[ A cat.</s>]");
  EXPECT_EQ(shown("plain", two_),
            "<s>What is it?\n[ A cat.</s>] \nIs it black?\n[ Yes, it is.</s>]");
  EXPECT_EQ(shown("plain", {{TurnRole::kText, "Once upon a time"}}), "<s>[Once upon a time</s>]");
}

TEST_F(PromptOriginal, Truncated) {
  const std::string whole = shown("lynx", two_);
  // The complete first answer, and no later question without its answer.
  const TokenizedSample first = tokenize_sample(
      *tokenizer_, PromptStyle::load(kRoot / "configs/prompts/lynx.ini"), one_, kNoLimit);
  const auto size = static_cast<int64_t>(first.token_ids.size());
  for (int64_t limit = size; limit < size + 8; ++limit)
    EXPECT_EQ(shown("lynx", two_, limit), "<s>user: what is it?\nbot:[ A cat.</s>]") << limit;
  // The end of a long question is cut off; template and answer are kept.
  const std::vector<Turn> long_one{{TurnRole::kUser, "What is it? " + std::string(300, 'x')},
                                   {TurnRole::kAssistant, "A cat."}};
  const std::string cut = shown("lynx", long_one, 60);
  EXPECT_TRUE(cut.starts_with("<s>user: what is it? x")) << cut;
  EXPECT_TRUE(cut.ends_with("x\nbot:[ A cat.</s>]")) << cut;
}

}  // namespace
}  // namespace lynceus::io
