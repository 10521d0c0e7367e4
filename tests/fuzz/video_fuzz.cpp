// The output of a video decoder, which may be anything: it gives all requested frames, as JPEG, or
// none. The first byte is the requested number.
#include "prepare/video.h"

#include "fuzz/fuzz.h"
#include "io/media/image.h"

using namespace lynceus;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  constexpr int64_t kMaxPixels = 4;  // an input is short
  const prepare::VideoOptions options{.frames = 1 + data[0] % 8, .max_pixels = kMaxPixels};
  const auto jpegs = prepare::jpegs_of(fuzz::text_of(data + 1, size - 1), options);
  fuzz::require(jpegs.empty() || std::ssize(jpegs) == options.frames, "all frames or none");
  for (const std::string& jpeg : jpegs)
    io::check_image_header(jpeg, "frame", {.max_pixels = kMaxPixels});
  return 0;
}
