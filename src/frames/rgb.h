// Converts a decoded frame to RGB, with the color matrix and range of the frame (BT.601, 16 to 235,
// if it has none), and turns it upright.
#pragma once

extern "C" {
#include <libavutil/frame.h>
}

#include "frames/video_file.h"

namespace lynceus::frames {

/// VideoError for a pixel format that cannot be converted.
RgbFrame to_rgb(const AVFrame& frame);

/// Turned clockwise by `quarter_turns` (0 to 3) times 90 degrees.
RgbFrame turned(RgbFrame frame, int quarter_turns);

}  // namespace lynceus::frames
