// Both resize passes, with AVX2 if the compiler flags allow it (CMakeLists.txt).
//
// A weight has more than 16 bits, the limit of fast AVX2 products. So w = 2^11 high +
// low, and high and low are summed separately. Both sums are exact in 32 bits, so the result is
// exact.
#include "io/media/resample_rows.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#ifdef __AVX2__
#include <immintrin.h>
#endif

namespace lynceus::io::internal {
namespace {

constexpr int kHalf = 1 << (kWeightBits - 1);
constexpr size_t kVectorBytes = 32;

#ifdef __AVX2__

constexpr int kLowBits = 11;
constexpr int kTapsAtOnce = 4;
constexpr int kRowsAtOnce = 4;

int16_t high_of(int32_t weight) { return static_cast<int16_t>(weight >> kLowBits); }
int16_t low_of(int32_t weight) { return static_cast<int16_t>(weight & ((1 << kLowBits) - 1)); }

/// The weights in the layout of the products: for each output pixel `groups` groups of four taps,
/// two in each half of a vector, repeated for red, green, blue and an unused channel.
struct PackedTaps {
  int groups = 0;
  std::vector<int> begin;      // [count] first input pixel
  std::vector<int16_t> pairs;  // [count, groups, {high, low}, 16]
};

PackedTaps pack(const Taps& taps, int width) {
  PackedTaps packed;
  const int longest = *std::max_element(taps.length.begin(), taps.length.end());
  packed.groups = (longest + kTapsAtOnce - 1) / kTapsAtOnce;
  const int reach = packed.groups * kTapsAtOnce;
  packed.begin.resize(taps.begin.size());
  packed.pairs.resize(taps.begin.size() * static_cast<size_t>(packed.groups) * 32);
  int16_t* pairs = packed.pairs.data();
  for (int i = 0; i < taps.count(); ++i) {
    // At the right end the taps start earlier, to stay inside the row. The added weights are 0.
    packed.begin[i] = std::max(0, std::min(taps.begin[i], width - reach));
    const int skipped = taps.begin[i] - packed.begin[i];
    for (int tap = 0; tap < reach; ++tap) {
      const int k = tap - skipped;
      const int32_t weight = k >= 0 && k < taps.length[i] ? taps.of(i)[k] : 0;
      int16_t* group = pairs + tap / kTapsAtOnce * 32;
      const int half = tap % kTapsAtOnce / 2 * 8;
      for (int channel = 0; channel < 4; ++channel) {
        const int place = half + channel * 2 + tap % 2;
        group[place] = high_of(weight);
        group[16 + place] = low_of(weight);
      }
    }
    pairs += packed.groups * 32;
  }
  return packed;
}

using FourRows = std::array<const uint8_t*, kRowsAtOnce>;
using FourTargets = std::array<uint8_t*, kRowsAtOnce>;

void across_four_rows(const FourRows& rows, const PackedTaps& taps, int count,
                      const FourTargets& targets) {
  // The first two of four pixels go to the lower half, as (r0 r1 g0 g1 b0 b1 - -) in 16 bits.
  const __m256i spread =
      _mm256_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1, 6, -1, 9, -1, 7,
                       -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
  const auto* weights = reinterpret_cast<const __m256i*>(taps.pairs.data());
  for (int i = 0; i < count; ++i) {
    __m256i high[kRowsAtOnce] = {};
    __m256i low[kRowsAtOnce] = {};
    size_t offset = static_cast<size_t>(taps.begin[i]) * 3;
    for (int group = 0; group < taps.groups; ++group, weights += 2, offset += 3 * kTapsAtOnce) {
      const __m256i weight_high = _mm256_loadu_si256(weights);
      const __m256i weight_low = _mm256_loadu_si256(weights + 1);
      for (int row = 0; row < kRowsAtOnce; ++row) {
        const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows[row] + offset));
        const __m256i pixels = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(bytes), spread);
        high[row] = _mm256_add_epi32(high[row], _mm256_madd_epi16(pixels, weight_high));
        low[row] = _mm256_add_epi32(low[row], _mm256_madd_epi16(pixels, weight_low));
      }
    }
    __m128i sums[kRowsAtOnce];
    for (int row = 0; row < kRowsAtOnce; ++row) {
      const __m256i halves = _mm256_add_epi32(_mm256_slli_epi32(high[row], kLowBits), low[row]);
      const __m128i sum =
          _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
      sums[row] = _mm_srai_epi32(_mm_add_epi32(sum, _mm_set1_epi32(kHalf)), kWeightBits);
    }
    const __m128i bytes =
        _mm_packus_epi16(_mm_packs_epi32(sums[0], sums[1]), _mm_packs_epi32(sums[2], sums[3]));
    alignas(16) std::array<uint32_t, kRowsAtOnce> pixels;
    _mm_store_si128(reinterpret_cast<__m128i*>(pixels.data()), bytes);
    // Writes four bytes each; the last one is in the next pixel, written later, or in the padding.
    for (int row = 0; row < kRowsAtOnce; ++row)
      std::memcpy(targets[row] + static_cast<size_t>(i) * 3, &pixels[row], 4);
  }
}

