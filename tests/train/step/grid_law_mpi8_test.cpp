// The layout never changes the mathematics: every tensor x pipeline x data grid of up to eight
// ranks, every micro-batch size and vision window, gives the losses of the run on one rank, whether
// the LLM trains or not, layers are recomputed or not, and key/value heads are shared or not.
#include <gtest/gtest.h>

#include <compare>
#include <set>

#include "io/files/digest.h"
#include "parallel/mpi_session.h"
#include "tests/train/all_grids.h"
#include "tests/train/tiny_model.h"

namespace lynceus::train {
namespace {

using parallel::GridShape;
using parallel::ScheduleKind;
using tiny::Kind;

/// On the stand-in for a device a step takes fifty times as long.
size_t num_steps() { return tiny::test_stream(0).device().is_cpu() ? 5 : 4; }

/// The results of a run.
struct Trace {
  std::vector<double> losses, norms;
  tiny::Named start, end;
};

/// Five samples: not divisible by two, three or four replicas, and fewer than eight; step 3 is
/// text only.
tiny::Batch batch_of(size_t step) {
  if (step == 3) return tiny::make_batch(3, std::vector<Kind>(5, Kind::kText));
  return tiny::make_batch(step,
                          {Kind::kImage, Kind::kText, Kind::kVideo, Kind::kImages, Kind::kImage});
}

Trace trace(tiny::Run* run) {
  Trace trace;
  trace.start = run->gather(tiny::Part::kValue);
  for (size_t step = 0; step < num_steps(); ++step) {
    const StepResult result = run->step(batch_of(step));
    EXPECT_TRUE(result.updated);
    trace.losses.push_back(result.loss);
    trace.norms.push_back(result.gradient_norm);
  }
  trace.end = run->gather(tiny::Part::kValue);
  return trace;
}

/// A number of heads that is divisible by `tensor`.
int64_t heads_for(int tensor) { return 8 % tensor == 0 ? 8 : tensor == 3 ? 6 : tensor; }

/// The variant of the model that a reference is computed for.
struct Variant {
  int64_t heads = 8, kv_heads = 8;
  bool trains_llm = false;
  bool tied = false;
  auto operator<=>(const Variant&) const = default;

