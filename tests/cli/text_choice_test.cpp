// Which wording a run uses: the template and the tokenizer follow from the weights, held-out
// samples have always the same prompt, and a run that began with an older version keeps what it
// had.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class TextChoice : public testing::Test {
 protected:
  Output train(const std::string& name, const Arguments& more, int ranks = 0) const {
    return run(train_arguments(folder_ / name) + more, {.ranks = ranks});
  }
  fs::path trained(const std::string& name, const Arguments& more, int ranks = 0) const {
    const Output output = train(name, more, ranks);
    EXPECT_EQ(output.code, 0) << output.all();
    return folder_ / name;
  }
  /// Makes the newest checkpoint one of version 0.1.0: the template lynx-cased was named lynx and
  /// was not recorded, and data.caption_prompts was for all samples.
  static void make_old(const fs::path& run_directory, int64_t step) {
    const fs::path file = checkpoint(run_directory, step) / io::kManifestName;
    io::Manifest manifest = io::read_manifest(file.parent_path());
    manifest.prompt_template.clear();
    for (auto& [key, value] : manifest.config)
      if (key == "data.prompt") value = "lynx";
    for (auto& [name, fingerprint] : manifest.datasets)
      if (const size_t at = fingerprint.find("for captions "); at != std::string::npos)
        fingerprint.erase(at, std::string("for captions ").size());
    std::ofstream(file) << io::to_text(manifest);
  }

  const Folder folder_{"text-choice"};
};

TEST_F(TextChoice, ARunOfVersion010KeepsTheTemplateThatWasNamedLynx) {
  const Arguments common = {"--train.steps", "6", "--data.validation",
                            "held:" + shard("validation-Color")};
  const fs::path cased = trained("cased", common + Arguments{"--data.prompt", "lynx-cased"});
  const fs::path released = trained("released", common + Arguments{"--data.prompt", "lynx"});
  EXPECT_NE(metrics_of(cased).steps, metrics_of(released).steps);
  // As the same command is given again: by name, by the default, and by the config of the run.
  for (const Arguments& again : {Arguments{"--data.prompt", "lynx"}, Arguments{},
                                 Arguments{"--config", folder_ / "old" / "config.ini"}}) {
    fs::remove_all(folder_ / "old");
    trained("old", common + Arguments{"--data.prompt", "lynx-cased", "--stop-after", "2"});
    make_old(folder_ / "old", 2);
    const std::string config = io::read_text(folder_ / "old" / "config.ini");
    std::ofstream(folder_ / "old" / "config.ini")
        << std::regex_replace(config, std::regex("prompt = lynx-cased"), "prompt = lynx");
    const Output output = train("old", common + again + Arguments{"--stop-after", "4"});
    ASSERT_EQ(output.code, 0) << output.all();
    EXPECT_THAT(output.err, AllOf(HasSubstr("resumed from step 2"),
                                  HasSubstr("data.prompt = lynx means lynx-cased in this run")));
    // The checkpoint that it has written says which template it is, and the name stays.
    trained("old", common + again);
    EXPECT_EQ(digests_of(folder_ / "old", 6), digests_of(cased, 6));
    const Output scores = run({"evaluate", "--run", folder_ / "old"});
    EXPECT_EQ(member(scores.out, "template"), "\"lynx-cased\"") << scores.all();
    EXPECT_EQ(scores.err, "");
    // Who names the template is told what is meant.
    const Arguments asked = {"evaluate", "--run", folder_ / "old", "--data.prompt", "lynx"};
    const Output named = run(asked);
    EXPECT_EQ(member(named.out, "template"), "\"lynx-cased\"") << named.all();
    EXPECT_THAT(named.err, HasSubstr("data.prompt = lynx means lynx-cased in this run"));
    const Output changed = run(asked + Arguments{"--allow-change", "data.prompt"});
    EXPECT_EQ(member(changed.out, "template"), "\"lynx\"") << changed.all();
    EXPECT_THAT(changed.err, HasSubstr("the run was trained with another prompt template"));
  }
}

TEST_F(TextChoice, AnotherTemplateIsRefusedOnResume) {
  const fs::path file = folder_ / "mine.ini";
  const auto write = [&](const std::string& user) {
    std::ofstream(file) << "user = \"" << user << "{text} \"\nassistant = \"A: {text}\"\n";
  };
  write("Q: ");
  const Arguments prompt = {"--data.prompt", file};
  trained("run", prompt + Arguments{"--stop-after", "2"});
  write("Question: ");
  const Output output = train("run", prompt + Arguments{"--stop-after", "4"});
  EXPECT_EQ(output.code, 2) << output.all();
  EXPECT_THAT(output.err, testing::ContainsRegex(
                              "prompt template: the checkpoint has [0-9a-f]{32} .mine., this run "
                              "[0-9a-f]{32} .mine."));
  trained("run", prompt + Arguments{"--stop-after", "4", "--allow-change", "data.prompt"});
}

