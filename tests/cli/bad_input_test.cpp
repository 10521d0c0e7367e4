// Every bad input ends in one message from one rank, which names the key or file, the expected and
// the found value, with the documented exit code. Damaged images are replaced and listed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "io/dataset/dataset.h"
#include "io/dataset/shard_writer.h"
#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

/// Overwrites bytes of a file.
void overwrite(const fs::path& file, uint64_t offset, const std::string& bytes) {
  std::fstream out(file, std::ios::in | std::ios::out | std::ios::binary);
  out.seekp(static_cast<std::streamoff>(offset));
  out << bytes;
  ASSERT_TRUE(out.flush()) << file;
}

class BadInput : public testing::Test {
 protected:
  fs::path write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }
  fs::path copy_shard(const std::string& name) const {
    const fs::path to = folder_ / (name + ".h5");
    for (const char* end : {"", ".xxh"})
      fs::copy_file(shard(name) + end, to.string() + end, fs::copy_options::overwrite_existing);
    return to;
  }
  Output train(const Arguments& more, const Launch& launch = {}) const {
    return run(train_arguments(folder_ / "run") + Arguments{"--train.steps", "4"} + more, launch);
  }
  /// `message` is a regular expression.
  void expect_refused(const Arguments& more, int code, const std::string& message,
                      const Launch& launch = {}) const {
    const Output output = train(more, launch);
    EXPECT_EQ(output.code, code) << output.all();
    EXPECT_EQ(output.messages(), 1) << output.all();
    EXPECT_THAT(output.err, ContainsRegex(message));
    EXPECT_THAT(output.err, Not(HasSubstr("unexpected: ")));
    EXPECT_FALSE(fs::exists(folder_ / "run" / "metrics.jsonl")) << output.all();
  }
  /// On one rank and on two.
  void expect_refused_everywhere(const Arguments& more, int code,
                                 const std::string& message) const {
    expect_refused(more, code, message);
    expect_refused(more, code, message, {.ranks = 2});
  }

  /// A shard of two samples: one whose media is not an image, one with an intact image.
  fs::path write_odd(const std::string& picture) const {
    const fs::path odd = folder_ / "odd.h5";
    io::ShardWriter writer(odd, {.task = "odd", .source = "test", .created_by = "test"});
    for (const auto& [key, media] :
         {std::pair<std::string, std::string>{"no-picture", "neither JPEG nor PNG"},
          {"picture", picture}})
      writer.add(
          {.key = key,
           .kind = io::MediaKind::kFrames,
           .media = {media},
           .turns = {{io::TurnRole::kUser, "what is it?"}, {io::TurnRole::kAssistant, "red"}}});
    writer.close();
    return odd;
  }

  const Folder folder_{"bad-input"};
};

TEST_F(BadInput, Shards) {
  const fs::path file = copy_shard("train-Color");
  const io::ShardSidecar sidecar = io::ShardSidecar::read(file);
  const Arguments source = {"--data.source", "color:1:" + file.string()};
  const uint64_t inside = sidecar.blobs_end < sidecar.size ? sidecar.size - 1 : 100;
  char byte = 0;
  std::ifstream(file, std::ios::binary).seekg(static_cast<std::streamoff>(inside)).get(byte);
  overwrite(file, inside, std::string(1, static_cast<char>(byte ^ 4)));
  expect_refused_everywhere(source, 3,
                            "data.source: .*train-Color.h5: metadata digest: expected "
                            "[0-9a-f]{32}, found [0-9a-f]{32}: the file is damaged");

  fs::resize_file(file, 5000);
  expect_refused_everywhere(
      source, 3,
      fmt::format("train-Color.h5: expected {} bytes, found 5000: the file is truncated",
                  sidecar.size));
  write("train-Color.h5.xxh", "lynceus-shard-sidecar 1\nsize 5000\n");
  expect_refused(source, 3, "train-Color.h5.xxh: expected a shard's digest");
  fs::remove(folder_ / "train-Color.h5.xxh");
  expect_refused(source, 3,
                 "expected the shard's digest in .*train-Color.h5.xxh, found no such file");
}

TEST_F(BadInput, Sources) {
  expect_refused_everywhere(
      {"--data.source", "color:1:" + (folder_ / "absent-*.h5").string()}, 3,
      "data.source: dataset color: expected files that match .*absent-\\*.h5, "
      "found none");
  expect_refused({"--data.source", "color:1"}, 2,
                 "data.source: expected NAME:WEIGHT:GLOB, found 'color:1'");
  expect_refused({"--data.source", "color:heavy:x.h5"}, 2,
                 "data.source color: expected a positive weight, found 'heavy'");
  expect_refused({"--data.source="}, 2, "data.source: expected at least one dataset, found none");
  const std::string color = "color:1:" + shard("train-Color");
  expect_refused({"--data.source", color, color}, 2, "two datasets are named 'color'");
  expect_refused({"--data.validation", "held:nowhere.h5"}, 3,
                 "data.validation: dataset held: expected files that match nowhere.h5");
}

