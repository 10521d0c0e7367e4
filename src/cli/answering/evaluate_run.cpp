#include "cli/answering/evaluate_run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "cli/answering/benchmarks.h"
#include "cli/answering/generate_command.h"
#include "cli/page.h"
#include "core/log.h"
#include "evaluate/benchmarks/mme_questions.h"
#include "io/files/file.h"
#include "parallel/agreement.h"
#include "parallel/mpi_session.h"

namespace lynceus::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kHelp =
    R"(usage: lynceus evaluate BENCHMARK --run DIR --input PATH --output FILE.jsonl [OPTION VALUE]...

Answers the questions of a benchmark with the newest intact checkpoint of a run (or that of --resume
STEP), or with --checkpoint, as `lynceus generate` does, and scores the answers. They are in --output
with their card, and are kept if the command is started again. Decoding settings are those of the
benchmark's preset, of --preset, of [generate] and of [describe].

  caption   JSONL rows {"image", "references"}; --question TEXT asks for the caption
  mme       MME's folders, MME.tsv with the pictures in it, or JSONL rows {"category", "image", "question",
            "answer"}; preset mme
  openvqa   a file of Open-VQA; preset openvqa-image or openvqa-video
  options   JSONL rows {"question", "options": [TEXT, ...], "answer"}: the likelihood of the options
            instead of decoding; the choice has the largest mean log-probability of its tokens
  owleval   JSONL rows {"question_id", "image", "question"}; preset owleval
  vqa       JSONL rows {"question_id", "image", "question", "answers"}

  lynceus evaluate mme --run runs/stage2 --input MME_Benchmark_release_version --output mme.jsonl
  lynceus evaluate openvqa --ranks 4 --parallel.tensor 2 --checkpoint runs/stage2/checkpoints/step-00001000 \
      --input Open_VQA_images.jsonl --root images --output images.jsonl --items items.jsonl

)";

struct EvaluateRun : GenerateCommand {
  ScoreOptions score;
  EvaluateRun() { reader.add(score); }
};

bool names(const Arguments& arguments, const std::string& option) {
  return std::any_of(arguments.begin(), arguments.end(), [&](const std::string& argument) {
    return argument == option || argument.starts_with(option + "=");
  });
}

/// Open-VQA has a preset for images and one for videos.
std::string openvqa_preset(const std::string& input) {
  bool has_videos = false, has_others = false;
  for (const generate::Row& row : generate::rows_of_file(input, {}))
    (row.media.prompt.is_video ? has_videos : has_others) = true;
  if (has_videos && has_others)
    throw UsageError(
        "evaluate openvqa: {}: expected questions about images or about videos, found both: give "
        "two files, or --preset",
        input);
  return has_videos ? "openvqa-video" : "openvqa-image";
}

std::string preset_of(const Benchmark& benchmark, const GenerateOptions& options) {
  if (benchmark.name == "openvqa") return openvqa_preset(options.input);
  if (benchmark.name == "mme" || benchmark.name == "owleval") return std::string(benchmark.name);
  return "";
}

CommandLine read_command(const Benchmark& benchmark, const Arguments& arguments,
                         EvaluateRun* command) {
  const std::string name = fmt::format("evaluate {}", benchmark.name);
  const auto preset = [&](const GenerateOptions& options) {
    if (options.input.empty())
      throw UsageError("{}: expected --input PATH, the questions, found none", name);
    return preset_of(benchmark, options);
  };
  EvaluateRun given;
  const CommandLine line = read_generate_config(name, arguments, preset, &given, command);
  if (line.help || line.print_config) return line;
  if (command->options.input.empty())
    throw UsageError("{}: expected --input PATH, the questions, found none", name);
  check_score_options(benchmark, command->reader);
  command->scores_options = benchmark.name == "options";
  command->score.answers = {command->options.output};
  return line;
}

/// MME's folders, or its table with the pictures in it, become rows next to the answers.
void read_mme(const parallel::Communicator& world, EvaluateRun* command) {
  const fs::path input = command->options.input;
  const bool is_folder = fs::is_directory(input);
  if (!is_folder && input.extension() != ".tsv") return;
  const fs::path pictures = is_folder ? input : fs::path(command->options.output + ".pictures");
  const std::string rows = command->options.output + ".questions.jsonl";
  if (world.rank() == 0) {
    if (const fs::path parent = fs::path(rows).parent_path(); !parent.empty())
      fs::create_directories(parent);
    const auto questions = is_folder ? evaluate::mme_questions(input, command->score.partial)
                                     : evaluate::mme_questions_of_table(input, pictures);
    io::atomic_write_text(rows, fmt::format("{}\n", fmt::join(questions, "\n")));
  }
  if (!is_folder || command->options.root.empty()) command->options.root = pictures.string();
  command->options.input = rows;
}

}  // namespace

bool evaluates_run(const Arguments& arguments) {
  if (arguments.empty() || arguments[0] == "heldout" || benchmark_of(arguments[0]) == nullptr)
    return false;
  return (names(arguments, "--run") || names(arguments, "--checkpoint")) &&
         !names(arguments, "--answers");
}

ExitCode run_evaluate_run(const Arguments& arguments) {
  const Benchmark& benchmark = find_benchmark(arguments);
  const auto world = parallel::make_world();
  EvaluateRun command;
  CommandLine line;
  parallel::agree(*world, [&] {
    line = read_command(benchmark, Arguments(arguments.begin() + 1, arguments.end()), &command);
  });
  if (print_page(line, kHelp, command.reader, *world)) return ExitCode::kDone;
  log::set_up(world->rank(), world->size(), "warn");
  if (benchmark.name == "mme") parallel::agree(*world, [&] { read_mme(*world, &command); });
  const generate::AnswerReport report = answer_with_model(&command, {});
  parallel::agree(*world, [&] {
    if (world->rank() != 0) return;
    warn_of_rejected(report, command);
    score_and_print(benchmark, command.score);
    std::fflush(stdout);
  });
  return ExitCode::kDone;
}

}  // namespace lynceus::cli
