#include "train/save/background_save.h"

#include <utility>

#include "core/check.h"
#include "parallel/agreement.h"

namespace lynceus::train {

BackgroundSave::~BackgroundSave() {
  if (thread_.joinable()) thread_.join();
}

void BackgroundSave::begin(int64_t step, std::function<io::SaveResult()> save) {
  LYNCEUS_CHECK(!is_running(), "a second save of step {} while that of step {} is running", step,
                step_);
  step_ = step;
  result_ = {};
  error_ = nullptr;
  is_finished_ = false;
  thread_ = std::thread([this, save = std::move(save)] {
    try {
      result_ = save();
    } catch (const parallel::AgreedError&) {
      is_agreed_ = true;
      error_ = std::current_exception();
    } catch (...) {
      is_agreed_ = false;
      error_ = std::current_exception();
    }
    is_finished_.store(true, std::memory_order_release);
  });
}

void BackgroundSave::check() const {
  if (is_running() && is_finished() && error_ && !is_agreed_) std::rethrow_exception(error_);
}

io::SaveResult BackgroundSave::take() {
  thread_.join();
  is_finished_ = false;
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  return std::move(result_);
}

}  // namespace lynceus::train
