// Image, text-only, image, video and text-only steps in turn against torch.optim.AdamW: what each
// step skips, each parameter's own step count, both moments and the final values.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "model/load_weights.h"
#include "train/step/step.h"
#include "verify/reference_case.h"

namespace lynceus::verify {
namespace {

/// ‖ours − theirs‖ / ‖theirs‖
double relative_l2(const Tensor& ours, const Tensor& theirs) {
  double difference = 0, norm = 0;
  for (int64_t i = 0; i < theirs.size(); ++i) {
    const double expected = theirs.data<double>()[i];
    difference += std::pow(ours.data<float>()[i] - expected, 2);
    norm += expected * expected;
  }
  return std::sqrt(difference / norm);
}

train::StepResult take_step(const Runtime& rt, const model::LynxModel& model,
                            const ReferenceBatch& all, double lr, train::Optimizer* optimizer) {
  train::ReplicaBatch batch =
      train::make_replica_batch(rt, model.config, all.samples, {4096, 0}, 1);
  const train::PixelSource pixels = [&](int64_t sample) {
    const Tensor whole = all.pixels.slice(sample, 1);
    const Shape& s = whole.shape();
    return whole.reshape({s[1], s[2], s[3], s[4]});
  };
  const train::GlobalReach reach{true, all.frames > 0, all.samples.front().is_video};
  return train::train_step(rt, model, optimizer, &batch, pixels, reach, {}, lr);
}

TEST(Turns, StepCountsMomentsAndValuesAreTorchs) {
  const Runtime rt{Stream(), parallel::make_grid({}, parallel::make_self_communicator())};
  const std::filesystem::path directory =
      std::filesystem::path(LYNCEUS_SOURCE_DIR) / "tests/golden/turns";
  const ReferenceCase reference = read_reference_case(directory, rt.stream);
  model::LynxModel model =
      model::make_lynx(rt, reference.model, model::partition_model(reference.model, 1, ""), 0);
  model::load_weights(rt, &model, *reference.weights);
  model.pack(rt);
  train::Optimizer optimizer(rt, &model, reference.optimizer);
  const io::Json trajectory = io::Json::read(directory / "trajectory.json");
  ASSERT_EQ(reference.batches.size(), 5U);

  for (size_t step = 0; step < reference.batches.size(); ++step) {
    SCOPED_TRACE(fmt::format("step {}", step));
    std::map<std::string, int64_t> before;
    for (const train::TrainedParameter& trained : optimizer.parameters())
      before[trained.parameter->name] = trained.steps;
    const train::StepResult result =
        take_step(rt, model, reference.batches[step], reference.optimizer.lr, &optimizer);
    EXPECT_NEAR(result.loss, trajectory.at("losses").at(step).number(), 1e-5);
    std::vector<std::string> skipped, expected;
    for (const train::TrainedParameter& trained : optimizer.parameters())
      if (trained.steps == before[trained.parameter->name])
        skipped.push_back(trained.parameter->name);
    for (const io::Json& name : trajectory.at("skipped").at(step).elements())
      expected.push_back(name.string());
    std::sort(skipped.begin(), skipped.end());
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(skipped, expected);
  }

  EXPECT_EQ(optimizer.parameters().size(), trajectory.at("step_counts").size());
  for (const train::TrainedParameter& trained : optimizer.parameters()) {
    const std::string& name = trained.parameter->name;
    SCOPED_TRACE(name);
    EXPECT_EQ(trained.steps, trajectory.at("step_counts").at(name).integer());
    const auto stored = [&](const std::string& entry) {
      return read_f64(rt.stream, *reference.final, entry);
    };
    EXPECT_LE(relative_l2(trained.m, stored("exp_avg:" + name)), 1e-4);
    EXPECT_LE(relative_l2(trained.v, stored("exp_avg_sq:" + name)), 1e-4);
    EXPECT_LE(relative_l2(trained.parameter->value, stored(name)), 1e-5);
  }
}

}  // namespace
}  // namespace lynceus::verify
