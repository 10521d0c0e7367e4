// Safetensors of any bytes. An input that begins with a brace is a header and, after its last
// brace, the data, so that mutations need not keep the header's length in step.
#include "io/weights/safetensors.h"

#include "fuzz/fuzz.h"

using namespace lynceus;

namespace {

std::string with_length(const std::string& input) {
  const uint64_t header = input.rfind('}') + 1;  // none: 0
  return std::string(reinterpret_cast<const char*>(&header), sizeof(header)) + input;
}

/// Reads the complete tensor, and halves along every axis as f32.
void read(const io::SafetensorsFile& file, const io::SafetensorsEntry& entry) {
  fuzz::accepts([&] { file.read(Stream{}, entry.name); });
  for (int axis = 0; axis < entry.shape.rank(); ++axis) {
    const int64_t extent = entry.shape[axis];
    const io::Slice slice{axis, extent / 2, extent - extent / 2};
    fuzz::accepts([&] {
      const Tensor out = Tensor::empty(Stream{}, slice.of(entry.shape));
      file.read(entry.name, slice, out);
    });
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input = fuzz::text_of(data, size);
  const auto path = fuzz::folder().file("fuzzed-tensors.safetensors",
                                        input.starts_with('{') ? with_length(input) : input);
  fuzz::accepts([&] {
    const io::SafetensorsFile file(path);
    for (const io::SafetensorsEntry& entry : file.entries()) read(file, entry);
  });
  return 0;
}
