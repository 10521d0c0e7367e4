// The frames chosen from a video, compared with the loop of the released code: strides with offsets
// and a cursor, or indices modulo the number of frames, sorted.
#include "io/media/frame_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace lynceus::io {
namespace {

using testing::ElementsAre;

std::vector<int64_t> walked(int64_t frames, int64_t wanted) {
  std::vector<int64_t> ids;
  if (frames <= wanted) {
    for (int64_t i = 0; i < wanted; ++i) ids.push_back(i % frames);
    std::sort(ids.begin(), ids.end());
    return ids;
  }
  std::vector<int64_t> strides(static_cast<size_t>(wanted), frames / wanted);
  int64_t sum = wanted * (frames / wanted);
  for (size_t i = 0; sum < frames; ++i, ++sum) ++strides[i];
  int64_t cursor = 0;
  for (const int64_t stride : strides) {
    ids.push_back(cursor);
    cursor += stride;
  }
  EXPECT_EQ(cursor, frames);
  return ids;
}

TEST(FrameChoice, IsTheReleasedRule) {
  for (int64_t wanted = 1; wanted <= 40; ++wanted)
    for (int64_t frames = 1; frames <= 700; ++frames)
      ASSERT_EQ(choose_frames(frames, wanted), walked(frames, wanted)) << frames << " " << wanted;
}

TEST(FrameChoice, ByHand) {
  EXPECT_THAT(choose_frames(23, 5), ElementsAre(0, 5, 10, 15, 19));
  EXPECT_THAT(choose_frames(3, 5), ElementsAre(0, 0, 1, 1, 2));
  EXPECT_THAT(choose_frames(5, 5), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(choose_frames(1, 3), ElementsAre(0, 0, 0));
  EXPECT_THAT(choose_frames(100, 1), ElementsAre(0));
  EXPECT_THAT(choose_frames(int64_t{1} << 40, 2), ElementsAre(0, int64_t{1} << 39));
}

}  // namespace
}  // namespace lynceus::io
