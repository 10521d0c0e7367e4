// Pixels of the media of rows, as the vision encoder takes them in evaluation: Resize(shorter side,
// bicubic), CenterCrop, normalized.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "generate/rows/rows.h"
#include "io/media/image.h"

namespace lynceus::generate {

/// The frames of a video file as encoded pictures. InputError if it cannot be read. Thread-safe.
using VideoFrames = std::function<std::vector<std::string>(const std::filesystem::path& video)>;

class MediaReader {
 public:
  /// `stream`: of the host. `videos`: empty: videos cannot be read here. `scaled_decode`: as
  /// data.scaled_decode.
  MediaReader(const Stream& stream, int64_t image_size, bool scaled_decode, VideoFrames videos)
      : stream_(stream),
        image_size_(image_size),
        scaled_decode_(scaled_decode),
        videos_(std::move(videos)) {}

  /// f32 [frames, 3, side, side]. InputError naming the file that is missing or damaged.
  /// Thread-safe.
  Tensor read(const MediaOfRow& media) const;

 private:
  std::vector<std::string> encoded(const MediaOfRow& media) const;

  Stream stream_;
  int64_t image_size_;
  bool scaled_decode_;
  VideoFrames videos_;
};

}  // namespace lynceus::generate