TEST_F(BadInput, Tokenizers) {
  expect_refused_everywhere({"--data.tokenizer", folder_ / "absent.model"}, 3,
                            "data.tokenizer: .*absent.model.*no such file");
  expect_refused_everywhere({"--data.tokenizer", write("words.model", "not a model")}, 3,
                            "data.tokenizer: .*words.model: expected a SentencePiece model, found "
                            "11 bytes");
  expect_refused({"--data.tokenizer", folder_.path()}, 4, "data.tokenizer: .*bad-input");
  expect_refused({"--data.tokenizer="}, 2, "data.tokenizer: expected a SentencePiece model");
  expect_refused_everywhere({"--model.vocab_size", "100"}, 3,
                            "model.vocab_size is 100, but the tokenizer .*tokenizer.model "
                            "\\([0-9a-f]{32}\\) has 320 pieces: expected at least 321");
}

TEST_F(BadInput, Keys) {
  const fs::path config = write("more.ini", "[train]\nsteps = 4\nglobal_batch_sise = 8\n");
  expect_refused_everywhere({"--config", config, "--optimizer.rl", "1"}, 2,
                            "more.ini:3: unknown key 'train.global_batch_sise'; the nearest known "
                            "one is 'train.global_batch_size'\n.*unknown key 'optimizer.rl'; the "
                            "nearest known one is 'optimizer.lr'");
  expect_refused({"--train.steps", "many"}, 2, "train.steps: expected .*, found 'many'");
  expect_refused({"--train.recompute", "some"}, 2, "train.recompute: expected .*, found 'some'");
  expect_refused({"--device", "abacus"}, 2, "device: expected .*, found 'abacus'");
  expect_refused({"--config", folder_ / "absent.ini"}, 2, "absent.ini: config file cannot be read");
  expect_refused({"once"}, 2, "unexpected argument 'once'; options begin with --");
  expect_refused({"--train.global_batch_size", "0"}, 2,
                 "train.global_batch_size: expected 1 to 16777216, found 0");
  expect_refused({"--log.trace", "3"}, 2, "log.trace: expected FIRST:LAST, .*, found '3'");
  expect_refused({"--model.hidden_size", "34", "--vision.image_size", "30"}, 2,
                 "model.hidden_size = 34 is not a multiple of model.num_heads = 4\n.*"
                 "vision.image_size = 30 is not a multiple of vision.patch_size = 14");
  expect_refused({"--model.train", "bridge,vision"}, 2,
                 "model.train: expected any of bridge, adapter, llm, found 'vision'");
  for (const Arguments& nothing :
       {Arguments{"--model.train="}, {"--model.train", "adapter", "--adapter.every", "0"}})
    expect_refused_everywhere(nothing, 2, "model.train: expected something to train: bridge, llm,");
  expect_refused({"--model.weights", "a", "--model.init_from", "b"}, 2,
                 "model.init_from: expected no value together with model.weights, found 'b'");
}

TEST_F(BadInput, VideosThatAreTooLong) {
  const std::string picture = io::ShardReader(shard("train-Color")).read_media(0, 0);
  const fs::path file = folder_ / "video.h5";
  io::ShardWriter writer(file, {.task = "video", .source = "test", .created_by = "test"});
  const std::vector<io::Turn> turns = {{io::TurnRole::kUser, "what is it?"},
                                       {io::TurnRole::kAssistant, "red"}};
  for (int i = 0; i < 40; ++i)
    writer.add({.key = fmt::format("clip {}", i),
                .kind = io::MediaKind::kFrames,
                .media = std::vector<std::string>(i == 39 ? 3 : 2, picture),
                .turns = turns});
  writer.add({.key = "pictures",
              .kind = io::MediaKind::kSeparateImages,
              .media = {picture, picture, picture},
              .turns = turns});
  writer.close();
  // The last video, which no step of a short run reads.
  const std::string message =
      "video.h5: sample 39 .clip 39.: expected at most vision.num_frames = 2 frames, found 3";
  expect_refused_everywhere({"--data.source", "video:1:" + file.string()}, 3,
                            "data.source: .*" + message);
  expect_refused_everywhere({"--data.validation", "video:" + file.string()}, 3,
                            "data.validation: .*" + message);
}

