// Chosen frames (io/media/frame_choice.h) of a video as RGB, decoded by FFmpeg.
//
// The index of a frame counts the decoded frames in display order. Times are ignored, so a variable
// frame rate makes no difference. Rotation metadata, as phones write it, is applied in quarter
// turns; mirroring and non-square pixels are not. Containers are mp4 (mov), avi and matroska
// (webm); nothing in them can refer to other files.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace lynceus::frames {

/// Why a video cannot be used.
class VideoError : public std::runtime_error {
 public:
  /// `kind`: "damaged" or "large", the first word of the output.
  VideoError(const char* kind, const std::string& message)
      : std::runtime_error(message), kind_(kind) {}
  const char* kind() const { return kind_; }

 private:
  const char* kind_;  // a literal
};

struct RgbFrame {
  int64_t index = 0;  ///< among the decoded frames
  int width = 0;
  int height = 0;
  std::vector<uint8_t> rgb;  // [height, width, 3]
};

struct ChosenFrames {
  int64_t decoded = 0;           ///< number of frames in the video
  std::vector<RgbFrame> frames;  ///< each chosen frame once, ascending
};

/// Decodes the complete video in `descriptor`, which must be seekable, and keeps `wanted` chosen
/// frames. VideoError if it is not a video, is damaged or cut off, or has a frame of more than
/// `max_pixels`.
ChosenFrames read_frames(int descriptor, int64_t wanted, int64_t max_pixels);

}  // namespace lynceus::frames
