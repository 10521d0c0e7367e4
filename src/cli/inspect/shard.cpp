#include "cli/inspect/shard.h"

#include "core/error.h"
#include "core/progress.h"
#include "io/dataset/shard.h"
#include "io/files/file.h"

namespace lynceus::cli {
namespace {

namespace fs = std::filesystem;

const char* name_of(io::TurnRole role) {
  switch (role) {
    case io::TurnRole::kText:
      return "text";
    case io::TurnRole::kUser:
      return "user";
    case io::TurnRole::kAssistant:
      return "assistant";
    case io::TurnRole::kSystem:
      return "system";
  }
  return "?";
}

/// The file extension for these bytes.
const char* suffix_of(const std::string& bytes) {
  if (bytes.starts_with("\xff\xd8")) return "jpg";
  if (bytes.starts_with("\x89PNG")) return "png";
  if (bytes.starts_with("RIFF") && bytes.substr(8, 4) == "WEBP") return "webp";
  if (bytes.starts_with("GIF8")) return "gif";
  if (bytes.starts_with("BM")) return "bmp";
  if (bytes.starts_with("II") || bytes.starts_with("MM")) return "tif";
  return "bin";
}

void check_number(const io::ShardReader& shard, const char* option, int64_t sample) {
  if (sample >= shard.size())
    throw UsageError("{}: --{} {}: expected a number below {}", shard.path().string(), option,
                     sample, shard.size());
}

void add_sample(const io::ShardReader& shard, int64_t sample, Report* report) {
  report->set("sample", sample);
  report->set("key", shard.key(sample));
  Report media = Report::array(), turns = Report::array();
  for (int i = 0; i < shard.media_count(sample); ++i) {
    const std::string bytes = shard.read_media(sample, i);
    media.push_back(Report::object({{"type", suffix_of(bytes)}, {"bytes", bytes.size()}}));
  }
  for (const io::Turn& turn : shard.turns(sample))
    turns.push_back(Report::object({{"role", name_of(turn.role)}, {"text", turn.text}}));
  const bool frames = shard.kind(sample) == io::MediaKind::kFrames && media.size() > 1;
  report->set(frames ? "frames" : "images", std::move(media));
  report->set("turns", std::move(turns));
}

void extract(const io::ShardReader& shard, const InspectConfig& config, Report* report) {
  const fs::path folder = config.output;
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw IoError("{}: {}", folder.string(), error.message());
  Report written = Report::array();
  for (int i = 0; i < shard.media_count(config.extract); ++i) {
    const std::string bytes = shard.read_media(config.extract, i);
    const fs::path file = folder / fmt::format("{}-{}-{}.{}", shard.path().stem().string(),
                                               config.extract, i, suffix_of(bytes));
    if (io::file_exists(file) && !config.overwrite)
      throw UsageError("{} already exists; --overwrite replaces it", file.string());
    io::atomic_write_text(file, bytes);
    written.push_back(Report::object({{"file", file.string()}, {"bytes", bytes.size()}}));
  }
  report->set("extracted", std::move(written));
}

void verify(const io::ShardReader& shard) {
  Progress progress("verify", shard.size(), "samples");
  int64_t verified = 0;  // stored media, which are in the order of their first use
  for (int64_t sample = 0; sample < shard.size(); ++sample) {
    for (int i = 0; i < shard.media_count(sample); ++i) {
      if (shard.stored_index(sample, i) < verified) continue;
      shard.read_media(sample, i);
      ++verified;
    }
    progress.advance();
  }
  progress.finish();
}

}  // namespace

Report inspect_shard(const fs::path& path, const InspectConfig& config) {
  const io::ShardReader shard(path);
  check_number(shard, "sample", config.sample);
  check_number(shard, "extract", config.extract);
  int64_t media = 0, videos = 0, without = 0, turns = 0;
  uint64_t text = 0;
  for (int64_t sample = 0; sample < shard.size(); ++sample) {
    const int count = shard.media_count(sample);
    media += count;
    without += count == 0;
    videos += count > 1 && shard.kind(sample) == io::MediaKind::kFrames;
    text += static_cast<uint64_t>(shard.text_length(sample));
    turns += static_cast<int64_t>(shard.turns(sample).size());
  }
  const io::ShardSidecar& sidecar = shard.sidecar();
  Report report =
      Report::object({{"path", path.string()},
                      {"kind", fmt::format("dataset shard, version {}", shard.version())},
                      {"task", shard.info().task},
                      {"source", shard.info().source},
                      {"created_by", shard.info().created_by},
                      {"samples", shard.size()},
                      {"text only", without},
                      {"videos", videos},
                      {"pictures", media},
                      {"stored images", shard.stored_media()},
                      {"turns in all", turns},
                      {"text bytes", text},
                      {"picture bytes", sidecar.blobs_end - sidecar.blobs_begin},
                      {"file bytes", sidecar.size},
                      {"digest", sidecar.outside.hex()}});
  if (config.verify) {
    verify(shard);
    report.set("verified", "every byte");
  }
  if (config.sample >= 0) add_sample(shard, config.sample, &report);
  if (config.extract >= 0) extract(shard, config, &report);
  return report;
}

}  // namespace lynceus::cli
