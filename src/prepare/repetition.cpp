#include "prepare/repetition.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "core/error.h"
#include "core/text/text_encoding.h"
#include "core/text/units.h"
#include "prepare/journal.h"
#include "prepare/run.h"

namespace lynceus::prepare {
namespace {

namespace fs = std::filesystem;

/// A command is a list of options with ", " or "; " between them.
std::vector<std::string> options_of(const std::string& command) {
  std::vector<std::string> options;
  for (size_t begin = 0; begin < command.size();) {
    const size_t end = std::min(command.find(", ", begin), command.find("; ", begin));
    options.push_back(command.substr(begin, end - begin));
    begin = end == std::string::npos ? command.size() : end + 2;
  }
  return options;
}

/// The options of `command` that `other` does not have.
std::string options_without(const std::string& command, const std::string& other) {
  const std::vector<std::string> others = options_of(other);
  std::vector<std::string> only;
  for (const std::string& option : options_of(command))
    if (std::find(others.begin(), others.end(), option) == others.end())
      only.push_back(readable_command(option));
  return only.empty() ? "nothing else" : fmt::format("{}", fmt::join(only, ", "));
}

std::string version_of(const PrepareJob& job) {
  if (job.version) return "version " + job.version();
  std::error_code error;
  const uint64_t size = fs::file_size(job.input, error);
  const auto time = fs::last_write_time(job.input, error).time_since_epoch().count();
  return fmt::format("{} bytes, changed at {}", size, time);
}

}  // namespace

std::string command_of(const PrepareJob& job, const PrepareConfig& common) {
  return printable(fmt::format("{} of {}; {}, task {}, shard-gib {}", job.input, version_of(job),
                               job.options, job.task, common.shard_gib));
}

std::string complete_command(const std::string& command, const PrepareConfig& common) {
  if (common.train_tokenizer == 0) return command;
  return fmt::format("{}, train-tokenizer {}, tokenizer-type {}", command, common.train_tokenizer,
                     common.tokenizer_type);
}

bool is_complete_already(const PrepareConfig& common, const std::vector<DatasetCommand>& datasets) {
  if (common.overwrite) return false;
  const fs::path directory = common.output;
  bool all = common.train_tokenizer == 0 ||
             (fs::exists(directory / "tokenizer.model") && fs::exists(directory / "corpus.txt"));
  int64_t samples = 0;
  size_t shards = 0;
  for (const auto& [name, command] : datasets) {
    DatasetFault fault;
    const auto found = PrepareJournal::find_finished(directory, name, &fault);
    if (!fault.text.empty() && !io::ShardSeries::existing(directory, name).empty())
      throw Error(fault.code,
                  fmt::format("{}: the dataset {} already exists; --overwrite replaces it",
                              fault.text, name));
    if (!found) {
      all = false;
      continue;
    }
    const std::string mine = complete_command(command, common);
    if (found->command != mine)
      throw UsageError(
          "{} already exists; --overwrite replaces it. It was prepared with: {}; this command has: "
          "{}",
          (directory / (name + ".h5")).string(), options_without(found->command, mine),
          options_without(mine, found->command));
    samples += found->state.series.samples;
    shards += found->state.series.files.size();
  }
  if (!all) return false;
  for (const DatasetCommand& dataset : datasets) {  // left by a run that was killed at its end
    std::error_code ignored;
    fs::remove(PrepareJournal::path_of(directory, dataset.name), ignored);
  }
  fmt::print("already complete: {} in {}\n", counted(samples, "sample"),
             counted(static_cast<int64_t>(shards), "shard"));
  return true;
}

}  // namespace lynceus::prepare
