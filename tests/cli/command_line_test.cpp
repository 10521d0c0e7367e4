// What a user types wrong, and what is printed: guesses, arguments out of place, a full disk behind
// standard output.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

void expect_refused(const Arguments& arguments, int code, const std::string& says) {
  const Output output = run(arguments);
  EXPECT_EQ(output.code, code) << output.all();
  EXPECT_EQ(output.messages(), 1) << output.all();
  EXPECT_THAT(output.err, HasSubstr(says));
}

TEST(CommandLine, NamesAreGuessed) {
  expect_refused({"prepare", "jsnl"}, 2, "found 'jsnl', did you mean jsonl?");
  expect_refused({"train", "--config", "tinny"}, 2, "; did you mean tiny?");
  const fs::path empty = fs::path(testing::TempDir()) / "guess";
  expect_refused(train_arguments(empty) + Arguments{"--data.prompt", "vicunna"}, 2,
                 "no file 'vicunna', did you mean vicuna?");
}

TEST(CommandLine, ArgumentsOutOfPlace) {
  expect_refused({"--ranks", "2", "train"}, 2,
                 "write --ranks after the command: lynceus train --ranks 2 ...");
  expect_refused({"inspect", "--ranks", "2", "x"}, 2, "--ranks: inspect runs on one rank");
  expect_refused({"train", "tiny"}, 2, "train: unexpected argument 'tiny'; options begin with --");
  expect_refused({"export", "here"}, 2, "unexpected argument 'here'; options begin with --");
}

TEST(CommandLine, AMissingInputIsExitCode3) {
  const Folder folder("missing");
  const std::string none = folder / "none", run_directory = folder / "run";
  const Arguments train = train_arguments(run_directory) + Arguments{"--train.steps", "1"};
  const auto to = [&](const Arguments& more) {
    return Arguments{"prepare"} + more + Arguments{"--output", folder / "out"};
  };
  const std::string rows = folder / "rows.jsonl";
  std::ofstream(rows) << "{\"text\": \"one\"}\n";
  for (const Arguments& arguments :
       {train + Arguments{"--data.tokenizer", none}, train + Arguments{"--model.weights", none},
        train + Arguments{"--vision.weights", none + ".pth"}, train + Arguments{"--init", none},
        train + Arguments{"--data.source", "x:1:" + none + "-*.h5"},
        train + Arguments{"--data.source", "x:1:" + none + ".h5"}, to({"jsonl", "--input", none}),
        to({"jsonl", "--input", none + "-*.jsonl"}), to({"jsonl", "--input", rows, "--root", none}),
        to({"folder", "--input", none}), to({"coco", "--input", none + ".json"}),
        Arguments{"inspect", none}}) {
    const Output output = run(arguments);
    EXPECT_EQ(output.code, 3) << output.all();
    EXPECT_EQ(output.messages(), 1) << output.all();
    EXPECT_THAT(output.err, AllOf(HasSubstr("none"), Not(HasSubstr("unexpected: "))));
  }
  expect_refused({"train", "--config", none}, 2, "config file cannot be read: No such file");
}

TEST(CommandLine, PathsAreTakenLiterally) {
  const Folder folder("literal");
  const std::string rows = folder / "a#1 ;b.jsonl", output = folder / "sp ace ";
  std::ofstream(rows) << "{\"text\": \"one\"}\n";
  const Output prepared = run({"prepare", "jsonl", "--input", rows, "--output", output});
  EXPECT_EQ(prepared.code, 0) << prepared.all();
  EXPECT_TRUE(fs::exists(output + "/a#1 ;b.h5")) << prepared.all();
  EXPECT_FALSE(fs::exists(folder / "sp ace"));
  const std::string run_directory = folder / "run #1";
  for (const char* steps : {"1", "2"}) {
    const Output trained =
        run(train_arguments(run_directory) +
            Arguments{"--data.source", "x:1:" + output + "/a#1 ;b.h5", "--train.global_batch_size",
                      "1", "--train.steps", "2", "--stop-after", steps});
    EXPECT_EQ(trained.code, 0) << trained.all();
  }
  EXPECT_EQ(metrics_of(run_directory).steps.size(), 2u);
  const Output again = run({"train", "--config", run_directory + "/config.ini", "--print-config"});
  EXPECT_EQ(again.code, 0) << again.all();
  EXPECT_THAT(again.out, HasSubstr("\"" + run_directory + "\""));
}

TEST(CommandLine, AFullDiskBehindStandardOutput) {
  const std::string into_full = "exec \"$@\" > /dev/full";
  for (const Arguments& arguments : {Arguments{"inspect", "--json", shard("train-Color")},
                                     Arguments{"train", "--help"}, Arguments{"--version"}}) {
    const Output output = run(arguments, {.shell = into_full});
    EXPECT_EQ(output.code, 4) << output.all();
    EXPECT_EQ(output.messages(), 1) << output.all();
    EXPECT_THAT(output.err, HasSubstr("No space left on device"));
    EXPECT_EQ(run(arguments).code, 0);
  }
}

TEST(CommandLine, InspectShowsWhatAFolderHolds) {
  const Folder folder("inspected");
  const Output shards = run({"inspect", shapes_data()});
  EXPECT_EQ(shards.code, 0) << shards.all();
  for (const char* name :
       {"train-captions.h5: dataset shard", "validation-Color.h5: dataset shard"})
    EXPECT_THAT(shards.out, HasSubstr(name));
  // A run directory may have any name.
  const std::string run_directory = folder / "x.h5";
  ASSERT_EQ(run(train_arguments(run_directory) + Arguments{"--train.steps", "1"}).code, 0);
  for (const std::string& path :
       {run_directory, run_directory + "/checkpoints", run_directory + "/checkpoints/"}) {
    const Output shown = run({"inspect", path});
    EXPECT_EQ(shown.code, 0) << shown.all();
    EXPECT_THAT(shown.out, AllOf(HasSubstr("x.h5: run"), HasSubstr("step-00000001")));
  }
  fs::create_directories(folder / "nothing");
  const Output nothing = run({"inspect", folder / "nothing"});
  EXPECT_EQ(nothing.code, 3) << nothing.all();
  EXPECT_THAT(nothing.err, AllOf(HasSubstr("model.safetensors"), Not(HasSubstr("gen.json"))));
}

TEST(CommandLine, ATokenizerThatIsTooSmallSaysWhatIsNeeded) {
  const Folder folder("small-tokenizer");
  const Arguments command = {"prepare",  "shapes",       "--count",          "4",
                             "--output", folder / "out", "--train-tokenizer"};
  ASSERT_EQ(run(command + Arguments{"320"}).code, 0);
  const Output refused = run(command + Arguments{"60", "--overwrite"});
  EXPECT_EQ(refused.code, 3) << refused.all();
  EXPECT_THAT(refused.err, AllOf(HasSubstr("cannot train a vocabulary of 60 pieces"),
                                 HasSubstr("pieces are needed for the characters of these texts"),
                                 Not(HasSubstr("character_coverage"))));
  EXPECT_FALSE(fs::exists(folder / "out/tokenizer.model")) << "that of other texts";
}

}  // namespace
}  // namespace lynceus::cli_test
