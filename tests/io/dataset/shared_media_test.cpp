// Media that several samples use is stored once in a shard. Shards of version 1 open as before.
// References to media that is not there are refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "core/error.h"
#include "io/dataset/recent_media.h"
#include "io/dataset/shard.h"
#include "io/dataset/shard_series.h"
#include "io/dataset/shard_writer.h"
#include "io/files/hdf5.h"

namespace lynceus::io {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class SharedMediaTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(directory_);
    fs::create_directories(directory_);
  }
  void TearDown() override { fs::remove_all(directory_); }

  fs::path path(const std::string& name) const { return directory_ / name; }
  fs::path write(const std::string& name, const std::vector<Sample>& samples,
                 size_t remembered = RecentMedia::kMost) const {
    ShardWriter writer(path(name), {"caption", "tests", "shared_media_test"}, remembered);
    for (const Sample& sample : samples) writer.add(sample);
    writer.close();
    return path(name);
  }

  const fs::path directory_ = fs::path(testing::TempDir()) / "shared_media";
};

std::string picture(int number, size_t bytes = 10'000) {
  std::string text(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>((i + 1) * (number + 3) >> 2);
  return text;
}

Sample caption_of(const std::string& encoded, int number) {
  return {std::to_string(number),
          MediaKind::kFrames,
          {encoded},
          {{TurnRole::kAssistant, "caption " + std::to_string(number)}}};
}

/// Each picture with several captions.
std::vector<Sample> captions(int pictures, int captions) {
  std::vector<Sample> samples;
  for (int i = 0; i < pictures * captions; ++i)
    samples.push_back(caption_of(picture(i / captions), i));
  return samples;
}

void expect_contents(const ShardReader& shard, const std::vector<Sample>& samples) {
  ASSERT_EQ(shard.size(), std::ssize(samples));
  for (int64_t i = 0; i < shard.size(); ++i) {
    EXPECT_EQ(shard.key(i), samples[i].key);
    EXPECT_EQ(shard.kind(i), samples[i].kind);
    EXPECT_EQ(shard.turns(i), samples[i].turns);
    ASSERT_EQ(shard.media_count(i), static_cast<int>(samples[i].media.size()));
    for (int k = 0; k < shard.media_count(i); ++k)
      EXPECT_TRUE(shard.read_media(i, k) == samples[i].media[k]) << "sample " << i << ", " << k;
  }
}

std::string refusal_of(const fs::path& file) {
  try {
    const ShardReader shard(file);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

TEST_F(SharedMediaTest, FiveCaptionsOfAPictureStoreItOnce) {
  const std::vector<Sample> samples = captions(8, 5);
  const fs::path file = write("a.h5", samples);
  const ShardReader shard(file);
  expect_contents(shard, samples);
  EXPECT_EQ(shard.version(), kSharedMediaVersion);
  EXPECT_EQ(shard.stored_media(), 8);
  EXPECT_EQ(shard.stored_index(0, 0), 0);
  EXPECT_EQ(shard.stored_index(39, 0), 7);
  EXPECT_EQ(shard.sidecar().blobs_end - shard.sidecar().blobs_begin, 8u * 10'000);
  EXPECT_LT(fs::file_size(file), 100'000u);
  EXPECT_GT(fs::file_size(write("b.h5", samples, 0)), 400'000u);
}

TEST_F(SharedMediaTest, FramesImagesAndDistantSamplesShareToo) {
  const std::string a = picture(1), b = picture(2), none;
  const std::vector<Sample> samples = {
      {"video", MediaKind::kFrames, {a, a, b, none, a}, {{TurnRole::kUser, "what?"}}},
      {"text", MediaKind::kFrames, {}, {{TurnRole::kText, "plain"}}},
      {"images", MediaKind::kSeparateImages, {b, none, b}, {}},
      caption_of(picture(3), 3),
      caption_of(a, 4),
  };
  const ShardReader shard(write("a.h5", samples));
  expect_contents(shard, samples);
  EXPECT_EQ(shard.stored_media(), 4);
}

TEST_F(SharedMediaTest, EqualDigestsAreNotEqualMedia) {
  // Two texts of 16 bytes with one XXH3-64: one half of each cancels the seed of its lane.
  const std::string first("\xb9\x39\x42\xea\x7b\x73\x82\x67\xd5\x9f\x3d\x80\x5c\xf9\x75\xae", 16);
  const std::string second("\xb8\x1a\x07\x8d\xf2\xd8\x4f\x88\x3a\x52\x96\x09\x3b\xbc\x56\xaf", 16);
  ASSERT_EQ(digest64(first.data(), 16), digest64(second.data(), 16));
  const std::vector<Sample> samples = {caption_of(first, 0), caption_of(second, 1),
                                       caption_of(second, 2), caption_of(first, 3)};
  const ShardReader shard(write("a.h5", samples));
  expect_contents(shard, samples);
  EXPECT_EQ(shard.stored_index(1, 0), shard.stored_index(2, 0));
}

TEST_F(SharedMediaTest, AShardThatSharesNothingHasVersion1) {
  const std::vector<Sample> samples = captions(8, 1);
  const fs::path file = write("a.h5", samples);
  EXPECT_EQ(ShardReader(file).version(), kShardVersion);
  EXPECT_EQ(read_text(file), read_text(write("b.h5", samples, 0)));
}

TEST_F(SharedMediaTest, ShardsOfVersion1Open) {
  const fs::path folder = fs::path(LYNCEUS_SOURCE_DIR) / "tests/data/shards";
  const ShardReader old(folder / "version-1.h5");
  EXPECT_EQ(old.version(), kShardVersion);
  ASSERT_EQ(old.size(), 6);
  EXPECT_EQ(old.stored_media(), 8);
  const std::string red = old.read_media(0, 0);
  EXPECT_EQ(red.size(), 3974u);
  EXPECT_EQ(old.key(0), "red.jpg#1");
  EXPECT_EQ(old.turns(2)[0].text, "three");
  EXPECT_EQ(old.media_count(3), 0);
  EXPECT_EQ(old.kind(4), MediaKind::kSeparateImages);
  EXPECT_EQ(old.read_media(4, 1), red);
  EXPECT_EQ(old.media_count(5), 3);
  EXPECT_EQ(old.read_media(5, 2), old.read_media(4, 0));

  // The same samples written today.
  std::vector<Sample> samples;
  for (int64_t i = 0; i < old.size(); ++i) {
    samples.push_back({old.key(i), old.kind(i), {}, old.turns(i)});
    for (int k = 0; k < old.media_count(i); ++k)
      samples.back().media.push_back(old.read_media(i, k));
  }
  const ShardReader now(write("now.h5", samples));
  expect_contents(now, samples);
  EXPECT_EQ(now.stored_media(), 2);
}

TEST_F(SharedMediaTest, TheWriterForgetsOldMedia) {
  RecentMedia recent(3);
  for (uint64_t i = 0; i < 100; ++i) {
    recent.add(i * i);
    if (i > 0) {
      ASSERT_EQ(recent.find(7), 2 * i - 1) << "an older item with this digest is forgotten";
    }
    recent.add(7);
    ASSERT_LE(recent.size(), 3u);
    ASSERT_EQ(recent.find(7), 2 * i + 1);
  }
  EXPECT_EQ(recent.find(99u * 99), 198u);
  EXPECT_EQ(recent.find(98u * 98), std::nullopt);

  std::vector<Sample> samples;
  for (int number : {0, 1, 0, 2, 0, 2, 3, 1}) samples.push_back(caption_of(picture(number), 0));
  const ShardReader shard(write("a.h5", samples, 2));
  expect_contents(shard, samples);
  std::vector<int64_t> stored;
  for (int64_t i = 0; i < shard.size(); ++i) stored.push_back(shard.stored_index(i, 0));
  EXPECT_THAT(stored, testing::ElementsAre(0, 1, 0, 2, 3, 2, 4, 5));
}

TEST_F(SharedMediaTest, AShardIsFullWhenItsStoredBytesAre) {
  ShardSeries series(directory_, "s", {}, 25'000);
  for (const Sample& sample : captions(7, 5)) series.add(sample);
  series.close();
  // Three pictures fill a shard at the first caption of the third one, whose other captions begin
  // the next shard with a second copy.
  EXPECT_EQ(series.files().size(), 4u);
  EXPECT_EQ(series.samples(), 35);
  EXPECT_EQ(series.media(), 35);
  EXPECT_EQ(series.state().stored_media, 10);
  EXPECT_EQ(series.media_bytes(), 100'000u);
  int64_t stored = 0;
  for (const fs::path& file : series.files()) stored += ShardReader(file).stored_media();
  EXPECT_EQ(stored, 10);
}

TEST_F(SharedMediaTest, WrongReferencesAreRefused) {
  const auto with = [&](const std::string& name, std::vector<uint64_t> values) {
    const fs::path file = write("a.h5", captions(2, 2));  // uses 0 0 1 1
    {
      hdf5::Handle shard(hdf5::check(H5Fopen(file.c_str(), H5F_ACC_RDWR, H5P_DEFAULT), "open", ""),
                         H5Fclose);
      H5Ldelete(shard, name.c_str(), H5P_DEFAULT);
      const hdf5::Handle array =
          hdf5::create_dataset(shard, name, H5T_STD_U64LE, {values.size()}, "test");
      hdf5::check(H5Dwrite(array, H5T_NATIVE_UINT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()),
                  "", "");
    }
    std::ofstream(ShardSidecar::path_of(file)) << ShardSidecar::measure(file).to_text();
    return refusal_of(file);
  };
  EXPECT_EQ(with("sample/media", {0, 0, 1, 1}), "no error");
  EXPECT_EQ(with("sample/media", {0, 1, 0, 1}), "no error");
  EXPECT_THAT(with("sample/media", {0, 0, 1, 2}),
              HasSubstr("a.h5: sample/media[3]: expected less than 2, found 2"));
  EXPECT_THAT(with("sample/media", {0, ~0ull, 1, 1}),
              HasSubstr("sample/media[1]: expected less than 2, found 18446744073709551615"));
  EXPECT_THAT(with("sample/media", {1, 0, 1, 1}),
              HasSubstr("sample/media[0]: expected less than 1, found 1"));
  EXPECT_THAT(with("sample/media", {0, 0, 0, 0}),
              HasSubstr("sample/media: expected a use of each of 2 images, found of 1"));
  EXPECT_THAT(with("sample/media", {0, 0, 1}),
              HasSubstr("sample/media_begin: expected offsets that increase from 0 to 3"));
  EXPECT_THAT(with("sample/media", {}), HasSubstr("sample/media"));
  EXPECT_THAT(with("sample/media_begin", {0, 1, 2, 3, 5}),
              HasSubstr("sample/media_begin: expected offsets that increase from 0 to 4"));
  EXPECT_THAT(with("sample/media_begin", {0, 1, 3, 2, 4}), HasSubstr("sample/media_begin"));
  // Stored media that overlap.
  EXPECT_THAT(with("media/offset", {0, 20'001, 20'000}), HasSubstr("media/offset"));
}

}  // namespace
}  // namespace lynceus::io
