// Answers of fixed length to random text prompts, as `lynceus generate` computes them, on one rank:
// prompts and decoding together. bench/compare_generate.py measures it and Hugging Face
// transformers in turn, with the same weights and prompts.
//
//   bench_generate --preset mid --batch 8                      one JSON line, greedy
//   bench_generate --preset mid --batch 8 --num_beams 5
//   bench_generate --preset mid --serve                        one round for each line of stdin
//   bench_generate --preset mid --export DIR                   writes the LLM for transformers
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "core/config/config.h"
#include "core/resource.h"
#include "generate/engine/decoder.h"
#include "generate/engine/given_prompts.h"
#include "io/weights/safetensors_writer.h"
#include "model/parameter_value.h"
#include "support/measure.h"
#include "train/run/build_model.h"
#include "train/run/run_config.h"

namespace lynceus {
namespace {

struct BenchOptions {
  bench::Place place;
  std::string preset = "mid";
  int64_t batch = 8;
  int64_t prompt = 32;
  int64_t new_tokens = 64;
  int64_t num_beams = 1;
  int64_t rounds = 5;
  bool serve = false;
  bool tokens = false;
  std::string export_to;

  template <typename Visitor>
  void visit(Visitor& v) {
    place.visit(v);
    v.choice("preset", preset, {"tiny", "mid"}, "the model: configs/model/tiny.ini or mid.ini");
    v.field("batch", batch, "prompts of a round");
    v.field("prompt", prompt, "tokens of a prompt");
    v.field("new_tokens", new_tokens, "tokens of an answer");
    v.field("num_beams", num_beams, "beams; 1: greedy");
    v.field("rounds", rounds, "rounds that are timed");
    v.field("serve", serve, "one round for each line of stdin; prints its seconds");
    v.field("tokens", tokens, "print the tokens of a round and leave");
    v.field("export", export_to, "write the LLM's weights to this safetensors file and leave");
  }
};

/// The tokens of prompt `row`: a rule that other programs can follow.
std::vector<int32_t> prompt_of(int64_t row, int64_t length, int64_t vocab) {
  std::vector<int32_t> tokens{1};
  for (int64_t i = 1; i < length; ++i)
    tokens.push_back(static_cast<int32_t>(3 + (row * 7919 + i * 104729) % (vocab - 4)));
  return tokens;
}

class Bench {
 public:
  Bench(const train::RunConfig& config, const BenchOptions& options)
      : rt_{options.place.stream(), parallel::make_grid({}, parallel::make_self_communicator()),
            options.place.dtype()},
        options_(options) {
    rt_.ordered_sums = true;
    train::WeightOrigins origins;
    model_ = train::build_model(rt_, config, /*tokenizer=*/"", &origins);
    settings_.num_beams = options.num_beams;
    settings_.max_new_tokens = options.new_tokens;
  }

  /// The LLM's tensors under the names of transformers.
  void write_weights(const std::string& file) {
    std::vector<io::NamedTensor> tensors;
    const std::string prefix = "LLM.";
    model_.stage.visit_parameters([&](Parameter& parameter) {
      tensors.push_back(
          {parameter.name.substr(prefix.size()), model::on_host(rt_, parameter.value)});
    });
    io::write_safetensors(file, tensors);
  }

  void freeze() { model_.freeze(rt_); }

  /// All prompts of one round -> the first row's tokens.
  std::vector<std::vector<int32_t>> round() {
    std::vector<generate::Prompt> prompts;
    for (int64_t row = 0; row < options_.batch; ++row) {
      generate::Prompt prompt;
      prompt.row = static_cast<uint64_t>(row);
      prompt.token_ids = prompt_of(row, options_.prompt, model_.config.llm.vocab_size);
      prompt.settings = &settings_;
      prompts.push_back(std::move(prompt));
    }
    generate::GivenPrompts feed(std::move(prompts), {}, {});
    generate::DecoderOptions options;
    options.batch_size = options_.batch;
    options.cache = rt_.precision;
    options.cache_rows =
        options_.batch *
        generate::Sequences::rows_needed(options_.prompt, options_.num_beams, options_.new_tokens);
    generate::Decoder decoder(rt_, model_, options);
    decoder.run(&feed);
    rt_.stream.synchronize();
    std::vector<std::vector<int32_t>> tokens;
    for (const auto& [row, answers] : feed.answers()) tokens.push_back(answers.front().tokens);
    return tokens;
  }

 private:
  Runtime rt_;
  BenchOptions options_;
  model::LynxModel model_;
  generate::Settings settings_;
};

double seconds_of_round(Bench* bench) {
  const auto begin = std::chrono::steady_clock::now();
  bench->round();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

int serve(Bench* bench) {
  for (std::string line; std::getline(std::cin, line);) {
    fmt::print("{:.6f}\n", seconds_of_round(bench));
    std::fflush(stdout);
  }
  return 0;
}

void measure(Bench* bench, const BenchOptions& options) {
  seconds_of_round(bench);  // the first round takes memory from the system
  bench::Spread seconds;
  for (int64_t i = 0; i < options.rounds; ++i) seconds.samples.push_back(seconds_of_round(bench));
  fmt::print("{}\n",
             bench::Json{{"figure", "generate"},
                         {"preset", options.preset},
                         {"batch", options.batch},
                         {"prompt", options.prompt},
                         {"new_tokens", options.new_tokens},
                         {"num_beams", options.num_beams},
                         {"threads", omp_get_max_threads()},
                         {"seconds", seconds.json()},
                         {"tokens_per_s", static_cast<double>(options.batch * options.new_tokens) /
                                              seconds.median()}}
                 .dump());
}

int run(const std::vector<std::string>& arguments) {
  const auto preset = std::find(arguments.begin(), arguments.end(), "--preset");
  const std::string name =
      preset == arguments.end() || preset + 1 == arguments.end() ? "mid" : preset[1];
  std::vector<std::string> all = {"--config",
                                  find_resource("--preset", "model", name, ".ini").string(),
                                  "--adapter.every", "0"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  BenchOptions options;
  train::RunConfig config;
  ConfigReader reader;
  reader.add(options);
  reader.add(config);
  if (reader.read(all).help) {
    fmt::print("{}", reader.help());
    return 0;
  }
  config.model.llm.vocab_size = config.model.llm.given_vocab_size.value_or(8000);
  config.model.llm.train.clear();
  Bench bench(config, options);
  if (!options.export_to.empty()) {
    bench.write_weights(options.export_to);
    return 0;
  }
  bench.freeze();
  if (options.serve) return serve(&bench);
  if (!options.tokens) {
    measure(&bench, options);
    return 0;
  }
  for (const auto& tokens : bench.round()) fmt::print("{}\n", fmt::join(tokens, " "));
  return 0;
}

}  // namespace
}  // namespace lynceus

int main(int argc, char** argv) {
  return lynceus::bench::guarded("bench_generate", [&] {
    return lynceus::run({argv + 1, argv + argc});
  });
}
