// The same model from safetensors and from published formats: LLaMA's consolidated files with
// params.json, and a complete EVA-CLIP in a torch file. Both runs have exactly the same losses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "io/weights/safetensors.h"
#include "io/weights/safetensors_writer.h"
#include "run_program.h"
#include "tests/io/weights/torch_archive.h"

namespace lynceus::cli_test {
namespace {

using testing::HasSubstr;

constexpr int64_t kDim = 32;
constexpr int64_t kMlp = 64;
constexpr int64_t kPieces = 320;
constexpr int64_t kHeadDim = 8;

struct Matrix {
  std::vector<int64_t> shape;
  std::vector<float> values;
};
using Matrices = std::map<std::string, Matrix>;

/// Small values with norms near one, different in every tensor.
Matrix made(const std::string& name, const std::vector<int64_t>& shape) {
  Matrix matrix{shape, std::vector<float>(static_cast<size_t>(Shape(shape).elements()))};
  auto state = static_cast<uint32_t>(std::hash<std::string>{}(name));
  for (float& value : matrix.values) {
    state = state * 1664525U + 1013904223U;
    value = 0.2F * (static_cast<float>(state >> 8) / 8388608.0F - 1.0F) +
            (name.find("norm") != std::string::npos ? 1.0F : 0.0F);
  }
  return matrix;
}

/// Reorders the rows of each head from two halves to interleaved pairs.
Matrix rotary_to_meta(const Matrix& matrix) {
  Matrix meta = matrix;
  const int64_t columns = matrix.shape[1];
  for (int64_t row = 0; row < matrix.shape[0]; ++row) {
    const int64_t inside = row % kHeadDim;
    const int64_t to = row - inside + inside % (kHeadDim / 2) * 2 + inside / (kHeadDim / 2);
    std::copy_n(matrix.values.begin() + row * columns, columns, meta.values.begin() + to * columns);
  }
  return meta;
}

/// The LLM of the micro model with the names of Hugging Face and of Meta.
void make_llama(Matrices* hf, Matrices* meta) {
  const auto add = [&](const std::string& name, const std::string& meta_name,
                       const std::vector<int64_t>& shape, bool rotary = false) {
    const Matrix matrix = made(name, shape);
    (*hf)[name + ".weight"] = matrix;
    (*meta)[meta_name + ".weight"] = rotary ? rotary_to_meta(matrix) : matrix;
  };
  add("model.embed_tokens", "tok_embeddings", {kPieces, kDim});
  add("model.norm", "norm", {kDim});
  add("lm_head", "output", {kPieces, kDim});
  for (const std::string layer : {"layers.0.", "layers.1."}) {
    const std::string at = "model." + layer;
    add(at + "self_attn.q_proj", layer + "attention.wq", {kDim, kDim}, true);
    add(at + "self_attn.k_proj", layer + "attention.wk", {kDim / 2, kDim}, true);
    add(at + "self_attn.v_proj", layer + "attention.wv", {kDim / 2, kDim});
    add(at + "self_attn.o_proj", layer + "attention.wo", {kDim, kDim});
    add(at + "mlp.gate_proj", layer + "feed_forward.w1", {kMlp, kDim});
    add(at + "mlp.down_proj", layer + "feed_forward.w2", {kDim, kMlp});
    add(at + "mlp.up_proj", layer + "feed_forward.w3", {kMlp, kDim});
    add(at + "input_layernorm", layer + "attention_norm", {kDim});
    add(at + "post_attention_layernorm", layer + "ffn_norm", {kDim});
  }
}

Matrices eva_blocks(const std::string& block) {
  Matrices eva;
  const auto add = [&](const std::string& name, const std::vector<int64_t>& shape) {
    eva[block + name] = made(block + name, shape);
  };
  for (const char* norm : {"norm1", "norm2"})
    for (const char* part : {".weight", ".bias"}) add(std::string(norm) + part, {kDim});
  add("attn.qkv.weight", {3 * kDim, kDim});
  for (const char* bias : {"attn.q_bias", "attn.v_bias", "attn.proj.bias", "mlp.fc2.bias"})
    add(bias, {kDim});
  add("attn.proj.weight", {kDim, kDim});
  add("mlp.fc1.weight", {kMlp, kDim});
  add("mlp.fc1.bias", {kMlp});
  add("mlp.fc2.weight", {kDim, kMlp});
  return eva;
}

void write_as_safetensors(const fs::path& file, const Matrices& matrices) {
  std::vector<io::NamedTensor> tensors;
  for (const auto& [name, matrix] : matrices)
    tensors.push_back({name, Tensor::from(Stream{}, Shape(matrix.shape), matrix.values)});
  io::write_safetensors(file, tensors);
}

void write_as_torch(const fs::path& file, const Matrices& matrices) {
  io::ZipArchive archive;
  std::vector<std::pair<std::string, std::string>> items;
  for (const auto& [name, matrix] : matrices) {
    io::PyTensor tensor{.key = std::to_string(items.size()),
                        .elements = static_cast<int64_t>(matrix.values.size()),
                        .shape = matrix.shape,
                        .strides = matrix.shape};
    int64_t stride = 1;
    for (size_t axis = matrix.shape.size(); axis-- > 0; stride *= matrix.shape[axis])
      tensor.strides[axis] = stride;
    archive.members.push_back({.name = "x/data/" + tensor.key,
                               .contents = {reinterpret_cast<const char*>(matrix.values.data()),
                                            matrix.values.size() * sizeof(float)}});
    items.emplace_back(name, tensor.text());
  }
  archive.members.push_back(
      {.name = "x/data.pkl",
       .contents = io::py_pickle(io::py_dict({{"state_dict", io::py_dict(items)}}))});
  std::ofstream(file, std::ios::binary) << archive.bytes();
}

TEST(TorchWeights, TrainAsTheSameNumbersInSafetensorsDo) {
  const Folder folder("torch_weights");
  Matrices hf, meta;
  make_llama(&hf, &meta);
  fs::create_directories(folder / "hf");
  write_as_safetensors(folder / "hf" / "model.safetensors", hf);
  std::ofstream(folder / "hf" / "config.json")
      << R"({"model_type": "llama", "hidden_size": 32, "intermediate_size": 64,
"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 320,
"rms_norm_eps": 1e-05})";
  fs::create_directories(folder / "meta");
  write_as_torch(folder / "meta" / "consolidated.00.pth", meta);
  std::ofstream(folder / "meta" / "params.json")
      << R"({"dim": 32, "n_heads": 4, "n_kv_heads": 2, "n_layers": 2, "norm_eps": 1e-05})";

