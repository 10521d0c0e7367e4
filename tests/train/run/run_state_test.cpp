// The keys that may change on resume.
#include "train/run/run_state.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "io/files/file.h"
#include "train/run/run_config.h"

namespace lynceus::train {
namespace {

TEST(MayChangeOnResume, LayoutAndReportOnly) {
  for (const char* key : {"run", "device", "transport", "gemm", "log.every", "checkpoint.every",
                          "parallel.tensor", "train.micro_batch_tokens", "train.vision_window",
                          "train.recompute", "data.loader_threads", "data.validation"})
    EXPECT_TRUE(may_change_on_resume(key)) << key;
  for (const char* key : {"precision", "train.seed", "train.steps", "optimizer.lr", "data.source",
                          "data.max_tokens", "model.train", "vision.image_size", "unknown"})
    EXPECT_FALSE(may_change_on_resume(key)) << key;
}

/// The names in backticks in the first cells of the table below a heading.
std::set<std::string> names_on_page(const std::string& page, const std::string& heading) {
  const size_t begin = page.find("\n### " + heading + "\n");
  const std::string section = page.substr(begin, page.find("\n#", begin + 1) - begin);
  std::set<std::string> names;
  std::istringstream lines(section);
  const std::regex quoted("`([^`]+)`");
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("| `")) continue;
    const std::string cell = line.substr(0, line.find(" | ", 2));
    for (std::sregex_iterator at(cell.begin(), cell.end(), quoted), end; at != end; ++at)
      names.insert((*at)[1]);
  }
  return names;
}

TEST(MayChangeOnResume, PageListsTheSameKeys) {
  const auto listed = names_on_page(
      io::read_text(std::string(LYNCEUS_SOURCE_DIR) + "/docs/running.md"), "Keys that may differ");
  RunConfig config;
  ConfigReader reader;
  reader.add(config);
  std::set<std::string> keys = {"device", "precision", "transport", "gemm"};
  for (const ConfigValue& value : reader.values()) keys.insert(value.key);
  for (const std::string& key : keys) {
    const bool is_listed =
        listed.contains(key) || listed.contains("[" + key.substr(0, key.find('.')) + "]");
    const bool starts = std::ranges::count(kOptionsOfOneStart, key) > 0;
    EXPECT_EQ(is_listed, starts || may_change_on_resume(key)) << key;
  }
  for (const std::string& name : listed)
    EXPECT_TRUE(name.starts_with("[") || keys.contains(name)) << name << " is no key";
}

}  // namespace
}  // namespace lynceus::train
