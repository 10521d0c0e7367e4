// Weights under other names: below a common prefix, in a file with other modules, with a tied head.
// Also scaled positions. What is read gives exactly the losses of the plain directory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "llama_files.h"

namespace lynceus::cli_test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kEmbedding = "model.embed_tokens.weight";
constexpr const char* kHead = "lm_head.weight";

Rename below_prefix(const std::string& prefix) {
  return [prefix](const std::string& name) { return prefix + name; };
}

class WeightNames : public testing::Test {
 protected:
  Output train(const std::string& name, const fs::path& weights, const Arguments& more = {},
               int ranks = 0, const std::string& steps = "2") const {
    return run(train_arguments(folder_ / name) +
                   Arguments{"--train.steps", steps, "--model.weights", weights} + more,
               {.ranks = ranks});
  }
  std::vector<double> losses(const std::string& name) const {
    return numbers_of(folder_ / name, "loss");
  }
  /// Expects that training from `weights` gives the losses of the run "plain".
  Output expect_plain(const std::string& name, const fs::path& weights) const {
    const Output output = train(name, weights);
    EXPECT_EQ(output.code, 0) << output.all();
    EXPECT_EQ(losses(name), losses("plain"));
    return output;
  }
  fs::path llama(const std::string& name, const Shapes& shapes, const Rename& rename = {},
                 const std::string& config = llama_config()) const {
    fs::create_directories(folder_ / name);
    std::ofstream(folder_ / name / "config.json") << config;
    write_weights(folder_ / name / "model.safetensors", shapes, 0.2F, rename);
    return folder_ / name;
  }
  void expect_refused(const Output& output, const std::string& says) const {
    EXPECT_EQ(output.code, 3) << output.all();
    EXPECT_EQ(output.messages(), 1) << output.all();
    EXPECT_THAT(output.err, HasSubstr(says));
  }

  const Folder folder_{"weight_names"};
};

TEST_F(WeightNames, ACommonPrefixIsRemoved) {
  ASSERT_EQ(train("plain", llama("llama", llama_shapes())).code, 0);
  for (const std::string prefix :
       {"language_model.", "module.", "base_model.model.", "LLM.", "a.b.c."}) {
    const Output output = expect_plain(
        "run-" + prefix, llama("llama-" + prefix, llama_shapes(), below_prefix(prefix)));
    EXPECT_THAT(output.err, HasSubstr("model.safetensors (the prefix '" + prefix + "' is removed"));
  }
  // As transformers 4.52 and later write the LLM of LLaVA.
  const Output newer = expect_plain(
      "newer", llama("llama-newer", llama_shapes(), [](const std::string& name) {
        return name.starts_with("model.") ? "model.language_model." + name.substr(6) : name;
      }));
  EXPECT_THAT(newer.err, HasSubstr("('model.language_model.' is read as 'model.')"));
}

TEST_F(WeightNames, OtherModulesOfTheFileAreLeftOut) {
  ASSERT_EQ(train("plain", llama("llama", llama_shapes())).code, 0);
  Shapes mixed = llama_shapes();
  mixed["vision_tower.vision_model.embeddings.class_embedding"] = {8};
  mixed["vision_tower.vision_model.post_layernorm.weight"] = {8};
  mixed["multi_modal_projector.linear_1.weight"] = {8, 8};
  const auto is_other = [](const std::string& name) {
    return name.starts_with("vision") || name.starts_with("multi");
  };
  const Output whole = expect_plain("whole", llama("llava", mixed, [&](const std::string& name) {
                                      return is_other(name) ? name : "language_model." + name;
                                    }));
  EXPECT_THAT(whole.err, HasSubstr("(the prefix 'language_model.' is removed, 3 tensors of "
                                   "'multi_modal_projector.', 'vision_tower.' left out)"));
  const Output original =
      expect_plain("original", llama("llava-original", mixed, [&](const std::string& name) {
                     return is_other(name) ? "model." + name : name;
                   }));
  EXPECT_THAT(original.err,
              HasSubstr("(3 tensors of 'multi_modal_projector.', 'vision_tower.' left out)"));

  mixed = llama_shapes();
  mixed["model.layers.0.self_attn.q_proj.bias"] = {32};
  mixed["score.weight"] = {2, 32};
  expect_refused(train("refused", llama("biased", mixed)),
                 "2 tensors are not as the model expects: 2 unexpected: "
                 "model.layers.0.self_attn.q_proj.bias [32], score.weight [2, 32]\n");
  expect_refused(train("refused", llama("biased-below", mixed, below_prefix("module."))),
                 "2 unexpected: module.model.layers.0.self_attn.q_proj.bias [32], "
                 "module.score.weight [2, 32]\n");
}

