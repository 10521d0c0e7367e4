// Attention over cached keys against scalar loops in f64 and against attention over packed
// sequences; its bits depend on a query and its keys alone.
#include "kernels/cached_attention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/random.h"
#include "kernel_test.h"
#include "kernels/embedding.h"
#include "kernels/reference/cached_attention.h"

namespace lynceus::kernels {
namespace {

using testing::HasSubstr;

struct Case {
  std::string name;
  int64_t heads, kv_heads, head_dim;
  std::vector<int32_t> queries, keys;  // by sequence
  DType dtype = DType::kF32, cache = DType::kF32;
};

void PrintTo(const Case& value, std::ostream* stream) { *stream << value.name; }

std::vector<Case> cases() {
  std::vector<Case> all = {
      {"OneOfEverything", 1, 1, 1, {1}, {1}},
      {"OneQueryEach", 4, 4, 64, {1, 1, 1, 1, 1}, {1, 17, 33, 128, 5}},
      {"GroupedOddHead", 6, 2, 11, {1, 3, 0, 1}, {9, 3, 4, 71}},
      {"PartOfAPrompt", 3, 3, 24, {5, 12}, {40, 12}},
      {"LargeHead", 2, 1, 300, {1, 2}, {50, 7}},
      {"ManyKeys", 1, 1, 8, {2}, {3000}},
  };
  for (size_t i = 0, count = all.size(); i < count; ++i) {
    Case bf16 = all[i], mixed = all[i];
    bf16.name += "Bf16";
    bf16.dtype = bf16.cache = DType::kBf16;
    mixed.name += "Bf16Cache";
    mixed.cache = DType::kBf16;
    all.push_back(bf16);
    all.push_back(mixed);
  }
  return all;
}

std::vector<int32_t> begins_of(const std::vector<int32_t>& counts) {
  std::vector<int32_t> begins{0};
  for (const int32_t count : counts) begins.push_back(begins.back() + count);
  return begins;
}

/// `count` different rows of a cache of `capacity`, in no order.
std::vector<int32_t> shuffled_rows(int64_t count, int64_t capacity) {
  const CounterRandom random(3, "rows");
  std::vector<int32_t> rows(static_cast<size_t>(capacity));
  std::iota(rows.begin(), rows.end(), 0);
  for (size_t i = rows.size(); i-- > 1;)
    std::swap(rows[i], rows[static_cast<size_t>(random.uniform(i) * static_cast<double>(i + 1))]);
  rows.resize(static_cast<size_t>(count));
  return rows;
}

class CachedAttentionTest : public testing::TestWithParam<Case> {
 protected:
  CachedAttentionTest()
      : shape_{GetParam().heads, GetParam().kv_heads, GetParam().head_dim,
               1.0f / std::sqrt(static_cast<float>(GetParam().head_dim)), true},
        q_begin_(stream_, begins_of(GetParam().queries)),
        keys_{{}, CumulativeLengths(stream_, begins_of(GetParam().keys))},
        capacity_(keys_.begin.tokens() + 7),
        rows_(shuffled_rows(keys_.begin.tokens(), capacity_)),
        q_values_(as_stored(random_floats(queries() * q_width(), "q"), GetParam().dtype)),
        k_values_(as_stored(random_floats(capacity_ * k_width(), "k"), GetParam().cache)),
        v_values_(as_stored(random_floats(capacity_ * k_width(), "v"), GetParam().cache)) {
    keys_.rows = Tensor::from(stream_, {keys_.begin.tokens()}, rows_);
  }
  int64_t queries() const { return q_begin_.tokens(); }
  int64_t q_width() const { return shape_.heads * shape_.head_dim; }
  int64_t k_width() const { return shape_.kv_heads * shape_.head_dim; }

  Tensor run() const {
    const auto& [name, heads, kv_heads, head_dim, queries_of, keys_of, dtype, cache] = GetParam();
    const Tensor q = float_tensor(stream_, {queries(), q_width()}, q_values_, dtype);
    const Tensor k = float_tensor(stream_, {capacity_, k_width()}, k_values_, cache);
    const Tensor v = float_tensor(stream_, {capacity_, k_width()}, v_values_, cache);
    const Tensor out =
        float_tensor(stream_, q.shape(), std::vector<float>(q_values_.size(), 9.0f), dtype);
    cached_attention_forward(stream_, shape_, q, k, v, q_begin_, keys_, out);
    return out;
  }

