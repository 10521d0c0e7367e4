#include "cli/evaluate_answers.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/answering/benchmarks.h"
#include "cli/answering/evaluate_run.h"
#include "core/config/config.h"
#include "core/log.h"
#include "parallel/launch/launch_environment.h"

namespace lynceus::cli {
namespace {

constexpr const char* kHelp =
    R"(usage: lynceus evaluate BENCHMARK --answers PATH... [--OPTION VALUE]...
       lynceus evaluate BENCHMARK --run DIR ...   answers them first; `lynceus evaluate mme --run DIR --help`

Scores answers that exist, of any model: no model is loaded and MPI is not started. The score is a table
on a terminal and otherwise one JSON object. Every score has its protocol card; what nobody has said of the
answers is "unknown" there.

  heldout   what `lynceus generate` has answered to data.validation: accuracy and baseline by set and class
  caption   JSONL rows {"candidate", "references"}: BLEU-1 to BLEU-4, ROUGE-L, CIDEr
  mme       a folder of MME's result files, or JSONL rows {"category", "image", "question", "answer",
            "answer_predicted"}: 14 tasks, perception, cognition, by several parse rules
  options   JSONL rows {"question", "options", "answer", "answer_predicted", "option_scores"}: the share of
            right choices by likelihood
  openvqa   the rows of Open-VQA with "answer_predicted": accuracy by class, images and videos
  owleval   JSONL rows {"question_id", "answer"}, a file for each model: a sheet for raters, their ratings
  vqa       JSONL rows {"question_id", "answers", "answer_predicted"}: VQA accuracy

  lynceus evaluate heldout --answers answers.jsonl --sheet answers.html \
      --pictures 'questions:data/validation-*.h5'
  lynceus evaluate mme --answers results/lynx --items mme.jsonl
  lynceus evaluate openvqa --answers images.jsonl videos.jsonl --format json
  lynceus evaluate openvqa --answers images.jsonl --judge http https://api.openai.com/v1 --judge-model gpt-4
  lynceus evaluate owleval --answers a.jsonl b.jsonl --images pictures --sheet rate.html
  lynceus evaluate owleval --answers a.jsonl b.jsonl --ratings owleval-anna.json owleval-ben.json

)";

struct AnswersOptions : ScoreOptions {
  template <typename Visitor>
  void visit(Visitor& v) {
    v.list("answers", answers, "files of answers; mme: a folder or a file");
    ScoreOptions::visit(v);
  }
};

bool is_option(const std::string& argument) { return argument.starts_with("-"); }

void check_options(const Benchmark& benchmark, const AnswersOptions& options,
                   const CommandLine& line, const ConfigReader& reader) {
  if (!line.positionals.empty())
    throw UsageError("evaluate {}: unexpected argument '{}'; options begin with --", benchmark.name,
                     line.positionals.front());
  check_score_options(benchmark, reader);
  if (options.answers.empty())
    throw UsageError(
        "evaluate {}: expected --answers PATH, found none; `lynceus evaluate {} "
        "--help` has examples",
        benchmark.name, benchmark.name);
  if (!benchmark.takes_several && options.answers.size() > 1)
    throw UsageError("evaluate {}: expected one path of answers, found {}", benchmark.name,
                     options.answers.size());
}

}  // namespace

bool scores_answers(const Arguments& arguments) {
  if (evaluates_run(arguments)) return false;
  if (!arguments.empty() && !is_option(arguments[0]) && arguments[0] != "heldout") return true;
  return std::any_of(arguments.begin(), arguments.end(), [](const std::string& argument) {
    return argument == "--answers" || argument.starts_with("--answers=");
  });
}

ExitCode run_evaluate_answers(const Arguments& arguments) {
  const Benchmark& benchmark = find_benchmark(arguments);
  AnswersOptions options;
  ConfigReader reader;
  reader.add(options);
  const CommandLine line = reader.read(Arguments(arguments.begin() + 1, arguments.end()));
  if (line.help || line.print_config) {
    fmt::print("{}{}", line.help ? kHelp : "", line.help ? reader.help() : reader.print());
    return ExitCode::kDone;
  }
  check_options(benchmark, options, line, reader);
  if (!parallel::lost_world(parallel::process_environment(), 1).empty())
    throw UsageError("evaluate {}: expected one process, found several tasks of a launcher",
                     benchmark.name);
  log::set_up(0, 1, "warn");
  score_and_print(benchmark, options);
  return ExitCode::kDone;
}

}  // namespace lynceus::cli
