// WebDataset shards: every row gives samples or a reason, whether or not earlier rows were skipped.
// An input that begins like gzip, or has a tar header, is the archive; any other has one line per
// entry, NAME CONTENTS, of an otherwise valid archive ("@" is an image), compressed if the first
// byte is '!'.
#include "prepare/sources/webdataset.h"

#include <optional>
#include <sstream>

#include "fuzz/fuzz.h"
#include "fuzz/picture.h"
#include "tests/prepare/sources/tar_fixture.h"

using namespace lynceus;

namespace {

bool is_archive(const std::string& input) {
  constexpr size_t kMagic = 257;
  return input.starts_with("\x1f\x8b") ||
         (input.size() > kMagic && input.compare(kMagic, 5, "ustar") == 0);
}

/// The path; nullopt if the library refuses to write such an entry.
std::optional<std::filesystem::path> archive_of(const std::string& input) {
  const bool packed = input.starts_with('!');
  const auto path = fuzz::folder().path() / (packed ? "made.tar.gz" : "made.tar");
  std::istringstream lines(input.substr(packed ? 1 : 0));
  try {
    prepare::TarWriter tar(path);
    for (std::string line; std::getline(lines, line);) {
      const size_t space = std::min(line.find(' '), line.size());
      const std::string contents = line.substr(std::min(space + 1, line.size()));
      tar.file(line.substr(0, space), contents == "@" ? std::string(fuzz::kPicture) : contents);
    }
  } catch (const InternalError&) {
    return std::nullopt;
  }
  return path;
}

/// A text for each row: its keys or the reason for their absence.
std::vector<std::string> rows_of(prepare::Source& source, int64_t skip) {
  const int64_t total = source.extent().total;
  std::vector<std::string> rows;
  source.read(skip, [&](const prepare::SourceRow& row) {
    fuzz::require(row.done <= total, "no row after the end");
    fuzz::require(row.reject.empty() != row.samples.empty(), "samples or a reason");
    std::string text = row.reject;
    for (const io::Sample& sample : row.samples) {
      fuzz::require(!sample.turns.empty() && sample.media.size() == 1, "an image and a text");
      text += sample.key + "\n";
    }
    rows.push_back(std::move(text));
  });
  return rows;
}

void read(const std::filesystem::path& path, bool first_caption_only) {
  prepare::WebdatasetSource source({.file = path,
                                    .first_caption_only = first_caption_only,
                                    .check = prepare::ImageCheck::kHeader,
                                    .limits = {.max_bytes = 1 << 20}});
  std::vector<std::string> all = rows_of(source, 0);
  const std::vector<std::string> later = rows_of(source, 1);
  if (!all.empty()) all.erase(all.begin());
  fuzz::require(all == later, "the same rows after one that is skipped");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input = fuzz::text_of(data, size);
  const auto path =
      is_archive(input) ? fuzz::folder().file("fuzzed.tar", input) : archive_of(input);
  if (path) fuzz::accepts([&] { read(*path, size % 2 == 0); });
  return 0;
}
