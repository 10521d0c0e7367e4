// A folder of pictures and texts: which files make a row, and what is said of the others.
#include "prepare/sources/folder.h"

#include "tests/prepare/sources/source_fixture.h"

namespace lynceus::prepare {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::UnorderedElementsAre;

class SourceFolderTest : public SourceTest {
 protected:
  SourceFolderTest() { fs::create_directories(folder()); }
  fs::path folder() const { return directory_ / "[f] größe"; }
  void put(const std::string& name, const std::string& bytes) const {
    fs::create_directories((folder() / name).parent_path());
    write("[f] größe/" + name, bytes);
  }
  std::string a() const { return bytes("images/a.jpg"); }
};

TEST_F(SourceFolderTest, RowsAreInTheOrderOfPaths) {
  put("b b.JPG", a());
  put("b b.TXT", "\xef\xbb\xbfone\r\n\r\n two \r\n");
  put("a/ü.v2.jpeg", bytes("images/b.jpg"));
  put("a/ü.v2.caption", "three");
  put("c.jpg", a());
  put("c.png", bytes("images/b.jpg"));
  put("c.txt", "shared");
  const auto all = rows(FolderSource({.folder = folder()}));
  EXPECT_THAT(keys(all), ElementsAre("a/ü.v2.jpeg", "b b.JPG#1", "b b.JPG#2", "c.jpg", "c.png"));
  EXPECT_EQ(all.at(1).samples.at(1).turns.at(0).text, "two");
  EXPECT_THAT(all.at(1).samples.at(0).media, ElementsAre(a()));
  EXPECT_EQ(all.at(3).samples.at(0).turns.at(0).text, "shared");
  EXPECT_THAT(keys(rows(FolderSource({.folder = folder()}), 2)), ElementsAre("c.jpg", "c.png"));
  EXPECT_THAT(keys(rows(FolderSource({.folder = folder(), .first_caption_only = true}))),
              ElementsAre("a/ü.v2.jpeg", "b b.JPG", "c.jpg", "c.png"));
}

TEST_F(SourceFolderTest, AnEmptyTxtDoesNotHideACaptionFile) {
  put("a.jpg", a());
  put("a.txt", "\xef\xbb\xbf \n");
  put("a.caption", "good");
  FolderSource source({.folder = folder()});
  const SourceAccount account = source.account();
  const auto all = rows(std::move(source));
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].samples.at(0).turns.at(0).text, "good");
  EXPECT_EQ(account.entries, 3);
  EXPECT_THAT(account.passed_over, UnorderedElementsAre(Pair("empty caption file", 1)));
}

TEST_F(SourceFolderTest, EveryFileIsAccountedFor) {
  put("good.jpg", a());
  put("good.txt", "x");
  put("good.caption", "y");
  put("lone.jpg", a());
  put("orphan.txt", "x");
  put("empty.jpg", a());
  put("empty.txt", " \n");
  put("bad.jpg", "no picture");
  put("bad.txt", "x");
  put("latin.jpg", a());
  put("latin.txt", "\xe9t\xe9");
  put("._good.jpg", "x");
  put(".DS_Store", "x");
  put(".git/HEAD", "x");
  put("meta.json", "{}");
  put("README", "x");
  fs::create_symlink("good.jpg", folder() / "link.jpg");
  put("link.txt", "followed");
  fs::create_symlink("absent.jpg", folder() / "broken.jpg");
  put("broken.txt", "x");
  fs::create_symlink("..", folder() / "up");
  FolderSource source({.folder = folder()});
  std::map<std::string, int> found;
  int64_t entries = 0;
  source.read(0, [&](const SourceRow& row) {
    entries += row.entries;
    ++found[row.reject.empty() ? "samples" : row.reject];
    EXPECT_TRUE(row.reject.empty() || row.problem.find(folder().string()) != std::string::npos);
  });
  const SourceAccount account = source.account();
  EXPECT_THAT(account.passed_over,
              UnorderedElementsAre(Pair("AppleDouble file", 1), Pair("hidden file", 1),
                                   Pair("hidden folder", 1), Pair("link to a folder", 1),
                                   Pair("other type", 2), Pair("second caption file", 1)));
  for (const auto& [kind, count] : account.passed_over) entries += count;
  EXPECT_EQ(entries, account.entries);
  EXPECT_EQ(account.entries, 21);
  EXPECT_EQ(found.size(), 7u);
  for (const char* kind : {"samples", "no text", "no picture", "empty text",
                           "unknown picture format", "malformed row", "missing picture"})
    EXPECT_TRUE(found.contains(kind)) << kind;
}

TEST_F(SourceFolderTest, PlaceholdersAreNotLearned) {
  put("a.jpg", a());
  put("a.txt", "<image>\nA cat");
  EXPECT_THAT(keys(rows(FolderSource({.folder = folder()}))), ElementsAre());
  put("a.txt", "A cat\nsee <image>");
  EXPECT_THAT(reject(rows(FolderSource({.folder = folder()}))),
              testing::StartsWith("placeholder in a text that is learned: "));
}

TEST_F(SourceFolderTest, OnlyFolders) {
  EXPECT_THROW(FolderSource({.folder = directory_ / "absent"}), InputError);
  EXPECT_THAT(input_error([&] { FolderSource({.folder = directory_ / "images/a.jpg"}); }),
              HasSubstr("expected a folder, found a file"));
  EXPECT_TRUE(rows(FolderSource({.folder = folder()})).empty());
}

TEST_F(SourceFolderTest, TheFingerprintSeesChanges) {
  put("a.jpg", a());
  const std::string before = FolderSource::fingerprint(folder(), "");
  EXPECT_EQ(FolderSource::fingerprint(folder(), ""), before);
  put("x/a.txt", "x");
  const std::string more = FolderSource::fingerprint(folder(), "");
  EXPECT_NE(more, before);
  put("shards/a.h5", "x");
  EXPECT_EQ(FolderSource::fingerprint(folder(), folder() / "shards"), more) << "the output";
  fs::remove_all(folder() / "shards");
  put("x/a.txt", "longer");
  EXPECT_NE(FolderSource::fingerprint(folder(), ""), more);
}

}  // namespace
}  // namespace lynceus::prepare
