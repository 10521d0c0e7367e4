// Compares patch features of images at several resolutions with those of a trusted implementation.
#include "verify/verify_vision.h"

#include <cmath>

#include "io/files/json.h"
#include "io/weight_views/eva_weights.h"
#include "io/weights/weight_files.h"
#include "model/parameter_value.h"
#include "model/position_interpolation.h"
#include "parallel/agreement.h"
#include "verify/reference_case.h"

namespace lynceus::verify {
namespace {

double largest_difference(const Tensor& ours, const Tensor& theirs) {
  double worst = 0;
  for (int64_t i = 0; i < ours.size(); ++i) {
    const double error =
        std::abs(static_cast<double>(ours.data<float>()[i]) - theirs.data<double>()[i]);
    worst = error <= worst ? worst : error;
  }
  return std::isnan(worst) ? INFINITY : worst;
}

Tensor encode(const Runtime& rt, const model::VisionConfig& config, const io::WeightSource& source,
              const Tensor& pixels, Tensor* position) {
  model::VisionEncoder encoder = model::make_vision_encoder(rt, config);
  encoder.visit_parameters([&](Parameter& parameter) {
    Tensor values = model::to_fill(rt, parameter.value);
    if (parameter.name == "vision_encoder.pos_embed")
      values = model::interpolate_position(rt.host(), source.read_whole(rt.host(), parameter.name),
                                           config.grid());
    else
      source.read_shard(parameter.name, parameter.shard, values);
    model::set_from_host(rt, values, parameter.value);
  });
  *position = model::on_host(rt, encoder.position.value);
  encoder.pack(rt);
  const Tensor features =
      rt.activation({pixels.dim(0) * config.tokens_per_image(), config.hidden_size});
  encoder.forward(rt, pixels.on(rt.stream), features);
  return model::on_host(rt, features);
}

}  // namespace

std::vector<Finding> verify_resolutions(const Runtime& rt, const std::filesystem::path& directory,
                                        const Tolerances& tolerances) {
  std::vector<Finding> findings;
  parallel::agree(*rt.grid.world, [&] {
    const io::Json config = io::Json::read(directory / "config.json");
    const io::SafetensorsFile inputs(directory / "inputs.safetensors");
    const io::SafetensorsFile expected(directory / "expected.safetensors");
    std::vector<std::pair<std::string, io::WeightSourcePtr>> sources = {
        {"", io::open_weights(directory / "weights.safetensors")}};
    if (std::filesystem::exists(directory / "eva_checkpoint.safetensors"))
      sources.push_back(
          {" (EVA names)", io::with_prefix(io::split_fused_qkv(io::open_weights(
                                               directory / "eva_checkpoint.safetensors")),
                                           "", "vision_encoder.")});
    for (const io::Json& resolution : config.at("image_res").elements()) {
      model::VisionConfig vision = read_vision_config(config.at("vit"));
      vision.image_size = resolution.integer(1);
      const std::string entry = fmt::format("pixels_{}", vision.image_size);
      const Shape shape = inputs.entry(entry).shape;
      if (shape.rank() != 4 || shape != Shape{shape[0], 3, vision.image_size, vision.image_size})
        throw InputError("{}: {} has shape {}, expected [images, 3, {}, {}]",
                         inputs.path().string(), entry, shape.to_string(), vision.image_size,
                         vision.image_size);
      const Tensor pixels = inputs.read(rt.host(), entry);
      for (const auto& [suffix, source] : sources) {
        Tensor position;
        const Tensor features = encode(rt, vision, *source, pixels, &position);
        const auto against = [&](const char* what, const Tensor& ours, double tolerance) {
          const std::string name = fmt::format("{}_{}", what, vision.image_size);
          if (expected.entry(name).shape.elements() != ours.size())
            throw InputError("{}: {} has shape {}, expected {} values", expected.path().string(),
                             name, expected.entry(name).shape.to_string(), ours.size());
          findings.push_back({name + suffix,
                              largest_difference(ours, read_f64(rt.host(), expected, name)),
                              tolerance, ""});
        };
        against("pos_embed", position, tolerances.position_embedding);
        if (tolerances.vision_features)
          against("vision_features", features, *tolerances.vision_features);
      }
    }
    if (findings.empty())
      throw InputError("{}: image_res: expected at least one resolution, found none",
                       (directory / "config.json").string());
  });
  return findings;
}

}  // namespace lynceus::verify
