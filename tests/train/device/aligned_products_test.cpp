// Every product of a step has rows that begin at multiples of 16 bytes, also where the vocabulary
// (32,001) and the patches (588 values of 2 bytes) are odd: devices are much slower otherwise.
#include <gmock/gmock.h>

#include "tests/standin/products.h"
#include "tests/train/tiny_model.h"

namespace lynceus::train {
namespace {

TEST(AlignedProducts, WholeStep) {
  tiny::Options options;
  options.model.llm.vocab_size = 67;    // 268 bytes
  options.model.vision.patch_size = 7;  // 147 values, 588 bytes
  options.model.vision.image_size = 14;
  tiny::Run run(parallel::make_self_communicator(), options);
  standin::Products products;
  standin::watch_products(&products);
  run.step(tiny::make_batch(3, {tiny::Kind::kImage, tiny::Kind::kText, tiny::Kind::kVideo}));
  run.rt().stream.synchronize();
  standin::watch_products(nullptr);
  EXPECT_GT(products.ways.size(), 100u);
  EXPECT_THAT(products.misaligned, testing::IsEmpty());
}

}  // namespace
}  // namespace lynceus::train
