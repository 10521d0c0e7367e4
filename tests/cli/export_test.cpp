// `export` writes the trained weights: a run that starts from them has the same bits, names and
// shapes are those of the released code, and a failed export leaves no files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "io/weights/safetensors.h"
#include "io/weights/weight_files.h"
#include "io/weights/weights.h"
#include "model/load_weights.h"
#include "run_program.h"
#include "train/run/weight_origins.h"
#include "verify/reference_case.h"

namespace lynceus::cli_test {
namespace {

using testing::HasSubstr;

const Arguments kTrainAll = {"--model.train", "bridge,adapter,llm"};
/// A step that changes no weight.
const Arguments kStill = {
    "--train.steps", "1", "--optimizer.lr", "0", "--optimizer.warmup_start_lr", "0"};

/// Every tensor of a file, as f32.
std::map<std::string, std::vector<float>> tensors_of(const fs::path& file) {
  const io::WeightSourcePtr source = io::open_weights(file);
  std::map<std::string, std::vector<float>> tensors;
  for (const std::string& name : source->names())
    tensors[name] = source->read_whole(Stream{}, name).to_vector<float>();
  return tensors;
}

class Export : public testing::Test {
 protected:
  Output train(const std::string& name, const Arguments& more) const {
    const Output output = run(train_arguments(folder_ / name) + more);
    EXPECT_EQ(output.code, 0) << output.all();
    return output;
  }
  Output export_run(const std::string& name, const std::string& output, const Arguments& more = {},
                    const Launch& launch = {}) const {
    return run(
        Arguments{"export", "--checkpoint", folder_ / name, "--output", folder_ / output} + more,
        launch);
  }
  std::vector<std::string> values_of(const std::string& name, int64_t step) const {
    return digests_of(folder_ / name, step, "/value");
  }
  void expect_nothing(const std::string& output) const {
    for (const char* ending : {"", ".partial", ".replaced"})
      EXPECT_FALSE(fs::exists(folder_ / (output + ending))) << output << ending;
  }