TEST_F(BadInput, FaultPlans) {
  for (const int ranks : {0, 2})
    expect_refused({}, 2, "LYNCEUS_FAULT: expected name.*, found 'checkpoint=burn'",
                   {.ranks = ranks, .environment = {"LYNCEUS_FAULT=checkpoint=burn"}});
}

TEST_F(BadInput, Grids) {
  const auto refused = [&](int ranks, const Arguments& more, const std::string& message) {
    expect_refused(more, 2, message, {.ranks = ranks});
  };
  refused(3, {"--parallel.tensor", "3"},
          "model.num_heads = 4 does not divide over parallel.tensor = 3: change one of the two");
  refused(4, {"--parallel.tensor", "4"},
          "parallel.tensor = 4 is more than model.num_kv_heads = 2: lower parallel.tensor");
  refused(2, {"--parallel.tensor", "2", "--model.intermediate_size", "65"},
          "model.intermediate_size = 65 does not divide over parallel.tensor = 2");
  refused(3, {"--parallel.pipeline", "3"},
          "parallel.pipeline = 3 is more than model.num_layers = 2: lower parallel.pipeline");
  refused(
      3, {"--parallel.pipeline", "2"},
      "3 ranks were started; a replica needs 2 .parallel.tensor 1 x parallel.pipeline 2.: start "
      "2, 4, 6 ...");
  refused(2, {"--parallel.data", "3"},
          "parallel.data 3 = 3 ranks, but 2 were started: change one of the three or start 3");
  refused(2, {"--parallel.pipeline", "2", "--parallel.layers", "2,1"},
          "parallel.layers \"2,1\" adds up to 3 but the model has 2 decoder layers");
  refused(2, {"--parallel.pipeline", "2", "--parallel.layers", "2;0"},
          "parallel.layers \"2;0\": \"2;0\" is not a number of layers");
  expect_refused({"--parallel.tensor", "0"}, 2, "parallel.tensor: expected 1 to 1048576, found 0");
  // Products of two and of three sizes that overflow 32 bits.
  const Arguments vast = {"--parallel.tensor", "65536", "--parallel.pipeline", "65536"};
  refused(2, vast,
          "2 ranks were started; a replica needs 4294967296 .parallel.tensor 65536 x "
          "parallel.pipeline 65536.: start 4294967296, 8589934592, 12884901888 ...");
  refused(1, {"--parallel.tensor", "2"}, "1 rank was started; a replica needs 2 ");
  refused(2, vast + Arguments{"--parallel.data", "65536"},
          "parallel.data 65536 = 281474976710656 ranks, but 2 were started");
}

TEST_F(BadInput, RanksThatDiffer) {
  const Output output =
      train({}, {.shell = "exec mpirun --oversubscribe -n 1 \"$@\" : -n 1 \"$@\" --train.seed 9"});
  EXPECT_EQ(output.code, 2) << output.all();
  EXPECT_EQ(output.messages(), 1) << output.all();
  EXPECT_THAT(output.err, ContainsRegex("ranks differ: rank 0 has '.*1', rank 1 has '.*9'"));
}

TEST_F(BadInput, RunDirectories) {
  const Arguments below_a_file = {"--run", write("file", "x") / "run"};
  expect_refused_everywhere(below_a_file, 4, "file/run: cannot create: Not a directory");
  if (std::system("unshare -Urm true 2>/dev/null") != 0)
    GTEST_SKIP() << "no user namespaces here, so no file system that cannot be written";
  const fs::path mount = folder_ / "mount";
  fs::create_directories(mount);
  expect_refused({"--run", mount / "run"}, 4, "mount/run.*Read-only file system",
                 {.shell = fmt::format("exec unshare -Urm sh -c 'mount -t tmpfs -o ro tmpfs {} && "
                                       "exec \"$@\"' - \"$@\"",
                                       mount.string())});
}

TEST_F(BadInput, ASecondJobInTheRunDirectory) {
  Program first(train_arguments(folder_ / "run") + Arguments{"--train.steps", "1000000"});
  ASSERT_TRUE(first.wait_until([&] { return fs::exists(folder_ / "run" / "metrics.jsonl"); }));
  for (const int ranks : {0, 2}) {
    const Output second = train({"--train.steps", "1000000"}, {.ranks = ranks});
    EXPECT_EQ(second.code, 2) << second.all();
    EXPECT_EQ(second.messages(), 1) << second.all();
    EXPECT_THAT(second.err, AllOf(HasSubstr((folder_ / "run").string()),
                                  HasSubstr(fmt::format("process {} on ", first.ranks()[0]))));
  }
  kill(first.ranks()[0], SIGTERM);
  EXPECT_EQ(first.wait().code, 75);
}

