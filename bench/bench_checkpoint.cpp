// What a checkpoint costs: the time of a step while one is written, the time for which training
// stops, and the rate at which it is written, compared with dd in the same run.
//
//   bench_checkpoint --folder DIR                one JSON line; DIR is on the file system in question
//   mpirun -n 2 bench_checkpoint --folder DIR    two replicas
//
// Steps alternate: some without a save, then steps while a save is written beside them, as
// `lynceus train` does it, until there are enough of both. A step counts as beside a save only if
// the save ran until its end on all ranks. Afterwards saves that nothing runs beside alternate with
// `dd conv=fsync` of as many bytes, each into a folder of its own; neither has anything to remove.
//
// The cost of a checkpoint is the snapshot, and what steps lose while it is written; its share is
// that of the automatic interval (train/save/save_interval.h).
#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/config/config.h"
#include "core/log.h"
#include "core/resource.h"
#include "io/checkpoint/writer.h"
#include "io/files/hdf5_start.h"
#include "parallel/mpi_session.h"
#include "support/measure.h"
#include "support/workload.h"
#include "train/run/build_model.h"
#include "train/run/run_config.h"
#include "train/save/background_save.h"
#include "train/save/save_interval.h"
#include "train/step/step.h"

namespace lynceus {
namespace {

namespace fs = std::filesystem;

struct BenchOptions {
  std::string preset = "mid";
  std::string folder = "bench-checkpoint";
  int64_t batch = 4;
  int64_t text = 32;
  int64_t steps = 20;
  int64_t rounds = 5;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.choice("preset", preset, {"tiny", "mid"}, "the model");
    v.field("folder", folder, "where checkpoints are written; made, and removed at the end");
    v.field("batch", batch, "samples of a step on each rank, each with one image");
    v.field("text", text, "text tokens of a sample");
    v.field("steps", steps, "steps that are timed with a save, and without one, at least");
    v.field("rounds", rounds, "saves alone, and runs of dd");
  }
};

double seconds_of(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

class Bench {
 public:
  Bench(Runtime rt, const train::RunConfig& config, const BenchOptions& options)
      : rt_(std::move(rt)),
        config_(config),
        options_(options),
        sizes_(bench::equal_samples(options.batch, options.text)) {
    train::WeightOrigins origins;
    model_ = train::build_model(rt_, config, /*tokenizer=*/"", &origins);
    model_.pack(rt_);
    optimizer_ = std::make_unique<train::Optimizer>(rt_, &model_, config.optimizer);
    const int64_t side = config.model.vision.image_size;
    bench::RandomValues random(rt_.stream);
    pixels_ = random.normal({1, 3, side, side}, DType::kF32, 1, MemoryOwner::kInput);
    for (const train::TrainedParameter& trained : optimizer_->parameters()) {
      tensors_.push_back(io::checkpoint_tensor(*trained.parameter));
      tensors_.push_back(io::checkpoint_tensor(*trained.parameter, "m", trained.m));
      tensors_.push_back(io::checkpoint_tensor(*trained.parameter, "v", trained.v));
    }
  }

  double step() {
    return seconds_of([&] {
      train::ReplicaBatch batch = train::make_replica_batch(
          rt_, config_.model,
          bench::with_text(sizes_, config_.model.llm.vocab_size, config_.train.seed, steps_),
          train::batch_limits(config_.train), 1);
      train::train_step(
          rt_, model_, optimizer_.get(), &batch, [&](int64_t) { return pixels_; },
          {true, true, false},
          train::step_options(config_.parallel.schedule, config_.train.recompute),
          config_.optimizer.lr);
      ++steps_;
    });
  }

  void measure_steps();
  void measure_writing();
  void print();

 private:
  bool is_first() const { return rt_.grid.world->rank() == 0; }
  fs::path run_directory(const std::string& name) const { return fs::path(options_.folder) / name; }
  void remove(const fs::path& path) const {
    rt_.grid.world->barrier();
    if (is_first()) fs::remove_all(path);
    rt_.grid.world->barrier();
  }
  io::Manifest manifest() const {
    io::Manifest manifest;
    manifest.step = steps_;
    return manifest;
  }
  double dd(uint64_t bytes);

  Runtime rt_;
  train::RunConfig config_;
  BenchOptions options_;
  std::vector<bench::SampleSize> sizes_;
  model::LynxModel model_;
  std::unique_ptr<train::Optimizer> optimizer_;
  Tensor pixels_;
  std::vector<io::CheckpointTensor> tensors_;
  int64_t steps_ = 0;
  uint64_t bytes_ = 0;
  bench::Spread step_, step_beside_, snapshot_, beside_, alone_, dd_;
};

void Bench::measure_steps() {
  constexpr int64_t kTogether = 5;
  io::CheckpointStore store(*rt_.grid.saving, {.run_directory = run_directory("beside")});
  const io::TrialResult trial = store.try_out(tensors_);
  bytes_ = trial.checkpoint_bytes;
  const io::StagingMemory memory(rt_.stream, trial.staging_bytes);
  const auto missing = [&](const bench::Spread& spread) {
    return static_cast<int64_t>(spread.samples.size()) < options_.steps;
  };
  for (int i = 0; i < 3; ++i) step();
  constexpr size_t kManySaves = 50;
  while (missing(step_) || missing(step_beside_)) {
    if (snapshot_.samples.size() > kManySaves && step_beside_.samples.empty())
      throw UsageError("a save ends within a step: give a smaller --batch or a larger --preset");
    for (int64_t i = 0; i < kTogether; ++i) step_.samples.push_back(step());
    io::Snapshot snapshot;
    train::BackgroundSave save;
    snapshot_.samples.push_back(
        seconds_of([&] { snapshot = store.take_snapshot(manifest(), tensors_, memory); }));
    save.begin(steps_, [&] { return store.save(snapshot); });
    while (true) {
      const double seconds = step();
      if (rt_.grid.world->all_reduce(int64_t{save.is_finished()}, parallel::ReduceOp::kMax) != 0)
        break;
      step_beside_.samples.push_back(seconds);
    }
    const io::SaveResult result = save.take();
    if (!result.committed) throw IoError("{}", result.message);
    beside_.samples.push_back(result.seconds);
  }
  remove(run_directory("beside"));
}

double Bench::dd(uint64_t bytes) {
  const fs::path file = fs::path(options_.folder) / "dd";
  const std::string command =
      fmt::format("dd if=/dev/zero of='{}' bs=4M count={} iflag=count_bytes conv=fsync 2>/dev/null",
                  file.string(), bytes);
  const double seconds = seconds_of([&] {
    if (std::system(command.c_str()) != 0) throw IoError("{}: dd failed", file.string());
  });
  fs::remove(file);
  return seconds;
}

void Bench::measure_writing() {
  for (int64_t round = 0; round <= options_.rounds; ++round) {
    const fs::path path = run_directory(fmt::format("alone-{}", round));
    double seconds = 0;
    {
      io::CheckpointStore store(*rt_.grid.saving, {.run_directory = path});
      const io::SaveResult result = store.save(manifest(), tensors_);
      if (!result.committed) throw IoError("{}", result.message);
      seconds = result.seconds;
    }
    remove(path);
    double plain = 0;
    if (is_first()) plain = dd(bytes_);
    rt_.grid.world->barrier();
    if (round == 0) continue;  // the first large write after a pause is slow
    alone_.samples.push_back(seconds);
    dd_.samples.push_back(plain);
  }
}

std::string load_average() {
  std::ifstream in("/proc/loadavg");
  std::string one, five;
  in >> one >> five;
  return one + " " + five;
}

void Bench::print() {
  if (!is_first()) return;
  const double ratio = step_beside_.median() / step_.median();
  const double lost = std::max(0.0, ratio - 1) * beside_.median();
  const double cost = snapshot_.median() + lost;
  const auto share = [&](double mtbf_hours) {
    const double minutes = train::young_minutes(snapshot_.median(), beside_.median(), mtbf_hours);
    return bench::Json{{"mtbf_hours", mtbf_hours},
                       {"interval_minutes", minutes},
                       {"cost_percent", 100 * cost / (60 * minutes)}};
  };
  const double bytes = static_cast<double>(bytes_);
  bench::Spread rate, dd_rate;
  for (const double seconds : alone_.samples) rate.samples.push_back(bytes / seconds);
  for (const double seconds : dd_.samples) dd_rate.samples.push_back(bytes / seconds);
  bench::print_line({{"figure", "checkpoint"},
                     {"preset", options_.preset},
                     {"ranks", rt_.grid.world->size()},
                     {"threads", omp_get_max_threads()},
                     {"batch", options_.batch},
                     {"mib", bytes / (1 << 20)},
                     {"steps", step_.samples.size()},
                     {"steps_while_saving", step_beside_.samples.size()},
                     {"step_seconds", step_.json()},
                     {"step_seconds_while_saving", step_beside_.json()},
                     {"ratio", ratio},
                     {"snapshot_seconds", snapshot_.json()},
                     {"save_seconds_beside_steps", beside_.json()},
                     {"save_seconds_alone", alone_.json()},
                     {"gb_per_s", rate.json(1e-9)},
                     {"dd_gb_per_s", dd_rate.json(1e-9)},
                     {"share_of_dd", rate.median() / dd_rate.median()},
                     {"cost_seconds", cost},
                     {"automatic", {share(train::published_mtbf_hours(1)), share(24)}},
                     {"load_average", load_average()}});
}

int run(const std::vector<std::string>& arguments) {
  auto world = parallel::make_world();
  log::set_up(world->rank(), world->size(), "info");
  BenchOptions options;
  train::RunConfig config;
  ConfigReader reader;
  reader.add(options);
  reader.add(config);
  const auto preset = std::find(arguments.begin(), arguments.end(), "--preset");
  const std::string name =
      preset == arguments.end() || preset + 1 == arguments.end() ? "mid" : preset[1];
  std::vector<std::string> all = {"--config",
                                  find_resource("--preset", "model", name, ".ini").string()};
  all.insert(all.end(), arguments.begin(), arguments.end());
  if (reader.read(all).help) {
    fmt::print("{}", reader.help());
    return 0;
  }
  config.model.llm.vocab_size = config.model.llm.given_vocab_size.value_or(32001);
  ConfigFaults faults;
  config.check(&faults);
  faults.raise();
  const int ranks = world->size();
  if (world->rank() == 0) fs::create_directories(options.folder);
  Runtime rt(Stream(), parallel::make_grid({1, 1, ranks}, std::move(world)));
  Bench bench(std::move(rt), config, options);
  bench.measure_steps();
  bench.measure_writing();
  bench.print();
  return 0;
}

}  // namespace
}  // namespace lynceus

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  lynceus::parallel::MpiSession session(&argc, &argv);
  try {
    lynceus::io::start_hdf5();
    return lynceus::run(arguments);
  } catch (const lynceus::Error& error) {
    fmt::print(stderr, "bench_checkpoint: {}\n", error.what());
    lynceus::parallel::MpiSession::abort(static_cast<int>(error.code()));
  }
}
