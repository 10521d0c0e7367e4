// The values of parallel.overlap.
#include "parallel/overlap.h"

#include <gmock/gmock.h>

#include "core/error.h"

namespace lynceus::parallel {
namespace {

TEST(Overlap, IsAllOrNoneOrSomePartsByName) {
  EXPECT_EQ(parse_overlap("all"), Overlap{});
  EXPECT_EQ(parse_overlap("none"), Overlap::none());
  EXPECT_EQ(parse_overlap("gradients,vision"), (Overlap{true, false, false, true}));
  EXPECT_EQ(parse_overlap("tensor"), (Overlap{false, false, true, false}));
  EXPECT_EQ(parse_overlap("pipeline,tensor"), (Overlap{false, true, true, false}));
}

TEST(Overlap, RefusesUnknownNames) {
  for (const char* const text : {"", "everything", "gradients,", "gradients vision", ",tensor"})
    EXPECT_THAT([&] { parse_overlap(text); },
                testing::ThrowsMessage<UsageError>(testing::HasSubstr("gradients,pipeline")))
        << text;
}

}  // namespace
}  // namespace lynceus::parallel
