// Patch rows and vision tokens against the inputs of a strided convolution. Copies: exactly equal.
#include "kernels/patchify.h"

#include "kernel_test.h"
#include "kernels/reference/patchify.h"

namespace lynceus::kernels {
namespace {

TEST(Patchify, EqualsTheConvolutionsView) {
  const Stream stream = test_stream();
  const struct {
    int64_t images, channels, side, patch;
  } cases[] = {{1, 1, 1, 1}, {0, 3, 4, 2}, {2, 3, 28, 14}, {3, 2, 15, 5}, {5, 3, 56, 7}};
  for (const DType dtype : {DType::kF32, DType::kBf16})
    for (const auto& [images, channels, side, patch] : cases) {
      const auto pixels = random_floats(images * channels * side * side, "pixels");
      const int64_t n = (side / patch) * (side / patch);
      const Tensor patches = Tensor::empty(stream, {images * n, channels * patch * patch}, dtype);
      patchify(stream, Tensor::from(stream, {images, channels, side, side}, pixels), patch,
               patches);
      std::vector<float> expected(pixels.size());
      reference::patchify(images, channels, side, patch, pixels.data(), expected.data());
      EXPECT_EQ(to_floats(patches), as_stored(expected, dtype))
          << images << " images of side " << side;
    }
}

TEST(Patchify, FillsFurtherColumnsWithZeros) {
  const Stream stream = test_stream();
  const auto pixels = random_floats(2 * 3 * 28 * 28, "pixels");
  const Tensor exact = Tensor::empty(stream, {8, 588}), wide = Tensor::empty(stream, {8, 592});
  for (const Tensor& patches : {exact, wide})
    patchify(stream, Tensor::from(stream, {2, 3, 28, 28}, pixels), 14, patches);
  const auto narrow = to_floats(exact);
  std::vector<float> expected;
  for (size_t row = 0; row < 8; ++row) {
    expected.insert(expected.end(), narrow.begin() + 588 * row, narrow.begin() + 588 * (row + 1));
    expected.insert(expected.end(), 4, 0.0f);
  }
  EXPECT_EQ(to_floats(wide), expected);
}

TEST(Patchify, AssemblesTokens) {
  const Stream stream = test_stream();
  const struct {
    int64_t images, n, width;
  } cases[] = {{1, 1, 1}, {0, 4, 8}, {3, 16, 88}, {2, 71, 229}};
  for (const DType dtype : {DType::kF32, DType::kBf16})
    for (const auto& [images, n, width] : cases) {
      const auto patches = as_stored(random_floats(images * n * width, "patches"), dtype);
      const auto cls = random_floats(width, "cls");
      const auto position = random_floats((1 + n) * width, "position");
      const Tensor y = Tensor::empty(stream, {images * (1 + n), width}, dtype);
      assemble_vision_tokens(stream, float_tensor(stream, {images * n, width}, patches, dtype),
                             Tensor::from(stream, {width}, cls),
                             Tensor::from(stream, {1 + n, width}, position), y);
      std::vector<float> expected(static_cast<size_t>(images * (1 + n) * width));
      reference::assemble_vision_tokens(images, n, width, patches.data(), cls.data(),
                                        position.data(), expected.data());
      EXPECT_EQ(to_floats(y), as_stored(expected, dtype))
          << images << " images of " << n << " patches";
    }
}

TEST(PatchifyChecks, SideMustBeAMultipleOfThePatch) {
  const Stream stream = test_stream();
  EXPECT_THROW(
      patchify(stream, Tensor::zeros(stream, {1, 3, 10, 10}), 4, Tensor::zeros(stream, {4, 48})),
      InternalError);
  EXPECT_THROW(
      assemble_vision_tokens(stream, Tensor::zeros(stream, {7, 2}), Tensor::zeros(stream, {2}),
                             Tensor::zeros(stream, {5, 2}), Tensor::zeros(stream, {8, 2})),
      InternalError);
}

}  // namespace
}  // namespace lynceus::kernels
