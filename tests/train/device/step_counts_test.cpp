// What a step asks of the device: launches, products, copies, allocations, events and waits of the
// host. They grow with the layers and the micro-batches by fixed numbers, which are stated here, so
// that a change that adds one is seen. Each launch costs the host about 3 us.
#include <gtest/gtest.h>

#include <ostream>

#include "tests/standin/queue.h"
#include "tests/train/tiny_model.h"

namespace lynceus::standin {

void PrintTo(const Counts& counts, std::ostream* out) {
  *out << "{.launches = " << counts.launches << ", .products = " << counts.products
       << ", .copies = " << counts.copies << ", .allocations = " << counts.allocations
       << ", .events = " << counts.events << ", .events_made = " << counts.events_made
       << ", .waits = " << counts.waits << ", .collectives = " << counts.collectives << "}";
}

}  // namespace lynceus::standin

namespace lynceus::train {
namespace {

using standin::Counts;

/// Of one step of a single rank without the first two, in which plans and events are made.
Counts counts_of(const tiny::Options& options, const std::vector<tiny::Kind>& kinds) {
  tiny::Run run(parallel::make_self_communicator(), options);
  Counts before;
  for (int step = 0; step < 3; ++step) {
    run.rt().stream.synchronize();
    before = standin::counts();
    run.step(tiny::make_batch(3, kinds));
  }
  return standin::counts() - before;
}

const std::vector<tiny::Kind> kImages(4, tiny::Kind::kImage);

/// Four images in one pass of the encoder and one micro-batch.
tiny::Options options() {
  tiny::Options options;
  options.overlap = parallel::Overlap::none();
  options.model.adapter.every = 1;
  options.model.vision.images_per_pass = 4;
  options.limits.micro_batch_tokens = 1000;
  return options;
}

TEST(StepCounts, DecoderLayerWithAdapter) {
  tiny::Options more = options();
  more.model.llm.num_layers += 1;
  EXPECT_EQ(counts_of(more, kImages) - counts_of(options(), kImages),
            (Counts{.launches = 37, .products = 20, .allocations = 41}));
}

TEST(StepCounts, BlockOfTheVisionEncoder) {
  tiny::Options more = options();
  more.model.vision.num_layers += 1;
  EXPECT_EQ(counts_of(more, kImages) - counts_of(options(), kImages),
            (Counts{.launches = 6, .products = 6, .allocations = 8}));
}

TEST(StepCounts, LayerOfTheResampler) {
  tiny::Options more = options();
  more.model.bridge.num_layers += 1;
  EXPECT_EQ(counts_of(more, kImages) - counts_of(options(), kImages),
            (Counts{.launches = 31, .products = 18, .allocations = 32}));
}

TEST(StepCounts, ThreeMoreMicroBatchesOfOneLayer) {
  tiny::Options one = options(), two = options();
  one.model.llm.num_layers = two.model.llm.num_layers = 1;
  two.limits.micro_batch_tokens = 1;  // each of four samples alone
  EXPECT_EQ(
      counts_of(two, kImages) - counts_of(one, kImages),
      (Counts{.launches = 123, .products = 66, .copies = 36, .allocations = 192, .waits = 12}));
}

TEST(StepCounts, WholeStep) {
  EXPECT_EQ(counts_of(options(), kImages), (Counts{.launches = 392,
                                                   .products = 211,
                                                   .copies = 41,
                                                   .allocations = 451,
                                                   .events = 4,
                                                   .waits = 6}));
}

}  // namespace
}  // namespace lynceus::train
