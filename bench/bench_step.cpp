// One complete training step on one rank: train_step() as `lynceus train` calls it, clip and AdamW
// included, on a model with random weights, random images already decoded and random text.
//
//   bench_step --preset mid              one JSON line
//   bench_step --preset mid --serve      one step for each line of stdin; prints its seconds
//   bench_step --preset mid --batch 8 --train.micro_batch_tokens 512
//                                        takes every key of the config
//   bench_step --device cuda --precision bf16 --preset 7b --image 420
//   bench_step --device cuda --precision bf16 --preset 7b --mix lengths
//
// On CPUs in f32: share = required work of a sample · samples/s over the better of oneDNN and
// OpenBLAS in f32 at 2048³, measured in the same run. On a device, in bf16 and for mixed lengths:
// mfu = the same over the rate of our own matrix product in the run's precision, measured in the
// same run. The work follows the formula of required_flops(), not what was executed. Needs no
// environment variables. bench/compare_step.py and bench/peers/device_step.py measure its peers.
#include <fmt/format.h>
#include <omp.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "core/accelerator.h"
#include "core/config/config.h"
#include "core/log.h"
#include "core/random.h"
#include "core/resource.h"
#include "core/trace.h"
#include "model/parameter_value.h"
#include "support/cpu_ceiling.h"
#include "support/measure.h"
#include "support/workload.h"
#include "train/run/build_model.h"
#include "train/run/run_config.h"
#include "train/step/optimizer.h"
#include "train/step/step.h"

namespace lynceus {
namespace {

using bench::SampleSize;

constexpr int64_t kLlamaVocabulary = 32001;  // the tokenizer's pieces and [PAD]

struct BenchOptions {
  bench::Place place;
  std::string preset = "mid";
  std::string mix = "none";
  int64_t batch = 64;
  int64_t text = 32;
  int64_t image = 0;
  int64_t steps = 7;
  int64_t warmup = 3;
  int64_t matrix = 0;
  bool serve = false;
  bool samples = false;
  std::string trace;

