// Parses the lines that name datasets and looks for the files of a mixture.
#include "train/data/dataset_choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "core/error.h"
#include "io/files/file_pattern.h"
#include "io/text/prompt.h"

namespace lynceus::train {
namespace {

constexpr const char* kDatasetShape = "NAME:WEIGHT:GLOB";
constexpr const char* kMixtureShape = "NAME:WEIGHT:FAMILY or NAME:WEIGHT:FAMILY:GLOB";
constexpr const char* kValidationShape = "NAME:GLOB";

/// At most `most` parts; the last one keeps its colons.
std::vector<std::string> split(const std::string& text, size_t most) {
  std::vector<std::string> parts;
  size_t begin = 0;
  while (parts.size() + 1 < most) {
    const size_t colon = text.find(':', begin);
    if (colon == std::string::npos) break;
    parts.push_back(text.substr(begin, colon - begin));
    begin = colon + 1;
  }
  parts.push_back(text.substr(begin));
  return parts;
}

double parse_weight(const std::string& key, const std::string& name, const std::string& text) {
  double weight = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, weight);
  if (parsed.ec != std::errc() || parsed.ptr != end || !(weight > 0))
    throw UsageError("{} {}: expected a positive weight, found '{}'", key, name, text);
  return weight;
}

void refuse_twice(const std::string& key, const std::vector<DatasetLine>& lines) {
  for (size_t i = 0; i < lines.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      if (lines[i].name == lines[j].name)
        throw UsageError("{}: two datasets are named '{}'", key, lines[i].name);
}

const DatasetLine* find_line(const std::vector<DatasetLine>& lines, const std::string& name) {
  const auto found = std::find_if(lines.begin(), lines.end(),
                                  [&](const DatasetLine& line) { return line.name == name; });
  return found == lines.end() ? nullptr : &*found;
}

/// NAME.h5; NAME-<digits>.h5 as `lynceus prepare` numbers shards (io/dataset/shard_series.h), up to
/// a million; and NAME/*.h5. A pattern cannot say "digits only", so each length is an alternative.
std::string shards_of(const std::string& name) {
  constexpr int kMostDigits = 6;
  std::string pattern = "{" + name;
  std::string number;
  for (int digits = 1; digits <= kMostDigits; ++digits) {
    number += "[0-9]";
    pattern += "," + name + "-" + number;
  }
  return pattern + "," + name + "/*}.h5";
}

/// The root is an existing folder, so that io::files_matching takes it as it is.
std::string below(const std::string& root, const DatasetLine& line) {
  return root + "/" + (line.pattern.empty() ? shards_of(io::as_pattern(line.name)) : line.pattern);
}

void choose_of_mixture(const DataConfig& config, const std::vector<DatasetLine>& mixture,
                       const std::vector<DatasetLine>& single, ChosenDatasets* chosen) {
  if (mixture.empty())
    throw UsageError(
        "data.root: expected data.mixture to name datasets in this folder, found none");
  if (!std::filesystem::is_directory(config.root))
    throw InputError("data.root: expected a folder, found none: {}", config.root);
  for (DatasetLine line : mixture) {
    if (find_line(single, line.name) != nullptr) continue;
    line.pattern = below(config.root, line);
    if (io::files_matching(line.pattern).empty())
      chosen->absent.push_back(line.name);
    else
      chosen->present.push_back(std::move(line));
  }
  const std::string example =
      fmt::format("for example {0}/{1}.h5 or {0}/{1}/*.h5", config.root, mixture.front().name);
  if (chosen->present.empty() && single.empty())
    throw InputError("data.root: none of the {} datasets of data.mixture is in {}: expected {}",
                     mixture.size(), config.root, example);
  if (config.missing == "refuse" && !chosen->absent.empty())
    throw InputError(
        "data.missing = refuse: {} of {} datasets of data.mixture are missing in {}: {}",
        chosen->absent.size(), mixture.size(), config.root, fmt::join(chosen->absent, ", "));
}

}  // namespace

std::vector<DatasetLine> parse_datasets(const DataConfig& config) {
  std::vector<DatasetLine> lines;
  for (const std::string& text : config.sources) {
    const std::vector<std::string> parts = split(text, 3);
    if (parts.size() < 3 || parts[0].empty())
      throw UsageError("data.source: expected {}, found '{}'", kDatasetShape, text);
    lines.push_back({parts[0], parse_weight("data.source", parts[0], parts[1]), "", parts[2]});
  }
  refuse_twice("data.source", lines);
  return lines;
}

std::vector<DatasetLine> parse_mixture(const DataConfig& config) {
  std::vector<DatasetLine> lines;
  for (const std::string& text : config.mixture) {
    std::vector<std::string> parts = split(text, 4);
    if (parts.size() < 2 || parts[0].empty() || parts[0].find('/') != std::string::npos)
      throw UsageError("data.mixture: expected {}, found '{}'", kMixtureShape, text);
    parts.resize(4);
    lines.push_back(
        {parts[0], parse_weight("data.mixture", parts[0], parts[1]), parts[2], parts[3]});
  }
  refuse_twice("data.mixture", lines);
  return lines;
}

std::vector<DatasetLine> parse_validation(const DataConfig& config) {
  std::vector<DatasetLine> lines;
  for (const std::string& text : config.validation) {
    const std::vector<std::string> parts = split(text, 2);
    if (parts.size() < 2 || parts[0].empty())
      throw UsageError("data.validation: expected {}, found '{}'", kValidationShape, text);
    lines.push_back({parts[0], 1, "", parts[1]});
  }
  refuse_twice("data.validation", lines);
  return lines;
}

ChosenDatasets choose_datasets(const DataConfig& config) {
  const std::vector<DatasetLine> mixture = parse_mixture(config);
  const std::vector<DatasetLine> single = parse_datasets(config);
  ChosenDatasets chosen;
  if (!config.root.empty()) choose_of_mixture(config, mixture, single, &chosen);
  chosen.present.insert(chosen.present.end(), single.begin(), single.end());
  if (chosen.present.empty())
    throw UsageError("data.source: expected at least one dataset, found none{}",
                     mixture.empty()
                         ? ""
                         : "; data.root, the folder of the datasets of data.mixture, is not set");
  return chosen;
}

std::string prompt_family(const std::vector<DatasetLine>& mixture, const std::string& name,
                          const std::string& task) {
  const DatasetLine* line = find_line(mixture, name);
  if (line != nullptr && !line->family.empty()) return line->family;
  const auto known =
      std::find(std::begin(io::kPromptFamilies), std::end(io::kPromptFamilies), task);
  return known == std::end(io::kPromptFamilies) ? "" : task;
}

}  // namespace lynceus::train
