// What the program prints about itself is correct: help pages name existing keys, the version, a
// printed config can be read again, traces are JSON, the schedule is drawn.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>

#include "core/version.h"
#include "io/files/json.h"
#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

/// The lines of --print-config without the origins of the values.
std::string values_of(const std::string& printed) {
  return std::regex_replace(printed, std::regex(" *# [^\n]*"), "");
}

std::set<std::string> keys_of(const std::string& printed) {
  std::set<std::string> keys;
  std::istringstream lines(printed);
  std::string section;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('['))
      section = line.substr(1, line.find(']') - 1) + ".";
    else if (const size_t equals = line.find(" ="); equals != std::string::npos)
      keys.insert(section + line.substr(0, equals));
  }
  return keys;
}

TEST(Help, NamesWhatIsThere) {
  const Output help = run({"--help"});
  EXPECT_EQ(help.code, 0);
  const std::vector<Arguments> commands = {{"prepare", "jsonl"},
                                           {"prepare", "coco"},
                                           {"prepare", "llava"},
                                           {"prepare", "openvqa"},
                                           {"prepare", "text"},
                                           {"prepare", "webdataset"},
                                           {"prepare", "video"},
                                           {"prepare", "shapes"},
                                           {"train"},
                                           {"evaluate"},
                                           {"evaluate", "mme"},
                                           {"evaluate", "mme", "--run", "x"},
                                           {"compare"},
                                           {"generate"},
                                           {"verify"},
                                           {"doctor"},
                                           {"inspect"},
                                           {"export"},
                                           {"submit"}};
  for (const Arguments& command : commands) {
    EXPECT_THAT(help.out, HasSubstr("\n  " + command[0] + " "));
    const Output page = run(command + Arguments{"--help"});
    EXPECT_EQ(page.code, 0) << page.all();
    std::set<std::string> named, options;
    const std::regex option("--([a-z][a-z0-9_.-]*)");
    for (std::sregex_iterator at(page.out.begin(), page.out.end(), option), end; at != end; ++at)
      named.insert((*at)[1]);
    const std::regex described("\n  --([a-z][a-z0-9_.-]*) ");
    for (std::sregex_iterator at(page.out.begin(), page.out.end(), described), end; at != end; ++at)
      options.insert((*at)[1]);
    EXPECT_GT(options.size(), 5u);
    if (command[0] == "verify") options.insert("tolerances");
    options.insert("ranks");
    if (command[0] == "train") options.insert("fault");
    if (command[0] == "evaluate")  // its other forms
      for (const char* other : {"run", "answers", "input", "output"}) options.insert(other);
    for (const std::string& name : named)
      EXPECT_TRUE(options.contains(name) || name == "section.key")
          << command[0] << " --help mentions --" << name;

    // The options of the page are exactly the keys that the command reads.
    Arguments print = command + Arguments{"--print-config"};
    if (command[0] == "prepare") print = print + Arguments{"--output", "x", "--input", "x"};
    if (command.back() == "shapes") print.resize(print.size() - 2);
    if (command[0] == "evaluate") continue;  // needs a run; its keys are train's
    if (command[0] == "generate") continue;  // the same, and settings of decoding
    const Output printed = run(print);
    EXPECT_EQ(printed.code, 0) << printed.all();
    for (const char* always : {"config", "print-config", "help", "section.key", "ranks", "fault"})
      options.erase(always);
    EXPECT_EQ(options, keys_of(printed.out)) << command[0];
  }
  EXPECT_EQ(run({"--help"}, {.ranks = 2}).out, help.out) << "more than one rank printed";
}

TEST(Help, OneVersionForTheProgramAndItsFiles) {
  const Output output = run({"--version"});
  EXPECT_EQ(output.code, 0) << output.all();
  EXPECT_EQ(output.out, software_version() + "\n");
  EXPECT_THAT(output.out, testing::MatchesRegex("lynceus [0-9]+[.][0-9]+[.][0-9]+\n"));
  EXPECT_EQ(run({"--version"}, {.ranks = 2}).out, output.out) << "more than one rank printed";
  EXPECT_THAT(run({"--help"}).out, HasSubstr("lynceus --version\n"));

  const Folder folder("help");
  const Output trained = run(train_arguments(folder / "run") + Arguments{"--stop-after", "1"});
  ASSERT_EQ(trained.code, 0) << trained.all();
  EXPECT_EQ(io::read_manifest(checkpoint(folder / "run", 1)).software, software_version());
}

TEST(Help, PrintedConfigReadsBack) {
  const Folder folder("help");
  const Arguments changed =
      train_arguments(folder / "run") +
      Arguments{"--optimizer.lr", "3e-4",  "--train.recompute", "layer", "--data.validation",
                "a:x.h5",         "b:y.h5"};
  const Output first = run(changed + Arguments{"--print-config"});
  ASSERT_EQ(first.code, 0) << first.all();
  EXPECT_THAT(first.out,
              AllOf(HasSubstr("# command line"), HasSubstr("micro.ini:"), HasSubstr("# default")));
  std::ofstream(folder / "printed.ini") << first.out;
  const Output second = run({"train", "--config", folder / "printed.ini", "--print-config"});
  EXPECT_EQ(values_of(second.out), values_of(first.out));
  EXPECT_THAT(second.out, HasSubstr("printed.ini:"));
}

