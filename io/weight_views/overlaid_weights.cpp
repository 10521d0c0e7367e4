#include "io/weight_views/overlaid_weights.h"

#include <map>
#include <utility>

#include "core/error.h"
#include "io/weights/selected_weights.h"

namespace lynceus::io {

WeightSourcePtr overlaid(WeightSourcePtr base, WeightSourcePtr overlay) {
  std::map<std::string, std::string> rest;
  for (const std::string& name : base->names()) rest[name] = name;
  for (const std::string& name : overlay->names()) {
    if (!base->has(name))
      throw InputError("{}: {}: expected a tensor that {} has, too", overlay->describe(), name,
                       base->describe());
    if (base->shape(name) != overlay->shape(name))
      throw InputError("{}: {} has shape {}, expected {} as in {}", overlay->describe(), name,
                       overlay->shape(name).to_string(), base->shape(name).to_string(),
                       base->describe());
    rest.erase(name);
  }
  return combine(
      {selected(std::move(base), std::move(rest), "without what is replaced"), std::move(overlay)});
}

}  // namespace lynceus::io
