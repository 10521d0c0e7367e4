// LYNCEUS_CUDA(call): a call of the CUDA runtime whose failure is an InternalError with the
// library's text and the place. Only for sources in */cuda*.
#pragma once

#include <cuda_runtime_api.h>

#include "core/error.h"

#define LYNCEUS_CUDA(call)                                                       \
  do {                                                                           \
    const cudaError_t lynceus_status = (call);                                   \
    if (lynceus_status != cudaSuccess) [[unlikely]]                              \
      throw ::lynceus::InternalError("{}:{}: {}: {}", __FILE__, __LINE__, #call, \
                                     cudaGetErrorString(lynceus_status));        \
  } while (false)
