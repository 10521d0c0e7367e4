// Writing metrics as JSON lines, and cutting the file at the step a run resumes from. Used by the
// trainer and `lynceus evaluate`.
#include "train/metrics.h"

#include <cmath>
#include <fstream>
#include <optional>

#include "core/error.h"
#include "core/log.h"
#include "io/file.h"
#include "io/json.h"

namespace lynceus {
namespace {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      out += {'\\', c};
    else if (static_cast<unsigned char>(c) < 0x20)
      out += fmt::format("\\u{:04x}", static_cast<int>(c));
    else
      out += c;
  }
  return out + "\"";
}

std::string to_json(const MetricValue& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) return std::to_string(*integer);
  if (const auto* text = std::get_if<std::string>(&value)) return quoted(*text);
  const double number = std::get<double>(value);
  return std::isfinite(number) ? fmt::format("{}", number) : "null";
}

/// The step of a line; nothing if it is torn.
std::optional<int64_t> step_of(const std::string& line) {
  try {
    return io::Json::parse(line, "metrics.jsonl").at("step").integer();
  } catch (const InputError&) {
    return std::nullopt;
  }
}

}  // namespace

std::string to_json(const Metrics& metrics) {
  std::string text = "{";
  for (const auto& [key, value] : metrics)
    text += (text.size() > 1 ? ", " : "") + quoted(key) + ": " + to_json(value);
  return text + "}";
}

MetricsFile::MetricsFile(std::filesystem::path run_directory)
    : path_(run_directory / "metrics.jsonl"),
      superseded_(run_directory / "metrics.superseded.jsonl") {}

void MetricsFile::cut_after(int64_t step) {
  std::ifstream in(path_);
  if (!in) return;
  std::string kept, dropped;
  for (std::string line; std::getline(in, line);) {
    const std::optional<int64_t> number = step_of(line);
    (number && *number <= step ? kept : dropped) += line + "\n";
  }
  if (dropped.empty()) return;
  std::ofstream(superseded_, std::ios::app) << dropped;
  io::atomic_write_text(path_, kept);
}

void MetricsFile::append(const Metrics& metrics) {
  const bool first_failure = unwritten_.empty();
  unwritten_ += lynceus::to_json(metrics) + "\n";
  if (!write_unwritten() && first_failure)
    log::warn("{}: cannot be written; its lines wait until it can", path_.string());
}

bool MetricsFile::write_unwritten() {
  std::error_code error;
  const uintmax_t before = std::filesystem::file_size(path_, error);
  std::ofstream out(path_, std::ios::app);
  out << unwritten_ << std::flush;
  const bool written = static_cast<bool>(out);
  out.close();
  if (written)
    unwritten_.clear();
  else if (!error)
    std::filesystem::resize_file(path_, before, error);  // no half of a line
  return written;
}

}  // namespace lynceus
