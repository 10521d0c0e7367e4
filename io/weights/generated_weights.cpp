#include "io/weights/generated_weights.h"

#include <array>
#include <cmath>
#include <map>
#include <type_traits>
#include <utility>

#include "core/error.h"
#include "core/random.h"
#include "io/files/json.h"
#include "io/weights/convert.h"

namespace lynceus::io {
namespace {

constexpr uint64_t kGolden = 0x9E3779B97F4A7C15ull;

struct Rule {
  Shape shape;
  uint64_t start = 0;
  std::array<float, 256> values{};  // by the top byte of z
};

float exact_bf16(double value, const Json& json) {
  const float narrow = static_cast<float>(value);
  if (static_cast<double>(narrow) != value || f32_of_bf16(bf16_of_f32(narrow)) != narrow)
    throw InputError("{}: expected a bf16 number, found {}", json.where(), value);
  return narrow;
}

Rule parse_rule(const Json& json, const std::string& name, uint64_t seed) {
  Rule rule;
  const Json shape = json.at("shape");
  const std::vector<int64_t> extents = shape.integers(0);
  if (extents.size() > Shape::kMaxRank)
    throw InputError("{}: {} axes, at most {} are supported", shape.where(), extents.size(),
                     Shape::kMaxRank);
  int64_t elements = 1;
  for (const int64_t extent : extents)
    if (__builtin_mul_overflow(elements, extent, &elements))
      throw InputError("{}: the size overflows", shape.where());
  rule.shape = Shape(extents);
  rule.start = hash_name(name) ^ (seed * kGolden);
  if (const auto constant = json.find("const")) {
    rule.values.fill(exact_bf16(constant->number(), *constant));
    return rule;
  }
  const double offset = json.at("offset").number();
  const int shift = static_cast<int>(json.at("shift").integer(0, 8));
  const double unit = std::ldexp(1.0, static_cast<int>(json.at("exp").integer(-140, 120)));
  for (int top = 0; top < 256; ++top)
    rule.values[top] = exact_bf16(offset + ((top - 128) >> shift) * unit, json);
  return rule;
}

class GeneratedSource : public WeightSource {
 public:
  explicit GeneratedSource(const std::filesystem::path& path) : path_(path) {
    const Json spec = Json::read(path);
    const uint64_t seed = static_cast<uint64_t>(spec.at("seed").integer(0));
    for (const Json& tensor : spec.at("tensors").elements()) {
      const std::string name = tensor.at("name").string();
      if (!rules_.emplace(name, parse_rule(tensor, name, seed)).second)
        throw InputError("{}: tensor '{}' appears twice", tensor.where(), name);
    }
  }

  std::vector<std::string> names() const override {
    std::vector<std::string> all;
    for (const auto& [name, rule] : rules_) all.push_back(name);
    return all;
  }
  bool has(const std::string& name) const override { return rules_.contains(name); }
  Shape shape(const std::string& name) const override { return rule(name).shape; }

  void read(const std::string& name, const Slice& slice, const Tensor& out) const override {
    const Rule& found = rule(name);
    const Shape part = slice.of(found.shape);
    LYNCEUS_CHECK(out.shape() == part, "'{}': {} into {}", name, part.to_string(),
                  out.shape().to_string());
    const int axis = slice.axis < 0 ? 0 : slice.axis;
    int64_t inner = 1;
    for (int i = axis + 1; i < part.rank(); ++i) inner *= part[i];
    const bool whole = slice.axis < 0 || part.rank() == 0;
    const int64_t run = whole ? part.elements() : slice.count * inner;
    const int64_t stride = whole ? run : found.shape[axis] * inner;
    const int64_t first = whole ? 0 : slice.begin * inner;
    if (run == 0) return;
    const auto fill = [&](auto* target) {
      for (int64_t row = 0; row < part.elements() / run; ++row) {
        uint64_t z = found.start + static_cast<uint64_t>(first + row * stride) * kGolden;
        for (int64_t i = 0; i < run; ++i)
          *target++ = std::decay_t<decltype(*target)>(found.values[mix64(z += kGolden) >> 56]);
      }
    };
    if (out.dtype() == DType::kBf16)
      fill(out.data<BFloat16>());
    else
      fill(out.data<float>());
  }

  std::string describe() const override { return path_.string(); }
  std::vector<std::filesystem::path> files() const override { return {path_}; }

 private:
  const Rule& rule(const std::string& name) const {
    const auto found = rules_.find(name);
    if (found == rules_.end())
      throw InputError("{}: there is no tensor '{}'", path_.string(), name);
    return found->second;
  }

  std::filesystem::path path_;
  std::map<std::string, Rule> rules_;
};

}  // namespace

WeightSourcePtr open_generated_weights(const std::filesystem::path& path) {
  return std::make_shared<GeneratedSource>(path);
}

}  // namespace lynceus::io