  const Folder folder_{"export"};
};

TEST_F(Export, ARunThatStartsFromItHasTheSameBits) {
  train("run", {"--train.steps", "2"});
  const Output whole = export_run("run", "whole");
  ASSERT_EQ(whole.code, 0) << whole.all();
  EXPECT_THAT(whole.out,
              HasSubstr("the weights of the frozen llm are not included: it has random values\n"));
  const Output cut = export_run("run/checkpoints/step-00000002", "cut", {"--shard-gib", "1e-5"});
  ASSERT_EQ(cut.code, 0) << cut.all();
  EXPECT_FALSE(fs::exists(folder_ / "cut" / "model.safetensors"));

  train("from-whole", kStill + Arguments{"--init", folder_ / "whole" / "model.safetensors"});
  train("from-cut", kStill + Arguments{"--init", folder_ / "cut" / "model.safetensors.index.json"});
  train("other", kStill);
  EXPECT_EQ(values_of("from-whole", 1), values_of("run", 2));
  EXPECT_EQ(values_of("from-cut", 1), values_of("run", 2));
  EXPECT_NE(values_of("other", 1), values_of("run", 2));
}

TEST_F(Export, MergedIsADirectoryOfWeights) {
  train("run", kTrainAll + Arguments{"--train.steps", "2"});
  ASSERT_EQ(export_run("run", "merged", {"--what", "merged", "--shard-gib", "1e-5"}).code, 0);
  EXPECT_TRUE(fs::exists(folder_ / "merged" / "lynx.safetensors.index.json"));
  const Output again = export_run("run", "merged", {"--what", "merged", "--overwrite"});
  ASSERT_EQ(again.code, 0) << again.all();
  EXPECT_FALSE(fs::exists(folder_ / "merged" / "lynx.safetensors.index.json"));
  EXPECT_EQ(io::read_text(folder_ / "merged" / "tokenizer.model"),
            io::read_text(shapes_data() / "tokenizer.model"));

  const auto text = [&](const char* file) { return io::read_text(folder_ / "merged" / file); };
  EXPECT_EQ(text("added_tokens.json"), "{\n  \"[PAD]\": 320\n}\n");
  EXPECT_EQ(text("special_tokens_map.json"),
            "{\n  \"bos_token\": \"<s>\",\n  \"eos_token\": \"</s>\",\n  \"unk_token\": "
            "\"<unk>\",\n  \"pad_token\": \"[PAD]\"\n}\n");
  EXPECT_EQ(text("generation_config.json"),
            "{\n  \"bos_token_id\": 1,\n  \"eos_token_id\": 2,\n  \"pad_token_id\": 320\n}\n");
  EXPECT_THAT(text("tokenizer_config.json"),
              testing::AllOf(HasSubstr("\"tokenizer_class\": \"LlamaTokenizer\""),
                             HasSubstr("\"add_bos_token\": true"), HasSubstr("\"legacy\": true"),
                             HasSubstr("\"pad_token\": \"[PAD]\"")));

  const Arguments use = {"--model.weights", folder_ / "merged", "--init",
                         folder_ / "merged" / "lynx.safetensors"};
  train("again", kTrainAll + kStill + use);
  EXPECT_EQ(values_of("again", 1), values_of("run", 2));

  // The frozen LLM of a later stage comes from the checkpoint or the files that it was read from.
  train("stage", Arguments{"--train.steps", "1", "--init", checkpoint(folder_ / "run", 2)});
  train("frozen", Arguments{"--train.steps", "1"} + use);
  for (const char* name : {"stage", "frozen"}) {
    const Output output = export_run(name, std::string(name) + "-merged", {"--what", "merged"});
    ASSERT_EQ(output.code, 0) << output.all();
    EXPECT_EQ(tensors_of(folder_ / (std::string(name) + "-merged") / "model.safetensors"),
              tensors_of(folder_ / "merged" / "model.safetensors"));
  }
  fs::resize_file(folder_ / "merged" / "config.json",
                  fs::file_size(folder_ / "merged" / "config.json") - 1);
  const Output changed = export_run("frozen", "changed", {"--what", "merged"});
  EXPECT_EQ(changed.code, 3) << changed.all();
  EXPECT_THAT(changed.err, HasSubstr("not what the checkpoint was trained with: expected digest "));
  expect_nothing("changed");
}

TEST_F(Export, WhatALaterStageFroze) {
  train("first", kTrainAll + Arguments{"--train.steps", "2"});
  ASSERT_EQ(export_run("first", "first-out").code, 0);
  const auto before = tensors_of(folder_ / "first-out" / "model.safetensors");
  const fs::path origin = checkpoint(folder_ / "first", 2);
  for (const std::string trained : {"adapter,llm", "bridge,llm", "llm"}) {
    SCOPED_TRACE(trained);
    train(trained, {"--train.steps", "1", "--init", origin, "--model.train", trained});
    const Output own = export_run(trained, trained + "-out");
    ASSERT_EQ(own.code, 0) << own.all();
    const Output merged = export_run(trained, trained + "-merged", {"--what", "merged"});
    ASSERT_EQ(merged.code, 0) << merged.all();
    const auto after = tensors_of(folder_ / (trained + "-out") / "model.safetensors");
    auto lynx = tensors_of(folder_ / (trained + "-merged") / "lynx.safetensors");
    for (const std::string module : {"bridge", "adapter"}) {
      const bool frozen = trained.find(module) == std::string::npos;
      const std::string sentence =
          fmt::format("the weights of the frozen {} are not included: it was loaded from ", module);
      EXPECT_EQ(own.out.find(sentence + origin.string() + "\n") != std::string::npos, frozen);
      EXPECT_THAT(merged.out, testing::Not(HasSubstr(sentence)));
      int changed = 0;
      for (const auto& [name, values] : before) {
        if (name_of(model::module_of(name)) != module) continue;
        EXPECT_EQ(after.contains(name), !frozen) << name;
        EXPECT_EQ(lynx.at(name), frozen ? values : after.at(name)) << name;
        changed += lynx.at(name) != values ? 1 : 0;
        lynx.erase(name);
      }
      EXPECT_EQ(changed > 0, !frozen) << module;
    }
    EXPECT_TRUE(lynx.empty()) << lynx.begin()->first;
  }
  // Another checkpoint in its place is recognized.
  train("other", kTrainAll + Arguments{"--train.steps", "2", "--train.seed", "3"});
  fs::rename(origin, folder_ / "aside");
  fs::rename(checkpoint(folder_ / "other", 2), origin);
  const Output replaced = export_run("llm", "replaced", {"--what", "merged"});
  EXPECT_EQ(replaced.code, 3) << replaced.all();
  EXPECT_THAT(replaced.err,
              HasSubstr("not what the checkpoint was trained with: expected digest "));
  expect_nothing("replaced");
}

TEST_F(Export, WhatCannotBeExportedLeavesNothing) {
  train("run", {"--train.steps", "1"});
  const auto expect_refused = [&](const Output& output, int code, const std::string& message) {
    EXPECT_EQ(output.code, code) << output.all();
    EXPECT_EQ(output.messages(), 1) << output.all();
    EXPECT_THAT(output.err, HasSubstr(message));
  };
  expect_refused(run({"export"}), 2, "checkpoint: expected a run or a checkpoint, found none");
  expect_refused(export_run("gone", "out"), 3,
                 "expected a checkpoint or a run, found no such directory");
  fs::create_directories(folder_ / "empty");
  expect_refused(export_run("empty", "out"), 3, "expected a checkpoint or a run, found neither");
  fs::create_directories(folder_ / "begun" / "checkpoints");
  expect_refused(export_run("begun", "out"), 3,
                 "begun/checkpoints (train writes one every checkpoint.every_minutes and "
                 "checkpoint.every, at --stop-after and at the end)");
  expect_refused(export_run("run", "out", {"--what", "merged"}), 3,
                 "its LLM has random values that were never trained, so it cannot be merged");
  expect_refused(export_run("run", "out", {}, {.ranks = 2}), 2,
                 "export: expected one rank, found 2");
  // `ulimit` counts blocks of 512 bytes.
  expect_refused(export_run("run", "out", {}, {.shell = "ulimit -f 8; exec \"$@\""}), 4,
                 "out.partial/model.safetensors.tmp");
  expect_nothing("out");

  ASSERT_EQ(export_run("run", "out").code, 0);
  expect_refused(export_run("run", "out"), 2, "already exists (--overwrite replaces it)");
  EXPECT_EQ(export_run("run", "out", {"--overwrite"}).code, 0);
  std::ofstream(folder_ / "out" / "notes.txt") << "mine";
  expect_refused(export_run("run", "out", {"--overwrite"}), 2,
                 "cannot be replaced: it was not written by an export");
  EXPECT_TRUE(fs::exists(folder_ / "out" / "model.safetensors"));

  // One bit of one value in the checkpoint.
  const auto latents = tensors_of(folder_ / "out" / "model.safetensors").at("bridge.latents");
  const std::string bytes(reinterpret_cast<const char*>(latents.data()), 64);
  const fs::path state = checkpoint(folder_ / "run", 1) / "state.h5";
  std::string text = io::read_text(state);
  const size_t at = text.find(bytes);
  ASSERT_NE(at, std::string::npos);
  text[at] = static_cast<char>(text[at] ^ 1);
  std::ofstream(state, std::ios::binary) << text;
  expect_refused(export_run("run", "damaged"), 3, "bridge.latents/value is damaged in rows 0 to ");
  expect_nothing("damaged");
}

/// The sizes of a model as options.
struct AsOptions {
  Arguments options;

