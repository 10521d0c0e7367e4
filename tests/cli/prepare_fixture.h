// A folder for the corpora and outputs of `lynceus prepare`, and calls of it.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "io/files/file.h"
#include "run_program.h"

namespace lynceus::cli_test {

inline const fs::path kPhotos = fs::path(LYNCEUS_SOURCE_DIR) / "tests/data/photos";

class PrepareSourcesTest : public testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }
  std::string out(const std::string& name) const { return folder_ / name; }
  static Output prepare(const Arguments& arguments, const Launch& launch = {}) {
    return run(Arguments{"prepare"} + arguments, launch);
  }
  /// Names and bytes of all files in a directory.
  static std::map<std::string, std::string> contents(const fs::path& directory) {
    std::map<std::string, std::string> all;
    for (const auto& entry : fs::directory_iterator(directory))
      all[entry.path().filename()] = io::read_text(entry.path());
    return all;
  }
  static std::vector<std::string> names(const fs::path& directory) {
    std::vector<std::string> all;
    for (const auto& [name, text] : contents(directory)) all.push_back(name);
    return all;
  }

  const Folder folder_{"prepare_sources"};
  const std::string root_ = (kPhotos / "images").string();
};

}  // namespace lynceus::cli_test