  Stream stream_ = test_stream();
  AttentionShape shape_;
  CumulativeLengths q_begin_;
  CachedKeys keys_;
  int64_t capacity_;
  std::vector<int32_t> rows_;
  std::vector<float> q_values_, k_values_, v_values_;
};

TEST_P(CachedAttentionTest, EqualsTheReference) {
  std::vector<double> out(q_values_.size());
  reference::cached_attention(shape_, q_begin_.host, keys_.begin.host, rows_,
                              widen<double>(q_values_).data(), widen<double>(k_values_).data(),
                              widen<double>(v_values_).data(), out.data());
  expect_close(run(), out, 2e-6, "out");
}

TEST_P(CachedAttentionTest, BitsDependOnNeitherRunNorThreads) {
  const auto [one, two] = with_one_and_two_threads([&] { return to_floats(run()); });
  EXPECT_EQ(one, two);
}

INSTANTIATE_TEST_SUITE_P(Cases, CachedAttentionTest, testing::ValuesIn(cases()),
                         [](const auto& of) { return of.param.name; });

// A query alone, and among others whose keys lie elsewhere, has the same bits.
TEST(CachedAttentionRowTest, BitsDependOnNeitherNeighboursNorPlaces) {
  const Stream stream = test_stream();
  const AttentionShape shape{4, 2, 40, 0.2f, true};
  const int64_t capacity = 300, q_width = 160, k_width = 80;
  const std::vector<float> k_values = random_floats(capacity * k_width, "k");
  const std::vector<float> q_values = random_floats(6 * q_width, "q");
  const Tensor k = Tensor::from(stream, {capacity, k_width}, k_values);
  const Tensor q = Tensor::from(stream, {6, q_width}, q_values);
  const std::vector<int32_t> lengths = {33, 1, 90, 7, 60, 109};
  const std::vector<int32_t> all_rows = shuffled_rows(300, capacity);
  const auto attend = [&](const Tensor& queries, const Tensor& cache,
                          const std::vector<int32_t>& rows,
                          const std::vector<int32_t>& key_counts) {
    const Tensor out = Tensor::empty(stream, queries.shape());
    const CachedKeys keys{Tensor::from(stream, {static_cast<int64_t>(rows.size())}, rows),
                          CumulativeLengths(stream, begins_of(key_counts))};
    const CumulativeLengths q_begin(
        stream, begins_of(std::vector<int32_t>(static_cast<size_t>(queries.rows()), 1)));
    cached_attention_forward(stream, shape, queries, cache, cache, q_begin, keys, out);
    return out.to_vector<float>();
  };
  const std::vector<float> together = attend(q, k, all_rows, lengths);
  const std::vector<int32_t> begins = begins_of(lengths);
  for (int64_t row = 0; row < 6; ++row) {
    const std::vector<int32_t> rows(all_rows.begin() + begins[row],
                                    all_rows.begin() + begins[row + 1]);
    const int64_t count = static_cast<int64_t>(rows.size());
    // The same keys in a cache of their own, in order.
    const Tensor own = Tensor::empty(stream, {count, k_width});
    gather_rows(stream, k, Tensor::from(stream, {count}, rows), own);
    std::vector<int32_t> in_order(rows.size());
    std::iota(in_order.begin(), in_order.end(), 0);
    const std::vector<float> alone =
        attend(q.slice(row, 1), own, in_order, {static_cast<int32_t>(count)});
    EXPECT_EQ(alone, std::vector<float>(together.begin() + row * q_width,
                                        together.begin() + (row + 1) * q_width))
        << "row " << row;
  }
}

// The last rows of causal sequences, by their keys in a cache.
TEST(CachedAttentionRowTest, EqualsAttentionOverWholeSequences) {
  const Stream stream = test_stream();
  const AttentionShape shape{4, 2, 16, 0.25f, true};
  const CumulativeLengths begin(stream, {0, 9, 30});
  const Tensor q = Tensor::from(stream, {30, 64}, random_floats(30 * 64, "q"));
  const Tensor k = Tensor::from(stream, {30, 32}, random_floats(30 * 32, "k"));
  const Tensor v = Tensor::from(stream, {30, 32}, random_floats(30 * 32, "v"));
  const Tensor whole = Tensor::empty(stream, {30, 64});
  attention_forward(stream, shape, q, k, v, begin, begin, whole, nullptr);
  std::vector<int32_t> rows(30);
  std::iota(rows.begin(), rows.end(), 0);
  const Tensor picked = Tensor::from(stream, {4}, std::vector<int32_t>{7, 8, 28, 29});
  const Tensor last = Tensor::empty(stream, {4, 64}), expected = Tensor::empty(stream, {4, 64});
  const Tensor out = Tensor::empty(stream, {4, 64});
  gather_rows(stream, q, picked, last);
  gather_rows(stream, whole, picked, expected);
  cached_attention_forward(stream, shape, last, k, v, CumulativeLengths(stream, {0, 2, 4}),
                           {Tensor::from(stream, {30}, rows), begin}, out);
  expect_close(out, widen<double>(expected.to_vector<float>()), 2e-6, "out");
}

TEST(CachedAttentionRowTest, WrongArgumentsAreNamed) {
  const Stream stream = test_stream();
  const AttentionShape shape{2, 2, 3, 1.0f, true};
  const Tensor x = Tensor::zeros(stream, {1, 6}), cache = Tensor::zeros(stream, {4, 6});
  const CumulativeLengths one(stream, {0, 1});
  const auto run = [&](const std::vector<int32_t>& rows, const std::vector<int32_t>& begin,
                       const Tensor& k) {
    return error_of([&] {
      const CachedKeys keys{Tensor::from(stream, {static_cast<int64_t>(rows.size())}, rows),
                            CumulativeLengths(stream, begin)};
      cached_attention_forward(stream, shape, x, k, cache, one, keys, x.clone(stream));
    });
  };
  EXPECT_EQ(run({3, 0}, {0, 2}, cache), "no error");
  EXPECT_THAT(run({}, {0, 0}, cache), HasSubstr("1 queries and 0 keys"));
  EXPECT_THAT(run({0, 1}, {0, 1, 2}, cache), HasSubstr("boundaries"));
  EXPECT_THAT(run({0}, {0, 1}, Tensor::zeros(stream, {4, 5})), HasSubstr("k is f32 [4, 5]"));
  if (stream.device().is_cpu()) {
    EXPECT_THAT(run({4}, {0, 1}, cache), HasSubstr("key row 4, expected 0 to 3"));
  }
}

}  // namespace
}  // namespace lynceus::kernels
