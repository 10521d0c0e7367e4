// Several captions of a photograph: `prepare` stores the photograph once, and training on it equals
// training on a shard of version 1, in which every caption has its own copy.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/dataset/dataset.h"
#include "io/dataset/shard_writer.h"
#include "io/files/json.h"
#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const fs::path kPhotos = fs::path(LYNCEUS_SOURCE_DIR) / "tests/data/photos";

class SharedMedia : public testing::Test {
 protected:
  /// Five captions of each of six photographs.
  Output prepare(const std::string& name, const Arguments& more = {}, int ranks = 0) const {
    const Output output =
        run(Arguments{"prepare", "coco", "--input", kPhotos / "captions_coco.json", "--root",
                      kPhotos / "images", "--output", folder_ / name} +
                more,
            {.ranks = ranks});
    EXPECT_EQ(output.code, 0) << output.all();
    return output;
  }
  fs::path shard(const std::string& name) const { return folder_ / name / "captions_coco.h5"; }
  /// The same samples in a shard of version 1.
  fs::path unshared(const fs::path& from) const {
    const io::ShardReader shard(from);
    const fs::path path = folder_ / "version-1.h5";
    io::ShardWriter writer(path, shard.info(), 0);
    for (int64_t i = 0; i < shard.size(); ++i)
      writer.add({shard.key(i), shard.kind(i), {shard.read_media(i, 0)}, shard.turns(i)});
    writer.close();
    EXPECT_EQ(io::ShardReader(path).version(), io::kShardVersion);
    return path;
  }
  fs::path train(const std::string& name, const fs::path& shard, int ranks) const {
    Arguments arguments = {"train",
                           "--config",
                           std::string(LYNCEUS_SOURCE_DIR) + "/tests/data/micro.ini",
                           "--run",
                           folder_ / name,
                           "--data.tokenizer",
                           shapes_data() / "tokenizer.model",
                           "--data.source",
                           "photos:1:" + shard.string(),
                           "--data.validation",
                           "held:" + shard.string(),
                           "--train.validate_every",
                           "10",
                           "--log.samples"};
    const Output output = run(arguments, {.ranks = ranks});
    EXPECT_EQ(output.code, 0) << output.all();
    return folder_ / name;
  }
  static io::Json inspect(const Arguments& arguments) {
    const Output output = run(Arguments{"inspect"} + arguments + Arguments{"--json"});
    EXPECT_EQ(output.code, 0) << output.all();
    return io::Json::parse(output.out, "report");
  }

  const Folder folder_{"shared_media"};
};

TEST_F(SharedMedia, PrepareAndInspectSayWhatIsStored) {
  const Output output = prepare("out");
  EXPECT_THAT(output.out, HasSubstr("30 samples       30 images  480.6 KiB  1 file, 6 stored\n"));
  EXPECT_THAT(output.out, HasSubstr("prepared 30 samples, 30 images (6 stored, 480.6 KiB), 0 "));
  const Output dry = prepare("dry", {"--dry-run"});
  EXPECT_THAT(dry.out, HasSubstr("30 samples       30 images  480.6 KiB  6 to store\n"));
  EXPECT_THAT(dry.out, HasSubstr("dry run: 30 samples, 30 images (6 to store, 480.6 KiB), 0 "));
  const Output one = prepare("one", {"--captions", "first"}, 2);
  EXPECT_THAT(one.out,
              AllOf(HasSubstr("6 samples, 6 images (480.6 KiB)"), Not(HasSubstr("stored"))));

  uint64_t photos = 0;
  for (const auto& file : fs::directory_iterator(kPhotos / "images")) photos += file.file_size();
  EXPECT_LT(fs::file_size(shard("out")), photos + 20'000);
  EXPECT_LT(fs::file_size(shard("out")), fs::file_size(shard("one")) + 10'000);

  const io::Json found = inspect({shard("out"), "--verify", "--sample", "9", "--extract", "9",
                                  "--output", folder_ / "pictures"});
  EXPECT_EQ(found.at("kind").string(), "dataset shard, version 2");
  EXPECT_EQ(found.at("pictures").integer(), 30);
  EXPECT_EQ(found.at("stored images").integer(), 6);
  EXPECT_EQ(found.at("picture bytes").integer(), static_cast<int64_t>(photos));
  const io::ShardReader reader(shard("out"));
  const std::string extracted = io::read_text(found.at("extracted").at(0).at("file").string());
  const std::string name = reader.key(9).substr(0, reader.key(9).find('#'));
  EXPECT_TRUE(extracted == io::read_text(kPhotos / "images" / name)) << name;

  const io::Json old = inspect({unshared(shard("out")), "--verify", "--sample", "9"});
  EXPECT_EQ(old.at("kind").string(), "dataset shard, version 1");
  EXPECT_EQ(old.at("pictures").integer(), 30);
  EXPECT_EQ(old.at("stored images").integer(), 30);
  EXPECT_EQ(old.at("turns").dump(), found.at("turns").dump());
}

TEST_F(SharedMedia, DamageOfASharedPictureIsFound) {
  prepare("out");
  const fs::path file = shard("out");
  const io::ShardSidecar sidecar = io::ShardSidecar::read(file);
  std::string bytes = io::read_text(file);
  bytes[sidecar.blobs_end - 1] ^= 1;  // the last byte of the last photograph
  std::ofstream(file, std::ios::binary) << bytes;
  const Output output = run({"inspect", file, "--verify"});
  EXPECT_EQ(output.code, 3) << output.all();
  EXPECT_THAT(output.err, HasSubstr("sample 25 ("));
}

TEST_F(SharedMedia, TrainingEqualsThatOnAnOldShardToTheBit) {
  prepare("out");
  for (const int ranks : {0, 2}) {
    const fs::path now = train(fmt::format("now{}", ranks), shard("out"), ranks);
    const fs::path old = train(fmt::format("old{}", ranks), unshared(shard("out")), ranks);
    EXPECT_EQ(metrics_of(now).steps.size(), 20u);
    EXPECT_EQ(metrics_of(now).steps, metrics_of(old).steps);
    EXPECT_EQ(metrics_of(now).validations.size(), 2u);
    EXPECT_EQ(metrics_of(now).validations, metrics_of(old).validations);
    EXPECT_EQ(digests_of(now, 20), digests_of(old, 20));
    EXPECT_GT(lines_of(now / "samples.tsv").size(), 100u);
    EXPECT_EQ(lines_of(now / "samples.tsv"), lines_of(old / "samples.tsv"));
  }
}

}  // namespace
}  // namespace lynceus::cli_test
