// The ranks exchange digests by a sum: the digest of a block is zero on all ranks but one.
#include "io/weights/shared_digest.h"

#include <bit>
#include <vector>

#include "core/error.h"
#include "core/process/stop_request.h"
#include "parallel/agreement.h"

namespace lynceus::io {

Digest128 digest_files(std::span<const std::filesystem::path> files,
                       parallel::Communicator& world) {
  std::vector<int64_t> words;  // high and low of every block
  uint64_t total_bytes = 0;
  parallel::agree(world, [&] {
    for (const std::filesystem::path& path : files) {
      const File file = File::open(path);
      const uint64_t size = file.size();
      total_bytes += size;
      for (uint64_t index = 0; index < digest_block_count(size); ++index) {
        const auto block = static_cast<int64_t>(words.size() / 2);
        Digest128 digest;
        leave_if_requested("computing the digest of weights");
        if (block % world.size() == world.rank()) digest = digest_file_block(file, size, index);
        words.push_back(std::bit_cast<int64_t>(digest.high));
        words.push_back(std::bit_cast<int64_t>(digest.low));
      }
    }
  });
  const auto count = static_cast<int64_t>(words.size());
  const int64_t most = world.all_reduce(count, parallel::ReduceOp::kMax);
  const int64_t least = world.all_reduce(count, parallel::ReduceOp::kMin);
  if (least != most)
    throw parallel::AgreedError(
        ExitCode::kIo,
        fmt::format("the ranks do not see the same files: one sees {} blocks of 4 MiB, another {}",
                    least / 2, most / 2));
  if (count > 0) world.all_reduce(Tensor::borrow(words.data(), {count}, DType::kI64));
  std::vector<Digest128> blocks;
  for (size_t i = 0; i < words.size(); i += 2)
    blocks.push_back({std::bit_cast<uint64_t>(words[i]), std::bit_cast<uint64_t>(words[i + 1])});
  return combine_digests(blocks, total_bytes);
}

}  // namespace lynceus::io
