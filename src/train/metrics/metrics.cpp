// Writes metrics as JSON lines and cuts the file at the step that a run resumes from.
#include "train/metrics/metrics.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <fstream>
#include <optional>

#include "core/error.h"
#include "io/files/json.h"

namespace lynceus::train {
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
  if (const auto* integers = std::get_if<std::vector<int64_t>>(&value))
    return fmt::format("[{}]", fmt::join(*integers, ", "));
  if (const auto* texts = std::get_if<std::vector<std::string>>(&value)) {
    std::vector<std::string> elements;
    for (const std::string& text : *texts) elements.push_back(quoted(text));
    return fmt::format("[{}]", fmt::join(elements, ", "));
  }
  const double number = std::get<double>(value);
  return std::isfinite(number) ? fmt::format("{}", number) : "null";
}

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

MetricsFile::MetricsFile(const std::filesystem::path& run_directory)
    : lines_(run_directory, "metrics", ".jsonl", step_of) {}

void MetricsFile::cut_after(int64_t step) { lines_.cut_after(step); }

void MetricsFile::append_all(const std::vector<Metrics>& lines) {
  std::string text;
  for (const Metrics& metrics : lines) text += train::to_json(metrics) + "\n";
  lines_.append(text);
}

bool MetricsFile::has_validation(int64_t step) const {
  std::ifstream file(lines_.path());
  for (std::string line; std::getline(file, line);)
    if (line.find("\"validation\"") != std::string::npos && step_of(line) == step) return true;
  return false;
}

}  // namespace lynceus::train
