// Complete transfers, durable replacement, and messages that name the path.
#include "io/files/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdlib>
#include <fstream>

#include "core/error.h"
#include "io/files/json.h"
#include "io/files/lines.h"

namespace lynceus::io {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;
using testing::ThrowsMessage;

/// A new folder, removed afterwards.
class FileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/file_test_XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path write(const std::string& name, const std::string& text) const {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }
  fs::path folder_;
};

TEST_F(FileTest, ReadsBackWhatWasWritten) {
  File file = File::create(folder_ / "a");
  file.append("hello ", 6);
  file.append("world", 5);
  file.write_at(0, "H", 1);
  file.sync();
  EXPECT_EQ(file.size(), 11u);
  file.close();
  const File again = File::open(folder_ / "a");
  char text[5];
  again.read_at(6, text, 5);
  EXPECT_EQ(std::string(text, 5), "world");
  EXPECT_EQ(read_text(folder_ / "a"), "Hello world");
}

TEST_F(FileTest, ErrorsNameThePathAndTheReason) {
  const fs::path missing = folder_ / "missing";
  EXPECT_THAT(
      [&] { File::open(missing); },
      ThrowsMessage<IoError>(AllOf(HasSubstr(missing.string()), HasSubstr("No such file"))));
  EXPECT_THAT([&] { File::open(folder_); }, ThrowsMessage<IoError>(HasSubstr("directory")));
  EXPECT_THAT([&] { File::create(folder_ / "no" / "such"); },
              ThrowsMessage<IoError>(HasSubstr("open")));
  const File file = File::open(write("short", "12345"));
  char buffer[8];
  EXPECT_THAT([&] { file.read_at(2, buffer, 8); },
              ThrowsMessage<IoError>(
                  AllOf(HasSubstr("found the end of the file at byte 5, expected bytes 2 to 10"),
                        HasSubstr("short"))));
  EXPECT_THAT([&] { read_text(folder_ / "short", 4); },
              ThrowsMessage<InputError>(HasSubstr("5 bytes, at most 4")));
}

TEST_F(FileTest, ANamedPipeIsRefusedWithoutWaiting) {
  const fs::path pipe = folder_ / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT([&] { File::open(pipe); }, ThrowsMessage<IoError>(HasSubstr("not a regular file")));
}

TEST_F(FileTest, MovingLeavesOneOwner) {
  File first = File::create(folder_ / "a");
  File second = std::move(first);
  second.append("x", 1);
  File third;
  third = std::move(second);
  third.append("y", 1);
  third.close();
  EXPECT_FALSE(third.is_open());
  EXPECT_EQ(read_text(folder_ / "a"), "xy");
}

TEST_F(FileTest, AtomicWriteReplacesAndLeavesNoOtherFile) {
  atomic_write_text(folder_ / "m", "one");
  atomic_write_text(folder_ / "m", "two");
  EXPECT_EQ(read_text(folder_ / "m"), "two");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);
}

TEST_F(FileTest, AFailedAtomicWriteKeepsTheOldText) {
  atomic_write_text(folder_ / "m", "old");
  rlimit saved{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &saved), 0);
  const auto previous = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = saved;
  small.rlim_cur = 10;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  EXPECT_THAT([&] { atomic_write_text(folder_ / "m", "a text of more than ten bytes"); },
              ThrowsMessage<IoError>(AllOf(HasSubstr("write"), HasSubstr("m.tmp"))));
  setrlimit(RLIMIT_FSIZE, &saved);
  std::signal(SIGXFSZ, previous);
  EXPECT_EQ(read_text(folder_ / "m"), "old");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);
}

TEST_F(FileTest, RenameNewNeverReplaces) {
  write("a", "a");
  write("b", "b");
  EXPECT_THAT([&] { rename_new(folder_ / "a", folder_ / "b"); },
              ThrowsMessage<IoError>(HasSubstr("exists")));
  EXPECT_EQ(read_text(folder_ / "b"), "b");
  fs::create_directory(folder_ / "d");
  fs::create_directory(folder_ / "e");  // rename(2) would replace an empty directory
  EXPECT_THROW(rename_new(folder_ / "d", folder_ / "e"), IoError);
  rename_new(folder_ / "a", folder_ / "c");
  EXPECT_EQ(read_text(folder_ / "c"), "a");
  rename_file(folder_ / "c", folder_ / "b");
  EXPECT_EQ(read_text(folder_ / "b"), "a");
  EXPECT_THROW(rename_file(folder_ / "gone", folder_ / "b"), IoError);
}

TEST_F(FileTest, SyncByName) {
  sync_file(write("a", "a"));
  sync_directory(folder_);
  EXPECT_THROW(sync_directory(folder_ / "a"), IoError);
  EXPECT_THROW(sync_file(folder_ / "gone"), IoError);
}

