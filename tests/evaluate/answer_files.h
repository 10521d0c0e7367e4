// Files of answers that tests write and read back.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>

#include "core/error.h"
#include "io/files/json.h"

namespace lynceus::evaluate_test {

namespace fs = std::filesystem;

/// A folder for one test, empty at its start.
inline fs::path empty_folder() {
  const auto* test = testing::UnitTest::GetInstance()->current_test_info();
  const fs::path folder = fs::path(testing::TempDir()) / test->test_suite_name() / test->name();
  fs::remove_all(folder);
  fs::create_directories(folder);
  return folder;
}

inline fs::path write(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
  return file;
}

/// A folder of data that is not in the repository; absent where LYNCEUS_DATA_DIR is not set.
inline std::optional<fs::path> data_folder(const std::string& name) {
  const char* root = std::getenv("LYNCEUS_DATA_DIR");
  if (root == nullptr || !fs::exists(fs::path(root) / name)) return std::nullopt;
  return fs::path(root) / name;
}

/// What the InputError of `step` says; empty: there was none.
inline std::string refusal(const std::function<void()>& step) {
  try {
    step();
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

inline io::Json parsed(const std::string& text) { return io::Json::parse(text, "text"); }

}  // namespace lynceus::evaluate_test
