// The step on one rank: grouped heads, the parameters that a batch reaches, the number of
// collectives, refusal of NaN.
#include "train/step/step.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/train/tiny_model.h"

namespace lynceus::train {
namespace {

using tiny::Kind;
using tiny::Named;
using tiny::Part;

std::map<std::string, Parameter*> by_name(model::LynxModel* model) {
  std::map<std::string, Parameter*> parameters;
  model->visit_parameters([&](Parameter& parameter) { parameters[parameter.name] = &parameter; });
  return parameters;
}

bool is_key_or_value(const std::string& name) {
  return name.ends_with("self_attn.k_proj.weight") || name.ends_with("self_attn.v_proj.weight");
}

/// Rows of each head of `narrow`, repeated `times` times one after the other.
void repeat_heads(const Tensor& narrow, int64_t head_dim, int64_t times, const Tensor& wide) {
  const int64_t heads = narrow.dim(0) / head_dim;
  for (int64_t head = 0; head < heads; ++head)
    for (int64_t copy = 0; copy < times; ++copy)
      wide.slice((head * times + copy) * head_dim, head_dim)
          .copy_from(narrow.slice(head * head_dim, head_dim));
}

TEST(GroupedHeads, EqualTheSameModelWithRepeatedRows) {
  const tiny::Batch batch =
      tiny::make_batch(1, {Kind::kImage, Kind::kText, Kind::kVideo, Kind::kImages});
  tiny::Options grouped;
  grouped.model.llm.num_kv_heads = 2;
  grouped.model.llm.train = "bridge,adapter,llm";
  tiny::Options repeated = grouped;
  repeated.model.llm.num_kv_heads = 8;
  tiny::Run few(parallel::make_self_communicator(), grouped);
  tiny::Run many(parallel::make_self_communicator(), repeated);
  const int64_t head_dim = grouped.model.llm.head_dim();
  const auto narrow = by_name(&few.model()), wide = by_name(&many.model());
  for (const auto& [name, parameter] : narrow) {
    if (is_key_or_value(name))
      repeat_heads(parameter->value, head_dim, 4, wide.at(name)->value);
    else
      wide.at(name)->value.copy_from(parameter->value);
  }
  const StepResult ours = few.gradients(batch), theirs = many.gradients(batch);
  EXPECT_NEAR(ours.loss, theirs.loss, 1e-6 * theirs.loss);
  const Named gradients = few.gather(Part::kGradient), expected = many.gather(Part::kGradient);
  Named scalars, expected_scalars;  // sums whose terms cancel: compared together, not one by one
  for (const auto& [name, values] : gradients) {
    std::vector<float> sum = expected.at(name);
    if (is_key_or_value(name)) {  // the gradient of a shared row is the sum over its copies
      const size_t head = static_cast<size_t>(head_dim * grouped.model.llm.hidden_size);
      sum.assign(values.size(), 0);
      for (size_t i = 0; i < expected.at(name).size(); ++i)
        sum[i / (4 * head) * head + i % head] += expected.at(name)[i];
    }
    if (values.size() == 1) {
      scalars[name] = values;
      expected_scalars[name] = sum;
      continue;
    }
    EXPECT_LE(tiny::relative_l2({{name, values}}, {{name, sum}}), 1e-5) << name;
  }
  EXPECT_LE(tiny::relative_l2(scalars, expected_scalars), 1e-5);
}

/// The gradient of a tied matrix is the sum of those of embedding and head. The untied model is the
/// one that the reference cases check.
TEST(TiedEmbedding, GradientIsThatOfEmbeddingAndHead) {
  const tiny::Batch batch =
      tiny::make_batch(2, {Kind::kImage, Kind::kText, Kind::kVideo, Kind::kImages});
  tiny::Options tied;
  tied.model.llm.train = "bridge,adapter,llm";
  tiny::Options untied = tied;
  tied.model.llm.tie_word_embeddings = true;
  tiny::Run one(parallel::make_self_communicator(), tied);
  tiny::Run two(parallel::make_self_communicator(), untied);
  const std::string embedding = "LLM.model.embed_tokens.weight", head = "LLM.lm_head.weight";
  const auto theirs = by_name(&two.model());
  theirs.at(head)->value.copy_from(theirs.at(embedding)->value);
  EXPECT_FALSE(by_name(&one.model()).contains(head));
  EXPECT_EQ(one.gradients(batch).loss, two.gradients(batch).loss);
  const Named gradients = one.gather(Part::kGradient);
  Named expected = two.gather(Part::kGradient);
  for (size_t i = 0; i < expected.at(head).size(); ++i)
    expected.at(embedding)[i] += expected.at(head)[i];
  expected.erase(head);
  ASSERT_EQ(gradients.size(), expected.size());
  for (const auto& [name, values] : gradients)
    EXPECT_LE(tiny::relative_l2({{name, values}}, {{name, expected.at(name)}}), 1e-6) << name;
  // After a step the head still uses the matrix that was updated.
  EXPECT_TRUE(one.step(batch).updated);
  EXPECT_EQ(one.model().stage.head->lm_head.weight.value.raw(),
            by_name(&one.model()).at(embedding)->value.raw());
}

/// Names whose value, moment or step count changed by `step`.
std::vector<std::string> moved_by(tiny::Run* run, const tiny::Batch& batch) {
  const Named values = run->gather(Part::kValue), m = run->gather(Part::kFirstMoment),
              v = run->gather(Part::kSecondMoment);
  std::map<std::string, int64_t> steps;
  for (const TrainedParameter& trained : run->optimizer().parameters())
    steps[trained.parameter->name] = trained.steps;
  run->step(batch);
  const Named values_after = run->gather(Part::kValue), m_after = run->gather(Part::kFirstMoment),
              v_after = run->gather(Part::kSecondMoment);
  std::vector<std::string> moved;
  for (const TrainedParameter& trained : run->optimizer().parameters()) {
    const std::string& name = trained.parameter->name;
    const bool stepped = trained.steps == steps[name] + 1;
    EXPECT_TRUE(stepped || trained.steps == steps[name]) << name;
    const bool same = values.at(name) == values_after.at(name) && m.at(name) == m_after.at(name) &&
                      v.at(name) == v_after.at(name);
    EXPECT_NE(stepped, same) << name;
    if (stepped) moved.push_back(name);
  }
  return moved;
}

TEST(Step, MovesExactlyWhatTheBatchReaches) {
  tiny::Run run(parallel::make_self_communicator(), {});
  const auto count = [&](const auto& belongs) {
    size_t total = 0;
    for (const TrainedParameter& trained : run.optimizer().parameters())
      total += belongs(trained.parameter->name);
    return total;
  };
  const size_t all = count([](const std::string&) { return true; });
  const size_t llm = count([](const std::string& name) { return name.starts_with("LLM."); });
  ASSERT_GT(all, llm);
  // A video first, so that a wrong decay of its moments would show.
  EXPECT_EQ(moved_by(&run, tiny::make_batch(1, {Kind::kVideo, Kind::kText})).size(), all);
  EXPECT_EQ(moved_by(&run, tiny::make_batch(2, {Kind::kText, Kind::kText})).size(), llm);
  EXPECT_EQ(moved_by(&run, tiny::make_batch(3, {Kind::kText, Kind::kImages})).size(), all - 1);
  EXPECT_EQ(moved_by(&run, tiny::make_batch(4, {})).size(), 0U);
}

TEST(Step, FreezingAModuleChangesNoGradientOfTheOthers) {
  const tiny::Batch batch = tiny::make_batch(1, {Kind::kImage, Kind::kText, Kind::kVideo});
  tiny::Run both(parallel::make_self_communicator(), {});
  both.gradients(batch);
  const Named expected = both.gather(Part::kGradient);
  for (const char* train : {"adapter", "bridge", "llm, bridge, adapter", "llm"}) {
    SCOPED_TRACE(train);
    tiny::Options options;
    options.model.llm.train = train;
    tiny::Run some(parallel::make_self_communicator(), options);
    some.gradients(batch);
    size_t compared = 0;
    for (const auto& [name, values] : some.gather(Part::kGradient)) {
      const auto found = expected.find(name);
      if (found == expected.end()) continue;
      EXPECT_EQ(values, found->second) << name;
      ++compared;
    }
    EXPECT_EQ(compared > 0, std::string(train) != "llm");
  }
}

TEST(Step, RefusesALossThatIsNoNumberAndMovesNothing) {
  tiny::Run run(parallel::make_self_communicator(), {});
  const tiny::Batch batch = tiny::make_batch(1, {Kind::kText, Kind::kImage});
  run.step(batch);
  by_name(&run.model()).at("LLM.model.layers.2.output_adapter.scaling")->value.data<float>()[0] =
      std::numeric_limits<float>::quiet_NaN();
  const std::string others = "LLM.model.layers.4.output_adapter.adapter_up.weight";
  const Named before = run.gather(Part::kValue);
  try {
    run.step(batch);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kNumeric);
    EXPECT_STREQ(error.what(), "the loss is nan and the gradient norm nan: nothing was updated");
  }
  EXPECT_EQ(run.gather(Part::kValue).at(others), before.at(others));
  EXPECT_EQ(run.optimizer().parameters().back().steps, 1);
}

TEST(DecoderLayer, TwoAllReducesADirectionAndOneMoreWithAnAdapter) {
  tiny::Run run(parallel::make_self_communicator(), {});
  run.optimizer();
  const tiny::Batch text = tiny::make_batch(1, {Kind::kText});
  ReplicaBatch batch = run.replica_batch(text);
  model::PackedBatch& micro_batch = batch.micro_batches.front();
  run.model().stage.prepare(run.rt(), &micro_batch);
  const int64_t hidden = run.options().model.llm.hidden_size;
  const Tensor x = Tensor::zeros(run.rt().stream, {micro_batch.tokens(), hidden});
  parallel::Communicator& ranks = *run.rt().grid.tensor;
  for (const model::DecoderLayer& layer : run.model().stage.layers) {
    const int64_t expected = layer.adapter ? 3 : 2;
    ranks.reset_counts();
    model::DecoderLayer::Saved saved;
    const Tensor y = layer.forward(run.rt(), micro_batch, x, &saved);
    EXPECT_EQ(ranks.counts().all_reduces, expected);
    Tensor dx;
    layer.backward(run.rt(), micro_batch, saved, y, &dx);
    EXPECT_EQ(ranks.counts().all_reduces, 2 * expected);
    EXPECT_EQ(ranks.counts().collectives(), 2 * expected);
  }
}

TEST(Step, ScoresTheFirstTokenOnlyAfterARow) {
  // A text-only sample's first token has no row before it; a sample with media scores it from the
  // last visual row.
  tiny::Batch text = tiny::make_batch(1, {Kind::kText}),
              image = tiny::make_batch(1, {Kind::kImage});
  std::vector<uint8_t> first_only(text.samples[0].token_ids.size(), 0);
  first_only[0] = 1;
  text.samples[0].scored = first_only;
  image.samples[0].scored.assign(image.samples[0].token_ids.size(), 0);
  image.samples[0].scored[0] = 1;
  tiny::Run run(parallel::make_self_communicator(), {});
  EXPECT_EQ(run.step(text).totals.scored_tokens, 0);
  EXPECT_EQ(run.step(image).totals.scored_tokens, 1);
}

}  // namespace
}  // namespace lynceus::train
