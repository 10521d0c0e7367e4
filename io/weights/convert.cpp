// Element-wise conversion. Conversions to f32 and bf16, the types in which runs compute, use AVX2
// and F16C if compiled for them (CMakeLists.txt). Long conversions from f16 to bf16 use AVX-512 if
// the processor has it.
#include "io/weights/convert.h"

#include <bit>
#include <cstring>
#include <type_traits>

#include "core/check.h"

#if defined(__AVX2__) && defined(__F16C__)
#include <immintrin.h>
#define LYNCEUS_CONVERT_BY_VECTORS 1
#endif

namespace lynceus::io {
namespace {

static_assert(std::endian::native == std::endian::little,
              "files are little-endian, so the machine must be too");

struct Bf16 {
  uint16_t bits;
};
struct F16 {
  uint16_t bits;
};

// Widens 16-bit types to f32; f64 stays f64, so that no precision is lost.
double widen(double value) { return value; }
float widen(float value) { return value; }
float widen(Bf16 value) { return f32_of_bf16(value.bits); }
float widen(F16 value) { return f32_of_f16(value.bits); }

template <typename To, typename Wide>
To narrow(Wide value) {
  if constexpr (std::is_same_v<To, Bf16>)
    return {bf16_of_f32(static_cast<float>(value))};
  else if constexpr (std::is_same_v<To, F16>)
    return {f16_of_f32(static_cast<float>(value))};
  else
    return static_cast<To>(value);
}

template <typename From, typename To>
void convert_elements(const void* source, void* target, size_t count) {
  const char* in = static_cast<const char*>(source);
  char* out = static_cast<char*>(target);
  for (size_t i = 0; i < count; ++i) {
    From from;
    std::memcpy(&from, in + i * sizeof(From), sizeof(From));
    const To to = narrow<To>(widen(from));
    std::memcpy(out + i * sizeof(To), &to, sizeof(To));
  }
}

#ifdef LYNCEUS_CONVERT_BY_VECTORS

constexpr size_t kLanes = 8;
constexpr size_t kCacheLine = 64;

__m128i eight_halves(const char* in) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(in));
}
__m256 widen_eight(const char* in, float) {
  return _mm256_loadu_ps(reinterpret_cast<const float*>(in));
}
__m256 widen_eight(const char* in, Bf16) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(eight_halves(in)), 16));
}
__m256 widen_eight(const char* in, F16) { return _mm256_cvtph_ps(eight_halves(in)); }

/// bf16_of_f32() of eight values; each result is in the low half of its 32 bits.
__m256i narrow_eight(__m256 values) {
  const __m256i bits = _mm256_castps_si256(values);
  const __m256i upper = _mm256_srli_epi32(bits, 16);
  const __m256i is_odd = _mm256_and_si256(upper, _mm256_set1_epi32(1));
  const __m256i half = _mm256_add_epi32(_mm256_set1_epi32(0x7FFF), is_odd);
  const __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(bits, half), 16);
  const __m256i quiet_nan = _mm256_or_si256(upper, _mm256_set1_epi32(0x40));
  const __m256 is_nan = _mm256_cmp_ps(values, values, _CMP_UNORD_Q);
  return _mm256_blendv_epi8(rounded, quiet_nan, _mm256_castps_si256(is_nan));
}

/// Converts as many elements of the source as one vector of the target has.
template <typename From>
__m256i convert_vector(const char* in, float) {
  return _mm256_castps_si256(widen_eight(in, From{}));
}
template <typename From>
__m256i convert_vector(const char* in, Bf16) {
  const __m256i first = narrow_eight(widen_eight(in, From{}));
  const __m256i second = narrow_eight(widen_eight(in + kLanes * sizeof(From), From{}));
  // Packing interleaves the halves: first, second, first, second. The permutation restores the
  // order.
  return _mm256_permute4x64_epi64(_mm256_packus_epi32(first, second), _MM_SHUFFLE(3, 1, 2, 0));
}

/// Converts the first elements from f16 to bf16 with stores that bypass the caches: `count` rounded
/// down to a multiple of 32. Returns their number. `out` must be aligned to a cache line. The
/// AVX-512 instruction rounds as narrow_eight() does, but treats subnormal floats as zero; an f16
/// never becomes one.
__attribute__((target("avx512f,avx512bf16"))) size_t stream_bf16_of_f16(const char* in, char* out,
                                                                        size_t count) {
  constexpr size_t kVector = sizeof(__m512i) / sizeof(Bf16);
  const size_t end = count / kVector * kVector;
  for (size_t i = 0; i < end; i += kVector) {
    const auto* halves = reinterpret_cast<const __m256i*>(in + i * sizeof(F16));
    // The mask selects all elements: GCC 12 warns about its own unmasked intrinsic.
    const __m512 first = _mm512_maskz_cvtph_ps(0xFFFF, _mm256_loadu_si256(halves));
    const __m512 second = _mm512_maskz_cvtph_ps(0xFFFF, _mm256_loadu_si256(halves + 1));
    _mm512_stream_si512(reinterpret_cast<__m512i*>(out + i * sizeof(Bf16)),
                        reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(second, first)));
  }
  return end;
}

