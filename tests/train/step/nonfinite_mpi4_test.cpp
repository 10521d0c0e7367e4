// A number that is not finite on one rank: all ranks see it, nothing is updated, and the cause is
// found, on every grid of four ranks and with encoder, forward and backward pass as its place.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "parallel/mpi_session.h"
#include "tests/train/tiny_model.h"
#include "train/step/nan_fault.h"
#include "train/step/step.h"

namespace lynceus::train {
namespace {

using tiny::Kind;
using tiny::Named;
using tiny::Part;

class Nonfinite : public testing::TestWithParam<parallel::GridShape> {};

TEST_P(Nonfinite, AGradientOfOneRankIsSeenByAll) {
  tiny::Options options;
  options.grid = GetParam();
  tiny::Run run(parallel::make_world(), options);
  const tiny::Batch batch =
      tiny::make_batch(1, {Kind::kText, Kind::kImage, Kind::kText, Kind::kImage});
  run.gradients(batch);
  const Runtime& rt = run.rt();
  EXPECT_TRUE(run.optimizer().sum_of_squares(batch.reach()).finite);
  EXPECT_THAT(run.optimizer().nonfinite_gradients(batch.reach()), testing::IsEmpty());
  // The last rank's copy of a parameter; it counts in the norm on tensor rank 0 only.
  const bool is_last = rt.grid.world->rank() + 1 == rt.grid.world->size();
  for (TrainedParameter& trained : run.optimizer().parameters()) {
    if (!is_last || !trained.parameter->name.ends_with(".scaling")) continue;
    EXPECT_TRUE(make_nan(trained.parameter->grad));
  }
  const GradientSquares squares = run.optimizer().sum_of_squares(batch.reach());
  EXPECT_EQ(squares.finite, !is_last);
  EXPECT_TRUE(rt.grid.tensor->rank() == 0 || std::isfinite(squares.sum));
  ReplicaBatch mine = run.replica_batch(batch);
  StepPart part;
  part.sum_of_squares = squares.sum;
  part.finite = squares.finite;
  const StepTotals totals = sum_over_ranks(rt, part, mine);
  EXPECT_EQ(totals.nonfinite_ranks, 1);
  const auto names = run.optimizer().nonfinite_gradients(batch.reach());
  EXPECT_EQ(names.empty(), !is_last);
  for (const std::string& name : names) EXPECT_THAT(name, testing::EndsWith(".scaling"));
}

TEST_P(Nonfinite, TheProbeFindsWhereItArises) {
  tiny::Options options;
  options.grid = GetParam();
  tiny::Run run(parallel::make_world(), options);
  const Runtime& rt = run.rt();
  const tiny::Batch batch =
      tiny::make_batch(1, {Kind::kText, Kind::kImage, Kind::kText, Kind::kImage});
  run.gradients(batch);
  ReplicaBatch mine = run.replica_batch(batch);
  const int last = rt.grid.world->size() - 1;
  const auto probe_of = [&](const NanFaults& faults) {
    NonfiniteProbe probe(rt, run.optimizer(), batch.reach(), mine);
    compute_again(rt, run.model(), &run.optimizer(), &mine, run.pixels(batch, mine), batch.reach(),
                  options.step, rt.grid.world->rank() == last ? faults : NanFaults(), &probe);
    return probe;
  };
  const NonfiniteProbe clean = probe_of({});
  EXPECT_FALSE(clean.forward_arises() || clean.backward_arises());
  EXPECT_TRUE(clean.encoders().empty() && clean.samples().empty());

  const bool is_last = rt.grid.world->rank() == last;
  const NonfiniteProbe output = probe_of({.output = true});
  EXPECT_EQ(output.forward_arises(), is_last);
  const NonfiniteProbe gradient = probe_of({.gradient = true});
  EXPECT_FALSE(gradient.forward_arises());
  EXPECT_EQ(gradient.backward_arises(), is_last);
  EXPECT_EQ(gradient.samples().empty(), !is_last);
}

TEST_P(Nonfinite, AStepUpdatesNothingIfAValueIsNaN) {
  tiny::Options options;
  options.grid = GetParam();
  tiny::Run run(parallel::make_world(), options);
  const tiny::Batch batch =
      tiny::make_batch(1, {Kind::kText, Kind::kImage, Kind::kText, Kind::kImage});
  run.step(batch);
  const Named moments = run.gather(Part::kFirstMoment);
  ReplicaBatch mine = run.replica_batch(batch);
  // A NaN in the bridge of the rank that encodes for its replica reaches every loss.
  run.model().visit_parameters([&](Parameter& parameter) {
    if (parameter.trainable() && parameter.name == "bridge.latents") make_nan(parameter.value);
  });
  const StepResult result = try_step(run.rt(), run.model(), &run.optimizer(), &mine,
                                     run.pixels(batch, mine), batch.reach(), options.step, 1e-3);
  EXPECT_FALSE(result.finite);
  EXPECT_FALSE(result.updated);
  EXPECT_EQ(run.gather(Part::kFirstMoment), moments);
  for (const TrainedParameter& trained : run.optimizer().parameters())
    EXPECT_EQ(trained.steps, batch.reach().reaches(trained.reach) ? 1 : 0);
  NonfiniteProbe probe(run.rt(), run.optimizer(), batch.reach(), mine);
  compute_again(run.rt(), run.model(), &run.optimizer(), &mine, run.pixels(batch, mine),
                batch.reach(), options.step, {}, &probe);
  EXPECT_FALSE(probe.forward_arises());
  const bool sees_tokens =
      run.rt().grid.first_stage() && !mine.windows.empty() && !mine.windows[0].items.empty();
  EXPECT_EQ(!probe.encoders().empty(), sees_tokens);
  const auto names = run.optimizer().nonfinite_values();
  EXPECT_THAT(names, testing::ElementsAre("bridge.latents"));
}

INSTANTIATE_TEST_SUITE_P(Grids, Nonfinite,
                         testing::Values(parallel::GridShape{2, 1, 2}, parallel::GridShape{1, 2, 2},
                                         parallel::GridShape{2, 2, 1},
                                         parallel::GridShape{1, 1, 4}),
                         [](const auto& instance) {
                           return fmt::format("T{}P{}D{}", instance.param.tensor,
                                              instance.param.pipeline, instance.param.data);
                         });

}  // namespace
}  // namespace lynceus::train
