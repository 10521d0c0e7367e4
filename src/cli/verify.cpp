// lynceus verify: this build, on this machine and grid, against reference cases.
#include "evaluate/verify.h"
#include "cli/command.h"
#include "core/log.h"

namespace lynceus::cli {
namespace {

constexpr const char* kHelp = R"(usage: lynceus verify [options] CASE_DIR...

Compares this build with reference cases: loss, logits, every gradient, AdamW trajectories and final
parameters, on any grid. Exit code 0 when all are within tolerance, 5 when one is not.

  lynceus verify tests/golden/prefix_image
  mpirun -n 8 lynceus verify --parallel.tensor 2 --parallel.pipeline 2 tests/golden/*_pad
  lynceus verify --tolerances

)";

struct VerifyConfig {
  bool tolerances = false;
  int64_t micro_batch_tokens = 4096;
  int64_t vision_window = 0;
  std::string recompute = "none";

  template <typename Visitor>
  void visit(Visitor& v) {
    v.field("tolerances", tolerances, "print what the comparison must reach, and leave");
    v.section("train", "how the step runs");
    v.field("train.micro_batch_tokens", micro_batch_tokens, "rows packed into one micro-batch");
    v.field("train.vision_window", vision_window, "micro-batches whose media is encoded together");
    v.choice("train.recompute", recompute, {"none", "layer"}, "what backward computes again");
  }
};

void print_tolerances(const Tolerances& t) {
  fmt::print("loss                  {:g} absolute\n", t.loss);
  fmt::print("logits                {:g} absolute, attended rows\n", t.logits);
  fmt::print("gradients             {:g} relative L2, each tensor\n", t.gradient);
  fmt::print("trajectory losses     {:g} relative\n", t.trajectory_loss);
  fmt::print("gradient norms        {:g} relative\n", t.gradient_norm);
  fmt::print(
      "final parameters      {:g} L2(ours - expected) / L2(expected - start), all together\n",
      t.final_parameters);
  fmt::print("untouched parameters  equal to the bit\n");
  fmt::print("vision features       {:g} absolute\n", t.vision_features);
}

bool print_findings(const std::string& name, const std::vector<Finding>& findings, bool speaks) {
  bool passed = true;
  for (const Finding& finding : findings) {
    passed = passed && finding.passed();
    if (speaks)
      fmt::print("{:<16} {:<36} {:>10.2e} {:>10.0e}  {}{}\n", name, finding.what, finding.error,
                 finding.tolerance, finding.passed() ? "ok" : "FAILED",
                 finding.worst.empty() ? "" : "  (" + finding.worst + ")");
  }
  return passed;
}

}  // namespace

ExitCode run_verify(const Arguments& arguments) {
  ParallelConfig parallel_config;
  DeviceConfig device;
  VerifyConfig config;
  ConfigReader reader;
  reader.add(config);
  reader.add(device);
  reader.add(parallel_config);
  const auto world = parallel::make_world();
  CommandLine line;
  parallel::agree(*world, [&] {
    line = reader.read(arguments);
    device.validate();
    if (!line.help && !line.print_config && !config.tolerances && line.positionals.empty())
      throw UsageError("verify: expected one case directory at least, found none");
  });
  const bool speaks = world->rank() == 0;
  if (line.help || line.print_config) {
    if (speaks)
      fmt::print("{}{}", line.help ? kHelp : "", line.help ? reader.help() : reader.print());
    return ExitCode::kDone;
  }
  if (config.tolerances) {
    if (speaks) print_tolerances(Tolerances{});
    return ExitCode::kDone;
  }

  log::set_up(world->rank(), world->size(), "info");
  const Runtime rt = make_runtime(parallel_config, device);
  VerifyOptions options;
  options.step.schedule = parallel::parse_schedule_kind(parallel_config.schedule);
  options.step.recompute = config.recompute == "layer" ? Recompute::kLayer : Recompute::kNone;
  options.micro_batch_tokens = config.micro_batch_tokens;
  options.vision_window = config.vision_window;
  options.layers = parallel_config.layers;
  if (speaks)
    fmt::print("{:<16} {:<36} {:>10} {:>10}  on {}, {}\n", "case", "quantity", "error", "tolerance",
               rt.grid.shape.to_string(), describe(rt));
  bool passed = true;
  for (const std::string& directory : line.positionals) {
    const auto findings = verify_case(rt, directory, options, Tolerances{});
    const auto name = std::filesystem::path(directory).lexically_normal();
    passed &= print_findings((name.has_filename() ? name : name.parent_path()).filename().string(),
                             findings, speaks);
  }
  if (speaks) fmt::print("{}\n", passed ? "all within tolerance" : "NOT within tolerance");
  return passed ? ExitCode::kDone : ExitCode::kNumeric;
}

}  // namespace lynceus::cli