/// Long conversions use stores that bypass the caches: weights are read in pieces that fit a cache
/// and written to memory that is not read soon, so fetching its cache lines first would be wasted.
template <typename From, typename To>
void convert_vectors(const void* source, void* target, size_t count) {
  constexpr size_t kVector = sizeof(__m256i) / sizeof(To);
  constexpr size_t kMuch = 16384;
  const char* in = static_cast<const char*>(source);
  char* out = static_cast<char*>(target);
  const size_t misplaced = reinterpret_cast<uintptr_t>(target) % kCacheLine;
  size_t left = count;
  const auto step = [&](size_t elements) {
    in += elements * sizeof(From);
    out += elements * sizeof(To);
    left -= elements;
  };
  if (count >= kMuch && misplaced % sizeof(To) == 0) {
    const size_t head = misplaced == 0 ? 0 : (kCacheLine - misplaced) / sizeof(To);
    convert_elements<From, To>(in, out, head);
    step(head);
    if constexpr (std::is_same_v<From, F16> && std::is_same_v<To, Bf16>)
      if (__builtin_cpu_supports("avx512bf16")) step(stream_bf16_of_f16(in, out, left));
    for (; left >= kVector; step(kVector))
      _mm256_stream_si256(reinterpret_cast<__m256i*>(out), convert_vector<From>(in, To{}));
    _mm_sfence();
  }
  for (; left >= kVector; step(kVector))
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), convert_vector<From>(in, To{}));
  convert_elements<From, To>(in, out, left);
}

#else

template <typename From, typename To>
void convert_vectors(const void* source, void* target, size_t count) {
  convert_elements<From, To>(source, target, count);
}

#endif

template <typename From>
void convert_from(const void* source, void* target, DType to, size_t count) {
  switch (to) {
    case DType::kF64:
      return convert_elements<From, double>(source, target, count);
    case DType::kF16:
      return convert_elements<From, F16>(source, target, count);
    case DType::kBf16:
      if constexpr (!std::is_same_v<From, double>)
        return convert_vectors<From, Bf16>(source, target, count);
      return convert_elements<From, Bf16>(source, target, count);
    default:
      if constexpr (!std::is_same_v<From, double>)
        return convert_vectors<From, float>(source, target, count);
      return convert_elements<From, float>(source, target, count);
  }
}

bool is_floating(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF64 || dtype == DType::kBf16 ||
         dtype == DType::kF16;
}

}  // namespace

float f32_of_bf16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

float f32_of_f16(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16;
  const uint32_t magnitude = bits & 0x7FFFu;
  // After the shift the exponent is 112 too small; the product corrects it, also for subnormals.
  const float value = std::bit_cast<float>(magnitude << 13) * 0x1.0p112f;
  // Infinity and NaN have all exponent bits set. No branch, so that loops can be vectorized.
  const uint32_t exponent = 0x7F800000u & -static_cast<uint32_t>(magnitude >= 0x7C00u);
  return std::bit_cast<float>(std::bit_cast<uint32_t>(value) | exponent | sign);
}

uint16_t bf16_of_f32(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return static_cast<uint16_t>(bits >> 16 | 0x0040u);
  return static_cast<uint16_t>((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
}

uint16_t f16_of_f32(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = bits >> 16 & 0x8000u;
  const uint32_t magnitude = bits & 0x7FFFFFFFu;
  uint32_t half;
  if (magnitude > 0x7F800000u) {
    half = 0x7E00u;
  } else if (magnitude >= 0x47800000u) {  // 2^16 and above
    half = 0x7C00u;
  } else if (magnitude < 0x38800000u) {  // below 2^-14: adding 0.5 rounds at 2^-24, f16's last bit
    half = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3F000000u;
  } else {
    half = (magnitude - 0x38000000u + 0x0FFFu + (magnitude >> 13 & 1u)) >> 13;
  }
  return static_cast<uint16_t>(sign | half);
}

bool convertible(DType from, DType to) {
  return from == to || (is_floating(from) && is_floating(to));
}

void convert(const void* source, DType from, void* target, DType to, size_t count) {
  LYNCEUS_CHECK(convertible(from, to), "{} to {}", name_of(from), name_of(to));
  if (from == to) {
    if (count > 0) std::memcpy(target, source, count * size_of(from));
    return;
  }
  switch (from) {
    case DType::kF64:
      return convert_from<double>(source, target, to, count);
    case DType::kBf16:
      return convert_from<Bf16>(source, target, to, count);
    case DType::kF16:
      return convert_from<F16>(source, target, to, count);
    default:
      return convert_from<float>(source, target, to, count);
  }
}

}  // namespace lynceus::io
