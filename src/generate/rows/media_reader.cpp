#include "generate/rows/media_reader.h"

#include <fmt/format.h>

#include <numeric>

#include "core/error.h"
#include "io/files/file.h"
#include "io/media/image_transform.h"

namespace lynceus::generate {
namespace {

constexpr uint64_t kMostBytes = 64ull << 20;

/// The name of picture `index`, for messages.
std::string name_of(const MediaOfRow& media, size_t index) {
  if (media.dataset != nullptr)
    return fmt::format("{}, media {}", media.dataset->describe(media.sample), index);
  if (!media.video.empty()) return fmt::format("{}, frame {}", media.video.string(), index);
  return media.pictures[index].string();
}

}  // namespace

std::vector<std::string> MediaReader::encoded(const MediaOfRow& media) const {
  if (!media.video.empty()) {
    if (!videos_)
      throw InputError("{}: videos cannot be read here: expected their frames as pictures",
                       media.video.string());
    return videos_(media.video);
  }
  std::vector<std::string> pictures;
  if (media.dataset != nullptr) {
    for (int i = 0; i < media.dataset->media_count(media.sample); ++i)
      pictures.push_back(media.dataset->read_media(media.sample, i));
    return pictures;
  }
  for (const std::filesystem::path& picture : media.pictures) {
    try {
      io::expect_file(picture, "an image");
      pictures.push_back(io::read_text(picture, kMostBytes));
    } catch (const IoError& error) {  // one that is not readable is no reason to stop
      throw InputError("{}", error.what());
    }
  }
  return pictures;
}

Tensor MediaReader::read(const MediaOfRow& media) const {
  const std::vector<std::string> pictures = encoded(media);
  const auto& frames = media.prompt.item_frames;
  const int64_t count = std::accumulate(frames.begin(), frames.end(), int64_t{0});
  if (static_cast<int64_t>(pictures.size()) != count)
    throw InputError("{}: expected {} pictures, found {}", name_of(media, 0), count,
                     pictures.size());
  const int64_t size = image_size_;
  const Tensor pixels =
      Tensor::empty(stream_, {count, 3, size, size}, DType::kF32, MemoryOwner::kInput);
  for (size_t i = 0; i < pictures.size(); ++i) {
    const io::Image image = io::decode_image(pictures[i], name_of(media, i), {},
                                             scaled_decode_ ? static_cast<int>(size) : 0);
    io::normalize(io::evaluation_transform(image, static_cast<int>(size)),
                  pixels.data<float>() + static_cast<int64_t>(i) * 3 * size * size);
  }
  return pixels;
}

}  // namespace lynceus::generate
