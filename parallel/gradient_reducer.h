// Sums each gradient over its group (adapters over grid.data, the bridge over the world: the group
// is a property of the parameter). The gradients of a rank are contiguous in one block of memory,
// in the order in which backward completes them, so that neighbours travel together without a copy:
// the sum of a bucket starts when its last gradient is complete, while backward continues (Li et
// al., "PyTorch Distributed", 2020).
#pragma once

#include <functional>
#include <vector>

#include "core/parameter.h"
#include "parallel/communicator.h"

namespace lynceus::parallel {

struct GradientMember {
  Parameter* parameter = nullptr;
  Communicator* group = nullptr;
  int part = 0;  ///< in a step all gradients of a part are reduced, or none
};

inline constexpr size_t kGradientBucketBytes = size_t{16} << 20;

class GradientReducer {
 public:
  /// `members` are in the order in which backward completes them and outlive the reducer. All ranks
  /// of a group list its members in the same order, and at the same places among those of other
  /// groups. Moves their gradients (f32) into the reducer's memory. Neighbours of one group and
  /// part share a bucket of at most `bucket_bytes`; a larger gradient travels alone. Buckets depend
  /// only on order and sizes, so the sums are reproducible.
  GradientReducer(const Stream& stream, std::vector<GradientMember> members,
                  size_t bucket_bytes = kGradientBucketBytes);

  /// Starts a step: every gradient becomes zero. `reached` says whether the step's global batch
  /// reaches a part, the same on all ranks: only then its gradients are reduced.
  void begin(const std::function<bool(int part)>& reached);
  /// The gradients of the first `count` members are final in this step. The sums of their buckets
  /// start, concurrently with the work submitted to the stream from now on.
  void complete(size_t count);
  /// All gradients are final. Work submitted to the stream from now on finds the sums.
  void finish();

 private:
  struct Bucket {
    Communicator* group;
    int part;
    size_t end_member;
    int64_t begin;  // in flat_
    int64_t end;
  };

  Stream stream_;
  std::vector<GradientMember> members_;
  Tensor flat_;
  std::vector<Bucket> buckets_;  // of groups of several ranks
  std::function<bool(int)> reached_;
  size_t next_ = 0;  // the first bucket whose sum has not started
  std::vector<Pending> in_flight_;
};

}  // namespace lynceus::parallel
