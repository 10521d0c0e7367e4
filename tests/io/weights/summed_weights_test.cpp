// Base plus delta, in slices; all mismatches are listed in one message.
#include "io/weight_views/summed_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "core/error.h"
#include "io/weights/safetensors_writer.h"
#include "io/weights/weight_files.h"

namespace lynceus::io {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::ThrowsMessage;

class SummedWeights : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }

  /// Tensors that count up from `first`.
  WeightSourcePtr stored(const std::string& file,
                         const std::vector<std::pair<std::string, Shape>>& shapes,
                         float first) const {
    std::vector<NamedTensor> tensors;
    for (const auto& [name, shape] : shapes) {
      std::vector<float> values;
      for (int64_t i = 0; i < shape.elements(); ++i)
        values.push_back(first + static_cast<float>(i));
      tensors.push_back({name, Tensor::from(Stream{}, shape, values)});
    }
    write_safetensors(folder_ / file, tensors);
    return open_weights(folder_ / file);
  }

  const fs::path folder_ = fs::path(testing::TempDir()) / "summed_weights";
};

TEST_F(SummedWeights, AddsSliceBySlice) {
  const auto base = stored("base.safetensors", {{"a", {2, 3}}, {"b", {2}}}, 10);
  const auto delta = stored(
      "delta.safetensors",
      {{"a", {2, 3}}, {"b", {2}}, {"model.layers.0.self_attn.rotary_emb.inv_freq", {2}}}, 0.5F);
  const auto sum = sum_of(base, delta);
  EXPECT_THAT(sum->names(), ElementsAre("a", "b"));
  EXPECT_FALSE(sum->has("model.layers.0.self_attn.rotary_emb.inv_freq"));
  EXPECT_THAT(sum->read_whole(Stream{}, "a").to_vector<float>(),
              ElementsAre(10.5F, 12.5F, 14.5F, 16.5F, 18.5F, 20.5F));
  const Tensor column = Tensor::empty(Stream{}, {2, 1});
  sum->read("a", Slice{1, 1, 1}, column);
  EXPECT_THAT(column.to_vector<float>(), ElementsAre(12.5F, 18.5F));
  EXPECT_THAT(sum->files(),
              ElementsAre(folder_ / "base.safetensors", folder_ / "delta.safetensors"));
}

TEST_F(SummedWeights, AddsALargeTensorInPieces) {
  const int64_t columns = 600000;
  const auto base = stored("base.safetensors", {{"a", {4, columns}}}, 1);
  const auto sum = sum_of(base, stored("delta.safetensors", {{"a", {4, columns}}}, 2));
  const auto expect_from = [](const Tensor& found, int64_t first) {
    for (int64_t i = 0; i < found.size(); ++i)
      ASSERT_EQ(found.data<float>()[i], static_cast<float>(2 * (first + i) + 3)) << i;
  };
  expect_from(sum->read_whole(Stream{}, "a"), 0);
  const Tensor rows = Tensor::empty(Stream{}, {3, columns});
  sum->read("a", Slice{0, 1, 3}, rows);
  expect_from(rows, columns);
}

TEST_F(SummedWeights, AllMismatchesAreReportedAtOnce) {
  const auto base = stored("base.safetensors",
                           {{"missing", {2}}, {"rows", {4, 2}}, {"shape", {3}}, {"same", {2}}}, 0);
  const auto delta = stored("delta.safetensors",
                            {{"more", {2}}, {"rows", {5, 2}}, {"shape", {4}}, {"same", {2}}}, 0);
  EXPECT_THAT(
      [&] { sum_of(base, delta); },
      ThrowsMessage<InputError>(AllOf(
          HasSubstr("missing is not in the delta"), HasSubstr("more is only in the delta"),
          HasSubstr("rows is [4, 2], but [5, 2] in the delta (one row more: this is Vicuna v0"),
          HasSubstr("shape is [3], but [4] in the delta"), Not(HasSubstr("same")))));
}

}  // namespace
}  // namespace lynceus::io
