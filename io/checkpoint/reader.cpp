// Order of checks: the manifest's own digest, the frame of state.h5, then every block by its owner.
// If one rank finds damage, all ranks try the next older checkpoint. Names or shapes that do not
// match and files that cannot be read end the load at once.
//
// Each rank opens the file separately. A committed checkpoint never changes, and no
// rank can leave another one waiting inside a collective call. HDF5 can crash on damaged
// structures, so the frame's digest is checked before HDF5 opens the file.
#include "io/checkpoint/reader.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <exception>
#include <map>
#include <set>

#include "core/error.h"
#include "core/log.h"
#include "core/process/stop_request.h"
#include "io/checkpoint/exchange.h"
#include "io/checkpoint/file.h"
#include "io/files/file.h"
#include "io/weights/name_list.h"
#include "parallel/agreement.h"

namespace lynceus::io {

namespace fs = std::filesystem;

namespace {

/// This checkpoint is damaged. Found on one rank, thrown on all.
class Damage : public InputError {
 public:
  using InputError::InputError;
};

/// Runs `step` on every rank. Wrong digests, wrong formats and missing files are damage. A failure
/// of the machine (EIO, EACCES, EMFILE) does not mean damage and ends the load.
void check_agreed(parallel::Communicator& world, const std::function<void()>& step) {
  try {
    parallel::agree(world, step);
  } catch (const parallel::AgreedError& error) {
    if (error.code() == ExitCode::kInput) throw Damage("{}", error.what());
    throw;
  }
}

/// The manifest of `checkpoint`, checked by rank 0 (read_intact_manifest).
Manifest read_agreed_manifest(parallel::Communicator& world, const fs::path& checkpoint) {
  std::string text;
  check_agreed(world, [&] {
    if (world.rank() != 0) return;
    const Manifest manifest = read_intact_manifest(checkpoint);
    text = to_text(manifest);
  });
  return parse_manifest(world.broadcast(text, 0), (checkpoint / kManifestName).string());
}

/// For each plan, reads and checks the rows that this rank owns and calls `consume` with them
/// (undefined if this rank owns none). `consume` is called in the order of the plans on every rank,
/// after failures too, because it may be collective. `may_leave`: a request to stop is a failure.
void read_owned(parallel::Communicator& world, const std::vector<TensorPlan>& plans,
                const Manifest& manifest, const std::string& path, const Stream& host,
                bool may_leave,
                const std::function<void(const TensorPlan&, const Tensor&)>& consume) {
  hdf5::Handle file;
  std::exception_ptr failure;
  const auto attempt = [&](const std::function<void()>& step) {
    try {
      if (!failure) step();
    } catch (...) {
      failure = std::current_exception();
    }
  };
  attempt([&] { file = hdf5::open_file_read_only(path); });
  for (const TensorPlan& plan : plans) {
    const OwnedRows range = plan.owned_by(world.rank());
    Tensor owned;
    if (range.begin < range.end) {
      owned = Tensor::empty(host, {range.end - range.begin, plan.row_elements()}, plan.dtype);
      attempt([&] {
        if (may_leave) leave_if_requested("reading a checkpoint");
        const hdf5::Handle dataset = hdf5::open_dataset(file, plan.name, path);
        read_rows(dataset, plan, range, owned, path);
        check_rows(plan, range, owned, *manifest.find(plan.name), path);
      });
    }
    consume(plan, owned);
  }
  check_agreed(world, [&] {
    if (failure) std::rethrow_exception(failure);
  });
}

/// Removes plans for tensors that may be missing; InputError if others do not match.
void match(std::vector<TensorPlan>& plans, const Manifest& manifest, const fs::path& checkpoint,
           const LoadOptions& options) {
  Mismatches found;
  std::set<std::string> wanted;
  std::vector<TensorPlan> present;
  for (TensorPlan& plan : plans) {
    wanted.insert(plan.name);
    const ManifestTensor* saved = manifest.find(plan.name);
    if (saved == nullptr) {
      if (!options.may_be_missing || !options.may_be_missing(plan.name))
        found.missing.push_back(plan.name + " " + plan.shape.to_string());
      continue;
    }
    if (!(saved->shape == plan.shape) || saved->dtype != plan.dtype)
      found.of_another_shape.push_back(
          fmt::format("{} expected {} {}, found {} {}", plan.name, name_of(plan.dtype),
                      plan.shape.to_string(), name_of(saved->dtype), saved->shape.to_string()));
    present.push_back(std::move(plan));
  }
  for (const ManifestTensor& saved : manifest.tensors)
    if (!wanted.contains(saved.name) &&
        (!options.may_be_unused || !options.may_be_unused(saved.name)))
      found.unexpected.push_back(saved.name + " " + saved.shape.to_string());
  if (found.count() > 0)
    throw InputError("{}: {} tensor{} not as the model expects: {}", checkpoint.string(),
                     found.count(), found.count() == 1 ? " is" : "s are", found.to_string());
  plans = std::move(present);
}

/// Throws Damage, or another error, which ends the search for a checkpoint.
Manifest load(parallel::Communicator& world, const fs::path& checkpoint,
              std::span<const CheckpointTensor> tensors, const LoadOptions& options) {
  Manifest manifest = read_agreed_manifest(world, checkpoint);
  std::string description;
  parallel::agree(world, [&] {
    if (options.accept) options.accept(manifest);
    description = describe_tensors(tensors);
  });
  std::vector<TensorPlan> plans = plan_tensors(world.all_gather(description));
  match(plans, manifest, checkpoint, options);
  std::map<std::string, const CheckpointTensor*> by_name;
  for (const CheckpointTensor& tensor : tensors) by_name[tensor.name] = &tensor;
  const Stream host;
  read_owned(world, plans, manifest, (checkpoint / kStateFileName).string(), host,
             /*may_leave=*/true, [&](const TensorPlan& plan, const Tensor& owned) {
               const auto mine = by_name.find(plan.name);
               scatter_owned(world, plan, owned, mine == by_name.end() ? nullptr : mine->second,
                             host);
             });
  return manifest;
}

}  // namespace

LoadedCheckpoint load_checkpoint(parallel::Communicator& world, const fs::path& checkpoint,
                                 std::span<const CheckpointTensor> tensors,
                                 const LoadOptions& options) {
  return {load(world, checkpoint, tensors, options), checkpoint, {}};
}

std::optional<LoadedCheckpoint> load_newest_checkpoint(parallel::Communicator& world,
                                                       const fs::path& run_directory,
                                                       std::span<const CheckpointTensor> tensors,
                                                       const LoadOptions& options) {
  std::string names;
  parallel::agree(world, [&] {
    if (world.rank() != 0) return;
    for (const fs::path& path : committed_checkpoints(run_directory))
      names += path.filename().string() + "\n";
  });
  names = world.broadcast(names, 0);
  if (names.empty()) return std::nullopt;
  std::vector<std::string> damaged;
  for (size_t begin = 0; begin < names.size(); begin = names.find('\n', begin) + 1) {
    const fs::path checkpoint =
        run_directory / "checkpoints" / names.substr(begin, names.find('\n', begin) - begin);
    try {
      return LoadedCheckpoint{load(world, checkpoint, tensors, options), checkpoint, damaged};
    } catch (const Damage& damage) {
      damaged.emplace_back(damage.what());
      if (world.rank() == 0)
        log::warn("checkpoint {} is skipped: {}", checkpoint.filename().string(), damage.what());
    }
  }
  throw InputError("{}: no checkpoint is intact: {}", (run_directory / "checkpoints").string(),
                   fmt::join(damaged, "; "));
}

Manifest verify_checkpoint(parallel::Communicator& world, const fs::path& checkpoint) {
  const std::string path = (checkpoint / kStateFileName).string();
  // Drop cached pages, so that a file just written is read back from the medium.
  check_agreed(world, [&] {
    if (!file_exists(path)) return;  // reported below, with the manifest
    const File file = File::open(path);
    posix_fadvise(file.descriptor(), 0, 0, POSIX_FADV_DONTNEED);
  });
  Manifest manifest = read_agreed_manifest(world, checkpoint);
  const Stream host;
  read_owned(world, plan_verification(manifest, world.size()), manifest, path, host,
             /*may_leave=*/false, [](const TensorPlan&, const Tensor&) {});
  return manifest;
}

}  // namespace lynceus::io
