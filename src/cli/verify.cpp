#include "verify/verify.h"

#include "cli/command.h"
#include "cli/page.h"
#include "cli/runtime.h"
#include "core/log.h"
#include "parallel/agreement.h"
#include "parallel/mpi_session.h"

namespace lynceus::cli {
namespace {

constexpr const char* kHelp = R"(usage: lynceus verify [OPTION VALUE]... CASE_DIR...

Compares this build on this machine and grid with reference cases: loss, logits, every gradient,
AdamW trajectories and final parameters. Exit code 0 if all are within tolerance, 5 otherwise.

In bf16 the tolerances are: loss 5e-3 relative; all gradients together 4e-2; each gradient the larger
of 4e-2 and 3 x the error of PyTorch's bf16 for it (bf16_errors.json of the case; without this file,
gradients of one element are only compared together); losses of training steps 1 %; gradient norms
10 %. Logits, final parameters and vision features are not compared in bf16.

  lynceus verify tests/golden/prefix_image
  lynceus verify --ranks 8 --parallel.tensor 2 --parallel.pipeline 2 tests/golden/*_pad
  lynceus verify --precision bf16 tests/golden/prefix_image
  lynceus verify --tolerances

)";

struct VerifyConfig : train::MicroBatchConfig {
  bool tolerances = false;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.field("tolerances", tolerances, "print the tolerances and exit");
    v.section("train", "the training step");
    MicroBatchConfig::visit(v);
  }
};

void print_tolerances(const verify::Tolerances& t) {
  fmt::print("loss                  {:g} {}\n", t.loss,
             t.loss_is_relative ? "relative" : "absolute");
  if (t.logits) fmt::print("logits                {:g} absolute, attended rows\n", *t.logits);
  if (t.gradients_together)
    fmt::print("gradients together    {:g} relative L2\n", *t.gradients_together);
  fmt::print("gradients             {:g} relative L2, each tensor\n", t.gradient);
  if (t.times_torch > 0)
    fmt::print(
        "                      or {:g} x the error of PyTorch's bf16 for it, if larger\n"
        "                      (bf16_errors.json of the case; without this file, gradients\n"
        "                      of one element are only compared together)\n",
        t.times_torch);
  fmt::print("trajectory losses     {:g} relative\n", t.trajectory_loss);
  fmt::print("gradient norms        {:g} relative\n", t.gradient_norm);
  if (t.final_parameters)
    fmt::print(
        "final parameters      {:g} L2(found - expected) / L2(expected - start), all together\n",
        *t.final_parameters);
  fmt::print("untouched parameters  bit-equal\n");
  fmt::print("position embedding    {:g} absolute\n", t.position_embedding);
  if (t.vision_features) fmt::print("vision features       {:g} absolute\n", *t.vision_features);
}

bool print_findings(const std::string& name, const std::vector<verify::Finding>& findings,
                    bool prints) {
  bool passed = true;
  for (const verify::Finding& finding : findings) {
    passed = passed && finding.passed();
    if (prints)
      fmt::print("{:<16} {:<36} {:>10.2e} {:>10.1e}  {}{}\n", name, finding.what, finding.error,
                 finding.tolerance, finding.passed() ? "ok" : "FAILED",
                 finding.worst.empty() ? "" : "  (" + finding.worst + ")");
  }
  return passed;
}

}  // namespace

ExitCode run_verify(const Arguments& arguments) {
  train::ParallelConfig parallel_config;
  DeviceConfig device;
  device.precision = "f32";  // the precision in which the references were computed
  VerifyConfig config;
  ConfigReader reader;
  reader.add(device);
  reader.add(config);
  reader.add(parallel_config);
  const auto world = parallel::make_world();
  CommandLine line;
  parallel::agree(*world, [&] {
    line = reader.read(arguments, [&](ConfigFaults* faults) {
      device.check(faults);
      config.check(faults);
    });
    if (!line.help && !line.print_config && !config.tolerances && line.positionals.empty())
      throw UsageError("verify: expected at least one case directory, found none");
  });
  const bool prints = world->rank() == 0;
  if (print_page(line, kHelp, reader, *world)) return ExitCode::kDone;
  if (config.tolerances) {
    if (prints) print_tolerances(verify::tolerances_of(device.dtype(DeviceKind::kCpu)));
    return ExitCode::kDone;
  }

  log::set_up(world->rank(), world->size(), "info");
  const Runtime rt = make_runtime(parallel_config, device);
  verify::VerifyOptions options;
  options.step = train::step_options(parallel_config.schedule, config.recompute);
  options.micro_batch_tokens = config.micro_batch_tokens;
  options.vision_window = config.vision_window;
  options.layers = parallel_config.layers;
  if (prints)
    fmt::print("{:<16} {:<36} {:>10} {:>10}  on {}, {}\n", "case", "quantity", "error", "tolerance",
               rt.grid.shape.to_string(), describe(rt));
  bool passed = true;
  for (const std::string& directory : line.positionals) {
    const auto findings =
        verify::verify_case(rt, directory, options, verify::tolerances_of(rt.precision));
    const auto name = std::filesystem::path(directory).lexically_normal();
    passed &= print_findings((name.has_filename() ? name : name.parent_path()).filename().string(),
                             findings, prints);
  }
  if (prints) fmt::print("{}\n", passed ? "all within tolerance" : "NOT within tolerance");
  return passed ? ExitCode::kDone : ExitCode::kNumeric;
}

}  // namespace lynceus::cli
