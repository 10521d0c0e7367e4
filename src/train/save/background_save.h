// A save on a thread of its own while training goes on. The thread of the steps begins it and takes
// its result; at most one runs. The thread communicates only in Grid::saving.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <thread>

#include "io/checkpoint/writer.h"

namespace lynceus::train {

class BackgroundSave {
 public:
  BackgroundSave() = default;
  /// Waits for the save.
  ~BackgroundSave();
  BackgroundSave(const BackgroundSave&) = delete;
  BackgroundSave& operator=(const BackgroundSave&) = delete;

  /// Runs `save` of the state after `step`; none may be running.
  void begin(int64_t step, std::function<io::SaveResult()> save);
  /// From begin() until its result was taken.
  bool is_running() const { return thread_.joinable(); }
  /// Whether take() would not wait. The same on all ranks only after they have agreed on it.
  bool is_finished() const { return is_finished_.load(std::memory_order_acquire); }
  /// Of the save that is running.
  int64_t step() const { return step_; }
  /// Throws what the save threw on this rank alone: other ranks may wait for it in vain. An
  /// AgreedError stays for take().
  void check() const;
  /// Waits for the save; its result, or what it threw.
  io::SaveResult take();

 private:
  std::thread thread_;
  std::atomic<bool> is_finished_ = false;
  int64_t step_ = 0;
  io::SaveResult result_;
  std::exception_ptr error_;
  bool is_agreed_ = false;  ///< the error
};

}  // namespace lynceus::train
