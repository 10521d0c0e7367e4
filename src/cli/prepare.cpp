// lynceus prepare: turns a source into dataset shards (HDF5), and trains a tokenizer when asked.
#include <algorithm>
#include <filesystem>

#include "cli/command.h"
#include "cli/prepare_output.h"
#include "core/progress.h"
#include "io/majority_answer.h"
#include "io/source_jsonl.h"
#include "io/source_shapes.h"

namespace lynceus::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kHelp = R"(usage: lynceus prepare SOURCE --output DIR [options]

Turns a source into dataset shards (HDF5 with a digest beside each), and trains a SentencePiece
tokenizer on their texts when asked. Sources:

  jsonl   rows of picture and captions, of question and answer, or of text
  shapes  a generated world of colored shapes with captions and questions

`lynceus prepare SOURCE --help` has the options and examples of a source.
)";

constexpr const char* kJsonlHelp =
    R"(usage: lynceus prepare jsonl --input FILE... --output DIR [options]

One object a line; pictures are JPEG or PNG files named relative to the JSONL file's folder:

  {"image": "images/1.jpg", "captions": ["a dog", "a brown dog"]}     one sample a caption
  {"image": "images/2.jpg", "question": "what is it?", "answer": "a cat"}
  {"text": "plain text"}

"images" or "frames" with a list of paths stand for several pictures or one video. Each FILE becomes
DIR/NAME.h5 (then NAME-1.h5 ... when it grows large) with NAME the file's own. Rows that cannot be
used are skipped and listed in DIR/NAME-bad.txt.

  lynceus prepare jsonl --input coco/captions.jsonl --output data/coco
  lynceus prepare jsonl --input vqa.jsonl --root /data/vqa --task question --output data/vqa
  lynceus prepare jsonl --input texts.jsonl --output data/texts --train-tokenizer 8000

)";

constexpr const char* kShapesHelp = R"(usage: lynceus prepare shapes --output DIR [options]

Draws pictures of one to four colored shapes and computes captions, questions and answers. Writes
DIR/SPLIT-captions.h5, DIR/SPLIT-{Color,Counting,Spatial,Others}.h5 and DIR/SPLIT-text.h5 (the same
sentences without pictures) with --count samples each; for the split train also DIR/corpus.txt, the
lines that a tokenizer is trained on. The splits share no picture.

  lynceus prepare shapes --count 10000 --seed 1 --output data/shapes --train-tokenizer 400
  lynceus prepare shapes --count 300 --seed 1 --split validation --output data/shapes

)";

struct JsonlConfig {
  std::vector<std::string> input;
  std::string root;
  std::string task;
  std::string captions = "all";
  double max_bad = 0.01;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.list("input", input, "JSONL files");
    v.field("root", root, "where the paths of pictures begin; empty: the JSONL file's folder");
    v.field("task", task, "name of the task in reports; empty: the JSONL file's name");
    v.choice("captions", captions, {"all", "first"}, "one sample a caption, or only the first");
    v.field("max-bad", max_bad,
            "stop when more than this share of the lines is unusable; fewer than 200 count as 200");
  }
};

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

std::string name_of(const std::string& input) { return fs::path(input).stem().string(); }

int64_t read_jsonl(const JsonlConfig& config, const std::string& input, io::JsonlSource& source,
                   io::ShardSeries& series, PrepareOutput& output) {
  BadLines bad(output.directory() / (name_of(input) + "-bad.txt"), input, config.max_bad,
               source.line_count());
  Progress progress("prepare " + name_of(input), source.line_count(), "lines");
  while (const auto row = source.next()) {
    for (const io::Sample& sample : row->samples) output.add(series, sample);
    if (!row->problem.empty()) {
      bad.add(row->problem);
      progress.note(fmt::format("{} bad", bad.count()));
    }
    progress.advance();
  }
  progress.finish();
  if (series.samples() == 0) throw InputError("{}: expected a sample at least, found none", input);
  return bad.count();
}

void check_jsonl(const JsonlConfig& config) {
  if (config.input.empty()) throw UsageError("prepare jsonl: expected --input FILE, found none");
  if (!(config.max_bad >= 0 && config.max_bad <= 1))
    throw UsageError("--max-bad: expected a share from 0 to 1, found {}", config.max_bad);
  std::vector<std::string> names;
  for (const std::string& input : config.input) names.push_back(name_of(input));
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end())
    throw UsageError("--input: two files are named {}, so both would become {}.h5", *twice, *twice);
}

