#include "cli/evaluate_answers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string_view>

#include "cli/evaluate_judge.h"
#include "cli/evaluate_output.h"
#include "core/config/config.h"
#include "core/log.h"
#include "core/text/spelling.h"
#include "evaluate/benchmarks/caption.h"
#include "evaluate/benchmarks/mme.h"
#include "evaluate/benchmarks/vqa.h"
#include "evaluate/evaluation.h"
#include "evaluate/owleval/owleval.h"
#include "parallel/launch/launch_environment.h"

namespace lynceus::cli {
namespace {

constexpr const char* kHelp =
    R"(usage: lynceus evaluate BENCHMARK --answers PATH... [--OPTION VALUE]...

Scores answers that exist, of any model: no model is loaded and MPI is not started. The score is a table
on a terminal and otherwise one JSON object. Every score has its protocol card; what nobody has said of the
answers is "unknown" there.

  caption   JSONL rows {"candidate", "references"}: BLEU-1 to BLEU-4, ROUGE-L, CIDEr
  mme       a folder of MME's result files, or JSONL rows {"category", "image", "question", "answer",
            "answer_predicted"}: 14 tasks, perception, cognition, by several parse rules
  openvqa   the rows of Open-VQA with "answer_predicted": accuracy by class, images and videos
  owleval   JSONL rows {"question_id", "answer"}, a file for each model: a sheet for raters, their ratings
  vqa       JSONL rows {"question_id", "answers", "answer_predicted"}: VQA accuracy

  lynceus evaluate mme --answers results/lynx --items mme.jsonl
  lynceus evaluate openvqa --answers images.jsonl videos.jsonl --format json
  lynceus evaluate openvqa --answers images.jsonl --judge http https://api.openai.com/v1 --judge-model gpt-4
  lynceus evaluate owleval --answers a.jsonl b.jsonl --images pictures --sheet rate.html
  lynceus evaluate owleval --answers a.jsonl b.jsonl --ratings owleval-anna.json owleval-ben.json

)";

struct AnswersOptions {
  std::vector<std::string> answers;
  std::string format = "auto";
  std::string items;
  JudgeOptions judge;
  bool partial = false;
  std::string results;
  std::string questions;
  std::string sheet;
  std::string images;
  std::vector<std::string> ratings;
  uint64_t seed = 1;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.list("answers", answers, "files of answers; mme: a folder or a file");
    v.choice("format", format, {"auto", "table", "json"},
             "of the scores: table, json (one object), or auto: a table on a terminal, json "
             "elsewhere");
    v.field("items", items, "file to write with one JSON object for each item");
    judge.visit(v);
    v.field("partial", partial, "mme: leave out tasks without a file of answers");
    v.field("results", results,
            "mme: folder to write the answers to, as the official tool reads them");
    v.field("questions", questions, "owleval: JSONL file of the questions, if not the published");
    v.field("sheet", sheet, "owleval: HTML file to write, in which people rate the answers");
    v.field("images", images, "owleval: folder of the pictures of the sheet; none: without them");
    v.list("ratings", ratings, "owleval: filled sheets");
    v.field("seed", seed, "owleval: of the order of the answers in the sheet");
  }
};

using Paths = std::vector<std::filesystem::path>;

Paths paths_of(const std::vector<std::string>& names) { return {names.begin(), names.end()}; }

evaluate::Evaluation score_caption(const AnswersOptions& options) {
  return evaluate::evaluate_captions(options.answers[0]);
}
evaluate::Evaluation score_mme(const AnswersOptions& options) {
  return evaluate::evaluate_mme(options.answers[0], options.partial, options.results);
}
evaluate::Evaluation score_openvqa(const AnswersOptions& options) {
  return judge_openvqa(paths_of(options.answers), options.judge);
}
evaluate::Evaluation score_owleval(const AnswersOptions& options) {
  if (options.sheet.empty() != options.images.empty())
    throw UsageError("owleval: expected --sheet FILE and --images FOLDER together, found only --{}",
                     options.sheet.empty() ? "images" : "sheet");
  return evaluate::evaluate_owleval({.answers = paths_of(options.answers),
                                     .questions = options.questions,
                                     .sheet = options.sheet,
                                     .images = options.images == "none" ? "" : options.images,
                                     .seed = options.seed,
                                     .ratings = paths_of(options.ratings)});
}
evaluate::Evaluation score_vqa(const AnswersOptions& options) {
  return evaluate::evaluate_vqa(paths_of(options.answers));
}

