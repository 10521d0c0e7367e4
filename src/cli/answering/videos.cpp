#include "cli/answering/videos.h"

#include <memory>

#include "prepare/video.h"

namespace lynceus::cli {

generate::VideoFrames video_frames(int64_t frames) {
  prepare::VideoOptions options;
  options.root = "/";
  options.frames = static_cast<int>(frames);
  const auto reader = std::make_shared<prepare::VideoReader>(options);
  return [reader](const std::filesystem::path& video) {
    const std::string path = std::filesystem::absolute(video).lexically_normal().string();
    return reader->read(path.substr(1), video.string());
  };
}

}  // namespace lynceus::cli
