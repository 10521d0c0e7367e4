// MANIFEST.json: a round trip restores every value; every invalid key is refused by name.
#include "io/checkpoint/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "core/error.h"

namespace lynceus::io {
namespace {

using testing::HasSubstr;

Manifest example() {
  Manifest manifest;
  manifest.step = 120;
  manifest.samples_seen = 7680;
  manifest.software = "lynceus 0.1.0";
  manifest.config = {{"train.steps", "400"}, {"data.tokenizer", "a \"quoted\" path"}};
  manifest.seeds = {{"train", 0xFFFFFFFFFFFFFFFFull}, {"model", 3}};
  manifest.frozen_weights = {{"llm", {"random 1 0.02", ""}}, {"bridge", {"abc", "/runs/one"}}};
  manifest.tokenizer = "def";
  manifest.datasets = {{"shapes", "123"}};
  manifest.parameter_steps = {{"bridge.latents", 118}, {"LLM.a", 120}};
  manifest.damaged_samples = 5;
  manifest.left_out = {{7, false, 384, 448}, {50, true, 3136, 3200}};
  manifest.tensors = {{"LLM.a/value", {3000, 1000}, DType::kF32, {{1, 2}, {3, 4}, {5, 6}}},
                      {"scalar/value", {}, DType::kI64, {{7, 8}}}};
  manifest.file_bytes = 12'000'000 + 8 + 100;
  manifest.frame = {{0, 40}, {12'000'040, 60}};
  manifest.frame_digest = {9, 10};
  return manifest;
}

std::string refusal(const std::string& text) {
  try {
    parse_manifest(text, "here/MANIFEST.json");
    return "accepted";
  } catch (const InputError& error) {
    return error.what();
  }
}

/// The text with `from` replaced and the digest recomputed.
std::string forged(const std::string& from, const std::string& to) {
  std::string text = to_text(example());
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  text.replace(at, from.size(), to);
  const size_t key = text.rfind(",\n\"digest\"");
  return text.substr(0, key) + ",\n\"digest\": \"" + digest128(text.data(), key).hex() + "\"\n}\n";
}

TEST(Manifest, OfAVersionWithoutLeftOutSteps) {
  const std::string text = to_text(example());
  const size_t begin = text.find("\"left_out\""), end = text.find("\"software\"");
  const std::string old = forged(text.substr(begin, end - begin), "");
  EXPECT_EQ(refusal(old), "accepted");
  EXPECT_TRUE(parse_manifest(old, "memory").left_out.empty());
}

TEST(Manifest, RoundTrip) {
  const Manifest manifest = example();
  const std::string text = to_text(manifest);
  const Manifest read = parse_manifest(text, "memory");
  EXPECT_EQ(read.step, 120);
  EXPECT_EQ(read.samples_seen, 7680);
  EXPECT_EQ(read.config, manifest.config);
  EXPECT_EQ(read.seeds, manifest.seeds);
  EXPECT_EQ(read.datasets, manifest.datasets);
  EXPECT_EQ(read.parameter_steps, manifest.parameter_steps);
  EXPECT_EQ(read.damaged_samples, 5);
  EXPECT_EQ(read.left_out, manifest.left_out);
  EXPECT_EQ(read.frozen_weights, manifest.frozen_weights);
  EXPECT_EQ(read.frame, manifest.frame);
  ASSERT_NE(read.find("LLM.a/value"), nullptr);
  EXPECT_EQ(read.find("LLM.a/value")->blocks, manifest.tensors[0].blocks);
  EXPECT_EQ(read.find("scalar/value")->shape.rank(), 0);
  EXPECT_EQ(read.find("LLM.b/value"), nullptr);
  EXPECT_EQ(to_text(read), text);
}

TEST(Manifest, AnyChangedByteIsDetected) {
  const std::string text = to_text(example());
  for (size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_THROW(parse_manifest(changed, "x"), InputError) << "byte " << i;
  }
  for (size_t i = 0; i < text.size(); i += 7)
    EXPECT_THROW(parse_manifest(text.substr(0, i), "x"), InputError) << "cut at " << i;
}

TEST(Manifest, RefusalsNameFileAndKey) {
  EXPECT_THAT(refusal("{}"), HasSubstr("here/MANIFEST.json: not a committed checkpoint"));
  EXPECT_THAT(refusal(forged("\"version\": 2", "\"version\": 3")),
              testing::AllOf(HasSubstr("here/MANIFEST.json"), HasSubstr("version")));
  EXPECT_THAT(refusal(forged("lynceus-checkpoint", "other")), HasSubstr("format"));
  EXPECT_THAT(refusal(forged("\"step\": 120", "\"step\": -1")), HasSubstr("step"));
  EXPECT_THAT(refusal(forged("[3000,1000]", "[3000,1001]")), HasSubstr("tensors[0]"));
  EXPECT_THAT(refusal(forged("[3000,1000]", "[9223372036854775807,9]")), HasSubstr("64 bits"));
  EXPECT_THAT(refusal(forged("\"LLM.a/value\"", "\"../../a\"")), HasSubstr("relative path"));
  EXPECT_THAT(refusal(forged("\"LLM.a/value\"", "\"scalar/value\"")), HasSubstr("twice"));
  EXPECT_THAT(refusal(forged("\"block_rows\":1048", "\"block_rows\":1049")),
              HasSubstr("block_rows"));
  EXPECT_THAT(refusal(forged("[0,40]", "[0,41]")), HasSubstr("file.bytes"));
  EXPECT_THAT(refusal(forged("[0,40]", "[0,99999999999]")), HasSubstr("frame"));
  EXPECT_THAT(refusal(forged("\"damaged_samples\": 5", "\"damaged_samples\": 7681")),
              HasSubstr("damaged_samples"));
  EXPECT_THAT(refusal(forged("\"policy\":\"skip\"", "\"policy\":\"skid\"")),
              HasSubstr("expected skip or rollback, found 'skid'"));
  EXPECT_THAT(refusal(forged("\"end_sample\":448", "\"end_sample\":384")), HasSubstr("end_sample"));
  EXPECT_THAT(refusal(forged("\"checkpoint\":\"/runs/one\"", "\"checkpoint\":3")),
              HasSubstr("frozen_weights.bridge.checkpoint"));
}

TEST(Manifest, BlocksAreAboutFourMegabytes) {
  EXPECT_EQ(digest_block_rows({3000, 1000}, DType::kF32), 1048);
  EXPECT_EQ(digest_blocks({3000, 1000}, DType::kF32), 3);
  EXPECT_EQ(digest_block_rows({5}, DType::kF32), 5);
  EXPECT_EQ(digest_block_rows({2, 1 << 24}, DType::kF32), 1);
  EXPECT_EQ(digest_blocks({}, DType::kF32), 1);
}

TEST(Manifest, NoFileIsNoCheckpoint) {
  try {
    read_manifest(testing::TempDir() + "no_such_checkpoint");
    FAIL() << "accepted";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("not a committed checkpoint"));
  }
}

}  // namespace
}  // namespace lynceus::io
