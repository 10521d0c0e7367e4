// Writes state.h5 from all ranks. A failure on any rank is a failure on all ranks.
//
// Rank 0 alone creates the layout of the file with HDF5: all structures and the offset of every
// tensor. Then all ranks open it as a plain file and write their rows at these offsets: the rows of
// a tensor that a rank owns are one contiguous range, and no two ranks write the same byte.
//
// HDF5 over MPI-IO would write the same bytes, but opening, flushing and closing are collective
// there, and HDF5 1.10 writes its first structure again when a file is closed, whether or not it
// has changed: if that write fails on one rank, the others wait forever inside H5Fclose.
#include "io/checkpoint/state_file.h"

#include <fmt/format.h>

#include <functional>
#include <sstream>

#include "core/error.h"
#include "core/fault.h"
#include "io/checkpoint/exchange.h"
#include "io/checkpoint/file.h"
#include "parallel/agreement.h"

namespace lynceus::io {

using parallel::agreed_failure;
using parallel::failure_of;

namespace {

/// Large tensors begin at page boundaries; the gaps belong to the frame.
constexpr hsize_t kAlignFrom = 64 << 10;
constexpr hsize_t kAlignment = 4096;

/// Runs `step` and keeps the first failure.
void attempt(std::string& failure, const std::function<void()>& step) {
  std::string text = failure_of(step);
  if (failure.empty()) failure = std::move(text);
}

}  // namespace

/// Rank 0 alone. -> the offsets of the tensors, separated by spaces.
std::string StateFile::lay_out(bool reserve) const {
  const hdf5::Handle access = hdf5::file_access(path_);
  hdf5::check(H5Pset_alignment(access, kAlignFrom, kAlignment), "cannot set the alignment", path_);
  hdf5::check(H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18),
              "cannot set the format version", path_);
  const hdf5::Handle creation = hdf5::property_list(H5P_DATASET_CREATE, path_);
  hdf5::check(H5Pset_layout(creation, H5D_CONTIGUOUS), "cannot set the layout", path_);
  hdf5::check(H5Pset_alloc_time(creation, H5D_ALLOC_TIME_EARLY), "cannot allocate early", path_);
  hdf5::check(H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER), "cannot disable filling", path_);
  hdf5::Handle file = hdf5::create_file(path_, access);
  std::string offsets;
  for (const TensorPlan& plan : plans_) {
    hdf5::Handle dataset = hdf5::create_dataset(file, plan.name, hdf5_type(plan.dtype),
                                                hdf5_extents(plan.shape), creation, path_);
    const haddr_t offset = H5Dget_offset(dataset);
    if (offset == HADDR_UNDEF) hdf5::fail("no space was allocated for " + plan.name, path_);
    offsets += fmt::format("{} ", offset);
    dataset.close("cannot close " + plan.name, path_);
  }
  file.close("cannot close", path_);
  File laid_out = File::open_writable(path_);
  if (reserve) laid_out.reserve(laid_out.size());
  laid_out.sync();
  return offsets;
}

void StateFile::open(const std::string& offsets) {
  std::istringstream numbers(offsets);
  uint64_t offset = 0;
  for (const TensorPlan& plan : plans_) {
    numbers >> offset;
    places_.push_back({offset, plan.bytes()});
  }
  file_ = File::open_writable(path_);
  LYNCEUS_FAULT_POINT("checkpoint.created");
}

void StateFile::write_tensors(const RowsOf& rows, std::string& failure) {
  for (size_t i = 0; i < plans_.size(); ++i) {
    const TensorPlan& plan = plans_[i];
    const Tensor owned = rows(i);
    if (!owned.defined() || !failure.empty()) continue;
    const OwnedRows range = plan.owned_by(world_.rank());
    attempt(failure, [&] {
      digests_ += fmt::format("{} {}", i, range.begin / plan.block_rows());
      for (const Digest128& digest : digest_owned(plan, owned))
        digests_ += fmt::format(" {}", digest.hex());
      digests_ += '\n';
      LYNCEUS_FAULT_POINT("checkpoint.write");
      const auto row_bytes = static_cast<uint64_t>(plan.row_elements()) * size_of(plan.dtype);
      file_.write_at(places_[i].offset + static_cast<uint64_t>(range.begin) * row_bytes,
                     owned.raw(), owned.bytes());
    });
  }
}

void StateFile::finish(std::string& failure) {
  attempt(failure, [] { LYNCEUS_FAULT_POINT("checkpoint.before_flush"); });
  attempt(failure, [&] { file_.sync(); });
  attempt(failure, [] { LYNCEUS_FAULT_POINT("checkpoint.before_close"); });
  attempt(failure, [&] { file_.close(); });
  attempt(failure, [] { LYNCEUS_FAULT_POINT("checkpoint.closed"); });
}

void StateFile::describe(Manifest& manifest, const std::vector<std::string>& digests) {
  manifest.tensors.clear();
  for (const TensorPlan& plan : plans_)
    manifest.tensors.push_back(
        {plan.name, plan.shape, plan.dtype,
         std::vector<Digest128>(static_cast<size_t>(digest_blocks(plan.shape, plan.dtype)))});
  for (const std::string& of_rank : digests) {
    std::istringstream lines(of_rank);
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      size_t plan = 0;
      size_t block = 0;
      words >> plan >> block;
      for (std::string hex; words >> hex; ++block)
        manifest.tensors.at(plan).blocks.at(block) = parse_digest128(hex, plans_[plan].name);
    }
  }
  // A full disk can truncate the HDF5 structures without an error: open the file again.
  const hdf5::Handle file = hdf5::open_file_read_only(path_);
  for (size_t i = 0; i < plans_.size(); ++i) {
    const hdf5::Handle dataset = hdf5::open_dataset(file, plans_[i].name, path_);
    if (H5Dget_offset(dataset) != places_[i].offset)
      throw IoError("{}: {} is not at the offset where it was created", path_, plans_[i].name);
  }
  manifest.file_bytes = File::open(path_).size();
  manifest.frame = frame_of(places_, manifest.file_bytes, path_);
  manifest.frame_digest = digest_frame(path_, manifest.frame);
}

std::string StateFile::write(const RowsOf& rows, bool reserve, Manifest& manifest) {
  std::string failure, offsets;
  if (world_.rank() == 0) failure = failure_of([&] { offsets = lay_out(reserve); });
  failure = agreed_failure(world_, failure);
  if (!failure.empty()) return failure;
  offsets = world_.broadcast(offsets, 0);
  failure = agreed_failure(world_, failure_of([&] { open(offsets); }));
  if (!failure.empty()) return failure;
  write_tensors(rows, failure);
  finish(failure);
  failure = agreed_failure(world_, failure);
  if (!failure.empty()) return failure;
  const std::vector<std::string> digests = world_.all_gather(digests_);
  if (world_.rank() == 0) failure = failure_of([&] { describe(manifest, digests); });
  return agreed_failure(world_, failure);
}

}  // namespace lynceus::io
