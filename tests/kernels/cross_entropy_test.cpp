// Cross-entropy over 1, 2 and 3 vocabulary shards against torch's numbers
// (tests/oracle/make_cross_entropy.py), the f64 reference and its complex-step gradient.
#include "kernels/cross_entropy.h"

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "kernel_test.h"
#include "kernels/reference/cross_entropy.h"

namespace lynceus::kernels {
namespace {

struct Result {
  std::vector<float> loss;
  std::vector<float> gradient;  // [rows, vocabulary]
  std::vector<bool> correct;    // the target is the first of the largest
};

/// The three steps with `shards` shards of ceil(vocabulary / shards) + `padding` columns each, the
/// all-reduces done by hand; NaNs in the padding columns must have no effect.
Result sharded(const std::vector<float>& logits, const std::vector<int32_t>& labels,
               int64_t vocabulary, int64_t shards, int64_t padding, float smoothing,
               DType dtype = DType::kF32) {
  const Stream stream = test_stream();
  const auto rows = static_cast<int64_t>(labels.size());
  const int64_t part = (vocabulary + shards - 1) / shards;
  const int64_t local = part + padding;
  const Tensor label = Tensor::from(stream, {rows}, labels);
  std::vector<float> largest(static_cast<size_t>(rows), -std::numeric_limits<float>::infinity());
  std::vector<float> sums(static_cast<size_t>(rows * kCrossEntropyPartials));

  std::vector<Tensor> locals, maxima, partials;
  std::vector<VocabularyShard> places;
  for (int64_t s = 0; s < shards; ++s) {
    const int64_t begin = s * part;
    const int64_t valid = std::clamp<int64_t>(vocabulary - begin, 0, part);
    std::vector<float> values(static_cast<size_t>(rows * local),
                              std::numeric_limits<float>::quiet_NaN());
    for (int64_t r = 0; r < rows; ++r)
      std::copy_n(logits.begin() + r * vocabulary + begin, valid, values.begin() + r * local);
    locals.push_back(float_tensor(stream, {rows, local}, values, dtype));
    places.push_back({begin, valid, vocabulary});
    maxima.push_back(Tensor::empty(stream, {rows}));
    partials.push_back(Tensor::empty(stream, {rows, kCrossEntropyPartials}));
    cross_entropy_partial(stream, locals.back(), label, places.back(), maxima.back(),
                          partials.back());
    const auto found = maxima.back().to_vector<float>();
    for (size_t r = 0; r < largest.size(); ++r) largest[r] = std::max(largest[r], found[r]);
  }
  const Tensor row_max = Tensor::from(stream, {rows}, largest);
  for (size_t s = 0; s < locals.size(); ++s) {
    cross_entropy_rebase(stream, maxima[s], row_max, partials[s]);
    const auto found = partials[s].to_vector<float>();
    for (size_t i = 0; i < sums.size(); ++i) sums[i] += found[i];
  }
  const Tensor partial = Tensor::from(stream, {rows, kCrossEntropyPartials}, sums);
  Result result;
  result.gradient.resize(logits.size());
  for (size_t s = 0; s < locals.size(); ++s) {
    const Tensor loss = Tensor::empty(stream, {rows});
    const Tensor correct = Tensor::empty(stream, {rows}, DType::kU8);
    cross_entropy_finish(stream, locals[s], label, places[s], row_max, partial, smoothing, true,
                         &loss, &correct);
    const auto votes = correct.to_vector<uint8_t>();
    result.correct.assign(votes.begin(), votes.end());
    const auto gradient = to_floats(locals[s]);
    if (s > 0) {
      EXPECT_EQ(loss.to_vector<float>(), result.loss) << "shards disagree on the loss";
    }
    result.loss = loss.to_vector<float>();
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < local; ++c) {
        const float value = gradient[r * local + c];
        if (c < places[s].valid) {
          result.gradient[r * vocabulary + places[s].begin + c] = value;
        } else {
          EXPECT_EQ(value, 0.0f) << "gradient of padding";
        }
      }
  }
  return result;
}

std::vector<int32_t> some_labels(int64_t rows, int64_t vocabulary) {
  const CounterRandom random(5, "labels");
  std::vector<int32_t> labels(static_cast<size_t>(rows));
  for (size_t r = 0; r < labels.size(); ++r)
    labels[r] = r % 5 == 3
                    ? kNotScored
                    : static_cast<int32_t>(random.below(r, static_cast<uint64_t>(vocabulary)));
  return labels;
}

TEST(CrossEntropy, EqualsTorch) {
  std::ifstream file(test_data("cross_entropy_torch.json"));
  const auto cases = nlohmann::json::parse(file).at("cases");
  for (const auto& one : cases)
    for (const int64_t shards : {1, 2, 3}) {
      const auto smoothing = one.at("label_smoothing").get<float>();
      SCOPED_TRACE(fmt::format("smoothing {}, {} shards", smoothing, shards));
      std::vector<float> logits;
      std::vector<double> gradient;
      for (const auto& row : one.at("logits"))
        for (const auto& value : row) logits.push_back(value.get<float>());
      for (const auto& row : one.at("gradient"))
        for (const auto& value : row) gradient.push_back(value.get<double>());
      const auto labels = one.at("labels").get<std::vector<int32_t>>();
      const auto vocabulary = static_cast<int64_t>(logits.size() / labels.size());
      const Result result = sharded(logits, labels, vocabulary, shards, 2, smoothing);
      expect_close(result.loss, one.at("loss").get<std::vector<double>>(), 1e-6, "loss");
      expect_close(result.gradient, gradient, 3e-7, "gradient");
    }
}

TEST(CrossEntropy, OfEqualLogitsTheFirstIsTheAnswer) {
  // Rows: all equal; the largest twice, in one shard and in two; the largest once.
  const std::vector<float> logits = {2, 2, 2, 2, 2, 2, 0, 7, 7, 1, 1, 1,
                                     0, 7, 1, 1, 7, 1, 0, 1, 1, 9, 1, 1};
  for (const int64_t shards : {1, 2, 3})
    for (int32_t label = 0; label < 6; ++label) {
      const Result result = sharded(logits, std::vector<int32_t>(4, label), 6, shards, 1, 0);
      EXPECT_EQ(result.correct, (std::vector<bool>{label == 0, label == 1, label == 1, label == 3}))
          << shards << " shards, label " << label;
    }
}

// A maximum must be replaced by a later, larger one, however the row is split over threads.
TEST(CrossEntropy, OfRisingLogitsTheLastIsTheAnswer) {
  std::vector<float> logits(9001);
  for (size_t c = 0; c < logits.size(); ++c) logits[c] = static_cast<float>(c);
  for (const int64_t shards : {1, 2}) {
    EXPECT_TRUE(sharded(logits, {9000}, 9001, shards, 3, 0).correct[0]);
    EXPECT_FALSE(sharded(logits, {8999}, 9001, shards, 3, 0).correct[0]);
  }
}

struct Case {
  int64_t rows;
  int64_t vocabulary;
  int64_t shards;
  int64_t padding;
  float smoothing;
};

class CrossEntropy : public testing::TestWithParam<Case> {};

TEST_P(CrossEntropy, EqualsTheReference) {
  const auto [rows, vocabulary, shards, padding, smoothing] = GetParam();
  const auto logits = random_floats(rows * vocabulary, "logits", -9, 30);
  const auto labels = some_labels(rows, vocabulary);
  const Result result = sharded(logits, labels, vocabulary, shards, padding, smoothing);

  // Each column of the reference is a pass over its row. So of long rows only every seventh column,
  // with another offset in each row, and the label's.
  const int64_t apart = vocabulary > 1000 ? 7 : 1;
  std::vector<double> loss(static_cast<size_t>(rows));
  std::vector<float> found;
  std::vector<double> gradient;
  auto point = widen<Complex>(logits);
  for (int64_t r = 0; r < rows; ++r) {
    if (labels[r] == kNotScored) continue;
    Complex* const row = point.data() + r * vocabulary;
    loss[r] = reference::cross_entropy(vocabulary, row, labels[r], double{smoothing}).real();
    for (int64_t c = 0; c < vocabulary; ++c) {
      if (c % apart != r % apart && c != labels[r]) continue;
      row[c] += Complex(0, kStep);
      gradient.push_back(
          reference::cross_entropy(vocabulary, row, labels[r], double{smoothing}).imag() / kStep);
      found.push_back(result.gradient[r * vocabulary + c]);
      row[c] = row[c].real();
    }
  }
  expect_close(result.loss, loss, 1e-6, "loss");
  expect_close(found, gradient, 5e-7, "gradient");
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < vocabulary && labels[r] == kNotScored; ++c)
      EXPECT_EQ(result.gradient[r * vocabulary + c], 0.0f);
}