/// 32 adjacent bytes of one output row.
__m256i down_32_bytes(const uint8_t* rows, size_t stride, const int32_t* weights, int length) {
  const __m256i zero = _mm256_setzero_si256();
  const __m256i half = _mm256_set1_epi32(kHalf);
  __m256i high[4] = {};
  __m256i low[4] = {half, half, half, half};
  for (int k = 0; k < length; k += 2) {
    const bool pair = k + 1 < length;
    const uint8_t* row = rows + stride * static_cast<size_t>(k);
    const int32_t second = pair ? weights[k + 1] : 0;
    const auto both = [](int16_t one, int16_t other) {
      return _mm256_set1_epi32(static_cast<int32_t>(
          static_cast<uint32_t>(static_cast<uint16_t>(other)) << 16 | static_cast<uint16_t>(one)));
    };
    const __m256i weight_high = both(high_of(weights[k]), high_of(second));
    const __m256i weight_low = both(low_of(weights[k]), low_of(second));
    const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row));
    const __m256i b =
        pair ? _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + stride)) : zero;
    const __m256i first = _mm256_unpacklo_epi8(a, b);
    const __m256i last = _mm256_unpackhi_epi8(a, b);
    const __m256i pixels[4] = {_mm256_unpacklo_epi8(first, zero), _mm256_unpackhi_epi8(first, zero),
                               _mm256_unpacklo_epi8(last, zero), _mm256_unpackhi_epi8(last, zero)};
    for (int part = 0; part < 4; ++part) {
      high[part] = _mm256_add_epi32(high[part], _mm256_madd_epi16(pixels[part], weight_high));
      low[part] = _mm256_add_epi32(low[part], _mm256_madd_epi16(pixels[part], weight_low));
    }
  }
  for (int part = 0; part < 4; ++part)
    low[part] = _mm256_srai_epi32(
        _mm256_add_epi32(_mm256_slli_epi32(high[part], kLowBits), low[part]), kWeightBits);
  return _mm256_packus_epi16(_mm256_packs_epi32(low[0], low[1]),
                             _mm256_packs_epi32(low[2], low[3]));
}

#else

uint8_t to_byte(int32_t fixed) {
  return static_cast<uint8_t>(std::clamp(fixed >> kWeightBits, 0, 255));
}

void across_row(const uint8_t* row, const Taps& taps, uint8_t* target) {
  for (int i = 0; i < taps.count(); ++i) {
    const uint8_t* pixel = row + static_cast<size_t>(taps.begin[i]) * 3;
    const int32_t* weights = taps.of(i);
    std::array<int32_t, 3> sums{kHalf, kHalf, kHalf};
    for (int k = 0; k < taps.length[i]; ++k, pixel += 3)
      for (int channel = 0; channel < 3; ++channel) sums[channel] += pixel[channel] * weights[k];
    for (int channel = 0; channel < 3; ++channel) target[3 * i + channel] = to_byte(sums[channel]);
  }
}

