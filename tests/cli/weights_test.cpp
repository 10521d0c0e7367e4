// Published weights: a Hugging Face LLaMA directory and a vision encoder with EVA's names are
// trained without conversion. Everything that does not fit is listed by name before the run begins.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "llama_files.h"
#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class Weights : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(llama_);
    write_config(llama_config());
    write_weights(llama_ / "model.safetensors", llama_shapes());
  }
  void write_config(const std::string& text) const {
    std::ofstream(llama_ / "config.json") << text;
  }
  Output train(const std::string& name, const Arguments& more, int ranks = 0) const {
    return run(train_arguments(folder_ / name) +
                   Arguments{"--train.steps", "3", "--model.weights", llama_} + more,
               {.ranks = ranks});
  }
  void expect_refused(const Arguments& more, int code, const std::string& message) const {
    for (const int ranks : {0, 2}) {
      const Output output = train("refused", more, ranks);
      EXPECT_EQ(output.code, code) << output.all();
      EXPECT_EQ(output.messages(), 1) << output.all();
      EXPECT_THAT(output.err, ContainsRegex(message));
      EXPECT_FALSE(fs::exists(folder_ / "refused" / "checkpoints" / "step-00000003"));
    }
  }

  const Folder folder_{"weights"};
  const fs::path llama_ = folder_ / "llama";
};

TEST_F(Weights, TokenizerAndTemplateFollow) {
  const auto start = [&](const fs::path& weights, const Arguments& more = {}) {
    const Arguments data = {"train",
                            "--config",
                            std::string(LYNCEUS_SOURCE_DIR) + "/tests/data/micro.ini",
                            "--run",
                            folder_ / "follow",
                            "--resume",
                            "never",
                            "--data.source",
                            "captions:1:" + shard("train-captions"),
                            "--train.steps",
                            "1",
                            "--model.weights",
                            weights};
    return run(data + more);
  };
  const Output refused = start(llama_);
  EXPECT_EQ(refused.code, 3) << refused.all();
  EXPECT_THAT(refused.err, HasSubstr("data.tokenizer: expected a SentencePiece model or, without a "
                                     "value, tokenizer.model in model.weights, found none in " +
                                     llama_.string()));
  fs::copy(shapes_data() / "tokenizer.model", llama_);
  const std::string tokenizer =
      fmt::format("tokenizer {}/tokenizer.model (from model.weights), ", llama_.string());
  EXPECT_THAT(start(llama_).err, HasSubstr(tokenizer + "prompt template lynx (from default)"));
  const fs::path vicuna = folder_ / "Vicuna-7b-v1.1";
  fs::copy(llama_, vicuna);
  EXPECT_THAT(start(vicuna).err,
              HasSubstr(fmt::format("prompt template vicuna (from {})", vicuna.string())));
  EXPECT_THAT(start(vicuna, {"--data.prompt", "plain"}).err,
              HasSubstr("prompt template plain (from command line)"));
  write_config(llama_config(R"(, "_name_or_path": "lmsys/vicuna-7b-v1.1")"));
  EXPECT_THAT(
      start(llama_).err,
      HasSubstr(fmt::format("prompt template vicuna (from {}/config.json)", llama_.string())));
  // The run keeps its template, wherever the weights are later.
  fs::rename(vicuna, folder_ / "moved");
  const Output output = start(folder_ / "moved");
  EXPECT_EQ(output.code, 0) << output.all();
}

