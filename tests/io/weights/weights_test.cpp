// Weight sources: directories, shards, prefixes, rules, fused qkv; matching with the tensors that
// a model expects.
#include "io/weights/weights.h"
#include "io/weights/weight_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "core/error.h"
#include "io/files/digest.h"
#include "io/files/json.h"
#include "io/weight_views/eva_weights.h"
#include "io/weight_views/pad_row.h"
#include "io/weights/generated_weights.h"
#include "io/weights/safetensors_writer.h"

namespace lynceus::io {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::ThrowsMessage;

class WeightsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/weights_test_XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  Tensor filled(const Shape& shape, float first) const {
    Tensor tensor = Tensor::empty(stream_, shape);
    for (int64_t i = 0; i < tensor.size(); ++i)
      tensor.data<float>()[i] = first + static_cast<float>(i);
    return tensor;
  }
  /// A safetensors file of these tensors; element i of each is its index in the list × 100 + i.
  fs::path store(const std::string& file, const std::vector<ExpectedTensor>& tensors) const {
    fs::create_directories((folder_ / file).parent_path());
    std::vector<NamedTensor> named;
    for (const ExpectedTensor& tensor : tensors)
      named.push_back(
          {tensor.name, filled(tensor.shape, 100.0f * static_cast<float>(named.size()))});
    write_safetensors(folder_ / file, named);
    return folder_ / file;
  }
  void text(const std::string& file, const std::string& content) const {
    std::ofstream(folder_ / file) << content;
  }
  std::vector<float> values(const Tensor& tensor) const {
    return {tensor.data<float>(), tensor.data<float>() + tensor.size()};
  }

  /// The tensors of a weights.gen.json in its order, as the reference script stores them.
  void rewrite(const fs::path& spec_folder, const fs::path& target) const {
    const auto rule = open_weights(spec_folder / "weights.gen.json");
    const Json spec = Json::read(spec_folder / "weights.gen.json");
    std::vector<SafetensorsItem> items;
    for (const Json& tensor : spec.at("tensors").elements()) {
      const std::string name = tensor.at("name").string();
      items.push_back({name, DType::kBf16, rule->shape(name)});
    }
    SafetensorsWriter writer(target, items);
    for (const SafetensorsItem& item : items) writer.write(rule->read_whole(stream_, item.name));
    writer.close();
  }

  fs::path folder_;
  Stream stream_;
};

TEST_F(WeightsTest, AFileAndADirectoryThatHoldsIt) {
  const fs::path file = store("model.safetensors", {{"b", {2, 3}}, {"a", {2}}});
  for (const fs::path& path : {file, folder_}) {
    const auto source = open_weights(path);
    EXPECT_THAT(source->names(), ElementsAre("a", "b"));
    EXPECT_EQ(source->shape("b"), (Shape{2, 3}));
    EXPECT_THAT(values(source->read_whole(stream_, "a")), ElementsAre(100, 101));
    EXPECT_EQ(source->describe(), file.string());
    EXPECT_THAT(source->files(), ElementsAre(file));
    EXPECT_THAT([&] { source->shape("c"); }, ThrowsMessage<InputError>(HasSubstr("'c'")));
  }
}

TEST_F(WeightsTest, FilesWithoutWeights) {
  EXPECT_THAT([&] { open_weights(folder_); },
              ThrowsMessage<InputError>(
                  AllOf(HasSubstr(folder_.string()), HasSubstr("model.safetensors.index.json"))));
  EXPECT_THROW(open_weights(folder_ / "gone.safetensors"), InputError);
  text("model.onnx", "x");
  EXPECT_THAT([&] { open_weights(folder_ / "model.onnx"); },
              ThrowsMessage<InputError>(HasSubstr("*.safetensors")));
}

TEST_F(WeightsTest, ShardsUnderAnIndex) {
  store("model-1.safetensors", {{"a", {2}}, {"c", {1}}});
  store("sub/model-2.safetensors", {{"b", {3}}});
  text("model.safetensors.index.json",
       R"({"metadata":{"total_size":24},"weight_map":{"a":"model-1.safetensors",
           "c":"model-1.safetensors","b":"sub/model-2.safetensors"}})");
  const auto source = open_weights(folder_);
  EXPECT_THAT(source->names(), ElementsAre("a", "b", "c"));
  EXPECT_THAT(values(source->read_whole(stream_, "c")), ElementsAre(100));
  EXPECT_EQ(source->files().size(), 2u);
}

