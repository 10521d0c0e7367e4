// Invalid values and features that do not exist yet are refused before anything is opened or
// created, with one message from one rank and exit code 2.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <regex>
#include <sstream>

#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::HasSubstr;
using testing::Not;

/// The outputs of one rank and of two ranks. The run must be refused.
std::vector<Output> refused(const Arguments& more) {
  const Folder folder("config-values");
  std::vector<Output> outputs;
  for (const int ranks : {0, 2}) {
    outputs.push_back(run(train_arguments(folder / "run") + more, {.ranks = ranks}));
    EXPECT_EQ(outputs.back().code, 2) << outputs.back().all();
    EXPECT_EQ(outputs.back().messages(), 1) << outputs.back().all();
    EXPECT_FALSE(fs::exists(folder / "run"));
  }
  return outputs;
}

TEST(ConfigValues, OutOfRangeAreReportedTogether) {
  // Each value is just outside its range, and is no consequence of another.
  const std::vector<std::array<const char*, 3>> cases = {
      {"data.loader_threads", "-1", "0 to 1024"},
      {"data.max_tokens", "0", "1 or more"},
      {"data.max_bad", "1.5", "a share from 0 to 1"},
      {"bridge.num_latents", "0", "1 to 16777216"},
      {"bridge.num_layers", "0", "1 to 16777216"},
      {"bridge.num_heads", "0", "1 to 16777216"},
      {"bridge.head_dim", "-1", "1 to 16777216"},
      {"bridge.intermediate_factor", "0", "1 to 16777216"},
      {"bridge.hidden_size", "-1", "0 to 16777216"},
      {"vision.hidden_size", "0", "1 to 16777216"},
      {"vision.intermediate_size", "0", "1 to 16777216"},
      {"vision.num_layers", "0", "1 to 16777216"},
      {"vision.num_frames", "0", "1 to 16777216"},
      {"vision.layer_norm_eps", "0", "more than 0"},
      {"adapter.bottleneck_size", "-2", "0 to 16777216"},
      {"adapter.every", "-1", "0 or more"},
      {"model.num_kv_heads", "-1", "0 to 16777216"},
      {"model.vocab_size", "0", "1 to 16777216"},
      {"model.rope_theta", "0", "more than 0"},
      {"model.init_std", "-1", "0 or more"},
      {"train.steps", "0", "1 or more"},
      {"train.micro_batch_tokens", "0", "1 or more"},
      {"train.vision_window", "-1", "0 or more"},
      {"train.label_smoothing", "7", "0 or more and less than 1"},
      {"train.validate_every", "-1", "0 or more"},
      {"train.validation_samples", "-1", "0 or more"},
      {"optimizer.lr", "-1", "0 or more"},
      {"optimizer.warmup_share", "2", "a share from 0 to 1"},
      {"optimizer.beta1", "1", "0 or more and less than 1"},
      {"optimizer.beta2", "-0.5", "0 or more and less than 1"},
      {"optimizer.eps", "0", "more than 0"},
      {"optimizer.weight_decay", "-1", "0 or more"},
      {"checkpoint.keep_last", "1", "2 to 1048576"},
      {"checkpoint.every_minutes", "-1", "0 or more"},
      {"checkpoint.every", "-1", "0 or more"},
      {"log.every", "-1", "0 or more"},
      {"stop-after", "-1", "0 or more"},
      {"parallel.data", "-1", "0 to 1048576"}};
  Arguments all;
  for (const auto& [key, value, expected] : cases)
    all.push_back(fmt::format("--{}={}", key, value));
  for (const Output& output : refused(all)) {
    EXPECT_THAT(output.err, HasSubstr(fmt::format("{} faults in the configuration", cases.size())));
    for (const auto& [key, value, expected] : cases)
      EXPECT_THAT(output.err, testing::ContainsRegex(fmt::format(
                                  "{}: expected [^\n]*{}, found '?{}'?\n", key, expected, value)));
  }
}

TEST(ConfigValues, OutOfRangeAreReportedWithWhatCannotBeRead) {
  const Arguments faults = {
      "--parallel.pipline", "2",   "--train.steps",     "many", "--model.train",        "briged",
      "--precision",        "f16", "--model.num_heads", "four", "--log.every",          "-1",
      "--model.hiden_size", "64",  "--log.trace",       "x",    "--model.num_kv_heads", "3"};
  for (const Output& output : refused(faults)) {
    EXPECT_THAT(output.err, HasSubstr("8 faults in the configuration")) << output.all();
    for (const char* key :
         {"'parallel.pipline'", "train.steps: ", "found 'briged'",
          "precision: ", "model.num_heads: ", "log.every: ", "'model.hiden_size'", "log.trace: "})
      EXPECT_THAT(output.err, HasSubstr(key));
    EXPECT_THAT(output.err, Not(HasSubstr("multiple"))) << "follows from what could not be read";
  }
  for (const Output& output : refused({"--model.train", "briged"}))
    EXPECT_THAT(output.err,
                testing::StartsWith("lynceus: model.train: expected any of bridge, adapter, llm, "
                                    "found 'briged'"));
  for (const Output& output : refused({"--model.train", ""}))
    EXPECT_THAT(output.err, HasSubstr("model.train: expected something to train: "));
}

TEST(ConfigValues, TheShippedModelsOfThePaperDifferInTheirTemplateOnly) {
  const auto values_of = [](const std::string& name) {
    const Output output = run({"train", "--config", name, "--print-config"});
    EXPECT_EQ(output.code, 0) << output.all();
    std::string values;
    std::istringstream lines(output.out);
    for (std::string line; std::getline(lines, line);)
      if (!line.starts_with("prompt = ")) values += line.substr(0, line.find(" #")) + "\n";
    return std::regex_replace(values, std::regex(" +\n"), "\n");
  };
  const std::string values = values_of("lynx-7b");
  EXPECT_THAT(values, HasSubstr("num_layers = 32\n"));
  EXPECT_EQ(values_of("lynx-llama-7b"), values);
  EXPECT_EQ(values_of("lynx-vicuna-7b"), values);
}

TEST(ConfigValues, FeaturesThatDoNotExistYet) {
  const std::vector<std::pair<Arguments, std::string>> values = {
      {{"--device", "tpu"}, "device: expected auto or cpu or cuda, found 'tpu'"},
      {{"--device", "cuda"}, "device: cuda was asked for, but"},
      {{"--precision", "f16"}, "precision: expected auto or f32 or bf16, found 'f16'"},
      {{"--parallel.schedule", "interleaved"}, "expected gpipe, 1f1b or eager"}};
  for (const auto& [arguments, message] : values)
    for (const Output& output : refused(arguments)) EXPECT_THAT(output.err, HasSubstr(message));
  const Output help = run({"--help"});
  for (const char* command : {"plan", "report"}) {
    const Output output = run({command, "--help"}, {.ranks = 2});
    EXPECT_EQ(output.code, 2) << output.all();
    EXPECT_EQ(output.messages(), 1) << output.all();
    EXPECT_THAT(output.err, HasSubstr(fmt::format("expected a command, found '{}'", command)));
    EXPECT_THAT(help.out, Not(HasSubstr(command)));
  }
}

}  // namespace
}  // namespace lynceus::cli_test
