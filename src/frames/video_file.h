// A video behind a descriptor, through FFmpeg: which frames stand for it (io/media/frame_choice.h),
// as RGB.
//
// A frame's index counts what the decoder gives, in the order in which it is shown; times do not
// count, so a variable rate is as good as any. The rotation that a phone writes beside the video is
// applied in quarter turns; mirrors and the shape of pixels are not. Containers are mp4 (mov), avi
// and matroska (webm), nothing that leads to other files. Used by main.cpp alone.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace lynceus::frames {

/// Why a video cannot be used.
class VideoError : public std::runtime_error {
 public:
  /// `kind`: a word of what main.cpp says: "damaged" or "large".
  VideoError(const char* kind, const std::string& message)
      : std::runtime_error(message), kind_(kind) {}
  const char* kind() const { return kind_; }

 private:
  const char* kind_;  // a literal
};

struct Picture {
  int64_t index = 0;  ///< of the decoded frame
  int width = 0;
  int height = 0;
  std::vector<uint8_t> rgb;  // [height, width, 3]
};

struct ChosenFrames {
  int64_t decoded = 0;            ///< frames of the video
  std::vector<Picture> pictures;  ///< each chosen frame once, ascending
};

/// Decodes all of the video in `descriptor`, which can be sought in, and keeps the frames that
/// stand for it. VideoError for what is no video, is damaged or cut off, or has more pixels a
/// frame.
ChosenFrames read_frames(int descriptor, int64_t wanted, int64_t max_pixels);

}  // namespace lynceus::frames
