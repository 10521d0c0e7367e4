// bench_kernels --json: GB/s of every memory-bound kernel and of a plain copy of arrays of the same
// size in the same run, one JSON object per line, in f32 and in bf16.
#pragma once

#include <string>
#include <vector>

namespace lynceus::bench {

/// Arguments without --json -> exit code.
int print_kernel_rates(const std::vector<std::string>& arguments);

}  // namespace lynceus::bench
