// bf16 and f16 by bits: round trips of every value, ties, limits.
#include "io/weights/convert.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "core/error.h"

namespace lynceus::io {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(Convert, EveryHalfPrecisionValueReturns) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    if (!std::isnan(f32_of_f16(half))) {
      EXPECT_EQ(f16_of_f32(f32_of_f16(half)), half);
    }
    if (!std::isnan(f32_of_bf16(half))) {
      EXPECT_EQ(bf16_of_f32(f32_of_bf16(half)), half);
    }
  }
}

TEST(Convert, KnownF16) {
  EXPECT_EQ(f32_of_f16(0x3C00), 1.0f);
  EXPECT_EQ(f32_of_f16(0xC000), -2.0f);
  EXPECT_EQ(f32_of_f16(0x7BFF), 65504.0f);
  EXPECT_EQ(f32_of_f16(0x0400), 0x1p-14f);
  EXPECT_EQ(f32_of_f16(0x0001), 0x1p-24f);
  EXPECT_EQ(f32_of_f16(0x03FF), 1023 * 0x1p-24f);
  EXPECT_EQ(f32_of_f16(0x7C00), kInfinity);
  EXPECT_EQ(f32_of_f16(0xFC00), -kInfinity);
  EXPECT_TRUE(std::isnan(f32_of_f16(0x7E00)));
  EXPECT_TRUE(std::signbit(f32_of_f16(0x8000)));
}

TEST(Convert, F16RoundsToNearestEven) {
  EXPECT_EQ(f16_of_f32(1.0f + 0x1p-11f), 0x3C00);             // a tie: down to even
  EXPECT_EQ(f16_of_f32(1.0f + 0x3p-11f), 0x3C02);             // a tie: up to even
  EXPECT_EQ(f16_of_f32(1.0f + 0x1p-11f + 0x1p-20f), 0x3C01);  // just above
  EXPECT_EQ(f16_of_f32(0x1p-25f), 0x0000);                    // half of the smallest: to even
  EXPECT_EQ(f16_of_f32(0x3p-25f), 0x0002);
  EXPECT_EQ(f16_of_f32(0x1p-14f - 0x1p-26f), 0x0400);  // subnormal up to normal
  EXPECT_EQ(f16_of_f32(65519.0f), 0x7BFF);
  EXPECT_EQ(f16_of_f32(65520.0f), 0x7C00);
  EXPECT_EQ(f16_of_f32(1e30f), 0x7C00);
  EXPECT_EQ(f16_of_f32(-kInfinity), 0xFC00);
  EXPECT_TRUE(std::isnan(f32_of_f16(f16_of_f32(std::nanf("")))));
}

TEST(Convert, Bf16RoundsToNearestEven) {
  EXPECT_EQ(bf16_of_f32(1.0f), 0x3F80);
  EXPECT_EQ(bf16_of_f32(1.0f + 0x1p-8f), 0x3F80);
  EXPECT_EQ(bf16_of_f32(1.0f + 0x3p-8f), 0x3F82);
  EXPECT_EQ(bf16_of_f32(1.0f + 0x1p-8f + 0x1p-20f), 0x3F81);
  EXPECT_EQ(bf16_of_f32(std::numeric_limits<float>::max()), 0x7F80);
  // A NaN whose upper half alone would read as infinity.
  EXPECT_TRUE(std::isnan(f32_of_bf16(bf16_of_f32(std::bit_cast<float>(0x7F800001u)))));
}

