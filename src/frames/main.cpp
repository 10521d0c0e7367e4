// lynceus-frames: the frames that stand for a video, as RGB on standard output. `lynceus prepare`
// starts one for each video (src/prepare/video.h), so that a decoder that crashes, hangs or wants
// all memory ends nothing but itself. It reads its standard input, opens no file and is held to
// limits of its own.
//
//   lynceus-frames --frames N --max-pixels P --memory-mib M < VIDEO
//
// Output: "decoded COUNT\n", then "frame INDEX WIDTH HEIGHT\n" with WIDTH x HEIGHT x 3 bytes for
// each chosen frame, each once, and "end\n"; or "damaged TEXT\n" or "large TEXT\n" in the place of
// all that.
// `--version` says which form of it this is.
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <string_view>

#include "frames/video_file.h"

namespace lynceus::frames {
namespace {

constexpr const char* kVersion = "lynceus-frames 1\n";
constexpr const char* kHelp =
    "usage: lynceus-frames --frames N --max-pixels P --memory-mib M < VIDEO\n\n"
    "Writes N frames of a video as RGB to standard output. `lynceus prepare video` starts it; the\n"
    "form of the output stands in src/frames/main.cpp.\n\n"
    "  lynceus-frames --frames 5 --max-pixels 16777216 --memory-mib 2048 < clip.mp4 > "
    "clip.frames\n";

struct Options {
  int64_t frames = 0;
  int64_t max_pixels = 0;
  int64_t memory_mib = 0;
};

bool parse(int argc, char** argv, Options* options) {
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    int64_t* value = name == "--frames"       ? &options->frames
                     : name == "--max-pixels" ? &options->max_pixels
                     : name == "--memory-mib" ? &options->memory_mib
                                              : nullptr;
    if (value == nullptr) return false;
    char* end = nullptr;
    *value = std::strtoll(argv[i + 1], &end, 10);
    if (*end != '\0') return false;
  }
  return argc == 7 && options->frames > 0 && options->max_pixels > 0 && options->memory_mib > 0;
}

void write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) std::_Exit(4);  // nobody reads any more
    bytes.remove_prefix(static_cast<size_t>(count));
  }
}

/// Ends with whoever started it, keeps nothing open but its standard streams, and can open no more.
bool confine(int64_t memory_mib) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::close_range(STDERR_FILENO + 1, ~0u, 0);
  const auto limit = [](auto resource, rlim_t value) {
    const rlimit both{value, value};
    return ::setrlimit(resource, &both) == 0;
  };
  return limit(RLIMIT_AS, static_cast<rlim_t>(memory_mib) << 20) && limit(RLIMIT_CORE, 0) &&
         limit(RLIMIT_NOFILE, 0);
}

void write_frames(const Options& options) {
  const ChosenFrames found = read_frames(STDIN_FILENO, options.frames, options.max_pixels);
  write_all("decoded " + std::to_string(found.decoded) + "\n");
  for (const Picture& picture : found.pictures) {
    write_all("frame " + std::to_string(picture.index) + " " + std::to_string(picture.width) + " " +
              std::to_string(picture.height) + "\n");
    write_all({reinterpret_cast<const char*>(picture.rgb.data()), picture.rgb.size()});
  }
  write_all("end\n");
}

int run(int argc, char** argv) {
  const std::string_view first = argc == 2 ? argv[1] : "";
  if (first == "--help" || first == "--version") {
    std::fputs(first == "--help" ? kHelp : kVersion, stdout);
    return 0;
  }
  Options options;
  if (!parse(argc, argv, &options)) {
    std::fputs(kHelp, stderr);
    return 2;
  }
  if (!confine(options.memory_mib)) {
    std::perror("lynceus-frames: setrlimit");
    return 4;
  }
  try {
    write_frames(options);
    return 0;
  } catch (const VideoError& error) {
    std::string text = error.what();
    for (char& c : text)
      if (c == '\n' || c == '\r') c = ' ';
    write_all(std::string(error.kind()) + " " + text + "\n");
  } catch (const std::bad_alloc&) {
    write_all("large the memory that it may use is not enough\n");
  }
  return 3;
}

}  // namespace
}  // namespace lynceus::frames

int main(int argc, char** argv) { return lynceus::frames::run(argc, argv); }
