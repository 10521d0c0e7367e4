// The benchmarks of `lynceus evaluate`: their options, and how answers that exist are scored.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"
#include "cli/evaluate_judge.h"
#include "core/config/config.h"
#include "evaluate/evaluation.h"

namespace lynceus::cli {

/// How answers are scored. `answers`, the files, is an option of commands that do not write them.
struct ScoreOptions {
  std::vector<std::string> answers;
  std::string format = "auto";
  std::string items;
  JudgeOptions judge;
  bool partial = false;
  std::string results;
  std::string questions;
  std::string sheet;
  std::string images;
  std::vector<std::string> pictures;
  std::vector<std::string> ratings;
  uint64_t seed = 1;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.choice("format", format, {"auto", "table", "json"},
             "of the scores: table, json (one object), or auto: a table on a terminal, json "
             "elsewhere");
    v.field("items", items, "file to write with one JSON object for each item");
    judge.visit(v);
    v.field("partial", partial, "mme: leave out tasks without a file of answers");
    v.field("results", results,
            "mme: folder to write the answers to, as the official tool reads them");
    v.field("questions", questions, "owleval: JSONL file of the questions, if not the published");
    v.field("sheet", sheet,
            "HTML file to write; owleval: in which people rate the answers; heldout: the answers "
            "with their pictures, right or wrong");
    v.field("images", images, "owleval: folder of the pictures of the sheet; none: without them");
    v.list("pictures", pictures,
           "heldout: datasets of the pictures of the sheet, NAME:GLOB as in data.validation");
    v.list("ratings", ratings, "owleval: filled sheets");
    v.field("seed", seed, "owleval: of the order of the answers in the sheet");
  }
};

struct Benchmark {
  std::string_view name;
  evaluate::Evaluation (*score)(const ScoreOptions&);
  bool takes_several;                     ///< paths of answers
  std::vector<std::string_view> options;  ///< that not all benchmarks have
};

/// The first argument; UsageError if it names no benchmark.
const Benchmark& find_benchmark(const Arguments& arguments);
/// Null if `name` is none.
const Benchmark* benchmark_of(std::string_view name);

/// UsageError for options of other benchmarks.
void check_score_options(const Benchmark& benchmark, const ConfigReader& reader);

/// Scores `options.answers`, warns of what is odd, writes the items and prints the scores.
void score_and_print(const Benchmark& benchmark, const ScoreOptions& options);

}  // namespace lynceus::cli