TEST(Convert, Arrays) {
  const std::vector<double> source = {1.0, -0.5, 3.25};
  std::vector<float> floats(3);
  convert(source.data(), DType::kF64, floats.data(), DType::kF32, 3);
  EXPECT_EQ(floats, (std::vector<float>{1.0f, -0.5f, 3.25f}));
  std::vector<uint16_t> halves(3);
  convert(floats.data(), DType::kF32, halves.data(), DType::kF16, 3);
  std::vector<uint16_t> brains(3);
  convert(halves.data(), DType::kF16, brains.data(), DType::kBf16, 3);
  std::vector<double> back(3);
  convert(brains.data(), DType::kBf16, back.data(), DType::kF64, 3);
  EXPECT_EQ(back, source);

  std::vector<int64_t> integers(3);
  EXPECT_FALSE(convertible(DType::kF32, DType::kI64));
  EXPECT_THROW(convert(floats.data(), DType::kF32, integers.data(), DType::kI64, 3), InternalError);
}

/// Every half, from unaligned addresses, in lengths that reach every code path: each result equals
/// the conversion of the single value.
TEST(Convert, ArraysOfHalvesEqualSingleValues) {
  constexpr size_t kAll = 0x10000;
  std::vector<uint16_t> halves(kAll + 1);
  for (size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<uint16_t>(i * 40503);
  std::vector<char> wide((kAll + 2) * sizeof(float));
  for (const DType from : {DType::kBf16, DType::kF16}) {
    for (const size_t count : {kAll, size_t{20001}, size_t{13}, size_t{8}, size_t{1}, size_t{0}}) {
      for (const size_t shift : {0, 1, 4}) {  // bytes, of the target
        std::fill(wide.begin(), wide.end(), 'x');
        convert(halves.data() + 1, from, wide.data() + shift, DType::kF32, count);
        for (size_t i = 0; i < count; ++i) {
          const uint16_t half = halves[i + 1];
          const float expected = from == DType::kBf16 ? f32_of_bf16(half) : f32_of_f16(half);
          float found = 0;
          std::memcpy(&found, wide.data() + shift + i * sizeof(float), sizeof(float));
          if (std::isnan(expected))
            ASSERT_TRUE(std::isnan(found)) << half;
          else
            ASSERT_EQ(std::bit_cast<uint32_t>(found), std::bit_cast<uint32_t>(expected)) << half;
        }
        EXPECT_EQ(wide[shift + count * sizeof(float)], 'x') << "nothing after the last";
      }
    }
  }
}

/// The same for conversion to bf16: floats around every bf16 and its ties, and every half.
TEST(Convert, ArraysOfBf16EqualSingleValues) {
  std::vector<float> floats;
  std::vector<uint16_t> halves;
  for (uint32_t upper = 0; upper < 0x10000; ++upper) {
    halves.push_back(static_cast<uint16_t>(upper));
    for (const uint32_t lower : {0x0000u, 0x0001u, 0x7FFFu, 0x8000u, 0x8001u, 0xFFFFu})
      floats.push_back(std::bit_cast<float>(upper << 16 | lower));
  }
  const auto expect = [](DType from, const void* source, size_t all, const auto& single) {
    std::vector<char> narrow((all + 2) * sizeof(uint16_t));
    for (const size_t count : {all, size_t{20001}, size_t{17}, size_t{16}, size_t{1}, size_t{0}})
      for (const size_t shift : {0, 1, 2}) {  // bytes, of the target
        std::fill(narrow.begin(), narrow.end(), 'x');
        convert(source, from, narrow.data() + shift, DType::kBf16, count);
        for (size_t i = 0; i < count; ++i) {
          uint16_t found = 0;
          std::memcpy(&found, narrow.data() + shift + i * sizeof(found), sizeof(found));
          ASSERT_EQ(found, single(i)) << name_of(from) << " " << i;
        }
        EXPECT_EQ(narrow[shift + count * sizeof(uint16_t)], 'x') << "nothing after the last";
      }
  };
  expect(DType::kF32, floats.data(), floats.size(),
         [&](size_t i) { return bf16_of_f32(floats[i]); });
  expect(DType::kF16, halves.data(), halves.size(),
         [&](size_t i) { return bf16_of_f32(f32_of_f16(halves[i])); });
}

}  // namespace
}  // namespace lynceus::io
