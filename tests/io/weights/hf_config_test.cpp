// LLaMA configs: the published ones are read, unsupported features are refused by name.
#include "io/weights/hf_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "core/error.h"

namespace lynceus::io {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

/// A small valid config with additional lines at its beginning.
Json config(const std::string& more = "", const std::string& eps = "1e-06") {
  return Json::parse("{" + more + (more.empty() ? "" : ",") +
                         R"("hidden_size":64,"intermediate_size":172,"num_hidden_layers":4,
                            "num_attention_heads":4,"vocab_size":321,"rms_norm_eps":)" +
                         eps + "}",
                     "config.json");
}

TEST(HfConfig, FirstLlama) {
  const LlamaConfig llama = parse_llama_config(config(
      R"("model_type":"llama","hidden_act":"silu","tie_word_embeddings":false,"bos_token_id":1,
         "eos_token_id":2,"pad_token_id":null,"rope_scaling":null)"));
  EXPECT_EQ(llama.hidden_size, 64);
  EXPECT_EQ(llama.intermediate_size, 172);
  EXPECT_EQ(llama.num_hidden_layers, 4);
  EXPECT_EQ(llama.num_attention_heads, 4);
  EXPECT_EQ(llama.num_key_value_heads, 4);
  EXPECT_EQ(llama.vocab_size, 321);
  EXPECT_EQ(llama.rms_norm_eps, 1e-6);
  EXPECT_EQ(llama.rope_theta, 10000.0);
  EXPECT_EQ(llama.max_position_embeddings, 2048);
  EXPECT_EQ(llama.bos_token_id, 1);
  EXPECT_EQ(llama.eos_token_id, 2);
  EXPECT_FALSE(llama.pad_token_id);
  EXPECT_EQ(llama.head_dim(), 16);
}

TEST(HfConfig, LaterLlamas) {
  const LlamaConfig llama = parse_llama_config(
      config(R"("num_key_value_heads":2,"rope_theta":500000.0,"max_position_embeddings":8192,
                "eos_token_id":[7,8],"attention_bias":false,"mlp_bias":false,"head_dim":16)",
             "1e-05"));
  EXPECT_EQ(llama.num_key_value_heads, 2);
  EXPECT_EQ(llama.rope_theta, 500000.0);
  EXPECT_EQ(llama.max_position_embeddings, 8192);
  EXPECT_EQ(llama.rms_norm_eps, 1e-5);
  EXPECT_EQ(llama.eos_token_id, 7);
  const LlamaConfig newest = parse_llama_config(
      config(R"("rope_parameters":{"rope_type":"default","rope_theta":20000.0})"));
  EXPECT_EQ(newest.rope_theta, 20000.0);
}

TEST(HfConfig, UnsupportedMathematicsIsRefusedByName) {
  for (const char* line :
       {R"("rope_scaling":{"type":"yarn","factor":2.0})", R"("attention_bias":true)",
        R"("mlp_bias":true)", R"("hidden_act":"gelu")", R"("sliding_window":4096)",
        R"("model_type":"mistral")", R"("attention_dropout":0.1)",
        R"("quantization_config":{"bits":4})", R"("partial_rotary_factor":0.5)",
        R"("rope_parameters":{"rope_type":"yarn","rope_theta":1.0})"}) {
    const std::string key(line + 1, std::string(line).find('"', 1) - 1);
    EXPECT_THAT([&] { parse_llama_config(config(line)); },
                ThrowsMessage<InputError>(AllOf(HasSubstr("config.json"), HasSubstr(key))))
        << line;
  }
  EXPECT_THAT([] { parse_llama_config(config(R"("mlp_bias":true,"attention_bias":true)")); },
              ThrowsMessage<InputError>(AllOf(HasSubstr("mlp_bias"), HasSubstr("attention_bias"))));
}

