// Tar archives, plain and gzip: unchanged, and with the checksum of every header corrected, so that
// mutated headers are read.
#include "io/files/archive.h"

#include <cstdio>

#include "fuzz/fuzz.h"

using namespace lynceus;

namespace {

constexpr size_t kBlock = 512;
constexpr size_t kChecksum = 148;  // of 8 bytes
constexpr size_t kMagic = 257;

std::string with_checksums(std::string bytes) {
  for (size_t begin = 0; begin + kBlock <= bytes.size(); begin += kBlock) {
    if (bytes.compare(begin + kMagic, 5, "ustar") != 0) continue;
    bytes.replace(begin + kChecksum, 8, 8, ' ');
    unsigned sum = 0;
    for (size_t i = 0; i < kBlock; ++i) sum += static_cast<unsigned char>(bytes[begin + i]);
    char text[8];
    std::snprintf(text, sizeof(text), "%06o", sum);
    bytes.replace(begin + kChecksum, 7, text, 7);
  }
  return bytes;
}

void read(const std::string& bytes) {
  constexpr uint64_t kMaxBytes = 1 << 20;
  const auto path = fuzz::folder().file("fuzzed.tar", bytes);
  fuzz::accepts([&] {
    io::TarReader reader(path, {.max_bytes = kMaxBytes});
    while (reader.next()) {
      fuzz::require(reader.size() <= kMaxBytes, "an entry within the limit");
      if (reader.name().size() % 3 != 0) {  // the others are skipped
        const bool whole = fuzz::accepts(
            [&] { fuzz::require(reader.read().size() == reader.size(), "the size of the entry"); });
        if (!whole) break;
      }
      reader.position();
    }
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input = fuzz::text_of(data, size);
  read(input);
  const std::string fixed = with_checksums(input);
  if (fixed != input) read(fixed);
  return 0;
}
