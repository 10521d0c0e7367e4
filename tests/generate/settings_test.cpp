// Settings that contradict each other are refused by name; the presets are the paper's.
#include "generate/settings.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <sstream>

#include "core/config/config.h"

namespace lynceus::generate {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> faults_of(const std::function<void(Settings&)>& change) {
  Settings settings;
  change(settings);
  ConfigFaults faults;
  settings.check(&faults);
  return faults.all();
}

TEST(SettingsTest, DefaultsAreValid) {
  EXPECT_THAT(faults_of([](Settings&) {}), IsEmpty());
}

TEST(SettingsTest, RefusesWhatContradictsItself) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<std::pair<std::function<void(Settings&)>, std::string>> cases{
      {[](Settings& s) { s.max_new_tokens = 0; },
       "generate.max_new_tokens: expected 1 to 1048576, found 0"},
      {[](Settings& s) { s.min_length = -1; }, "generate.min_length: expected 0 or more, found -1"},
      {[](Settings& s) { s.max_new_tokens = 5, s.min_length = 7; },
       "generate.min_length: expected at most generate.max_new_tokens + 1 (6), found 7"},
      {[](Settings& s) { s.max_new_tokens = 5, s.min_new_tokens = 6; },
       "generate.min_new_tokens: expected at most generate.max_new_tokens (5), found 6"},
      {[](Settings& s) { s.num_beams = 0; }, "generate.num_beams: expected 1 to 1024, found 0"},
      {[=](Settings& s) { s.length_penalty = nan; },
       "generate.length_penalty: expected a finite number, found nan"},
      {[](Settings& s) { s.no_repeat_ngram_size = -2; },
       "generate.no_repeat_ngram_size: expected 0 or more, found -2"},
      {[](Settings& s) { s.repetition_penalty = 0; },
       "generate.repetition_penalty: expected more than 0; 1 is off, found 0"},
      {[](Settings& s) { s.temperature = 0; },
       "generate.temperature: expected more than 0; generate.do_sample = false always takes the "
       "best token, found 0"},
      {[](Settings& s) { s.top_k = -1; }, "generate.top_k: expected 0 or more, found -1"},
      {[](Settings& s) { s.top_p = 0; },
       "generate.top_p: expected more than 0 and at most 1; 1 is off, found 0"},
      {[](Settings& s) { s.top_p = 1.5; },
       "generate.top_p: expected more than 0 and at most 1; 1 is off, found 1.5"},
      {[=](Settings& s) { s.top_p = nan; },
       "generate.top_p: expected more than 0 and at most 1; 1 is off, found nan"},
      {[](Settings& s) { s.num_return_sequences = 0; },
       "generate.num_return_sequences: expected 1 to 1024, found 0"},
      {[](Settings& s) { s.num_return_sequences = 2; },
       "generate.num_return_sequences: expected at most generate.num_beams (1), found 2"},
      {[](Settings& s) { s.num_beams = 3, s.num_return_sequences = 4; },
       "generate.num_return_sequences: expected at most generate.num_beams (3), found 4"},
      {[](Settings& s) {
         s.num_beams = 3, s.num_return_sequences = 4, s.do_sample = true, s.length = "hf";
       },
       "generate.num_return_sequences: expected at most generate.num_beams (3), found 4"},
  };
  for (const auto& [change, fault] : cases) EXPECT_THAT(faults_of(change), ElementsAre(fault));
}

TEST(SettingsTest, SamplesMayBeMoreThanBeams) {
  EXPECT_THAT(faults_of([](Settings& s) { s.do_sample = true, s.num_return_sequences = 9; }),
              IsEmpty());
  EXPECT_THAT(faults_of([](Settings& s) {
                s.do_sample = true, s.num_return_sequences = 9, s.length = "hf";
              }),
              IsEmpty());
  EXPECT_THAT(faults_of([](Settings& s) {
                s.do_sample = true, s.num_beams = 2, s.num_return_sequences = 9;
              }),
              IsEmpty());
}

TEST(SettingsTest, ADescriptionNeedsARequest) {
  Description description;
  description.first = true;
  description.request = "";
  description.decoding.top_p = 2;
  ConfigFaults faults;
  description.check(&faults);
  EXPECT_THAT(faults.all(),
              ElementsAre("describe.top_p: expected more than 0 and at most 1; 1 is off, found 2",
                          "describe.request: expected a text, because describe.first is on, "
                          "found ''"));
}

