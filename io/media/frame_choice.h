// Which frames of a video stand for it: the rule of the released Lynx code (sample_frame_ids of its
// dataset/utils.py, without its random branch, because a stored choice is made once). Used by
// lynceus-frames, which decodes videos, and by the reader that starts it.
//
// With n decoded frames and k wanted:
//   n > k:   [0, n) is cut into k runs in order, the first n mod k of them one frame longer than
//   the
//            others (n div k); of each the first frame is taken;
//   n <= k:  every frame is taken k div n times, the first k mod n of them once more, in order.
#pragma once

#include <cstdint>
#include <vector>

namespace lynceus::io {

/// [wanted] ascending indices below `frames`; both must be 1 or more.
std::vector<int64_t> choose_frames(int64_t frames, int64_t wanted);

}  // namespace lynceus::io
