// With vision.image_size alone, a vision encoder's weights of one resolution load into a model of
// another one and give the patch features of the released code. The module of each parameter
// follows from its name.
#include "model/load_weights.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "io/files/json.h"
#include "io/weights/safetensors.h"
#include "io/weights/weight_files.h"
#include "model/lynx.h"

namespace lynceus::model {
namespace {

namespace fs = std::filesystem;

const fs::path kCase = fs::path(LYNCEUS_SOURCE_DIR) / "tests/golden/res_interp";

// The tolerances are verify's.

/// The encoder of the case, with a minimal LLM.
ModelConfig model_of(const io::Json& vit, int64_t image_size) {
  ModelConfig model;
  model.vision.patch_size = vit.at("patch_size").integer(1);
  model.vision.hidden_size = vit.at("embed_dim").integer(1);
  model.vision.num_layers = vit.at("depth").integer(0);
  model.vision.num_heads = vit.at("num_heads").integer(1);
  model.vision.intermediate_size = vit.at("mlp_hidden").integer(1);
  model.vision.layer_norm_eps = vit.at("norm_eps").number();
  model.vision.frame_position = false;
  model.vision.image_size = image_size;
  model.llm.vocab_size = 8;
  model.llm.hidden_size = model.llm.intermediate_size = 8;
  model.llm.num_layers = model.llm.num_heads = 1;
  return model;
}

void expect_near(const Tensor& found, const io::SafetensorsFile& file, const std::string& name,
                 double tolerance) {
  Tensor expected = Tensor::empty(Stream(), file.entry(name).shape, DType::kF64);
  file.read(name, {}, expected);
  ASSERT_EQ(found.size(), expected.size()) << name;
  for (int64_t i = 0; i < found.size(); ++i)
    ASSERT_NEAR(found.data<float>()[i], expected.data<double>()[i], tolerance) << name << ' ' << i;
}

TEST(LoadWeights, ImageSizeAloneMakesAnEncoderOfAnotherResolution) {
  const Runtime rt{Stream(), parallel::make_grid({}, parallel::make_self_communicator())};
  const io::Json config = io::Json::read(kCase / "config.json");
  const io::SafetensorsFile inputs(kCase / "inputs.safetensors");
  const io::SafetensorsFile expected(kCase / "expected.safetensors");
  const auto source = io::open_weights(kCase / "weights.safetensors");
  int sizes = 0;
  for (const io::Json& size : config.at("image_res").elements()) {
    const int64_t image_size = size.integer(1);
    const ModelConfig model_config = model_of(config.at("vit"), image_size);
    EXPECT_NO_THROW(check_weights(model_config, *source, of_module(Module::kVision)));
    LynxModel model = make_lynx(rt, model_config, partition_model(model_config, 1, ""), 0);
    load_weights(rt, &model, *source, of_module(Module::kVision));
    expect_near(model.vision.position.value, expected, fmt::format("pos_embed_{}", image_size),
                1e-4);
    model.pack(rt);
    const Tensor pixels = inputs.read(rt.host(), fmt::format("pixels_{}", image_size));
    const Tensor features = rt.activation(
        {pixels.dim(0) * model_config.vision.tokens_per_image(), model_config.vision.hidden_size});
    model.vision.forward(rt, pixels, features);
    expect_near(features, expected, fmt::format("vision_features_{}", image_size), 1e-4);
    ++sizes;
  }
  EXPECT_EQ(sizes, 3);
}

TEST(Module, FollowsFromTheNameOfEveryParameter) {
  ModelConfig config;
  config.llm.vocab_size = 8;
  config.bridge.vision_norm = true;
  for (const char* kind : {"resampler", "affine", "mlp"}) {
    config.bridge.kind = kind;
    std::set<Module> found;
    expected_tensors(config, [&](const Parameter& parameter) {
      EXPECT_EQ(name_of(parameter.module), std::string(name_of(module_of(parameter.name))))
          << parameter.name;
      found.insert(parameter.module);
      return true;
    });
    EXPECT_EQ(found.size(), 4U) << kind;
  }
}

}  // namespace
}  // namespace lynceus::model