TEST(HfConfig, ScaledPositions) {
  const auto text = [](const std::string& more) {
    return parse_llama_config(config(more)).rope_scaling.to_text();
  };
  for (const char* key : {R"("rope_scaling":)", R"("rope_parameters":)"})
    for (const char* type : {R"({"type":)", R"({"rope_type":)"}) {
      const std::string begin = std::string(key) + type;
      EXPECT_EQ(text(begin + R"("default"})"), "none");
      EXPECT_EQ(text(begin + R"("linear","factor":4})"), "linear:4");
      EXPECT_EQ(text(R"("max_position_embeddings":4096,)" + begin + R"("dynamic","factor":2.5})"),
                "dynamic:2.5:4096");
      EXPECT_EQ(text(begin + R"("llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,
                               "original_max_position_embeddings":8192})"),
                "llama3:8:1:4:8192");
    }
  EXPECT_EQ(text(R"("rope_scaling":{})"), "none");
  const auto refused = [&](const std::string& more, const std::string& says) {
    SCOPED_TRACE(more);
    EXPECT_THAT([&] { text(more); },
                ThrowsMessage<InputError>(AllOf(HasSubstr("config.json"), HasSubstr(says))));
  };
  for (const char* type : {"yarn", "longrope", "su", "mrope", "proportional"})
    refused(R"("rope_scaling":{"rope_type":")" + std::string(type) + R"(","factor":2})",
            "rope_scaling: expected the rope_type default, linear, dynamic or llama3, found '" +
                std::string(type) + "'");
  refused(R"("rope_scaling":{"type":"linear"})", "'rope_scaling.factor' is missing");
  refused(R"("rope_scaling":{"type":"linear","factor":0.5})", "a factor of at least 1");
  refused(R"("rope_scaling":{"type":"llama3","factor":8})",
          "'rope_scaling.low_freq_factor' is missing");
  refused(R"("rope_scaling":{"type":"linear","factor":2},"rope_parameters":{"rope_theta":1e4})",
          "rope_scaling says linear:2, but rope_parameters none");
}

TEST(HfConfig, TheLlmOfALlava) {
  const std::string text = config(R"("model_type":"llama","tie_word_embeddings":true)").dump();
  const LlamaConfig nested = parse_llama_config(Json::parse(
      R"({"model_type":"llava_next","tie_word_embeddings":false,"text_config":)" + text + "}",
      "config.json"));
  EXPECT_EQ(nested.hidden_size, 64);
  EXPECT_TRUE(nested.tie_word_embeddings);
  EXPECT_EQ(parse_llama_config(config(R"("model_type":"llava_llama")")).hidden_size, 64);
  EXPECT_THAT(
      [] {
        parse_llama_config(Json::parse(
            R"({"model_type":"llava","text_config":{"model_type":"mistral"}})", "config.json"));
      },
      ThrowsMessage<InputError>(AllOf(HasSubstr("text_config"), HasSubstr("model_type"))));
}

TEST(HfConfig, TheLlmOfALlavaHasOnlyWhatIsNoDefault) {
  // As transformers saves llava-hf/llava-1.5-7b-hf.
  const LlamaConfig llama = parse_llama_config(Json::parse(
      R"({"model_type":"llava","text_config":{"_name_or_path":"lmsys/vicuna-7b-v1.5",
          "max_position_embeddings":4096,"model_type":"llama","rms_norm_eps":1e-05,
          "vocab_size":32064}})",
      "config.json"));
  EXPECT_EQ(llama.hidden_size, 4096);
  EXPECT_EQ(llama.intermediate_size, 11008);
  EXPECT_EQ(llama.num_hidden_layers, 32);
  EXPECT_EQ(llama.num_attention_heads, 32);
  EXPECT_EQ(llama.num_key_value_heads, 32);
  EXPECT_EQ(llama.max_position_embeddings, 4096);
  EXPECT_EQ(llama.vocab_size, 32064);
  EXPECT_EQ(llama.rms_norm_eps, 1e-5);
  EXPECT_EQ(llama.bos_token_id, 1);
  EXPECT_EQ(llama.eos_token_id, 2);
  const LlamaConfig bare =
      parse_llama_config(Json::parse(R"({"model_type":"llava","text_config":{}})", "config.json"));
  EXPECT_EQ(bare.vocab_size, 32000);
  EXPECT_EQ(bare.rms_norm_eps, 1e-6);
}