  template <typename Visitor>
  void visit(Visitor& v) {
    place.visit(v);
    v.choice("preset", preset, {"tiny", "mid", "7b"},
             "the model: configs/model/tiny.ini, mid.ini, lynx-llama-7b.ini");
    v.field("batch", batch, "samples a step");
    v.choice("mix", mix, {"none", "lengths"},
             "none: every sample one image and --text tokens; lengths: text, images and videos of "
             "many lengths");
    v.field("text", text, "text tokens a sample, all scored but the first");
    v.field("image", image, "side of the images; 0: the model's");
    v.field("steps", steps, "steps that are timed");
    v.field("warmup", warmup, "steps before them");
    v.field("matrix", matrix,
            "size of the matrix product that mfu is a share of; 0: 8192 on a device, 2048 on CPUs");
    v.field("serve", serve, "one step for each line of stdin");
    v.field("samples", samples, "print frames and text tokens of each sample, and leave");
    v.field("trace", trace, "file for a Chrome trace of the last step");
  }
  bool mixed() const { return mix == "lengths"; }
};

double seconds_of(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// ---- The step ----------------------------------------------------------------------------------

std::string config_of_preset(const std::vector<std::string>& arguments) {
  const auto preset = std::find(arguments.begin(), arguments.end(), "--preset");
  const std::string name =
      preset == arguments.end() || preset + 1 == arguments.end() ? "mid" : preset[1];
  // The reader refuses other names and lists the known ones.
  return name == "7b" ? "lynx-llama-7b" : name == "tiny" ? "tiny" : "mid";
}

/// Settings that keep a device busy, for keys that were not given: the defaults are for CPUs.
void suit_device(const ConfigReader& reader, train::RunConfig* config) {
  if (reader.origin("train.micro_batch_tokens") == "default")
    config->train.micro_batch_tokens = 4096;
  if (reader.origin("vision.images_per_pass") == "default")
    config->model.vision.images_per_pass = 32;
}

train::RunConfig read_config(const std::vector<std::string>& arguments, BenchOptions* options,
                             bool* help) {
  std::vector<std::string> all = {
      "--config", find_resource("--preset", "model", config_of_preset(arguments), ".ini").string()};
  all.insert(all.end(), arguments.begin(), arguments.end());
  train::RunConfig config;
  ConfigReader reader;
  reader.add(*options);
  reader.add(config);
  *help = reader.read(all).help;
  if (*help) fmt::print("{}", reader.help());
  model::LlmConfig& llm = config.model.llm;
  llm.vocab_size = llm.given_vocab_size.value_or(kLlamaVocabulary);
  if (options->image > 0) config.model.vision.image_size = options->image;
  if (options->batch < 1 || options->text < 2 || options->steps < 1)
    throw UsageError(
        "expected --batch and --steps of 1 or more and --text of 2 or more, found {}, {} "
        "and {}",
        options->batch, options->steps, options->text);
  if (!*help && !options->place.stream().device().is_cpu()) suit_device(reader, &config);
  ConfigFaults faults;
  config.check(&faults);
  faults.raise();
  return config;
}

std::vector<SampleSize> samples_of(const train::RunConfig& config, const BenchOptions& options) {
  return options.mixed() ? bench::mixed_samples(options.batch, config.model.vision.num_frames,
                                                config.train.seed)
                         : bench::equal_samples(options.batch, options.text);
}

/// On a device random values are copies of one tile: `initialize` would draw billions of them on
/// the host.
model::LynxModel tiled_model(const Runtime& rt, const train::RunConfig& config) {
  model::LynxModel model = model::make_lynx(
      rt, config.model, model::partition_model(config.model, 1, ""), config.train.label_smoothing);
  bench::RandomValues random(rt.stream);
  model.visit_parameters([&](Parameter& parameter) {
    const bool vector = parameter.value.rank() == 1;
    if (vector && !parameter.name.ends_with("bias"))  // norm weights and the adapters' scaling
      parameter.value.copy_from(
          Tensor::from(rt.stream, parameter.value.shape(),
                       std::vector<float>(static_cast<size_t>(parameter.value.size()), 1.0f)));
    else if (!vector)
      random.fill(parameter.value,
                  !model::in_vision_branch(parameter)
                      ? config.model.llm.init_std
                      : 1 / std::sqrt(static_cast<double>(parameter.value.cols())));
  });
  model::refresh_rounded(rt, &model);
  return model;
}

class Bench {
 public:
  Bench(const train::RunConfig& config, const BenchOptions& options)
      : rt_{options.place.stream(), parallel::make_grid({}, parallel::make_self_communicator()),
            options.place.dtype()},
        config_(config),
        options_(options),
        sizes_(samples_of(config, options)) {
    train::WeightOrigins origins;
    model_ = on_cpu() ? train::build_model(rt_, config, /*tokenizer=*/"", &origins)
                      : tiled_model(rt_, config);
    model_.pack(rt_);
    optimizer_ = std::make_unique<train::Optimizer>(rt_, &model_, config.optimizer);
    for (const SampleSize& size : sizes_) {
      reach_.any_media |= size.frames > 0;
      reach_.any_video |= size.frames > 1;
    }
    make_pixels();
    rt_.stream.synchronize();
    rt_.stream.pool()->reset_peaks();  // counts the memory of steps, not of filling the model
  }

  /// One step with new text -> its seconds. Includes laying out the batch, as in training.
  double step() {
    return seconds_of([&] {
      train::ReplicaBatch batch = train::make_replica_batch(
          rt_, config_.model,
          bench::with_text(sizes_, config_.model.llm.vocab_size, config_.train.seed, steps_),
          train::batch_limits(config_.train), 1);
      const train::StepResult result = train::train_step(
          rt_, model_, optimizer_.get(), &batch, [&](int64_t sample) { return pixels_[sample]; },
          reach_, train::step_options(config_.parallel.schedule, config_.train.recompute),
          config_.optimizer.lr);
      if (!result.updated) throw NumericError("the step updated nothing");
      ++steps_;
      rt_.stream.synchronize();
    });
  }

  const std::vector<SampleSize>& sizes() const { return sizes_; }
  const Runtime& runtime() const { return rt_; }
  bool on_cpu() const { return rt_.stream.device().is_cpu(); }

 private:
  void make_pixels() {
    const int64_t side = config_.model.vision.image_size;
    bench::RandomValues tiled(rt_.stream);
    for (size_t sample = 0; sample < sizes_.size(); ++sample) {
      pixels_.push_back(Tensor::empty(rt_.stream, {sizes_[sample].frames, 3, side, side},
                                      DType::kF32, MemoryOwner::kInput));
      if (!on_cpu()) {
        tiled.fill(pixels_[sample], 1);
        continue;
      }
      const CounterRandom random(config_.train.seed, fmt::format("pixels {}", sample));
      const auto values = pixels_[sample].span<float>();
      for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(random.normal(i));
    }
  }

  Runtime rt_;
  train::RunConfig config_;
  BenchOptions options_;
  std::vector<SampleSize> sizes_;
  train::GlobalReach reach_{true, false, false};
  model::LynxModel model_;
  std::unique_ptr<train::Optimizer> optimizer_;
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

bench::Spread timed_steps(Bench* bench, const BenchOptions& options) {
  bench::Spread seconds;
  for (int64_t i = 0; i < options.steps; ++i) {
    const bool traced = !options.trace.empty() && i + 1 == options.steps;
    if (traced) trace::start(0);
    seconds.samples.push_back(bench->step());
    if (traced) trace::stop_and_write(options.trace);
  }
  return seconds;
}

double resident_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

/// CPUs in f32, equal samples: the figures of bench/compare_step.py and bench/results/.
void measure_plain(Bench* bench, const train::RunConfig& config, const BenchOptions& options) {
  for (int64_t i = 0; i < options.warmup; ++i) bench->step();
  double ceiling = bench::cpu_ceiling_of_child();
  const bench::Spread seconds = timed_steps(bench, options);
  ceiling = std::max(ceiling, bench::cpu_ceiling_of_child());
  const double middle = seconds.median();
  const double samples_per_s = static_cast<double>(options.batch) / middle;
  const double gflop = 1e-9 * bench::required_flops(config.model, bench->sizes().front());
  fmt::print(
      "{{\"program\": \"lynceus\", \"preset\": \"{}\", \"batch\": {}, \"threads\": {}, "
      "\"micro_batch_tokens\": {}, \"step_seconds\": [{:.4f}], \"samples_per_s\": {:.3f}, "
      "\"tokens_per_s\": {:.1f}, \"gflop_per_sample\": {:.3f}, \"gflops\": {:.1f}, "
      "\"gemm_ceiling_gflops\": {:.1f}, \"share\": {:.4f}, \"peak_mib\": {:.1f}}}\n",
      options.preset, options.batch, omp_get_max_threads(), config.train.micro_batch_tokens,
      fmt::join(seconds.samples, ", "), samples_per_s,
      static_cast<double>(bench::rows_of(config.model, bench->sizes())) / middle, gflop,
      gflop * samples_per_s, ceiling, gflop * samples_per_s / ceiling, resident_mib());
}

/// Rates of our matrix product before and after the steps: the better median is the ceiling.
bench::Spread better(const bench::Spread& a, const bench::Spread& b) {
  return a.median() > b.median() ? a : b;
}

/// Peak bytes of tensors by purpose, and the memory that the device has less at the end than at the
/// start. The device runtime never returns memory, so the latter is comparable with other programs.
bench::Json memory(const Bench& bench, size_t free_at_start) {
  constexpr double kMiB = 1.0 / (1 << 20);
  const MemoryPool& pool = *bench.runtime().stream.pool();
  bench::Json peaks;
  for (size_t i = 0; i < kMemoryOwners; ++i) {
    const auto owner = static_cast<MemoryOwner>(i);
    peaks[name_of(owner)] = static_cast<double>(pool.peak_bytes(owner)) * kMiB;
  }
  bench::Json json{{"peaks_mib", peaks}};
  if (bench.on_cpu()) {
    json["peak_mib"] = resident_mib();
    return json;
  }
  const size_t free_at_end = accelerator::free_bytes(bench.runtime().stream.device().index);
  json["peak_mib"] =
      static_cast<double>(free_at_start - std::min(free_at_start, free_at_end)) * kMiB;
  return json;
}

void measure(Bench* bench, const train::RunConfig& config, const BenchOptions& options,
             size_t free_at_start) {
  const Runtime& rt = bench->runtime();
  for (int64_t i = 0; i < options.warmup; ++i) bench->step();
  const bench::Spread seconds = timed_steps(bench, options);
  const bench::Json peak = memory(*bench, free_at_start);
  const int64_t size = options.matrix > 0 ? options.matrix : bench->on_cpu() ? 2048 : 8192;
  const bench::Spread rate = better(bench::matrix_rate(rt.stream, rt.precision, size),
                                    bench::matrix_rate(rt.stream, rt.precision, size));
  const double middle = seconds.median();
  const int64_t rows = bench::rows_of(config.model, bench->sizes());
  const double flops = bench::required_flops(config.model, bench->sizes());
  int64_t pictures = 0;
  for (const SampleSize& sample : bench->sizes()) pictures += sample.frames;
  bench::Json line{{"figure", "step"},
                   {"program", "lynceus"},
                   {"device", bench::name_of(rt.stream.device())},
                   {"precision", name_of(rt.precision)},
                   {"preset", options.preset},
                   {"layers", config.model.llm.num_layers},
                   {"vision_layers", config.model.vision.num_layers},
                   {"image", config.model.vision.image_size},
                   {"mix", options.mix},
                   {"batch", options.batch},
                   {"rows", rows},
                   {"pictures", pictures},
                   {"micro_batch_tokens", config.train.micro_batch_tokens},
                   {"images_per_pass", config.model.vision.images_per_pass},
                   {"recompute", config.train.recompute},
                   {"step_seconds", seconds.samples},
                   {"seconds", seconds.json()},
                   {"samples_per_s", static_cast<double>(options.batch) / middle},
                   {"tokens_per_s", static_cast<double>(rows) / middle},
                   {"tflop_per_step", 1e-12 * flops},
                   {"tflops", 1e-12 * flops / middle},
                   {"matrix_size", size},
                   {"matrix_tflops", rate.json(1e-12)},
                   {"mfu", flops / middle / rate.median()}};
  line.update(peak);
  bench::print_line(line);
}

int run(const std::vector<std::string>& arguments) {
  log::set_up(0, 1, "info");
  BenchOptions options;
  bool help = false;
  const train::RunConfig config = read_config(arguments, &options, &help);
  if (help) return 0;
  if (options.samples) {
    for (const SampleSize& sample : samples_of(config, options))
      fmt::print("{} {}\n", sample.frames, sample.text);
    return 0;
  }
  const Device device = options.place.stream().device();
  const size_t free_at_start = device.is_cpu() ? 0 : accelerator::free_bytes(device.index);
  Bench bench(config, options);
  if (options.serve) return serve(&bench);
  if (bench.on_cpu() && options.place.dtype() == DType::kF32 && !options.mixed())
    measure_plain(&bench, config, options);
  else
    measure(&bench, config, options, free_at_start);
  return 0;
}

}  // namespace
}  // namespace lynceus

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return lynceus::bench::guarded("bench_step", [&] {
    if (arguments != std::vector<std::string>{"--ceiling"}) return lynceus::run(arguments);
    fmt::print("{:.2f}\n", lynceus::bench::measure_cpu_ceiling());
    return 0;
  });
}
