// How rotary frequencies are scaled for longer contexts, as in "rope_scaling" (or
// "rope_parameters") of a Hugging Face config.json. The formulas are in model/rope_frequencies.h.
//
// Errors: InputError naming the file, the key, the expected and the found value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "io/files/json.h"
#include "io/files/json_value.h"

namespace lynceus::io {

struct RopeScaling {
  enum class Kind { kNone, kLinear, kDynamic, kLlama3 };

  Kind kind = Kind::kNone;
  double factor = 1;
  double low_freq_factor = 1;      ///< llama3
  double high_freq_factor = 4;     ///< llama3
  int64_t original_positions = 0;  ///< llama3, dynamic: positions of the model before scaling

  bool operator==(const RopeScaling&) const = default;
  /// "none", "linear:FACTOR", "dynamic:FACTOR:POSITIONS" or "llama3:FACTOR:LOW:HIGH:POSITIONS".
  std::string to_text() const;
  /// The inverse of to_text(); nullopt if the text has another form or a value out of range.
  static std::optional<RopeScaling> from_text(const std::string& text);
  /// The value of "rope_scaling" in config.json; null: no scaling.
  JsonValue to_json() const;
};

/// Of the object in config.json: its keys rope_scaling and rope_parameters, of which either may be
/// absent or null. The type is under "rope_type" or "type"; "default" means no scaling.
/// `max_positions`: the config's max_position_embeddings, which dynamic scaling needs. InputError
/// for a type that is not supported or not given, values by layer type, a missing value, or two
/// keys that contradict each other.
RopeScaling parse_rope_scaling(const Json& config, int64_t max_positions);

}  // namespace lynceus::io
