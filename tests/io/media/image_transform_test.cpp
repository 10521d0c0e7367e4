// Resize, crop and normalization against Pillow and torchvision.
#include "io/media/image_transform.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/files/file.h"

namespace lynceus::io {
namespace {

namespace fs = std::filesystem;

const fs::path kGolden = fs::path(LYNCEUS_SOURCE_DIR) / "tests/golden/preprocess";

/// In the repository, else in the larger set, else empty.
fs::path find_golden(const std::string& name) {
  if (fs::exists(kGolden / name)) return kGolden / name;
  const char* directory = std::getenv("LYNCEUS_GOLDEN_DIR");
  if (directory == nullptr) return {};
  const fs::path path = fs::path(directory) / "preprocess" / name;
  return fs::exists(path) ? path : fs::path();
}

nlohmann::json cases() { return nlohmann::json::parse(read_text(kGolden / "preprocess.json")); }

Image decode_file(const fs::path& path) { return decode_image(read_text(path), path.string()); }

int max_difference(const Image& a, const Image& b) {
  if (a.width != b.width || a.height != b.height) return 256;
  int difference = 0;
  for (size_t i = 0; i < a.rgb.size(); ++i) {
    difference = std::max(difference, std::abs(a.rgb[i] - b.rgb[i]));
  }
  return difference;
}

std::vector<float> golden_table() {
  const std::string bytes = read_text(kGolden / "normalize_lut.safetensors");
  std::vector<float> table(3 * 256);
  std::memcpy(table.data(), bytes.data() + bytes.size() - table.size() * sizeof(float),
              table.size() * sizeof(float));
  return table;
}

TEST(ImageTransform, AnImageTooLongForItsHeightIsRefused) {
  EXPECT_THROW(evaluation_geometry(64 << 20, 1, 420), InputError);
  EXPECT_THROW(evaluation_geometry(1, 64 << 20, 420), InputError);
  EXPECT_EQ(evaluation_geometry(4 << 20, 1, 420).resized_width, 420 * (4 << 20));
}

TEST(ImageTransform, GeometryEqualsTorchvision) {
  int rows = 0;
  const nlohmann::json golden = cases();
  for (const auto& row : golden.at("geometry")) {
    const EvaluationGeometry geometry = evaluation_geometry(row[0], row[1], row[2]);
    EXPECT_EQ(geometry.resized_width, row[3].get<int>()) << row;
    EXPECT_EQ(geometry.resized_height, row[4].get<int>()) << row;
    EXPECT_EQ(geometry.crop.left, row[5].get<int>()) << row;
    EXPECT_EQ(geometry.crop.top, row[6].get<int>()) << row;
    ++rows;
  }
  EXPECT_EQ(rows, 207);
}

TEST(ImageTransform, ResizeAndCropEqualPillow) {
  int compared = 0;
  const nlohmann::json golden = cases();
  for (const auto& item : golden.at("images")) {
    const std::string source_name = item.at("source");
    fs::path source = find_golden(source_name);
    const fs::path expected = find_golden(item.at("expected"));
    if (source.empty() || expected.empty()) continue;
    const Image image = decode_file(source);
    EXPECT_EQ(image.width, item.at("width").get<int>());
    EXPECT_EQ(image.height, item.at("height").get<int>());
    const int size = item.at("res");
    const int difference = max_difference(evaluation_transform(image, size), decode_file(expected));
    EXPECT_LE(difference, source.extension() == ".jpg" ? 1 : 0) << expected;
    std::printf("%-24s max difference %d\n", expected.filename().c_str(), difference);
    if (source.extension() == ".jpg") {
      source.replace_extension(".decoded.png");
      EXPECT_EQ(
          max_difference(evaluation_transform(decode_file(source), size), decode_file(expected)), 0)
          << source;
    }
    ++compared;
  }
  EXPECT_GE(compared, std::getenv("LYNCEUS_GOLDEN_DIR") != nullptr ? 12 : 6);
  std::printf("%d of 12 images compared\n", compared);
}

TEST(ImageTransform, NormalizedPixelsEqualTheTable) {
  const std::vector<float> table = golden_table();
  for (int c = 0; c < 3; ++c) {
    for (int v = 0; v < 256; ++v) {
      EXPECT_EQ(normalized_value(c, static_cast<uint8_t>(v)), table[c * 256 + v]);
    }
  }
  const nlohmann::json golden = cases();
  for (const auto& item : golden.at("images")) {
    const fs::path expected = find_golden(item.at("expected"));
    if (expected.empty()) continue;
    const Image image = decode_file(expected);
    std::vector<float> pixels(image.rgb.size());
    normalize(image, pixels.data());
    double sum = 0;
    for (const float value : pixels) sum += value;
    EXPECT_NEAR(sum, item.at("normalized_sum").get<double>(), 1e-3) << expected;
    EXPECT_EQ(pixels[image.rgb.size() / 3], table[256 + image.rgb[1]]) << "planes, not triples";
  }
}

/// One axis as resize.h describes it, pixel by pixel: rows of RGB along x, `width` becomes `to`.
Image resampled_across(const Image& image, int to) {
  const double scale = static_cast<double>(image.width) / to;
  const double stretch = std::max(scale, 1.0);
  const auto keys = [](double x) {
    x = std::abs(x);
    if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0;
  };
  Image result{to, image.height, std::vector<uint8_t>(static_cast<size_t>(to * image.height * 3))};
  for (int i = 0; i < to; ++i) {
    const double center = (i + 0.5) * scale;
    const int begin = std::max(0, static_cast<int>(center - 2 * stretch + 0.5));
    const int end = std::min(image.width, static_cast<int>(center + 2 * stretch + 0.5));
    std::vector<double> weights;
    for (int x = begin; x < end; ++x) weights.push_back(keys((x - center + 0.5) * (1 / stretch)));
    double sum = 0;
    for (const double weight : weights) sum += weight;
    for (int y = 0; y < image.height; ++y) {
      for (int c = 0; c < 3; ++c) {
        int64_t fixed = 1 << 21;
        for (int x = begin; x < end; ++x)
          fixed += std::lround(weights[x - begin] / sum * (1 << 22)) *
                   image.rgb[(y * image.width + x) * 3 + c];
        result.rgb[(y * to + i) * 3 + c] =
            static_cast<uint8_t>(std::clamp<int64_t>(fixed >> 22, 0, 255));
      }
    }
  }
  return result;
}

Image transposed(const Image& image) {
  Image result{image.height, image.width, std::vector<uint8_t>(image.rgb.size())};
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x)
      std::copy_n(&image.rgb[(y * image.width + x) * 3], 3,
                  &result.rgb[(x * image.height + y) * 3]);
  return result;
}

/// Widths and heights with every remainder, ratios from 1/40 to 40, the complete image and a box of
/// a larger one, noise, and black and white, which overshoots.
TEST(ImageTransform, ResizeEqualsTheFormula) {
  uint32_t state = 1;
  const auto draw = [&](int most) {
    state = state * 1664525U + 1013904223U;
    return static_cast<int>((state >> 8) % static_cast<uint32_t>(most));
  };
  for (int round = 0; round < 400; ++round) {
    Image image{1 + draw(41), 1 + draw(41), {}};
    image.rgb.resize(static_cast<size_t>(image.width * image.height * 3));
    for (uint8_t& byte : image.rgb)
      byte = static_cast<uint8_t>(round % 2 == 0 ? draw(256) : 255 * draw(2));
    CropBox box{draw(image.width), draw(image.height), 0, 0};
    if (round % 4 < 2) box = {0, 0, 0, 0};
    box.width = image.width - box.left - (round % 4 < 2 ? 0 : draw(image.width - box.left));
    box.height = image.height - box.top - (round % 4 < 2 ? 0 : draw(image.height - box.top));
    const int width = 1 + draw(41), height = 1 + draw(41);
    Image cut{box.width, box.height, {}};
    for (int y = box.top; y < box.top + box.height; ++y)
      cut.rgb.insert(cut.rgb.end(), &image.rgb[(y * image.width + box.left) * 3],
                     &image.rgb[(y * image.width + box.left) * 3] + box.width * 3);
    if (width != box.width) cut = resampled_across(cut, width);
    if (height != box.height) cut = transposed(resampled_across(transposed(cut), height));
    const Image found = resize_bicubic(image, box, width, height);
    ASSERT_EQ(max_difference(found, cut), 0)
        << image.width << " x " << image.height << ", box of " << box.width << " x " << box.height
        << " to " << width << " x " << height;
  }
}

TEST(ImageTransform, PartOfAResizeEqualsTheWhole) {
  Image image{37, 23, std::vector<uint8_t>(37 * 23 * 3)};
  for (size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = static_cast<uint8_t>(i * 7919 >> 3);
  const Image whole = resize_bicubic(image, 61, 17);
  const CropBox box{-3, 5, 40, 20};
  const Image part = resize_bicubic_crop(image, 61, 17, box);
  ASSERT_EQ(part.width, 40);
  ASSERT_EQ(part.height, 20);
  for (int y = 0; y < 20; ++y) {
    for (int x = 0; x < 40; ++x) {
      for (int c = 0; c < 3; ++c) {
        const bool inside = x - 3 >= 0 && y + 5 < 17;
        const int expected = inside ? whole.rgb[((y + 5) * 61 + x - 3) * 3 + c] : 0;
        ASSERT_EQ(part.rgb[(y * 40 + x) * 3 + c], expected) << x << ", " << y;
      }
    }
  }
}

TEST(ImageTransform, AnExtremeStripNeedsLittleMemory) {
  // The resized image would have 224 x 8,960,000 pixels.
  const Image strip{1, 40000, std::vector<uint8_t>(40000 * 3, 200)};
  const Image square = evaluation_transform(strip, 224);
  EXPECT_EQ(square.width, 224);
  EXPECT_EQ(square.height, 224);
  EXPECT_EQ(square.rgb[100], 200);
}

TEST(ImageTransform, RandomCropsAreRepeatableVariedAndInRange) {
  std::vector<std::pair<int, int>> corners;
  int from_ratio = 0;
  for (uint64_t i = 0; i < 2000; ++i) {
    const CropBox box = random_resized_crop_box(640, 480, 7, i, 0);
    const CropBox again = random_resized_crop_box(640, 480, 7, i, 0);
    ASSERT_EQ(box.left, again.left);
    ASSERT_EQ(box.height, again.height);
    ASSERT_GE(box.left, 0);
    ASSERT_GE(box.top, 0);
    ASSERT_LE(box.left + box.width, 640);
    ASSERT_LE(box.top + box.height, 480);
    const double scale = static_cast<double>(box.width) * box.height / (640.0 * 480.0);
    const double ratio = static_cast<double>(box.width) / box.height;
    ASSERT_GT(scale, 0.89);
    ASSERT_GT(ratio, 0.74);
    ASSERT_LT(ratio, 1.345);
    from_ratio += ratio < 1.25;
    corners.emplace_back(box.left, box.top);
  }
  EXPECT_GT(from_ratio, 100);
  std::sort(corners.begin(), corners.end());
  const auto distinct = std::unique(corners.begin(), corners.end()) - corners.begin();
  EXPECT_GT(distinct, 200);
}

TEST(ImageTransform, ALongImageFallsBackToTheCentre) {
  const CropBox box = random_resized_crop_box(1000, 100, 7, 0, 0);
  EXPECT_EQ(box.width, 133);
  EXPECT_EQ(box.height, 100);
  EXPECT_EQ(box.left, 433);
  const CropBox tiny = random_resized_crop_box(1, 50, 7, 0, 0);
  EXPECT_EQ(tiny.width, 1);
  EXPECT_EQ(tiny.height, 1);
}

TEST(ImageTransform, TrainingCropEqualsCuttingThenResizing) {
  Image image{64, 48, std::vector<uint8_t>(64 * 48 * 3)};
  for (size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = static_cast<uint8_t>(i * 31 >> 2);
  const CropBox box = random_resized_crop_box(64, 48, 3, 11, 2);
  Image cut{box.width, box.height, {}};
  for (int y = 0; y < box.height; ++y) {
    const auto row = image.rgb.begin() + ((y + box.top) * 64 + box.left) * 3;
    cut.rgb.insert(cut.rgb.end(), row, row + box.width * 3);
  }
  EXPECT_EQ(training_transform(image, 20, 3, 11, 2).rgb, resize_bicubic(cut, 20, 20).rgb);
}

}  // namespace
}  // namespace lynceus::io
