// `inspect` reports what the files contain, --verify names what was damaged, and images are
// extracted unchanged.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/dataset/shard.h"
#include "io/files/json.h"
#include "io/weights/safetensors.h"
#include "io/weights/safetensors_writer.h"
#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::HasSubstr;
using testing::Not;

/// Changes the byte at `offset`; a negative offset counts from the end.
void damage(const fs::path& file, int64_t offset) {
  std::string bytes = io::read_text(file);
  char& byte = bytes.at(
      static_cast<size_t>(offset < 0 ? static_cast<int64_t>(bytes.size()) + offset : offset));
  byte = static_cast<char>(byte ^ 0x20);
  std::ofstream(file, std::ios::binary) << bytes;
}

class Inspect : public testing::Test {
 protected:
  fs::path shard() const {
    const Output output =
        run({"prepare", "shapes", "--count", "3", "--output", folder_ / "shapes"});
    EXPECT_EQ(output.code, 0) << output.all();
    return folder_ / "shapes" / "train-Color.h5";
  }
  fs::path trained(int64_t steps) const {
    const Output output =
        run(train_arguments(folder_ / "run") +
            Arguments{"--train.steps", std::to_string(steps), "--checkpoint.every", "1"});
    EXPECT_EQ(output.code, 0) << output.all();
    return folder_ / "run";
  }
  static io::Json report(const Arguments& arguments) {
    const Output output = run(Arguments{"inspect"} + arguments + Arguments{"--json"});
    EXPECT_EQ(output.code, 0) << output.all();
    return io::Json::parse(output.out, "report");
  }
  static void expect_refused(int code, const Arguments& arguments, const std::string& words) {
    const Output output = run(Arguments{"inspect"} + arguments);
    EXPECT_EQ(output.code, code) << output.all();
    EXPECT_EQ(output.messages(), 1) << output.all();
    EXPECT_THAT(output.err, HasSubstr(words));
  }

  const Folder folder_{"inspect"};
};

TEST_F(Inspect, ShardSampleAndPicture) {
  const fs::path path = shard();
  const io::ShardReader expected(path);
  const io::Json found = report(
      {path, "--verify", "--sample", "2", "--extract", "2", "--output", folder_ / "pictures"});
  EXPECT_EQ(found.at("samples").integer(), expected.size());
  EXPECT_EQ(found.at("pictures").integer(), 3);
  EXPECT_EQ(found.at("text only").integer(), 0);
  EXPECT_EQ(found.at("task").string(), expected.info().task);
  EXPECT_EQ(found.at("key").string(), expected.key(2));
  const std::vector<io::Turn> turns = expected.turns(2);
  ASSERT_EQ(found.at("turns").size(), turns.size());
  EXPECT_EQ(found.at("turns").at(1).at("text").string(), turns[1].text);
  const io::Json written = found.at("extracted").at(0);
  EXPECT_EQ(io::read_text(written.at("file").string()), expected.read_media(2, 0));
  const Arguments again = {path, "--extract", "2", "--output", folder_ / "pictures"};
  expect_refused(2, again, "already exists; --overwrite replaces it");
  EXPECT_EQ(run(Arguments{"inspect"} + again + Arguments{"--overwrite"}).code, 0);
}

TEST_F(Inspect, DamageIsNamed) {
  const fs::path path = shard();
  const auto blob = static_cast<int64_t>(io::ShardSidecar::read(path).blobs_begin);
  damage(path, blob + 100);
  EXPECT_EQ(run({"inspect", path}).code, 0) << "images are read without --verify";
  expect_refused(3, {path, "--verify"}, "sample 0 (");
  damage(path, blob - 1);
  expect_refused(3, {path}, "metadata digest: expected");

  const fs::path run_directory = trained(2);
  const fs::path newest = checkpoint(run_directory, 2);
  EXPECT_EQ(run({"inspect", run_directory, "--verify"}).code, 0);
  const io::Manifest manifest = io::read_manifest(newest);
  const io::ByteRange& frame = manifest.frame.front();
  damage(newest / "state.h5", static_cast<int64_t>(frame.offset + frame.size));  // the first value
  expect_refused(3, {newest, "--verify"}, "state.h5");
  expect_refused(3, {run_directory, "--verify"}, "damaged checkpoints");
}

TEST_F(Inspect, CheckpointRunAndWeights) {
  const fs::path run_directory = trained(1);
  const fs::path newest = checkpoint(run_directory, 1);
  const io::Manifest manifest = io::read_manifest(newest);
  const io::Json found = report({newest});
  EXPECT_EQ(found.at("step").integer(), 1);
  EXPECT_EQ(found.at("samples_seen").integer(), manifest.samples_seen);
  EXPECT_EQ(found.at("tensors").size(), manifest.tensors.size());
  EXPECT_EQ(found.at("tensors").at(size_t{0}).at("name").string(), manifest.tensors[0].name);
  EXPECT_EQ(report({run_directory}).at("checkpoints, newest first").size(), 1u);

  const std::vector<float> values = {1, 2, 3, 4, 5, std::numeric_limits<float>::quiet_NaN()};
  const Tensor good =
      Tensor::from(Stream{}, {5}, std::vector<float>(values.begin(), values.end() - 1));
  const Tensor bad = Tensor::from(Stream{}, {2, 3}, values);
  const fs::path file = folder_ / "model.safetensors";
  io::write_safetensors(file, std::vector<io::NamedTensor>{{"a.good", good}, {"b.bad", bad}});
  const io::Json weights = report({file, "--names", "b.*"});
  EXPECT_EQ(weights.at("parameters").integer(), 11);
  ASSERT_EQ(weights.at("tensors").size(), 1u);
  EXPECT_EQ(weights.at("tensors").at(size_t{0}).at("shape").string(), "[2, 3]");
  EXPECT_EQ(weights.at("tensors").at(size_t{0}).at("type").string(), "F32");
  EXPECT_EQ(run({"inspect", file, "--names", "a.*", "--verify"}).code, 0);
  expect_refused(3, {file, "--verify"}, "b.bad: 1 values are not finite numbers");
}

TEST_F(Inspect, LongListsAreCutUnlessAskedFor) {
  const fs::path newest = checkpoint(trained(1), 1);
  const Output cut = run({"inspect", newest});
  EXPECT_THAT(cut.out, HasSubstr(" more: --all lists all"));
  const Output whole = run({"inspect", newest, "--all"});
  EXPECT_THAT(whole.out, Not(HasSubstr(" more: ")));
  const std::string last = io::read_manifest(newest).tensors.back().name;
  EXPECT_THAT(whole.out, HasSubstr(last));
  EXPECT_THAT(cut.out, Not(HasSubstr(last)));
}

TEST_F(Inspect, WrongCallsSayWhatIsWrong) {
  const fs::path path = shard();
  expect_refused(2, {}, "expected a path");
  expect_refused(2, {path, "--sample", "3"}, "expected a number below 3");
  expect_refused(2, {path, "--extract", "0"}, "--extract and --output must be given together");
  expect_refused(2, {folder_ / "shapes", "--sample", "0"}, "expect a dataset shard");
  expect_refused(3, {folder_ / "absent"}, "expected a file or a directory");
  fs::create_directory(folder_ / "empty");
  expect_refused(3, {folder_ / "empty"}, "no weights here");
  expect_refused(3, {folder_ / "shapes" / "train-Color.h5.xxh"}, "expected");
  fs::remove(fs::path(path) += ".xxh");
  expect_refused(3, {path}, "expected the shard's digest");
}

}  // namespace
}  // namespace lynceus::cli_test
