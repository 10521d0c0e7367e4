// Which collectives a device works on. A device has room for a few at a time and chooses among the
// heads of its streams; a collective that it has begun keeps its place until all ranks have done
// their part. Ranks that choose differently wait for each other for ever.
//
// In the strict mode (LYNCEUS_STANDIN_STRICT=1) there is room for one. NCCL 2.26 and newer with
// NCCL_LAUNCH_ORDER_IMPLICIT=1 begins them in the order in which the host submitted them;
// otherwise, and with LYNCEUS_STANDIN_UNORDERED=1, the seed decides. So what can deadlock on some
// device does here for some seed.
#pragma once

#include <chrono>
#include <cstdint>
#include <set>

namespace lynceus::standin {

/// The version that the stand-in says it is, as in NCCL_VERSION_CODE (LYNCEUS_STANDIN_NCCL).
int nccl_version();

/// One per process. Called under the lock of the runtime, or before the work is queued.
class Residence {
 public:
  Residence();
  /// A collective is submitted. Its number.
  int64_t submit();
  /// Whether it may begin, or has begun. Ends the process if none may begin for
  /// LYNCEUS_STANDIN_TIMEOUT seconds.
  bool enter(int64_t ticket);
  /// It is done.
  void leave(int64_t ticket);

 private:
  bool strict_;
  bool ordered_;
  int64_t last_ = 0;
  int64_t resident_ = 0;  // 0: none
  std::set<int64_t> waiting_;
  std::chrono::steady_clock::time_point idle_since_ = {};
};

Residence& residence();

}  // namespace lynceus::standin
