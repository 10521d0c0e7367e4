// The decoder of WEBP files. The header of an image that decodes must be accepted.
#include "io/media/webp.h"

#include "fuzz/decoder.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  lynceus::fuzz::decode(lynceus::fuzz::text_of(data, size),
                        lynceus::io::internal::check_webp_header,
                        lynceus::io::internal::decode_webp);
  return 0;
}
