// Presents thirds of fused tensors as tensors, and hides tensors that the vision encoder lacks.
#include "io/weight_views/eva_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "io/weights/selected_weights.h"

namespace lynceus::io {
namespace {

constexpr std::string_view kFused = ".attn.qkv.weight";

class SplitSource : public WeightSource {
 public:
  explicit SplitSource(WeightSourcePtr source) : source_(std::move(source)) {
    for (const std::string& name : source_->names()) add(name);
  }

  std::vector<std::string> names() const override {
    std::vector<std::string> all;
    for (const auto& [name, part] : parts_) all.push_back(name);
    return all;
  }
  bool has(const std::string& name) const override { return parts_.contains(name); }
  Shape shape(const std::string& name) const override { return part(name).shape; }

  void read(const std::string& name, const Slice& slice, const Tensor& out) const override {
    const Part& found = part(name);
    if (!found.third) return source_->read(found.inner, slice, out);
    const int64_t rows = found.shape[0];
    const int64_t begin = *found.third * rows;
    if (slice.axis < 0) return source_->read(found.inner, Slice{0, begin, rows}, out);
    if (slice.axis == 0)
      return source_->read(found.inner, Slice{0, begin + slice.begin, slice.count}, out);
    // Columns of a third: reads these columns of all three and takes its rows. Tensor-parallel
    // ranks read complete tensors of the vision encoder, so this is rare and may be slow.
    const Tensor columns =
        Tensor::empty(Stream{}, slice.of(source_->shape(found.inner)), out.dtype());
    source_->read(found.inner, slice, columns);
    out.copy_from(columns.slice(begin, rows));
  }

  std::string name_in_file(const std::string& name) const override {
    const auto found = parts_.find(name);
    return source_->name_in_file(found == parts_.end() ? name : found->second.inner);
  }
  std::string describe() const override { return source_->describe(); }
  std::vector<std::filesystem::path> files() const override { return source_->files(); }

 private:
  struct Part {
    std::string inner;
    std::optional<int> third;  // of the rows; nullopt: the complete tensor
    Shape shape;
  };

  void add(const std::string& name) {
    const Shape whole = source_->shape(name);
    if (name.ends_with(kFused)) {
      const std::string stem = name.substr(0, name.size() - kFused.size()) + ".attn.";
      if (whole.rank() != 2 || whole[0] % 3 != 0)
        throw InputError("{}: '{}': expected shape [3 * width, width], found {}", describe(), name,
                         whole.to_string());
      const char* thirds[] = {"q_proj.weight", "k_proj.weight", "v_proj.weight"};
      for (int third = 0; third < 3; ++third)
        show(stem + thirds[third], {name, third, Shape{whole[0] / 3, whole[1]}});
      return;
    }
    for (const char letter : {'q', 'v'}) {
      const std::string old_end = fmt::format(".attn.{}_bias", letter);
      if (name.ends_with(old_end))
        return show(name.substr(0, name.size() - old_end.size()) +
                        fmt::format(".attn.{}_proj.bias", letter),
                    {name, std::nullopt, whole});
    }
    show(name, {name, std::nullopt, whole});
  }
  void show(const std::string& name, Part part) {
    const auto [place, inserted] = parts_.emplace(name, std::move(part));
    if (!inserted) throw InputError("{}: '{}' appears both fused and separate", describe(), name);
  }
  const Part& part(const std::string& name) const {
    const auto found = parts_.find(name);
    if (found == parts_.end()) throw InputError("{}: there is no tensor '{}'", describe(), name);
    return found->second;
  }

  WeightSourcePtr source_;
  std::map<std::string, Part> parts_;
};

/// The prefix in `name` of a part that comes after the features that the model uses: "blocks.39.",
/// "norm."; empty if the model uses the tensor.
std::string unused_end(const std::string& name, int64_t num_layers) {
  for (const char* end : {"norm.", "fc_norm.", "head."})
    if (name.starts_with(end)) return end;
  constexpr std::string_view kBlocks = "blocks.";
  int64_t block = -1;
  const char* const last = name.data() + name.size();
  const bool is_after =
      name.starts_with(kBlocks) &&
      std::from_chars(name.data() + kBlocks.size(), last, block).ec == std::errc() &&
      block >= num_layers;
  return is_after ? fmt::format("{}{}.", kBlocks, block) : "";
}

}  // namespace

bool has_fused_qkv(const WeightSource& source) {
  const auto names = source.names();
  return std::any_of(names.begin(), names.end(),
                     [](const std::string& name) { return name.ends_with(kFused); });
}

WeightSourcePtr split_fused_qkv(WeightSourcePtr source) {
  return std::make_shared<SplitSource>(std::move(source));
}

WeightSourcePtr vision_tower(WeightSourcePtr source) {
  constexpr const char* kPrefix = "visual.";
  const auto names = source->names();
  if (std::none_of(names.begin(), names.end(),
                   [](const std::string& name) { return name.starts_with(kPrefix); }))
    return source;
  return with_prefix(std::move(source), kPrefix, "");
}

WeightSourcePtr without_unused_ends(WeightSourcePtr source, int64_t num_layers) {
  std::map<std::string, std::string> kept;
  std::set<std::string> ends;
  for (const std::string& name : source->names()) {
    const std::string end = unused_end(name, num_layers);
    if (end.empty())
      kept[name] = name;
    else
      ends.insert("'" + end + "'");
  }
  if (ends.empty()) return source;
  return selected(std::move(source), std::move(kept),
                  fmt::format("without {}", fmt::join(ends, ", ")));
}

}  // namespace lynceus::io
