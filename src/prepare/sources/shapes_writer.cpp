#include "prepare/sources/shapes_writer.h"

#include <fmt/format.h>

#include <filesystem>
#include <vector>

#include "core/error.h"
#include "core/progress.h"
#include "io/dataset/answer_counts.h"
#include "io/dataset/shard.h"
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
  PrepareOutput output(common);
  if (config.split == "train") output.keep_texts();
  std::vector<io::ShardSeries*> series;
  for (const ShapesClass shapes_class : kAllShapesClasses) {
    const std::string task(shapes_class_name(shapes_class));
    const std::string plural = shapes_class == ShapesClass::kCaption ? "s" : "";
    const std::string name = fmt::format("{}-{}{}", config.split, task, plural);
    output.refuse_existing_shards(name);
    series.push_back(
        &output.open(name, task, fmt::format("shapes, seed {}, {}", config.seed, config.split)));
  }
  const ShapesWorld world(config.seed, config.split, config.size);
  Progress progress("prepare shapes", config.count * std::ssize(series), "samples");
  for (size_t c = 0; c < series.size(); ++c) {
    for (int64_t i = 0; i < config.count; ++i) {
      output.add(*series[c], world.sample(kAllShapesClasses[c], static_cast<uint64_t>(i)));
      progress.advance();
    }
  }
  progress.finish();
  output.close();
  std::vector<DatasetSummary> summaries;
  for (const io::ShardSeries* one : series) summaries.push_back({one->name(), one->state()});
  output.print_summary(summaries, false);
  print_baselines(output);
}

}  // namespace lynceus::prepare