TEST_F(WeightNames, WhatDoesNotMatchIsOneSentence) {
  Shapes other = llama_shapes();
  other["model.layers.0.extra.weight"] = {2};
  const Output output = train("refused", llama("other", other, [](const std::string& name) {
                                return "transformer." + name + "s";
                              }));
  expect_refused(output, "all 24 names in the file begin with 'transformer.'\n");
  EXPECT_THAT(output.err,
              AllOf(HasSubstr("21 missing: model.embed_tokens.weight [321, 32], "),
                    HasSubstr(" and 18 others; 24 unexpected: "), Not(HasSubstr("LLM."))));
  Shapes twice = llama_shapes();
  for (const auto& [name, shape] : llama_shapes()) twice["b." + name] = shape;
  expect_refused(train("refused", llama("twice", twice, below_prefix("x."))),
                 "expected the tensors of one model, found them under x.b.model., x.model.");
}

TEST_F(WeightNames, OfAVisionEncoder) {
  const auto train_on = [&](const std::string& name, const Rename& rename) {
    Shapes shapes = eva_shapes();
    if (rename) shapes["other.tensor"] = {3};
    write_weights(folder_ / (name + ".safetensors"), shapes, 0.2F, rename);
    return run(train_arguments(folder_ / name) + Arguments{"--train.steps", "2", "--vision.weights",
                                                           folder_ / (name + ".safetensors")});
  };
  ASSERT_EQ(train_on("plain", {}).code, 0);
  const auto below = [](const std::string& prefix) {
    return
        [prefix](const std::string& name) { return name == "other.tensor" ? name : prefix + name; };
  };
  const Output clip = train_on("clip", below("visual."));
  ASSERT_EQ(clip.code, 0) << clip.all();
  EXPECT_EQ(losses("clip"), losses("plain"));
  // Below other prefixes the encoder may be another one with blocks of the same names.
  for (const std::string prefix : {"module.", "visual.trunk."}) {
    const Output output = train_on("run-" + prefix, below(prefix));
    EXPECT_EQ(output.code, 3) << output.all();
  }
}

/// The same model in two directories: tied without a head, and untied with the head as a copy.
class TiedHead : public WeightNames {
 protected:
  void SetUp() override {
    Shapes shapes = llama_shapes();
    const auto as_copy = [](const std::string& name) {
      return name == "model.embed_tokens.copies" ? std::string(kHead) : name;
    };
    shapes.erase(kHead);
    tied_ = llama("tied", shapes, {}, tied_config());
    // values_of() follows from the length of a name, so that this tensor equals the embedding.
    shapes["model.embed_tokens.copies"] = shapes.at(kEmbedding);
    untied_ = llama("untied", shapes, as_copy);
    both_ = llama("both", shapes, as_copy, tied_config());
  }
  static std::string tied_config() {
    std::string text = llama_config();
    const std::string untied = "\"tie_word_embeddings\": false";
    return text.replace(text.find(untied), untied.size(), "\"tie_word_embeddings\": true");
  }

  fs::path tied_, untied_, both_;
};

