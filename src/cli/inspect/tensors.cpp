#include "cli/inspect/tensors.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/error.h"
#include "core/progress.h"
#include "core/text/units.h"
#include "io/checkpoint/checkpoint.h"
#include "io/checkpoint/values.h"
#include "io/weights/weight_files.h"
#include "io/weights/weights.h"

namespace lynceus::cli {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kElementsAtOnce = 1 << 22;

uint64_t bytes_of(const io::Manifest& manifest) {
  uint64_t bytes = 0;
  for (const io::ManifestTensor& tensor : manifest.tensors) bytes += tensor.bytes();
  return bytes;
}

/// Of the elements as they are stored; generated ones count as f32.
uint64_t bytes_of(const io::WeightSource& source, const std::string& name) {
  const auto type = source.stored_type(name);
  return static_cast<uint64_t>(source.shape(name).elements()) * (type ? size_of(*type) : 4);
}

void verify(const fs::path& checkpoint, uint64_t bytes) {
  ByteProgress progress("verify " + checkpoint.filename().string(), bytes);
  io::check_checkpoint(checkpoint, [&](uint64_t good) { progress.advance(good); });
  progress.finish();
}

std::string value_of(const io::Manifest& manifest, const std::string& key) {
  for (const auto& [name, value] : manifest.config)
    if (name == key) return value;
  return "";
}

/// Whether values of this type may be NaN or infinite. nullopt is the type of generated values.
bool is_floating(std::optional<io::FileType> type) {
  if (!type) return true;
  const std::optional<DType> dtype = io::dtype_of(*type);
  return dtype == DType::kF32 || dtype == DType::kF64 || dtype == DType::kBf16 ||
         dtype == DType::kF16;
}

/// The number of values of a tensor that are NaN or infinite.
int64_t not_finite(const io::WeightSource& source, const std::string& name) {
  const Shape shape = source.shape(name);
  const int64_t rows = shape.rank() == 0 ? 1 : shape[0];
  const int64_t step = std::max<int64_t>(
      1, kElementsAtOnce / std::max<int64_t>(1, shape.elements() / std::max<int64_t>(1, rows)));
  int64_t count = 0;
  for (int64_t row = 0; row < rows; row += step) {
    const io::Slice slice =
        shape.rank() == 0 ? io::Slice{} : io::Slice{0, row, std::min(step, rows - row)};
    const Tensor part = Tensor::empty(Stream{}, slice.of(shape));
    source.read(name, slice, part);
    const float* values = part.data<float>();
    count += std::count_if(values, values + part.size(), [](float x) { return !std::isfinite(x); });
  }
  return count;
}

void verify(const io::WeightSource& source, const std::vector<std::string>& names, uint64_t bytes) {
  ByteProgress progress("verify", bytes);
  std::string faults;
  for (const std::string& name : names) {
    if (!is_floating(source.stored_type(name))) continue;
    if (const int64_t count = not_finite(source, name); count > 0)
      faults += fmt::format("\n  {}: {} values are not finite numbers", name, count);
    progress.advance(bytes_of(source, name));
  }
  progress.finish();
  if (!faults.empty()) throw InputError("{}:{}", source.describe(), faults);
}

}  // namespace

Report inspect_checkpoint(const fs::path& path, const InspectConfig& config) {
  const io::Manifest manifest = io::read_manifest(path);
  int64_t parameters = 0;
  Report tensors = Report::array();
  for (const io::ManifestTensor& tensor : manifest.tensors) {
    if (tensor.name.ends_with("/value")) parameters += tensor.shape.elements();
    if (io::matches_pattern(tensor.name, config.names))
      tensors.push_back(Report::object({{"name", tensor.name},
                                        {"shape", tensor.shape.to_string()},
                                        {"type", name_of(tensor.dtype)},
                                        {"bytes", tensor.bytes()}}));
  }
  Report report = Report::object({{"path", path.string()},
                                  {"kind", "checkpoint"},
                                  {"step", manifest.step},
                                  {"samples_seen", manifest.samples_seen},
                                  {"created_by", manifest.software},
                                  {"trains", value_of(manifest, "model.train")},
                                  {"parameters", parameters},
                                  {"tensor bytes", bytes_of(manifest)},
                                  {"tokenizer", manifest.tokenizer}});
  for (const auto& [module, frozen] : manifest.frozen_weights)
    report.set("frozen " + module,
               frozen.identity + (frozen.checkpoint.empty() ? "" : " in " + frozen.checkpoint));
  for (const auto& [name, fingerprint] : manifest.datasets)
    report.set("dataset " + name, fingerprint);
  if (config.verify) {
    verify(path, bytes_of(manifest));
    report.set("verified", "every block");
  }
  report.set("tensors", std::move(tensors));
  return report;
}

Report inspect_run(const fs::path& path, const InspectConfig& config) {
  Report checkpoints = Report::array();
  std::string damaged;
  for (const fs::path& checkpoint : io::committed_checkpoints(path)) {
    try {
      const io::Manifest manifest = io::read_manifest(checkpoint);
      if (config.verify) verify(checkpoint, bytes_of(manifest));
      checkpoints.push_back(Report::object({{"name", checkpoint.filename().string()},
                                            {"samples_seen", manifest.samples_seen},
                                            {"size", bytes_text(manifest.file_bytes)},
                                            {"created_by", manifest.software}}));
    } catch (const InputError& error) {
      damaged += fmt::format("\n  {}", error.what());
    }
  }
  if (!damaged.empty()) throw InputError("{}: damaged checkpoints:{}", path.string(), damaged);
  Report report = Report::object({{"path", path.string()}, {"kind", "run"}});
  if (config.verify) report.set("verified", "every block of every checkpoint");
  report.set("checkpoints, newest first", std::move(checkpoints));
  return report;
}

Report inspect_weights(const fs::path& path, const InspectConfig& config) {
  const io::WeightSourcePtr source = io::open_weights(path);
  Report tensors = Report::array();
  std::vector<std::string> chosen;
  int64_t parameters = 0;
  uint64_t bytes = 0;
  size_t all = 0;
  for (const std::string& name : source->names()) {
    const Shape shape = source->shape(name);
    const auto type = source->stored_type(name);
    const uint64_t size = bytes_of(*source, name);
    parameters += shape.elements();
    bytes += size;
    ++all;
    if (!io::matches_pattern(name, config.names)) continue;
    chosen.push_back(name);
    tensors.push_back(Report::object({{"name", name},
                                      {"shape", shape.to_string()},
                                      {"type", type ? io::name_of(*type) : "made"},
                                      {"bytes", size}}));
  }
  Report report = Report::object({{"path", path.string()},
                                  {"kind", "weights"},
                                  {"read from", source->describe()},
                                  {"tensors in all", all},
                                  {"parameters", parameters},
                                  {"tensor bytes", bytes}});
  if (config.verify) {
    verify(*source, chosen, bytes);
    report.set("verified", "every value is a finite number (no digests in such files)");
  }
  report.set("tensors", std::move(tensors));
  return report;
}

}  // namespace lynceus::cli
