#include "model/config.h"

#include <sstream>
#include <vector>

namespace lynceus {
namespace {

void throw_all(const std::vector<std::string>& faults) {
  if (!faults.empty()) throw UsageError("{}", fmt::join(faults, "\n"));
}

}  // namespace

bool LlmConfig::trains(const std::string& module) const {
  std::istringstream list(train);
  for (std::string item; std::getline(list, item, ',');) {
    item.erase(0, item.find_first_not_of(' '));
    item.erase(item.find_last_not_of(' ') + 1);
    if (item == module) return true;
  }
  return false;
}

void ModelConfig::validate() const {
  std::vector<std::string> faults;
  const auto positive = [&](const char* key, int64_t value) {
    if (value <= 0)
      faults.push_back(fmt::format("{}: expected a positive number, found {}", key, value));
    return value > 0;
  };
  const auto divides = [&](const char* key, int64_t value, const char* by_key, int64_t by) {
    if (value % by != 0)
      faults.push_back(fmt::format("{} = {} is not a multiple of {} = {}", key, value, by_key, by));
  };
  if (positive("model.num_heads", llm.num_heads) &&
      positive("model.hidden_size", llm.hidden_size)) {
    divides("model.hidden_size", llm.hidden_size, "model.num_heads", llm.num_heads);
    if (llm.head_dim() % 2 != 0)
      faults.push_back(
          fmt::format("model.hidden_size / model.num_heads = {} must be even for the "
                      "rotary embedding",
                      llm.head_dim()));
    if (positive("model.num_kv_heads", llm.kv_heads()))
      divides("model.num_heads", llm.num_heads, "model.num_kv_heads", llm.kv_heads());
  }
  positive("model.intermediate_size", llm.intermediate_size);
  positive("model.num_layers", llm.num_layers);
  if (positive("vision.patch_size", vision.patch_size) &&
      positive("vision.image_size", vision.image_size))
    divides("vision.image_size", vision.image_size, "vision.patch_size", vision.patch_size);
  if (positive("vision.num_heads", vision.num_heads))
    divides("vision.hidden_size", vision.hidden_size, "vision.num_heads", vision.num_heads);
  positive("vision.num_frames", vision.num_frames);
  positive("vision.images_per_pass", vision.images_per_pass);
  if (adapter.every < 0)
    faults.push_back(fmt::format("adapter.every: expected 0 or more, found {}", adapter.every));
  std::istringstream list(llm.train);
  for (std::string item; std::getline(list, item, ',');) {
    item.erase(0, item.find_first_not_of(' '));
    item.erase(item.find_last_not_of(' ') + 1);
    if (item != "bridge" && item != "adapter" && item != "llm" && !item.empty())
      faults.push_back(
          fmt::format("model.train: expected any of bridge, adapter, llm, found '{}'{}", item,
                      item == "vision" ? " (the vision encoder is forward-only)" : ""));
  }
  throw_all(faults);
}

void validate_layout(const ModelConfig& config, int tensor, int pipeline) {
  std::vector<std::string> faults;
  const auto split = [&](const char* key, int64_t value) {
    if (value % tensor != 0)
      faults.push_back(
          fmt::format("{} = {} does not divide over parallel.tensor = {}: change one "
                      "of the two",
                      key, value, tensor));
  };
  split("model.num_heads", config.llm.num_heads);
  if (config.llm.kv_heads() < tensor)
    faults.push_back(
        fmt::format("parallel.tensor = {} is more than model.num_kv_heads = {}: lower "
                    "parallel.tensor",
                    tensor, config.llm.kv_heads()));
  else if (config.llm.kv_heads() != config.llm.num_heads)
    split("model.num_kv_heads", config.llm.kv_heads());
  split("model.intermediate_size", config.llm.intermediate_size);
  if (config.adapter.every > 0) split("adapter.bottleneck_size", config.bottleneck_size());
  if (config.llm.num_layers < pipeline)
    faults.push_back(
        fmt::format("parallel.pipeline = {} is more than model.num_layers = {}: lower "
                    "parallel.pipeline",
                    pipeline, config.llm.num_layers));
  throw_all(faults);
}

}  // namespace lynceus
