// One rank of each replica reports names and tokens, each rank the pixels that it decoded.
#include "train/data/sample_lines.h"

#include <map>
#include <sstream>

#include "core/text/text_encoding.h"
#include "io/files/digest.h"

namespace lynceus::train {
namespace {

constexpr const char* kTextMark = "t";
constexpr const char* kPixelMark = "p";

uint64_t digest_of_tokens(const SampleInput& sample) {
  std::string bytes(reinterpret_cast<const char*>(sample.token_ids.data()),
                    sample.token_ids.size() * sizeof(int32_t));
  bytes.append(reinterpret_cast<const char*>(sample.scored.data()), sample.scored.size());
  return io::digest64(bytes.data(), bytes.size());
}

std::string lines_of_this_rank(const Runtime& rt, const PreparedStep& prepared,
                               const std::vector<const io::Dataset*>& datasets) {
  std::string mine;
  for (size_t i = 0; i < prepared.samples.size(); ++i) {
    const PlannedSample& sample = prepared.samples[i];
    const io::Dataset& dataset = *datasets[sample.dataset];
    if (rt.grid.replica->rank() == 0)
      mine += fmt::format("{} {} {}\t{}\t{:016x}\n", sample.index, kTextMark,
                          table_cell(dataset.name()), table_cell(dataset.key(sample.sample)),
                          digest_of_tokens(prepared.batch.samples[i]));
    if (const Tensor& pixels = prepared.pixels[i]; pixels.defined() && pixels.size() > 0)
      mine += fmt::format("{} {} {:016x}\n", sample.index, kPixelMark,
                          io::digest64(pixels.raw(), pixels.bytes()));
  }
  return mine;
}

}  // namespace

std::string sample_lines(const Runtime& rt, int64_t step, const PreparedStep& prepared,
                         const std::vector<const io::Dataset*>& datasets) {
  const auto parts = rt.grid.world->all_gather(lines_of_this_rank(rt, prepared, datasets));
  if (rt.grid.world->rank() != 0) return "";
  struct Entry {
    std::string text, pixels = "-";
  };
  std::map<int64_t, Entry> entries;
  for (const std::string& part : parts) {
    std::istringstream lines(part);
    int64_t index = 0;
    std::string mark, rest;
    while (lines >> index >> mark && lines.get() == ' ' && std::getline(lines, rest))
      (mark == kTextMark ? entries[index].text : entries[index].pixels) = rest;
  }
  std::string table;
  for (const auto& [index, entry] : entries)
    table += fmt::format("{}\t{}\t{}\t{}\n", step, index, entry.text, entry.pixels);
  return table;
}

}  // namespace lynceus::train
