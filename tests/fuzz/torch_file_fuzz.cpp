// Torch files of any bytes: a file is read or causes one InputError. An input that begins like a
// zip archive is the file; any other is the pickle of an otherwise valid archive, so that mutations
// need not keep lengths and offsets consistent.
#include "io/weights/torch_file.h"

#include "fuzz/fuzz.h"
#include "tests/io/weights/torch_archive.h"

using namespace lynceus;

namespace {

std::string archive_of(const std::string& pickle) {
  const std::string storage(24, '\0');
  return io::ZipArchive{.members = {{.name = "x/data.pkl", .contents = pickle},
                                    {.name = "x/data/0", .contents = storage},
                                    {.name = "x/data/1", .contents = storage}}}
      .bytes();
}

/// Reads a complete tensor and a part of it, if its type can be read.
void read(const io::WeightSource& source, const std::string& name) {
  const Shape shape = source.shape(name);
  for (int axis = -1; axis < shape.rank(); ++axis) {
    const int64_t extent = axis < 0 ? 0 : shape[axis];
    const io::Slice slice{axis, extent / 2, extent - extent / 2};
    const Tensor out = Tensor::empty(Stream{}, slice.of(shape));
    source.read(name, slice, out);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input = fuzz::text_of(data, size);
  const auto path =
      fuzz::folder().file("fuzzed-tensors.pt", input.starts_with("PK") ? input : archive_of(input));
  fuzz::accepts([&] {
    const io::WeightSourcePtr source = io::open_torch_file(path);
    for (const std::string& name : source->names())
      fuzz::accepts([&] { read(*source, name); });  // an integer type, say, is refused
  });
  return 0;
}
