// Weights are sent to other replicas: if one rank is asked to stop, all leave, whatever group they
// are in.
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/process/stop_request.h"
#include "model/load_weights.h"
#include "model/lynx.h"
#include "parallel/agreement.h"
#include "parallel/mpi_session.h"

namespace lynceus::model {
namespace {

/// Every tensor of the model, full of ones.
class Ones : public io::WeightSource {
 public:
  explicit Ones(const ModelConfig& config) : expected_(expected_tensors(config, {})) {}

  std::vector<std::string> names() const override { return {}; }
  bool has(const std::string&) const override { return true; }
  Shape shape(const std::string& name) const override {
    for (const io::ExpectedTensor& tensor : expected_)
      if (tensor.name == name) return tensor.shape;
    throw InputError("{}", name);
  }
  void read(const std::string&, const io::Slice&, const Tensor& out) const override {
    for (float& value : out.span<float>()) value = 1.0f;
  }
  std::string describe() const override { return "ones"; }
  std::vector<std::filesystem::path> files() const override { return {}; }

 private:
  std::vector<io::ExpectedTensor> expected_;
};

ModelConfig small_config() {
  ModelConfig config;
  config.llm.vocab_size = config.llm.hidden_size = config.llm.intermediate_size = 8;
  config.llm.num_layers = config.llm.num_heads = 2;
  config.vision.image_size = 8;
  config.vision.patch_size = 4;
  config.vision.hidden_size = config.vision.intermediate_size = 16;
  config.vision.num_layers = config.vision.num_heads = 2;
  return config;
}

TEST(LeaveLoading, OnAllRanksIfOneIsAsked) {
  const ModelConfig config = small_config();
  const Ones source(config);
  for (int asked = -1; asked < 4; ++asked) {
    SCOPED_TRACE(asked);
    const Runtime rt{Stream(), parallel::make_grid({.tensor = 2, .pipeline = 1, .data = 2},
                                                   parallel::make_world())};
    LynxModel model = make_lynx(rt, config, partition_model(config, 1, ""), 0);
    set_stop_requested(rt.grid.world->rank() == asked);
    ExitCode code = ExitCode::kDone;
    try {
      load_weights(rt, &model, source, {});
    } catch (const parallel::AgreedError& error) {
      code = error.code();
    }
    set_stop_requested(false);
    EXPECT_EQ(code, asked < 0 ? ExitCode::kDone : ExitCode::kRequeue);
    if (asked < 0)
      model.visit_parameters([](Parameter& parameter) {
        for (const float value : parameter.value.span<float>())
          EXPECT_EQ(value, 1.0f) << parameter.name;
      });
  }
}

}  // namespace
}  // namespace lynceus::model
