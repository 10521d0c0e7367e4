#include "io/media/frame_choice.h"

#include <algorithm>

namespace lynceus::io {

std::vector<int64_t> choose_frames(int64_t frames, int64_t wanted) {
  std::vector<int64_t> chosen;
  chosen.reserve(static_cast<size_t>(wanted));
  if (frames > wanted) {
    for (int64_t run = 0; run < wanted; ++run)
      chosen.push_back(run * (frames / wanted) + std::min(run, frames % wanted));
    return chosen;
  }
  for (int64_t frame = 0; frame < frames; ++frame) {
    const int64_t times = wanted / frames + (frame < wanted % frames ? 1 : 0);
    chosen.insert(chosen.end(), static_cast<size_t>(times), frame);
  }
  return chosen;
}

}  // namespace lynceus::io
