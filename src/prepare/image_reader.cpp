#include "prepare/image_reader.h"

#include <utility>

#include "core/text/ascii.h"
#include "core/text/foreign_file.h"
#include "io/files/file.h"
#include "io/files/missing_file.h"
#include "io/media/image.h"
#include "prepare/rows/source.h"

namespace lynceus::prepare {

namespace fs = std::filesystem;

namespace {

constexpr size_t kMaxChecked = 1 << 20;  // names of images that are already checked

void refuse_url(const std::string& path, const std::string& where) {
  constexpr size_t kMaxScheme = 8;
  if (ascii_lower(path.substr(0, 5)) == "data:" && path.find(',') != std::string::npos)
    throw RejectedRow("data URL",
                      "{}: found data in the row ({} ...), which is not read: write it "
                      "to a file and name that",
                      where, path.substr(0, 30));
  if (const size_t scheme = path.find("://"); scheme > 0 && scheme <= kMaxScheme)
    throw RejectedRow("URL",
                      "{}: found the URL {}, which is not downloaded: download it and name "
                      "the file below the root (--root)",
                      where, path.substr(0, 200));
}

}  // namespace

ImageReader::ImageReader(fs::path root, ImageCheck check) : root_(std::move(root)), check_(check) {
  if (root_.empty()) root_ = ".";
  if (!fs::is_directory(root_)) {
    throw InputError("--root {}: expected a directory, found {}", root_.string(),
                     io::file_exists(root_) ? "a file" : io::missing_text(root_));
  }
}

std::string ImageReader::read(const std::string& path, const std::string& where) {
  const fs::path relative = path_below(path, where);
  std::string encoded;
  try {
    encoded = io::read_text(root_ / relative, kMaxImageBytes);
  } catch (const IoError& error) {
    throw RejectedRow("missing picture", "{}: {}", where, error.what());
  } catch (const ForeignFile& error) {
    throw RejectedRow(error.kind(), "{}: {}", where, error.what());
  } catch (const InputError& error) {
    throw RejectedRow("picture too large", "{}: {}", where, error.what());
  }
  const std::string name = relative.string();
  if (!checked_.contains(name)) {
    check_image(encoded, fmt::format("{}: {}", where, name), check_);
    if (checked_.size() >= kMaxChecked) checked_.clear();
    checked_.insert(name);
  }
  return encoded;
}

void check_image(std::string_view encoded, const std::string& name, ImageCheck check) {
  try {
    if (check == ImageCheck::kDecode) {
      io::decode_image(encoded, name);
    } else {
      io::check_image_header(encoded, name);
    }
  } catch (const ForeignFile& error) {
    throw RejectedRow(error.kind(), "{}", error.what());
  } catch (const io::ImageTooLarge& error) {
    throw RejectedRow("picture with too many pixels", "{}", error.what());
  } catch (const InputError& error) {
    throw RejectedRow("damaged picture", "{}", error.what());
  }
}

fs::path path_below(const std::string& path, const std::string& where) {
  refuse_url(path, where);
  const fs::path relative = fs::path(path).lexically_normal();
  if (relative.is_absolute())
    throw RejectedRow("path outside the root",
                      "{}: expected a path relative to the root (--root), found the absolute path "
                      "{}: remove the part that names the root",
                      where, path.substr(0, 200));
  if (relative.empty() || *relative.begin() == ".." || path.find('\0') != std::string::npos) {
    throw RejectedRow("path outside the root", "{}: expected a path below the root, found {}",
                      where, path.substr(0, 200));
  }
  return relative;
}

}  // namespace lynceus::prepare
