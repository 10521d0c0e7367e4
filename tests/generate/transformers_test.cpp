// Answers and the number of steps equal those of Hugging Face transformers 4.28.1 (lynx) and 4.38.2
// (hf), token for token: random settings of greedy decoding, beam search, sampling and beam
// sampling on small models of random numbers. tests/oracle/make_searches.py made the files.
#include <gmock/gmock.h>

#include <map>

#include "generate/search.h"
#include "io/files/json.h"
#include "table_model.h"

namespace lynceus::generate {
namespace {

Settings settings_of(const io::Json& run) {
  Settings settings;
  settings.length = run.at("length").string();
  const io::Json given = run.at("settings");
  settings.max_new_tokens = given.at("max_new_tokens").integer();
  settings.min_length = given.at("min_length").integer();
  settings.min_new_tokens = given.at("min_new_tokens").integer();
  settings.num_beams = given.at("num_beams").integer();
  settings.no_repeat_ngram_size = given.at("no_repeat_ngram_size").integer();
  settings.repetition_penalty = given.at("repetition_penalty").number();
  settings.do_sample = given.at("do_sample").boolean();
  settings.num_return_sequences = given.at("num_return_sequences").integer();
  if (settings.num_beams > 1) {
    settings.length_penalty = given.at("length_penalty").number();
    settings.early_stopping = given.at("early_stopping").string();
  }
  if (settings.do_sample) {
    settings.temperature = given.at("temperature").number();
    settings.top_k = given.at("top_k").integer();
    settings.top_p = given.at("top_p").number();
    settings.seed = static_cast<uint64_t>(given.at("seed").integer());
  }
  return settings;
}

class TransformersTest : public testing::TestWithParam<const char*> {};

TEST_P(TransformersTest, GivesTheSameAnswers) {
  const io::Json file = io::Json::read(std::string(LYNCEUS_SOURCE_DIR) +
                                       "/tests/data/generate/searches_" + GetParam() + ".json");
  std::map<std::pair<bool, bool>, int> kinds;  // beams, sampling
  for (const io::Json& run : file.at("runs").elements()) {
    SCOPED_TRACE(run.dump());
    const Settings settings = settings_of(run);
    ConfigFaults faults;
    settings.check(&faults);
    ASSERT_THAT(faults.all(), testing::IsEmpty());
    const io::Json table = run.at("table");
    const TableModel model{
        table.at("vocab_size").integer(), static_cast<uint64_t>(table.at("seed").integer()),
        static_cast<int32_t>(run.at("eos").integer()), table.at("eos_bonus").number()};
    Search search(settings, model.vocabulary(), static_cast<uint64_t>(run.at("row").integer()));
    int64_t steps = 0;
    const std::vector<Search::Answer> answers = decode(search, model, &steps);
    EXPECT_EQ(steps, run.at("steps").integer());
    const std::vector<io::Json> expected = run.at("answers").elements();
    ASSERT_EQ(answers.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      const std::vector<int64_t> tokens(answers[i].tokens.begin(), answers[i].tokens.end());
      EXPECT_EQ(tokens, expected[i].at("tokens").integers());
      EXPECT_EQ(answers[i].ended, tokens.back() == model.eos);
      if (settings.num_beams == 1) continue;
      const double score = expected[i].at("score").number();
      EXPECT_NEAR(answers[i].score, score, 2e-6 * (1 + std::abs(score)));
    }
    ++kinds[{settings.num_beams > 1, settings.do_sample}];
    if (HasFailure()) return;
  }
  ASSERT_EQ(kinds.size(), 4u);
  for (const auto& [kind, count] : kinds) EXPECT_GE(count, 20);
}

INSTANTIATE_TEST_SUITE_P(Rules, TransformersTest, testing::Values("lynx", "hf"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace lynceus::generate