TEST_F(Weights, ConfigJsonHoldsAndWhatWasGivenElseIsTold) {
  const Output output = train("run", {"--model.hidden_size", "48", "--model.rope_theta", "5"});
  EXPECT_EQ(output.code, 0) << output.all();
  EXPECT_THAT(output.err,
              ContainsRegex("model.hidden_size = 32 .from .*llama/config.json. overrides "
                            "48 .from command line.\n"));
  EXPECT_THAT(output.err,
              ContainsRegex("model.rope_theta = 10000 .from .*config.json. overrides 5 "));
  EXPECT_THAT(output.err, Not(HasSubstr("model.rms_norm_eps"))) << "nobody gave it";
  const std::string config = io::read_text(folder_ / "run" / "config.ini");
  EXPECT_THAT(config, ContainsRegex("\nhidden_size = 32 +# .*llama/config.json\n"));
  EXPECT_THAT(config, ContainsRegex("\nrms_norm_eps = 1e-05 +# .*llama/config.json\n"));
  EXPECT_THAT(config, ContainsRegex("\nnum_heads = 4 +# .*micro.ini:"));
  EXPECT_THAT(io::read_manifest(checkpoint(folder_ / "run", 3)).config,
              testing::Contains(testing::Pair("model.rms_norm_eps", "1e-05")));
}

TEST_F(Weights, HuggingFaceDirectoryTrainsOnAnyGrid) {
  const Output one = train("one", {});
  EXPECT_EQ(one.code, 0) << one.all();
  EXPECT_THAT(one.err, Not(HasSubstr("the LLM starts from random values")));
  // One row more than in the file: [PAD].
  const Output four = train("four", grid(2, 2, 1), 4);
  EXPECT_EQ(four.code, 0) << four.all();
  const auto losses = numbers_of(folder_ / "one", "loss"),
             others = numbers_of(folder_ / "four", "loss");
  ASSERT_EQ(others.size(), 3u);
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(others[i] / losses[i], 1, 1e-5);
  const auto hash = [&](const char* name) {
    return io::read_manifest(checkpoint(folder_ / name, 3)).frozen_weights.at("llm").identity;
  };
  EXPECT_EQ(hash("one"), hash("four"));
  EXPECT_THAT(hash("one"), ContainsRegex("^[0-9a-f]{32}$"));

  // The same with the row in the file; it is the mean of the others.
  Shapes shapes = llama_shapes(kPieces + 1);
  const Stream stream;
  std::vector<io::NamedTensor> tensors;
  for (const auto& [name, shape] : shapes) {
    const bool rows = shape[0] == kPieces + 1;
    std::vector<float> values = values_of(name, rows ? kPieces * shape[1] : shape.elements(), 0.2F);
    for (int64_t column = 0; rows && column < 32; ++column) {
      double sum = 0;
      for (int64_t row = 0; row < kPieces; ++row)
        sum += values[static_cast<size_t>(row * 32 + column)];
      values.push_back(static_cast<float>(sum / kPieces));
    }
    tensors.push_back({name, Tensor::from(stream, shape, values)});
  }
  io::write_safetensors(llama_ / "model.safetensors", tensors);
  write_config(llama_config("", kPieces + 1));
  const Output with_row = train("with-row", {});
  EXPECT_EQ(with_row.code, 0) << with_row.all();
  EXPECT_EQ(metrics_of(folder_ / "with-row").steps, metrics_of(folder_ / "one").steps);
}

TEST_F(Weights, OtherOnesUnderTheSamePathAreNoticed) {
  ASSERT_EQ(train("run", {"--stop-after", "1"}).code, 0);
  const auto expect_noticed = [&] {
    const Output changed = train("run", {"--stop-after", "2"}, 2);
    EXPECT_EQ(changed.code, 2) << changed.all();
    EXPECT_EQ(changed.messages(), 1) << changed.all();
    EXPECT_THAT(changed.err, HasSubstr("frozen llm weights: the checkpoint has "));
  };
  const std::string config = llama_config();
  write_config(std::string(config).replace(config.find("10000.0"), 7, "20000.0"));
  expect_noticed();
  write_config(config);
  write_weights(llama_ / "model.safetensors", llama_shapes(), 0.3F);
  expect_noticed();
  write_weights(llama_ / "model.safetensors", llama_shapes());
  EXPECT_EQ(train("run", {"--stop-after", "2"}).code, 0);
}

