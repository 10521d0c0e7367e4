#include "io/weight_views/summed_weights.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "io/weights/convert.h"
#include "io/weights/name_list.h"

namespace lynceus::io {
namespace {

constexpr int64_t kElementsAtOnce = 1 << 20;

bool is_ignored(const std::string& name) {
  return std::any_of(kIgnoredWeights.begin(), kIgnoredWeights.end(),
                     [&](const std::string& pattern) { return matches_pattern(name, pattern); });
}

class SummedSource : public WeightSource {
 public:
  SummedSource(WeightSourcePtr base, WeightSourcePtr delta)
      : base_(std::move(base)), delta_(std::move(delta)) {}

  std::vector<std::string> names() const override {
    std::vector<std::string> names = base_->names();
    std::erase_if(names, is_ignored);
    return names;
  }
  bool has(const std::string& name) const override { return !is_ignored(name) && base_->has(name); }
  Shape shape(const std::string& name) const override { return base_->shape(name); }

  void read(const std::string& name, const Slice& slice, const Tensor& out) const override {
    const int64_t rows = out.rank() == 0 ? 0 : out.dim(0);
    if (slice.axis > 0 || rows == 0) return read_sum(name, slice, out);
    // A few rows at a time, so that a large tensor is not in memory twice.
    const int64_t first = slice.axis == 0 ? slice.begin : 0;
    const int64_t most =
        std::max<int64_t>(1, kElementsAtOnce / std::max<int64_t>(1, out.size() / rows));
    for (int64_t row = 0; row < rows; row += most) {
      const int64_t count = std::min(most, rows - row);
      read_sum(name, {0, first + row, count}, out.slice(row, count));
    }
  }

  std::string describe() const override {
    return base_->describe() + " plus the delta " + delta_->describe();
  }
  std::string name_in_file(const std::string& name) const override {
    return base_->name_in_file(name);
  }
  std::vector<std::filesystem::path> files() const override {
    std::vector<std::filesystem::path> all = base_->files();
    for (const auto& file : delta_->files())
      if (std::find(all.begin(), all.end(), file) == all.end()) all.push_back(file);
    return all;
  }

 private:
  /// Added in f32, then rounded once.
  void read_sum(const std::string& name, const Slice& slice, const Tensor& out) const {
    const bool in_place = out.dtype() == DType::kF32;
    const Tensor total = in_place ? out : Tensor::empty(Stream{}, out.shape());
    const Tensor added = Tensor::empty(Stream{}, out.shape());
    base_->read(name, slice, total);
    delta_->read(name, slice, added);
    float* sum = total.data<float>();
    const float* summand = added.data<float>();
    for (int64_t i = 0; i < out.size(); ++i) sum[i] += summand[i];
    if (!in_place)
      convert(sum, DType::kF32, out.raw(), out.dtype(), static_cast<size_t>(out.size()));
  }

  WeightSourcePtr base_;
  WeightSourcePtr delta_;
};

}  // namespace

WeightSourcePtr sum_of(WeightSourcePtr base, WeightSourcePtr delta) {
  std::vector<std::string> faults;
  for (const std::string& name : base->names()) {
    if (is_ignored(name)) continue;
    if (!delta->has(name)) {
      faults.push_back(fmt::format("{} is not in the delta", name));
    } else if (const Shape a = base->shape(name), b = delta->shape(name); !(a == b)) {
      faults.push_back(
          fmt::format("{} is {}, but {} in the delta", name, a.to_string(), b.to_string()));
      // The first deltas of Vicuna contain a [PAD] row that LLaMA does not have.
      if (a.rank() == 2 && b.rank() == 2 && b[0] == a[0] + 1 && a[1] == b[1])
        faults.back() += " (one row more: this is Vicuna v0, which is not supported; use v1.1)";
    }
  }
  for (const std::string& name : delta->names())
    if (!is_ignored(name) && !base->has(name))
      faults.push_back(fmt::format("{} is only in the delta", name));
  if (!faults.empty())
    throw InputError("{} and the delta {} do not match: {}", base->describe(), delta->describe(),
                     name_list(faults));
  return std::make_shared<SummedSource>(std::move(base), std::move(delta));
}

}  // namespace lynceus::io
