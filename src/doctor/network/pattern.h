// Numbers that show whether a transfer damaged them: they differ by place and by rank, and their
// sums over ranks are exact in f32.
#pragma once

#include <cstdint>
#include <vector>

#include "core/tensor.h"

namespace lynceus::doctor {

/// Numbers of rank `rank`, in host memory.
void fill_pattern(const Tensor& x, int rank);
/// The first element of x that is not what fill_pattern() of `rank` writes; -1: none.
int64_t first_wrong(const Tensor& x, int rank);
/// The first that is not the sum of the numbers of `ranks`; -1: none.
int64_t first_wrong_sum(const Tensor& x, const std::vector<int>& ranks);

}  // namespace lynceus::doctor
