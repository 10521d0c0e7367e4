// Runs held-out samples forward in batches and adds up their scores by set and task.
#include "train/metrics/validation.h"

#include <algorithm>
#include <map>
#include <span>
#include <utility>

#include "core/fault.h"
#include "core/log.h"
#include "core/process/stop_request.h"
#include "core/trace.h"
#include "parallel/agreement.h"

namespace lynceus::train {
namespace {

constexpr int64_t kSamplesOfAPlace = 8;  // about a micro-batch of 1,024 tokens

double ratio(double part, int64_t total) {
  return total == 0 ? 0 : part / static_cast<double>(total);
}

std::string first_answer(const std::vector<io::Turn>& turns) {
  for (const io::Turn& turn : turns)
    if (turn.role == io::TurnRole::kAssistant) return turn.text;
  return {};
}

/// Scores by sample of a global batch: {loss, scored, correct}, filled on the last stage.
class BatchScores {
 public:
  BatchScores(const Runtime& rt, int64_t samples)
      : rt_(rt), table_(Tensor::zeros(rt.host(), {samples, 3}, DType::kF64)) {}

  void add(const model::PackedBatch& batch, const model::LlmStage::Output& output) {
    if (rt_.grid.tensor->rank() != 0) return;
    const auto losses = output.loss.row_loss.to_vector<float>();
    const auto correct = output.loss.row_correct.to_vector<uint8_t>();
    for (size_t row = 0; row < losses.size(); ++row) {
      double* entry = table_.data<double>() + 3 * batch.samples[batch.sample_of_scored[row]];
      entry[0] += losses[row];
      entry[1] += 1;
      entry[2] += correct[row];
    }
  }

  const double* agreed() {
    rt_.grid.world->all_reduce(table_);
    return table_.data<double>();
  }

 private:
  const Runtime& rt_;
  Tensor table_;
};

/// The samples with damaged media of all ranks; each is found by the rank that encodes it.
class DamageList {
 public:
  DamageList(const Runtime& rt, int64_t samples)
      : rt_(rt), found_(Tensor::zeros(rt.host(), {samples}, DType::kI64)) {}

  void add(const std::vector<DamagedSample>& damaged) {
    for (const DamagedSample& sample : damaged) {
      found_.data<int64_t>()[sample.index] = 1;
      reasons_ += (reasons_.empty() ? "" : "\n") + sample.reason;
    }
  }

  /// 1 for each damaged sample, by index. Logs the reasons.
  const int64_t* agreed() {
    rt_.grid.world->all_reduce(found_, parallel::ReduceOp::kMax);
    for (const std::string& reasons : rt_.grid.world->all_gather(reasons_))
      if (!reasons.empty() && rt_.grid.world->rank() == 0)
        log::warn("validation: damaged media, replaced and not scored: {}", reasons);
    return found_.data<int64_t>();
  }

 private:
  const Runtime& rt_;
  Tensor found_;
  std::string reasons_;
};

/// The first `samples` (0: all) samples of every dataset, in order.
std::vector<PlannedSample> plan(const BatchLoader& loader,
                                const std::vector<const io::Dataset*>& datasets, int64_t samples) {
  std::vector<PlannedSample> all;
  for (size_t d = 0; d < datasets.size(); ++d) {
    const int64_t count =
        samples == 0 ? datasets[d]->size() : std::min(samples, datasets[d]->size());
    for (int64_t s = 0; s < count; ++s)
      all.push_back(loader.plan_sample(static_cast<int64_t>(all.size()), {static_cast<int>(d), s}));
  }
  return all;
}

/// Sums by set and task.
class ScoreTable {
 public:
  explicit ScoreTable(const std::vector<const io::Dataset*>& datasets) : datasets_(datasets) {}

  TaskScore& of(const PlannedSample& planned) {
    return scores_[{planned.dataset, datasets_[planned.dataset]->info(planned.sample).task}];
  }
  /// `entry`: {loss, scored, correct} of a sample.
  void add(const PlannedSample& planned, const double* entry) {
    if (entry[1] == 0) return;
    TaskScore& score = of(planned);
    score.samples += 1;
    score.loss_sum += entry[0];
    score.scored_tokens += static_cast<int64_t>(entry[1]);
    score.correct_tokens += static_cast<int64_t>(entry[2]);
    score.correct_answers += entry[1] == entry[2];
    score.answers.add(first_answer(datasets_[planned.dataset]->turns(planned.sample)));
  }
  std::vector<SetScore> sorted() {
    std::vector<SetScore> sorted;
    for (auto& [place, score] : scores_)
      sorted.push_back({datasets_[place.first]->name(), place.second, std::move(score)});
    return sorted;
  }

