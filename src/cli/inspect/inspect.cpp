#include <algorithm>

#include "cli/command.h"
#include "cli/inspect/report.h"
#include "cli/inspect/shard.h"
#include "cli/inspect/tensors.h"
#include "cli/one_rank.h"
#include "io/checkpoint/manifest.h"
#include "io/files/file.h"

namespace lynceus::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kFirstRows = 20;

constexpr const char* kHelp =
    R"(usage: lynceus inspect PATH... [--OPTION VALUE]...

Shows the content of a dataset shard (*.h5) or a folder of them, a checkpoint, a run directory, or
weights (safetensors, torch files, an index, a directory of them): counts, shapes, types and origin.
The metadata of a shard or checkpoint is always checked. --verify also checks all its data; in
weights, which have no digests, it looks for NaN and infinite values. Exit code 3 if something is
damaged. Runs on one rank.

  lynceus inspect data/coco/captions.h5
  lynceus inspect data/coco/captions.h5 --sample 0 --extract 0 --output pictures
  lynceus inspect runs/stage1 --verify
  lynceus inspect ~/vicuna-7b --names '*.layers.0.*'
  lynceus inspect runs/stage1/checkpoints/step-00000600 --json

)";

Report inspect(const fs::path& path, const InspectConfig& config) {
  const bool is_folder = fs::is_directory(path);
  if (!is_folder && !io::file_exists(path))
    throw InputError("{}: expected a file or a directory, found none", path.string());
  if (path.filename() == io::kStateFileName)
    throw InputError("{}: expected the directory of the checkpoint, found one of its files",
                     path.string());
  const bool is_shard = !is_folder && path.extension() == ".h5";
  if (!is_shard && (config.sample >= 0 || config.extract >= 0))
    throw UsageError("{}: --sample and --extract expect a dataset shard (*.h5)", path.string());
  if (is_shard) return inspect_shard(path, config);
  if (is_folder && io::file_exists(path / io::kManifestName))
    return inspect_checkpoint(path, config);
  if (is_folder && fs::is_directory(path / "checkpoints")) return inspect_run(path, config);
  return inspect_weights(path, config);
}

/// What a path stands for: the run of a folder `checkpoints`, the shards of a folder of shards, or
/// the path itself.
std::vector<fs::path> expanded(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored) || io::file_exists(path / io::kManifestName)) return {path};
  const fs::path named = path.has_filename() ? path : path.parent_path();
  if (named.filename() == "checkpoints") return {fs::absolute(named).parent_path()};
  if (fs::is_directory(path / "checkpoints", ignored)) return {path};
  std::vector<fs::path> shards;
  for (const auto& entry : fs::directory_iterator(path, ignored))
    if (entry.path().extension() == ".h5" && entry.is_regular_file(ignored))
      shards.push_back(entry.path());
  std::sort(shards.begin(), shards.end());
  return shards.empty() ? std::vector<fs::path>{path} : shards;
}

/// One row per object, one column per key of the first object.
void print_table(const std::string& title, const Report& rows, bool all) {
  fmt::print("  {} ({})\n", title, rows.size());
  std::vector<Report> list = rows.elements();
  if (!all && list.size() > kFirstRows) list.erase(list.begin() + kFirstRows, list.end());
  const size_t shown = list.size();
  std::vector<size_t> widths;
  for (const Report& row : list) {
    size_t column = 0;
    for (const auto& [key, value] : row.members()) {
      if (column == widths.size()) widths.push_back(0);
      widths[column] = std::max(widths[column], value.text().size());
      ++column;
    }
  }
  for (const Report& row : list) {
    std::string line = "   ";
    size_t column = 0;
    for (const auto& [key, value] : row.members())
      line += value.is_number() ? fmt::format(" {:>{}} ", value.text(), widths[column++])
                                : fmt::format(" {:<{}} ", value.text(), widths[column++]);
    line.erase(line.find_last_not_of(' ') + 1);
    fmt::print("{}\n", line);
  }
  if (shown < rows.size())
    fmt::print("    ... {} more: --all lists all, --names PATTERN selects some\n",
               rows.size() - shown);
}

void print_text(const Report& report, bool all) {
  fmt::print("{}: {}\n", report.at("path").text(), report.at("kind").text());
  for (const auto& [key, value] : report.members()) {
    if (key == "path" || key == "kind") continue;
    if (value.is_array())
      print_table(key, value, all);
    else
      fmt::print("  {:<14} {}\n", key, value.text());
  }
}

}  // namespace

ExitCode run_inspect(const Arguments& arguments) {
  InspectConfig config;
  ConfigReader reader;
  reader.add(config);
  const auto line =
      begin_on_one_rank("inspect", kHelp, arguments, &reader, [&config](const CommandLine& given) {
        if (given.positionals.empty())
          throw UsageError(
              "inspect: expected a path, found none; `lynceus inspect --help` has examples");
        if ((config.extract >= 0) != !config.output.empty())
          throw UsageError("inspect: --extract and --output must be given together");
      });
  if (!line) return ExitCode::kDone;
  std::vector<fs::path> paths;
  const bool is_one = config.sample >= 0 || config.extract >= 0;
  for (const std::string& path : line->positionals)
    for (fs::path& one : is_one ? std::vector<fs::path>{path} : expanded(path))
      paths.push_back(std::move(one));
  for (const fs::path& path : paths) {
    const Report report = inspect(path, config);
    if (config.json)
      fmt::print("{}\n", report.dump_replacing());
    else
      print_text(report, config.all);
  }
  return ExitCode::kDone;
}

}  // namespace lynceus::cli
