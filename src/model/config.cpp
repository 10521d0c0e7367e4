// Checks which numbers can be a model and which grids can share it.
#include "model/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <vector>

namespace lynceus::model {
namespace {

constexpr int64_t kMost = 1 << 24;  // a product of two sizes is far below 64 bits

std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> items;
  std::istringstream list(text);
  for (std::string item; std::getline(list, item, ',');) {
    item.erase(0, item.find_first_not_of(' '));
    item.erase(item.find_last_not_of(' ') + 1);
    if (!item.empty()) items.push_back(item);
  }
  return items;
}

bool is_trainable(const std::string& module) {
  return module == "bridge" || module == "adapter" || module == "llm";
}

bool check_size(ConfigFaults* faults, const char* key, int64_t value) {
  return faults->within(key, value, 1, kMost);
}

void check_divides(ConfigFaults* faults, const char* key, int64_t value, const char* by_key,
                   int64_t by) {
  if (value % by != 0)
    faults->add(fmt::format("{} = {} is not a multiple of {} = {}", key, value, by_key, by));
}

void check_llm(ConfigFaults* faults, const LlmConfig& llm) {
  const bool heads = check_size(faults, "model.num_heads", llm.num_heads);
  const bool hidden = check_size(faults, "model.hidden_size", llm.hidden_size);
  if (heads && hidden) {
    check_divides(faults, "model.hidden_size", llm.hidden_size, "model.num_heads", llm.num_heads);
    if (llm.head_dim() % 2 != 0)
      faults->add(
          fmt::format("model.hidden_size / model.num_heads = {} must be even for the rotary "
                      "embedding",
                      llm.head_dim()));
  }
  if (faults->within("model.num_kv_heads", llm.num_kv_heads, 0, kMost) && heads)
    check_divides(faults, "model.num_heads", llm.num_heads, "model.num_kv_heads", llm.kv_heads());
  check_size(faults, "model.intermediate_size", llm.intermediate_size);
  check_size(faults, "model.num_layers", llm.num_layers);
  if (llm.given_vocab_size) check_size(faults, "model.vocab_size", *llm.given_vocab_size);
  faults->positive("model.rms_norm_eps", llm.rms_norm_eps);
  faults->positive("model.rope_theta", llm.rope_theta);
  faults->expect(io::RopeScaling::from_text(llm.rope_scaling).has_value(), "model.rope_scaling",
                 "none, linear:FACTOR, dynamic:FACTOR:POSITIONS or "
                 "llama3:FACTOR:LOW:HIGH:POSITIONS, with a factor of at least 1 and LOW < HIGH",
                 fmt::format("'{}'", llm.rope_scaling));
  faults->not_negative("model.init_std", llm.init_std);
  for (const std::string& item : split_list(llm.train))
    if (!is_trainable(item))
      faults->add(fmt::format("model.train: expected any of bridge, adapter, llm, found '{}'{}",
                              item,
                              item == "vision" ? " (the vision encoder is forward-only)" : ""));
}

void check_vision(ConfigFaults* faults, const VisionConfig& vision) {
  const bool patch = check_size(faults, "vision.patch_size", vision.patch_size);
  if (check_size(faults, "vision.image_size", vision.image_size) && patch)
    check_divides(faults, "vision.image_size", vision.image_size, "vision.patch_size",
                  vision.patch_size);
  const bool heads = check_size(faults, "vision.num_heads", vision.num_heads);
  if (check_size(faults, "vision.hidden_size", vision.hidden_size) && heads)
    check_divides(faults, "vision.hidden_size", vision.hidden_size, "vision.num_heads",
                  vision.num_heads);
  check_size(faults, "vision.intermediate_size", vision.intermediate_size);
  check_size(faults, "vision.num_layers", vision.num_layers);
  check_size(faults, "vision.num_frames", vision.num_frames);
  check_size(faults, "vision.images_per_pass", vision.images_per_pass);
  faults->positive("vision.layer_norm_eps", vision.layer_norm_eps);
  faults->not_negative("vision.init_std", vision.init_std);
}

void check_bridge(ConfigFaults* faults, const BridgeConfig& bridge) {
  check_size(faults, "bridge.num_latents", bridge.num_latents);
  check_size(faults, "bridge.num_layers", bridge.num_layers);
  check_size(faults, "bridge.num_heads", bridge.num_heads);
  check_size(faults, "bridge.head_dim", bridge.head_dim);
  check_size(faults, "bridge.intermediate_factor", bridge.intermediate_factor);
  faults->within("bridge.hidden_size", bridge.hidden_size, 0, kMost);
  faults->positive("bridge.layer_norm_eps", bridge.layer_norm_eps);
  faults->not_negative("bridge.init_std", bridge.init_std);
}

void check_adapter(ConfigFaults* faults, const AdapterConfig& adapter) {
  faults->at_least("adapter.every", adapter.every, 0);
  faults->within("adapter.bottleneck_size", adapter.bottleneck_size, 0, kMost);
  faults->positive("adapter.layer_norm_eps", adapter.layer_norm_eps);
  faults->not_negative("adapter.init_std", adapter.init_std);
}

}  // namespace

bool LlmConfig::trains(const std::string& module) const {
  const std::vector<std::string> items = split_list(train);
  return std::find(items.begin(), items.end(), module) != items.end();
}

bool LlmConfig::trains_unknown() const {
  const std::vector<std::string> items = split_list(train);
  return !std::all_of(items.begin(), items.end(), is_trainable);
}

void ModelConfig::check(ConfigFaults* faults) const {
  check_llm(faults, llm);
  check_vision(faults, vision);
  check_bridge(faults, bridge);
  check_adapter(faults, adapter);
}

void ModelConfig::validate() const {
  ConfigFaults faults;
  check(&faults);
  faults.raise();
}

void validate_layout(const ModelConfig& config, int tensor, int pipeline) {
  ConfigFaults faults;
  const auto split = [&](const char* key, int64_t value) {
    if (value % tensor != 0)
      faults.add(
          fmt::format("{} = {} does not divide over parallel.tensor = {}: change one "
                      "of the two",
                      key, value, tensor));
  };
  split("model.num_heads", config.llm.num_heads);
  if (config.llm.kv_heads() < tensor)
    faults.add(
        fmt::format("parallel.tensor = {} is more than model.num_kv_heads = {}: lower "
                    "parallel.tensor",
                    tensor, config.llm.kv_heads()));
  else if (config.llm.kv_heads() != config.llm.num_heads)
    split("model.num_kv_heads", config.llm.kv_heads());
  split("model.intermediate_size", config.llm.intermediate_size);
  if (config.adapter.every > 0) split("adapter.bottleneck_size", config.bottleneck_size());
  if (config.llm.num_layers < pipeline)
    faults.add(
        fmt::format("parallel.pipeline = {} is more than model.num_layers = {}: lower "
                    "parallel.pipeline",
                    pipeline, config.llm.num_layers));
  faults.raise();
}

}  // namespace lynceus::model