 private:
  const std::vector<const io::Dataset*>& datasets_;
  std::map<std::pair<int, std::string>, TaskScore> scores_;
};

/// On rank 0: the answers of the samples of a batch that were scored.
void write_predictions(const Runtime& rt, const BatchLoader& loader,
                       const std::vector<const io::Dataset*>& datasets,
                       std::span<const PlannedSample> batch,
                       const std::vector<std::vector<ScoredToken>>& scored,
                       const PredictionSink& sink) {
  if (rt.grid.world->rank() != 0) return;
  const TextOptions& text = loader.text();
  for (size_t i = 0; i < batch.size(); ++i) {
    if (scored[i].empty()) continue;
    const io::Dataset& dataset = *datasets[batch[i].dataset];
    const std::vector<io::Turn> turns = loader.turns(batch[i]);
    const auto tokens = io::tokenize_sample(*text.tokenizer, text.style, turns, text.max_tokens);
    for (Prediction& prediction : predictions_of(*text.tokenizer, turns, tokens, scored[i])) {
      prediction.set = dataset.name();
      prediction.task = dataset.info(batch[i].sample).task;
      prediction.key = dataset.key(batch[i].sample);
      sink(prediction);
    }
  }
}

}  // namespace

double TaskScore::loss() const { return ratio(loss_sum, scored_tokens); }
double TaskScore::token_accuracy() const {
  return ratio(static_cast<double>(correct_tokens), scored_tokens);
}
double TaskScore::answer_accuracy() const {
  return ratio(static_cast<double>(correct_answers), samples);
}

Metrics to_metrics(const SetScore& set) {
  const TaskScore& score = set.score;
  return {{"set", set.set},
          {"class", set.task},
          {"samples", score.samples},
          {"damaged_samples", score.damaged_samples},
          {"loss", score.loss()},
          {"token_accuracy", score.token_accuracy()},
          {"answer_accuracy", score.answer_accuracy()},
          {"baseline", score.baseline()}};
}

int64_t validation_batch_size(const Runtime& rt, int64_t global_batch_size) {
  const int64_t places = int64_t{rt.grid.data->size()} * rt.grid.pipeline->size();
  return std::min(global_batch_size, kSamplesOfAPlace * places);
}

std::vector<SetScore> validate(const Runtime& rt, const model::LynxModel& model,
                               BatchLoader* loader, const std::vector<const io::Dataset*>& datasets,
                               const ValidationOptions& options) {
  LYNCEUS_TRACE("validate");
  const std::vector<PlannedSample> all = plan(*loader, datasets, options.samples);
  const int64_t total = static_cast<int64_t>(all.size());
  const auto batch_at = [&](int64_t first) -> std::span<const PlannedSample> {
    return std::span(all).subspan(
        static_cast<size_t>(std::min(first, total)),
        static_cast<size_t>(std::clamp<int64_t>(total - first, 0, options.batch_size)));
  };
  const auto begin = [&](int64_t first) {
    const auto batch = batch_at(first);
    if (!batch.empty()) loader->begin({batch.begin(), batch.end()});
  };
  ScoreTable scores(datasets);
  DamageList damage(rt, total);
  begin(0);
  for (int64_t first = 0; first < total; first += options.batch_size) {
    begin(first + options.batch_size);
    LYNCEUS_FAULT_POINT("validation.batch");
    loader->wait_or_stop();
    parallel::agree(*rt.grid.world, [] { leave_if_requested("validating"); });
    if (options.begins_batch) options.begins_batch();
    PreparedStep step = loader->finish();
    damage.add(step.damaged);
    const auto planned = batch_at(first);
    const auto count = static_cast<int64_t>(planned.size());
    BatchScores batch(rt, count);
    ScoredTokens tokens(rt);
    evaluate_loss(rt, model, &step.batch, step.pixel_source(),
                  [&](const model::PackedBatch& packed, const model::LlmStage::Output& output) {
                    batch.add(packed, output);
                    if (options.predictions) tokens.add(*model.stage.head, packed, output.h);
                  });
    const double* entry = batch.agreed();
    for (int64_t i = 0; i < count; ++i, entry += 3)
      scores.add(planned[static_cast<size_t>(i)], entry);
    if (options.predictions)
      write_predictions(rt, *loader, datasets, planned, tokens.agreed(count), options.predictions);
  }
  const int64_t* damaged = damage.agreed();
  for (const PlannedSample& planned : all)
    if (damaged[planned.index]) ++scores.of(planned).damaged_samples;
  return scores.sorted();
}

}  // namespace lynceus::train