TEST_F(WeightsTest, BadIndices) {
  store("one.safetensors", {{"a", {2}}});
  store("two.safetensors", {{"a", {2}}, {"b", {2}}});
  const auto refused = [&](const std::string& map, const std::string& says) {
    SCOPED_TRACE(map);
    text("model.safetensors.index.json", R"({"weight_map":)" + map + "}");
    EXPECT_THAT([&] { open_weights(folder_); }, ThrowsMessage<InputError>(HasSubstr(says)));
  };
  for (const char* outside : {"../one.safetensors", "/etc/one.safetensors",
                              "x/../../one.safetensors", "", ".", "..", "a\\u0000b"})
    refused(R"({"a":")" + std::string(outside) + R"("})", "below the index's directory");
  refused(R"({"a":"one.safetensors","q":"one.safetensors","r":"one.safetensors"})", "q is not in");
  refused(R"({"a":"one.safetensors","b":"two.safetensors"})", "is in two sources");
  refused("{}", "names no tensor");
  refused(R"({"a":1})", "weight_map.a");
  refused(R"({"a":"config.json"})", "*.pth, found 'config.json'");
  text("model.safetensors.index.json", "{}");
  EXPECT_THAT([&] { open_weights(folder_); }, ThrowsMessage<InputError>(HasSubstr("weight_map")));
  text("model.safetensors.index.json", R"({"weight_map":{"a":"gone.safetensors"}})");
  EXPECT_THAT([&] { open_weights(folder_); }, ThrowsMessage<IoError>(HasSubstr("gone")));
}

TEST_F(WeightsTest, PrefixesAndCombination) {
  const auto llama = open_weights(store("llama.safetensors", {{"lm_head.weight", {2}}}));
  const auto vit = open_weights(store("vit.safetensors", {{"module.a", {2}}, {"other.b", {1}}}));
  const auto lynx =
      combine({with_prefix(llama, "", "LLM."), with_prefix(vit, "module.", "vision_encoder.")});
  EXPECT_THAT(lynx->names(), ElementsAre("LLM.lm_head.weight", "vision_encoder.a"));
  EXPECT_TRUE(lynx->has("vision_encoder.a"));
  EXPECT_FALSE(lynx->has("module.a"));
  EXPECT_FALSE(lynx->has("vision_encoder.b"));
  EXPECT_THAT(values(lynx->read_whole(stream_, "vision_encoder.a")), ElementsAre(0, 1));
  EXPECT_THAT(lynx->describe(), AllOf(HasSubstr("llama"), HasSubstr(" + "), HasSubstr("vit")));
  EXPECT_EQ(lynx->files().size(), 2u);
  EXPECT_THROW(lynx->shape("lm_head.weight"), InputError);
  EXPECT_THAT(
      [&] {
        combine({llama, llama});
      },
      ThrowsMessage<InputError>(
          AllOf(HasSubstr("'lm_head.weight'"), HasSubstr("llama.safetensors"))));
}

TEST_F(WeightsTest, ShardsOfATensorWithPaddedRows) {
  const auto source = open_weights(store("w.safetensors", {{"t", {5, 2}}}));
  const Tensor out = filled({3, 2}, -9);
  source->read_shard("t", TensorShard{0, 0, 5}, out);
  EXPECT_THAT(values(out), ElementsAre(0, 1, 2, 3, 4, 5));
  source->read_shard("t", TensorShard{0, 3, 5}, out);
  EXPECT_THAT(values(out), ElementsAre(6, 7, 8, 9, 0, 0));
  source->read_shard("t", TensorShard{0, 6, 5}, out);
  EXPECT_THAT(values(out), ElementsAre(0, 0, 0, 0, 0, 0));
  const Tensor columns = filled({5, 1}, -9);
  source->read_shard("t", TensorShard{1, 1, 2}, columns);
  EXPECT_THAT(values(columns), ElementsAre(1, 3, 5, 7, 9));
  const Tensor whole = filled({5, 2}, -9);
  source->read_shard("t", TensorShard{}, whole);
  EXPECT_EQ(values(whole)[9], 9.0f);
}