TEST_F(TiedHead, IsTheEmbedding) {
  ASSERT_EQ(train("plain", untied_).code, 0);
  expect_plain("tied", tied_);
  const Output both = expect_plain("both", both_);
  EXPECT_THAT(both.err, HasSubstr("(without 'LLM.lm_head.weight', which is tied)"));

  const fs::path different = llama("different", llama_shapes(), {}, tied_config());
  expect_refused(train("refused", different),
                 "tie_word_embeddings is true, but lm_head.weight differs from "
                 "model.embed_tokens.weight: expected equal tensors, or tie_word_embeddings = "
                 "false in config.json\n");
  Shapes headless = llama_shapes();
  headless.erase(kHead);
  expect_refused(train("refused", llama("headless", headless)),
                 "1 tensor is not as the model expects: 1 missing: lm_head.weight [321, 32]; a "
                 "model whose embedding is also its output matrix has no lm_head.weight: "
                 "config.json then says tie_word_embeddings = true\n");
}

TEST_F(TiedHead, TrainsOnEveryGridAndIsExportedOnce) {
  const Arguments all = {"--model.train", "bridge,adapter,llm"};
  ASSERT_EQ(train("plain", tied_, all).code, 0);
  for (const Arguments& layout : {grid(1, 2, 1), grid(2, 1, 1), grid(2, 2, 1)}) {
    const std::string name = layout[1] + layout[3];
    const int ranks = std::stoi(layout[1]) * std::stoi(layout[3]);
    const Output output = train(name, tied_, all + layout, ranks);
    ASSERT_EQ(output.code, 0) << output.all();
    for (size_t step = 0; step < 2; ++step)
      EXPECT_NEAR(losses(name)[step] / losses("plain")[step], 1, 1e-5) << name;
  }
  // From two stages, each with a copy, to one.
  ASSERT_EQ(train("long", tied_, all, 0, "4").code, 0);
  ASSERT_EQ(
      train("moved", tied_, all + grid(1, 2, 1) + Arguments{"--stop-after", "2"}, 2, "4").code, 0);
  const Output moved = train("moved", tied_, all, 0, "4");
  ASSERT_EQ(moved.code, 0) << moved.all();
  ASSERT_EQ(losses("moved").size(), 4u);
  EXPECT_NEAR(losses("moved")[3] / losses("long")[3], 1, 1e-5);
  const Output exported = run(Arguments{"export", "--checkpoint", folder_ / "12", "--output",
                                        folder_ / "out", "--what", "merged"});
  ASSERT_EQ(exported.code, 0) << exported.all();
  EXPECT_THAT(io::read_text(folder_ / "out" / "config.json"),
              HasSubstr("\"tie_word_embeddings\": true"));
  const io::SafetensorsFile file(folder_ / "out" / "model.safetensors");
  EXPECT_FALSE(file.has(kHead));
  EXPECT_TRUE(file.has(kEmbedding));
  const Output again =
      train("again", folder_ / "out", {"--init", folder_ / "out" / "lynx.safetensors"});
  EXPECT_EQ(again.code, 0) << again.all();
}

TEST_F(WeightNames, ScaledPositions) {
  const auto config = [](const std::string& scaling) {
    return llama_config(", \"rope_scaling\": " + scaling);
  };
  ASSERT_EQ(train("plain", llama("llama", llama_shapes())).code, 0);
  expect_plain("default", llama("d", llama_shapes(), {}, config(R"({"rope_type": "default"})")));
  expect_plain("dynamic",
               llama("n", llama_shapes(), {}, config(R"({"type": "dynamic", "factor": 2.0})")));
  const Output linear = train(
      "linear", llama("l", llama_shapes(), {}, config(R"({"type": "linear", "factor": 4.0})")),
      {"--model.rope_scaling", "none", "--model.train", "bridge,adapter,llm"});
  ASSERT_EQ(linear.code, 0) << linear.all();
  EXPECT_THAT(linear.err, HasSubstr("model.rope_scaling = linear:4 (from "));
  EXPECT_NE(losses("linear"), losses("plain"));
  const Output exported = run(Arguments{"export", "--checkpoint", folder_ / "linear", "--output",
                                        folder_ / "out", "--what", "merged"});
  ASSERT_EQ(exported.code, 0) << exported.all();
  EXPECT_THAT(io::read_text(folder_ / "out" / "config.json"),
              AllOf(HasSubstr("\"type\": \"linear\""), HasSubstr("\"factor\": 4.0")));
}

}  // namespace
}  // namespace lynceus::cli_test
