#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>

#include "cli/command.h"
#include "core/config/config.h"
#include "parallel/launch/launch_environment.h"
#include "slurm/batch_text.h"
#include "slurm/shell.h"
#include "slurm/submission.h"

namespace lynceus::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kHelp =
    R"(usage: lynceus submit [--OPTION VALUE]... [-- OPTION-OF-TRAIN...]

Submits a run to Slurm: writes the text of the job to RUN/job.sbatch and calls sbatch. What follows --
is passed to `lynceus train` on all ranks; --run is added. The job asks for a checkpoint before its time
ends, and puts itself back into the queue until the run is finished or an error needs a person. Values
of a site can stand in an INI file: --config site.ini.

  lynceus submit --run runs/a --nodes 4 --time 12:00:00 --account phys \
      -- --config lynx-vicuna-7b --config pretrain-224 ...
  lynceus submit --config site.ini --run runs/b --stage pretrain-224,pretrain-420,finetune-420 \
      -- --config lynx-vicuna-7b ...      each stage starts after the one before
  lynceus submit --config site.ini --run runs/c --array lynx-llama-7b,lynx-vicuna-7b \
      -- --config pretrain-224 ...        an array with a run for each config
  lynceus submit --config site.ini --run runs/d --nodes 1,2,4,8 -- ...   a job for each number
  lynceus submit --config site.ini --run runs/e --nodes 8 --spare-nodes 1 -- ...   replaces a lost node at once
  lynceus submit --dry-run ...            prints the text, submits nothing

)";

/// This program, relative to the working directory if it is below it: the job starts there.
std::string this_program() {
  std::error_code unknown;
  const fs::path path = fs::read_symlink("/proc/self/exe", unknown);
  const fs::path relative = path.lexically_relative(fs::current_path(unknown));
  return relative.empty() || relative.string().starts_with("..") ? path : relative;
}

/// The words after --.
std::vector<std::string> check_training(const slurm::SubmitConfig& config, const CommandLine& line,
                                        ConfigFaults* faults) {
  if (line.positionals.empty()) return slurm::default_training(config.kind());
  const std::string& first = line.positionals.front();
  faults->expect(first.starts_with("--"), "submit",
                 "options of `lynceus train` after --, as -- --config tiny", first);
  for (const std::string& word : line.positionals) {
    faults->expect(slurm::fits_script(word), "submit", "options without control characters", word);
    faults->expect(word != "--run" && !word.starts_with("--run="), "submit",
                   "--run before --, where it belongs to submit", word);
  }
  return line.positionals;
}

void print_dry(const slurm::SubmitConfig& config, const std::string& text) {
  fmt::print("{}", text);
  std::fflush(stdout);
  for (const slurm::Submission& submission : slurm::submissions(config)) {
    std::vector<std::string> words;
    for (const std::string& word :
         slurm::sbatch_arguments(submission, slurm::job_file(config), "ID"))
      words.push_back(slurm::shell_word(word));
    fmt::print(stderr, "not called: sbatch {}\n", fmt::join(words, " "));
  }
}

}  // namespace

ExitCode run_submit(const Arguments& arguments) {
  slurm::SubmitConfig config;
  ConfigReader reader;
  reader.add(config);
  const CommandLine line = reader.read(arguments);
  if (line.help || line.print_config) {
    fmt::print("{}{}", line.help ? kHelp : "", line.help ? reader.help() : reader.print());
    return ExitCode::kDone;
  }
  if (parallel::is_launched(parallel::process_environment()))
    throw UsageError("submit: expected one process, found a rank of mpirun or srun");
  if (config.program.empty()) config.program = this_program();
  ConfigFaults faults;
  config.check(&faults);
  const std::vector<std::string> training = check_training(config, line, &faults);
  faults.raise();
  const std::string text = slurm::batch_text(config, training);
  if (config.dry_run) {
    print_dry(config, text);
    return ExitCode::kDone;
  }
  slurm::submit(config, text, [](const slurm::Submission& submission, const std::string& id) {
    fmt::print("job {}: {}\n", id, submission.what);
    std::fflush(stdout);
  });
  return ExitCode::kDone;
}

}  // namespace lynceus::cli
