#include "cli/train_options.h"

#include <fmt/ranges.h>

#include <filesystem>
#include <system_error>

#include "core/resource.h"

namespace lynceus::cli {
namespace {

/// Without any of these keys the model would be a LLaMA-7B with random values.
void expect_model(const ConfigReader& reader, const std::string& run) {
  for (const char* key : {"model.weights", "model.hidden_size", "model.intermediate_size",
                          "model.num_layers", "model.num_heads"})
    if (reader.origin(key) != "default") return;
  const std::string earlier = run + "/config.ini";
  std::error_code ignored;
  throw UsageError(
      "train: expected a model, found none: --config NAME names a shipped one ({}) or a file, "
      "--model.weights the LLM's weights{}",
      fmt::join(shipped_configs("model"), ", "),
      std::filesystem::is_regular_file(earlier, ignored)
          ? fmt::format("; --config {} is what the run {} has used", earlier, run)
          : "");
}

}  // namespace

CommandLine TrainOptions::read(const Arguments& arguments) {
  const CommandLine line = reader.read(arguments, [&](ConfigFaults* faults) {
    device.check(faults);
    config.check(faults);
  });
  reader.check_keys("allow-change", config.options.allow_change);
  if (!line.help && !line.positionals.empty())
    throw UsageError("train: unexpected argument '{}'; options begin with --",
                     line.positionals.front());
  if (!line.help && !line.print_config) expect_model(reader, config.options.run);
  return line;
}

}  // namespace lynceus::cli
