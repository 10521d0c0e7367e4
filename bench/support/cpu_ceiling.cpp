// oneDNN and OpenBLAS at 2048³ in f32.
#include "support/cpu_ceiling.h"

#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <vector>

#include "core/error.h"
#include "core/tensor.h"
#include "support/measure.h"

#ifdef LYNCEUS_HAVE_OPENBLAS
extern "C" {
void cblas_sgemm(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha,
                 const float* a, int lda, const float* b, int ldb, float beta, float* c, int ldc);
void openblas_set_num_threads(int threads);
}
#endif

namespace lynceus::bench {

double measure_cpu_ceiling() {
  constexpr int kSize = 2048, kRepeats = 5;
  const Stream stream;
  const auto matrix = [&](float value) {
    const Tensor tensor = Tensor::empty(stream, {kSize, kSize});
    std::fill_n(tensor.data<float>(), tensor.size(), value);
    return tensor;
  };
  const Tensor a = matrix(0.5f), b = matrix(0.25f), c = matrix(0);
  std::vector<std::function<void()>> libraries = {[&] {
    dnnl_sgemm('N', 'N', kSize, kSize, kSize, 1.0f, a.data<float>(), kSize, b.data<float>(), kSize,
               0.0f, c.data<float>(), kSize);
  }};
#ifdef LYNCEUS_HAVE_OPENBLAS
  openblas_set_num_threads(omp_get_max_threads());
  libraries.push_back([&] {
    cblas_sgemm(101, 111, 111, kSize, kSize, kSize, 1.0f, a.data<float>(), kSize, b.data<float>(),
                kSize, 0.0f, c.data<float>(), kSize);
  });
#endif
  double best = 0;
  for (const auto& multiply : libraries)
    best = std::max(best, 2e-9 * kSize * kSize * kSize /
                              seconds_per_launch(stream, multiply, 1, kRepeats).median());
  return best;
}

double cpu_ceiling_of_child() {
  char self[PATH_MAX] = {};
  if (readlink("/proc/self/exe", self, sizeof self - 1) < 0)
    throw IoError("/proc/self/exe cannot be read");
  setenv("OPENBLAS_CORETYPE", __builtin_cpu_supports("avx512f") ? "SKYLAKEX" : "HASWELL",
         /*overwrite=*/0);
  std::FILE* child = popen(fmt::format("'{}' --ceiling", self).c_str(), "r");
  double gflops = 0;
  const bool read = child != nullptr && std::fscanf(child, "%lf", &gflops) == 1;
  if (child == nullptr || pclose(child) != 0 || !read)
    throw IoError("{} --ceiling gave no number", self);
  return gflops;
}

}  // namespace lynceus::bench
