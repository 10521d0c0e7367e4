// BLEU, ROUGE-L and CIDEr equal those of pycocoevalcap, for the corpus and for each item.
#include "evaluate/benchmarks/caption.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "answer_files.h"
#include "evaluate/benchmarks/caption_metrics.h"
#include "io/files/json_value.h"

namespace lynceus::evaluate {
namespace {

using evaluate_test::data_folder;
using evaluate_test::empty_folder;
using evaluate_test::parsed;
using evaluate_test::refusal;
using evaluate_test::write;
using evaluate_test::fs::path;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr double kBleuTolerance = 1e-9;
constexpr double kTolerance = 1e-6;

void expect_scores(const CaptionScore& found, const io::Json& expected, const std::string& what) {
  for (size_t n = 0; n < found.bleu.size(); ++n)
    EXPECT_NEAR(found.bleu[n], expected.at("bleu").at(n).number(), kBleuTolerance)
        << what << ", BLEU-" << n + 1;
  EXPECT_NEAR(found.rouge_l, expected.at("rouge_l").number(), kTolerance) << what;
  EXPECT_NEAR(found.cider, expected.at("cider").number(), kTolerance) << what;
}

/// Compares with a corpus {"items": [{candidate, references, bleu, rouge_l, cider}], "corpus"}.
void expect_corpus(const io::Json& corpus) {
  std::vector<CaptionPair> pairs;
  for (const io::Json& item : corpus.at("items").elements()) {
    pairs.push_back({caption_words(item.at("candidate").string()), {}});
    for (const io::Json& reference : item.at("references").elements())
      pairs.back().references.push_back(caption_words(reference.string()));
  }
  const CaptionScores scores = score_captions(pairs);
  expect_scores(scores.corpus, corpus.at("corpus"), "corpus");
  for (size_t i = 0; i < pairs.size(); ++i)
    expect_scores(scores.items[i], corpus.at("items").at(i), "item " + std::to_string(i));
}

TEST(CaptionMetrics, EqualPycocoevalcapOnSmallCorpora) {
  const auto file = io::Json::read(path(LYNCEUS_SOURCE_DIR) / "tests/data/caption_metrics.json");
  ASSERT_EQ(file.at("corpora").size(), 5u);
  for (const io::Json& corpus : file.at("corpora").elements()) expect_corpus(corpus);
}

TEST(CaptionMetrics, EqualPycocoevalcapOnCoco) {
  const auto folder = data_folder("coco");
  if (!folder) GTEST_SKIP() << "LYNCEUS_DATA_DIR has no coco";
  expect_corpus(io::Json::read(*folder / "caption_metrics.json"));
}

TEST(CaptionMetrics, WordsAreRunsOfLettersAndDigits) {
  EXPECT_THAT(caption_words("A man's  X-ray,\t42\u00e9 \u212Aelvin."),
              ElementsAre("a", "man", "s", "x", "ray", "42", "kelvin"));
  EXPECT_THAT(caption_words(" ... \u00c9 "), ElementsAre());
}

TEST(Caption, ScoresRowsAndItems) {
  const path file = write(empty_folder() / "captions.jsonl",
                          R"({"candidate": "a cat sits", "references": ["a cat sits", "the cat"]}
{"candidate": "x", "answer_predicted": "", "references": ["two dogs"], "id": "dogs", "image": "dogs.jpg"}
)");
  const Evaluation result = evaluate_captions(file);
  const io::Json json = parsed(to_json(result));
  EXPECT_EQ(json.at("benchmark").string(), "caption");
  EXPECT_EQ(json.at("items").integer(), 2);
  EXPECT_EQ(json.at("captions_without_words").integer(), 1);
  EXPECT_NEAR(json.at("rouge_l").number(), 0.5, 1e-12);
  EXPECT_EQ(json.at("bleu").at(0).number(), json.at("bleu_1").number());
  EXPECT_EQ(json.at("protocol").at("prompt_template").string(), "unknown");
  const io::Json first = parsed(evaluate::to_json(result.items[0]));
  EXPECT_EQ(first.at("id").string(), "1");
  EXPECT_EQ(first.at("reference").string(), "a cat sits | the cat");
  EXPECT_TRUE(first.at("right").is_null());
  EXPECT_EQ(first.at("value").number(), first.at("cider").number());
  EXPECT_EQ(result.items[1].media, "dogs.jpg");
}

TEST(Caption, ListsAllFaults) {
  const path folder = empty_folder();
  const path file = write(folder / "bad.jsonl", R"({"candidate": "a", "references": ["b"], "id": 7}
{"candidate": "a"}
{"candidate": 3, "references": ["b"]}
{"candidate": "a", "references": []}
{"candidate": "a", "references": ["..."]}
not JSON
[1]
{"candidate": "a", "references": ["b"], "id": 7}
)");
  const std::string text = refusal([&] { evaluate_captions(file); });
  EXPECT_THAT(text, HasSubstr("bad.jsonl:2: the key 'references' is missing"));
  EXPECT_THAT(text, HasSubstr("bad.jsonl:3: key candidate: expected a string, found 3"));
  EXPECT_THAT(text, HasSubstr("bad.jsonl:4: key references: expected at least one text"));
  EXPECT_THAT(text, HasSubstr("expected a caption with words, found '...'"));
  EXPECT_THAT(text, HasSubstr("bad.jsonl:6"));
  EXPECT_THAT(text, HasSubstr("bad.jsonl:7: expected an object"));
  EXPECT_THAT(text, HasSubstr("expected each id once, found '7' again, first at"));
  EXPECT_THAT(refusal([&] { evaluate_captions(write(folder / "empty.jsonl", "\n")); }),
              HasSubstr("empty.jsonl: expected rows of JSON, found none"));
}

TEST(Caption, NamesTheFirstTwentyFaults) {
  std::string rows;
  for (int i = 0; i < 50; ++i) rows += "{}\n";
  const path file = write(empty_folder() / "bad.jsonl", rows);
  const std::string text = refusal([&] { evaluate_captions(file); });
  EXPECT_THAT(text, HasSubstr("bad.jsonl:20:"));
  EXPECT_THAT(text, testing::Not(HasSubstr("bad.jsonl:21:")));
  EXPECT_THAT(text, testing::EndsWith("... and 30 more faults"));
}

}  // namespace
}  // namespace lynceus::evaluate
