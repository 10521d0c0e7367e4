// The loader: order, equal results with any number of threads, damaged images are replaced and
// named, errors are passed on.
#include "io/media/media_loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "core/error.h"
#include "io/dataset/shard_writer.h"
#include "io/media/image_transform.h"
#include "io/media/jpeg.h"

namespace lynceus::io {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

constexpr int kSize = 16;
constexpr int kSamples = 40;

Image plain_image(int value, int width = 24, int height = 20) {
  Image image{width, height, std::vector<uint8_t>(static_cast<size_t>(width * height * 3))};
  for (size_t i = 0; i < image.rgb.size(); ++i) {
    image.rgb[i] = static_cast<uint8_t>(value + static_cast<int>(i % 30));
  }
  return image;
}

class MediaLoaderTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    directory_ = fs::path(testing::TempDir()) / ("lynceus_loader_" + std::string(test->name()));
    fs::remove_all(directory_);
    fs::create_directories(directory_);
    ShardWriter writer(directory_ / "good.h5", {});
    for (int i = 0; i < kSamples; ++i) {
      Sample sample{fmt::format("key{}", i), MediaKind::kFrames, {}, {}};
      for (int k = 0; k < i % 4; ++k) {
        sample.media.push_back(encode_jpeg(plain_image(5 * i + k), 90));
      }
      writer.add(sample);
    }
    writer.close();
    good_ = std::make_unique<Dataset>("good", directory_ / "good.h5");
  }
  void TearDown() override {
    good_.reset();
    fs::remove_all(directory_);
  }

  /// A dataset of one sample with these media.
  Dataset make(const std::string& name, const std::vector<std::string>& media,
               MediaKind kind = MediaKind::kFrames) const {
    ShardWriter writer(directory_ / (name + ".h5"), {});
    writer.add({"the key", kind, media, {}});
    writer.close();
    return Dataset(name, directory_ / (name + ".h5"));
  }

  std::vector<float> expected(int64_t sample, const TransformConfig& config,
                              uint64_t augment_index) const {
    std::vector<float> pixels;
    for (int k = 0; k < good_->media_count(sample); ++k) {
      const Image image = decode_image(good_->read_media(sample, k), "expected");
      std::vector<float> one(3 * kSize * kSize);
      normalize(config.augment ? training_transform(image, kSize, config.seed, augment_index, 0)
                               : evaluation_transform(image, kSize),
                one.data());
      pixels.insert(pixels.end(), one.begin(), one.end());
    }
    return pixels;
  }

  fs::path directory_;
  std::unique_ptr<Dataset> good_;
  Stream stream_;
};

TEST_F(MediaLoaderTest, DecodesNoLargerThanNeededWhenRequested) {
  Image stripes{5 * kSize, 4 * kSize, {}};
  for (int i = 0; i < stripes.width * stripes.height; ++i)
    for (int c = 0; c < 3; ++c) stripes.rgb.push_back(static_cast<uint8_t>((i / 7 % 3 + c) * 60));
  const Dataset dataset = make("stripes", {encode_jpeg(stripes, 95)});
  for (const bool augment : {false, true}) {
    std::vector<std::vector<float>> found;
    for (const bool scaled : {false, true}) {
      const TransformConfig config{
          .image_size = kSize, .augment = augment, .scaled_decode = scaled};
      MediaLoader loader({&dataset}, config, 1, stream_);
      loader.request({{0, 0, 3}});
      found.push_back(loader.take().at(0).pixels.to_vector<float>());
      const Image image = decode_image(dataset.read_media(0, 0), "x", {}, scaled ? kSize : 0);
      EXPECT_EQ(image.width, scaled ? 5 * kSize / 4 : 5 * kSize);
      std::vector<float> expected(3 * kSize * kSize);
      normalize(
          augment ? training_transform(image, kSize, 0, 3, 0) : evaluation_transform(image, kSize),
          expected.data());
      EXPECT_EQ(found.back(), expected);
    }
    EXPECT_NE(found[0], found[1]);
  }
}

TEST_F(MediaLoaderTest, BatchesComeInOrderWithAnyNumberOfThreads) {
  for (const bool augment : {false, true}) {
    const TransformConfig config{.image_size = kSize, .augment = augment, .seed = 9};
    for (const int threads : {1, 3, 8}) {
      MediaLoader loader({good_.get()}, config, threads, stream_);
      for (int batch = 0; batch < 10; ++batch) {
        std::vector<MediaRequest> requests;
        for (int i = 0; i < batch; ++i) {
          requests.push_back({0, (7 * batch + 3 * i) % kSamples, 100u * batch + i});
        }
        loader.request(requests);
      }
      EXPECT_EQ(loader.pending(), 10u);
      for (int batch = 0; batch < 10; ++batch) {
        const auto loaded = loader.take();
        ASSERT_EQ(loaded.size(), static_cast<size_t>(batch));
        for (int i = 0; i < batch; ++i) {
          const int64_t sample = (7 * batch + 3 * i) % kSamples;
          EXPECT_EQ(loaded[i].pixels.shape(), (Shape{sample % 4, 3, kSize, kSize}));
          EXPECT_EQ(loaded[i].pixels.to_vector<float>(),
                    expected(sample, config, 100u * batch + i));
          EXPECT_FALSE(loaded[i].damaged);
        }
      }
      EXPECT_EQ(loader.pending(), 0u);
    }
  }
}