TEST_F(FileTest, TextInPlaceOfALinkIsFollowed) {
  write("one/weights", std::string(16, '\0'));
  const fs::path link = write("two/weights", "../one/weights");
  EXPECT_EQ(follow_link_text(link), folder_ / "one/weights");
  EXPECT_EQ(follow_link_text(write("two/line", "../one/weights\n")), folder_ / "one/weights");
}

template <typename Read>
std::string message_of(const Read& read) {
  try {
    read();
  } catch (const Error& error) {
    return fmt::format("{} {}", static_cast<int>(error.code()), error.what());
  }
  return "no error";
}

TEST_F(FileTest, LinksToNowhereAreNamed) {
  fs::create_symlink("../blobs/gone", folder_ / "link");
  EXPECT_THAT(message_of([&] { File::open(folder_ / "link"); }),
              HasSubstr("link' is a link to '../blobs/gone', which does not exist"));
  const fs::path text = write("text", "../blobs/gone\n");
  EXPECT_THAT(message_of([&] { read_text(text); }),
              HasSubstr("text' is a link to '../blobs/gone', which does not exist"));
  EXPECT_THROW(read_text(text), IoError);
}

TEST_F(FileTest, TextThatStandsForALinkIsFollowedWhenItIsOpened) {
  write("blobs/one", "contents");
  EXPECT_EQ(read_text(write("snapshots/config.json", "../blobs/one")), "contents");
  EXPECT_EQ(read_text(write("snapshots/lines", "../blobs/one\n../blobs/one\n")),
            "../blobs/one\n../blobs/one\n");
  write("blobs/two", "../blobs/one");
  EXPECT_EQ(read_text(write("snapshots/again", "../blobs/two")), "../blobs/one") << "once only";
  EXPECT_EQ(read_text(write("snapshots/text", "../one")), "../one") << "no blob of a cache";
}

TEST_F(FileTest, GitLfsPointersAreRefused) {
  const fs::path pointer =
      write("weights.bin", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n");
  EXPECT_THAT(message_of([&] { File::open(pointer); }),
              AllOf(StartsWith("3 "), HasSubstr("weights.bin is a Git LFS pointer, not the file")));
}

TEST_F(FileTest, TextReadersRefuseOtherFormats) {
  const fs::path page = write("page", "<!DOCTYPE html>\n<html></html>");
  EXPECT_THAT(message_of([&] { Lines{page}; }),
              HasSubstr("page is an HTML page (did the download fail?); expected text"));
  EXPECT_THAT(message_of([&] { Json::read(page); }), HasSubstr("is an HTML page"));
  EXPECT_THAT(message_of([&] { Json::read(write("none", "")); }), HasSubstr("is an empty file"));
  EXPECT_THAT(message_of([&] { Lines{write("gz", "\x1F\x8B\x08")}; }), HasSubstr("is gzip data"));
  EXPECT_EQ(message_of([&] { Lines{write("none", "")}; }), "no error");
}

TEST_F(FileTest, OtherFilesAreReturnedUnchanged) {
  const auto stays = [](const fs::path& path) { return follow_link_text(path) == path; };
  EXPECT_TRUE(stays(folder_ / "missing"));
  EXPECT_TRUE(stays(folder_));
  EXPECT_TRUE(stays(write("empty", "")));
  EXPECT_TRUE(stays(write("text", "no such file")));
  EXPECT_TRUE(stays(write("lines", "text\ntext")));
  EXPECT_TRUE(stays(write("absolute", (folder_ / "text").string())));
  EXPECT_TRUE(stays(write("binary", std::string("text\0", 5))));
  EXPECT_TRUE(stays(write("long", std::string(5000, 'x'))));
  EXPECT_TRUE(stays(write("folder", ".")));
}

TEST_F(FileTest, AnExpectedFileThatIsMissingIsAFaultOfTheInput) {
  const auto expect = [&](const std::string& name) {
    return message_of([&] { expect_file(folder_ / name, "rows"); });
  };
  EXPECT_EQ(expect(""), "no error");
  EXPECT_THAT(expect("gone"), StartsWith("3 "));
  EXPECT_THAT(expect("gone"), HasSubstr("gone: expected rows, found no such file"));
  fs::create_symlink("second", folder_ / "first");
  fs::create_symlink("below/gone", folder_ / "second");
  EXPECT_THAT(expect("first"), StartsWith("3 "));
  EXPECT_THAT(
      expect("first"),
      HasSubstr(fmt::format("first: expected rows, found a link to '{}', which does not exist",
                            (folder_ / "below/gone").lexically_normal().string())));
  fs::create_symlink("loop", folder_ / "loop");
  EXPECT_EQ(expect("loop"), "no error") << "opening it says what is wrong";
}

}  // namespace
}  // namespace lynceus::io
