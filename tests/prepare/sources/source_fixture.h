// A directory with two small images, images/a.jpg and images/b.jpg, and the rows that a source
// reads from files that a test writes there.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "io/files/file.h"
#include "io/media/image.h"
#include "io/media/jpeg.h"
#include "prepare/rows/source.h"

namespace lynceus::prepare {

class SourceTest : public testing::Test {
 protected:
  SourceTest() {
    namespace fs = std::filesystem;
    directory_ = fs::path(testing::TempDir()) /
                 testing::UnitTest::GetInstance()->current_test_info()->test_suite_name();
    fs::remove_all(directory_);
    fs::create_directories(directory_ / "images");
    for (const uint8_t grey : {200, 90})
      write(grey == 200 ? "images/a.jpg" : "images/b.jpg",
            io::encode_jpeg(io::Image{6, 4, std::vector<uint8_t>(72, grey)}, 90));
  }
  ~SourceTest() override { std::filesystem::remove_all(directory_); }

  std::filesystem::path write(const std::string& name, const std::string& bytes) const {
    std::ofstream(directory_ / name, std::ios::binary) << bytes;
    return directory_ / name;
  }
  std::string bytes(const std::string& name) const { return io::read_text(directory_ / name); }

  static std::vector<SourceRow> rows(Source&& source, int64_t skip = 0) {
    std::vector<SourceRow> all;
    source.read(skip, [&](SourceRow row) { all.push_back(std::move(row)); });
    return all;
  }
  static std::vector<std::string> keys(const std::vector<SourceRow>& rows) {
    std::vector<std::string> keys;
    for (const SourceRow& row : rows)
      for (const io::Sample& sample : row.samples) keys.push_back(sample.key);
    return keys;
  }
  /// "kind: problem" of a single rejected row.
  static std::string reject(const std::vector<SourceRow>& rows) {
    EXPECT_EQ(rows.size(), 1u);
    if (rows.empty()) return "";
    EXPECT_TRUE(rows[0].samples.empty());
    return rows[0].reject + ": " + rows[0].problem;
  }

  std::filesystem::path directory_;
};

/// The message of the InputError that `make` throws.
template <typename Make>
std::string input_error(Make&& make) {
  try {
    make();
  } catch (const InputError& error) {
    return error.what();
  }
  return "no InputError";
}

}  // namespace lynceus::prepare
