// The list of fault points: it has every point of the sources and no other, and the page shows all.
#include "core/fault_points.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>

#include "core/fault.h"

namespace lynceus {
namespace {

namespace fs = std::filesystem;

/// The points in the sources: true for those with an action of their own.
std::set<std::pair<std::string, bool>> points_of_sources() {
  const std::regex use(R"(LYNCEUS_FAULT_(POINT|ASKED)\(\s*"([^"]+)\")");
  std::set<std::pair<std::string, bool>> found;
  for (const char* room : {"core", "kernels", "parallel", "io", "src"})
    for (const auto& entry :
         fs::recursive_directory_iterator(fs::path(LYNCEUS_SOURCE_DIR) / room)) {
      const std::string extension = entry.path().extension();
      if (extension != ".cpp" && extension != ".h" && extension != ".cu") continue;
      std::ifstream file(entry.path());
      const std::string text{std::istreambuf_iterator<char>(file), {}};
      for (std::sregex_iterator at(text.begin(), text.end(), use), end; at != end; ++at)
        found.emplace((*at)[2], (*at)[1] == "ASKED");
    }
  return found;
}

TEST(FaultPoints, TheListHasEveryPointOfTheSources) {
  std::set<std::pair<std::string, bool>> listed;
  for (const fault::FaultPoint& point : fault::fault_points())
    listed.emplace(point.name, point.has_action);
  EXPECT_EQ(listed, points_of_sources());
  EXPECT_GE(listed.size(), 27u);
}

TEST(FaultPoints, AreInOrderAndOnThePage) {
  const auto points = fault::fault_points();
  EXPECT_TRUE(std::is_sorted(points.begin(), points.end(), [](const auto& a, const auto& b) {
    return std::string(a.name) < b.name;
  }));
  const std::string page = fault::fault_help();
  for (const fault::FaultPoint& point : points) {
    EXPECT_NE(page.find(point.name), std::string::npos) << point.name;
    EXPECT_NE(page.find(point.place), std::string::npos) << point.name;
  }
  for (const fault::FaultActionName& action : fault::action_names())
    EXPECT_NE(page.find(action.meaning), std::string::npos) << action.name;
}

}  // namespace
}  // namespace lynceus
