// Slices of stored tensors: short and long runs of bytes, with conversion and without.
#include "io/weights/stored_tensor.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "io/weights/convert.h"

namespace lynceus::io {
namespace {

/// Element i has the value i; all of them are f16 numbers too.
class StoredTensorTest : public testing::TestWithParam<FileType> {
 protected:
  StoredTensor store(const Shape& shape) {
    const DType dtype = *dtype_of(GetParam());
    std::vector<float> values(static_cast<size_t>(shape.elements()));
    for (size_t i = 0; i < values.size(); ++i) values[i] = value(static_cast<int64_t>(i));
    std::string bytes(kBegin + values.size() * size_of(dtype), '\xFF');
    convert(values.data(), DType::kF32, bytes.data() + kBegin, dtype, values.size());
    file_ = File::create(std::filesystem::path(testing::TempDir()) / "stored");
    file_.write_at(0, bytes.data(), bytes.size());
    return {"t", GetParam(), shape, kBegin};
  }
  static float value(int64_t index) { return static_cast<float>(index % 2039); }

  static constexpr uint64_t kBegin = 3;
  File file_;
};

TEST_P(StoredTensorTest, SlicesOfEveryAxis) {
  for (const Shape& shape :
       {Shape{3, 5, 7}, Shape{3, 4, 3000}, Shape{2, 3000, 3}, Shape{9000, 2}}) {
    const StoredTensor tensor = store(shape);
    for (int axis = -1; axis < shape.rank(); ++axis) {
      SCOPED_TRACE(testing::Message() << shape.to_string() << " axis " << axis);
      const Slice slice = axis < 0 ? Slice{} : Slice{axis, shape[axis] / 3, shape[axis] / 2};
      const Tensor out = Tensor::empty(Stream{}, slice.of(shape));
      read_slice(file_, tensor, slice, out);
      int64_t inner = 1;
      for (int later = std::max(axis, 0); later < shape.rank(); ++later) inner *= shape[later];
      const int64_t width = axis < 0 ? inner : inner / shape[axis];
      const int64_t run = axis < 0 ? inner : slice.count * width;
      for (int64_t i = 0; i < out.size(); ++i)
        ASSERT_EQ(out.data<float>()[i], value(i / run * inner + slice.begin * width + i % run))
            << i;
    }
  }
}

/// Directly to bf16, without f32 in between, rounded equally.
TEST_P(StoredTensorTest, IntoBf16) {
  const Shape shape{300, 40};
  const StoredTensor tensor = store(shape);
  for (const Slice& slice : {Slice{}, Slice{0, 7, 100}, Slice{1, 3, 30}}) {
    const Tensor wide = Tensor::empty(Stream{}, slice.of(shape));
    const Tensor half = Tensor::empty(Stream{}, slice.of(shape), DType::kBf16);
    read_slice(file_, tensor, slice, wide);
    read_slice(file_, tensor, slice, half);
    for (int64_t i = 0; i < wide.size(); ++i)
      ASSERT_EQ(half.data<BFloat16>()[i].bits, BFloat16(wide.data<float>()[i]).bits) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Types, StoredTensorTest,
                         testing::Values(FileType::kF32, FileType::kF16, FileType::kF64),
                         [](const auto& type) { return name_of(type.param); });

}  // namespace
}  // namespace lynceus::io