TEST_F(BadInput, Commands) {
  for (const auto& [arguments, message] : std::vector<std::pair<Arguments, std::string>>{
           {{"trian"},
            "expected a command, found 'trian', did you mean train?; `lynceus --help` lists all"},
           {{"evaluate", "--run", (folder_ / "absent").string()}, "absent/config.ini"},
           {{"verify"}, "verify: expected at least one case directory, found none"},
           {{"verify", "--train.micro_batch_tokens", "0"}, "train.micro_batch_tokens: expected "},
           {{"verify", "--train.vision_window", "-3"}, "train.vision_window: expected "}})
    for (const int ranks : {0, 2}) {
      const Output output = run(arguments, {.ranks = ranks});
      EXPECT_EQ(output.code, 2) << output.all();
      EXPECT_EQ(output.messages(), 1) << output.all();
      EXPECT_THAT(output.err, HasSubstr(message));
    }
}

TEST_F(BadInput, DamagedPicturesAreReplacedCountedAndListed) {
  // One image that no longer matches its digest, one that is not an image.
  const fs::path file = copy_shard("train-Color");
  const std::string picture = io::ShardReader(file).read_media(7, 0);
  const std::string key = io::ShardReader(file).key(7);
  const size_t at = io::read_text(file).find(picture);
  ASSERT_NE(at, std::string::npos);
  overwrite(file, at + picture.size() / 2, "damaged");
  const fs::path odd = write_odd(picture);

  // 96 samples: 48 of color, each image twice; 48 of odd, each image 24 times.
  const Arguments sources = {"--data.source", "color:1:" + file.string(), "odd:1:" + odd.string()};
  const Output output = train(sources + Arguments{"--train.steps", "12"});
  EXPECT_EQ(output.code, 0) << output.all();
  int64_t counted = 0;
  for (const std::string& line : lines_of(folder_ / "run" / "metrics.jsonl")) {
    const std::string number = member(line, "damaged_samples");
    if (!number.empty()) counted += std::stoll(number);
    EXPECT_TRUE(std::isfinite(std::stod(member(line, "loss")))) << line;
  }
  EXPECT_EQ(counted, 2 + 24);
  const auto listed = lines_of(folder_ / "run" / "damaged.tsv");
  ASSERT_EQ(listed.size(), 26u);
  EXPECT_EQ(std::count_if(listed.begin(), listed.end(),
                          [&](const std::string& line) {
                            return line.find("train-Color.h5") != std::string::npos &&
                                   line.find(key) != std::string::npos &&
                                   line.find("digest") != std::string::npos;
                          }),
            2);
  EXPECT_THAT(listed,
              testing::Contains(AllOf(HasSubstr("odd.h5"), HasSubstr("no-picture"))).Times(24));
  EXPECT_THAT(output.err, HasSubstr("damaged media, replaced and not scored: "));
  // Damaged samples are not scored: the same run on intact images scores exactly their tokens more.
  const auto sum = [](const std::vector<double>& numbers) {
    return std::accumulate(numbers.begin(), numbers.end(), 0.0);
  };
  const Output whole = train({"--train.steps", "12", "--run", folder_ / "whole", "--data.source",
                              "color:1:" + shard("train-Color"), "odd:1:" + odd.string()});
  EXPECT_EQ(whole.code, 0) << whole.all();
  EXPECT_EQ(lines_of(folder_ / "whole" / "damaged.tsv").size(), 24u);
  EXPECT_GT(sum(numbers_of(folder_ / "whole", "scored_tokens")),
            sum(numbers_of(folder_ / "run", "scored_tokens")));

  // The substitutes and the scored tokens are the same on any grid.
  const auto losses = numbers_of(folder_ / "run", "loss");
  const Output again =
      train(sources + Arguments{"--train.steps", "12", "--run", folder_ / "two"} + grid(1, 2, 1),
            {.ranks = 2});
  EXPECT_EQ(again.code, 0) << again.all();
  const auto others = numbers_of(folder_ / "two", "loss");
  ASSERT_EQ(others.size(), losses.size());
  for (size_t i = 0; i < losses.size(); ++i) EXPECT_NEAR(others[i] / losses[i], 1, 1e-5);
  EXPECT_EQ(lines_of(folder_ / "two" / "damaged.tsv").size(), 26u);
}