TEST_F(Weights, VisionEncoderUnderEvaNames) {
  const fs::path file = folder_ / "eva.safetensors";
  write_weights(file, eva_shapes());
  const Arguments with = {"--vision.weights", file};
  for (const auto& [name, ranks] : {std::pair{"one", 0}, std::pair{"two", 2}}) {
    const Output output = train(name, with, ranks);
    EXPECT_EQ(output.code, 0) << output.all();
    EXPECT_THAT(output.err, Not(HasSubstr("random values")));
  }
  EXPECT_NEAR(numbers_of(folder_ / "two", "loss")[0] / numbers_of(folder_ / "one", "loss")[0], 1,
              1e-5);
  ASSERT_EQ(train("random", {}).code, 0);
  EXPECT_NE(numbers_of(folder_ / "random", "loss")[0], numbers_of(folder_ / "one", "loss")[0]);
  // Another resolution: the positions are interpolated.
  const Output larger = train("larger", with + Arguments{"--vision.image_size", "42"});
  EXPECT_EQ(larger.code, 0) << larger.all();

  Shapes wrong = eva_shapes();
  wrong.erase("cls_token");
  wrong["blocks.0.mlp.fc1.weight"] = {60, 32};
  write_weights(file, wrong);
  expect_refused(with, 3,
                 "vision.weights: .*eva.safetensors: 2 tensors are not as the model expects: "
                 "1 missing: cls_token \\[1, 1, 32\\]; 1 of another shape: "
                 "blocks.0.mlp.fc1.weight expected \\[64, 32\\], found \\[60, 32\\]\n");
}

TEST_F(Weights, AllMismatchesAreListedAtOnce) {
  Shapes shapes = llama_shapes();
  shapes.erase("model.layers.1.mlp.up_proj.weight");
  shapes["model.layers.0.self_attn.k_proj.weight"] = {32, 32};
  shapes["model.layers.2.input_layernorm.weight"] = {32};
  write_weights(llama_ / "model.safetensors", shapes);
  const Output output = train("refused", {}, 2);
  EXPECT_EQ(output.code, 3) << output.all();
  EXPECT_EQ(output.messages(), 1) << output.all();
  EXPECT_THAT(
      output.err,
      AllOf(HasSubstr("model.weights: "), HasSubstr("3 tensors are not as the model expects"),
            HasSubstr("1 missing: model.layers.1.mlp.up_proj.weight [64, 32]"),
            HasSubstr("1 of another shape: model.layers.0.self_attn.k_proj.weight expected "
                      "[16, 32], found [32, 32]"),
            HasSubstr("1 unexpected: model.layers.2.input_layernorm.weight [32]\n")));
}

TEST_F(Weights, TruncatedFile) {
  fs::resize_file(llama_ / "model.safetensors", 10000);
  expect_refused({}, 3, "model.weights: .*model.safetensors: ");
}

TEST_F(Weights, ConfigThatIsNotSupported) {
  write_config(llama_config(R"(, "mlp_bias": true, "attention_bias": true)"));
  expect_refused({}, 3,
                 "model.weights: .*config.json: this model needs unsupported features:\n"
                 "  attention_bias: expected false, found true\n"
                 "  mlp_bias: expected false, found true");
  write_config(llama_config(R"(, "rope_scaling": {"type": "yarn", "factor": 2.0})"));
  expect_refused({}, 3,
                 "model.weights: .*config.json: key rope_scaling: expected the rope_type default, "
                 "linear, dynamic or llama3, found 'yarn'");
}

TEST_F(Weights, TokenizerOfAnotherVocabulary) {
  write_config(llama_config("", 400));
  expect_refused({}, 3,
                 "vocab_size is 400, but .*tokenizer.model has 320 pieces: expected 320, or "
                 "321 with \\[PAD\\]");
}

TEST_F(Weights, NothingThere) {
  expect_refused({"--model.weights", folder_ / "absent"}, 3, "model.weights: .*absent");
  fs::remove(llama_ / "model.safetensors");
  expect_refused({}, 3,
                 "model.weights: .*llama: no weights here: expected one of model.safetensors");
  write_config("{\"hidden_size\": ");
  expect_refused({}, 3, "model.weights: .*config.json");
}

}  // namespace
}  // namespace lynceus::cli_test
