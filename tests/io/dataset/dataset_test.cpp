// Dataset shards: round trips; damage of every kind is refused with its reason.
#include "io/dataset/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "core/error.h"
#include "io/dataset/shard_writer.h"
#include "io/files/hdf5.h"

namespace lynceus::io {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

/// An empty directory, removed after the test.
class DatasetTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    directory_ = fs::path(testing::TempDir()) / ("lynceus_dataset_" + std::string(test->name()));
    fs::remove_all(directory_);
    fs::create_directories(directory_);
  }
  void TearDown() override { fs::remove_all(directory_); }

  fs::path path(const std::string& name) const { return directory_ / name; }

  fs::path write(const std::string& name, const std::vector<Sample>& samples) const {
    ShardWriter writer(path(name), {"caption", "tests", "dataset_test 1"});
    for (const Sample& sample : samples) writer.add(sample);
    writer.close();
    return path(name);
  }

  fs::path directory_;
};

std::vector<Sample> make_samples() {
  std::string large(100'000, 'x');
  for (size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 31 >> 3);
  return {
      {"first", MediaKind::kFrames, {large}, {{TurnRole::kAssistant, "a cat"}}},
      {"text only", MediaKind::kFrames, {}, {{TurnRole::kText, "plain"}}},
      {"video",
       MediaKind::kFrames,
       {"f0", "f1", "", "f3", "f4"},
       {{TurnRole::kSystem, "be brief"},
        {TurnRole::kUser, "what, \xC3\xA9?"},
        {TurnRole::kAssistant, ""},
        {TurnRole::kUser, "and now?"},
        {TurnRole::kAssistant, "a dog"}}},
      {"", MediaKind::kSeparateImages, {"left", "right"}, {}},
  };
}

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

/// Without the fsync of atomic_write_text: these tests write hundreds of files.
void write_file(const fs::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary) << bytes;
}

void flip(const fs::path& file, uint64_t offset) {
  std::string bytes = read_text(file);
  bytes.at(offset) ^= 0x10;
  write_file(file, bytes);
}

/// Changes a shard with the HDF5 library and recomputes its digest, like a faulty writer.
void tamper(const fs::path& file, const std::function<void(hid_t)>& change) {
  {
    hdf5::silence();
    hdf5::Handle shard(hdf5::check(H5Fopen(file.c_str(), H5F_ACC_RDWR, H5P_DEFAULT), "open", ""),
                       H5Fclose);
    change(shard);
    shard.close("close", file.string());
  }
  write_file(ShardSidecar::path_of(file), ShardSidecar::measure(file).to_text());
}

template <typename T>
void replace(hid_t file, const std::string& name, hid_t type, const std::vector<T>& values) {
  H5Ldelete(file, name.c_str(), H5P_DEFAULT);
  const hdf5::Handle dataset = hdf5::create_dataset(file, name, type, {values.size()}, "test");
  hdf5::check(H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), "write", "");
}

TEST_F(DatasetTest, RoundTrip) {
  const std::vector<Sample> samples = make_samples();
  const ShardReader shard(write("a.h5", samples));
  EXPECT_EQ(shard.info().task, "caption");
  EXPECT_EQ(shard.info().source, "tests");
  EXPECT_EQ(shard.info().created_by, "dataset_test 1");
  ASSERT_EQ(shard.size(), 4);
  for (int64_t i = 0; i < shard.size(); ++i) {
    const Sample& sample = samples[i];
    EXPECT_EQ(shard.key(i), sample.key);
    EXPECT_EQ(shard.kind(i), sample.kind);
    EXPECT_EQ(shard.turns(i), sample.turns);
    uint32_t length = 0;
    for (const Turn& turn : sample.turns) length += turn.text.size();
    EXPECT_EQ(shard.text_length(i), length);
    ASSERT_EQ(shard.media_count(i), static_cast<int>(sample.media.size()));
    for (int k = 0; k < shard.media_count(i); ++k) {
      EXPECT_EQ(shard.read_media(i, k), sample.media[k]);
    }
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_), fs::directory_iterator()), 2)
      << "the shard and its sidecar, no temporary file";
}

TEST_F(DatasetTest, EmptyShardsAndShardsWithoutMedia) {
  EXPECT_EQ(ShardReader(write("empty.h5", {})).size(), 0);
  const ShardReader text(
      write("text.h5", {{"k", MediaKind::kFrames, {}, {{TurnRole::kText, "t"}}}}));
  EXPECT_EQ(text.media_count(0), 0);
  EXPECT_EQ(text.turns(0)[0].text, "t");
}

TEST_F(DatasetTest, EqualSamplesGiveEqualFiles) {
  const std::string first = read_text(write("a.h5", make_samples()));
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // HDF5 stores times in seconds
  EXPECT_EQ(read_text(write("b.h5", make_samples())), first);
}