TEST(SettingsTest, ADescriptionHasDrawsOfItsOwn) {
  Settings settings;
  settings.length = "hf";
  settings.num_return_sequences = 3;
  Description description;
  description.decoding.max_new_tokens = 7;
  const Settings first = description.settings(settings);
  EXPECT_EQ(first.max_new_tokens, 7);
  EXPECT_EQ(first.length, "hf");
  EXPECT_EQ(first.num_return_sequences, 1);
  EXPECT_NE(first.seed, settings.seed);
}

struct Preset {
  Settings settings;
  Description description;
};

Preset read_preset(const std::string& name) {
  Preset preset;
  ConfigReader reader;
  reader.add(preset.settings);
  reader.add(preset.description);
  reader.read({"--config", std::string(LYNCEUS_SOURCE_DIR) + "/configs/generate/" + name + ".ini"},
              [&](ConfigFaults* faults) {
                preset.settings.check(faults);
                preset.description.check(faults);
              });
  return preset;
}

/// A line of Table 6: max_new_tokens, num_beams, top_p, top_k, length_penalty,
/// no_repeat_ngram_size, do_sample.
std::string table_row(const Decoding& d) {
  return fmt::format("{},{},{:.1f},{},{:.1f},{},{}", d.max_new_tokens, d.num_beams, d.top_p,
                     d.top_k, d.length_penalty, d.no_repeat_ngram_size, d.do_sample);
}

TEST(PresetsTest, AreTable6) {
  struct Row {
    const char* preset;
    const char* answer;
    const char* description;
  };
  const char* image = "64,5,1.0,1,-2.0,2,false";
  const char* sampled = "128,1,0.9,3,1.0,3,true";
  for (const auto& [name, answer, description] :
       {Row{"openvqa-image", image, image}, Row{"mme", image, image},
        Row{"openvqa-video", "128,3,1.0,1,-1.0,3,false", sampled},
        Row{"owleval", "256,3,0.9,3,1.0,3,true", sampled}}) {
    const Preset preset = read_preset(name);
    EXPECT_EQ(table_row(preset.settings), answer) << name;
    EXPECT_EQ(table_row(preset.description.decoding), description) << name;
    EXPECT_TRUE(preset.description.first);
    EXPECT_EQ(preset.settings.min_length, 2);
    EXPECT_EQ(preset.settings.length, "lynx");
  }
  const Preset released = read_preset("released");
  EXPECT_EQ(table_row(released.settings), "64,5,0.9,3,-2.0,2,true");
  EXPECT_EQ(released.settings.min_length, 2);
  EXPECT_FALSE(released.description.first);
}

/// The same rows as LYNCEUS_DATA_DIR/paper/decoding.csv.
TEST(PresetsTest, AreTheRowsOfTheFile) {
  const char* data = std::getenv("LYNCEUS_DATA_DIR");
  if (data == nullptr) GTEST_SKIP() << "LYNCEUS_DATA_DIR is not set";
  std::ifstream file(std::filesystem::path(data) / "paper/decoding.csv");
  std::map<std::string, std::string> rows;
  for (std::string line; std::getline(file, line);) {
    const size_t comma = line.find(',');
    if (comma != std::string::npos) rows[line.substr(0, comma)] = line.substr(comma + 1);
  }
  EXPECT_EQ(table_row(read_preset("openvqa-image").settings), rows.at("Open-VQA image"));
  EXPECT_EQ(table_row(read_preset("openvqa-video").settings), rows.at("Open-VQA video"));
  EXPECT_EQ(table_row(read_preset("owleval").settings), rows.at("OwlEval"));
  EXPECT_EQ(table_row(read_preset("openvqa-image").description.decoding),
            rows.at("image description (0th round)"));
  EXPECT_EQ(table_row(read_preset("openvqa-video").description.decoding),
            rows.at("video description (0th round)"));
  EXPECT_EQ(table_row(read_preset("owleval").description.decoding),
            rows.at("OwlEval description (0th round)"));
}

}  // namespace
}  // namespace lynceus::generate
