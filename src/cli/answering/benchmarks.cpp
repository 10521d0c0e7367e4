#include "cli/answering/benchmarks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "cli/evaluate_output.h"
#include "core/error.h"
#include "core/log.h"
#include "core/text/spelling.h"
#include "evaluate/benchmarks/caption.h"
#include "evaluate/benchmarks/heldout.h"
#include "evaluate/benchmarks/mme.h"
#include "evaluate/benchmarks/options.h"
#include "evaluate/benchmarks/vqa.h"
#include "evaluate/owleval/owleval.h"

namespace lynceus::cli {
namespace {

using Paths = std::vector<std::filesystem::path>;

Paths paths_of(const std::vector<std::string>& names) { return {names.begin(), names.end()}; }

evaluate::Evaluation score_caption(const ScoreOptions& options) {
  return evaluate::evaluate_captions(options.answers[0]);
}
evaluate::Evaluation score_heldout(const ScoreOptions& options) {
  if (options.sheet.empty() != options.pictures.empty())
    throw UsageError(
        "heldout: expected --sheet FILE and --pictures NAME:GLOB together, found only --{}",
        options.sheet.empty() ? "pictures" : "sheet");
  return evaluate::evaluate_heldout({paths_of(options.answers), options.sheet, options.pictures});
}
evaluate::Evaluation score_mme(const ScoreOptions& options) {
  return evaluate::evaluate_mme(options.answers[0], options.partial, options.results);
}
evaluate::Evaluation score_options(const ScoreOptions& options) {
  return evaluate::evaluate_options(paths_of(options.answers));
}
evaluate::Evaluation score_openvqa(const ScoreOptions& options) {
  return judge_openvqa(paths_of(options.answers), options.judge);
}
evaluate::Evaluation score_owleval(const ScoreOptions& options) {
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
evaluate::Evaluation score_vqa(const ScoreOptions& options) {
  return evaluate::evaluate_vqa(paths_of(options.answers));
}

const std::vector<Benchmark>& benchmarks() {
  static const std::vector<Benchmark> all = {
      {"heldout", score_heldout, true, {"sheet", "pictures"}},
      {"caption", score_caption, false, {}},
      {"mme", score_mme, false, {"partial", "results"}},
      {"options", score_options, true, {}},
      {"openvqa", score_openvqa, true, JudgeOptions::keys()},
      {"owleval", score_owleval, true, {"questions", "sheet", "images", "ratings", "seed"}},
      {"vqa", score_vqa, true, {}}};
  return all;
}

std::string as_table(const evaluate::Evaluation& evaluation) {
  std::string text = fmt::format("{}\n\n{}", evaluation.benchmark,
                                 aligned(evaluation.table.rows, evaluation.table.text_columns));
  if (!evaluation.table.notes.empty())
    text += fmt::format("\n{}\n", fmt::join(evaluation.table.notes, "\n"));
  return text + fmt::format("\nprotocol\n{}\n", fmt::join(evaluate::card_lines(evaluation), "\n"));
}

}  // namespace

const Benchmark& find_benchmark(const Arguments& arguments) {
  std::vector<std::string> names;
  for (const Benchmark& benchmark : benchmarks()) names.emplace_back(benchmark.name);
  const std::string found = arguments.empty() || arguments[0].starts_with("-") ? "" : arguments[0];
  if (const Benchmark* benchmark = benchmark_of(found)) return *benchmark;
  const std::string near = nearest_name(found, names);
  throw UsageError("evaluate: expected a benchmark first ({}), found {}{}", fmt::join(names, ", "),
                   found.empty() ? "none" : fmt::format("'{}'", found),
                   near.empty() ? "" : fmt::format(", did you mean {}?", near));
}

const Benchmark* benchmark_of(std::string_view name) {
  for (const Benchmark& benchmark : benchmarks())
    if (benchmark.name == name) return &benchmark;
  return nullptr;
}

void check_score_options(const Benchmark& benchmark, const ConfigReader& reader) {
  const auto has = [](const Benchmark& one, std::string_view key) {
    return std::find(one.options.begin(), one.options.end(), key) != one.options.end();
  };
  for (const Benchmark& other : benchmarks())
    for (const std::string_view key : other.options) {
      if (has(benchmark, key) || reader.origin(std::string(key)) == "default") continue;
      std::vector<std::string_view> owners;
      for (const Benchmark& owner : benchmarks())
        if (has(owner, key)) owners.push_back(owner.name);
      throw UsageError("evaluate {}: --{} is an option of {} only", benchmark.name, key,
                       fmt::join(owners, " and "));
    }
}

void score_and_print(const Benchmark& benchmark, const ScoreOptions& options) {
  const evaluate::Evaluation evaluation = benchmark.score(options);
  for (const std::string& warning : evaluation.warnings) log::warn("{}", warning);
  if (!options.items.empty()) evaluate::write_items(options.items, evaluation.items);
  fmt::print("{}", shows_table(options.format) ? as_table(evaluation)
                                               : evaluate::to_json(evaluation) + "\n");
}

}  // namespace lynceus::cli