// 5 tokens over 4 shards: the last one has no real column at all.
INSTANTIATE_TEST_SUITE_P(Shapes, CrossEntropy,
                         testing::Values(Case{1, 1, 1, 0, 0}, Case{0, 8, 1, 0, 0},
                                         Case{71, 229, 1, 0, 0}, Case{71, 229, 2, 0, 0},
                                         Case{71, 229, 3, 3, 0.1f}, Case{3, 64, 1, 5, 0.1f},
                                         Case{9, 5, 4, 1, 0.1f}, Case{4, 600, 2, 0, 0},
                                         Case{3, 9004, 2, 2, 0.1f}));

TEST(CrossEntropyPartial, NothingButPadding) {
  const Stream stream = test_stream();
  const Tensor max = Tensor::empty(stream, {2});
  const Tensor partial = Tensor::empty(stream, {2, kCrossEntropyPartials});
  cross_entropy_partial(stream, Tensor::zeros(stream, {2, 3}),
                        Tensor::from(stream, {2}, std::vector<int32_t>{1, kNotScored}), {9, 0, 9},
                        max, partial);
  EXPECT_EQ(partial.to_vector<float>(), std::vector<float>(2 * kCrossEntropyPartials, 0.0f));
  EXPECT_EQ(max.to_vector<float>(), std::vector<float>(2, -std::numeric_limits<float>::infinity()));
}

