// state.h5 as both sides of a checkpoint use it: digests of owned rows, and the frame, i.e. every
// byte of the file that is not tensor data. Used by checkpoint_writer.cpp and
// checkpoint_reader.cpp.
#pragma once

#include <hdf5.h>

#include <string>
#include <vector>

#include "io/checkpoint/layout.h"
#include "io/checkpoint/manifest.h"
#include "io/files/hdf5.h"

namespace lynceus::io {

/// The HDF5 type in the file and in memory. InternalError for one that a checkpoint does not hold.
hid_t hdf5_type(DType dtype);
std::vector<hsize_t> hdf5_extents(const Shape& shape);

/// One digest a block of the owned rows [rows, row_elements], in order.
std::vector<Digest128> digest_owned(const TensorPlan& plan, const Tensor& owned);

/// Transfers owned rows to or from an open dataset; nothing if `range` is empty.
void write_rows(hid_t dataset, const TensorPlan& plan, const OwnedRows& range, const Tensor& owned,
                const std::string& path);
void read_rows(hid_t dataset, const TensorPlan& plan, const OwnedRows& range, const Tensor& owned,
               const std::string& path);

/// Where the tensors' bytes lie, given any order; what is left of the file, ascending. IoError if
/// they overlap or leave the file.
std::vector<ByteRange> frame_of(std::vector<ByteRange> tensors, uint64_t file_bytes,
                                const std::string& path);
Digest128 digest_frame(const std::filesystem::path& path, const std::vector<ByteRange>& frame);

/// The manifest of a committed checkpoint whose state.h5 may be opened: the manifest's own digest,
/// its step, the file's size and the digest of its frame hold. InputError saying what does not.
Manifest read_whole_manifest(const std::filesystem::path& checkpoint);
/// state.h5, read only and without locks: a committed checkpoint never changes.
hdf5::Handle open_state(const std::string& path);
/// The digests of `owned`, which begins and ends with a block, against the manifest's; InputError
/// naming the rows.
void check_rows(const TensorPlan& plan, const OwnedRows& range, const Tensor& owned,
                const ManifestTensor& expected, const std::string& path);

}  // namespace lynceus::io
