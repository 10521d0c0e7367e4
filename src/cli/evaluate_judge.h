// Who judges the answers of `evaluate openvqa`: the options, and the scores of one judge or
// several.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "evaluate/evaluation.h"
#include "evaluate/judge/judges.h"

namespace lynceus::cli {

struct JudgeOptions {
  std::vector<std::string> judges;
  std::vector<std::string> results;
  evaluate::JudgeModel model{"gpt-4", 16};
  evaluate::HttpJudge http;
  std::string journal = "auto";

  template <typename Visitor>
  void visit(Visitor& v) {
    v.list("judge", judges,
           "openvqa: who decides whether an answer is right: exact (equal to a reference after "
           "normalisation; the default), http URL (a model behind an OpenAI-compatible API) or "
           "batch FILE (writes the questions to a model); several of them follow one another");
    v.list("judge-results", results,
           "openvqa: files with the replies of models to the questions, in the format of OpenAI's "
           "batches; a judge each");
    v.field("judge-model", model.name, "of http and batch: the name of the model");
    v.field("judge-max-tokens", model.max_tokens,
            "of a reply; more for a model that thinks first; 0: the server's default");
    v.field("judge-journal", journal,
            "http: file of the replies, from which later calls continue; auto: judge.jsonl next to "
            "the answers");
    v.field("judge-key-file", http.key_file,
            "http: file with the key of the API; before the variable");
    v.field("judge-key-variable", http.key_variable, "http: environment variable with the key");
    v.field("judge-requests-per-minute", http.requests_per_minute,
            "http: most requests in any 60 s; 0: no limit");
    v.field("judge-parallel", http.parallel, "http: most requests at once");
    v.field("judge-retries", http.retries, "http: of one question");
    v.field("judge-timeout", http.timeout_seconds, "http: of one request, s");
  }
  /// The keys above.
  static std::vector<std::string_view> keys();
};

/// The scores of Open-VQA. With several judges those of the first, then those of the others and
/// Cohen's kappa of every two. UsageError for a judge that is not known or comes twice.
evaluate::Evaluation judge_openvqa(const std::vector<std::filesystem::path>& answers,
                                   const JudgeOptions& options);

}  // namespace lynceus::cli
