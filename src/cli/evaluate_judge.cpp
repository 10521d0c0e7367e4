#include "cli/evaluate_judge.h"

#include <set>
#include <utility>

#include "core/error.h"
#include "evaluate/benchmarks/openvqa.h"
#include "evaluate/compare/several_judges.h"
#include "evaluate/verdict.h"

namespace lynceus::cli {
namespace {

using evaluate::Judge;

/// The words of --judge: exact, http URL, batch FILE.
std::vector<Judge> named_judges(const JudgeOptions& options, const evaluate::HttpJudge& http) {
  std::vector<Judge> judges;
  const auto& words = options.judges;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const bool has_more = word == "http" || word == "batch";
    if (has_more && i + 1 == words.size())
      throw UsageError("judge: expected {} after {}, found nothing",
                       word == "http" ? "a URL" : "a file", word);
    if (word == "exact") {
      judges.push_back(evaluate::exact_judge());
    } else if (word == "http") {
      evaluate::HttpJudge how = http;
      how.url = words[++i];
      judges.push_back(evaluate::http_judge(how, options.model));
    } else if (word == "batch") {
      judges.push_back(evaluate::batch_judge(words[++i], options.model));
    } else {
      throw UsageError("judge: expected exact, http URL or batch FILE, found '{}'", word);
    }
  }
  return judges;
}

}  // namespace

std::vector<std::string_view> JudgeOptions::keys() {
  return {"judge",          "judge-results",  "judge-model",        "judge-max-tokens",
          "judge-journal",  "judge-key-file", "judge-key-variable", "judge-requests-per-minute",
          "judge-parallel", "judge-retries",  "judge-timeout"};
}

evaluate::Evaluation judge_openvqa(const std::vector<std::filesystem::path>& answers,
                                   const JudgeOptions& options) {
  evaluate::HttpJudge http = options.http;
  http.journal = options.journal == "auto" ? answers.front().parent_path() / "judge.jsonl"
                                           : std::filesystem::path(options.journal);
  std::vector<Judge> judges = named_judges(options, http);
  for (const std::string& file : options.results) judges.push_back(evaluate::results_judge(file));
  if (judges.empty()) judges.push_back(evaluate::exact_judge());
  std::set<std::string> names;
  for (const Judge& judge : judges)
    if (!names.insert(judge.name).second)
      throw UsageError("judge: expected judges of different names, found {} twice", judge.name);
  std::vector<evaluate::Evaluation> evaluations;
  for (const Judge& judge : judges)
    evaluations.push_back(evaluate::evaluate_openvqa(answers, judge));
  return evaluate::combine_judges(std::move(evaluations));
}

}  // namespace lynceus::cli
