// Removes "model." before the names of Lynx's modules.
#include "io/weights/released_names.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "io/weights/selected_weights.h"

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

}  // namespace

WeightSourcePtr without_model_prefix(WeightSourcePtr source) {
  const std::vector<std::string> names = source->names();
  if (std::none_of(names.begin(), names.end(), is_wrapped)) return source;
  std::map<std::string, std::string> inner;  // by the name without the prefix
  for (const std::string& name : names) {
    const std::string shown = is_wrapped(name) ? name.substr(kPrefix.size()) : name;
    if (!inner.emplace(shown, name).second)
      throw InputError("{}: '{}' appears with and without 'model.'", source->describe(), shown);
  }
  return selected(std::move(source), std::move(inner), "");
}

}  // namespace lynceus::io
