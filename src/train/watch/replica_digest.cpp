#include "train/watch/replica_digest.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <sstream>
#include <vector>

#include "io/files/digest.h"
#include "model/parameter_value.h"
#include "parallel/watch/diagnosis.h"

namespace lynceus::train {
namespace {

constexpr size_t kMostNamed = 8;

struct Digest {
  const Parameter* parameter = nullptr;
  uint64_t value = 0;
  bool differs = false;
};

/// Marks the digests that are not equal on all ranks of `group`. Of x and ~x the largest are the
/// largest and the complement of the smallest.
void compare(parallel::Communicator& group, const std::vector<Digest*>& digests) {
  if (group.size() == 1 || digests.empty()) return;
  std::vector<int64_t> values;
  for (const Digest* digest : digests) {
    values.push_back(static_cast<int64_t>(digest->value));
    values.push_back(~static_cast<int64_t>(digest->value));
  }
  group.all_reduce(
      Tensor::borrow(values.data(), {static_cast<int64_t>(values.size())}, DType::kI64),
      parallel::ReduceOp::kMax);
  for (size_t i = 0; i < digests.size(); ++i)
    digests[i]->differs |= values[2 * i] != ~values[2 * i + 1];
}

/// Ranks by digest of one part of a parameter.
using Votes = std::map<std::string, std::vector<int>>;

/// The ranks without the digest of most; all where there is no majority.
std::vector<int> ranks_of_minority(const Votes& votes) {
  size_t most = 0, with_most = 0;
  for (const auto& [digest, ranks] : votes) most = std::max(most, ranks.size());
  for (const auto& [digest, ranks] : votes) with_most += ranks.size() == most ? 1 : 0;
  std::vector<int> named;
  for (const auto& [digest, ranks] : votes)
    if (with_most > 1 || ranks.size() < most) named.insert(named.end(), ranks.begin(), ranks.end());
  std::sort(named.begin(), named.end());
  return named;
}

/// "NAME on rank 2 (node3, ...)" for the parts that differ. Collective over the world.
std::string describe(const Runtime& rt, const std::vector<Digest>& digests,
                     std::span<const std::string> places) {
  std::string mine;
  size_t named = 0;
  for (const Digest& digest : digests)
    if (digest.differs && named++ < kMostNamed)
      mine += fmt::format("{} {} {:016x}\n", digest.parameter->name, digest.parameter->shard.offset,
                          digest.value);
  std::map<std::string, std::map<int64_t, Votes>> parts;
  const std::vector<std::string> all = rt.grid.world->all_gather(mine);
  for (size_t rank = 0; rank < all.size(); ++rank) {
    std::istringstream lines(all[rank]);
    std::string name, digest;
    int64_t offset = 0;
    while (lines >> name >> offset >> digest)
      parts[name][offset][digest].push_back(static_cast<int>(rank));
  }
  std::string text;
  std::set<int> ranks_named;
  size_t count = 0;
  for (const auto& [name, offsets] : parts)
    for (const auto& [offset, votes] : offsets) {
      if (votes.size() < 2) continue;
      const std::vector<int> ranks = ranks_of_minority(votes);
      ranks_named.insert(ranks.begin(), ranks.end());
      if (count++ < kMostNamed)
        text += fmt::format("{}{} on {} {}", text.empty() ? "" : ", ", name,
                            ranks.size() == 1 ? "rank" : "ranks", parallel::ranges(ranks));
    }
  if (count > kMostNamed) text += fmt::format(" and {} more parameters", count - kMostNamed);
  std::string who;
  for (const int rank : ranks_named)
    who += fmt::format("{}rank {}: {}", who.empty() ? "" : "; ", rank,
                       places[static_cast<size_t>(rank)]);
  return fmt::format("{} ({})", text, who);
}

}  // namespace

std::string differing_replicas(const Runtime& rt, std::span<const TrainedParameter> parameters,
                               std::span<const std::string> places) {
  if (rt.grid.world->size() == 1) return {};
  std::vector<Digest> digests;
  for (const TrainedParameter& trained : parameters) {
    const Tensor values = model::on_host(rt, trained.parameter->value);
    digests.push_back({trained.parameter, io::digest64(values.raw(), values.bytes())});
  }
  std::vector<Digest*> all, whole, vision;
  for (Digest& digest : digests) {
    all.push_back(&digest);
    if (!digest.parameter->sharded()) whole.push_back(&digest);
    if (model::in_vision_branch(*digest.parameter)) vision.push_back(&digest);
  }
  compare(*rt.grid.data, all);
  compare(*rt.grid.tensor, whole);
  compare(*rt.grid.replica, vision);
  const bool mine = std::any_of(digests.begin(), digests.end(),
                                [](const Digest& digest) { return digest.differs; });
  if (rt.grid.world->all_reduce(int64_t{mine}, parallel::ReduceOp::kMax) == 0) return {};
  return describe(rt, digests, places);
}

void flip_one_bit(const Runtime& rt, std::span<const TrainedParameter> parameters) {
  const Tensor& value = parameters.front().parameter->value;
  const Tensor values = model::on_host(rt, value);
  static_cast<unsigned char*>(values.raw())[0] ^= 1;
  model::set_from_host(rt, values, value);
}

}  // namespace lynceus::train
