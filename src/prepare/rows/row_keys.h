// Which keys of a JSON row carry content, so that a source reads them or rejects the row by their
// name.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "io/files/json.h"

namespace lynceus::prepare {

/// False for null, false, a text without characters other than spaces, and for lists and objects
/// without content.
bool has_content(const io::Json& value);
/// The member if it has content.
std::optional<io::Json> content_of(const io::Json& row, std::string_view key);
/// The first of these keys whose member has content.
std::optional<io::Json> content_of(const io::Json& row, std::span<const std::string_view> keys);

/// refuse_unread_content and refuse_unread_media in one pass over the keys.
void refuse_unread(const io::Json& row, std::span<const std::string_view> read);
/// RejectedRow of the kind "unread key NAME" if the row has a key with content that carries media,
/// turns of a conversation, questions, captions or answers, and is not one of `read`. Case counts
/// for `read` only: "Image" is not read as "image", but it is an image.
void refuse_unread_content(const io::Json& row, std::span<const std::string_view> read);
/// The same for media under any other key: a key that names media in any form (image_path, image2,
/// video_url), or a value that ends like a media file (screenshot: "a.png"). Further names of a
/// medium that is read are no other medium: the same file name, or a URL, an id or a name beside
/// it.
void refuse_unread_media(const io::Json& row, std::span<const std::string_view> read);
/// The same for the part of a video that a row means (start, end ...): videos are read as a whole.
void refuse_clip(const io::Json& row);

}  // namespace lynceus::prepare
