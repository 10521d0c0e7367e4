// A WebDataset archive (.tar, .tar.gz). Consecutive entries with the same key are one row. The key
// is the name up to the first dot after the last slash; the rest is the type of the entry: an image
// (.jpg .jpeg .png .webp .gif .bmp .tif .tiff), a caption (.txt) or, if there is no .txt, .json
// with "caption", "captions", or "question" and "answer". Other entries, links and devices are
// skipped. A row has one image. A name that leads out of the archive rejects its row.
#pragma once

#include <filesystem>

#include "io/files/archive.h"
#include "prepare/image_reader.h"
#include "prepare/source.h"

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

 private:
  WebdatasetOptions options_;
};

}  // namespace lynceus::prepare