struct Benchmark {
  std::string_view name;
  evaluate::Evaluation (*score)(const AnswersOptions&);
  bool takes_several;                     // paths of answers
  std::vector<std::string_view> options;  // of this benchmark only
};

const std::vector<Benchmark>& benchmarks() {
  static const std::vector<Benchmark> all = {
      {"caption", score_caption, false, {}},
      {"mme", score_mme, false, {"partial", "results"}},
      {"openvqa", score_openvqa, true, JudgeOptions::keys()},
      {"owleval", score_owleval, true, {"questions", "sheet", "images", "ratings", "seed"}},
      {"vqa", score_vqa, true, {}}};
  return all;
}

bool is_option(const std::string& argument) { return argument.starts_with("-"); }

const Benchmark& find_benchmark(const Arguments& arguments) {
  std::vector<std::string> names = {"heldout"};
  for (const Benchmark& benchmark : benchmarks()) names.emplace_back(benchmark.name);
  const std::string found = arguments.empty() || is_option(arguments[0]) ? "" : arguments[0];
  for (const Benchmark& benchmark : benchmarks())
    if (benchmark.name == found) return benchmark;
  const std::string near = nearest_name(found, names);
  throw UsageError("evaluate: expected a benchmark first ({}), found {}{}", fmt::join(names, ", "),
                   found.empty() ? "none" : fmt::format("'{}'", found),
                   near.empty() ? "" : fmt::format(", did you mean {}?", near));
}

void check_options(const Benchmark& benchmark, const AnswersOptions& options,
                   const CommandLine& line, const ConfigReader& reader) {
  if (!line.positionals.empty())
    throw UsageError("evaluate {}: unexpected argument '{}'; options begin with --", benchmark.name,
                     line.positionals.front());
  for (const Benchmark& other : benchmarks())
    for (const std::string_view key : other.options)
      if (other.name != benchmark.name && reader.origin(std::string(key)) != "default")
        throw UsageError("evaluate {}: --{} is an option of {} only", benchmark.name, key,
                         other.name);
  if (options.answers.empty())
    throw UsageError(
        "evaluate {}: expected --answers PATH, found none; `lynceus evaluate {} "
        "--help` has examples",
        benchmark.name, benchmark.name);
  if (!benchmark.takes_several && options.answers.size() > 1)
    throw UsageError("evaluate {}: expected one path of answers, found {}", benchmark.name,
                     options.answers.size());
}

std::string as_table(const evaluate::Evaluation& evaluation) {
  std::string text = fmt::format("{}\n\n{}", evaluation.benchmark,
                                 aligned(evaluation.table.rows, evaluation.table.text_columns));
  if (!evaluation.table.notes.empty())
    text += fmt::format("\n{}\n", fmt::join(evaluation.table.notes, "\n"));
  return text + fmt::format("\nprotocol\n{}\n", fmt::join(evaluate::card_lines(evaluation), "\n"));
}

}  // namespace

bool scores_answers(const Arguments& arguments) {
  if (!arguments.empty() && !is_option(arguments[0])) return arguments[0] != "heldout";
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
  const evaluate::Evaluation evaluation = benchmark.score(options);
  for (const std::string& warning : evaluation.warnings) log::warn("{}", warning);
  if (!options.items.empty()) evaluate::write_items(options.items, evaluation.items);
  fmt::print("{}", shows_table(options.format) ? as_table(evaluation)
                                               : evaluate::to_json(evaluation) + "\n");
  return ExitCode::kDone;
}

}  // namespace lynceus::cli
