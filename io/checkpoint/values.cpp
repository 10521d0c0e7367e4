// Reads and checks complete blocks, then copies the requested part of each.
#include "io/checkpoint/values.h"

#include <algorithm>
#include <string_view>

#include "core/error.h"
#include "io/checkpoint/file.h"
#include "io/weights/convert.h"

namespace lynceus::io {
namespace {

constexpr std::string_view kValue = "/value";

class CheckpointSource : public WeightSource {
 public:
  explicit CheckpointSource(const std::filesystem::path& checkpoint)
      : checkpoint_(checkpoint),
        path_((checkpoint / kStateFileName).string()),
        manifest_(read_intact_manifest(checkpoint)),
        file_(open(path_)) {}
  ~CheckpointSource() override {
    const hdf5::LibraryTurn turn;
    file_ = {};
  }

  std::vector<std::string> names() const override {
    std::vector<std::string> names;
    for (const ManifestTensor& tensor : manifest_.tensors)
      if (tensor.name.ends_with(kValue))
        names.push_back(tensor.name.substr(0, tensor.name.size() - kValue.size()));
    std::sort(names.begin(), names.end());
    return names;
  }
  bool has(const std::string& name) const override {
    return manifest_.find(name + std::string(kValue)) != nullptr;
  }
  Shape shape(const std::string& name) const override { return stored(name).shape; }

  void read(const std::string& name, const Slice& slice, const Tensor& out) const override {
    const hdf5::LibraryTurn turn;
    const ManifestTensor& tensor = stored(name);
    LYNCEUS_CHECK(out.shape() == slice.of(tensor.shape) && tensor.dtype == DType::kF32, "'{}'",
                  name);
    const TensorPlan plan{tensor.name, tensor.shape, tensor.dtype, -1, {}, {}};
    const hdf5::Handle dataset = hdf5::open_dataset(file_, plan.name, path_);
    const bool rows_only = slice.axis == 0;
    const int64_t first = rows_only ? slice.begin : 0;
    const int64_t last = rows_only ? slice.begin + slice.count : plan.rows();
    for (int64_t begin = first / plan.block_rows() * plan.block_rows(); begin < last;
         begin += plan.block_rows()) {
      const OwnedRows range{0, begin, std::min(begin + plan.block_rows(), plan.rows())};
      const Tensor block = Tensor::empty(Stream{}, {range.end - begin, plan.row_elements()});
      read_rows(dataset, plan, range, block, path_);
      check_rows(plan, range, block, tensor, path_);
      const int64_t from = std::max(begin, first);
      copy_rows(tensor.shape, slice, block.slice(from - begin, std::min(range.end, last) - from),
                from - first, out);
    }
  }

  std::string describe() const override { return checkpoint_.string(); }
  std::vector<std::filesystem::path> files() const override { return {path_}; }

 private:
  static hdf5::Handle open(const std::string& path) {
    const hdf5::LibraryTurn turn;
    return hdf5::open_file_read_only(path);
  }
  const ManifestTensor& stored(const std::string& name) const {
    if (const ManifestTensor* found = manifest_.find(name + std::string(kValue))) return *found;
    throw InputError("{}: there is no tensor '{}'", describe(), name);
  }

  /// Copies the slice of rows [rows, row_elements] of a tensor of `shape` to `out` from row `at`.
  static void copy_rows(const Shape& shape, const Slice& slice, const Tensor& rows, int64_t at,
                        const Tensor& out) {
    // Along an axis after the first, each row has `pieces` pieces, and a part of each is copied.
    int64_t pieces = 1, inner = rows.dim(1), begin = 0, count = inner;
    if (slice.axis > 0) {
      for (int axis = 1; axis < slice.axis; ++axis) pieces *= shape[axis];
      inner = rows.dim(1) / pieces;
      const int64_t element = inner / shape[slice.axis];
      begin = slice.begin * element;
      count = slice.count * element;
    }
    const float* source = rows.data<float>();
    const auto bytes = count * static_cast<int64_t>(size_of(out.dtype()));
    char* target = static_cast<char*>(out.raw()) + at * pieces * bytes;
    for (int64_t piece = 0; piece < rows.dim(0) * pieces; ++piece)
      convert(source + piece * inner + begin, DType::kF32, target + piece * bytes, out.dtype(),
              static_cast<size_t>(count));
  }

  std::filesystem::path checkpoint_;
  std::string path_;
  Manifest manifest_;
  hdf5::Handle file_;
};

}  // namespace

void check_checkpoint(const std::filesystem::path& checkpoint,
                      const std::function<void(uint64_t bytes)>& on_bytes) {
  const std::string path = (checkpoint / kStateFileName).string();
  const Manifest manifest = read_intact_manifest(checkpoint);
  const hdf5::LibraryTurn turn;
  const hdf5::Handle file = hdf5::open_file_read_only(path);
  for (const ManifestTensor& tensor : manifest.tensors) {
    const TensorPlan plan{tensor.name, tensor.shape, tensor.dtype, -1, {}, {}};
    const hdf5::Handle dataset = hdf5::open_dataset(file, plan.name, path);
    for (int64_t begin = 0; begin < plan.rows(); begin += plan.block_rows()) {
      const OwnedRows range{0, begin, std::min(begin + plan.block_rows(), plan.rows())};
      const Tensor block =
          Tensor::empty(Stream{}, {range.end - begin, plan.row_elements()}, plan.dtype);
      read_rows(dataset, plan, range, block, path);
      check_rows(plan, range, block, tensor, path);
      on_bytes(block.bytes());
    }
  }
}

WeightSourcePtr open_checkpoint_values(const std::filesystem::path& checkpoint) {
  return std::make_shared<CheckpointSource>(checkpoint);
}

}  // namespace lynceus::io
