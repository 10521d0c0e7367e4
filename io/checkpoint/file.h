// Shared by reading and writing state.h5: reads and digests of owned rows, and the frame, which
// is every byte of the file that is not tensor data.
#pragma once

#include <hdf5.h>

#include <string>
#include <vector>

#include "io/checkpoint/layout.h"
#include "io/checkpoint/manifest.h"
#include "io/files/hdf5.h"

namespace lynceus::io {

/// The HDF5 type in the file and in memory. InternalError for a type that checkpoints do not
/// support.
hid_t hdf5_type(DType dtype);
std::vector<hsize_t> hdf5_extents(const Shape& shape);

/// The digests of the blocks of the owned rows [rows, row_elements], in order.
std::vector<Digest128> digest_owned(const TensorPlan& plan, const Tensor& owned);

/// Reads owned rows of an open HDF5 dataset; nothing if `range` is empty.
void read_rows(hid_t dataset, const TensorPlan& plan, const OwnedRows& range, const Tensor& owned,
               const std::string& path);

/// The frame, ascending. `tensors`: the byte ranges of the tensors, in any order. IoError if they
/// overlap or exceed the file.
std::vector<ByteRange> frame_of(std::vector<ByteRange> tensors, uint64_t file_bytes,
                                const std::string& path);
Digest128 digest_frame(const std::filesystem::path& path, const std::vector<ByteRange>& frame);

/// Reads the manifest of a committed checkpoint and checks what must be correct before HDF5 opens
/// state.h5: the manifest's own digest and step, the file's size, the digest of its frame.
/// InputError naming what is wrong.
Manifest read_intact_manifest(const std::filesystem::path& checkpoint);
/// Compares the digests of `owned`, which begins and ends at block boundaries, with the manifest's.
/// InputError naming the rows.
void check_rows(const TensorPlan& plan, const OwnedRows& range, const Tensor& owned,
                const ManifestTensor& expected, const std::string& path);

}  // namespace lynceus::io
