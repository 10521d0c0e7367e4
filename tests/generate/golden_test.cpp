// The distributions of golden/generate_beam/probabilities: sampling by the released code, without
// chance (given tokens).
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>

#include "generate/one_sequence.h"
#include "io/files/json.h"
#include "io/weights/safetensors.h"

namespace lynceus::generate {
namespace {

namespace fs = std::filesystem;

Settings settings_of(const io::Json& run) {
  Settings settings;
  settings.do_sample = run.at("do_sample").boolean();
  settings.max_new_tokens = run.at("max_new_tokens").integer();
  settings.min_length = run.at("min_length").integer();
  settings.repetition_penalty = run.at("repetition_penalty").number();
  settings.no_repeat_ngram_size = run.at("no_repeat_ngram_size").integer();
  settings.temperature = run.at("temperature").number();
  settings.top_k = run.at("top_k").integer();
  settings.top_p = run.at("top_p").number();
  return settings;
}

/// f64 or f32 as f32, [steps, rows, size].
std::vector<float> read(const io::SafetensorsFile& file, const std::string& name) {
  const Shape& shape = file.entry(name).shape;
  std::vector<float> values(static_cast<size_t>(shape.elements()));
  file.read(name, {}, Tensor::borrow(values.data(), shape, DType::kF32));
  return values;
}

TEST(GoldenTest, SamplingHasTheProbabilitiesOfTheReleasedCode) {
  const char* golden = std::getenv("LYNCEUS_GOLDEN_DIR");
  if (golden == nullptr) GTEST_SKIP() << "LYNCEUS_GOLDEN_DIR is not set";
  const fs::path folder = fs::path(golden) / "generate_beam/probabilities";
  const io::Json config = io::Json::read(folder / "config.json");
  const io::Json expected = io::Json::read(folder / "expected.json");
  const io::SafetensorsFile file(folder / "expected.safetensors");
  const std::vector<float> logits = read(file, "logits");
  const std::vector<io::Json> given = expected.at("given_tokens").elements();
  const auto size = static_cast<size_t>(config.at("llm").at("vocab_size").integer());

  int compared = 0;
  for (const io::Json& run : config.at("generate").elements()) {
    const Settings settings = settings_of(run);
    const std::vector<float> distributions = read(file, run.at("name").string());
    for (size_t row = 0; row < given.size(); ++row) {
      const std::vector<int64_t> all = given[row].integers();
      const std::vector<int32_t> tokens(all.begin(), all.end());
      for (size_t step = 0; step < tokens.size(); ++step) {
        OneSequence sequence(settings, {static_cast<int64_t>(size), 1, 2}, {});
        sequence.start_after(std::span(tokens).first(step));
        const size_t place = (step * given.size() + row) * size;
        std::vector<double> found(size);
        for (const Choice& choice : sequence.choices(std::span(logits).subspan(place, size))) {
          found[static_cast<size_t>(choice.token)] = choice.probability;
        }
        for (size_t token = 0; token < size; ++token) {
          const double probability = static_cast<double>(distributions[place + token]);
          ASSERT_NEAR(found[token], probability, 1e-5)
              << run.at("name").string() << " step " << step << " row " << row << ' ' << token;
          ASSERT_EQ(found[token] == 0, probability == 0);
        }
        ++compared;
      }
    }
  }
  EXPECT_EQ(compared, 8 * 3 * 6);
}

}  // namespace
}  // namespace lynceus::generate
