// Tensor and Shape: sharing, views, conversions, and the checks on wrong use.
#include "core/tensor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "core/parameter.h"

namespace lynceus {
namespace {

using testing::Each;
using testing::ElementsAre;

/// 0, 1, 2, ... in the given shape.
Tensor counted(const Stream& stream, const Shape& shape) {
  std::vector<float> values(static_cast<size_t>(shape.elements()));
  std::iota(values.begin(), values.end(), 0.0f);
  return Tensor::from(stream, shape, values);
}

TEST(Shape, CountsAndCompares) {
  const Shape shape = {2, 3, 4};
  EXPECT_EQ(shape.rank(), 3);
  EXPECT_EQ(shape.elements(), 24);
  EXPECT_EQ(shape[-1], 4);
  EXPECT_EQ(shape.to_string(), "[2, 3, 4]");
  EXPECT_EQ(Shape{}.elements(), 1);
  EXPECT_EQ(Shape{}.to_string(), "[]");
  EXPECT_EQ((Shape{0, 5}).elements(), 0);
  EXPECT_FALSE((Shape{2, 3} == Shape{3, 2}));
  EXPECT_FALSE((Shape{2, 3} == Shape{2, 3, 1}));
  EXPECT_THAT(shape.to_vector(), ElementsAre(2, 3, 4));
}

TEST(Shape, RefusesNegativeExtentsAndTooManyAxes) {
  EXPECT_THROW((Shape{2, -1}), InternalError);
  EXPECT_THROW((Shape{1, 1, 1, 1, 1, 1, 1}), InternalError);
}

TEST(Tensor, OnlyADefaultTensorIsUndefined) {
  const Tensor nothing;
  EXPECT_FALSE(nothing.defined());
  const Stream stream;
  EXPECT_TRUE(Tensor::empty(stream, {0, 4}).defined());
  EXPECT_TRUE(Tensor::empty(stream, {}).defined());
}

TEST(Tensor, AHandleSharesAndACloneDoesNot) {
  const Stream stream;
  const Tensor tensor = counted(stream, {2, 3});
  const Tensor handle = tensor;
  const Tensor copy = tensor.clone(stream);
  handle.data<float>()[0] = 42.0f;
  EXPECT_EQ(tensor.data<float>()[0], 42.0f);
  EXPECT_EQ(copy.data<float>()[0], 0.0f);
}

TEST(Tensor, ReshapeIsTheSameMemory) {
  const Stream stream;
  const Tensor tensor = counted(stream, {2, 6});
  const Tensor view = tensor.reshape({3, 2, 2});
  EXPECT_EQ(view.raw(), tensor.raw());
  EXPECT_EQ(view.rows(), 6);
  EXPECT_EQ(view.cols(), 2);
  EXPECT_THROW(tensor.reshape({5}), InternalError);
}

TEST(Tensor, SlicesAreLeadingRows) {
  const Stream stream;
  const Tensor tensor = counted(stream, {4, 2, 3});
  const Tensor middle = tensor.slice(1, 2);
  EXPECT_EQ(middle.shape(), (Shape{2, 2, 3}));
  EXPECT_EQ(middle.data<float>()[0], 6.0f);
  middle.fill_zero();
  EXPECT_EQ(tensor.data<float>()[5], 5.0f);
  EXPECT_THAT(tensor.slice(1, 2).to_vector<float>(), Each(0.0f));
  EXPECT_EQ(tensor.data<float>()[18], 18.0f);
  EXPECT_EQ(tensor.slice(4, 0).size(), 0);
  EXPECT_THROW(tensor.slice(3, 2), InternalError);
  EXPECT_THROW(tensor.slice(-1, 1), InternalError);
  EXPECT_THROW(Tensor::empty(stream, {}).slice(0, 1), InternalError);
}

TEST(Tensor, ASliceKeepsTheMemoryAlive) {
  const Stream stream;
  Tensor row;
  {
    const Tensor tensor = counted(stream, {3, 2});
    row = tensor.slice(2, 1);
  }
  EXPECT_GT(stream.pool()->live_bytes(MemoryOwner::kInput), 0u);
  EXPECT_THAT(row.to_vector<float>(), ElementsAre(4.0f, 5.0f));
  row = Tensor();
  EXPECT_EQ(stream.pool()->live_bytes(MemoryOwner::kInput), 0u);
}

TEST(Tensor, ATensorMayOutliveItsStream) {
  Tensor tensor;
  {
    const Stream stream;
    tensor = counted(stream, {2});
  }
  EXPECT_THAT(tensor.to_vector<float>(), ElementsAre(0.0f, 1.0f));
}

TEST(Tensor, TheWrongTypeAndSizeAreRefused) {
  const Stream stream;
  const Tensor floats = Tensor::zeros(stream, {3});
  const Tensor integers = Tensor::zeros(stream, {3}, DType::kI32);
  EXPECT_THROW(floats.data<int32_t>(), InternalError);
  EXPECT_THROW(integers.to_vector<float>(), InternalError);
  EXPECT_THROW(floats.copy_from(integers), InternalError);
  EXPECT_THROW(floats.copy_from(Tensor::zeros(stream, {4})), InternalError);
  EXPECT_THROW(Tensor::from(stream, {2, 2}, std::vector<float>{1, 2, 3}), InternalError);
}

TEST(Tensor, BytesFollowTheDType) {
  const Stream stream;
  for (const DType dtype : {DType::kF32, DType::kF64, DType::kBf16, DType::kF16, DType::kI32,
                            DType::kI64, DType::kU8}) {
    const Tensor tensor = Tensor::zeros(stream, {3, 5}, dtype);
    EXPECT_EQ(tensor.bytes(), 15 * size_of(dtype)) << name_of(dtype);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.raw()) % 64, 0u) << name_of(dtype);
  }
}