  Matrices eva = eva_blocks("blocks.0.");
  eva["cls_token"] = made("cls_token", {1, 1, kDim});
  eva["pos_embed"] = made("pos_embed", {1, 5, kDim});
  eva["patch_embed.proj.weight"] = made("patch_embed.proj.weight", {kDim, 3, 14, 14});
  eva["patch_embed.proj.bias"] = made("patch_embed.proj.bias", {kDim});
  write_as_safetensors(folder / "eva.safetensors", eva);
  eva.merge(eva_blocks("blocks.1."));
  eva["norm.weight"] = made("norm.weight", {kDim});
  Matrices clip = {{"text.proj", made("text.proj", {2, 2})}};
  for (const auto& [name, matrix] : eva) clip["visual." + name] = matrix;
  write_as_torch(folder / "eva_clip.pt", clip);

  const auto train = [&](const char* llm, const char* encoder) {
    const Output output = run(train_arguments(folder / ("run-" + std::string(llm))) +
                              Arguments{"--train.steps", "3", "--model.weights", folder / llm,
                                        "--vision.weights", folder / encoder});
    EXPECT_EQ(output.code, 0) << output.all();
    return output;
  };
  train("hf", "eva.safetensors");
  const Output others = train("meta", "eva_clip.pt");
  EXPECT_THAT(others.err, testing::ContainsRegex(
                              "eva_clip.pt .'state_dict'. .without 'blocks.1.', 'norm.'.\n"));
  const auto losses = numbers_of(folder / "run-hf", "loss");
  ASSERT_EQ(losses.size(), 3u);
  EXPECT_EQ(numbers_of(folder / "run-meta", "loss"), losses);

