// A WebDataset archive: a tar file, plain or compressed, or several one after another. Consecutive
// entries with the same key are one row. As in the library webdataset, the key is the name up to
// the first dot after the last slash; the rest is the type of the entry: an image (jpg, jpeg, png,
// webp, gif, bmp, tif, tiff), a caption (txt) or, if there is no txt or an empty one, json with
// "caption", "captions", or "question" and "answer". A row has one image. A json with other content
// (see prepare/rows/row_keys.h) rejects the row, also next to a txt; with a txt its captions are
// not read.
//
// Rejected rows, besides those with damaged contents:
//   no text, no picture   a picture without a caption, a caption without a picture; links and
//                         devices are not read
//   name with dots        types such as v2.jpg, of the entry photo.v2.jpg, instead of jpg
//   key in several places entries of one key that do not lie next to each other
//   path outside the root a name that leads out of the archive
//   bytes after the end   what follows the end mark of the archive and is no tar archive
// Passed over and counted by kind: folders, links, devices, hidden files, AppleDouble files (._x)
// and entries of other types.
#pragma once

#include <filesystem>

#include "io/files/archive.h"
#include "prepare/image_reader.h"
#include "prepare/rows/source.h"

namespace lynceus::prepare {

struct WebdatasetOptions {
  std::filesystem::path file = {};
  bool first_caption_only = false;  ///< of a row; otherwise one sample per caption
  ImageCheck check = ImageCheck::kDecode;
  io::ArchiveLimits limits = {};
};

class WebdatasetSource : public Source {
 public:
  explicit WebdatasetSource(WebdatasetOptions options);

  SourceExtent extent() const override;
  void read(int64_t skip, const RowSink& sink) override;
  SourceAccount account() const override { return account_; }

 private:
  WebdatasetOptions options_;
  SourceAccount account_;
};

}  // namespace lynceus::prepare
