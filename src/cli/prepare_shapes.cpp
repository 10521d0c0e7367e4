// lynceus prepare shapes: a generated world instead of a corpus.
#include <filesystem>

#include "cli/prepare_command.h"
#include "core/progress.h"
#include "io/dataset/answer_counts.h"
#include "prepare/output.h"
#include "prepare/sources/shapes.h"

namespace lynceus::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kShapesHelp = R"(usage: lynceus prepare shapes --output DIR [options]

Draws pictures of one to four colored shapes and computes captions, questions and answers. Writes
DIR/SPLIT-captions.h5, DIR/SPLIT-{Color,Counting,Spatial,Others}.h5 and DIR/SPLIT-text.h5 (the same
sentences without pictures) with --count samples each; for the split train also DIR/corpus.txt, the
lines that a tokenizer is trained on. The splits share no picture.

  lynceus prepare shapes --count 10000 --seed 1 --output data/shapes --train-tokenizer 400
  lynceus prepare shapes --count 300 --seed 1 --split validation --output data/shapes

)";

struct ShapesConfig {
  int64_t count = 10000;
  uint64_t seed = 1;
  std::string split = "train";
  int size = 84;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.field("count", count, "samples of each class, of captions and of texts");
    v.field("seed", seed, "of the world; the same seed gives the same bytes");
    v.choice("split", split, {"train", "validation"}, "part of the world");
    v.field("size", size, "side of the pictures in pixels");
  }
};

void print_baselines(const prepare::PrepareOutput& output) {
  fmt::print("{:<24} {:>8} {:>8}  {:>9}  {}\n", "questions", "count", "answers", "baseline",
             "majority answer");
  for (const auto& series : output.series()) {
    io::AnswerCounts counts;
    std::string task;
    for (const fs::path& file : series->files()) {
      const io::ShardReader shard(file);
      counts.add(shard);
      task = shard.info().task;
    }
    if (task == "caption" || task == "text") continue;
    fmt::print("{:<24} {:>8} {:>8} {:>8.1f} %  {}\n", task, counts.total(), counts.distinct(),
               100 * counts.baseline(), counts.majority());
  }
}

void prepare_shapes(const prepare::PrepareConfig& common, const ShapesConfig& config) {
  common.check_output();
  if (config.count < 1) throw UsageError("--count: expected 1 or more, found {}", config.count);
  if (config.size < prepare::kMinSceneSize || config.size > 4096)
    throw UsageError("--size: expected {} to 4096 pixels, found {}", prepare::kMinSceneSize,
                     config.size);
  const bool with_corpus = config.split == "train";
  if (common.train_tokenizer > 0 && !with_corpus)
    throw UsageError("--train-tokenizer: expected --split train, found {}", config.split);
  prepare::PrepareOutput output(common);
  if (with_corpus) output.keep_texts();
  std::vector<io::ShardSeries*> series;
  for (const prepare::ShapesClass shapes_class : prepare::kAllShapesClasses) {
    const std::string task(prepare::shapes_class_name(shapes_class));
    const std::string plural = shapes_class == prepare::ShapesClass::kCaption ? "s" : "";
    const std::string name = fmt::format("{}-{}{}", config.split, task, plural);
    output.refuse_existing_shards(name);
    series.push_back(
        &output.open(name, task, fmt::format("shapes, seed {}, {}", config.seed, config.split)));
  }
  const prepare::ShapesWorld world(config.seed, config.split, config.size);
  Progress progress("prepare shapes", config.count * std::ssize(series), "samples");
  for (size_t c = 0; c < series.size(); ++c) {
    for (int64_t i = 0; i < config.count; ++i) {
      output.add(*series[c], world.sample(prepare::kAllShapesClasses[c], static_cast<uint64_t>(i)));
      progress.advance();
    }
  }
  progress.finish();
  output.close();
  std::vector<prepare::DatasetAccount> accounts;
  for (const io::ShardSeries* one : series) accounts.push_back({one->name(), one->state()});
  output.print_account(accounts, false);
  print_baselines(output);
}

void prepare_on_one_rank(const prepare::PrepareConfig& common, const ShapesConfig& config,
                         parallel::Communicator& world) {
  parallel::agree(world, [&] {
    if (world.size() > 1)
      throw UsageError("prepare shapes runs on one rank, {} were started", world.size());
  });
  prepare_shapes(common, config);
}

}  // namespace

void run_shapes(const Arguments& arguments, parallel::Communicator& world) {
  run_source("shapes", kShapesHelp, arguments, world, prepare_on_one_rank);
}

}  // namespace lynceus::cli
