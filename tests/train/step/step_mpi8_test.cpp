// The step on several ranks, beyond equal losses: schedules and recomputation change no bit and
// stay within their memory, the vision branch is spread over a replica and each gradient is counted
// once, ranks without work take part.
#include <gtest/gtest.h>

#include <algorithm>

#include "parallel/mpi_session.h"
#include "tests/train/tiny_model.h"

namespace lynceus::train {
namespace {

using parallel::GridShape;
using parallel::ScheduleKind;
using tiny::Kind;
using tiny::Named;
using tiny::Part;

const std::vector<Kind> kMixed = {Kind::kImage, Kind::kText,  Kind::kVideo, Kind::kImages,
                                  Kind::kImage, Kind::kVideo, Kind::kText};

/// One of two concurrent grids of four ranks: the one of this rank, and its communicator.
struct Half {
  GridShape shape;
  std::unique_ptr<parallel::Communicator> group;
};

Half half_of(parallel::Communicator& world, const GridShape& first, const GridShape& second) {
  const bool low = world.rank() < 4;
  return {low ? first : second, parallel::split(world, low ? 0 : 1, world.rank())};
}

/// The tensors whose names begin with `prefix`.
Named below(const std::string& prefix, const Named& all) {
  Named some;
  for (const auto& [name, values] : all)
    if (name.starts_with(prefix)) some[name] = values;
  return some;
}

TEST(Step, SchedulesAndRecomputationGiveBitEqualGradients) {
  const auto world = parallel::make_world();
  const tiny::Batch batch = tiny::make_batch(1, kMixed);
  const int micro_batches = static_cast<int>(batch.samples.size());
  Named first;
  for (const ScheduleKind schedule :
       {ScheduleKind::kGpipe, ScheduleKind::kOneForwardOneBackward, ScheduleKind::kEager})
    for (const model::Recompute recompute : {model::Recompute::kNone, model::Recompute::kLayer}) {
      Half half = half_of(*world, {2, 2, 1}, {1, 4, 1});
      tiny::Options options;
      options.grid = half.shape;
      options.limits.micro_batch_tokens = 1;
      options.step = {schedule, recompute};
      tiny::Run run(std::move(half.group), options);
      SCOPED_TRACE(fmt::format("{}, {}, recompute {}", half.shape.to_string(),
                               parallel::name_of(schedule), recompute == model::Recompute::kLayer));
      const StepResult result = run.gradients(batch);
      const Named gradients = run.gather(Part::kGradient);
      if (first.empty()) first = gradients;
      EXPECT_EQ(gradients, first);
      const int stages_left = half.shape.pipeline - run.rt().grid.stage();
      const int allowed = schedule == ScheduleKind::kGpipe   ? micro_batches
                          : schedule == ScheduleKind::kEager ? 2 * stages_left - 1
                                                             : stages_left;
      EXPECT_EQ(result.most_saved, std::min(allowed, micro_batches));
    }
}

/// Checks the vision counts of one step on the grid of `run`.
void expect_spread(tiny::Run* run, const tiny::Batch& batch) {
  const auto& grid = run->rt().grid;
  const StepResult result = run->gradients(batch);
  const int64_t a_picture = run->options().model.vision.tokens_per_image();
  int64_t all_pictures = 0, largest = 0;
  for (const SampleInput& sample : batch.samples) {
    const bool mine = sample.index % grid.data->size() == grid.data->rank();
    const auto found = run->encoded().find(sample.index);
    const int64_t times =
        grid.replica->all_reduce(found == run->encoded().end() ? int64_t{0} : found->second);
    EXPECT_EQ(times, mine && sample.frames() > 0 ? 1 : 0) << "sample " << sample.index;
    if (!mine) continue;
    all_pictures += sample.frames();
    largest = std::max(largest, sample.frames());
  }
  EXPECT_EQ(grid.replica->all_reduce(result.vision.patch_tokens), all_pictures * a_picture);
  const double mean =
      static_cast<double>(all_pictures * a_picture) / static_cast<double>(grid.replica->size());
  EXPECT_LE(static_cast<double>(result.vision.patch_tokens),
            mean + static_cast<double>(largest * a_picture));
}

TEST(VisionBranch, IsSpreadOverTheReplica) {
  const auto world = parallel::make_world();
  const tiny::Batch batch = tiny::make_batch(
      2, {Kind::kVideo, Kind::kImage, Kind::kImages, Kind::kText, Kind::kImage, Kind::kImage,
          Kind::kVideo, Kind::kImage, Kind::kImage, Kind::kImage, Kind::kText});
  tiny::Options options;
  const auto check = [&](const GridShape& shape, std::unique_ptr<parallel::Communicator> group) {
    options.grid = shape;
    SCOPED_TRACE(
        fmt::format("{}, vision window {}", shape.to_string(), options.limits.vision_window));
    tiny::Run run(std::move(group), options);
    expect_spread(&run, batch);
  };
  for (const int64_t vision_window : {0, 1, 2}) {
    options.limits = {vision_window == 0 ? 40 : 1, vision_window};
    for (const auto& [first, second] : std::vector<std::pair<GridShape, GridShape>>{
             {{4, 1, 1}, {1, 4, 1}}, {{2, 2, 1}, {2, 1, 2}}}) {
      Half half = half_of(*world, first, second);
      check(half.shape, std::move(half.group));
    }
    check({2, 2, 2}, parallel::split(*world, 0, world->rank()));
  }
}

TEST(VisionBranch, BridgeGradientsAreThoseOfOneRank) {
  const auto world = parallel::make_world();
  for (const size_t images : {1, 7}) {
    const tiny::Batch batch = tiny::make_batch(3, std::vector<Kind>(images, Kind::kImage));
    tiny::Run alone(parallel::make_self_communicator(), {});
    alone.gradients(batch);
    const Named expected = alone.gather(Part::kGradient);
    for (const auto& [first, second] : std::vector<std::pair<GridShape, GridShape>>{
             {{4, 1, 1}, {1, 4, 1}}, {{2, 2, 1}, {2, 1, 2}}}) {
      Half half = half_of(*world, first, second);
      tiny::Options options;
      options.grid = half.shape;
      SCOPED_TRACE(fmt::format("{} images on {}", images, half.shape.to_string()));
      tiny::Run run(std::move(half.group), options);
      run.gradients(batch);
      const Named found = run.gather(Part::kGradient);
      for (const auto& [name, values] : below("bridge.", expected))
        EXPECT_LE(tiny::relative_l2({{name, found.at(name)}}, {{name, values}}), 1e-5) << name;
      // All together: a single scalar may be the small difference of large terms.
      EXPECT_LE(tiny::relative_l2(found, below("LLM.", expected)), 1e-5);
    }
  }
}

TEST(Step, AReplicaWithoutMicroBatchTakesPart) {
  const auto world = parallel::make_world();
  const tiny::Batch batch = tiny::make_batch(4, {Kind::kVideo});
  tiny::Run alone(parallel::make_self_communicator(), {});
  const StepResult expected = alone.step(batch);
  const Named expected_values = alone.gather(Part::kValue);
  for (const auto& [first, second] : std::vector<std::pair<GridShape, GridShape>>{
           {{1, 1, 4}, {2, 1, 2}}, {{1, 2, 2}, {1, 1, 4}}}) {
    Half half = half_of(*world, first, second);
    tiny::Options options;
    options.grid = half.shape;
    SCOPED_TRACE(half.shape.to_string());
    tiny::Run run(std::move(half.group), options);
    const StepResult result = run.step(batch);
    EXPECT_TRUE(result.updated);
    EXPECT_EQ(result.totals.scored_tokens, expected.totals.scored_tokens);
    EXPECT_NEAR(result.loss, expected.loss, 1e-6 * expected.loss);
    EXPECT_NEAR(result.gradient_norm, expected.gradient_norm, 1e-5 * expected.gradient_norm);
    EXPECT_LE(tiny::relative_l2(run.gather(Part::kValue), expected_values), 1e-5);
    EXPECT_EQ(run.differing_copy(), "");
  }
}

TEST(Step, SumsOverRanksOnce) {
  const auto world = parallel::make_world();
  const tiny::Batch batch = tiny::make_batch(6, kMixed);
  tiny::Run alone(parallel::make_self_communicator(), {});
  const StepTotals expected = alone.step(batch).totals;
  tiny::Options options;
  options.grid = {2, 2, 2};
  tiny::Run run(parallel::split(*world, 0, world->rank()), options);
  const parallel::Grid& grid = run.rt().grid;
  const std::vector<parallel::Communicator*> groups = {grid.world.get(), grid.data.get(),
                                                       grid.replica.get(), grid.pipeline.get()};
  const auto collectives_of = [&](const std::function<void()>& work) {
    for (parallel::Communicator* group : groups) group->reset_counts();
    work();
    std::vector<int64_t> counts;
    for (const parallel::Communicator* group : groups)
      counts.push_back(group->counts().collectives());
    return counts;
  };
  std::vector<int64_t> gradients_alone = collectives_of([&] {
    run.optimizer().begin_step(batch.reach());
    run.optimizer().reduce_gradients();
  });
  StepTotals totals;
  const std::vector<int64_t> found = collectives_of([&] { totals = run.step(batch).totals; });
  ++gradients_alone[0];  // the totals, over the world
  EXPECT_EQ(found, gradients_alone);
  EXPECT_EQ(found[2] + found[3], 0);

  EXPECT_EQ(totals.scored_tokens, expected.scored_tokens);
  EXPECT_EQ(totals.tokens, expected.tokens);
  EXPECT_EQ(totals.patch_tokens(), expected.patch_tokens());
  EXPECT_EQ(totals.rank_patch_tokens.size(), 8u);
}

TEST(Step, WithoutAScoredTokenMovesNothingOnAnyRank) {
  const auto world = parallel::make_world();
  tiny::Batch batch = tiny::make_batch(5, kMixed);
  tiny::Options options;
  options.grid = {2, 2, 2};
  tiny::Run run(parallel::split(*world, 0, world->rank()), options);
  ASSERT_TRUE(run.step(batch).updated);
  const Named values = run.gather(Part::kValue), moments = run.gather(Part::kFirstMoment);
  for (SampleInput& sample : batch.samples)
    std::fill(sample.scored.begin(), sample.scored.end(), uint8_t{0});
  const StepResult result = run.step(batch);
  EXPECT_FALSE(result.updated);
  EXPECT_EQ(result.totals.scored_tokens, 0);
  EXPECT_EQ(run.gather(Part::kValue), values);
  EXPECT_EQ(run.gather(Part::kFirstMoment), moments);
  for (const TrainedParameter& trained : run.optimizer().parameters())
    EXPECT_EQ(trained.steps, 1) << trained.parameter->name;
}

}  // namespace
}  // namespace lynceus::train
