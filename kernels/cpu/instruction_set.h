// AVX-512 if the processor has it, unless LYNCEUS_ISA=avx2 in the environment turns it off (the
// tests run both). The kernels are compiled for x86-64-v3; a function marked LYNCEUS_AVX512 is
// compiled for AVX-512 and may be called only if has_avx512() is true.
//
// The attribute marks single functions, not files: an inline function of a header that was compiled
// for AVX-512 in one file could otherwise be linked into the code of every machine.
#pragma once

#include <cstdlib>
#include <string_view>

namespace lynceus::kernels::cpu {
/// Whether the environment has LYNCEUS_ISA=avx2.
inline bool asked_for_avx2() {
  const char* const asked = std::getenv("LYNCEUS_ISA");
  return asked != nullptr && std::string_view(asked) == "avx2";
}
}  // namespace lynceus::kernels::cpu

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define LYNCEUS_AVX512 \
  [[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx512cd,prefer-vector-width=512")]]
namespace lynceus::kernels::cpu {
inline bool has_avx512() {
  static const bool found =
      !asked_for_avx2() && __builtin_cpu_supports("avx512f") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd");
  return found;
}
}  // namespace lynceus::kernels::cpu
#else
#define LYNCEUS_AVX512
namespace lynceus::kernels::cpu {
inline bool has_avx512() { return false; }
}  // namespace lynceus::kernels::cpu
#endif
