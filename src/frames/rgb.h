// A decoded frame as RGB, by the matrix and the range that it says it has (BT.601, 16 to 235, where
// it says nothing), and turned upright. Used by video_file.cpp.
#pragma once

extern "C" {
#include <libavutil/frame.h>
}

#include "frames/video_file.h"

namespace lynceus::frames {

/// VideoError for a layout of pixels that cannot be converted.
Picture to_rgb(const AVFrame& frame);

/// Turned clockwise by `quarter_turns` times 90 degrees.
Picture turned(Picture picture, int quarter_turns);

}  // namespace lynceus::frames
