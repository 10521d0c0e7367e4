// Each processor by itself, with numbers that can be checked by eye.
#include "generate/processors.h"

#include <gmock/gmock.h>

#include <limits>

namespace lynceus::generate {
namespace {

using testing::ElementsAre;

constexpr float kNone = -std::numeric_limits<float>::infinity();
constexpr int32_t kEos = 2;

std::vector<float> processed(const Decoding& decoding, int64_t bos,
                             const std::vector<int32_t>& history, std::vector<float> scores,
                             int32_t eos = kEos) {
  Processors processors(decoding, bos, eos);
  processors.apply(history, scores);
  return scores;
}

TEST(ProcessorsTest, DefaultsChangeNothing) {
  EXPECT_THAT(processed({}, 1, {1, 3, 3}, {1, 2, 3, 4}), ElementsAre(1, 2, 3, 4));
}

TEST(ProcessorsTest, RepetitionIsPenalizedOnce) {
  Decoding decoding;
  decoding.repetition_penalty = 2;
  EXPECT_THAT(processed(decoding, 1, {1, 3, 3, 4}, {1, -2, 3, 4, -5}),
              ElementsAre(1, -4, 3, 2, -10));
  decoding.repetition_penalty = 0.5;
  EXPECT_THAT(processed(decoding, 0, {0, 4}, {kNone, 1, 1, 1, 3}), ElementsAre(kNone, 1, 1, 1, 6));
}

TEST(ProcessorsTest, NGramsDoNotRepeat) {
  Decoding decoding;
  decoding.no_repeat_ngram_size = 1;
  EXPECT_THAT(processed(decoding, 1, {1, 3}, {0, 0, 0, 0, 0}), ElementsAre(0, kNone, 0, kNone, 0));
  decoding.no_repeat_ngram_size = 2;
  EXPECT_THAT(processed(decoding, 1, {1, 3, 4, 3, 0, 3}, {0, 0, 0, 0, 0}),
              ElementsAre(kNone, 0, 0, 0, kNone));
  EXPECT_THAT(processed(decoding, 1, {1}, {0, 0, 0}), ElementsAre(0, 0, 0));
  EXPECT_THAT(processed(decoding, 1, {3, 3}, {0, 0, 0, 0}), ElementsAre(0, 0, 0, kNone));
  decoding.no_repeat_ngram_size = 3;
  EXPECT_THAT(processed(decoding, 1, {1, 3, 4, 0, 3, 4}, {0, 0, 0, 0, 0}),
              ElementsAre(kNone, 0, 0, 0, 0));
  EXPECT_THAT(processed(decoding, 0, {}, {0, 0}), ElementsAre(0, 0));
}

TEST(ProcessorsTest, EosWaits) {
  Decoding decoding;
  decoding.min_length = 2;  // counts BOS
  EXPECT_THAT(processed(decoding, 1, {1}, {0, 0, 5}), ElementsAre(0, 0, kNone));
  EXPECT_THAT(processed(decoding, 1, {1, 0}, {0, 0, 5}), ElementsAre(0, 0, 5));
  EXPECT_THAT(processed(decoding, 0, {0}, {0, 0, 5}), ElementsAre(0, 0, kNone));
  decoding = {};
  decoding.min_new_tokens = 2;  // does not count BOS
  EXPECT_THAT(processed(decoding, 1, {1, 0}, {0, 0, 5}), ElementsAre(0, 0, kNone));
  EXPECT_THAT(processed(decoding, 1, {1, 0, 0}, {0, 0, 5}), ElementsAre(0, 0, 5));
  EXPECT_THAT(processed(decoding, 0, {0, 0}, {0, 0, 5}), ElementsAre(0, 0, 5));
  EXPECT_THAT(processed(decoding, 1, {1}, {0, 0, 5}, -1), ElementsAre(0, 0, 5));
}

TEST(ProcessorsTest, AllTogether) {
  Decoding decoding;
  decoding.repetition_penalty = 2;
  decoding.no_repeat_ngram_size = 2;
  decoding.min_length = 9;
  EXPECT_THAT(processed(decoding, 1, {1, 3, 1}, {-1, 2, 3, -4}), ElementsAre(-1, 1, kNone, kNone));
}

}  // namespace
}  // namespace lynceus::generate
