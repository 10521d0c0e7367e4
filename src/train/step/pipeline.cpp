// Executes the actions of a stage in order: forward and backward of micro-batches, and the grouped
// exchanges between them.
#include "train/step/pipeline.h"

#include <algorithm>
#include <map>
#include <optional>

#include "core/trace.h"
#include "train/step/nan_fault.h"

namespace lynceus::train {
namespace {

class Executor {
 public:
  Executor(const Runtime& rt, const model::LlmStage& stage, const PipelineJob& job)
      : rt_(rt),
        stage_(stage),
        job_(job),
        width_(stage.hidden_size()),
        nan_output_(job.nan_output) {
    if (rt.grid.first_stage() && job.visual.defined() && job.backward)
      result_.dvisual = rt.activation(job.visual.shape());
  }

  PipelineResult run() {
    for (const parallel::Action& action : job_.schedule) {
      switch (action.kind) {
        case parallel::ActionKind::kForward:
          forward(action.micro_batch);
          break;
        case parallel::ActionKind::kBackward:
          backward(action.micro_batch);
          break;
        case parallel::ActionKind::kExchange:
          exchange(action);
          break;
      }
    }
    for (InProgress& exchange : in_progress_) exchange.pending.wait(rt_.stream);
    return std::move(result_);
  }

 private:
  /// An exchange in progress; the stream waits for it when it needs a received tensor.
  struct InProgress {
    parallel::Action action;
    parallel::Pending pending;
  };

  const model::PackedBatch& batch(int micro_batch) const {
    return (*job_.batches)[job_.window->first_micro_batch + micro_batch];
  }

  /// The rows of the window's visual tokens that belong to a micro-batch.
  Tensor visual_rows(const Tensor& window_rows, int micro_batch) const {
    const int number = job_.window->first_micro_batch + micro_batch;
    for (const MediaItem& item : job_.window->items)
      if (item.micro_batch == number)
        return window_rows.slice(item.visual_begin, batch(micro_batch).visual_tokens());
    return {};
  }

  void forward(int micro_batch) {
    LYNCEUS_TRACE("forward", micro_batch);
    Tensor input;
    if (rt_.grid.first_stage()) {
      if (job_.visual.defined()) input = visual_rows(job_.visual, micro_batch);
    } else {
      arrive(&parallel::Action::recv_activation, micro_batch);
      input = take(&activations_, micro_batch);
    }
    const trace::QueueScope scope(rt_.stream.pool()->queue(), "compute", "forward");
    model::LlmStage::Saved* saved = nullptr;
    if (job_.backward) {
      saved = &saved_[micro_batch];
      result_.most_saved = std::max(result_.most_saved, static_cast<int>(saved_.size()));
    }
    model::LlmStage::Output output =
        stage_.forward(rt_, batch(micro_batch), input, job_.recompute, saved);
    if (nan_output_)
      nan_output_ = !make_nan(rt_.grid.last_stage() ? output.loss.row_loss : output.h);
    if (job_.probe)
      job_.probe->forward(job_.window->first_micro_batch + micro_batch, input, output);
    if (rt_.grid.last_stage())
      job_.on_output(job_.window->first_micro_batch + micro_batch, output);
    else
      activations_out_[micro_batch] = output.h;
  }

  void backward(int micro_batch) {
    LYNCEUS_TRACE("backward", micro_batch);
    Tensor dh;
    if (!rt_.grid.last_stage()) {
      arrive(&parallel::Action::recv_gradient, micro_batch);
      dh = take(&gradients_, micro_batch);
    }
    const trace::QueueScope scope(rt_.stream.pool()->queue(), "compute", "backward");
    const auto saved = saved_.find(micro_batch);
    const bool last = micro_batch + 1 == job_.window->micro_batches;  // they run in order of number
    Tensor dx;
    stage_.backward(rt_, batch(micro_batch), job_.recompute, &saved->second, dh,
                    stage_.input_wants_gradient(batch(micro_batch)) ? &dx : nullptr,
                    last ? job_.on_layer_complete : nullptr);
    saved_.erase(saved);
    if (job_.probe) job_.probe->backward(job_.window->first_micro_batch + micro_batch, dh, dx);
    if (!rt_.grid.first_stage())
      gradients_out_[micro_batch] = dx;
    else if (dx.defined())
      visual_rows(result_.dvisual, micro_batch).copy_from(dx);
  }

  void exchange(const parallel::Action& action) {
    LYNCEUS_TRACE("exchange");
    const int before = rt_.grid.stage() - 1, after = rt_.grid.stage() + 1;
    std::vector<parallel::Transfer> sends, receives;
    const auto receive = [&](int peer, int micro_batch, std::map<int, Tensor>* into) {
      Tensor tensor = rt_.activation({batch(micro_batch).tokens(), width_});
      (*into)[micro_batch] = tensor;
      receives.push_back({peer, std::move(tensor)});
    };
    if (action.send_activation)
      sends.push_back({after, take(&activations_out_, *action.send_activation)});
    if (action.send_gradient)
      sends.push_back({before, take(&gradients_out_, *action.send_gradient)});
    if (action.recv_activation) receive(before, *action.recv_activation, &activations_);
    if (action.recv_gradient) receive(after, *action.recv_gradient, &gradients_);
    if (!rt_.overlaps(&parallel::Overlap::pipeline))
      return rt_.grid.pipeline->exchange(sends, receives);
    std::erase_if(in_progress_, [](const InProgress& known) { return known.pending.is_done(); });
    in_progress_.push_back({action, rt_.grid.pipeline->exchange_async(sends, receives)});
  }

  /// Makes the stream wait for the exchange that receives this micro-batch.
  void arrive(std::optional<int> parallel::Action::*part, int micro_batch) {
    const auto found = std::find_if(
        in_progress_.begin(), in_progress_.end(),
        [&](const InProgress& exchange) { return exchange.action.*part == micro_batch; });
    if (found == in_progress_.end()) return;  // already done
    found->pending.wait(rt_.stream);
    in_progress_.erase(found);
  }

  static Tensor take(std::map<int, Tensor>* from, int micro_batch) {
    const auto found = from->find(micro_batch);
    LYNCEUS_CHECK(found != from->end(), "the schedule uses micro-batch {} before it was received",
                  micro_batch);
    Tensor tensor = std::move(found->second);
    from->erase(found);
    return tensor;
  }

  const Runtime& rt_;
  const model::LlmStage& stage_;
  const PipelineJob& job_;
  int64_t width_;
  bool nan_output_;
  std::map<int, Tensor> activations_, gradients_;          // received, not yet used
  std::map<int, Tensor> activations_out_, gradients_out_;  // computed, not yet sent
  std::vector<InProgress> in_progress_;
  std::map<int, model::LlmStage::Saved> saved_;
  PipelineResult result_;
};

}  // namespace

PipelineResult run_pipeline(const Runtime& rt, const model::LlmStage& stage,
                            const PipelineJob& job) {
  return Executor(rt, stage, job).run();
}

}  // namespace lynceus::train
