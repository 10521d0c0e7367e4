// Torch files of any bytes: what opens is read, what does not is one InputError. An input that
// begins as a zip archive is a file; any other is the pickle of an archive that is otherwise sound,
// so that mutations need not keep lengths and offsets in step.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

#include "core/error.h"
#include "io/torch_archive.h"
#include "io/torch_file.h"

namespace {

using namespace lynceus;

/// The bytes as a file in memory; its path.
std::string as_file(const std::string& bytes) {
  static const int descriptor = memfd_create("fuzz", 0);
  const auto size = static_cast<ssize_t>(bytes.size());
  if (descriptor < 0 || ftruncate(descriptor, size) != 0 ||
      pwrite(descriptor, bytes.data(), bytes.size(), 0) != size)
    std::abort();
  return "/proc/self/fd/" + std::to_string(descriptor);
}

std::string archive_of(const std::string& pickle) {
  const std::string storage(24, '\0');
  return io::ZipArchive{.members = {{.name = "x/data.pkl", .contents = pickle},
                                    {.name = "x/data/0", .contents = storage},
                                    {.name = "x/data/1", .contents = storage}}}
      .bytes();
}

/// All of a tensor and a part of it, as far as its type can be read.
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
  const std::string input(reinterpret_cast<const char*>(data), size);
  const std::string path = as_file(input.starts_with("PK") ? input : archive_of(input));
  try {
    const io::WeightSourcePtr source = io::open_torch_file(path);
    for (const std::string& name : source->names()) try {
        read(*source, name);
      } catch (const InputError&) {  // an integer type, say
      }
  } catch (const InputError&) {
  }
  return 0;
}
