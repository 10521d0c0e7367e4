// Cross-entropy with label smoothing over the full vocabulary, one row of any number type: the
// oracle of kernels/cross_entropy.h, and with std::complex<double> of its gradient.
#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdint>

namespace lynceus::kernels::reference {

/// −Σ_c q[c] · log softmax(logits)[c],  q = (1 − e) · onehot(label) + e / vocabulary.
template <typename T>
T cross_entropy(int64_t vocabulary, const T* logits, int64_t label, double label_smoothing) {
  using std::exp;
  using std::log;
  double max = std::real(logits[0]);  // a constant shift, so its derivative does not matter
  for (int64_t c = 1; c < vocabulary; ++c) max = std::max(max, std::real(logits[c]));
  T exp_sum = 0;
  for (int64_t c = 0; c < vocabulary; ++c) exp_sum += exp(logits[c] - max);
  const T log_sum = max + log(exp_sum);
  T loss = 0;
  for (int64_t c = 0; c < vocabulary; ++c) {
    const double q = (c == label ? 1.0 - label_smoothing : 0.0) +
                     label_smoothing / static_cast<double>(vocabulary);
    loss -= q * (logits[c] - log_sum);
  }
  return loss;
}

}  // namespace lynceus::kernels::reference
