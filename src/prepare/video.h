// Frames of videos as JPEG, N of each (io/media/frame_choice.h). A video is decoded by
// lynceus-frames, a program of its own beside the running one: this one never links FFmpeg, and
// whatever a video does to a decoder (a crash, no end, all memory) rejects the row that names it.
// Used by the sources with videos.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "io/files/json.h"

namespace lynceus::prepare {

struct VideoOptions {
  std::filesystem::path root = {};  ///< where paths begin; they may not leave it
  int frames = 5;                   ///< of a video
  int jpeg_quality = 95;            ///< 1 to 100
  double timeout_seconds = 60;      ///< for one video
  int workers = 1;                  ///< videos that are decoded at a time
  int64_t memory_mib = 2048;        ///< address space of a decoder
  int64_t max_pixels = 16 << 20;    ///< of a frame
  /// Empty: lynceus-frames beside the running program.
  std::filesystem::path program = {};
};

/// What the decoder says of a video that it could decode (src/frames/main.cpp), as JPEGs: all
/// frames, those that were chosen more than once as often; none unless it is whole.
std::vector<std::string> jpegs_of(std::string_view output, const VideoOptions& options);

/// Thread-safe.
class VideoReader {
 public:
  /// IoError if the root is not a folder. A missing program is no error before it is needed.
  explicit VideoReader(VideoOptions options);
  ~VideoReader();

  /// UsageError unless the program is there and can be started.
  void check_program();
  int workers() const { return options_.workers; }

  /// [frames] JPEGs. RejectedRow for a video that is absent, damaged, outside the root, or that the
  /// decoder does not survive; `path` is relative to the root, `where` stands in messages.
  std::vector<std::string> read(const std::string& path, const std::string& where);
  std::vector<std::string> read(const io::Json& path);

 private:
  struct Result;
  using Shared = std::shared_future<std::shared_ptr<const Result>>;

  std::shared_ptr<const Result> shared_result(const std::string& name);
  Result decode(const std::string& name);

  VideoOptions options_;
  std::once_flag program_checked_;
  std::mutex mutex_;
  // Many rows share a video: the last ones are kept.
  std::map<std::string, Shared> results_;
  std::deque<std::string> names_;
};

}  // namespace lynceus::prepare