#endif

}  // namespace

size_t padded_row_bytes(int width) {
  // At least one byte after the last pixel.
  return (static_cast<size_t>(width) * 3 + kVectorBytes) / kVectorBytes * kVectorBytes;
}

#ifdef __AVX2__

void resample_across(const RgbRows& rows, const Taps& taps, uint8_t* target) {
  const PackedTaps packed = pack(taps, rows.width);
  const size_t target_stride = padded_row_bytes(taps.count());
  // `read` bounds the bytes read from the start of a row. Rows too close to the end of the memory
  // are read from a copy.
  const int reach = packed.groups * kTapsAtOnce;
  const size_t read = static_cast<size_t>(std::max(rows.width, reach)) * 3 + kVectorBytes;
  const size_t row_bytes = static_cast<size_t>(rows.width) * 3;
  std::vector<uint8_t> copies(kRowsAtOnce * read);
  std::vector<uint8_t> unwanted(target_stride);
  for (int y = 0; y < rows.height; y += kRowsAtOnce) {
    FourRows sources;
    FourTargets targets;
    for (int i = 0; i < kRowsAtOnce; ++i) {
      const int row = std::min(y + i, rows.height - 1);
      sources[i] = rows.first + rows.stride * static_cast<size_t>(row);
      targets[i] =
          y + i < rows.height ? target + target_stride * static_cast<size_t>(row) : unwanted.data();
      if (static_cast<size_t>(rows.end - sources[i]) >= read) continue;
      sources[i] = std::copy_n(sources[i], row_bytes, copies.data() + i * read) - row_bytes;
    }
    across_four_rows(sources, packed, taps.count(), targets);
  }
}

void resample_down(const uint8_t* rows, int width, const Taps& taps, int first_row,
                   uint8_t* target) {
  const size_t stride = padded_row_bytes(width);
  const size_t row_bytes = static_cast<size_t>(width) * 3;
  for (int y = 0; y < taps.count(); ++y, target += row_bytes) {
    const uint8_t* first = rows + stride * static_cast<size_t>(taps.begin[y] - first_row);
    size_t x = 0;
    for (; x + kVectorBytes <= row_bytes; x += kVectorBytes)
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(target + x),
                          down_32_bytes(first + x, stride, taps.of(y), taps.length[y]));
    if (x == row_bytes) continue;
    alignas(kVectorBytes) std::array<uint8_t, kVectorBytes> last;
    _mm256_store_si256(reinterpret_cast<__m256i*>(last.data()),
                       down_32_bytes(first + x, stride, taps.of(y), taps.length[y]));
    std::copy_n(last.data(), row_bytes - x, target + x);
  }
}

#else

void resample_across(const RgbRows& rows, const Taps& taps, uint8_t* target) {
  const size_t target_stride = padded_row_bytes(taps.count());
  for (int y = 0; y < rows.height; ++y)
    across_row(rows.first + rows.stride * static_cast<size_t>(y), taps,
               target + target_stride * static_cast<size_t>(y));
}

void resample_down(const uint8_t* rows, int width, const Taps& taps, int first_row,
                   uint8_t* target) {
  const size_t stride = padded_row_bytes(width);
  const size_t row_bytes = static_cast<size_t>(width) * 3;
  std::vector<int32_t> sums(row_bytes);
  for (int y = 0; y < taps.count(); ++y, target += row_bytes) {
    std::fill(sums.begin(), sums.end(), kHalf);
    for (int k = 0; k < taps.length[y]; ++k) {
      const int32_t weight = taps.of(y)[k];
      const uint8_t* row = rows + stride * static_cast<size_t>(taps.begin[y] - first_row + k);
      for (size_t x = 0; x < row_bytes; ++x) sums[x] += row[x] * weight;
    }
    for (size_t x = 0; x < row_bytes; ++x) target[x] = to_byte(sums[x]);
  }
}

#endif

}  // namespace lynceus::io::internal
