// lynceus-frames: writes chosen frames of a video as RGB to standard output. `lynceus prepare`
// starts one process per video, so that a decoder that crashes, hangs or exhausts memory ends only
// itself. It reads standard input, opens no file, and limits its own memory.
//
//   lynceus-frames --frames N --max-pixels P --memory-mib M < VIDEO
//
// Output: "decoded COUNT\n", then "frame INDEX WIDTH HEIGHT\n" with WIDTH x HEIGHT x 3 bytes for
// each chosen frame, each once, and "end\n". Instead of all that, "damaged TEXT\n" or "large
// TEXT\n" if the video cannot be used. `--version` prints the version of this format.
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
    "Writes N frames of a video as RGB to standard output, for `lynceus prepare`. The format of "
    "the\n"
    "output is described in src/frames/main.cpp.\n\n"
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
    if (count < 0) std::_Exit(4);  // the reader is gone
    bytes.remove_prefix(static_cast<size_t>(count));
  }
}

/// From now on this process ends with its parent, has only the standard streams open, cannot open
/// other files and is limited in memory.
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
  for (const RgbFrame& frame : found.frames) {
    write_all("frame " + std::to_string(frame.index) + " " + std::to_string(frame.width) + " " +
              std::to_string(frame.height) + "\n");
    write_all({reinterpret_cast<const char*>(frame.rgb.data()), frame.rgb.size()});
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
    write_all("large decoding needs more memory than allowed\n");
  }
  return 3;
}

}  // namespace
}  // namespace lynceus::frames

int main(int argc, char** argv) { return lynceus::frames::run(argc, argv); }
