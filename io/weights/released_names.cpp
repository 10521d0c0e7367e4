// Removes "model." before the names of Lynx's modules.
#include "io/weights/released_names.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <utility>

#include "core/error.h"

namespace lynceus::io {
namespace {

constexpr std::string_view kPrefix = "model.";
constexpr std::array<std::string_view, 4> kModules = {"LLM.", "bridge.", "vision_encoder.",
                                                      "absolute_frame_pos_embed"};

/// Whether the name has the prefix; "model.layers..." of a plain LLaMA does not.
bool is_wrapped(std::string_view name) {
  return name.starts_with(kPrefix) &&
         std::any_of(kModules.begin(), kModules.end(), [&](std::string_view module) {
           return name.substr(kPrefix.size()).starts_with(module);
         });
}

class UnwrappedSource : public WeightSource {
 public:
  explicit UnwrappedSource(WeightSourcePtr source) : source_(std::move(source)) {
    for (const std::string& name : source_->names()) {
      const std::string shown = is_wrapped(name) ? name.substr(kPrefix.size()) : name;
      if (!inner_.emplace(shown, name).second)
        throw InputError("{}: '{}' appears with and without 'model.'", describe(), shown);
    }
  }

  std::vector<std::string> names() const override {
    std::vector<std::string> all;
    for (const auto& [shown, name] : inner_) all.push_back(shown);
    return all;
  }
  bool has(const std::string& name) const override { return inner_.contains(name); }
  Shape shape(const std::string& name) const override { return source_->shape(inner(name)); }
  std::optional<FileType> stored_type(const std::string& name) const override {
    return source_->stored_type(inner(name));
  }
  void read(const std::string& name, const Slice& slice, const Tensor& out) const override {
    source_->read(inner(name), slice, out);
  }
  std::string describe() const override { return source_->describe(); }
  std::vector<std::filesystem::path> files() const override { return source_->files(); }

 private:
  const std::string& inner(const std::string& name) const {
    const auto found = inner_.find(name);
    if (found == inner_.end()) throw InputError("{}: there is no tensor '{}'", describe(), name);
    return found->second;
  }

  WeightSourcePtr source_;
  std::map<std::string, std::string> inner_;  // by the name without the prefix
};

}  // namespace

WeightSourcePtr without_model_prefix(WeightSourcePtr source) {
  const std::vector<std::string> names = source->names();
  if (std::none_of(names.begin(), names.end(), is_wrapped)) return source;
  return std::make_shared<UnwrappedSource>(std::move(source));
}

}  // namespace lynceus::io
