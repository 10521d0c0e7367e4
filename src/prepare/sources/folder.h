// A folder of pictures, each with its captions in a text file of the same name next to it: a.jpg
// and a.txt, or a.caption. Each line that is not blank is a caption. Folders below are read too.
// Rows come in byte order of their paths; the key of a sample is the path below the folder.
//
// Pictures end in jpg, jpeg, png, webp, gif, bmp, tif or tiff, in upper or lower case. Pictures
// that differ only in their ending share the captions. Links to files are followed, links to
// folders are not.
//
// Rejected: no text (a picture without captions), no picture (captions without a picture), and
// pictures and texts that cannot be read. Passed over and counted by kind: files of other types,
// hidden files and folders, AppleDouble files (._x), links to folders, devices, the .caption file
// of a name that has a .txt file too, and the output folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "prepare/image_reader.h"
#include "prepare/rows/source.h"

namespace lynceus::prepare {

struct FolderOptions {
  std::filesystem::path folder = {};
  std::filesystem::path output = {};  ///< not read if it is inside; empty: none
  bool first_caption_only = false;    ///< otherwise one sample per line
  ImageCheck check = ImageCheck::kDecode;
};

class FolderSource : public Source {
 public:
  /// Lists the folder. InputError if it is none, IoError if it cannot be read. UsageError if it is
  /// the output.
  explicit FolderSource(FolderOptions options);

  SourceExtent extent() const override { return {std::ssize(rows_), "files", std::ssize(rows_)}; }
  void read(int64_t skip, const RowSink& sink) override;
  SourceAccount account() const override { return account_; }

  /// Differs when a file of the folder, outside of `output`, is added, removed or changed.
  static std::string fingerprint(const std::filesystem::path& folder,
                                 const std::filesystem::path& output);

 private:
  /// Files of one row, relative to the folder. The first row of a text counts it among its entries.
  struct Row {
    std::string picture;  ///< empty: a text without a picture
    std::string text;     ///< empty: a picture without a text
    int64_t entries = 1;
  };
  void list();
  void add_rows(const std::vector<std::string>& files);
  RowContent content_of_row(const Row& row);

  FolderOptions options_;
  std::vector<Row> rows_;
  SourceAccount account_;
  ImageReader images_;
};

}  // namespace lynceus::prepare
