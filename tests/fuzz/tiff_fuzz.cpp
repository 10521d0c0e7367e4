// The decoder of TIFF files. The header of an image that decodes must be accepted.
#include "io/media/tiff.h"

#include "fuzz/decoder.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  lynceus::fuzz::decode(lynceus::fuzz::text_of(data, size),
                        lynceus::io::internal::check_tiff_header,
                        lynceus::io::internal::decode_tiff);
  return 0;
}