TEST_F(TextChoice, HeldOutCaptionsHaveTheFirstPromptWhateverTheSeed) {
  // Captions that have no question, unlike those of the shapes.
  const std::string photos = std::string(LYNCEUS_SOURCE_DIR) + "/tests/data/photos";
  const Output prepared = run(
      {"prepare", "jsonl", "--input", photos + "/captions.jsonl", "--output", folder_ / "photos"});
  ASSERT_EQ(prepared.code, 0) << prepared.all();
  const std::string captions = folder_ / "photos" / "captions.h5";
  for (const char* seed : {"1", "2", "3"}) {
    const fs::path run_directory =
        trained(std::string("seed") + seed,
                {"--data.caption_prompts", "caption", "--train.seed", seed, "--train.steps", "1",
                 "--data.validation", "held:" + shard("validation-Color"), "cap:" + captions});
    ASSERT_EQ(run({"evaluate", "--run", run_directory}).code, 0);
    const std::vector<std::string> lines = lines_of(run_directory / "predictions.jsonl");
    ASSERT_EQ(lines.size(), 42u);
    for (const std::string& line : lines) {
      if (member(line, "set") == "\"cap\"")
        EXPECT_EQ(member(line, "question"), "\"Describe the image.\"") << seed;
      else
        EXPECT_THAT(member(line, "question"), testing::StartsWith("\"what color is the"));
    }
  }
}

TEST_F(TextChoice, ACaptionListIsForCaptionsOnly) {
  // A run that began when the list was for all samples keeps it for all samples.
  const Arguments sources = {"--train.steps", "6", "--data.caption_prompts", "caption",
                             "--log.samples"};
  trained("old", sources + Arguments{"--stop-after", "2"});
  make_old(folder_ / "old", 2);
  trained("old", sources + Arguments{"--data.prompt", "lynx"});
  trained("new", sources);
  trained("without", {"--train.steps", "6", "--log.samples"});
  const auto tail = [&](const std::string& name) {
    const auto lines = lines_of(folder_ / name / "samples.tsv");
    return std::vector<std::string>(lines.begin() + 2 * 8, lines.end());
  };
  EXPECT_NE(tail("old"), tail("new"));
  EXPECT_EQ(tail("new"), tail("without")) << "these captions have questions";
  EXPECT_THAT(io::read_manifest(checkpoint(folder_ / "new", 6)).datasets.at("color"),
              HasSubstr(" with prompts for captions "));
  EXPECT_THAT(io::read_manifest(checkpoint(folder_ / "old", 6)).datasets.at("color"),
              Not(HasSubstr("for captions")));
}

TEST_F(TextChoice, AModelIsNamedOrRefused) {
  const Arguments data = {"train", "--config", shapes_data() / "data.ini", "--run",
                          folder_ / "run"};
  const Output output = run(data);
  EXPECT_EQ(output.code, 2) << output.all();
  EXPECT_EQ(output.messages(), 1) << output.all();
  EXPECT_THAT(output.err, AllOf(HasSubstr("train: expected a model, found none: --config NAME"),
                                HasSubstr("model/lynx-7b"), HasSubstr("model/tiny"),
                                Not(HasSubstr("pretrain-224"))));
  EXPECT_EQ(run(data + Arguments{"--print-config"}).code, 0);
  const Output tiny = run(
      data + Arguments{"--config", "tiny", "--train.steps", "1", "--train.global_batch_size", "2"});
  EXPECT_EQ(tiny.code, 0) << tiny.all();
  EXPECT_THAT(io::read_text(folder_ / "run" / "config.ini"), HasSubstr("configs/model/tiny.ini:"));
}

TEST_F(TextChoice, InitTakesTheNewestCheckpointOfARun) {
  const fs::path one = trained("one", {"--stop-after", "2"});
  trained("one", {"--stop-after", "4"});
  const fs::path by_run = trained("by_run", {"--init", one, "--stop-after", "1"}, 2);
  const fs::path by_step =
      trained("by_step", {"--init", checkpoint(one, 4), "--stop-after", "1"}, 2);
  EXPECT_EQ(digests_of(by_run, 1), digests_of(by_step, 1));
  for (const int ranks : {0, 2}) {
    Output output = train("none", {"--init", checkpoint(one, 3), "--stop-after", "1"}, ranks);
    EXPECT_EQ(output.code, 3) << output.all();
    EXPECT_THAT(output.err, HasSubstr("has no step-00000003: it has those of the steps 2, 4"));
    output = train("one", {"--resume", "3"}, ranks);
    EXPECT_EQ(output.code, 3) << output.all();
    EXPECT_THAT(output.err, HasSubstr("has no committed checkpoint of step 3: it has those of the "
                                      "steps 2, 4"));
  }
}

}  // namespace
}  // namespace lynceus::cli_test
