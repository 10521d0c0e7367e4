// Matches released names with a model's parameters, reads each rank's slices in one replica and
// broadcasts them to the others. Used before training, evaluation and verification.
#include "model/load_weights.h"

#include <cmath>

#include "model/parameter_value.h"
#include "model/position_interpolation.h"

namespace lynceus {
namespace {

constexpr const char* kPosition = "vision_encoder.pos_embed";

/// Positions of another resolution become the model's by interpolation.
bool is_other_resolution(const std::string& name, const Shape& found, const Shape& expected) {
  if (name != kPosition || found.rank() != 3 || found[2] != expected[2]) return false;
  const int64_t grid = std::llround(std::sqrt(static_cast<double>(found[1] - 1)));
  return grid * grid + 1 == found[1];
}

void read_parameter(const Runtime& rt, const VisionConfig& vision, const io::WeightSource& source,
                    const Parameter& parameter) {
  if (source.shape(parameter.name) == parameter.global_shape()) {
    const Tensor values = to_fill(rt, parameter.value);
    source.read_shard(parameter.name, parameter.shard, values);
    set_from_host(rt, values, parameter.value);
  } else {
    parameter.value.copy_from(interpolate_position(
        rt.host(), source.read_whole(rt.host(), parameter.name), vision.grid()));
  }
}

}  // namespace

bool is_backbone(const std::string& name) {
  return name.starts_with("LLM.") && name.find("output_adapter") == std::string::npos;
}

bool is_vision(const std::string& name) { return name.starts_with("vision_encoder."); }

std::vector<io::ExpectedTensor> expected_tensors(const ModelConfig& config) {
  const Runtime rt{Stream(Device{DeviceKind::kNone, 0}),
                   parallel::make_grid({}, parallel::make_self_communicator())};
  LynxModel model = make_lynx(rt, config, partition_model(config, 1, ""), 0);
  std::vector<io::ExpectedTensor> expected;
  model.visit_parameters([&](Parameter& parameter) {
    expected.push_back({parameter.name, parameter.global_shape()});
  });
  return expected;
}

void check_weights(const ModelConfig& config, const io::WeightSource& source,
                   const NameFilter& filter) {
  std::vector<io::ExpectedTensor> expected;
  for (io::ExpectedTensor& tensor : expected_tensors(config)) {
    if (!filter(tensor.name)) continue;
    if (source.has(tensor.name) &&
        is_other_resolution(tensor.name, source.shape(tensor.name), tensor.shape))
      tensor.shape = source.shape(tensor.name);
    expected.push_back(std::move(tensor));
  }
  io::match_weights(source, expected);
}

void load_weights(const Runtime& rt, LynxModel* model, const io::WeightSource& source,
                  const NameFilter& filter) {
  std::vector<Parameter*> wanted;
  model->visit_parameters([&](Parameter& parameter) {
    if (filter(parameter.name)) wanted.push_back(&parameter);
  });
  const auto reads = [&](const Parameter& parameter) {
    return in_vision_branch(parameter) ? rt.grid.world->rank() == 0 : rt.grid.data->rank() == 0;
  };
  // Errors of any reader are agreed before the first broadcast, so that nobody waits for it.
  parallel::agree(*rt.grid.world, [&] {
    for (const Parameter* parameter : wanted)
      if (reads(*parameter)) read_parameter(rt, model->config.vision, source, *parameter);
  });
  for (const Parameter* parameter : wanted) {
    const bool vision = in_vision_branch(*parameter);
    (vision ? rt.grid.world : rt.grid.data)->broadcast(parameter->value, 0);
  }
  refresh_rounded(rt, model);
}

}  // namespace lynceus
