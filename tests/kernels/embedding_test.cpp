// Token embedding of shards against the reference, and row moves.
#include "kernels/embedding.h"

#include "kernel_test.h"
#include "kernels/reference/embedding.h"

namespace lynceus::kernels {
namespace {

struct Case {
  int64_t rows;
  int64_t width;
  int64_t vocabulary;
  int64_t shards;
};

std::vector<int32_t> token_ids(int64_t rows, int64_t vocabulary) {
  const CounterRandom random(3, "ids");
  std::vector<int32_t> ids(static_cast<size_t>(rows));
  for (size_t i = 0; i < ids.size(); ++i)  // every ninth row is a visual one
    ids[i] =
        i % 9 == 4 ? -1 : static_cast<int32_t>(random.below(i, static_cast<uint64_t>(vocabulary)));
  return ids;
}

class Embedding : public testing::TestWithParam<Case> {};

TEST_P(Embedding, ShardsSumToTheWhole) {
  const auto [rows, width, vocabulary, shards] = GetParam();
  const Stream stream = test_stream();
  const auto ids = token_ids(rows, vocabulary);
  const auto table = random_floats(vocabulary * width, "table");
  const auto dy = random_floats(rows * width, "dy");
  const Tensor id_tensor = Tensor::from(stream, {rows}, ids);

  std::vector<double> gradient(table.size());
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t i = 0; i < width && ids[r] >= 0; ++i)
      gradient[ids[r] * width + i] += static_cast<double>(dy[r * width + i]);

  std::vector<double> sum(dy.size());
  const int64_t local = (vocabulary + shards - 1) / shards;
  for (int64_t begin = 0; begin < vocabulary; begin += local) {
    const int64_t count = std::min(local, vocabulary - begin);
    const auto first = table.begin() + begin * width;
    const std::vector<float> part(first, first + count * width);
    const Tensor y = Tensor::empty(stream, {rows, width});
    embedding_forward(stream, id_tensor, Tensor::from(stream, {count, width}, part), begin, y);
    const auto wide = widen<double>(part);
    std::vector<double> expected(dy.size());
    reference::embedding(rows, width, ids.data(), wide.data(), begin, count, expected.data());
    expect_close(y, expected, 0, "y of one shard");
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += expected[i];

    const Tensor dtable = Tensor::from(stream, {count, width}, part);  // `+=`
    embedding_backward(stream, id_tensor, Tensor::from(stream, {rows, width}, dy), begin, dtable);
    const auto from = gradient.begin() + begin * width;
    expect_close(dtable, plus(part, {from, from + count * width}), 2e-6, "dtable");
  }
  const auto wide = widen<double>(table);
  std::vector<double> whole(dy.size());
  reference::embedding(rows, width, ids.data(), wide.data(), 0, vocabulary, whole.data());
  EXPECT_EQ(sum, whole);
}

INSTANTIATE_TEST_SUITE_P(Shapes, Embedding,
                         testing::Values(Case{1, 1, 1, 1}, Case{0, 8, 5, 1}, Case{71, 229, 37, 1},
                                         Case{71, 229, 37, 3}, Case{300, 600, 50, 2}));

TEST(EmbeddingThreads, BitEqual) {
  const Stream stream = test_stream();
  const Tensor ids = Tensor::from(stream, {999}, token_ids(999, 7));
  const Tensor dy = Tensor::from(stream, {999, 700}, random_floats(999 * 700, "dy"));
  const auto [one, two] = with_one_and_two_threads([&] {
    const Tensor dtable = Tensor::zeros(stream, {7, 700});
    embedding_backward(stream, ids, dy, 0, dtable);
    return dtable.to_vector<float>();
  });
  EXPECT_EQ(one, two);
}

TEST(Rows, GatherAndScatter) {
  const Stream stream = test_stream();
  const auto values = random_floats(5 * 3, "x");
  const Tensor x = Tensor::from(stream, {5, 3}, values);
  const Tensor rows = Tensor::from(stream, {3}, std::vector<int32_t>{4, 0, 2});
  const Tensor y = Tensor::empty(stream, {3, 3});
  gather_rows(stream, x, rows, y);
  const auto gathered = y.to_vector<float>();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(gathered[i], values[4 * 3 + i]);
    EXPECT_EQ(gathered[3 + i], values[i]);
    EXPECT_EQ(gathered[6 + i], values[2 * 3 + i]);
  }
  const Tensor back = Tensor::zeros(stream, {5, 3});
  scatter_rows(stream, y, rows, back);
  const auto scattered = back.to_vector<float>();
  for (int i = 0; i < 15; ++i)
    EXPECT_EQ(scattered[i], i / 3 % 2 == 0 ? values[i] : 0.0f) << i;  // rows 0, 2, 4
}

TEST(Rows, AlsoIntegers) {
  const Stream stream = test_stream();
  const Tensor x = Tensor::from(stream, {4, 1}, std::vector<int32_t>{10, 11, 12, 13});
  const Tensor rows = Tensor::from(stream, {2}, std::vector<int32_t>{3, 1});
  const Tensor y = Tensor::empty(stream, {2, 1}, DType::kI32);
  gather_rows(stream, x, rows, y);
  EXPECT_EQ(y.to_vector<int32_t>(), (std::vector<int32_t>{13, 11}));
}

TEST(Rows, NumbersOutOfRangeAreRefused) {
  const Stream stream;  // device kernels do not check this
  const Tensor x = Tensor::zeros(stream, {4, 2});
  const Tensor y = Tensor::zeros(stream, {1, 2});
  for (const int32_t bad : {-1, 4}) {
    const Tensor rows = Tensor::from(stream, {1}, std::vector<int32_t>{bad});
    EXPECT_THROW(gather_rows(stream, x, rows, y), InternalError) << bad;
    EXPECT_THROW(scatter_rows(stream, y, rows, x), InternalError) << bad;
  }
}

}  // namespace
}  // namespace lynceus::kernels
