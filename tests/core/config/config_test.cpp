// The config reader: layers, origins, all faults in one message, and a printed config that reads
// back as the same values.
#include "core/config/config.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "core/error.h"

namespace lynceus {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

struct SampleConfig {
  std::string device = "auto";
  bool take_over = false;
  int64_t hidden_size = 4096;
  std::optional<int64_t> vocab_size;
  std::string train = "bridge,adapter";
  int tensor = 1;
  std::string schedule = "1f1b";
  double learning_rate = 1e-3;
  uint64_t seed = 7;
  std::vector<std::string> sources = {"shapes:1:*.h5"};

  template <typename Visitor>
  void visit(Visitor& v) {
    v.section("model", "the LLM");
    v.field("model.hidden_size", hidden_size, "width of the LLM");
    v.field("model.vocab_size", vocab_size, "rows of the embedding");
    v.field("model.train", train, "what is trained");
    v.section("parallel", "the grid");
    v.field("parallel.tensor", tensor, "tensor ranks");
    v.choice("parallel.schedule", schedule, {"gpipe", "1f1b"}, "pipeline schedule");
    v.section("train", "the loop");
    v.field("train.learning_rate", learning_rate, "peak learning rate");
    v.field("train.seed", seed, "of everything random");
    v.section("data", "what is read");
    v.list("data.source", sources, "NAME:WEIGHT:GLOB");
    v.section("run", "options of the run");
    v.choice("device", device, {"auto", "cpu", "cuda"}, "where arithmetic runs");
    v.field("take-over", take_over, "take the run from another job");
  }
};

class ConfigTest : public testing::Test {
 protected:
  ConfigTest() { reader.add(config); }

