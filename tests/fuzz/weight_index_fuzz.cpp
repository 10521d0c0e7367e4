// Indices of sharded weights, with two shards, and rules of generated weights.
#include <algorithm>

#include "fuzz/fuzz.h"
#include "io/weights/safetensors_writer.h"
#include "io/weights/weight_files.h"
#include "io/weights/weights.h"

using namespace lynceus;

namespace {

void write_shard(const char* name, const std::vector<std::string>& tensors) {
  std::vector<io::NamedTensor> items;
  for (const std::string& tensor : tensors) {
    items.push_back({tensor, Tensor::empty(Stream{}, {2, 3})});
    items.back().tensor.fill_zero();
  }
  io::write_safetensors(fuzz::folder().path() / name, items);
}

bool write_shards() {
  write_shard("1.safetensors", {"a", "b"});
  write_shard("2.safetensors", {"c"});
  return true;
}

void read_all(const io::WeightSource& source) {
  constexpr int64_t kMaxElements = 1 << 16;  // a rule may be of any size
  for (const std::string& name : source.names()) {
    const Shape shape = source.shape(name);
    if (shape.elements() <= kMaxElements) source.read_whole(Stream{}, name);
    if (shape.rank() == 0) continue;
    const int axis = shape.rank() - 1;
    const io::Slice last{axis, std::max<int64_t>(shape[axis] - 1, 0),
                         std::min<int64_t>(shape[axis], 1)};
    if (last.of(shape).elements() > kMaxElements) continue;
    source.read(name, last, Tensor::empty(Stream{}, last.of(shape)));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const bool written = write_shards();
  static_cast<void>(written);
  const std::string input = fuzz::text_of(data, size);
  for (const char* name : {"fuzzed.index.json", "fuzzed.gen.json"}) {
    const auto path = fuzz::folder().file(name, input);
    try {
      fuzz::accepts([&] { read_all(*io::open_weights(path)); });
    } catch (const IoError&) {  // a shard that does not exist
    }
  }
  return 0;
}
