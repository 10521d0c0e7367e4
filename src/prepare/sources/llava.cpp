#include "prepare/sources/llava.h"

#include <utility>

#include "prepare/rows/instructions.h"
#include "prepare/rows/ordered_rows.h"
#include "prepare/rows/row_text.h"

namespace lynceus::prepare {

LlavaSource::LlavaSource(LlavaOptions options)
    : rows_(options.file),
      images_(options.root.empty() ? options.file.parent_path() : options.root, options.check),
      videos_(std::move(options.videos)) {}

void LlavaSource::read(int64_t skip, const RowSink& sink) {
  OrderedRows rows(videos_ ? videos_->workers() : 1, sink);
  int64_t index = 0;
  rows_.for_each([&](const JsonRow& row) {
    if (index++ < skip) return;
    rows.add(index, row,
             [this, index](const io::Json& value) { return content_of_row(value, index - 1); });
  });
  rows.finish();
}

RowContent LlavaSource::content_of_row(const io::Json& row, int64_t index) {
  const Instructions said = instructions_of(row);
  io::Sample sample;
  sample.key = key_of(row, index);
  if (said.video && !videos_)
    throw RejectedRow("unread key video", "{}: expected images, found a video", row.where());
  size_t dropped = 0;
  sample.kind = said.images.size() > 1 ? io::MediaKind::kSeparateImages : io::MediaKind::kFrames;
  if (said.video) {
    sample.turns = turns_of(said, static_cast<size_t>(videos_->frames()), row.where(), dropped);
    sample.media = videos_->read(path_of(*said.video), said.video->where());
  } else {
    sample.turns = turns_of(said, said.images.size(), row.where(), dropped);
    for (const io::Json& image : said.images)
      sample.media.push_back(images_.read(path_of(image), image.where()));
  }
  return {std::move(sample), left_out("turns without a partner", dropped)};
}

}  // namespace lynceus::prepare