TEST_F(DatasetTest, ManySamplesAndBlobsLargerThanTheBuffer) {
  std::vector<Sample> samples;
  for (int i = 0; i < 300; ++i) {
    samples.push_back({std::to_string(i),
                       MediaKind::kFrames,
                       {std::string(40'000 + i, static_cast<char>(i))},
                       {{TurnRole::kAssistant, std::string(i, 'y')}}});
  }
  const ShardReader shard(write("many.h5", samples));
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(shard.read_media(i, 0), samples[i].media[0]);
    EXPECT_EQ(shard.turns(i), samples[i].turns);
  }
}

TEST_F(DatasetTest, AnUnfinishedWriterLeavesNothing) {
  {
    ShardWriter writer(path("a.h5"), {});
    writer.add(make_samples()[0]);
    EXPECT_EQ(writer.size(), 1);
    EXPECT_EQ(writer.media_bytes(), 100'000u);
  }
  EXPECT_TRUE(fs::is_empty(directory_));
}

TEST_F(DatasetTest, ManyShardsFormOneDataset) {
  const std::vector<Sample> samples = make_samples();
  write("part-1.h5", {samples[2]});
  write("part-0.h5", {samples[0], samples[1]});
  write("part-2.h5", {});
  write("part-3.h5", {samples[3]});
  write("other.h5", samples);
  const Dataset dataset("mine", path("part-*.h5"));
  EXPECT_EQ(dataset.name(), "mine");
  ASSERT_EQ(dataset.size(), 4);
  for (int64_t i = 0; i < 4; ++i) {
    EXPECT_EQ(dataset.key(i), samples[i].key);
    EXPECT_EQ(dataset.turns(i), samples[i].turns);
    EXPECT_EQ(dataset.kind(i), samples[i].kind);
    EXPECT_EQ(dataset.media_count(i), static_cast<int>(samples[i].media.size()));
  }
  EXPECT_EQ(dataset.read_media(2, 4), "f4");
  EXPECT_EQ(dataset.text_length(0), 5);
  EXPECT_EQ(dataset.info(3).task, "caption");
  EXPECT_THAT(dataset.describe(2), HasSubstr("part-1.h5: sample 0 (video)"));
  EXPECT_THAT(message_of([&] { Dataset("none", path("absent-*.h5")); }),
              AllOf(HasSubstr("dataset none"), HasSubstr("absent-*.h5"), HasSubstr("found none")));
}

TEST_F(DatasetTest, TheFingerprintIsTheContent) {
  std::vector<Sample> samples = make_samples();
  fs::create_directories(path("elsewhere"));
  write("a.h5", samples);
  write("elsewhere/b.h5", samples);
  const std::string fingerprint = Dataset("x", path("a.h5")).fingerprint();
  EXPECT_EQ(fingerprint.size(), 32u);
  EXPECT_EQ(Dataset("y", path("elsewhere/*.h5")).fingerprint(), fingerprint);
  samples[2].media[1] = "g1";
  write("a.h5", samples);
  EXPECT_NE(Dataset("x", path("a.h5")).fingerprint(), fingerprint);
}

TEST_F(DatasetTest, TruncatedShards) {
  const fs::path file = write("a.h5", make_samples());
  const auto size = fs::file_size(file);
  for (const auto kept : {size - 1, size / 2, uintmax_t{10}}) {
    fs::resize_file(file, kept);
    EXPECT_THAT(message_of([&] { ShardReader shard(file); }),
                AllOf(HasSubstr(file.string()), HasSubstr(std::to_string(size)),
                      HasSubstr(std::to_string(kept)), HasSubstr("truncated")));
  }
  fs::resize_file(file, 0);
  EXPECT_THAT(message_of([&] { ShardReader shard(file); }),
              AllOf(HasSubstr(file.string()), HasSubstr("empty file")));
}

TEST_F(DatasetTest, EveryFlippedByteIsDetected) {
  const fs::path file = write("a.h5", make_samples());
  const std::string whole = read_text(file);
  const ShardSidecar sidecar = ShardSidecar::read(file);
  ASSERT_EQ(sidecar.blobs_end - sidecar.blobs_begin, 100'000u + 8 + 9);
  for (uint64_t offset = 0; offset < whole.size(); offset += 997) {
    std::string damaged = whole;
    damaged[offset] ^= 1;
    write_file(file, damaged);
    if (offset >= sidecar.blobs_begin && offset < sidecar.blobs_end) {
      const ShardReader shard(file);
      EXPECT_THAT(message_of([&] { shard.read_media(0, 0); }),
                  AllOf(HasSubstr(file.string()), HasSubstr("sample 0 (first), media 0"),
                        HasSubstr("digest: expected")));
      EXPECT_EQ(shard.read_media(2, 0), "f0") << "its neighbours stay readable";
    } else {
      EXPECT_THAT(message_of([&] { ShardReader shard(file); }),
                  AllOf(HasSubstr(file.string()),
                        HasSubstr("metadata digest: expected " + sidecar.outside.hex())))
          << "byte " << offset;
    }
  }
}

TEST_F(DatasetTest, MissingOrDamagedSidecars) {
  const fs::path file = write("a.h5", make_samples());
  const fs::path sidecar = ShardSidecar::path_of(file);
  const std::string text = read_text(sidecar);
  for (size_t i = 0; i < text.size(); ++i) {
    flip(sidecar, i);
    EXPECT_THAT(message_of([&] { ShardReader shard(file); }), HasSubstr(sidecar.string())) << i;
    write_file(sidecar, text);
  }
  write_file(sidecar, "");
  EXPECT_THAT(message_of([&] { ShardReader shard(file); }), HasSubstr("damaged"));
  fs::remove(sidecar);
  EXPECT_THAT(message_of([&] { ShardReader shard(file); }), HasSubstr("found no such file"));
}

TEST_F(DatasetTest, WronglyMadeShards) {
  const auto refused = [&](const std::function<void(hid_t)>& change) {
    const fs::path file = write("a.h5", make_samples());
    tamper(file, change);
    try {
      ShardReader shard(file);
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  const hid_t u64 = H5T_NATIVE_UINT64;
  const hid_t u8 = H5T_NATIVE_UINT8;
  using U64 = std::vector<uint64_t>;
  EXPECT_EQ(refused([](hid_t) {}), "no error");
  EXPECT_THAT(refused([&](hid_t f) {
                replace<uint64_t>(f, "text/offset", u64, {0, 1, 2});
              }),
              HasSubstr("text/offset: expected 8 values, found 3"));
  EXPECT_THAT(refused([&](hid_t f) {
                replace(f, "sample/turn_begin", u64, U64{0, 1, 9, 7, 7});
              }),
              HasSubstr("sample/turn_begin: expected offsets that increase from 0 to 7"));
  EXPECT_THAT(refused([&](hid_t f) {
                replace(f, "sample/media_begin", u64, U64{0, 1, 1, 6, 1ull << 60});
              }),
              HasSubstr("sample/media_begin: expected offsets that increase from 0 to 8"));
  EXPECT_THAT(refused([&](hid_t f) {
                replace<uint8_t>(f, "text/role", u8, {0, 1, 2, 3, 4, 0, 0});
              }),
              HasSubstr("text/role[4]: expected less than 4, found 4"));
  EXPECT_THAT(refused([&](hid_t f) {
                replace<uint8_t>(f, "sample/kind", u8, {0, 0, 9, 0});
              }),
              HasSubstr("sample/kind[2]"));
  EXPECT_THAT(refused([&](hid_t f) {
                replace<uint8_t>(f, "media/digest", u8, {0, 0});
              }),
              HasSubstr("media/digest: expected unsigned integers of 8 bytes"));
  EXPECT_THAT(refused([](hid_t f) { H5Ldelete(f, "text/role", H5P_DEFAULT); }),
              HasSubstr("text/role"));
  EXPECT_THAT(refused([](hid_t f) {
                H5Adelete(f, "format");
                hdf5::write_attribute(f, "format", int64_t{1}, "test");
              }),
              HasSubstr("attribute format: expected one string"));
  EXPECT_THAT(refused([](hid_t f) {
                H5Adelete(f, "version");
                hdf5::write_attribute(f, "version", int64_t{3}, "test");
              }),
              HasSubstr("version: expected 1 or 2, found 3"));
  EXPECT_THAT(refused([](hid_t f) {
                H5Adelete(f, "version");
                hdf5::write_attribute(f, "version", int64_t{2}, "test");
              }),
              HasSubstr("sample/media"));
  EXPECT_THAT(refused([](hid_t f) {
                H5Adelete(f, "num_samples");
                hdf5::write_attribute(f, "num_samples", int64_t{5}, "test");
              }),
              HasSubstr("num_samples: expected 4, found 5"));
  EXPECT_THAT(refused([](hid_t f) {
                H5Ldelete(f, "sample/text_length", H5P_DEFAULT);
                H5Lcreate_external("/etc/passwd", "/x", f, "sample/text_length", H5P_DEFAULT,
                                   H5P_DEFAULT);
              }),
              HasSubstr("a soft or external link"));
  EXPECT_THAT(refused([&](hid_t f) {  // claims 8 TiB without having them
                H5Ldelete(f, "media/digest", H5P_DEFAULT);
                const hdf5::Handle chunked = hdf5::property_list(H5P_DATASET_CREATE, "test");
                const hsize_t chunk = 1024;
                H5Pset_chunk(chunked, 1, &chunk);
                hdf5::create_dataset(f, "media/digest", u64, {1ull << 40}, chunked, "test");
              }),
              HasSubstr("media/digest: expected contiguous layout"));
}

TEST_F(DatasetTest, NotAShardAtAll) {
  write_file(path("x.h5"), "hello");
  EXPECT_THAT(message_of([&] { ShardReader shard(path("x.h5")); }), HasSubstr("x.h5.xxh"));
  EXPECT_THROW(ShardReader(path("absent.h5")), IoError);
  EXPECT_THROW(ShardWriter(path("no/such/directory.h5"), {}), IoError);
}

}  // namespace
}  // namespace lynceus::io
