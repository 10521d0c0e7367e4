// Common to the libFuzzer targets: a folder for files with the input, and the one error that any
// input may cause.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "core/error.h"

namespace lynceus::fuzz {

inline std::string text_of(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// A condition that must be true for every input; libFuzzer keeps inputs for which it is false.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

/// Any input may be refused with InputError. Only the text of a link to nothing is answered like a
/// missing file (io::File::open). Any other exception of `read` is the caller's; if uncaught, it
/// ends the program.
template <typename Read>
bool accepts(const Read& read) {
  try {
    read();
    return true;
  } catch (const InputError&) {
    return false;
  } catch (const IoError& error) {
    if (std::string_view(error.what()).find("is a link to '") == std::string_view::npos) throw;
    return false;
  }
}

/// A folder of this process, removed at its end, in memory (/dev/shm) if possible.
class Folder {
 public:
  Folder() {
    const bool has_memory = access("/dev/shm", W_OK) == 0;
    std::string name = (has_memory ? "/dev/shm" : std::filesystem::temp_directory_path().string());
    name += "/lynceus-fuzz-XXXXXX";
    require(mkdtemp(name.data()) != nullptr, "a folder can be made");
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  /// Writes `bytes` to the file of that name and returns its path.
  std::filesystem::path file(const std::string& name, std::string_view bytes) const {
    const std::filesystem::path path = path_ / name;
    const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    require(descriptor >= 0 &&
                write(descriptor, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()),
            "a file can be written");
    close(descriptor);
    return path;
  }

 private:
  std::filesystem::path path_;
};

inline const Folder& folder() {
  static const Folder one;
  return one;
}

}  // namespace lynceus::fuzz
