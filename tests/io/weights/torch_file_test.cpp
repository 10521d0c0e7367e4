// Files that torch wrote (tests/oracle/make_torch_files.py) against the same tensors in
// safetensors: state dicts, wrappers, shards, LLaMA's pieces, EVA-CLIP's and Lynx's names.
//
// LYNCEUS_TORCH_FILES names another folder of such files, e.g. with larger ones.
#include "io/weights/torch_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

#include "core/error.h"
#include "io/weight_views/eva_weights.h"
#include "io/weights/hf_config.h"
#include "io/weights/llama_pieces.h"
#include "io/weights/safetensors.h"
#include "io/weights/weight_files.h"

namespace lynceus::io {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::ThrowsMessage;

fs::path files() {
  const char* folder = std::getenv("LYNCEUS_TORCH_FILES");
  return folder != nullptr ? fs::path(folder) : fs::path(LYNCEUS_SOURCE_DIR) / "tests/data/torch";
}

/// Bytes of a part, read as `dtype`.
std::string bytes_of(const WeightSource& source, const std::string& name, const Slice& slice,
                     DType dtype = DType::kF32) {
  const Tensor out = Tensor::empty(Stream{}, slice.of(source.shape(name)), dtype);
  source.read(name, slice, out);
  return {static_cast<const char*>(out.raw()), out.bytes()};
}

/// Compares every tensor of both, completely and in slices of every axis. `widest`: the dtype to
/// read floating types as; f64 keeps every bit of a file.
void expect_same(const WeightSource& ours, const fs::path& safetensors, DType widest) {
  const auto theirs = open_weights(safetensors);
  const SafetensorsFile file(safetensors);
  ASSERT_EQ(ours.names(), theirs->names());
  ASSERT_FALSE(ours.names().empty());
  for (const std::string& name : ours.names()) {
    SCOPED_TRACE(name);
    const Shape shape = theirs->shape(name);
    ASSERT_EQ(ours.shape(name), shape);
    const DType stored = *dtype_of(file.entry(name).type);
    const DType dtype = stored == DType::kI64 || stored == DType::kU8 ? stored : widest;
    EXPECT_EQ(bytes_of(ours, name, {}, dtype), bytes_of(*theirs, name, {}, dtype));
    for (int axis = 0; axis < shape.rank(); ++axis) {
      const int64_t extent = shape[axis];
      for (const Slice& slice : {Slice{axis, 0, extent / 2}, Slice{axis, extent / 3, extent / 2},
                                 Slice{axis, extent / 2, extent - extent / 2}})
        EXPECT_EQ(bytes_of(ours, name, slice, dtype), bytes_of(*theirs, name, slice, dtype))
            << slice.count << " from " << slice.begin << " of axis " << axis;
    }
  }
}

TEST(TorchFile, EveryFormOfAStateDictIsTheSameTensors) {
  const fs::path plain = files() / "plain";
  for (const char* form :
       {"tensors.pt", "wrapped.pt", "wrapped_twice.pth", "protocol5.pt", "parameters.pt",
        "views.pt", "pytorch_model.bin", "shards", "shards/pytorch_model.bin.index.json", ""}) {
    SCOPED_TRACE(form);
    expect_same(*open_weights(plain / form), plain / "tensors.safetensors", DType::kF64);
  }
}

TEST(TorchFile, SaysWhichKeyItTook) {
  const fs::path plain = files() / "plain";
  EXPECT_EQ(open_weights(plain / "tensors.pt")->describe(), (plain / "tensors.pt").string());
  EXPECT_THAT(open_weights(plain / "wrapped.pt")->describe(), HasSubstr("wrapped.pt ('model')"));
  EXPECT_THAT(open_weights(plain / "wrapped_twice.pth")->describe(),
              HasSubstr("wrapped_twice.pth ('state_dict.module')"));
  EXPECT_EQ(open_weights(plain / "wrapped.pt")->files(),
            std::vector<fs::path>{plain / "wrapped.pt"});
}

TEST(TorchFile, IntegersAreNotReadAsFloats) {
  const auto source = open_weights(files() / "plain/tensors.pt");
  EXPECT_THAT([&] { bytes_of(*source, "count", {}, DType::kF32); },
              ThrowsMessage<InputError>(AllOf(HasSubstr("tensors.pt"), HasSubstr("'count'"))));
  EXPECT_THAT([&] { source->shape("gone"); }, ThrowsMessage<InputError>(HasSubstr("'gone'")));
}

TEST(TorchFile, RefusalsNameTheRemedy) {
  const auto refused = [&](const char* file, const auto& says) {
    SCOPED_TRACE(file);
    EXPECT_THAT([&] { open_weights(files() / "plain/refused" / file); },
                ThrowsMessage<InputError>(AllOf(HasSubstr(file), says)));
  };
  refused("transposed.pt", AllOf(HasSubstr("\n  w ["), HasSubstr("\n  part ["),
                                 HasSubstr(".contiguous()"), Not(HasSubstr("good"))));
  refused("legacy.pt", HasSubstr("before 1.6"));
  refused("namespace.pt", HasSubstr("'argparse.Namespace'"));
  refused("two_models.pt", AllOf(HasSubstr("\n  model: a dict"), HasSubstr("\n  epoch: an int")));
  refused("list.pt", HasSubstr("found a list"));
  refused("program.pt", HasSubstr("TorchScript"));
}

TEST(LlamaPieces, AreTheHuggingFaceTensors) {
  const fs::path llama = files() / "llama";
  for (const char* pieces : {"pieces1", "pieces2", "pieces3"}) {
    SCOPED_TRACE(pieces);
    expect_same(*open_weights(llama / pieces), llama / "hf.safetensors", DType::kF32);
  }
}

TEST(LlamaPieces, GiveTheArchitecture) {
  const auto hf = open_weights(files() / "llama/hf.safetensors");
  const fs::path folder = files() / "llama/pieces2";
  EXPECT_EQ(llama_config_file(folder), folder / "params.json");
  const LlamaConfig config = read_llama_config(folder);
  EXPECT_EQ(config.hidden_size, hf->shape("model.norm.weight")[0]);
  EXPECT_EQ(config.intermediate_size, hf->shape("model.layers.0.mlp.up_proj.weight")[0]);
  EXPECT_EQ(config.vocab_size, 10);
  EXPECT_EQ(config.num_attention_heads, 4);
  EXPECT_EQ(config.num_key_value_heads, 2);
  EXPECT_EQ(config.rms_norm_eps, 1e-5);
  EXPECT_EQ(config.rope_theta, 10000.0);
}

class BadPieces : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/pieces_test_XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    fs::copy(files() / "llama/pieces2", folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  void expect_refused(const std::string& says) const {
    EXPECT_THAT([&] { open_weights(folder_); }, ThrowsMessage<InputError>(HasSubstr(says)));
  }
  /// Replaces text in params.json.
  void replace(const std::string& old_text, const std::string& new_text) const {
    std::string text = read_text(folder_ / "params.json");
    ASSERT_NE(text.find(old_text), std::string::npos);
    text.replace(text.find(old_text), old_text.size(), new_text);
    atomic_write_text(folder_ / "params.json", text);
  }
  fs::path folder_;
};

TEST_F(BadPieces, OneIsMissing) {
  fs::remove(folder_ / "consolidated.01.pth");
  expect_refused("rows in all pieces, expected");
}

TEST_F(BadPieces, OneIsOfAnotherModel) {
  fs::copy_file(files() / "llama/pieces1/consolidated.00.pth", folder_ / "consolidated.01.pth",
                fs::copy_options::overwrite_existing);
  expect_refused("rows in all pieces, expected");
}

TEST_F(BadPieces, OneHasOtherNames) {
  fs::copy_file(files() / "plain/tensors.pt", folder_ / "consolidated.01.pth",
                fs::copy_options::overwrite_existing);
  expect_refused("tensors of different names");
}

TEST_F(BadPieces, NoneIsALlama) {
  fs::remove(folder_ / "consolidated.01.pth");
  fs::copy_file(files() / "plain/tensors.pt", folder_ / "consolidated.00.pth",
                fs::copy_options::overwrite_existing);
  expect_refused("these names are not from LLaMA:");
}

TEST_F(BadPieces, ParamsOfAnotherModel) {
  replace("\"n_kv_heads\": 2", "\"n_kv_heads\": 4");
  expect_refused("expected 4 heads");
  replace("\"n_kv_heads\": 4", "\"n_kv_heads\": 3");
  expect_refused("n_kv_heads = 3");
  replace("\"n_kv_heads\": 3", "\"n_kv_heads\": 2, \"use_scaled_rope\": true");
  expect_refused("use_scaled_rope");
}

TEST(EvaFile, IsTheReleasedEncoder) {
  const auto eva = vision_tower(open_weights(files() / "eva/eva.pt"));
  ASSERT_TRUE(has_fused_qkv(*eva));
  expect_same(*without_unused_ends(split_fused_qkv(eva), 2), files() / "eva/lynx.safetensors",
              DType::kF32);
  // With all blocks used, only the norm and the head are unused.
  EXPECT_TRUE(without_unused_ends(eva, 3)->has("blocks.2.attn.q_bias"));
  EXPECT_FALSE(without_unused_ends(eva, 3)->has("norm.weight"));
  EXPECT_THAT(without_unused_ends(eva, 2)->describe(),
              HasSubstr("(without 'blocks.2.', 'head.', 'norm.')"));
  const auto lynx = open_weights(files() / "eva/lynx.safetensors");
  EXPECT_EQ(vision_tower(lynx), lynx);
  EXPECT_EQ(without_unused_ends(lynx, 2), lynx);
}

TEST(LynxFile, IsShownWithoutOneModelPrefix) {
  const auto lynx = open_weights(files() / "lynx/pretrain_lynx.pt");
  EXPECT_TRUE(lynx->has("LLM.model.layers.0.output_adapter.scaling"));
  expect_same(*lynx, files() / "lynx/lynx.safetensors", DType::kF64);
  // The "model." of a LLaMA is kept.
  EXPECT_TRUE(open_weights(files() / "llama/hf.safetensors")->has("model.norm.weight"));
}

}  // namespace
}  // namespace lynceus::io