TEST_F(BadInput, DamagedPicturesAreListedAndCountedAcrossResumes) {
  const fs::path file = copy_shard("train-Color");
  const io::ShardSidecar sidecar = io::ShardSidecar::read(file);
  overwrite(file, sidecar.blobs_begin, std::string(sidecar.blobs_end - sidecar.blobs_begin, 'x'));
  const Arguments arguments = {"--train.steps",          "40",
                               "--data.max_bad",         "0.5",
                               "--data.source",          "color:1:" + file.string(),
                               "--checkpoint.every",     "10",
                               "--checkpoint.keep_last", "9"};
  ASSERT_EQ(train(arguments + Arguments{"--stop-after", "20"}).code, 0);
  ASSERT_EQ(train(arguments + Arguments{"--stop-after", "15", "--resume", "10"}).code, 0);
  const auto listed = lines_of(folder_ / "run" / "damaged.tsv");
  EXPECT_EQ(listed.size(), 15u * 8);
  EXPECT_EQ(std::set<std::string>(listed.begin(), listed.end()).size(), listed.size());
  EXPECT_EQ(lines_of(folder_ / "run" / "damaged.superseded.tsv").size(), 10u * 8);
  EXPECT_EQ(io::read_manifest(checkpoint(folder_ / "run", 15)).damaged_samples, 15 * 8);
  // The third start has read 80 samples when the run reaches the minimum of 200.
  const Output output = train(arguments);
  EXPECT_EQ(output.code, 3) << output.all();
  EXPECT_THAT(output.err, HasSubstr("200 of 200 samples have damaged media"));
}

TEST_F(BadInput, TooManyDamagedPicturesStopTheRun) {
  const fs::path file = copy_shard("train-Color");
  const io::ShardSidecar sidecar = io::ShardSidecar::read(file);
  overwrite(file, sidecar.blobs_begin, std::string(sidecar.blobs_end - sidecar.blobs_begin, 'x'));
  for (const int ranks : {0, 2}) {
    fs::remove_all(folder_ / "run");
    const Output output = train({"--train.steps", "40", "--data.max_bad", "0.5", "--data.source",
                                 "color:1:" + file.string()},
                                {.ranks = ranks});
    EXPECT_EQ(output.code, 3) << output.all();
    EXPECT_EQ(output.messages(), 1) << output.all();
    EXPECT_THAT(output.err, AllOf(HasSubstr("200 of 200 samples have damaged media, more than "
                                            "data.max_bad = 0.5: see "),
                                  HasSubstr("damaged.tsv")));
    EXPECT_EQ(lines_of(folder_ / "run" / "damaged.tsv").size(), 200u);
    EXPECT_THAT(numbers_of(folder_ / "run", "scored_tokens"), testing::Each(0));
    EXPECT_THAT(output.err, HasSubstr("step 1: no scored token, no parameter was updated"));
  }
}

TEST_F(BadInput, DamagedPicturesOfValidationAreCountedAndListed) {
  const fs::path odd = write_odd(io::ShardReader(shard("train-Color")).read_media(7, 0));
  const auto expect_listed = [](const std::string& text) {
    EXPECT_THAT(text, ContainsRegex("validation: damaged media, replaced and not scored: .*odd.h5"
                                    ".*no-picture"));
    EXPECT_EQ(text.find("no-picture"), text.rfind("no-picture")) << "reported more than once";
  };
  const Output trained = train({"--train.steps", "1", "--data.validation", "held:" + odd.string(),
                                "color:" + shard("validation-Color")});
  EXPECT_EQ(trained.code, 0) << trained.all();
  expect_listed(trained.err);
  const auto lines = metrics_of(folder_ / "run").validations;
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(member(lines[0], "set"), "\"held\"");
  EXPECT_EQ(member(lines[0], "samples"), "1");
  EXPECT_EQ(member(lines[0], "damaged_samples"), "1");
  EXPECT_EQ(member(lines[1], "set"), "\"color\"");
  EXPECT_EQ(member(lines[1], "validation"), "\"Color\"");
  EXPECT_EQ(member(lines[1], "damaged_samples"), "0");
  for (const int ranks : {0, 2}) {
    const Output output =
        run({"evaluate", "--run", folder_ / "run", "--data.validation", "held:" + odd.string()},
            {.ranks = ranks});
    EXPECT_EQ(output.code, 0) << output.all();
    EXPECT_EQ(member(output.out, "count"), "1") << output.all();
    EXPECT_EQ(member(output.out, "damaged_samples"), "1") << output.all();
    expect_listed(output.err);
  }
}

}  // namespace
}  // namespace lynceus::cli_test
