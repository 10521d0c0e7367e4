// A WebDataset shard: a .tar or .tar.gz whose neighbouring entries of one key are one row. The key
// is the name up to the first dot behind the last slash, what follows says what the entry is: a
// picture (.jpg .jpeg .png .webp), a caption (.txt) or, where there is no .txt, .json with
// "caption", "captions", or "question" and "answer". Other entries are passed over, links and
// devices too. A row has one picture; a name that leads out of the archive rejects its row. Used by
// `lynceus prepare webdataset`.
#pragma once

#include <filesystem>
#include <string>

#include "io/files/archive.h"
#include "prepare/source.h"

namespace lynceus::prepare {

struct WebdatasetOptions {
  std::filesystem::path file = {};
  bool first_caption_only = false;  ///< of a row; otherwise one sample a caption
  PictureCheck check = PictureCheck::kDecode;
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
