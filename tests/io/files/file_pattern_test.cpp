// Which files a pattern names: paths with special characters, folders with them, ~, and patterns
// that match nothing.
#include "io/files/file_pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/error.h"
#include "core/home.h"

namespace lynceus::io {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::ThrowsMessage;

class FilePatternTest : public testing::Test {
 protected:
  FilePatternTest() { fs::remove_all(root_); }
  ~FilePatternTest() override { fs::remove_all(root_); }
  void touch(const std::string& name) const {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << "x";
  }
  std::vector<std::string> found(const std::string& pattern) const {
    std::vector<std::string> names;
    for (const auto& file : files_matching((root_ / pattern).string()))
      names.push_back(fs::path(file).lexically_relative(root_));
    return names;
  }
  const fs::path root_ = fs::path(testing::TempDir()) / "file pattern [x] {y}";
};

TEST_F(FilePatternTest, APathThatExistsIsThatPath) {
  for (const char* name : {"[v1] a: größe/x.h5", "{a,b}.h5", "a.h5", "b.h5", "x*.h5", "x1.h5",
                           "back\\slash.h5", "what?.h5", "~/y.h5", "v/x.h5"})
    touch(name);
  for (const char* name : {"[v1] a: größe/x.h5", "{a,b}.h5", "x*.h5", "back\\slash.h5", "what?.h5",
                           "~/y.h5", "v/x.h5"})
    EXPECT_THAT(found(name), ElementsAre(name));
  // Folders at the beginning of a pattern too.
  EXPECT_THAT(found("[v1] a: größe/*.h5"), ElementsAre("[v1] a: größe/x.h5"));
  EXPECT_THAT(found("[v1] a: größe/../[ab].h5").size(), 2u);
  EXPECT_THAT(found("\\[v1\\]*/x.h5"), ElementsAre("[v1] a: größe/x.h5"));
  EXPECT_THAT(found("{b,a}.*"), ElementsAre("a.h5", "b.h5"));
  EXPECT_THAT(found("[v]/x.h5"), ElementsAre("v/x.h5"));
  EXPECT_THAT(found("[w]/x.h5"), IsEmpty());
  for (const char* name : {"[v1] a: größe/x.h5", "{a,b}.h5", "x*.h5", "back\\slash.h5"})
    EXPECT_THAT(files_matching(as_pattern((root_ / name).string())),
                ElementsAre((root_ / name).string()));
}

TEST_F(FilePatternTest, AFolderThatCannotBeReadIsAnError) {
  touch("a/x.h5");
  fs::create_symlink("absent", root_ / "b");
  fs::create_symlink("c", root_ / "c");
  EXPECT_THAT(found("*/x.h5"), ElementsAre("a/x.h5"));
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{0, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  EXPECT_THAT([&] { found("*/x.h5"); }, ThrowsMessage<IoError>(testing::AllOf(
                                            HasSubstr("/*/x.h5: cannot list the files"),
                                            HasSubstr(root_.string() + ": Too many open"))));
  setrlimit(RLIMIT_NOFILE, &before);
}

TEST_F(FilePatternTest, PatternsOfAnOption) {
  for (const char* name : {"a.tar", "b.tar", "[c].tar"}) touch(name);
  const auto path = [&](const std::string& name) { return (root_ / name).string(); };
  EXPECT_THAT(
      expand_patterns("--input", {path("b*"), path("absent.tar"), path("?.tar"), path("[c].tar")}),
      ElementsAre(path("b.tar"), path("absent.tar"), path("a.tar"), path("b.tar"),
                  path("[c].tar")));
  EXPECT_THAT([&] { expand_patterns("--input", {path("[d].tar")}); },
              ThrowsMessage<InputError>(
                  testing::AllOf(HasSubstr("--input " + path("[d].tar")), HasSubstr("found none; "),
                                 HasSubstr("special in a pattern, unless a backslash"))));
  EXPECT_EQ(pattern_hint("a/b.tar"), "");
}

TEST_F(FilePatternTest, TheFolderOfTheUser) {
  touch("data/x.h5");
  const char* before = std::getenv("HOME");
  const std::string home = before == nullptr ? "" : before;
  setenv("HOME", root_.c_str(), 1);
  const std::string file = (root_ / "data/x.h5").string();
  EXPECT_EQ(expand_home("~/data/x.h5"), file);
  EXPECT_EQ(expand_home("~"), root_.string());
  EXPECT_THAT(files_matching("~/data/*.h5"), ElementsAre(file));
  EXPECT_THAT(expand_patterns("--input", {"~/data/x.h5"}), ElementsAre(file));
  for (const char* other : {"a/~/b", "~other/x", "x~", ""}) EXPECT_EQ(expand_home(other), other);
  unsetenv("HOME");
  EXPECT_EQ(expand_home("~/x"), "~/x");
  if (before != nullptr) setenv("HOME", home.c_str(), 1);
}

}  // namespace
}  // namespace lynceus::io