void prepare_jsonl(const PrepareConfig& common, const JsonlConfig& config) {
  check_jsonl(config);
  std::vector<io::JsonlSource> sources;
  for (const std::string& input : config.input)
    sources.emplace_back(io::JsonlOptions{input, config.root, config.captions == "first"});
  PrepareOutput output(common);
  std::vector<io::ShardSeries*> series;
  for (const std::string& input : config.input)
    series.push_back(
        &output.open(name_of(input), config.task.empty() ? name_of(input) : config.task, input));
  if (common.train_tokenizer > 0) output.keep_texts();
  int64_t bad = 0;
  for (size_t i = 0; i < sources.size(); ++i)
    bad += read_jsonl(config, config.input[i], sources[i], *series[i], output);
  output.close();
  output.print_summary(bad);
}

void print_baselines(const PrepareOutput& output) {
  fmt::print("{:<24} {:>8} {:>8}  {:>9}  {}\n", "questions", "count", "answers", "baseline",
             "majority answer");
  for (const auto& series : output.series()) {
    io::AnswerCounts counts;
    std::string task;
    for (const fs::path& file : series->files()) {
      const io::Shard shard(file);
      counts.add(shard);
      task = shard.info().task;
    }
    if (task == "caption" || task == "text") continue;
    fmt::print("{:<24} {:>8} {:>8} {:>8.1f} %  {}\n", task, counts.total(), counts.distinct(),
               100 * counts.baseline(), counts.majority());
  }
}

void prepare_shapes(const PrepareConfig& common, const ShapesConfig& config) {
  if (config.count < 1) throw UsageError("--count: expected 1 or more, found {}", config.count);
  if (config.size < io::kMinSceneSize || config.size > 4096)
    throw UsageError("--size: expected {} to 4096 pixels, found {}", io::kMinSceneSize,
                     config.size);
  const bool with_corpus = config.split == "train";
  if (common.train_tokenizer > 0 && !with_corpus)
    throw UsageError("--train-tokenizer: expected --split train, found {}", config.split);
  PrepareOutput output(common);
  if (with_corpus) output.keep_texts();
  std::vector<io::ShardSeries*> series;
  for (const io::ShapesClass shapes_class : io::kAllShapesClasses) {
    const std::string task(io::shapes_class_name(shapes_class));
    const std::string plural = shapes_class == io::ShapesClass::kCaption ? "s" : "";
    series.push_back(&output.open(fmt::format("{}-{}{}", config.split, task, plural), task,
                                  fmt::format("shapes, seed {}, {}", config.seed, config.split)));
  }
  const io::ShapesWorld world(config.seed, config.split, config.size);
  Progress progress("prepare shapes", config.count * std::ssize(series), "samples");
  for (size_t c = 0; c < series.size(); ++c) {
    for (int64_t i = 0; i < config.count; ++i) {
      output.add(*series[c], world.sample(io::kAllShapesClasses[c], static_cast<uint64_t>(i)));
      progress.advance();
    }
  }
  progress.finish();
  output.close();
  output.print_summary(0);
  print_baselines(output);
}

template <typename Config>
void run_source(const std::string& source, const char* help, const Arguments& arguments,
                void (*prepare)(const PrepareConfig&, const Config&)) {
  PrepareConfig common;
  Config config;
  ConfigReader reader;
  reader.add(config);
  reader.add(common);
  const CommandLine line = reader.read(arguments);
  if (line.help) {
    fmt::print("{}{}", help, reader.help());
    return;
  }
  if (!line.positionals.empty())
    throw UsageError("prepare {}: expected options only, found '{}'", source, line.positionals[0]);
  common.check();
  if (line.print_config) {
    fmt::print("{}", reader.print());
    return;
  }
  prepare(common, config);
}

void run(const Arguments& arguments) {
  constexpr const char* kLater[] = {"coco", "llava", "openvqa", "webdataset", "text", "video"};
  const std::string source = arguments.empty() ? "" : arguments[0];
  if (source == "--help" || source == "-h") {
    fmt::print("{}", kHelp);
    return;
  }
  const Arguments rest(arguments.begin() + (arguments.empty() ? 0 : 1), arguments.end());
  if (source == "jsonl") return run_source(source, kJsonlHelp, rest, prepare_jsonl);
  if (source == "shapes") return run_source(source, kShapesHelp, rest, prepare_shapes);
  if (std::find(std::begin(kLater), std::end(kLater), source) != std::end(kLater))
    throw UsageError("prepare: the source {} is not yet there; jsonl and shapes are", source);
  throw UsageError("prepare: expected a source, jsonl or shapes, as the first word, found {}",
                   source.empty() ? "nothing" : "'" + source + "'");
}

}  // namespace

ExitCode run_prepare(const Arguments& arguments) {
  const auto world = parallel::make_world();
  parallel::agree(*world, [&] {
    if (world->size() > 1)
      throw UsageError("prepare runs on one rank, {} were started", world->size());
  });
  run(arguments);
  return ExitCode::kDone;
}

}  // namespace lynceus::cli
