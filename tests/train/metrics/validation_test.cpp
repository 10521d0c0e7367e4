// Validation's loss, scored-token accuracy and answer accuracy against numbers from the logits of
// the test's own forward pass.
#include "train/metrics/validation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include "io/dataset/shard_writer.h"
#include "tests/train/tiny_model.h"

namespace lynceus::train {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = LYNCEUS_SOURCE_DIR;

/// A text-only dataset of one task: short questions, answers of a few words.
io::Dataset make_dataset(const std::string& task, const std::vector<std::string>& answers,
                         const std::string& name = "") {
  const std::string set = name.empty() ? task : name;
  const fs::path file = fs::path(testing::TempDir()) / (set + ".h5");
  io::ShardWriter writer(file, {.task = task, .source = "test", .created_by = "test"});
  for (size_t i = 0; i < answers.size(); ++i)
    writer.add({.key = std::to_string(i),
                .kind = io::MediaKind::kFrames,
                .media = {},
                .turns = {{io::TurnRole::kUser, "question " + std::to_string(i)},
                          {io::TurnRole::kAssistant, answers[i]}}});
  writer.close();
  return {set, file.string()};
}

/// The scores of a batch from its logits, over all samples and per answer.
struct Expected {
  double loss = 0;
  int64_t tokens = 0, correct = 0, answers = 0;
};

Expected expected_of(tiny::Run* run, const tiny::Batch& batch) {
  Expected expected;
  ReplicaBatch mine = run->replica_batch(batch);
  const auto observe = [&](const model::PackedBatch& packed,
                           const model::LlmStage::Output& output) {
    const Tensor logits = run->model().stage.head->logits(run->rt(), output.h);
    const int64_t vocabulary = run->options().model.llm.vocab_size;
    std::vector<bool> right(packed.samples.size(), true);
    for (int64_t i = 0; i < packed.scored(); ++i) {
      const float* row =
          logits.data<float>() + packed.scored_rows.data<int32_t>()[i] * logits.cols();
      const int32_t label = packed.scored_labels.data<int32_t>()[i];
      const float largest = *std::max_element(row, row + vocabulary);
      double sum = 0;
      for (int64_t v = 0; v < vocabulary; ++v)
        sum += std::exp(static_cast<double>(row[v] - largest));
      expected.loss += std::log(sum) + static_cast<double>(largest - row[label]);
      const bool hit = std::max_element(row, row + vocabulary) - row == label;
      expected.correct += hit;
      ++expected.tokens;
      if (!hit) right[static_cast<size_t>(packed.sample_of_scored[static_cast<size_t>(i)])] = false;
    }
    expected.answers += std::count(right.begin(), right.end(), true);
  };
  evaluate_loss(run->rt(), run->model(), &mine, run->pixels(batch, mine), observe);
  return expected;
}

/// The predictions of a set add up to its score; a right answer is the reference, a wrong one is
/// not.
void expect_agreement(const std::vector<Prediction>& predictions, const std::string& set,
                      const TaskScore& score) {
  int64_t right = 0, samples = 0;
  double sum = 0;
  for (const Prediction& prediction : predictions) {
    if (prediction.set != set) continue;
    EXPECT_EQ(prediction.key, std::to_string(samples));
    EXPECT_EQ(prediction.question, "question " + std::to_string(samples));
    EXPECT_EQ(prediction.answer == prediction.reference, prediction.is_right)
        << prediction.answer << " / " << prediction.reference;
    ++samples;
    right += prediction.is_right;
    sum -= prediction.log_probability;
  }
  EXPECT_EQ(samples, score.samples);
  EXPECT_EQ(right, score.correct_answers);
  EXPECT_NEAR(sum, score.loss_sum, 1e-4);
}

TEST(Validation, ScoresAreThoseOfTheLogits) {
  const io::Tokenizer tokenizer(kRoot / "tests/data/tokenizer/test_model.model");
  const TextOptions text{
      &tokenizer, io::PromptStyle::load(kRoot / "configs/prompts/plain.ini"), {}, 512};
  tiny::Options options;
  options.model.llm.vocab_size = tokenizer.size() + 1;
  options.model.llm.train = "bridge,adapter,llm";
  options.label_smoothing = 0;
  tiny::Run run(parallel::make_self_communicator(), options);
  const io::Dataset easy = make_dataset("easy", {"a cat", "a cat", "a dog", "a cat"});
  const io::Dataset hard =
      make_dataset("hard", {"the table has four legs", "nobody knows", "a cat", "it is late"});
  const std::vector<const io::Dataset*> datasets = {&easy, &hard};

  std::map<std::string, tiny::Batch> batches;
  tiny::Batch taught;
  for (const io::Dataset* dataset : datasets)
    for (int64_t s = 0; s < dataset->size(); ++s) {
      io::TokenizedSample tokens =
          io::tokenize_sample(tokenizer, text.style, dataset->turns(s), text.max_tokens);
      SampleInput sample;
      sample.token_ids = std::move(tokens.token_ids);
      sample.scored = std::move(tokens.scored);
      for (tiny::Batch* batch : {&batches[dataset->name()], &taught}) {
        sample.index = static_cast<int64_t>(batch->samples.size());
        batch->samples.push_back(sample);
      }
    }
  // Trained a little, so that some tokens and some answers are right and others wrong.
  for (int step = 0; step < 12; ++step) run.step(taught, 1e-2);

  BatchLoader loader(run.rt(), options.model, datasets, text, options.limits,
                     {.image_size = static_cast<int>(options.model.vision.image_size)}, 1);
  std::vector<Prediction> predictions;
  const auto scores = validate(run.rt(), run.model(), &loader, datasets,
                               {.batch_size = 3, .predictions = [&](const Prediction& prediction) {
                                  predictions.push_back(prediction);
                                }});
  ASSERT_EQ(scores.size(), 2u);
  ASSERT_EQ(predictions.size(), 8u);
  int64_t right_tokens = 0, wrong_tokens = 0, right_answers = 0;
  for (const auto& [set, task, score] : scores) {
    SCOPED_TRACE(task);
    const Expected expected = expected_of(&run, batches.at(task));
    EXPECT_EQ(score.samples, 4);
    EXPECT_EQ(score.damaged_samples, 0);
    EXPECT_EQ(score.scored_tokens, expected.tokens);
    EXPECT_EQ(score.correct_tokens, expected.correct);
    EXPECT_EQ(score.correct_answers, expected.answers);
    EXPECT_NEAR(score.loss(), expected.loss / static_cast<double>(expected.tokens), 1e-5);
    right_tokens += expected.correct;
    wrong_tokens += expected.tokens - expected.correct;
    right_answers += expected.answers;
    expect_agreement(predictions, set, score);
  }
  EXPECT_GT(right_tokens, 0);
  EXPECT_GT(wrong_tokens, 0);
  EXPECT_GT(right_answers, 0);
  EXPECT_LT(right_answers, 8);
  EXPECT_EQ(scores[0].set, "easy");
  EXPECT_EQ(scores[0].score.baseline(), 0.75);
  EXPECT_EQ(scores[1].set, "hard");
  EXPECT_EQ(scores[1].score.baseline(), 0.25);
}

TEST(Validation, TwoSetsOfOneTaskAreTwoScores) {
  const io::Tokenizer tokenizer(kRoot / "tests/data/tokenizer/test_model.model");
  tiny::Options options;
  options.model.llm.vocab_size = tokenizer.size() + 1;
  tiny::Run run(parallel::make_self_communicator(), options);
  const io::Dataset near = make_dataset("animals", {"a cat", "a dog"}, "near");
  const io::Dataset far = make_dataset("animals", {"a cat", "a cat", "a cow"}, "far");
  const std::vector<const io::Dataset*> datasets = {&near, &far};
  BatchLoader loader(
      run.rt(), options.model, datasets,
      {&tokenizer, io::PromptStyle::load(kRoot / "configs/prompts/plain.ini"), {}, 512},
      options.limits, {.image_size = static_cast<int>(options.model.vision.image_size)}, 1);
  const auto scores = validate(run.rt(), run.model(), &loader, datasets, {.batch_size = 2});
  ASSERT_EQ(scores.size(), 2u);
  for (const SetScore& set : scores) EXPECT_EQ(set.task, "animals");
  EXPECT_EQ(scores[0].set, "near");
  EXPECT_EQ(scores[0].score.samples, 2);
  EXPECT_EQ(scores[1].set, "far");
  EXPECT_EQ(scores[1].score.samples, 3);
  const std::string line = to_json(to_metrics(scores[1]));
  EXPECT_TRUE(line.starts_with("{\"set\": \"far\", \"class\": \"animals\", \"samples\": 3,"))
      << line;
}

TEST(Validation, LogitsThatAreNotFiniteGivePredictionsWithoutProbability) {
  const io::Tokenizer tokenizer(kRoot / "tests/data/tokenizer/test_model.model");
  tiny::Options options;
  options.model.llm.vocab_size = tokenizer.size() + 1;
  tiny::Run run(parallel::make_self_communicator(), options);
  run.model().visit_parameters([](Parameter& parameter) {
    if (parameter.name == "LLM.lm_head.weight")
      parameter.value.data<float>()[7] = std::numeric_limits<float>::quiet_NaN();
  });
  run.optimizer();
  const io::Dataset set = make_dataset("nan", {"a cat", "the table has four legs"});
  const std::vector<const io::Dataset*> datasets = {&set};
  BatchLoader loader(
      run.rt(), options.model, datasets,
      {&tokenizer, io::PromptStyle::load(kRoot / "configs/prompts/plain.ini"), {}, 512},
      options.limits, {.image_size = static_cast<int>(options.model.vision.image_size)}, 1);
  std::vector<std::string> lines;
  const auto scores = validate(run.rt(), run.model(), &loader, datasets,
                               {.batch_size = 2, .predictions = [&](const Prediction& prediction) {
                                  lines.push_back(to_json(prediction));
                                }});
  ASSERT_EQ(scores.size(), 1u);
  EXPECT_FALSE(std::isfinite(scores[0].score.loss()));
  ASSERT_EQ(lines.size(), 2u);
  for (const std::string& line : lines)
    EXPECT_TRUE(line.ends_with("\"right\": false, \"log_probability\": null}")) << line;
}

/// A tokenizer without BOS and a sample without media: no row predicts the first token.
TEST(Predictions, LeaveOutAFirstTokenThatNothingPredicts) {
  const io::Tokenizer tokenizer(kRoot / "tests/data/tokenizer/test_model.model");
  const std::vector<io::Turn> turns = {{io::TurnRole::kText, "a cat"},
                                       {io::TurnRole::kText, "a dog"}};
  io::TokenizedSample tokens;
  std::vector<ScoredToken> scored;
  for (const io::Turn& turn : turns) {
    for (const int32_t id : tokenizer.encode(turn.text)) tokens.token_ids.push_back(id);
    tokens.token_ids.push_back(tokenizer.eos_id());
  }
  tokens.scored.assign(tokens.token_ids.size(), 1);
  for (const int32_t id : tokens.token_ids) scored.push_back({id, id, -1.0});
  const size_t first = tokenizer.encode(turns[0].text).size() + 1;  // with its end token
  const auto with_row = predictions_of(tokenizer, turns, tokens, scored);
  scored.erase(scored.begin());
  const auto without = predictions_of(tokenizer, turns, tokens, scored);
  ASSERT_EQ(with_row.size(), 2u);
  ASSERT_EQ(without.size(), 2u);
  EXPECT_EQ(with_row[0].log_probability, -static_cast<double>(first));
  EXPECT_EQ(without[0].log_probability, 1 - static_cast<double>(first));
  EXPECT_EQ(without[1].log_probability, with_row[1].log_probability);
  EXPECT_EQ(without[1].answer, "a dog");
  EXPECT_TRUE(without[0].is_right && without[1].is_right);
  scored.pop_back();
  EXPECT_THROW(predictions_of(tokenizer, turns, tokens, scored), InternalError);
}

TEST(Validation, OfEqualLogitsTheFirstIsTheAnswer) {
  tiny::Options options;
  tiny::Run run(parallel::make_self_communicator(), options);
  run.model().visit_parameters([](Parameter& parameter) {
    if (parameter.name == "LLM.lm_head.weight") parameter.value.fill_zero();
  });
  run.optimizer();
  tiny::Batch batch = tiny::make_batch(1, {tiny::Kind::kText});
  std::fill(batch.samples[0].scored.begin(), batch.samples[0].scored.end(), 1);
  for (size_t t = 0; t < batch.samples[0].token_ids.size(); ++t)
    batch.samples[0].token_ids[t] = t == 2 ? 0 : 5;
  ReplicaBatch mine = run.replica_batch(batch);
  const StepLoss loss =
      evaluate_loss(run.rt(), run.model(), &mine, run.pixels(batch, mine), nullptr);
  EXPECT_EQ(loss.correct, 1);
}

}  // namespace
}  // namespace lynceus::train
