// What is recognised in place of a file, and that nothing else is.
#include "core/text/foreign_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lynceus {
namespace {

std::string kind_of(std::string_view bytes) {
  const ForeignFormat* format = find_foreign(bytes);
  return format == nullptr ? "none" : format->kind;
}

TEST(ForeignFile, KnownFormats) {
  const std::pair<std::string, const char*> kinds[] = {
      {"", "empty file"},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 1\n", "Git LFS pointer"},
      {"<!DOCTYPE html><html>", "HTML page"},
      {" \r\n<HTML lang=\"en\">", "HTML page"},
      {"\xEF\xBB\xBF<html>", "HTML page"},
      {"<?xml version=\"1.0\"?>\n<!DOCTYPE html><html xmlns=\"x\">", "HTML page"},
      {"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code>", "XML document"},
      {"<?xml version=\"1.0\"?><svg>", "picture format that is not read: SVG"},
      {"<svg xmlns=\"x\">", "picture format that is not read: SVG"},
      {"\x1F\x8B\x08", "gzip data"},
      {"\x28\xB5\x2F\xFD\x24", "zstd data"},
      {"BZh91AY&SY", "bzip2 data"},
      {std::string("\xFD"
                   "7zXZ\0",
                   6),
       "xz data"},
      {"PK\x03\x04", "zip archive"},
      {"PAR1\x15", "parquet file"},
      {"%PDF-1.7", "PDF document"},
      {"\x89HDF\r\n\x1A\n", "HDF5 file"},
      {std::string("\xFF\xFE{\0", 4), "UTF-16 text"},
      {std::string("\xFE\xFF\0{", 4), "UTF-16 text"},
      {std::string(257, 'a') + std::string("ustar\0", 6) + "00", "tar archive"},
      {std::string(257, 'a') + std::string("ustar  \0", 8), "tar archive"},
  };
  for (const auto& [bytes, kind] : kinds) EXPECT_EQ(kind_of(bytes), kind) << bytes;
}

TEST(ForeignFile, OtherBytesAreNotRecognised) {
  const std::string bytes[] = {"{\"a\": 1}",  "[]",   "a\tb",
                               "version 2",   "BM",   "\xEF\xBB\xBF{}",
                               "<image>\nhi", "<b>x", std::string(257, 'a') + "ustard, 2 spoons"};
  for (const std::string& text : bytes) EXPECT_EQ(kind_of(text), "none") << text;
}

TEST(ForeignFile, TheMessageSaysWhatToDo) {
  try {
    refuse_foreign("version https://git-lfs.github.com/spec/v1\n", "x.safetensors", "weights");
    FAIL() << "accepted";
  } catch (const ForeignFile& error) {
    EXPECT_STREQ(error.what(),
                 "x.safetensors is a Git LFS pointer, not the file: run git lfs pull; "
                 "expected weights");
    EXPECT_STREQ(error.kind(), "Git LFS pointer");
    EXPECT_EQ(error.code(), ExitCode::kInput);
  }
}

}  // namespace
}  // namespace lynceus