TEST_F(WeightsTest, MatchingNamesTheKindsOfFaultsAtOnce) {
  const auto source = open_weights(store("w.safetensors", {{"good", {2}},
                                                           {"layers.0.rotary_emb.inv_freq", {4}},
                                                           {"extra.1", {1}},
                                                           {"extra.2", {1}},
                                                           {"shape", {2, 3}}}));
  const std::vector<ExpectedTensor> expected = {
      {"good", {2}}, {"shape", {3, 2}}, {"gone.1", {7}}, {"gone.2", {8}}};
  EXPECT_THAT([&] { match_weights(*source, expected); },
              ThrowsMessage<InputError>(
                  AllOf(HasSubstr("w.safetensors"), HasSubstr("5 tensors"),
                        HasSubstr("2 missing: gone.1 [7], gone.2 [8]; 1 of another shape: shape "
                                  "expected [3, 2], found [2, 3]; 2 unexpected: extra.1 [1], "
                                  "extra.2 [1]"),
                        Not(HasSubstr("inv_freq")), Not(HasSubstr("good")))));
  const std::vector<ExpectedTensor> right = {{"good", {2}}, {"shape", {2, 3}}};
  EXPECT_NO_THROW(
      match_weights(*source, right, std::vector<std::string>{"extra.*", "*.rotary_emb.inv_freq"}));
  EXPECT_THROW(match_weights(*source, right, std::vector<std::string>{"extra.*"}), InputError);
}

TEST_F(WeightsTest, MatchingOfAnotherModelIsOneSentence) {
  std::vector<ExpectedTensor> theirs, expected;
  for (int i = 0; i < 100; ++i) {
    theirs.push_back({"other.deep." + std::to_string(i), {2}});
    expected.push_back({"mine." + std::to_string(i), {2}});
  }
  const auto source = open_weights(store("w.safetensors", theirs));
  EXPECT_THAT([&] { match_weights(*source, expected); },
              ThrowsMessage<InputError>(
                  AllOf(HasSubstr("100 missing: mine.0 [2], mine.1 [2], mine.2 [2] and 97 others"),
                        HasSubstr("100 unexpected: other.deep.0 [2], "),
                        HasSubstr("; all 100 names in the file begin with 'other.deep.'"),
                        Not(HasSubstr("\n")))));
}

TEST_F(WeightsTest, Patterns) {
  EXPECT_TRUE(matches_pattern("a.b.c", "a*c"));
  EXPECT_TRUE(matches_pattern("a.b.c", "*"));
  EXPECT_TRUE(matches_pattern("aXbXb", "a*b"));
  EXPECT_TRUE(matches_pattern("aab", "*ab"));
  EXPECT_TRUE(matches_pattern("abc", "abc*"));
  EXPECT_TRUE(matches_pattern("", "**"));
  EXPECT_FALSE(matches_pattern("abc", "ab"));
  EXPECT_FALSE(matches_pattern("abc", "bc"));
  EXPECT_FALSE(matches_pattern("a.b", "a*c*b"));
}

TEST_F(WeightsTest, TheRuleGivesWhatItsScriptWrote) {
  const fs::path data = fs::path(LYNCEUS_SOURCE_DIR) / "tests/data/generated_weights";
  const auto rule = open_weights(data / "weights.gen.json");
  const auto file = open_weights(data / "weights.safetensors");
  ASSERT_EQ(rule->names(), file->names());
  for (const std::string& name : rule->names()) {
    SCOPED_TRACE(name);
    const Shape shape = file->shape(name);
    ASSERT_EQ(rule->shape(name), shape);
    EXPECT_EQ(values(rule->read_whole(stream_, name)), values(file->read_whole(stream_, name)));
    for (int axis = 0; axis < shape.rank(); ++axis) {
      const Slice slice{axis, shape[axis] / 3, (shape[axis] + 1) / 2};
      const Tensor ours = Tensor::empty(stream_, slice.of(shape));
      const Tensor theirs = Tensor::empty(stream_, slice.of(shape));
      rule->read(name, slice, ours);
      file->read(name, slice, theirs);
      EXPECT_EQ(values(ours), values(theirs)) << "axis " << axis;
    }
  }
}

