// bench_kernels --json: GB/s of every memory-bound kernel beside a plain copy of arrays of the same
// size in the same run, a JSON object a line, in f32 and in bf16.
#pragma once

#include <string>
#include <vector>

namespace lynceus::bench {

/// Arguments without --json -> exit code.
int print_kernel_rates(const std::vector<std::string>& arguments);

}  // namespace lynceus::bench
