// Manifests of checkpoints: the unchanged text, and the text with its digest added, so that the
// checks after the digest run. An accepted manifest is equal after writing and reading.
#include "io/checkpoint/manifest.h"

#include "fuzz/fuzz.h"

using namespace lynceus;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input = fuzz::text_of(data, size);
  fuzz::accepts([&] { io::parse_manifest(input, "MANIFEST.json"); });
  fuzz::accepts([&] {
    const std::string digest = io::digest128(input.data(), input.size()).hex();
    const io::Manifest manifest =
        io::parse_manifest(input + ",\n\"digest\": \"" + digest + "\"\n}\n", "MANIFEST.json");
    const std::string text = io::to_text(manifest);
    fuzz::require(io::to_text(io::parse_manifest(text, "again")) == text,
                  "a manifest written and read again");
  });
  return 0;
}
