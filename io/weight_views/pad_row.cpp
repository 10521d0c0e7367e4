// The mean row is computed when it is first read.
#include "io/weight_views/pad_row.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include "io/weights/convert.h"

namespace lynceus::io {
namespace {

class PadRowSource : public WeightSource {
 public:
  PadRowSource(WeightSourcePtr source, int64_t vocab_size, const std::vector<std::string>& names)
      : source_(std::move(source)) {
    for (const std::string& name : names) {
      if (!source_->has(name)) continue;
      const Shape shape = source_->shape(name);
      if (shape.rank() == 2 && shape[0] > 0 && shape[0] == vocab_size - 1) padded_[name];
    }
  }

  std::vector<std::string> names() const override { return source_->names(); }
  bool has(const std::string& name) const override { return source_->has(name); }
  Shape shape(const std::string& name) const override {
    Shape shape = source_->shape(name);
    if (padded_.contains(name)) shape.set(0, shape[0] + 1);
    return shape;
  }

  void read(const std::string& name, const Slice& slice, const Tensor& out) const override {
    if (!padded_.contains(name)) return source_->read(name, slice, out);
    const Shape inner = source_->shape(name);
    const Shape part = slice.of(shape(name));
    LYNCEUS_CHECK(out.shape() == part, "'{}': {} into {}", name, part.to_string(),
                  out.shape().to_string());
    const int64_t begin = slice.axis == 0 ? slice.begin : 0;
    const int64_t end = slice.axis == 0 ? slice.begin + slice.count : inner[0] + 1;
    const int64_t stored = std::min(end, inner[0]) - begin;
    if (stored > 0) {
      const Slice rows = slice.axis == 1 ? slice : Slice{0, begin, stored};
      source_->read(name, rows, out.slice(0, stored));
    }
    if (end <= inner[0] || begin >= end) return;
    const std::vector<float>& mean = mean_row(name);
    const float* first = mean.data() + (slice.axis == 1 ? slice.begin : 0);
    convert(first, DType::kF32, out.slice(inner[0] - begin, 1).raw(), out.dtype(),
            static_cast<size_t>(part[1]));
  }

  std::string describe() const override { return source_->describe(); }
  std::string name_in_file(const std::string& name) const override {
    return source_->name_in_file(name);
  }
  std::vector<std::filesystem::path> files() const override { return source_->files(); }

 private:
  const std::vector<float>& mean_row(const std::string& name) const {
    std::lock_guard lock(mutex_);
    std::vector<float>& mean = padded_.at(name);
    if (!mean.empty()) return mean;
    const Shape shape = source_->shape(name);
    std::vector<double> sum(shape[1], 0.0);
    constexpr int64_t kRows = 256;
    const Tensor block = Tensor::empty(Stream{}, {std::min(kRows, shape[0]), shape[1]});
    for (int64_t row = 0; row < shape[0]; row += kRows) {
      const Tensor rows = block.slice(0, std::min(kRows, shape[0] - row));
      source_->read(name, Slice{0, row, rows.dim(0)}, rows);
      for (int64_t i = 0; i < rows.size(); ++i) sum[i % shape[1]] += rows.data<float>()[i];
    }
    for (const double total : sum)
      mean.push_back(static_cast<float>(total / static_cast<double>(shape[0])));
    return mean;
  }

  WeightSourcePtr source_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, std::vector<float>> padded_;  // the mean row, empty until read
};

}  // namespace

WeightSourcePtr with_pad_row(WeightSourcePtr source, int64_t vocab_size,
                             const std::vector<std::string>& names) {
  return std::make_shared<PadRowSource>(std::move(source), vocab_size, names);
}

}  // namespace lynceus::io
