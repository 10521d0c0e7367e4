#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>

#include "cli/command.h"
#include "cli/fault_option.h"
#include "cli/train_options.h"
#include "core/config/config.h"
#include "core/fault.h"
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
is passed to `lynceus train` on all ranks; --run is added. It is checked before anything is submitted. The job asks for a checkpoint before its time
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

/// UsageError if `lynceus train` would refuse the options of a job, which would wait in the queue
/// for that. A warning where nothing is submitted, and for an image, which may have other configs.
void check_options_of_train(const slurm::SubmitConfig& config,
                            const std::vector<std::string>& training) {
  for (Arguments arguments : slurm::training_lines(config, training)) try {
      std::vector<fault::Plan> of_the_job;
      const bool asks_for_page = take_fault_plans("train", &arguments, &of_the_job);
      TrainOptions options;
      const CommandLine line = options.read(arguments);
      if (asks_for_page || line.help || line.print_config)
        throw UsageError("expected options of a run, found one that prints a page");
    } catch (const UsageError& error) {
      const std::string text =
          fmt::format("submit: `lynceus train` refuses the options of the job: {}", error.what());
      if (config.container.empty() && !config.dry_run) throw UsageError(text);
      fmt::print(stderr, "warning: {}\n", text);
    }
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
    faults->expect(word != "--ranks" && !word.starts_with("--ranks="), "submit",
                   "--nodes and --ranks-per-node before --: the job starts the ranks", word);
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
  check_options_of_train(config, training);
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
