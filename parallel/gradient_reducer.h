// Sums gradients over the group each of them belongs to (adapters over grid.data, the bridge over
// the world: the group is a property of the parameter). The gradients of a rank lie one behind the
// other in one block of memory, in the order in which backward completes them, so that neighbours
// travel together without a copy: a bucket sets off as soon as its last gradient is complete, while
// backward goes on (Li et al., "PyTorch Distributed", 2020). Used by the optimizer.
#pragma once

#include <functional>
#include <vector>

#include "core/parameter.h"
#include "parallel/communicator.h"

namespace lynceus::parallel {

struct GradientMember {
  Parameter* parameter = nullptr;
  Communicator* group = nullptr;
  int part = 0;  ///< gradients of one part are reduced in a step or all are not
};

inline constexpr size_t kGradientBucketBytes = size_t{16} << 20;

class GradientReducer {
 public:
  /// `members` in the order in which backward completes them; they outlive the reducer. All ranks
  /// of a group give the same members of it in the same order, between members of other groups in
  /// one order too. Moves their gradients (f32) into the reducer's memory. Neighbours of one group
  /// and part share a bucket of at most `bucket_bytes`; a larger gradient travels alone. Buckets
  /// follow from order and sizes alone, so the sums are reproducible.
  GradientReducer(const Stream& stream, std::vector<GradientMember> members,
                  size_t bucket_bytes = kGradientBucketBytes);

  /// A new step: every gradient is zero. `reached` says of a part whether the step's global batch
  /// reaches it: only then its gradients are reduced, the same on all ranks.
  void begin(const std::function<bool(int part)>& reached);
  /// The first `count` members' gradients of this step will not change any more. Their buckets'
  /// sums begin, beside what the stream is given from now on.
  void complete(size_t count);
  /// All are complete. What the stream is given from now on finds the sums.
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
  size_t next_ = 0;  // the first bucket that has not set off
  std::vector<Pending> on_their_way_;
};

}  // namespace lynceus::parallel
