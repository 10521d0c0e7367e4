#include "core/process/end_process.h"

#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <thread>

namespace lynceus {
namespace {

constexpr std::chrono::seconds kMost{10};

void (*end_)(int) = [](int) {};

}  // namespace

void set_end_of_job(void (*end)(int code)) { end_ = end; }

void end_job(ExitCode code) {
  const int number = static_cast<int>(code);
  std::thread([number] {
    end_(number);
    std::_Exit(number);
  }).detach();
  std::this_thread::sleep_for(kMost);
  std::_Exit(number);
}

}  // namespace lynceus
