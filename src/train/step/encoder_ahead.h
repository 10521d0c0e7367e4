// The frozen vision encoder of the next step, during this step: submitted from a thread of its own,
// because a device's queue takes about 1,000 launches and then lets the host wait.
#pragma once

#include <future>
#include <optional>

#include "model/lynx.h"
#include "train/data/batch_loader.h"

namespace lynceus::train {

class EncoderAhead {
 public:
  /// Both are kept by reference.
  EncoderAhead(const Runtime& rt, const model::LynxModel& model);
  ~EncoderAhead();
  EncoderAhead(const EncoderAhead&) = delete;
  EncoderAhead& operator=(const EncoderAhead&) = delete;

  /// Begins to encode this rank's media of `step`, the one after that which is about to run.
  void begin(PreparedStep step);
  /// Whether a step was begun and not taken.
  bool has_step() const { return step_.has_value(); }
  /// That step, its media submitted. Throws what encoding threw.
  PreparedStep take();
  /// Drops that step. Work of rt's stream from now on waits for what was submitted.
  void forget();

 private:
  void wait() noexcept;

  const Runtime& rt_;
  const model::LynxModel& model_;
  Runtime side_;
  std::optional<PreparedStep> step_;
  std::future<void> submitted_;
};

}  // namespace lynceus::train
