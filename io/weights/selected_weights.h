// A part of a weight source under other names.
#pragma once

#include <map>
#include <string>

#include "io/weights/weights.h"

namespace lynceus::io {

/// The tensors `inner_names` (shown name -> name in `source`); all others are hidden. describe()
/// adds `note` in parentheses, if it is not empty.
WeightSourcePtr selected(WeightSourcePtr source, std::map<std::string, std::string> inner_names,
                         std::string note);

}  // namespace lynceus::io
