// Scaled rotary frequencies against the functions of Hugging Face transformers 5.24
// (modeling_rope_utils.py), run in f64, and the tables of packed sequences.
#include "model/rope_frequencies.h"

#include <gtest/gtest.h>

#include <cmath>

#include "model/stage.h"
#include "parallel/grid.h"

namespace lynceus::model {
namespace {

io::RopeScaling scaling(const std::string& text) {
  return io::RopeScaling::from_text(text).value();
}

void expect_near(const std::vector<double>& found, const std::vector<double>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i)
    EXPECT_NEAR(found[i] / expected[i], 1, 1e-14) << "frequency " << i;
}

TEST(RopeFrequencies, EqualThoseOfTransformers) {
  expect_near(rope_frequencies({}, 10000, 8, 100000), {1.0, 0.1, 0.01, 0.001});
  expect_near(rope_frequencies(scaling("linear:4"), 10000, 8, 100), {0.25, 0.025, 0.0025, 0.00025});
  const io::RopeScaling dynamic = scaling("dynamic:2:2048");
  for (const int64_t length : {1, 100, 2048})
    expect_near(rope_frequencies(dynamic, 10000, 8, length), {1.0, 0.1, 0.01, 0.001});
  expect_near(rope_frequencies(dynamic, 10000, 8, 3000),
              {1.0, 0.08032258413477837, 0.00645171752208855, 0.0005182186234817814});
  expect_near(rope_frequencies(dynamic, 10000, 8, 8192),
              {1.0, 0.052275795857471025, 0.0027327588325319844, 0.00014285714285714287});
  expect_near(
      rope_frequencies(scaling("llama3:8:1:4:8192"), 500000, 32, 100),
      {1.0, 0.44036660267178046, 0.19392274474868576, 0.08539710028576561, 0.03760603093086393,
       0.016560440080994446, 0.0072926647372171085, 0.0032114459947525913, 0.0005248461609929547,
       7.78465527393245e-05, 3.428102195952591e-05, 1.509621717643313e-05, 6.647869871181236e-06,
       2.9274998701761677e-06, 1.2891731721515574e-06, 5.677088100759837e-07});
}

/// cos of the tables that a stage prepares for two packed sequences of these lengths.
std::vector<float> table_of(const io::RopeScaling& kind, int32_t first, int32_t second) {
  const Runtime rt{Stream(), parallel::make_grid({}, parallel::make_self_communicator())};
  LlmStage stage;
  stage.rope_scaling = kind;
  stage.head_dim = 8;
  PackedBatch batch;
  std::vector<int32_t> positions;
  for (const int32_t length : {first, second})
    for (int32_t i = 0; i < length; ++i) positions.push_back(i);
  batch.sequences = kernels::CumulativeLengths(rt.stream, {0, first, first + second});
  batch.positions = Tensor::from(rt.stream, {first + second}, positions);
  stage.prepare(rt, &batch);
  return batch.cos.to_vector<float>();
}

TEST(RopeFrequencies, DynamicScalingFollowsTheLengthOfEachSequence) {
  const auto cosine = [](int position, const std::vector<double>& frequencies, int i) {
    return std::cos(position * frequencies[static_cast<size_t>(i)]);
  };
  const io::RopeScaling dynamic = scaling("dynamic:2:6");
  const std::vector<float> table = table_of(dynamic, 5, 9);
  const auto shorter = rope_frequencies({}, 10000, 8, 5);
  const auto longer = rope_frequencies(dynamic, 10000, 8, 9);
  EXPECT_LT(longer[3], shorter[3]);
  for (int i = 0; i < 4; ++i) {
    EXPECT_NEAR(table[4 * 4 + i], cosine(4, shorter, i), 1e-7) << i;
    EXPECT_NEAR(table[(5 + 8) * 4 + i], cosine(8, longer, i), 1e-7) << i;
  }
  EXPECT_EQ(table_of(dynamic, 5, 6), table_of({}, 5, 6));
  EXPECT_NE(table_of(scaling("linear:2"), 5, 6), table_of({}, 5, 6));
}

TEST(RopeScalingText, RoundTripsAndRefusesOtherForms) {
  for (const char* text : {"none", "linear:2.5", "dynamic:2:2048", "llama3:8:1:4:8192"})
    EXPECT_EQ(scaling(text).to_text(), text);
  for (const char* text :
       {"", "yarn:2", "linear", "linear:", "linear:0.5", "linear:2:3", "linear:nan", "dynamic:2",
        "dynamic:2:0", "llama3:8:4:1:8192", "llama3:8:1:4", "none:1", "linear:2x"})
    EXPECT_FALSE(io::RopeScaling::from_text(text)) << text;
}

}  // namespace
}  // namespace lynceus::model
