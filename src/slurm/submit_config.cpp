#include "slurm/submit_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <regex>

#include "core/resource.h"
#include "slurm/shell.h"

namespace lynceus::slurm {
namespace {

namespace fs = std::filesystem;

void check_directive(ConfigFaults* faults, const char* key, const std::string& value,
                     bool may_be_empty) {
  faults->expect(fits_directive(value) || (may_be_empty && value.empty()), key,
                 "letters, digits and _ - . , : = / % + @ & | ( ) [ ] *",
                 fmt::format("'{}'", value));
}

void check_script(ConfigFaults* faults, const char* key, const std::string& value) {
  faults->expect(fits_script(value), key, "a text without control characters",
                 fmt::format("'{}'", value));
}

/// The run of each config is a folder with the config's name.
void check_configs(ConfigFaults* faults, const char* key, const std::vector<std::string>& configs) {
  std::vector<std::string> names;
  for (const std::string& config : configs) {
    const std::string name = fs::path(config).stem();
    std::error_code ignored;
    if (!faults->expect(fs::is_regular_file(find_config(config), ignored), key,
                        "config files or names of configs", fmt::format("'{}'", config)))
      continue;
    faults->expect(std::find(names.begin(), names.end(), name) == names.end(), key,
                   "configs with different names, which become the names of their runs", config);
    names.push_back(name);
  }
}

/// Of a time limit as sbatch reads it: M, M:S, H:M:S, D-H, D-H:M, D-H:M:S. nullopt: it is none.
std::optional<int64_t> seconds_of(const std::string& time) {
  static const std::regex kTime(
      R"((?:(\d{1,6})-(\d{1,6})(?::(\d\d))?(?::(\d\d))?)|(?:(\d{1,6}):(\d\d):(\d\d))|(?:(\d{1,9})(?::(\d\d))?))");
  std::smatch part;
  if (!std::regex_match(time, part, kTime)) return std::nullopt;
  const auto number = [&](size_t i) { return part[i].matched ? std::stoll(part[i]) : 0; };
  return 86400 * number(1) + 3600 * (number(2) + number(5)) +
         60 * (number(3) + number(6) + number(8)) + number(4) + number(7) + number(9);
}

}  // namespace

void SubmitConfig::check(ConfigFaults* faults) const {
  check_directive(faults, "name", name, false);
  check_directive(faults, "account", account, true);
  check_directive(faults, "partition", partition, true);
  check_directive(faults, "memory", memory, false);
  for (const std::string& option : sbatch) {
    check_directive(faults, "sbatch", option, false);
    faults->expect(option.starts_with("--"), "sbatch", "an option of sbatch, as --qos=long",
                   fmt::format("'{}'", option));
  }
  faults->expect(seconds_of(time).has_value(), "time", "minutes, HOURS:MM:SS or DAYS-HH:MM:SS",
                 fmt::format("'{}'", time));
  faults->at_least("signal-seconds", signal_seconds, 1);
  faults->within("signal-seconds", signal_seconds, 1, 65535);  // of Slurm
  if (const auto limit = seconds_of(time); limit && *limit > 0)
    faults->expect(
        signal_seconds < *limit, "signal-seconds",
        fmt::format("less than the {} s of --time {}: a step, a save and 2 minutes", *limit, time),
        signal_seconds);
  faults->at_least("ranks-per-node", ranks_per_node, 1);
  faults->at_least("cores-per-rank", cores_per_rank, 1);
  faults->at_least("gpus-per-node", gpus_per_node, 0);
  faults->at_least("sweep-steps", sweep_steps, 1);
  faults->expect(!run.empty(), "run", "a folder", std::string("none"));
  check_script(faults, "run", run);
  faults->expect(
      run.find('\\') == std::string::npos, "run",
      "a folder without \\, which means something to Slurm in the name of a job's output",
      fmt::format("'{}'", run));
  check_script(faults, "interface", interface);
  check_script(faults, "container", container);
  check_script(faults, "program", program);
  for (const std::string& nic : nics) check_script(faults, "nics", nic);
  for (const std::string& module : modules) check_script(faults, "modules", module);
  for (const std::string& count : node_counts())
    faults->expect(std::regex_match(count, std::regex("[1-9][0-9]{0,5}")), "nodes",
                   "a number of nodes, or several with commas", fmt::format("'{}'", nodes));
  std::vector<std::string> counts = node_counts();
  std::sort(counts.begin(), counts.end());
  faults->expect(std::adjacent_find(counts.begin(), counts.end()) == counts.end(), "nodes",
                 "different numbers, which become the names of their runs",
                 fmt::format("'{}'", nodes));
  faults->within("spare-nodes", spare_nodes, 0, 999);
  faults->expect(spare_nodes == 0 || (node_counts().size() == 1 && array.empty()), "spare-nodes",
                 "one run or stages", array.empty() ? "several numbers of nodes" : "an array");
  check_configs(faults, "stage", stages());
  check_configs(faults, "array", variants());
  const int several = (node_counts().size() > 1) + !stage.empty() + !array.empty();
  if (several > 1)
    faults->add("nodes, stage, array: expected several jobs by one of them, found more than one");
}

JobKind SubmitConfig::kind() const {
  if (!stage.empty()) return JobKind::kStages;
  if (!array.empty()) return JobKind::kAblation;
  return node_counts().size() > 1 ? JobKind::kScaling : JobKind::kTrain;
}

std::vector<std::string> SubmitConfig::node_counts() const { return split_at_commas(nodes); }

std::vector<std::string> SubmitConfig::stages() const {
  return stage.empty() ? std::vector<std::string>() : split_at_commas(stage);
}

std::vector<std::string> SubmitConfig::variants() const {
  if (array.empty()) return {};
  std::error_code ignored;
  if (!fs::is_directory(array, ignored)) return split_at_commas(array);
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(array, ignored))
    if (entry.path().extension() == ".ini") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files.empty() ? std::vector{array} : files;  // which no config is
}

}  // namespace lynceus::slurm
