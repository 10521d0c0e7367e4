// For faults elsewhere the previous handler of SIGSEGV is restored.
#include "guard.h"

#include <csignal>
#include <utility>

namespace lynceus::simt::engine {
namespace {

struct Guard {
  Range range;
  std::function<void(const void*)> report;
  struct sigaction before {};
};
Guard guard;

// The message is built on the stack of the faulting fiber: the fault was synchronous, in device
// code, which has no lock.
void on_fault(int, siginfo_t* info, void*) {
  if (guard.range.contains(info->si_addr)) guard.report(info->si_addr);
  sigaction(SIGSEGV, &guard.before, nullptr);  // and the access is repeated
}

}  // namespace

void report_guard_hits(const Range& range, std::function<void(const void*)> report) {
  guard.range = range;
  guard.report = std::move(report);
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigaction(SIGSEGV, &action, &guard.before);
}

}  // namespace lynceus::simt::engine
