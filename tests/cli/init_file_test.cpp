// `--init FILE`: what a file of weights has of frozen modules is compared with the run, or taken
// with --init-frozen and found again by a resume and an export.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/weights/safetensors_writer.h"
#include "io/weights/weight_files.h"
#include "llama_files.h"

namespace lynceus::cli_test {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;

constexpr const char* kEmbedding = "LLM.model.embed_tokens.weight";
constexpr const char* kHead = "LLM.lm_head.weight";

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
  static std::vector<io::NamedTensor> tensors_of(const fs::path& file) {
    std::vector<io::NamedTensor> tensors;
    const auto source = io::open_weights(file);
    for (const std::string& name : source->names())
      tensors.push_back({name, source->read_whole(Stream{}, name)});
    return tensors;
  }
  /// Changes one value of a tensor in the file.
  void change(const std::string& tensor, float by, int64_t place = 5) const {
    std::vector<io::NamedTensor> tensors = tensors_of(file_);
    for (io::NamedTensor& one : tensors)
      if (one.name == tensor) one.tensor.data<float>()[place] += by;
    io::write_safetensors(file_, tensors);
  }
  /// A LLaMA of 320 rows without [PAD], as published ones are.
  fs::path llama(const std::string& name, const Shapes& shapes, const std::string& config) const {
    fs::create_directories(folder_ / name);
    std::ofstream(folder_ / name / "config.json") << config;
    write_weights(folder_ / name / "model.safetensors", shapes);
    return folder_ / name;
  }
  /// Makes the LLM of the file that of `llama`, as the released code saves it: with a row of [PAD],
  /// which is the mean of the others as torch computes it, in f32.
  void take_llm(const fs::path& llama, bool head_is_embedding = false) const {
    std::vector<io::NamedTensor> tensors;
    for (io::NamedTensor& tensor : tensors_of(file_))
      if (!is_llm(tensor.name)) tensors.push_back(std::move(tensor));
    for (io::NamedTensor& tensor : tensors_of(llama / "model.safetensors")) {
      if (tensor.name.ends_with("inv_freq")) continue;
      const bool is_embedding = tensor.name == "model.embed_tokens.weight";
      if (is_embedding || tensor.name == "lm_head.weight")
        tensor.tensor = with_mean_row(tensor.tensor);
      if (is_embedding && head_is_embedding) tensors.push_back({kHead, tensor.tensor});
      tensors.push_back({"LLM." + tensor.name, tensor.tensor});
    }
    io::write_safetensors(file_, tensors);
  }
  static bool is_llm(const std::string& name) {
    return name.starts_with("LLM.") && name.find("adapter") == std::string::npos;
  }
  static Tensor with_mean_row(const Tensor& rows) {
    const int64_t count = rows.dim(0), columns = rows.cols();
    Tensor padded = Tensor::zeros(Stream{}, {count + 1, columns});
    padded.slice(0, count).copy_from(rows);
    float* const mean = padded.data<float>() + count * columns;
    for (int64_t i = 0; i < rows.size(); ++i) mean[i % columns] += rows.data<float>()[i];
    for (int64_t c = 0; c < columns; ++c) mean[c] /= static_cast<float>(count);
    return padded;
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

TEST_F(InitFile, AFrozenTensorOfAnotherShapeDiffers) {
  std::vector<io::NamedTensor> tensors = tensors_of(file_);
  for (io::NamedTensor& tensor : tensors)
    if (tensor.name == "LLM.model.layers.1.mlp.up_proj.weight")
      tensor.tensor = Tensor::zeros(Stream{}, {48, 32});
  io::write_safetensors(file_, tensors);
  for (const Arguments& layout : {grid(1, 1, 1), grid(2, 1, 1), grid(1, 2, 1)}) {
    const Output refused =
        train("refused", weights_ + init_ + layout, std::stoi(layout[1]) * std::stoi(layout[3]));
    EXPECT_EQ(refused.code, 3) << refused.all();
    EXPECT_EQ(refused.messages(), 1) << refused.all();
    EXPECT_THAT(refused.err,
                HasSubstr("1 frozen tensor of the file differs from this run, the first is "
                          "LLM.model.layers.1.mlp.up_proj.weight, "
                          "LLM.model.layers.1.mlp.up_proj.weight has the shape [48, 32] in the "
                          "file and [64, 32] in this run: "));
  }
}

TEST_F(InitFile, TheRowOfPadIsAMeanOfEachProgram) {
  const fs::path weights = llama("llama", llama_shapes(), llama_config());
  take_llm(weights);
  const Arguments from_llama = Arguments{"--model.weights", weights} + init_;
  // The mean of this program is summed in f64: other bits.
  const auto ours = io::open_weights(weights / "model.safetensors");
  const Tensor rows = ours->read_whole(Stream{}, "lm_head.weight");
  const Tensor torch = io::open_weights(file_)->read_whole(Stream{}, kHead);
  int other_bits = 0;
  for (int64_t c = 0; c < 32; ++c) {
    double sum = 0;
    for (int64_t row = 0; row < kPieces; ++row) sum += rows.data<float>()[row * 32 + c];
    other_bits += static_cast<float>(sum / kPieces) != torch.data<float>()[kPieces * 32 + c];
  }
  ASSERT_GT(other_bits, 0);
  for (const Arguments& more :
       {grid(1, 1, 1), grid(2, 1, 1), grid(1, 1, 1) + Arguments{"--precision", "bf16"}}) {
    const Output same =
        train("same", from_llama + more + Arguments{"--resume", "never"}, std::stoi(more[1]));
    ASSERT_EQ(same.code, 0) << same.all();
    EXPECT_THAT(same.err, ContainsRegex("the frozen llm in .*model.safetensors equals that of "));
  }
  change(kHead, 0.0625F, kPieces * 32 + 3);
  Output refused = train("refused", from_llama);
  EXPECT_EQ(refused.code, 3) << refused.all();
  EXPECT_THAT(refused.err, HasSubstr("the largest difference is 0.0625 in LLM.lm_head.weight"));
  // All other rows are compared bit by bit.
  change(kHead, -0.0625F, kPieces * 32 + 3);
  change(kEmbedding, 1e-7F, (kPieces - 1) * 32);
  refused = train("refused", from_llama);
  EXPECT_EQ(refused.code, 3) << refused.all();
  EXPECT_THAT(refused.err, HasSubstr("1 frozen tensor of the file differs"));
}

TEST_F(InitFile, ATiedHeadMayBeInTheFileToo) {
  Shapes shapes = llama_shapes();
  shapes.erase("lm_head.weight");
  std::string config = llama_config();
  const std::string untied = "\"tie_word_embeddings\": false";
  config.replace(config.find(untied), untied.size(), "\"tie_word_embeddings\": true");
  const Arguments tied = {"--model.weights", llama("tied", shapes, config)};
  take_llm(folder_ / "tied", /*head_is_embedding=*/true);
  ASSERT_EQ(train("same", tied + init_).code, 0);
  // The LLM is trained, or frozen and taken.
  for (const Arguments& more :
       {tied + Arguments{"--model.train", "bridge,adapter,llm"},
        Arguments{"--model.tie_word_embeddings", "true", "--init-frozen", "--stop-after", "1"}}) {
    const std::string name = "tied" + std::to_string(more.size());
    for (const int ranks : {0, 2}) {
      const Output output = train(name, init_ + more + Arguments{"--resume", "never"}, ranks);
      ASSERT_EQ(output.code, 0) << output.all();
    }
  }
  const Output resumed = train("tied5", {"--model.tie_word_embeddings", "true"});
  ASSERT_EQ(resumed.code, 0) << resumed.all();
  const Output merged = run({"export", "--checkpoint", folder_ / "tied5", "--output",
                             folder_ / "tied_merged", "--what", "merged"});
  ASSERT_EQ(merged.code, 0) << merged.all();
  EXPECT_FALSE(
      io::open_weights(folder_ / "tied_merged" / "model.safetensors")->has("lm_head.weight"));

  change(kHead, 0.5F);
  const Output refused = train("refused", tied + init_);
  EXPECT_EQ(refused.code, 3) << refused.all();
  EXPECT_THAT(refused.err, HasSubstr("tie_word_embeddings is true, but LLM.lm_head.weight differs "
                                     "from LLM.model.embed_tokens.weight"));
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
