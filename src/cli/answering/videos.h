// Frames of video files for commands that answer.
#pragma once

#include <cstdint>

#include "generate/rows/media_reader.h"

namespace lynceus::cli {

/// `frames` frames of each video, read by the separate program that `prepare video` starts.
generate::VideoFrames video_frames(int64_t frames);

}  // namespace lynceus::cli
