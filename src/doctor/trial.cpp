#include "doctor/trial.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/tensor.h"
#include "core/text/units.h"
#include "core/version.h"
#include "doctor/network/pattern.h"
#include "io/checkpoint/reader.h"
#include "io/checkpoint/writer.h"
#include "parallel/agreement.h"

namespace lynceus::doctor {
namespace {

constexpr int64_t kMiB = 1 << 20;
constexpr int64_t kQuickBytes = 2 * kMiB, kBytes = 16 * kMiB;  // of a rank
constexpr int64_t kMostBytes = int64_t{8} << 30;               // of all ranks
constexpr int64_t kColumns = 1024;

}  // namespace

CheckResults try_checkpoint(parallel::Communicator& world, const std::filesystem::path& folder,
                            bool quick, const StorageNeeds& needs) {
  const int64_t bytes = std::min(quick ? kQuickBytes : kBytes, kMostBytes / world.size());
  const int64_t rows = std::max<int64_t>(1, bytes / (kColumns * int64_t{sizeof(float)}));
  const Tensor values = Tensor::empty(Stream(), {rows, kColumns});
  fill_pattern(values, world.rank());
  const std::vector<io::CheckpointTensor> tensors = {
      {fmt::format("doctor/{}/value", world.rank()), values, TensorShard()}};
  io::CheckpointStore store(world, {.run_directory = folder});
  io::Manifest manifest;
  manifest.software = software_version();
  const io::SaveResult saved = store.save(manifest, tensors);
  CheckResults findings = {
      judged("storage.checkpoint", saved.committed ? Verdict::kOk : Verdict::kCritical,
             saved.committed ? fmt::format("all ranks wrote {} through HDF5 in {}",
                                           bytes_text(saved.bytes), seconds_text(saved.seconds))
                             : saved.message,
             "a checkpoint that all ranks write",
             "the message names the call and the reason; `df`, `df -i` and `quota` show what is "
             "left; choose another folder (--run) if this one cannot hold checkpoints")};
  if (!saved.committed) return findings;
  findings.push_back(check_write_rate(static_cast<int64_t>(saved.bytes), saved.seconds, needs));
  // Agreed: every rank has the same error.
  const std::string damage =
      parallel::failure_of([&] { io::verify_checkpoint(world, saved.path); });
  findings.push_back(judged("storage.read-back", damage.empty() ? Verdict::kOk : Verdict::kCritical,
                            damage.empty() ? "the bytes read are those written" : damage,
                            "the bytes that were written",
                            "do not keep checkpoints there: choose another folder (--run), and "
                            "report the file system to the site"));
  return findings;
}

}  // namespace lynceus::doctor
