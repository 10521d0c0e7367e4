// One collective at a time, in the host's order if NCCL is told to keep it.
#include "tests/standin/nccl_residence.h"

#include <nccl.h>

#include <cstdlib>
#include <cstring>

#include "tests/standin/queue.h"
#include "tests/standin/runtime.h"

namespace lynceus::standin {

namespace {

bool is_set(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && std::strcmp(value, "1") == 0;
}

}  // namespace

int nccl_version() {
  return static_cast<int>(from_environment("LYNCEUS_STANDIN_NCCL", NCCL_VERSION_CODE));
}

Residence::Residence()
    : strict_(is_set("LYNCEUS_STANDIN_STRICT")),
      ordered_(nccl_version() >= NCCL_VERSION(2, 26, 0) && !is_set("LYNCEUS_STANDIN_UNORDERED") &&
               is_set("NCCL_LAUNCH_ORDER_IMPLICIT")) {}

int64_t Residence::submit() {
  const auto lock = locked();
  ++counts().collectives;
  waiting_.insert(++last_);
  return last_;
}

bool Residence::enter(int64_t ticket) {
  using Clock = std::chrono::steady_clock;
  if (!strict_ || resident_ == ticket) return true;
  if (resident_ != 0) return false;
  if (!ordered_ || *waiting_.begin() == ticket) {
    resident_ = ticket;
    idle_since_ = {};
    return true;
  }
  static const auto limit = std::chrono::seconds(from_environment("LYNCEUS_STANDIN_TIMEOUT", 60));
  if (idle_since_ == Clock::time_point{}) idle_since_ = Clock::now();
  if (Clock::now() - idle_since_ > limit)
    fail("NCCL: a collective waits for one that was submitted after it");
  return false;
}

void Residence::leave(int64_t ticket) {
  waiting_.erase(ticket);
  if (resident_ == ticket) resident_ = 0;
}

Residence& residence() {
  static Residence* const instance = new Residence;
  return *instance;
}

}  // namespace lynceus::standin