TEST_F(WeightsTest, ARewrittenRuleIsTheScriptsFileByteForByte) {
  const fs::path data = fs::path(LYNCEUS_SOURCE_DIR) / "tests/data/generated_weights";
  rewrite(data, folder_ / "ours.safetensors");
  EXPECT_EQ(read_text(folder_ / "ours.safetensors"), read_text(data / "weights.safetensors"));
}

TEST_F(WeightsTest, BadRules) {
  const auto refused = [&](const std::string& tensor, const std::string& says) {
    SCOPED_TRACE(tensor);
    text("weights.gen.json", R"({"seed":1,"tensors":[)" + tensor + "]}");
    EXPECT_THAT([&] { open_weights(folder_); }, ThrowsMessage<InputError>(HasSubstr(says)));
  };
  const std::string good = R"({"name":"a","shape":[2],"offset":0.0,"shift":0,"exp":-9})";
  refused(good + "," + good, "'a' appears twice");
  refused(R"({"name":"a","shape":[2],"const":0.1})", "expected a bf16 number");
  refused(R"({"name":"a","shape":[2],"offset":1.0,"shift":0,"exp":-20})", "expected a bf16 number");
  refused(R"({"name":"a","shape":[2],"offset":0.0,"shift":0})", "tensors[0].exp");
  refused(R"({"name":"a","shape":[2],"offset":0.0,"shift":0,"exp":500})", "tensors[0].exp");
  refused(R"({"name":"a","shape":[2],"offset":0.0,"shift":40,"exp":0})", "tensors[0].shift");
  refused(R"({"name":"a","shape":[4294967296,4294967296],"const":0})", "overflows");
  refused(R"({"name":"a","shape":[1,1,1,1,1,1,1],"const":0})", "7 axes");
}

