// LYNCEUS_ISA=avx2 disables AVX-512; this test runs with it and without.
#include "kernels/cpu/instruction_set.h"

#include <gtest/gtest.h>

namespace lynceus::kernels::cpu {
namespace {

TEST(InstructionSet, IsWhatTheProcessorHasUnlessTheEnvironmentSaysAvx2) {
  const char* asked = std::getenv("LYNCEUS_ISA");
  if (asked != nullptr && std::string_view(asked) == "avx2")
    EXPECT_FALSE(has_avx512());
  else
    EXPECT_TRUE(!has_avx512() || __builtin_cpu_supports("avx512vl"));
}

}  // namespace
}  // namespace lynceus::kernels::cpu
