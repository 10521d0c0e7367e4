// Builds a rank's part of the model, sets random values that do not depend on the grid, and cuts
// the layers into stages.
#include "model/lynx.h"

#include <algorithm>
#include <cmath>

#include "core/process/stop_request.h"
#include "core/random.h"
#include "model/parameter_value.h"

namespace lynceus::model {
namespace {

constexpr const char* kFramePosition = "absolute_frame_pos_embed";
constexpr int64_t kFewValues = 10000;  // that one thread draws faster than several can be woken

/// The init_std of the parameter's section of the config.
double configured_std(const ModelConfig& config, const Parameter& parameter) {
  if (parameter.name == kFramePosition) return config.llm.init_std;
  switch (parameter.module) {
    case Module::kVision:
      return config.vision.init_std;
    case Module::kBridge:
      return config.bridge.init_std;
    case Module::kAdapter:
      return config.adapter.init_std;
    case Module::kLlm:
      return config.llm.init_std;
  }
  return 0;
}

/// Standard deviation of a weight's random start: the config's, or 1 / sqrt(fan in) where that is
/// 0.
double initial_std(const ModelConfig& config, const Parameter& parameter) {
  if (parameter.name == "bridge.latents") return 1.0;
  if (const double std = configured_std(config, parameter); std > 0) return std;
  const Shape shape = parameter.global_shape();
  const int64_t fan_in = shape.rank() < 2 ? 1 : shape.elements() / shape[0];
  return 1.0 / std::sqrt(static_cast<double>(fan_in));
}

void fill_normal(const Parameter& parameter, uint64_t seed, double std, const Tensor& value) {
  const CounterRandom random(seed, parameter.name);
  const Shape& local = value.shape();
  float* data = value.data<float>();
  // The global flat index of a local element: shift rows (axis 0) or columns (axis 1).
  const int64_t columns =
      local.rank() == 2 ? local[1] : value.size() / std::max<int64_t>(local[0], 1);
  const bool by_columns = parameter.shard.axis == 1;
  const int64_t global_columns = by_columns ? parameter.shard.global_extent : columns;
  const int64_t row_offset = parameter.shard.axis == 0 ? parameter.shard.offset : 0;
  const int64_t column_offset = by_columns ? parameter.shard.offset : 0;
  const int64_t valid_rows =
      parameter.shard.axis == 0 ? parameter.valid_extent() : value.size() / columns;
#pragma omp parallel for if (value.size() > kFewValues)
  for (int64_t r = 0; r < valid_rows; ++r)
    for (int64_t c = 0; c < columns; ++c) {
      const uint64_t index = (row_offset + r) * global_columns + column_offset + c;
      data[r * columns + c] = static_cast<float>(std * random.normal(index));
    }
}

}  // namespace

void LynxModel::visit_parameters(const ParameterVisitor& visit) {
  vision.visit_parameters(visit);
  bridge.visit_parameters(visit);
  stage.visit_parameters(visit);
}

void LynxModel::pack(const Runtime& rt) { vision.pack(rt); }

void LynxModel::freeze(const Runtime& rt) {
  visit_parameters([](Parameter& parameter) {
    parameter.grad = Tensor();
    parameter.value = parameter.used();
    parameter.rounded = Tensor();
  });
  stage.share_embedding();
  const auto pack = [&](Linear& linear) { linear.pack(rt, kernels::PackedOrder::kRows); };
  vision.visit_linears(pack);
  bridge.visit_linears(pack);
  stage.visit_linears(pack);
}

LynxModel make_lynx(const Runtime& rt, const ModelConfig& config,
                    const std::vector<parallel::LayerRange>& partition, double label_smoothing) {
  const parallel::LayerRange range = partition.at(rt.grid.stage());
  return {config, make_vision_encoder(rt, config.vision), make_bridge(rt, config),
          make_stage(rt, config, range.begin, range.end(), label_smoothing)};
}

std::vector<parallel::LayerRange> partition_model(const ModelConfig& config, int stages,
                                                  const std::string& override_list) {
  // Multiply-adds per token, forward and backward; a weight gradient adds a third pass.
  const LlmConfig& llm = config.llm;
  const double hidden = static_cast<double>(llm.hidden_size);
  const double kv_width = static_cast<double>(llm.kv_heads() * llm.head_dim());
  const double passes = llm.trains("llm") ? 3 : 2;
  const double layer = passes * (2 * hidden * (hidden + kv_width) +
                                 3 * hidden * static_cast<double>(llm.intermediate_size));
  const double adapter =
      (llm.trains("adapter") ? 3 : 2) * 2 * hidden * static_cast<double>(config.bottleneck_size());
  std::vector<double> costs;
  for (int64_t i = 0; i < llm.num_layers; ++i)
    costs.push_back(layer + (config.adapter.at_layer(i) ? adapter : 0));
  const double head = passes * hidden * static_cast<double>(llm.vocab_size);
  return parallel::partition_layers(costs, /*first_cost=*/hidden, head, stages, override_list);
}

Module module_of(const std::string& name) {
  if (name.starts_with("vision_encoder.")) return Module::kVision;
  if (!name.starts_with("LLM.")) return Module::kBridge;
  return name.find("output_adapter") == std::string::npos ? Module::kLlm : Module::kAdapter;
}

bool in_vision_branch(const Parameter& parameter) {
  return parameter.module == Module::kVision || parameter.module == Module::kBridge;
}

Reach reach_of(const Parameter& parameter) {
  if (parameter.name == kFramePosition) return Reach::kAnyVideo;
  return in_vision_branch(parameter) ? Reach::kAnyMedia : Reach::kAnySample;
}

void initialize(const Runtime& rt, LynxModel* model, uint64_t seed, const ParameterFilter& filter) {
  model->visit_parameters([&](Parameter& parameter) {
    if (filter && !filter(parameter)) return;
    leave_if_requested("setting random values");
    const bool vector = parameter.value.rank() == 1;
    const Tensor values = to_fill(rt, parameter.value);
    if (vector && parameter.name.ends_with("bias")) {
      values.fill_zero();
    } else if (vector) {  // norm weights and the adapters' scaling
      for (float& value : values.span<float>()) value = 1.0f;
    } else {
      fill_normal(parameter, seed, initial_std(model->config, parameter), values);
    }
    set_from_host(rt, values, parameter.value);
  });
  refresh_rounded(rt, model);
}

}  // namespace lynceus::model