TEST_F(MediaLoaderTest, UndecodableImagesBecomeTheMeanColour) {
  const std::string jpeg = encode_jpeg(plain_image(50), 90);
  const std::string corrupt = jpeg.substr(0, jpeg.size() - 20);
  const Dataset bad = make("bad", {jpeg, corrupt, "no image", jpeg});
  MediaLoader loader({good_.get(), &bad}, {.image_size = kSize}, 2, stream_);
  loader.request({{0, 3, 0}, {1, 0, 0}, {0, 2, 0}});
  const auto loaded = loader.take();
  ASSERT_EQ(loaded.size(), 3u);
  EXPECT_FALSE(loaded[0].damaged);
  EXPECT_EQ(loaded[0].pixels.to_vector<float>(), expected(3, {.image_size = kSize}, 0));
  EXPECT_FALSE(loaded[2].damaged);
  EXPECT_TRUE(loaded[1].damaged);
  EXPECT_THAT(loaded[1].reason,
              AllOf(HasSubstr("bad.h5: sample 0 (the key), media 1"), HasSubstr("damaged JPEG")));
  const auto pixels = loaded[1].pixels.to_vector<float>();
  const size_t image = 3 * kSize * kSize;
  const std::vector<float> first(pixels.begin(), pixels.begin() + image);
  const std::vector<float> last(pixels.end() - image, pixels.end());
  EXPECT_EQ(std::vector<float>(pixels.begin() + image, pixels.begin() + 3 * image),
            std::vector<float>(2 * image, 0.0f));
  EXPECT_EQ(first, last) << "its intact frames are kept";
  EXPECT_NE(first, std::vector<float>(image, 0.0f));
}

TEST_F(MediaLoaderTest, ADamagedBlobIsReplacedAndAnUnreadableOneStopsTheRun) {
  const std::string jpeg = encode_jpeg(plain_image(50), 90);
  uint64_t begin = 0;
  {
    const Dataset whole = make("flipped", {jpeg});
    begin = whole.shards()[0].sidecar().blobs_begin;
  }
  const fs::path file = directory_ / "flipped.h5";
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(static_cast<std::streamoff>(begin + jpeg.size() / 2));
  stream.put(static_cast<char>(jpeg[jpeg.size() / 2] ^ 1));
  stream.close();
  const Dataset flipped("flipped", file);
  {
    MediaLoader loader({&flipped}, {.image_size = kSize}, 1, stream_);
    loader.request({{0, 0, 0}});
    const auto loaded = loader.take();
    EXPECT_TRUE(loaded[0].damaged);
    EXPECT_THAT(loaded[0].reason, AllOf(HasSubstr("flipped.h5: sample 0 (the key), media 0"),
                                        HasSubstr("digest: expected")));
  }
  fs::resize_file(file, begin);
  MediaLoader loader({&flipped, good_.get()}, {.image_size = kSize}, 2, stream_);
  loader.request({{1, 1, 0}, {0, 0, 0}});
  loader.request({{1, 1, 0}});
  EXPECT_THROW(loader.take(), IoError);
  EXPECT_EQ(loader.take().size(), 1u) << "the next batch is not affected";
}

TEST_F(MediaLoaderTest, FramesShareACropAndSeparateImagesDoNot) {
  const std::string jpeg = encode_jpeg(plain_image(50, 160, 120), 90);
  const Dataset frames = make("frames", {jpeg, jpeg});
  const Dataset separate = make("separate", {jpeg, jpeg}, MediaKind::kSeparateImages);
  MediaLoader loader({&frames, &separate}, {.image_size = kSize, .augment = true}, 1, stream_);
  loader.request({{0, 0, 5}, {1, 0, 5}});
  const auto loaded = loader.take();
  const auto half = [](const LoadedMedia& media, int index) {
    return media.pixels.slice(index, 1).to_vector<float>();
  };
  EXPECT_EQ(half(loaded[0], 0), half(loaded[0], 1));
  EXPECT_NE(half(loaded[1], 0), half(loaded[1], 1));
}

TEST_F(MediaLoaderTest, WorksNoFurtherAheadThanItsDepth) {
  MediaLoader loader({good_.get()}, {.image_size = kSize, .depth = 1}, 4, stream_);
  const auto live = [&] { return stream_.pool()->live_bytes(MemoryOwner::kInput); };
  const size_t one = 3 * 3 * kSize * kSize * sizeof(float);  // sample 3 has three frames
  for (int i = 0; i < 5; ++i) loader.request({{0, 3, 0}});
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(live(), one);
  const auto loaded = loader.take();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(live(), 2 * one) << "the one taken and the next";
}

TEST_F(MediaLoaderTest, MayEndWithUnfinishedWork) {
  for (int i = 0; i < 20; ++i) {
    MediaLoader loader({good_.get()}, {.image_size = kSize}, 3, stream_);
    loader.request(std::vector<MediaRequest>(30, MediaRequest{0, 3, 0}));
    loader.request({});
  }
  MediaLoader loader({good_.get()}, {.image_size = kSize}, 3, stream_);
  loader.request({});
  EXPECT_TRUE(loader.take().empty());
}

}  // namespace
}  // namespace lynceus::io
