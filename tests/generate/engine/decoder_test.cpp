// The answer of a row depends on nothing but the row: not on the other rows, the size of a
// batch, the size of the cache, the order of the rows or the number of threads. Tokens and the bits
// of sums are compared.
#include "generate/engine/decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "random_rows.h"

namespace lynceus::generate {
namespace {

constexpr uint64_t kRows = 240;

const RandomRows& rows() {
  static const RandomRows made(kRows);
  return made;
}

/// Each row alone, so that no other row can have changed it.
const Answers& expected() {
  static const Answers answers = [] {
    Answers all;
    for (const Prompt& prompt : rows().prompts) all.merge(rows().answer(alone(), {prompt}, 1, 64));
    return all;
  }();
  return answers;
}

void expect_equal(const Answers& found) {
  for (const auto& [row, answers] : found)
    EXPECT_TRUE(are_equal(answers, expected().at(row))) << "row " << row;
}

TEST(Decoder, AnswersEachRowAndTheyDiffer) {
  EXPECT_EQ(expected().size(), kRows);
  std::set<std::vector<int32_t>> different;
  int ended = 0;
  for (const auto& [row, answers] : expected()) {
    different.insert(answers.front().tokens);
    ended += answers.front().ended;
    EXPECT_TRUE(std::isfinite(answers.front().sum));
  }
  EXPECT_GT(different.size(), kRows / 2);
  EXPECT_GT(ended, 5);
}

TEST(Decoder, AnswersDoNotDependOnTheBatch) {
  for (const int64_t batch_size : {2, 7, 64}) {
    SCOPED_TRACE(batch_size);
    const Answers found = rows().answer(alone(), rows().prompts, batch_size, 4000);
    EXPECT_EQ(found.size(), kRows);
    expect_equal(found);
  }
}

TEST(Decoder, AnswersDependOnNeitherOrderNorRoom) {
  std::vector<Prompt> prompts = rows().prompts;
  std::reverse(prompts.begin(), prompts.end());
  std::swap(prompts[3], prompts[77]);
  expect_equal(rows().answer(alone(), prompts, 9, /*cache_rows=*/70));
  expect_equal(rows().answer(alone(), prompts, 9, /*cache_rows=*/1));
}

TEST(Decoder, AnswersDoNotDependOnThreads) {
  const int before = omp_get_max_threads();
  for (const int threads : {1, 2, 3}) {
    omp_set_num_threads(threads);
    expect_equal(rows().answer(alone(), rows().prompts, 16));
  }
  omp_set_num_threads(before);
}

// A part of the rows, as a later start has them.
TEST(Decoder, AnswersDoNotDependOnARestart) {
  std::vector<Prompt> rest(rows().prompts.begin() + 113, rows().prompts.end());
  const Answers found = rows().answer(alone(), rest, 5);
  EXPECT_EQ(found.size(), kRows - 113);
  expect_equal(found);
}

TEST(Decoder, EncodesEachMediaOnce) {
  const Runtime rt = alone();
  model::LynxModel model =
      model::make_lynx(rt, rows().config, model::partition_model(rows().config, 1, ""), 0);
  model::initialize(rt, &model, 3);
  model.freeze(rt);
  std::map<int64_t, int> read;
  std::vector<Prompt> prompts = rows().prompts;
  std::stable_sort(prompts.begin(), prompts.end(),
                   [](const Prompt& a, const Prompt& b) { return a.media < b.media; });
  GivenPrompts feed(prompts, rows().media, [&](int64_t number) {
#pragma omp critical
    ++read[number];
    return RandomRows::pixels(rows().media[static_cast<size_t>(number)], number);
  });
  DecoderOptions options;
  options.cache_rows = 400;
  Decoder decoder(rt, model, options);
  decoder.run(&feed);
  EXPECT_EQ(decoder.media_encoded(), RandomRows::kMedia);
  for (const auto& [number, times] : read) EXPECT_EQ(times, 1) << "media " << number;
  expect_equal(feed.answers());
}

TEST(Decoder, RejectsOnlyRowsOfDamagedMedia) {
  const Runtime rt = alone();
  model::LynxModel model =
      model::make_lynx(rt, rows().config, model::partition_model(rows().config, 1, ""), 0);
  model::initialize(rt, &model, 3);
  model.freeze(rt);
  GivenPrompts feed(rows().prompts, rows().media, [&](int64_t number) {
    if (number == 4 || number == 5) throw InputError("picture {} is damaged", number);
    return RandomRows::pixels(rows().media[static_cast<size_t>(number)], number);
  });
  DecoderOptions options;
  options.cache_rows = 400;
  Decoder(rt, model, options).run(&feed);
  EXPECT_EQ(feed.rejected(), (std::map<int64_t, std::string>{{4, "picture 4 is damaged"},
                                                             {5, "picture 5 is damaged"}}));
  for (const Prompt& prompt : rows().prompts)
    EXPECT_EQ(feed.answers().contains(prompt.row), prompt.media != 4 && prompt.media != 5);
  expect_equal(feed.answers());
}

// Counted from 1, whichever round of the row it is.
TEST(Decoder, NamesTheRowWhoseLogitsAreNotFinite) {
  const Runtime rt = alone();
  model::LynxModel model =
      model::make_lynx(rt, rows().config, model::partition_model(rows().config, 1, ""), 0);
  model::initialize(rt, &model, 3);
  model.stage.head->norm.weight.value.span<float>()[0] = NAN;
  model.freeze(rt);
  for (const int round : {0, 1}) {
    Prompt prompt = rows().prompts[42];
    prompt.round = round;
    GivenPrompts feed({prompt}, rows().media, [&](int64_t number) {
      return RandomRows::pixels(rows().media[static_cast<size_t>(number)], number);
    });
    DecoderOptions options;
    options.cache_rows = 400;
    try {
      Decoder(rt, model, options).run(&feed);
      ADD_FAILURE() << "expected NumericError";
    } catch (const NumericError& error) {
      EXPECT_THAT(error.what(), testing::StartsWith("row 43: logits of the next token: expected"));
    }
  }
}

// The sum of a greedy answer is that of the answer when it is given, to the last bit, for any
// batch.
TEST(Decoder, GivenAnswersHaveTheSumsOfDecoding) {
  const std::vector<Prompt> prompts = given_prompts(rows(), expected());
  ASSERT_EQ(prompts.size(), kRows / rows().settings.size());
  const Answers found = rows().answer(alone(), prompts, 5, /*cache_rows=*/90);
  ASSERT_EQ(found.size(), prompts.size());
  for (const auto& [row, answers] : found) {
    const Search::Answer& decoded = expected().at(row).front();
    ASSERT_EQ(answers.size(), 4u);
    EXPECT_EQ(answers[kDecoded].tokens, decoded.tokens);
    EXPECT_EQ(answers[kDecoded].sum, decoded.sum) << "row " << row;
    EXPECT_LT(answers[0].sum, answers[2].sum) << "its first token is the other";
    EXPECT_LT(answers[3].sum, answers[kDecoded].sum);
    EXPECT_EQ(answers[3].length, answers[kDecoded].length + 3);
  }
}

// With half the bits the cache is half as large, and its size is the arithmetic.
TEST(Decoder, CacheHasTheBytesOfTheArithmetic) {
  const Runtime rt = alone();
  model::LynxModel model =
      model::make_lynx(rt, rows().config, model::partition_model(rows().config, 1, ""), 0);
  model.freeze(rt);
  for (const DType dtype : {DType::kF32, DType::kBf16}) {
    DecoderOptions options;
    options.cache = dtype;
    options.cache_rows = 123;
    // keys and values, 4 layers, 4 heads of 4
    EXPECT_EQ(Decoder(rt, model, options).cache_bytes(),
              123 * 2 * 4 * 4 * 4 * static_cast<int64_t>(size_of(dtype)));
  }
  EXPECT_EQ(Sequences::rows_needed(40, 5, 64), 40 + 5 * 63);
}

}  // namespace
}  // namespace lynceus::generate