  model::ModelConfig model() const {
    model::ModelConfig model = tiny::config(heads);
    model.llm.num_kv_heads = kv_heads;
    if (trains_llm) model.llm.train = "bridge,adapter,llm";
    model.llm.tie_word_embeddings = tied;
    return model;
  }
};

/// Collective over the world: each rank computes some references, and all ranks get all of them.
std::map<Variant, Trace> references(parallel::Communicator& world,
                                    const std::vector<Variant>& variants) {
  std::map<Variant, Trace> all;
  for (size_t i = 0; i < variants.size(); ++i) {
    tiny::Options alone;
    alone.model = variants[i].model();
    tiny::Run run(parallel::make_self_communicator(), alone);
    Trace reference;
    if (world.rank() == static_cast<int>(i) % world.size())
      reference = trace(&run);
    else  // the same shape, to receive into
      reference = {std::vector<double>(num_steps()), std::vector<double>(num_steps()),
                   run.gather(tiny::Part::kValue), run.gather(tiny::Part::kValue)};
    all[variants[i]] = std::move(reference);
  }
  for (size_t i = 0; i < variants.size(); ++i) {
    Trace& reference = all[variants[i]];
    const int root = static_cast<int>(i) % world.size();
    for (auto* numbers : {&reference.losses, &reference.norms})
      world.broadcast(
          Tensor::borrow(numbers->data(), {static_cast<int64_t>(numbers->size())}, DType::kF64),
          root);
    for (auto& [name, values] : reference.end)
      world.broadcast(
          Tensor::borrow(values.data(), {static_cast<int64_t>(values.size())}, DType::kF32), root);
  }
  return all;
}

void expect_equal(const Trace& found, const Trace& reference) {
  // Devices add in f32, the CPU kernels in f64. Adam's first steps have the size of lr however
  // small a gradient is, so the rounding error of a gradient that cancels shows in the next norm.
  const double norms = tiny::test_stream(0).device().is_cpu() ? 1e-5 : 1e-4;
  for (size_t step = 0; step < num_steps(); ++step) {
    EXPECT_NEAR(found.losses[step] / reference.losses[step], 1, 1e-6) << "loss of step " << step;
    EXPECT_NEAR(found.norms[step] / reference.norms[step], 1, norms) << "norm of step " << step;
  }
  double difference = 0, moved = 0;
  for (const auto& [name, expected] : reference.end)
    for (size_t i = 0; i < expected.size(); ++i) {
      difference += std::pow(found.end.at(name)[i] - expected[i], 2);
      moved += std::pow(reference.start.at(name)[i] - expected[i], 2);
    }
  EXPECT_GT(moved, 0);
  EXPECT_LT(std::sqrt(difference / moved), 1e-3) << "final parameters";
}

/// The variant for the grid of this number: every other triple trains the LLM, and every
/// third grid shares key/value heads where its tensor ranks can.
Variant variant_of(const GridShape& shape, int number) {
  Variant variant;
  variant.heads = variant.kv_heads = heads_for(shape.tensor);
  variant.trains_llm = (number / 3) % 2 == 1;
  if (number % 3 == 2 && 4 % shape.tensor == 0) variant.kv_heads = 4;
  return variant;
}

/// The options for the grid of this number.
void vary(int number, tiny::Options* options) {
  options->limits.micro_batch_tokens = number % 3 == 0 ? 1 : number % 3 == 1 ? 25 : 4096;
  options->limits.vision_window = number % 2;
  constexpr ScheduleKind kKinds[] = {ScheduleKind::kOneForwardOneBackward, ScheduleKind::kEager,
                                     ScheduleKind::kGpipe};
  options->step.schedule = kKinds[number / 2 % 3];
  options->step.recompute = number % 5 < 2 ? model::Recompute::kLayer : model::Recompute::kNone;
}

TEST(GridLaw, EveryGridOfUpToEightRanksGivesTheLossesOfOneRank) {
  const auto world = parallel::make_world();
  std::vector<Variant> variants;
  for (const bool trains_llm : {false, true}) {
    for (const int64_t heads : {8, 7, 6, 5}) variants.push_back({heads, heads, trains_llm});
    variants.push_back({8, 4, trains_llm});
  }
  const std::map<Variant, Trace> expected = references(*world, variants);
  std::map<Variant, int> times;
  int number = 0;
  for (const std::vector<tiny::Seat>& round : tiny::rounds_of_all_grids()) {
    int color = static_cast<int>(round.size());
    std::string name = "idle";
    tiny::Options options;
    Variant variant;
    for (size_t i = 0; i < round.size(); ++i, ++number) {
      const tiny::Seat& seat = round[i];
      ++times[variant_of(seat.shape, number)];
      if (world->rank() < seat.first_rank || world->rank() >= seat.first_rank + seat.shape.world())
        continue;
      color = static_cast<int>(i);
      name = seat.shape.to_string();
      variant = variant_of(seat.shape, number);
      name = fmt::format("{}, {} key/value heads, LLM {}", name, variant.kv_heads,
                         variant.trains_llm ? "trained" : "frozen");
      options.model = variant.model();
      options.grid = seat.shape;
      vary(number, &options);
    }
    auto group = parallel::split(*world, color, world->rank());
    if (color == static_cast<int>(round.size())) continue;
    SCOPED_TRACE(name);
    tiny::Run run(std::move(group), options);
    expect_equal(trace(&run), expected.at(variant));
    EXPECT_EQ(run.differing_copy(), "");
  }
  EXPECT_EQ(number, 38) << "not all grids of up to eight ranks";
  for (const auto& [variant, count] : times) EXPECT_TRUE(expected.contains(variant));
  EXPECT_GE(times[(Variant{8, 8, true})], 5);
  EXPECT_GE(times[(Variant{8, 4, true})], 2);
  EXPECT_GE(times[(Variant{8, 4, false})], 2);
}

TEST(GridLaw, MicroBatchSizeAndVisionWindowChangeNothing) {
  const auto world = parallel::make_world();
  const std::map<Variant, Trace> expected = references(*world, {{8, 8, false}, {8, 8, true}});
  for (const int64_t micro_batch_tokens : {1, 16, 30, 1000})
    for (const int64_t vision_window : {0, 1, 2}) {
      SCOPED_TRACE(fmt::format("micro_batch_tokens {}, vision_window {}", micro_batch_tokens,
                               vision_window));
      tiny::Options options;
      options.grid = {2, 2, 2};
      options.limits = {micro_batch_tokens, vision_window};
      const Variant variant{8, 8, vision_window == 1};
      options.model = variant.model();
      tiny::Run run(parallel::split(*world, 0, world->rank()), options);
      expect_equal(trace(&run), expected.at(variant));
    }
}

/// Collective: a text for each rank that holds the embedding: its tensor rank and its values.
std::set<std::string> embeddings_of(tiny::Run* run) {
  std::string mine;
  run->model().visit_parameters([&](Parameter& parameter) {
    if (parameter.name != "LLM.model.embed_tokens.weight") return;
    const Tensor here = model::on_host(run->rt(), parameter.value);
    mine = fmt::format("{} {}", run->rt().grid.tensor->rank(),
                       io::digest128(here.raw(), here.bytes()).hex());
  });
  std::set<std::string> texts;
  for (const std::string& text : run->rt().grid.world->all_gather(mine))
    if (!text.empty()) texts.insert(text);
  return texts;
}

TEST(GridLaw, ATiedEmbeddingIsOneMatrixOnEveryGrid) {
  const auto world = parallel::make_world();
  const std::map<Variant, Trace> expected =
      references(*world, {{8, 8, false, true}, {8, 8, true, true}});
  int number = 0;
  for (const GridShape& shape : {GridShape{1, 2, 4}, GridShape{2, 2, 2}, GridShape{2, 4, 1},
                                 GridShape{1, 8, 1}, GridShape{8, 1, 1}, GridShape{1, 1, 8}})
    for (const bool trains_llm : {true, false}) {
      if (!trains_llm && shape.pipeline != 2) continue;
      SCOPED_TRACE(fmt::format("{}, LLM {}", shape.to_string(), trains_llm));
      tiny::Options options;
      const Variant variant{8, 8, trains_llm, true};
      options.model = variant.model();
      options.grid = shape;
      vary(number++, &options);
      tiny::Run run(parallel::split(*world, 0, world->rank()), options);
      expect_equal(trace(&run), expected.at(variant));
      EXPECT_EQ(run.differing_copy(), "");
      EXPECT_EQ(embeddings_of(&run).size(), static_cast<size_t>(shape.tensor));
    }
}

}  // namespace
}  // namespace lynceus::train
