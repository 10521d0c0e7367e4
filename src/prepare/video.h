// N frames of a video as JPEG (which ones: io/media/frame_choice.h). The separate program
// lynceus-frames decodes each video: this one does not link FFmpeg, and a video that makes the
// decoder crash, hang or exhaust memory only rejects the row that names it.
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

namespace lynceus::prepare {

struct VideoOptions {
  std::filesystem::path root = {};  ///< directory that paths are relative to
  int frames = 5;                   ///< stored per video
  int jpeg_quality = 95;            ///< 1 to 100
  double timeout_seconds = 60;      ///< per video
  int workers = 1;                  ///< videos decoded at the same time
  int64_t memory_mib = 2048;        ///< address space of one decoder
  int64_t max_pixels = 16 << 20;    ///< per frame
  /// Empty: lynceus-frames in the directory of the running program.
  std::filesystem::path program = {};
};

/// The frames in the output of the decoder (format: src/frames/main.cpp) as JPEGs. A frame that is
/// chosen n times is returned n times. Empty if the output is incomplete or malformed.
std::vector<std::string> jpegs_of(std::string_view output, const VideoOptions& options);

/// Thread-safe.
class VideoReader {
 public:
  /// IoError if the root is not a directory. A missing decoder is an error only when it is needed.
  explicit VideoReader(VideoOptions options);
  ~VideoReader();

  /// UsageError unless the decoder exists and can be started.
  void check_program();
  int workers() const { return options_.workers; }
  int frames() const { return options_.frames; }  ///< that read() returns

  /// [frames] JPEGs. RejectedRow for a video that is absent, damaged, outside the root or that
  /// makes the decoder fail. `path` is relative to the root; `where` is the position of the row,
  /// for messages.
  std::vector<std::string> read(const std::string& path, const std::string& where);

 private:
  struct Result;
  using Shared = std::shared_future<std::shared_ptr<const Result>>;

  std::shared_ptr<const Result> shared_result(const std::string& name);
  Result decode(const std::string& name);

  VideoOptions options_;
  std::once_flag program_checked_;
  std::mutex mutex_;
  // Many rows share a video: the last results are kept.
  std::map<std::string, Shared> results_;
  std::deque<std::string> names_;
};

}  // namespace lynceus::prepare