TEST_F(WeightsTest, FusedQkvIsShownInThirds) {
  const auto fused = open_weights(store("eva.safetensors", {{"blocks.0.attn.qkv.weight", {6, 2}},
                                                            {"blocks.0.attn.q_bias", {2}},
                                                            {"blocks.0.attn.v_bias", {2}},
                                                            {"cls_token", {1}}}));
  EXPECT_TRUE(has_fused_qkv(*fused));
  const auto split = split_fused_qkv(fused);
  EXPECT_FALSE(has_fused_qkv(*split));
  EXPECT_THAT(split->names(),
              ElementsAre("blocks.0.attn.k_proj.weight", "blocks.0.attn.q_proj.bias",
                          "blocks.0.attn.q_proj.weight", "blocks.0.attn.v_proj.bias",
                          "blocks.0.attn.v_proj.weight", "cls_token"));
  EXPECT_EQ(split->shape("blocks.0.attn.v_proj.weight"), (Shape{2, 2}));
  EXPECT_THAT(values(split->read_whole(stream_, "blocks.0.attn.q_proj.weight")),
              ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(values(split->read_whole(stream_, "blocks.0.attn.k_proj.weight")),
              ElementsAre(4, 5, 6, 7));
  EXPECT_THAT(values(split->read_whole(stream_, "blocks.0.attn.v_proj.bias")),
              ElementsAre(200, 201));
  const Tensor row = Tensor::empty(stream_, {1, 2});
  split->read("blocks.0.attn.v_proj.weight", Slice{0, 1, 1}, row);
  EXPECT_THAT(values(row), ElementsAre(10, 11));
  const Tensor column = Tensor::empty(stream_, {2, 1});
  split->read("blocks.0.attn.k_proj.weight", Slice{1, 1, 1}, column);
  EXPECT_THAT(values(column), ElementsAre(5, 7));
}

TEST_F(WeightsTest, BadFusedQkv) {
  const auto odd = open_weights(store("odd.safetensors", {{"blocks.0.attn.qkv.weight", {4, 2}}}));
  EXPECT_THAT([&] { split_fused_qkv(odd); }, ThrowsMessage<InputError>(HasSubstr("[4, 2]")));
  const auto both =
      open_weights(store("both.safetensors", {{"blocks.0.attn.qkv.weight", {6, 2}},
                                              {"blocks.0.attn.q_proj.weight", {2, 2}}}));
  EXPECT_THAT([&] { split_fused_qkv(both); },
              ThrowsMessage<InputError>(HasSubstr("both fused and separate")));
}

TEST_F(WeightsTest, ThePadRowIsTheMean) {
  const auto plain = open_weights(
      store("llama.safetensors", {{"embed", {4, 2}}, {"head", {5, 2}}, {"other", {4, 2}}}));
  const std::vector<std::string> names = {"embed", "head", "absent"};
  const auto padded = with_pad_row(plain, 5, names);
  EXPECT_EQ(padded->names(), plain->names());
  EXPECT_EQ(padded->shape("embed"), (Shape{5, 2}));
  EXPECT_EQ(padded->shape("head"), (Shape{5, 2}));  // has its additional row already
  EXPECT_EQ(padded->shape("other"), (Shape{4, 2}));
  EXPECT_THAT(values(padded->read_whole(stream_, "embed")),
              ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 3, 4));
  const auto part = [&](const Slice& slice) {
    const Tensor out = Tensor::empty(stream_, slice.of(padded->shape("embed")));
    padded->read("embed", slice, out);
    return values(out);
  };
  EXPECT_THAT(part({0, 0, 2}), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(part({0, 3, 2}), ElementsAre(6, 7, 3, 4));
  EXPECT_THAT(part({0, 4, 1}), ElementsAre(3, 4));
  EXPECT_THAT(part({0, 5, 0}), ElementsAre());
  EXPECT_THAT(part({1, 1, 1}), ElementsAre(1, 3, 5, 7, 4));
  EXPECT_THAT(values(padded->read_whole(stream_, "head")),
              testing::ElementsAreArray(values(plain->read_whole(stream_, "head"))));
}

/// Reference cases too large for the repository; skipped where they are missing.
class GoldenWeights : public WeightsTest {
 protected:
  void SetUp() override {
    WeightsTest::SetUp();
    const char* folder = std::getenv("LYNCEUS_GOLDEN_DIR");
    if (folder == nullptr) GTEST_SKIP() << "LYNCEUS_GOLDEN_DIR is not set";
    golden_ = folder;
  }
  fs::path golden_;
};

TEST_F(GoldenWeights, TheWholeGeneratedCaseIsTheScriptsFile) {
  rewrite(golden_ / "bigger", folder_ / "bigger.safetensors");
  // The digest of the script's file, whose sha256 is b0054b73...473deb9f.
  EXPECT_EQ(digest_file(folder_ / "bigger.safetensors").hex(), "6487b0bae7bdc9daabacf07d5884cc06");
}

TEST_F(GoldenWeights, TheEvaCheckpointIsTheReleasedOne) {
  const auto eva = split_fused_qkv(open_weights(golden_ / "res_interp/eva_checkpoint.safetensors"));
  const auto all = open_weights(golden_ / "res_interp/weights.safetensors");
  const auto released = all->has("cls_token") ? all : with_prefix(all, "vision_encoder.", "");
  std::vector<ExpectedTensor> expected;
  for (const std::string& name : released->names())
    expected.push_back({name, released->shape(name)});
  ASSERT_GT(expected.size(), 40u);
  match_weights(*eva, expected);
  for (const ExpectedTensor& tensor : expected)
    EXPECT_EQ(values(eva->read_whole(stream_, tensor.name)),
              values(released->read_whole(stream_, tensor.name)))
        << tensor.name;
}

TEST_F(GoldenWeights, CasesThatShareAModelFollowTheLinkText) {
  const auto shared = open_weights(golden_ / "left_pad");
  EXPECT_EQ(shared->names(), open_weights(golden_ / "prefix_image")->names());
}

}  // namespace
}  // namespace lynceus::io
