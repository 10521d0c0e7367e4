// `--init FILE`: what a file of weights has of frozen modules is compared with the run, or taken
// with --init-frozen and found again by a resume and an export.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/weights/safetensors_writer.h"
#include "io/weights/weight_files.h"
#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;

/// A file with bridge, adapters and LLM, and the same LLM as a directory.
class InitFile : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(train("first", {"--model.train", "bridge,adapter,llm"}).code, 0);
    for (const char* what : {"trainable", "merged"})
      ASSERT_EQ(run({"export", "--checkpoint", folder_ / "first", "--output", folder_ / what,
                     "--what", what})
                    .code,
                0);
  }
  Output train(const std::string& name, const Arguments& more, int ranks = 0) const {
    return run(train_arguments(folder_ / name) + Arguments{"--train.steps", "2"} + more,
               {.ranks = ranks});
  }
  std::vector<double> losses(const std::string& name) const {
    return numbers_of(folder_ / name, "loss");
  }
  /// Changes one value of a tensor in the file.
  void change(const std::string& tensor, float by) const {
    std::vector<io::NamedTensor> tensors;
    const auto source = io::open_weights(file_);
    for (const std::string& name : source->names()) {
      tensors.push_back({name, source->read_whole(Stream{}, name)});
      if (name == tensor) tensors.back().tensor.data<float>()[5] += by;
    }
    io::write_safetensors(file_, tensors);
  }

  const Folder folder_{"init_file"};
  const fs::path file_ = folder_ / "trainable" / "model.safetensors";
  const Arguments weights_ = {"--model.weights", folder_ / "merged"};
  const Arguments init_ = {"--init", file_};
};

TEST_F(InitFile, FrozenTensorsMustBeThoseOfTheRun) {
  for (const int ranks : {0, 2}) {
    const Output same = train("same" + std::to_string(ranks), weights_ + init_, ranks);
    ASSERT_EQ(same.code, 0) << same.all();
    EXPECT_THAT(same.err, ContainsRegex("the frozen llm in .*model.safetensors equals that of "));
  }
  change("LLM.model.layers.1.mlp.up_proj.weight", 0.25F);
  change("LLM.model.norm.weight", 0.125F);
  for (const Arguments& layout : {grid(1, 1, 1), grid(2, 1, 1), grid(1, 2, 1)}) {
    const Output refused =
        train("refused", weights_ + init_ + layout, std::stoi(layout[1]) * std::stoi(layout[3]));
    EXPECT_EQ(refused.code, 3) << refused.all();
    EXPECT_EQ(refused.messages(), 1) << refused.all();
    EXPECT_THAT(refused.err,
                AllOf(HasSubstr("2 frozen tensors of the file differ from this run, the first is "
                                "LLM.model.layers.1.mlp.up_proj.weight, the largest difference is "
                                "0.25 in LLM.model.layers.1.mlp.up_proj.weight: "),
                      HasSubstr("take the frozen llm from the file with --init-frozen")));
  }
  // Values that are equal after rounding to the run's type are equal.
  const Arguments bf16 = {"--precision", "bf16"};
  EXPECT_EQ(train("bf16", weights_ + init_ + bf16).code, 3);
  change("LLM.model.layers.1.mlp.up_proj.weight", -0.25F);
  change("LLM.model.norm.weight", -0.125F);
  EXPECT_EQ(train("bf16", weights_ + init_ + bf16).code, 0);
}

TEST_F(InitFile, FrozenTensorsAreTakenIfAskedFor) {
  ASSERT_EQ(train("same", weights_ + init_).code, 0);
  EXPECT_EQ(train("random", init_).code, 3);
  const Arguments take = init_ + Arguments{"--init-frozen"};
  const Output taken = train("taken", take + Arguments{"--stop-after", "1"});
  ASSERT_EQ(taken.code, 0) << taken.all();
  EXPECT_THAT(taken.err, HasSubstr("the frozen llm was loaded from "));
  const Output resumed = train("taken", {});
  ASSERT_EQ(resumed.code, 0) << resumed.all();
  EXPECT_EQ(losses("taken"), losses("same"));
  const Output merged = run({"export", "--checkpoint", folder_ / "taken", "--output",
                             folder_ / "again", "--what", "merged"});
  ASSERT_EQ(merged.code, 0) << merged.all();
  EXPECT_EQ(io::read_text(folder_ / "again" / "config.json"),
            io::read_text(folder_ / "merged" / "config.json"));
  const auto llm = [](const fs::path& directory) {
    std::vector<std::vector<float>> values;
    const auto source = io::open_weights(directory / "model.safetensors");
    for (const std::string& name : source->names())
      values.push_back(source->read_whole(Stream{}, name).to_vector<float>());
    return values;
  };
  EXPECT_EQ(llm(folder_ / "again"), llm(folder_ / "merged"));

  change("LLM.model.norm.weight", 0.5F);
  const Output changed = train("taken", {"--resume", "1"});
  EXPECT_EQ(changed.code, 3) << changed.all();
  EXPECT_THAT(changed.err, HasSubstr("the frozen llm was taken from this file (--init-frozen), but "
                                     "it has changed: expected digest "));
  const Output without = train("without", {"--init-frozen"});
  EXPECT_EQ(without.code, 2) << without.all();
  EXPECT_THAT(without.err, HasSubstr("init-frozen: expected a file in --init, found none"));
}

}  // namespace
}  // namespace lynceus::cli_test
