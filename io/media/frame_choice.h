// Chooses the frames of a video to store, by the rule of the released Lynx code (sample_frame_ids
// in dataset/utils.py). Its random branch is omitted, because the frames are chosen only once.
//
// With n decoded frames and k wanted:
//   n > k:   [0, n) is split into k consecutive runs; the first n mod k have n div k + 1 frames,
//            the others n div k. The first frame of each run is chosen.
//   n <= k:  each frame is chosen k div n times, and the first k mod n frames once more, in order.
#pragma once

#include <cstdint>
#include <vector>

namespace lynceus::io {

/// [wanted] indices below `frames`, in ascending order; both must be at least 1.
std::vector<int64_t> choose_frames(int64_t frames, int64_t wanted);

}  // namespace lynceus::io