  void section(const std::string&, const std::string&) {}
  template <typename Value>
  void field(const std::string& key, Value& value, const std::string&) {
    options.push_back(fmt::format("--{}={}", key, value));
  }
  void field(const std::string&, std::optional<int64_t>&, const std::string&) {}
  void field(const std::string&, std::string&, const std::string&) {}
  void choice(const std::string& key, std::string& value, std::vector<std::string>,
              const std::string&) {
    options.push_back(fmt::format("--{}={}", key, value));
  }
};

/// load_state_dict(strict=False) of the released code would report no unexpected key, no other
/// shape, and only frozen keys as missing. The weights of a case are the complete state dict of
/// that code.
TEST_F(Export, NamesAndShapesAreThoseOfTheReleasedStateDict) {
  for (const std::string name : {"prefix_image", "prefix_video", "bridge_affine", "bridge_mlp"}) {
    verify::ReferenceCase reference =
        verify::read_reference_case(fs::path(LYNCEUS_SOURCE_DIR) / "tests/golden" / name, Stream{});
    AsOptions model;
    reference.model.visit(model);
    train(name, model.options + Arguments{"--train.steps", "1"});
    ASSERT_EQ(export_run(name, name + "-out").code, 0);
    const io::SafetensorsFile exported(folder_ / (name + "-out") / "model.safetensors");
    for (const io::SafetensorsEntry& entry : exported.entries()) {
      ASSERT_TRUE(reference.weights->has(entry.name)) << name << ": unexpected " << entry.name;
      EXPECT_EQ(entry.shape, reference.weights->shape(entry.name)) << name << ": " << entry.name;
    }
    for (const std::string& key : reference.weights->names())
      EXPECT_TRUE(exported.has(key) || model::module_of(key) == Module::kLlm ||
                  model::module_of(key) == Module::kVision)
          << name << ": missing " << key;
  }
}

}  // namespace
}  // namespace lynceus::cli_test
