// One whole training step on one rank: train_step() as `lynceus train` calls it, clip and AdamW
// included, on a model with random weights, random images already decoded and random text.
//
//   bench_step --preset mid              one JSON line
//   bench_step --preset mid --serve      a step for each line of stdin, its seconds out
//   bench_step --preset mid --batch 8 --train.micro_batch_tokens 512
//                                        any key of the config too
//
// share = required work of a sample · samples/s over the better of oneDNN and OpenBLAS in f32 at
// 2048³, measured in the same run. The work is counted by the formula of required_flops(), not by
// what was executed. Needs nothing from the environment. bench/compare_step.py runs it beside
// peers.
#include <fmt/format.h>
#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/log.h"
#include "core/random.h"
#include "core/resource.h"
#include "core/trace.h"
#include "train/session.h"

#ifdef LYNCEUS_HAVE_OPENBLAS
extern "C" {
void cblas_sgemm(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha,
                 const float* a, int lda, const float* b, int ldb, float beta, float* c, int ldc);
void openblas_set_num_threads(int threads);
}
#endif

namespace lynceus {
namespace {

constexpr int64_t kLlamaVocabulary = 32001;  // the tokenizer's pieces and [PAD]

struct BenchOptions {
  std::string preset = "mid";
  int64_t batch = 64;
  int64_t text = 32;
  int64_t image = 0;
  int64_t steps = 7;
  int64_t warmup = 3;
  bool serve = false;
  std::string trace;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.choice("preset", preset, {"mid", "7b"},
             "the model: configs/model/mid.ini, lynx-llama-7b.ini");
    v.field("batch", batch, "samples a step");
    v.field("text", text, "text tokens a sample, all scored but the first");
    v.field("image", image, "side of the images; 0: the model's");
    v.field("steps", steps, "steps that are timed");
    v.field("warmup", warmup, "steps before them");
    v.field("serve", serve, "one step for each line of stdin");
    v.field("trace", trace, "file for a Chrome trace of the last step");
  }
};

double seconds_of(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// ---- The ceiling -------------------------------------------------------------------------------

/// GFLOP/s at 2048³ of the better library, in a process that was started with a fit
/// OPENBLAS_CORETYPE.
double measure_ceiling() {
  constexpr int kSize = 2048, kRepeats = 5;
  const Stream stream;
  const auto matrix = [&](float value) {
    const Tensor tensor = Tensor::empty(stream, {kSize, kSize});
    std::fill_n(tensor.data<float>(), tensor.size(), value);
    return tensor;
  };
  const Tensor a = matrix(0.5f), b = matrix(0.25f), c = matrix(0);
  std::vector<std::function<void()>> libraries = {[&] {
    dnnl_sgemm('N', 'N', kSize, kSize, kSize, 1.0f, a.data<float>(), kSize, b.data<float>(), kSize,
               0.0f, c.data<float>(), kSize);
  }};
#ifdef LYNCEUS_HAVE_OPENBLAS
  openblas_set_num_threads(omp_get_max_threads());
  libraries.push_back([&] {
    cblas_sgemm(101, 111, 111, kSize, kSize, kSize, 1.0f, a.data<float>(), kSize, b.data<float>(),
                kSize, 0.0f, c.data<float>(), kSize);
  });
#endif
  double best = 0;
  for (const auto& multiply : libraries) {
    multiply();
    std::vector<double> seconds;
    for (int i = 0; i < kRepeats; ++i) seconds.push_back(seconds_of(multiply));
    best = std::max(best, 2e-9 * kSize * kSize * kSize / median(seconds));
  }
  return best;
}

/// The same in a child process: OpenBLAS reads OPENBLAS_CORETYPE when it is loaded, and its buffers
/// shall not count as this program's memory.
double ceiling_of_child() {
  char self[PATH_MAX] = {};
  if (readlink("/proc/self/exe", self, sizeof self - 1) < 0)
    throw IoError("/proc/self/exe cannot be read");
  setenv("OPENBLAS_CORETYPE", __builtin_cpu_supports("avx512f") ? "SKYLAKEX" : "HASWELL",
         /*overwrite=*/0);
  std::FILE* child = popen(fmt::format("'{}' --ceiling", self).c_str(), "r");
  double gflops = 0;
  const bool read = child != nullptr && std::fscanf(child, "%lf", &gflops) == 1;
  if (child == nullptr || pclose(child) != 0 || !read)
    throw IoError("{} --ceiling gave no number", self);
  return gflops;
}

// ---- The work ----------------------------------------------------------------------------------

/// Multiplications and additions that one sample (one image, `text` tokens) asks for: ViT forward;
/// LLM forward and input gradients; three times forward for what is trained; attention over whole
/// rows of scores, twice more in backward; the head on the text rows.
double required_flops(const ModelConfig& config, int64_t text_tokens) {
  const auto real = [](int64_t value) { return static_cast<double>(value); };
  const LlmConfig& llm = config.llm;
  const double hidden = real(llm.hidden_size), text = real(text_tokens);
  const double latents = real(config.visual_tokens(1)), tokens = latents + text;

  const VisionConfig& vision = config.vision;
  const double patches = real(vision.tokens_per_image()), width = real(vision.hidden_size);
  const double patch = 3 * real(vision.patch_size * vision.patch_size);
  const double block = patches * (4 * width * width + 2 * width * real(vision.intermediate_size)) +
                       2 * patches * patches * width;
  const double encoder = 2 * ((patches - 1) * patch * width + real(vision.num_layers) * block);

  double bridge = 0;
  if (config.bridge.kind == "resampler") {
    const double inner = real(config.bridge.num_heads * config.bridge.head_dim);
    const double layer = latents * (2 * hidden * inner +
                                    2 * hidden * hidden * real(config.bridge.intermediate_factor)) +
                         patches * 2 * width * inner + 2 * latents * patches * inner;
    bridge = 6 * real(config.bridge.num_layers) * layer;
  }

  const double kv_width = real(llm.kv_heads() * llm.head_dim());
  const double weights =
      2 * hidden * (hidden + kv_width) + 3 * hidden * real(llm.intermediate_size);
  const double attention = 2 * tokens * tokens * hidden;
  const double passes = llm.trains("llm") ? 6 : 4;
  double decoder = real(llm.num_layers) * (passes * tokens * weights + 6 * attention) +
                   passes * text * hidden * real(llm.vocab_size);
  for (int64_t layer = 0; layer < llm.num_layers; ++layer)
    if (config.adapter.at_layer(layer))
      decoder +=
          (llm.trains("adapter") ? 6 : 4) * tokens * 2 * hidden * real(config.bottleneck_size());
  return encoder + bridge + decoder;
}

// ---- The step ----------------------------------------------------------------------------------

RunConfig read_config(const std::vector<std::string>& arguments, BenchOptions* options,
                      bool* help) {
  const auto preset = std::find(arguments.begin(), arguments.end(), "--preset");
  const bool large =
      preset != arguments.end() && preset + 1 != arguments.end() && preset[1] == "7b";
  std::vector<std::string> all = {
      "--config",
      find_resource("--preset", "model", large ? "lynx-llama-7b" : "mid", ".ini").string()};
  all.insert(all.end(), arguments.begin(), arguments.end());
  RunConfig config;
  ConfigReader reader;
  reader.add(*options);
  reader.add(config);
  *help = reader.read(all).help;
  if (*help) fmt::print("{}", reader.help());
  LlmConfig& llm = config.model.llm;
  llm.vocab_size = llm.given_vocab_size.value_or(kLlamaVocabulary);
  if (options->image > 0) config.model.vision.image_size = options->image;
  if (options->batch < 1 || options->text < 2 || options->steps < 1)
    throw UsageError(
        "expected --batch and --steps of 1 or more and --text of 2 or more, found {}, {} "
        "and {}",
        options->batch, options->steps, options->text);
  config.validate();
  return config;
}

class Bench {
 public:
  Bench(const RunConfig& config, const BenchOptions& options)
      : rt_{Stream(), parallel::make_grid({}, parallel::make_self_communicator())},
        config_(config),
        options_(options) {
    WeightOrigins origins;
    model_ = build_model(rt_, config, /*tokenizer=*/"", &origins);
    optimizer_ = std::make_unique<Optimizer>(rt_, &model_, config.optimizer);
    const int64_t side = config.model.vision.image_size;
    for (int64_t sample = 0; sample < options.batch; ++sample)
      pixels_.push_back(
          Tensor::empty(rt_.stream, {1, 3, side, side}, DType::kF32, MemoryOwner::kInput));
    for (size_t sample = 0; sample < pixels_.size(); ++sample) {
      const CounterRandom random(config.train.seed, fmt::format("pixels {}", sample));
      const auto values = pixels_[sample].span<float>();
      for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(random.normal(i));
    }
  }

  /// One step with new text -> its seconds. Laying out the batch counts, as it does in training.
  double step() {
    return seconds_of([&] {
      ReplicaBatch batch =
          make_replica_batch(rt_, config_.model, samples(), batch_limits(config_), 1);
      const StepResult result = train_step(
          rt_, model_, optimizer_.get(), &batch, [&](int64_t sample) { return pixels_[sample]; },
          {true, true, false}, step_options(config_), config_.optimizer.lr);
      if (!result.updated) throw NumericError("the step updated nothing");
      ++steps_;
    });
  }

  int64_t tokens() const {
    return options_.batch * (options_.text + config_.model.visual_tokens(1));
  }

 private:
  std::vector<SampleInput> samples() const {
    const CounterRandom random(config_.train.seed, fmt::format("text {}", steps_));
    std::vector<SampleInput> samples(static_cast<size_t>(options_.batch));
    uint64_t index = 0;
    for (SampleInput& sample : samples) {
      sample.index = &sample - samples.data();
      sample.item_frames = {1};
      for (int64_t i = 0; i < options_.text; ++i) {
        sample.token_ids.push_back(static_cast<int32_t>(
            random.below(index++, static_cast<uint64_t>(config_.model.llm.vocab_size))));
        sample.scored.push_back(i > 0);
      }
    }
    return samples;
  }

  Runtime rt_;
  RunConfig config_;
  BenchOptions options_;
  LynxModel model_;
  std::unique_ptr<Optimizer> optimizer_;
  std::vector<Tensor> pixels_;
  int64_t steps_ = 0;
};

int serve(Bench* bench) {
  for (std::string line; std::getline(std::cin, line);) {
    fmt::print("{:.6f}\n", bench->step());
    std::fflush(stdout);
  }
  return 0;
}

void measure(Bench* bench, const RunConfig& config, const BenchOptions& options) {
  for (int64_t i = 0; i < options.warmup; ++i) bench->step();
  double ceiling = ceiling_of_child();
  std::vector<double> seconds;
  for (int64_t i = 0; i < options.steps; ++i) {
    const bool traced = !options.trace.empty() && i + 1 == options.steps;
    if (traced) trace::start(0);
    seconds.push_back(bench->step());
    if (traced) trace::stop_and_write(options.trace);
  }
  ceiling = std::max(ceiling, ceiling_of_child());
  const double middle = median(seconds);
  const double samples_per_s = static_cast<double>(options.batch) / middle;
  const double gflop = 1e-9 * required_flops(config.model, options.text);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print(
      "{{\"program\": \"lynceus\", \"preset\": \"{}\", \"batch\": {}, \"threads\": {}, "
      "\"micro_batch_tokens\": {}, \"step_seconds\": [{:.4f}], \"samples_per_s\": {:.3f}, "
      "\"tokens_per_s\": {:.1f}, \"gflop_per_sample\": {:.3f}, \"gflops\": {:.1f}, "
      "\"gemm_ceiling_gflops\": {:.1f}, \"share\": {:.4f}, \"peak_mib\": {:.1f}}}\n",
      options.preset, options.batch, omp_get_max_threads(), config.train.micro_batch_tokens,
      fmt::join(seconds, ", "), samples_per_s, static_cast<double>(bench->tokens()) / middle, gflop,
      gflop * samples_per_s, ceiling, gflop * samples_per_s / ceiling,
      static_cast<double>(usage.ru_maxrss) / 1024);
}

int run(const std::vector<std::string>& arguments) {
  log::set_up(0, 1, "info");
  BenchOptions options;
  bool help = false;
  const RunConfig config = read_config(arguments, &options, &help);
  if (help) return 0;
  Bench bench(config, options);
  if (options.serve) return serve(&bench);
  measure(&bench, config, options);
  return 0;
}

}  // namespace
}  // namespace lynceus

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  try {
    if (arguments == std::vector<std::string>{"--ceiling"}) {
      fmt::print("{:.2f}\n", lynceus::measure_ceiling());
      return 0;
    }
    return lynceus::run(arguments);
  } catch (const lynceus::Error& error) {
    fmt::print(stderr, "bench_step: {}\n", error.what());
    return static_cast<int>(error.code());
  }
}