TEST(HfConfig, TheRotaryBaseNextToTheScalingCounts) {
  const auto theta = [](const std::string& more) {
    return parse_llama_config(config(more)).rope_theta;
  };
  EXPECT_EQ(theta(R"("rope_theta":10000,"rope_parameters":{"rope_theta":500})"), 500);
  EXPECT_EQ(theta(R"("rope_theta":10000,"rope_scaling":{"type":"linear","factor":2,
                     "rope_theta":600})"),
            600);
  EXPECT_EQ(theta(R"("rope_theta":700,"rope_parameters":{"rope_type":"default"})"), 700);
  EXPECT_EQ(theta(R"("rope_theta":null,"rope_parameters":null)"), 10000);
}

TEST(HfConfig, WhatIsInsideRopeParametersIsNotIgnored) {
  const auto refused = [](const std::string& more, const std::string& says) {
    SCOPED_TRACE(more);
    EXPECT_THAT([&] { parse_llama_config(config(more)); },
                ThrowsMessage<InputError>(AllOf(HasSubstr("config.json"), HasSubstr(says))));
  };
  for (const std::string key : {"rope_scaling", "rope_parameters"}) {
    const std::string begin = "\"" + key + "\":";
    refused(begin + R"({"factor":8.0})", key + ": expected a rope_type next to 'factor'");
    refused(begin + R"({"full_attention":{"rope_type":"yarn","factor":4}})",
            key +
                ": expected one set of values for all layers, found one for the layer type "
                "'full_attention'");
    refused(begin + R"({"rope_type":"default","partial_rotary_factor":0.5})",
            key + ".partial_rotary_factor: expected 1, found 0.5");
    EXPECT_NO_THROW(parse_llama_config(
        config(begin + R"({"rope_type":"default","partial_rotary_factor":1.0})")));
    EXPECT_NO_THROW(parse_llama_config(config(begin + R"({"rope_theta":10000.0})")));
  }
}

TEST(HfConfig, TiedEmbeddings) {
  EXPECT_FALSE(parse_llama_config(config()).tie_word_embeddings);
  EXPECT_FALSE(parse_llama_config(config(R"("tie_word_embeddings":null)")).tie_word_embeddings);
  EXPECT_TRUE(parse_llama_config(config(R"("tie_word_embeddings":true)")).tie_word_embeddings);
}

TEST(HfConfig, ImpossibleNumbers) {
  const auto refused = [](const std::string& json, const std::string& says) {
    SCOPED_TRACE(json);
    EXPECT_THAT([&] { parse_llama_config(Json::parse(json, "config.json")); },
                ThrowsMessage<InputError>(HasSubstr(says)));
  };
  const auto text = [](const std::string& hidden, const std::string& heads) {
    return R"({"hidden_size":)" + hidden +
           R"(,"intermediate_size":8,"num_hidden_layers":1,"vocab_size":9,"rms_norm_eps":1e-6,)" +
           R"("num_attention_heads":)" + heads + "}";
  };
  refused("{}", "'hidden_size' is missing");
  refused(text("0", "4"), "hidden_size");
  refused(text("64", "5"), "num_attention_heads = 5 does not divide hidden_size = 64");
  refused(text("12", "4"), "odd");
  refused(text("\"64\"", "4"), "an integer");
  EXPECT_THROW(parse_llama_config(config(R"("num_key_value_heads":3)")), InputError);
  EXPECT_THROW(parse_llama_config(config(R"("head_dim":32)")), InputError);
  EXPECT_THROW(parse_llama_config(config("", "-1")), InputError);
  EXPECT_THROW(parse_llama_config(config(R"("rope_theta":0)")), InputError);
}

TEST(HfConfig, FromADirectory) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "hf_config_test";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "config.json") << config().dump();
  EXPECT_EQ(read_llama_config(folder).vocab_size, 321);
  EXPECT_EQ(read_llama_config(folder / "config.json").vocab_size, 321);
  std::filesystem::rename(folder / "config.json", folder / "adapter_config.json");
  EXPECT_THAT(
      [&] { read_llama_config(folder); },
      ThrowsMessage<InputError>(HasSubstr("found adapter_config.json: merge this adapter")));
  std::filesystem::remove_all(folder);
  EXPECT_THROW(read_llama_config(folder), InputError);
}

}  // namespace
}  // namespace lynceus::io