TEST(Help, TheConfigOfARunIsAConfig) {
  const Folder folder("help");
  const Output first = run(train_arguments(folder / "run") + Arguments{"--stop-after", "2"});
  ASSERT_EQ(first.code, 0) << first.all();
  const fs::path config = folder / "run" / "config.ini";
  EXPECT_THAT(io::read_text(config), HasSubstr("# command line"));
  const Output again = run({"train", "--config", config, "--stop-after", "4"});
  EXPECT_EQ(again.code, 0) << again.all();
  EXPECT_EQ(metrics_of(folder / "run").steps.size(), 4u);
}

TEST(Help, TheConfigOfARunIsResolvedAndKeepsNoOptionOfOneStart) {
  const Folder folder("help");
  const Arguments start = train_arguments(folder / "run");
  const Output first = run(start + grid(1, 1, 0) + Arguments{"--stop-after", "2"}, {.ranks = 2});
  ASSERT_EQ(first.code, 0) << first.all();
  const fs::path config = folder / "run" / "config.ini";
  const std::string written = io::read_text(config);
  EXPECT_THAT(written, testing::ContainsRegex("vocab_size = 321 +# .*tokenizer.model\n"));
  EXPECT_THAT(written, testing::ContainsRegex("data = 2 +# 2 ranks\n"));
  const auto manifest = io::read_manifest(checkpoint(folder / "run", 2)).config;
  EXPECT_THAT(manifest, testing::IsSupersetOf({testing::Pair("model.vocab_size", "321"),
                                               testing::Pair("parallel.data", "2")}));
  const Output second = run(start + Arguments{"--resume", "never", "--stop-after", "3",
                                              "--take-over", "--allow-change", "train.seed"});
  ASSERT_EQ(second.code, 0) << second.all();
  const std::string again = io::read_text(config);
  for (const char* option : {"resume", "stop-after", "take-over", "allow-change"}) {
    EXPECT_THAT(again, testing::Not(HasSubstr(option)));
    for (const auto& [key, value] : io::read_manifest(checkpoint(folder / "run", 3)).config)
      EXPECT_NE(key, option);
  }
  const Output third = run({"train", "--config", config, "--stop-after", "4"});
  EXPECT_EQ(third.code, 0) << third.all();
  EXPECT_THAT(third.err, HasSubstr("resumed from step 3"));
}

TEST(Help, ARunKeepsItsLog) {
  const Folder folder("help");
  const Arguments start = train_arguments(folder / "run");
  EXPECT_EQ(run(start + Arguments{"--stop-after", "2"}, {.ranks = 2}).code, 0);
  EXPECT_EQ(run(start + Arguments{"--stop-after", "3", "--log.level", "error"}).code, 0);
  const std::string text = io::read_text(folder / "run" / "log" / "train.log");
  EXPECT_THAT(text, testing::ContainsRegex("^[0-9-]+T[0-9:.]+ I .*\n"));
  EXPECT_THAT(text, AllOf(HasSubstr("checkpoint step-00000002"), HasSubstr("resumed from step 2"),
                          HasSubstr("checkpoint step-00000003")));
  EXPECT_THAT(text, testing::Not(HasSubstr("\x1b")));

  fs::remove_all(folder / "run" / "log");
  std::ofstream(folder / "run" / "log") << "in the way";
  const Output without = run(start + Arguments{"--stop-after", "4"});
  EXPECT_EQ(without.code, 0) << without.all();
  EXPECT_THAT(without.err, AllOf(HasSubstr("no log file: "), HasSubstr("train.log")));
}

TEST(Help, ATraceThatCannotBeIsSaidAndCostsNothing) {
  const Folder folder("help");
  fs::create_directories(folder / "run");
  std::ofstream(folder / "run" / "trace") << "in the way";
  const Arguments arguments = train_arguments(folder / "run") + Arguments{"--log.trace", "1:2"};
  const Output output = run(arguments + Arguments{"--stop-after", "3"}, {.ranks = 2});
  EXPECT_EQ(output.code, 0) << output.all();
  EXPECT_THAT(output.err, HasSubstr("no trace: "));
  const Output late = run(arguments + Arguments{"--stop-after", "4"});
  EXPECT_THAT(late.err, HasSubstr("log.trace: step 1 is already done: no trace is written"));
}

TEST(Help, TraceAndSchedule) {
  const Folder folder("help");
  const Output output = run(train_arguments(folder / "run") + grid(1, 2, 1) +
                                Arguments{"--train.steps", "4", "--train.micro_batch_tokens", "64",
                                          "--log.trace", "2:9", "--log.schedule"},
                            {.ranks = 2});
  ASSERT_EQ(output.code, 0) << output.all();
  EXPECT_THAT(output.out, AllOf(HasSubstr("stage  0 | F0"), HasSubstr("stage  1 | ..")));
  EXPECT_THAT(output.out, testing::ContainsRegex("micro-batches held by stage: [0-9]+, 1; idle "
                                                 "[0-9.]+ % of the time\n"));
  int files = 0;  // of a run that ends within the range too
  for (const auto& entry : fs::directory_iterator(folder / "run" / "trace")) {
    ++files;
    EXPECT_THAT(entry.path().string(), HasSubstr("step-00000002-00000004.rank-"));
    const io::Json trace = io::Json::read(entry.path());
    std::set<std::string> names;
    for (const io::Json& event : trace.elements()) names.insert(event.at("name").string());
    EXPECT_THAT(names, testing::Contains("vision encoder")) << entry.path();
    EXPECT_GT(names.size(), 5u);
  }
  EXPECT_EQ(files, 2) << "one of each rank";
}

}  // namespace
}  // namespace lynceus::cli_test
