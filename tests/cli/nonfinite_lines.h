// What runs with steps that are not finite write, for their tests.
#pragma once

#include <set>
#include <sstream>

#include "run_program.h"

namespace lynceus::cli_test {

/// Lines of metrics.jsonl.
inline std::vector<std::string> lines_of_kind(const fs::path& run, const std::string& kind,
                                              const std::string& file = "metrics.jsonl") {
  std::vector<std::string> lines;
  for (const std::string& line : lines_of(run / file))
    if (member(line, "kind") == "\"" + kind + "\"") lines.push_back(line);
  return lines;
}

/// Of samples.tsv: the indexes of the samples of a step.
inline std::set<int64_t> indexes_of(const fs::path& run, int64_t step) {
  std::set<int64_t> indexes;
  for (const std::string& line : lines_of(run / "samples.tsv"))
    if (std::stoll(line) == step) indexes.insert(std::stoll(line.substr(line.find('\t') + 1)));
  return indexes;
}

inline std::set<int64_t> range(int64_t first, int64_t end) {
  std::set<int64_t> indexes;
  for (int64_t i = first; i < end; ++i) indexes.insert(i);
  return indexes;
}

}  // namespace lynceus::cli_test
