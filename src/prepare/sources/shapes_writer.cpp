#include "prepare/sources/shapes_writer.h"

#include <fmt/format.h>

#include <filesystem>
#include <vector>

#include "core/error.h"
#include "core/progress.h"
#include "io/dataset/answer_counts.h"
#include "io/dataset/shard.h"
#include "prepare/journal.h"
#include "prepare/repetition.h"
#include "prepare/sources/shapes.h"

namespace lynceus::prepare {
namespace {

void print_baselines(const PrepareOutput& output) {
  fmt::print("{:<24} {:>8} {:>8}  {:>9}  {}\n", "questions", "count", "answers", "baseline",
             "majority answer");
  for (const auto& series : output.series()) {
    io::AnswerCounts counts;
    std::string task;
    for (const std::filesystem::path& file : series->files()) {
      const io::ShardReader shard(file);
      counts.add(shard);
      task = shard.info().task;
    }
    if (task == "caption" || task == "text") continue;
    fmt::print("{:<24} {:>8} {:>8} {:>8.1f} %  {}\n", task, counts.total(), counts.distinct(),
               100 * counts.baseline(), counts.majority());
  }
}

/// The datasets of the split, each with its class, and the command that they have in common.
struct Plan {
  std::vector<std::pair<ShapesClass, DatasetCommand>> datasets;

  Plan(const PrepareConfig& common, const ShapesConfig& config) {
    const std::string command =
        fmt::format("shapes, count {}, seed {}, split {}, size {}, shard-gib {}", config.count,
                    config.seed, config.split, config.size, common.shard_gib);
    for (const ShapesClass shapes_class : kAllShapesClasses) {
      const std::string plural = shapes_class == ShapesClass::kCaption ? "s" : "";
      datasets.push_back(
          {shapes_class,
           {fmt::format("{}-{}{}", config.split, shapes_class_name(shapes_class), plural),
            command}});
    }
  }
  std::vector<DatasetCommand> commands() const {
    std::vector<DatasetCommand> all;
    for (const auto& [shapes_class, dataset] : datasets) all.push_back(dataset);
    return all;
  }
};

}  // namespace

void ShapesConfig::check(const PrepareConfig& common) const {
  common.check_output();
  if (count < 1) throw UsageError("--count: expected 1 or more, found {}", count);
  if (size < kMinSceneSize || size > 4096)
    throw UsageError("--size: expected {} to 4096 pixels, found {}", kMinSceneSize, size);
  if (common.train_tokenizer > 0 && split != "train")
    throw UsageError("--train-tokenizer: expected --split train, found {}", split);
}

void write_shapes(const PrepareConfig& common, const ShapesConfig& config) {
  config.check(common);
  const Plan plan(common, config);
  const OutputFolder folder(common);
  if (is_complete_already(common, plan.commands())) return;
  PrepareOutput output(common, &folder);
  if (config.split == "train") output.keep_texts();
  std::vector<io::ShardSeries*> series;
  for (const auto& [shapes_class, dataset] : plan.datasets) {
    output.refuse_existing_shards(dataset.name);
    PrepareJournal::remove_finished(common.output, dataset.name);
    series.push_back(&output.open(dataset.name, std::string(shapes_class_name(shapes_class)),
                                  fmt::format("shapes, seed {}, {}", config.seed, config.split)));
  }
  const ShapesWorld world(config.seed, config.split, config.size);
  Progress progress("prepare shapes", config.count * std::ssize(series), "samples");
  for (size_t c = 0; c < series.size(); ++c) {
    for (int64_t i = 0; i < config.count; ++i) {
      output.add(*series[c], world.sample(plan.datasets[c].first, static_cast<uint64_t>(i)));
      progress.advance();
    }
  }
  progress.finish();
  output.close();
  std::vector<DatasetSummary> summaries;
  for (const io::ShardSeries* one : series) summaries.push_back({one->name(), "", one->state()});
  for (size_t c = 0; c < series.size(); ++c) {
    const DatasetCommand& dataset = plan.datasets[c].second;
    FinishedDataset finished{complete_command(dataset.command, common), {}};
    finished.state.series = series[c]->state();
    finished.state.is_done = true;
    PrepareJournal::write_finished(output.directory(), dataset.name, finished);
  }
  output.print_summary(summaries, false);
  print_baselines(output);
}

}  // namespace lynceus::prepare