  // A resume also checks the values of params.json that change the arithmetic.
  std::ofstream(folder / "meta" / "params.json")
      << R"({"dim": 32, "n_heads": 4, "n_kv_heads": 2, "n_layers": 2, "norm_eps": 1e-06})";
  const Output changed = run(train_arguments(folder / "run-meta") +
                             Arguments{"--train.steps", "3", "--model.weights", folder / "meta",
                                       "--vision.weights", folder / "eva_clip.pt"});
  EXPECT_NE(changed.code, 0);
  EXPECT_THAT(changed.err, HasSubstr("rms_norm_eps")) << changed.all();
}

/// Weights in the form in which the released code writes them: under "model.", with a frozen
/// tensor.
TEST(TorchWeights, ANewRunStartsFromAReleasedFile) {
  const Folder folder("torch_init");
  const auto train = [&](const std::string& name, const Arguments& more) {
    return run(train_arguments(folder / name) + Arguments{"--train.steps", "2"} + more);
  };
  ASSERT_EQ(train("random", {}).code, 0);
  Matrices lynx, released;
  for (const io::ManifestTensor& tensor :
       io::read_manifest(checkpoint(folder / "random", 2)).tensors) {
    const size_t end = tensor.name.find("/value");
    if (end == std::string::npos) continue;
    const std::string name = tensor.name.substr(0, end);
    lynx[name] = made(name, tensor.shape.to_vector());
    released["model." + name] = lynx[name];
  }
  ASSERT_GT(lynx.size(), 10u);
  lynx.erase("absolute_frame_pos_embed");
  released.erase("model.absolute_frame_pos_embed");
  write_as_safetensors(folder / "lynx.safetensors", lynx);
  write_as_torch(folder / "pretrain_lynx.pt", released);

  const Arguments init = {"--init", folder / "pretrain_lynx.pt"};
  const Output output = train("released", init);
  ASSERT_EQ(output.code, 0) << output.all();
  EXPECT_THAT(output.err, HasSubstr("the bridge was loaded from "));
  EXPECT_THAT(output.err, HasSubstr("the adapter was loaded from "));
  EXPECT_THAT(output.err, HasSubstr("('state_dict') has no absolute_frame_pos_embed: the frame "
                                    "positions keep their random values\n"));
  EXPECT_EQ(train("same", {"--init", folder / "lynx.safetensors"}).code, 0);
  const auto losses = numbers_of(folder / "released", "loss");
  ASSERT_EQ(losses.size(), 2u);
  EXPECT_EQ(numbers_of(folder / "same", "loss"), losses);
  EXPECT_NE(numbers_of(folder / "random", "loss"), losses);
  const Output resumed = train("released", init + Arguments{"--train.steps", "2"});
  EXPECT_EQ(resumed.code, 0) << resumed.all();

  const std::string missing = lynx.begin()->first;
  lynx.erase(missing);
  lynx["bridge.unknown"] = made("unknown", {2});
  write_as_safetensors(folder / "other.safetensors", lynx);
  const Output refused = train("refused", {"--init", folder / "other.safetensors"});
  EXPECT_EQ(refused.code, 3) << refused.all();
  EXPECT_THAT(refused.err, HasSubstr("1 missing: " + missing));
  EXPECT_THAT(refused.err, HasSubstr("1 unexpected: bridge.unknown [2]\n"));
  write_as_safetensors(folder / "frozen.safetensors", {{"vision_encoder.a", made("a", {2})}});
  EXPECT_THAT(train("none", {"--init", folder / "frozen.safetensors"}).err,
              HasSubstr("expected a module that this run trains (model.train), found none"));
}

}  // namespace
}  // namespace lynceus::cli_test