TEST(CrossEntropy, ALogitOfMinusInfinityHasNoProbability) {
  const float nothing = -std::numeric_limits<float>::infinity();
  for (const DType dtype : {DType::kF32, DType::kBf16}) {
    std::vector<float> logits(64, nothing);
    logits[40] = logits[41] = 3;
    const Result result = sharded(logits, {41}, 64, 1, 0, 0, dtype);
    expect_close(result.loss, {std::log(2.0)}, 1e-6, "loss");
    std::vector<double> gradient(64);
    gradient[40] = 0.5;
    gradient[41] = -0.5;
    expect_close(result.gradient, gradient, 1e-6, "gradient");
  }
}

TEST(CrossEntropyFinish, LossAloneLeavesTheLogits) {
  const Stream stream = test_stream();
  const auto values = random_floats(3 * 7, "logits");
  const Tensor logits = Tensor::from(stream, {3, 7}, values);
  const Tensor labels = Tensor::from(stream, {3}, std::vector<int32_t>{6, kNotScored, 0});
  const VocabularyShard shard{0, 7, 7};
  const Tensor max = Tensor::empty(stream, {3});
  const Tensor partial = Tensor::empty(stream, {3, kCrossEntropyPartials});
  const Tensor loss = Tensor::empty(stream, {3});
  cross_entropy_partial(stream, logits, labels, shard, max, partial);
  cross_entropy_finish(stream, logits, labels, shard, max, partial, 0.0f, false, &loss);
  EXPECT_EQ(logits.to_vector<float>(), values);
  EXPECT_GT(loss.to_vector<float>()[0], 0.0f);
  EXPECT_EQ(loss.to_vector<float>()[1], 0.0f);
}

// Logits in bf16 are the same numbers to the loss; only their gradient is rounded.
TEST(CrossEntropy, OfBf16LogitsIsThatOfTheirValues) {
  const auto logits = as_stored(random_floats(37 * 229, "logits", -8, 8), DType::kBf16);
  const auto labels = some_labels(37, 229);
  for (const int64_t shards : {1, 3}) {
    const Result wide = sharded(logits, labels, 229, shards, 2, 0.1f);
    const Result narrow = sharded(logits, labels, 229, shards, 2, 0.1f, DType::kBf16);
    EXPECT_EQ(narrow.loss, wide.loss);
    EXPECT_EQ(narrow.correct, wide.correct);
    EXPECT_EQ(narrow.gradient, as_stored(wide.gradient, DType::kBf16));
  }
}

TEST(CrossEntropyThreads, BitEqual) {
  const auto logits = random_floats(401 * 103, "logits");
  const auto labels = some_labels(401, 103);
  const auto [one, two] =
      with_one_and_two_threads([&] { return sharded(logits, labels, 103, 2, 0, 0.1f); });
  EXPECT_EQ(one.loss, two.loss);
  EXPECT_EQ(one.gradient, two.gradient);
}

TEST(CrossEntropyChecks, LabelsOutsideTheVocabularyAreRefused) {
  const Stream stream;  // device kernels do not check this
  const Tensor logits = Tensor::zeros(stream, {1, 4});
  const Tensor max = Tensor::zeros(stream, {1});
  const Tensor partial = Tensor::zeros(stream, {1, kCrossEntropyPartials});
  for (const int32_t bad : {4, -1}) {
    const Tensor labels = Tensor::from(stream, {1}, std::vector<int32_t>{bad});
    EXPECT_THROW(cross_entropy_partial(stream, logits, labels, {0, 4, 4}, max, partial),
                 InternalError)
        << bad;
  }
}

}  // namespace
}  // namespace lynceus::kernels
