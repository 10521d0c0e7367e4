#include "generate/largest.h"

#include <algorithm>
#include <limits>

#include "generate/row_math.h"

namespace lynceus::generate {
namespace {

constexpr size_t kBlock = 128;
constexpr float kForbidden = -std::numeric_limits<float>::infinity();

}  // namespace

bool comes_before(const Candidate& a, const Candidate& b) {
  if (a.value != b.value) return a.value > b.value;
  return a.beam != b.beam ? a.beam < b.beam : a.token < b.token;
}

void Largest::reset(int64_t count) {
  count_ = count;
  heap_.clear();
}

void Largest::scan(std::span<const float> scores, double base, int32_t beam) {
  for (size_t begin = 0; begin < scores.size(); begin += kBlock) {
    const std::span<const float> block =
        scores.subspan(begin, std::min(kBlock, scores.size() - begin));
    // Of equal values the first is kept, so a block needs more than the least to change anything.
    if (full() && base + static_cast<double>(largest_of(block)) <= least().value) continue;
    for (size_t i = 0; i < block.size(); ++i) {
      if (block[i] == kForbidden) continue;
      const double value = base + static_cast<double>(block[i]);
      if (!full() || value > least().value) add({value, beam, static_cast<int32_t>(begin + i)});
    }
  }
}

void Largest::add(const Candidate& candidate) {
  if (full()) {
    std::pop_heap(heap_.begin(), heap_.end(), comes_before);
    heap_.back() = candidate;
  } else {
    heap_.push_back(candidate);
  }
  std::push_heap(heap_.begin(), heap_.end(), comes_before);
}

void Largest::take(std::vector<Candidate>* ranked) {
  std::sort(heap_.begin(), heap_.end(), comes_before);
  ranked->swap(heap_);
  heap_.clear();
}

}  // namespace lynceus::generate