  static std::string write(const std::string& name, const std::string& text) {
    const std::string path = testing::TempDir() + "config_test_" + name;
    std::ofstream(path) << text;
    return path;
  }
  /// The message read() fails with; "" when it does not fail.
  std::string faults_of(const std::vector<std::string>& arguments) {
    try {
      reader.read(arguments);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  }

  SampleConfig config;
  ConfigReader reader;
};

TEST_F(ConfigTest, NothingGivenKeepsDefaults) {
  reader.read({});
  EXPECT_EQ(config.hidden_size, 4096);
  EXPECT_EQ(config.sources, std::vector<std::string>{"shapes:1:*.h5"});
  EXPECT_EQ(reader.origin("model.hidden_size"), "default");
}

TEST_F(ConfigTest, LaterLayersWinAndOriginsAreKept) {
  const std::string first = write("first.ini",
                                  "# a comment\n"
                                  "device = cpu\n"
                                  "\n"
                                  "[model]\n"
                                  "hidden_size = 64 ; inline\n"
                                  "train=bridge # inline\n"
                                  "[train]\n"
                                  "\tlearning_rate =  1e-4\t\r\n"
                                  "seed = 18446744073709551615\n");
  const std::string second = write("second.ini",
                                   "; another\n[model]\nhidden_size = 128\n"
                                   "vocab_size = 32001\n");
  const CommandLine line =
      reader.read({"--config", first, "--config=" + second, "--parallel.tensor", "4",
                   "--train.learning_rate=2e-4", "--print-config", "one", "two"});
  EXPECT_THAT(line.config_files, ElementsAre(first, second));
  EXPECT_THAT(line.positionals, ElementsAre("one", "two"));
  EXPECT_TRUE(line.print_config);
  EXPECT_EQ(config.device, "cpu");
  EXPECT_EQ(config.hidden_size, 128);
  EXPECT_EQ(config.vocab_size, 32001);
  EXPECT_EQ(config.train, "bridge");
  EXPECT_EQ(config.tensor, 4);
  EXPECT_EQ(config.learning_rate, 2e-4);
  EXPECT_EQ(config.seed, 18446744073709551615ull);
  EXPECT_EQ(reader.origin("device"), first + ":2");
  EXPECT_EQ(reader.origin("model.hidden_size"), second + ":3");
  EXPECT_EQ(reader.origin("train.seed"), first + ":9");
  EXPECT_EQ(reader.origin("parallel.tensor"), "command line");
}

TEST_F(ConfigTest, AByteOrderMarkIsIgnoredAndUtf16IsNamed) {
  reader.read({"--config", write("mark.ini", "\xEF\xBB\xBF[model]\nhidden_size = 64\n")});
  EXPECT_EQ(config.hidden_size, 64);
  EXPECT_THAT(faults_of({"--config", write("wide.ini", std::string("[\0m\0o\0", 6))}),
              testing::HasSubstr("expected UTF-8, found UTF-16"));
}

TEST_F(ConfigTest, ListsAppendWithinALayerAndReplaceAcrossLayers) {
  const std::string file = write(
      "list.ini", "[data]\nsource = a:1:x\nsource = b:2:y\n[model]\n[data]\nsource = c:3:z\n");
  reader.read({"--config", file});
  EXPECT_THAT(config.sources, ElementsAre("a:1:x", "b:2:y", "c:3:z"));
  reader.read({"--data.source", "d:1:u", "e:1:v", "--data.source=f:1:w", "--", "--positional"});
  EXPECT_THAT(config.sources, ElementsAre("d:1:u", "e:1:v", "f:1:w"));
  reader.read({"--data.source="});
  EXPECT_THAT(config.sources, ElementsAre());
}

TEST_F(ConfigTest, BooleansMayOmitTheirValue) {
  EXPECT_THAT(reader.read({"--take-over", "shard.h5"}).positionals, ElementsAre("shard.h5"));
  EXPECT_TRUE(config.take_over);
  reader.read({"--take-over", "false"});
  EXPECT_FALSE(config.take_over);
}

TEST_F(ConfigTest, AbsentOptionalIsWrittenAuto) {
  reader.read({"--model.vocab_size", "5"});
  EXPECT_EQ(config.vocab_size, 5);
  reader.read({"--model.vocab_size=auto"});
  EXPECT_EQ(config.vocab_size, std::nullopt);
}

TEST_F(ConfigTest, AllFaultsComeInOneMessage) {
  const std::string file = write("faults.ini",
                                 "[model]\n"
                                 "hiden_size = 3\n"
                                 "hidden_size = 1e3\n"
                                 "not an assignment\n"
                                 "vocab_size = many\n"
                                 "train = a\n"
                                 "train = b\n");
  const std::string message = faults_of(
      {"--config", file, "--config", "/nowhere/none.ini", "--tensor", "2", "--parallel.schedule",
       "2f2b", "--train.seed", "-1", "--train.learning_rate", "inf", "-x", "--model.train"});
  EXPECT_THAT(message, HasSubstr("12 faults in the configuration:"));
  EXPECT_THAT(message, HasSubstr(file + ":2: unknown key 'model.hiden_size'; the nearest known one "
                                        "is 'model.hidden_size'"));
  EXPECT_THAT(message, HasSubstr(file + ":3: model.hidden_size: expected an integer, found '1e3'"));
  EXPECT_THAT(message, HasSubstr(file + ":4: expected [section] or key = value, found 'not an "
                                        "assignment'"));
  EXPECT_THAT(message,
              HasSubstr(file + ":5: model.vocab_size: expected an integer or auto, found 'many'"));
  EXPECT_THAT(message, HasSubstr(file + ":7: model.train is already set on line 6"));
  EXPECT_THAT(message, HasSubstr("/nowhere/none.ini: config file cannot be read: No such file"));
  EXPECT_THAT(message, HasSubstr("unknown key 'tensor'; the nearest known one is "
                                 "'parallel.tensor'"));
  EXPECT_THAT(message, HasSubstr("command line: parallel.schedule: expected one of gpipe, 1f1b, "
                                 "found '2f2b'"));
  EXPECT_THAT(message, HasSubstr("command line: train.seed: expected an integer from 0 to"));
  EXPECT_THAT(message, HasSubstr("train.learning_rate: expected a finite number, found 'inf'"));
}

TEST_F(ConfigTest, ASingleFaultIsTheWholeMessage) {
  EXPECT_EQ(faults_of({"--model.train"}),
            "command line: --model.train expects a value, found none");
  EXPECT_EQ(faults_of({"--config"}), "command line: --config expects a value, found none");
  EXPECT_EQ(faults_of({"-v"}), "command line: unknown option '-v'; options begin with --");
  EXPECT_EQ(faults_of({"--quite.unlike=1"}), "command line: unknown key 'quite.unlike'");
  EXPECT_EQ(faults_of({"--config", testing::TempDir()}),
            testing::TempDir() + ": config file cannot be read: it is a directory");
  EXPECT_EQ(faults_of({}), "") << "faults are not kept";
}

TEST_F(ConfigTest, IntegersRefuseWhatTheyCannotHold) {
  for (const char* text : {"", "1_000", "4.0", "0x10", "+1", "99999999999", "1 2"})
    EXPECT_THAT(faults_of({std::string("--parallel.tensor=") + text}),
                HasSubstr("expected an integer"))
        << text;
  EXPECT_EQ(faults_of({"--model.hidden_size", "-9223372036854775808"}), "");
}

TEST_F(ConfigTest, CommandLineValuesAreLiteralAndReadBackFromAFile) {
  for (const std::string value :
       {"a#b", "a ;b", " a", "a ", "#", " ", "a\nb", "a\rb", "\"a\"", "\"a#b\"", "\" a\"",
        "a\\b # c", "\"", "\"a # b", "a;b=c", "[a]", "\"\\\" #\"", "\\n", "\"\\n\""}) {
    SCOPED_TRACE(value);
    SampleConfig typed, copy;
    ConfigReader first, again;
    first.add(typed);
    first.read({"--model.train", value, "--data.source", value, "x:1:y " + value});
    EXPECT_EQ(typed.train, value);
    EXPECT_THAT(typed.sources, ElementsAre(value, "x:1:y " + value));
    again.add(copy);
    again.read_file(write("literal.ini", first.print()));
    again.check();
    EXPECT_EQ(copy.train, value) << first.print();
    EXPECT_EQ(copy.sources, typed.sources) << first.print();
  }
  EXPECT_EQ(faults_of({"--model.hidden_size", " 8 "}), "") << "a number has no spaces of its own";
}

TEST_F(ConfigTest, QuotesOfAFileArePartOfAValueThatNeedsNone) {
  reader.read_file(
      write("quotes.ini",
            "[model]\ntrain = \"a b\"  # as ever\n[data]\nsource = \"a # b\" # comment\n"
            "source = \"a\" \"b # c\"\nsource = \"open # c\n"));
  reader.check();
  EXPECT_EQ(config.train, "\"a b\"");
  EXPECT_THAT(config.sources, ElementsAre("a # b", "\"a\" \"b", "\"open"));
}

TEST_F(ConfigTest, APipeIsReadAndDoesNotBlock) {
  const std::string pipe = testing::TempDir() + "pipe.ini";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(faults_of({"--config", pipe}),
            pipe + ": config file cannot be read: a pipe to which nobody writes");
  const int both = open(pipe.c_str(), O_RDWR);
  const std::string text = "[train]\nseed = 11\n";
  ASSERT_EQ(::write(both, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  std::thread closes([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    ::close(both);
  });
  reader.read({"--config", pipe});
  closes.join();
  EXPECT_EQ(config.seed, 11u);
  std::filesystem::remove(pipe);
}

TEST_F(ConfigTest, AnArchiveIsNotTakenForText) {
  std::string tar(1024, '\0');
  tar[0] = 'x';
  tar.replace(257, 6, "ustar");
  EXPECT_THAT(faults_of({"--config", write("archive.ini", tar)}), HasSubstr("is a tar archive"));
}

TEST_F(ConfigTest, ANearNameOfAConfigIsGuessed) {
  EXPECT_THAT(faults_of({"--config", "tinny"}),
              HasSubstr("; did you mean tiny? The shipped configs"));
  EXPECT_THAT(faults_of({"--config", "quite-unlike-any"}), HasSubstr("; the shipped configs are"));
}

TEST_F(ConfigTest, EveryElementOfAListHasItsOwnLine) {
  const std::string file =
      write("own_lines.ini", "[data]\nsource = a:1:x\n# more\nsource = b:2:y\n");
  reader.read_file(file);
  reader.check();
  std::vector<std::string> origins;
  for (const ConfigValue& value : reader.values())
    if (value.key == "data.source") origins.push_back(value.value + " " + value.origin);
  EXPECT_EQ(origins, (std::vector<std::string>{"a:1:x " + file + ":2", "b:2:y " + file + ":4"}));
}

TEST_F(ConfigTest, PrintReadsBack) {
  reader.read({"--train.learning_rate", "0.1", "--device", "cpu", "--model.train", "a;b = [c]",
               "--data.source", "x:1:/data/*.h5", "y:2:/other dir/*.h5", "--take-over"});
  const std::string text = reader.print();
  EXPECT_TRUE(text.starts_with("device = cpu")) << text;
  EXPECT_THAT(text, HasSubstr("\n[model]\nhidden_size = 4096 "));
  EXPECT_THAT(text, HasSubstr("# command line\n"));

  SampleConfig copy;
  copy.sources.clear();
  ConfigReader again;
  again.add(copy);
  again.read_file(write("printed.ini", text));
  again.check();
  EXPECT_EQ(copy.learning_rate, 0.1);
  EXPECT_EQ(copy.sources, config.sources);
  EXPECT_EQ(copy.train, "a;b = [c]");
  const std::vector<ConfigValue> before = reader.values();
  const std::vector<ConfigValue> after = again.values();
  ASSERT_EQ(before.size(), after.size());
  for (size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(before[i].key, after[i].key);
    EXPECT_EQ(before[i].value, after[i].value);
  }
}

TEST_F(ConfigTest, AnEmptyListReadsBackEmpty) {
  reader.read({"--data.source="});
  SampleConfig copy;
  ConfigReader again;
  again.add(copy);
  again.read_file(write("empty_list.ini", reader.print()));
  again.check();
  EXPECT_THAT(copy.sources, ElementsAre());
}

TEST_F(ConfigTest, ValuesShowWhatTheStructHoldsNow) {
  reader.read({"--train.seed", "9"});
  reader.set("parallel.tensor", "2", "from the world size");
  reader.check();
  EXPECT_THAT(
      reader.values(),
      testing::AllOf(testing::Contains(ConfigValue{"train.seed", "9", "command line"}),
                     testing::Contains(ConfigValue{"parallel.tensor", "2", "from the world size"}),
                     testing::Contains(ConfigValue{"model.vocab_size", "auto", "default"})));
}

TEST_F(ConfigTest, HelpReadsNothingAndShowsDefaults) {
  EXPECT_TRUE(reader.read({"--help", "-x", "--no.such", "1", "--config", "/nowhere"}).help);
  EXPECT_TRUE(reader.read({"-h"}).help);
  reader.read({"--model.hidden_size", "1"});
  const std::string help = reader.help();
  EXPECT_THAT(help, HasSubstr("[model] the LLM\n  --model.hidden_size INT"));
  EXPECT_THAT(help, HasSubstr("width of the LLM (default: 4096)"));
  EXPECT_THAT(help, HasSubstr("--parallel.schedule gpipe|1f1b"));
  EXPECT_THAT(help, HasSubstr("[run] options of the run\n  --device auto|cpu|cuda"));
  EXPECT_THAT(help, Not(HasSubstr("default: )")));
}

TEST_F(ConfigTest, ArbitraryBytesEndInUsageErrors) {
  for (const std::string& text :
       {std::string("[model\nhidden_size = 3\n"), std::string("= 3\n"), std::string("[]\n= = =\n"),
        std::string("\xff\xfe\x00[model]\n", 12), std::string("[model]\nhidden_size"),
        std::string("[a]]\n[b\n]\n*=1\n"), std::string(100000, '[')})
    EXPECT_NE(faults_of({"--config", write("bytes.ini", text)}), "") << text.substr(0, 40);
  EXPECT_THAT(faults_of({"--config", write("large.ini", std::string(2 << 20, '\n'))}),
              HasSubstr("larger than 1048576 bytes"));
}

struct HeadlessConfig {
  int threads = 2;
  template <typename Visitor>
  void visit(Visitor& v) {
    v.field("threads", threads, "a rank");
  }
};

TEST(ConfigReader, FieldsBeforeAnySectionComeFirstOnTheHelpPage) {
  HeadlessConfig headless;
  SampleConfig sample;
  ConfigReader reader;
  reader.add(headless);
  reader.add(sample);
  const std::string help = reader.help();
  EXPECT_LT(help.find("--threads INT"), help.find("[model]"));
}

TEST(ConfigReader, TheSameKeyTwiceIsABug) {
  SampleConfig first, second;
  ConfigReader reader;
  reader.add(first);
  EXPECT_THROW(reader.add(second), InternalError);
}

}  // namespace
}  // namespace lynceus
