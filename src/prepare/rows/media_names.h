// The media that a JSON row names: by a key (image_path, video2) or by a value with the ending of a
// media file.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/files/json.h"

namespace lynceus::prepare {

enum class Medium { kNone, kImage, kVideo, kAudio };

/// Keys that name the file of a row in general.
constexpr std::string_view kFileNameKeys[] = {"file_name", "filename", "filepath",
                                              "file_path", "path",     "file"};

struct MediaKey {
  Medium medium = Medium::kNone;  ///< kNone: the key names no media
  bool is_reference = false;      ///< an id, a name or a URL
};

/// image, ImgUrl, images_path, image2, video_b ...
MediaKey medium_of_key(std::string_view key);
/// By the ending of a path or URL, of the first one in a list, or of the "path" or "url" in an
/// object. kNone for other values.
Medium medium_of_file(const io::Json& value);

struct NamedFile {
  std::string_view key;  ///< one of kFileNameKeys
  Medium medium;         ///< by the ending of the name
};

/// The first of kFileNameKeys that names an image or a video.
std::optional<NamedFile> named_file(const io::Json& row);

/// Of the media under the keys `read` of a row, at any depth.
class MediaNames {
 public:
  MediaNames(const io::Json& row, std::span<const std::string_view> read);

  /// Whether this member is only another name of such a medium.
  bool have(std::string_view key, const io::Json& value) const;

 private:
  void add(std::string_view key, const io::Json& value);
  void add_file(Medium medium, const io::Json& value);

  std::vector<std::pair<Medium, std::string>> names_;  // without folders
};

}  // namespace lynceus::prepare
