// Element types and reductions of the stand-in for NCCL: always in rank order; bf16 is summed in
// f32 and rounded once.
#pragma once

#include <nccl.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "core/dtype.h"
#include "tests/standin/queue.h"

namespace lynceus::standin {

/// Calls `work` with a value of the C++ type of `dtype`.
template <typename Work>
auto with_type(int dtype, const Work& work) {
  switch (dtype) {
    case ncclFloat32:
      return work(float{});
    case ncclFloat64:
      return work(double{});
    case ncclBfloat16:
      return work(BFloat16{});
    case ncclInt32:
      return work(int32_t{});
    case ncclInt64:
      return work(int64_t{});
    case ncclUint8:
      return work(uint8_t{});
    default:
      fail("NCCL: an unknown element type");
  }
}

inline int64_t bytes_of(int dtype) {
  if (dtype == ncclFloat16) return 2;
  return with_type(dtype, [](auto value) { return static_cast<int64_t>(sizeof(value)); });
}

template <typename Value>
Value combine(Value a, Value b, int op) {
  switch (op) {
    case ncclSum:
      return static_cast<Value>(a + b);
    case ncclMax:
      return std::max(a, b);
    case ncclMin:
      return std::min(a, b);
    default:
      fail("NCCL: an unknown reduction");
  }
}

/// y[i] = op over ranks of source(rank)[i].
template <typename Source>
void reduce(int dtype, int op, int size, int64_t count, const Source& source, void* y) {
  with_type(dtype, [&](auto sample) {
    using T = decltype(sample);
    using Sum = std::conditional_t<std::is_same_v<T, BFloat16>, float, T>;
    for (int64_t i = 0; i < count; ++i) {
      const auto value = [&](int rank) {
        return static_cast<Sum>(reinterpret_cast<const T*>(source(rank))[i]);
      };
      Sum result = value(0);
      for (int rank = 1; rank < size; ++rank) result = combine(result, value(rank), op);
      static_cast<T*>(y)[i] = T(result);
    }
  });
}

}  // namespace lynceus::standin
