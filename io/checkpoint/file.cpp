#include "io/checkpoint/file.h"

#include <algorithm>

#include "core/error.h"
#include "io/files/file.h"

namespace lynceus::io {

namespace fs = std::filesystem;

namespace {

/// Selects rows in a dataset's space, or all of it for a scalar.
hdf5::Handle select_rows(hid_t dataset, const TensorPlan& plan, const OwnedRows& range,
                         const std::string& path) {
  hdf5::Handle space(hdf5::check(H5Dget_space(dataset), "no dataspace of " + plan.name, path),
                     H5Sclose);
  if (plan.shape.rank() == 0) return space;
  std::vector<hsize_t> start(static_cast<size_t>(plan.shape.rank()), 0);
  std::vector<hsize_t> count = hdf5_extents(plan.shape);
  start[0] = static_cast<hsize_t>(range.begin);
  count[0] = static_cast<hsize_t>(range.end - range.begin);
  hdf5::check(
      H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr),
      "cannot select rows of " + plan.name, path);
  return space;
}

}  // namespace

hid_t hdf5_type(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return H5T_IEEE_F32LE;
    case DType::kF64:
      return H5T_IEEE_F64LE;
    case DType::kI32:
      return H5T_STD_I32LE;
    case DType::kI64:
      return H5T_STD_I64LE;
    case DType::kU8:
      return H5T_STD_U8LE;
    default:
      throw InternalError("checkpoints do not support {}", name_of(dtype));
  }
}

std::vector<hsize_t> hdf5_extents(const Shape& shape) {
  std::vector<hsize_t> extents;
  for (const int64_t extent : shape.to_vector()) extents.push_back(static_cast<hsize_t>(extent));
  return extents;
}

std::vector<Digest128> digest_owned(const TensorPlan& plan, const Tensor& owned) {
  std::vector<Digest128> digests;
  if (!owned.defined()) return digests;
  const auto* bytes = static_cast<const char*>(owned.raw());
  const size_t block =
      static_cast<size_t>(plan.block_rows() * plan.row_elements()) * size_of(plan.dtype);
  for (size_t begin = 0; begin < owned.bytes(); begin += block)
    digests.push_back(digest128(bytes + begin, std::min(block, owned.bytes() - begin)));
  return digests;
}

void read_rows(hid_t dataset, const TensorPlan& plan, const OwnedRows& range, const Tensor& owned,
               const std::string& path) {
  if (range.begin == range.end) return;
  const auto elements = static_cast<hsize_t>((range.end - range.begin) * plan.row_elements());
  const hdf5::Handle file_space = select_rows(dataset, plan, range, path);
  const hdf5::Handle memory_space = hdf5::simple_space({elements}, path);
  hdf5::check(
      H5Dread(dataset, hdf5_type(plan.dtype), memory_space, file_space, H5P_DEFAULT, owned.raw()),
      "cannot read " + plan.name, path);
}

std::vector<ByteRange> frame_of(std::vector<ByteRange> tensors, uint64_t file_bytes,
                                const std::string& path) {
  std::sort(tensors.begin(), tensors.end(),
            [](const ByteRange& a, const ByteRange& b) { return a.offset < b.offset; });
  std::vector<ByteRange> frame;
  uint64_t end = 0;
  for (const ByteRange& tensor : tensors) {
    if (tensor.offset < end || tensor.offset > file_bytes ||
        tensor.size > file_bytes - tensor.offset)
      throw IoError(
          "{}: {} bytes, but a tensor has offset {} and size {}; the one before ends at {}", path,
          file_bytes, tensor.offset, tensor.size, end);
    if (tensor.offset > end) frame.push_back({end, tensor.offset - end});
    end = tensor.offset + tensor.size;
  }
  if (end < file_bytes) frame.push_back({end, file_bytes - end});
  return frame;
}

Digest128 digest_frame(const std::filesystem::path& path, const std::vector<ByteRange>& frame) {
  const File file = File::open(path);
  std::vector<Digest128> digests;
  std::string bytes;
  uint64_t total = 0;
  for (const ByteRange& range : frame) {
    bytes.resize(range.size);
    file.read_at(range.offset, bytes.data(), bytes.size());
    digests.push_back(digest128(bytes.data(), bytes.size()));
    total += range.size;
  }
  return combine_digests(digests, total);
}

Manifest read_intact_manifest(const fs::path& checkpoint) {
  const Manifest manifest = read_manifest(checkpoint);
  const std::string name = checkpoint.filename();
  const std::string expected = checkpoint_path("", manifest.step).filename();
  if (name.starts_with("step-") && name != expected)
    throw InputError("{}: not a committed checkpoint: its manifest belongs to {}",
                     checkpoint.string(), expected);
  const fs::path state = checkpoint / kStateFileName;
  if (!file_exists(state)) throw InputError("{}: the file is missing", state.string());
  if (const uint64_t found = File::open(state).size(); found != manifest.file_bytes)
    throw InputError("{}: expected {} bytes (from the manifest), found {}", state.string(),
                     manifest.file_bytes, found);
  if (const Digest128 found = digest_frame(state, manifest.frame); found != manifest.frame_digest)
    throw InputError("{}: damaged outside the tensors: expected digest {}, found {}",
                     state.string(), manifest.frame_digest.hex(), found.hex());
  return manifest;
}

void check_rows(const TensorPlan& plan, const OwnedRows& range, const Tensor& owned,
                const ManifestTensor& expected, const std::string& path) {
  size_t block = static_cast<size_t>(range.begin / plan.block_rows());
  for (const Digest128& found : digest_owned(plan, owned)) {
    if (found != expected.blocks.at(block))
      throw InputError("{}: {} is damaged in rows {} to {}: expected digest {}, found {}", path,
                       plan.name, static_cast<int64_t>(block) * plan.block_rows(),
                       std::min(static_cast<int64_t>(block + 1) * plan.block_rows(), plan.rows()),
                       expected.blocks[block].hex(), found.hex());
    ++block;
  }
}

}  // namespace lynceus::io