TEST(Tensor, BorrowedMemoryIsNotCounted) {
  std::vector<int64_t> values = {1, 2, 3};
  const Tensor tensor = Tensor::borrow(values.data(), {3}, DType::kI64);
  tensor.data<int64_t>()[1] = 9;
  EXPECT_THAT(values, ElementsAre(1, 9, 3));
}

TEST(Tensor, EmptyTensorsGoThroughEveryOperation) {
  const Stream stream;
  const Tensor empty = Tensor::zeros(stream, {0, 4});
  EXPECT_EQ(empty.rows(), 0);
  EXPECT_EQ(empty.clone(stream).size(), 0);
  EXPECT_EQ(empty.slice(0, 0).size(), 0);
  EXPECT_TRUE(empty.to_vector<float>().empty());
  EXPECT_EQ(Tensor::zeros(stream, {4, 0}).rows(), 0);
}

TEST(Parameter, NoGradientIsFrozenAndPaddingIsNotReal) {
  const Stream stream;
  Parameter parameter{"lm_head.weight", Tensor::zeros(stream, {4, 2}), Tensor(),
                      TensorShard{.axis = 0, .offset = 8, .global_extent = 11}};
  EXPECT_FALSE(parameter.trainable());
  EXPECT_TRUE(parameter.sharded());
  EXPECT_EQ(parameter.global_shape(), (Shape{11, 2}));
  EXPECT_EQ(parameter.valid_extent(), 3);
  parameter.shard.offset = 12;
  EXPECT_EQ(parameter.valid_extent(), 0);
  parameter.shard = {};
  EXPECT_EQ(parameter.valid_extent(), 4);
  EXPECT_EQ(parameter.global_shape(), (Shape{4, 2}));
  parameter.grad = Tensor::zeros(stream, {4, 2}, DType::kF32, MemoryOwner::kGradient);
  EXPECT_TRUE(parameter.trainable());
}

}  // namespace
}  // namespace lynceus
