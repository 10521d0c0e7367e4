// The question that the paper asks its judge about an answer (arXiv 2307.02469), and how a reply to
// it is read.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lynceus::evaluate {

constexpr const char* kJudgeSource = "Lynx paper, arXiv 2307.02469";

/// Given the question "QUESTION", does the answer "PREDICTION" imply the answer "GROUND_TRUTH"?
/// Answer with Yes or No.
std::string judge_question(std::string_view question, std::string_view prediction,
                           std::string_view ground_truth);

/// Whether the first word of the reply is yes or no, whatever its case and the signs around it;
/// nullopt for any other word. What a model writes before </think> is not its reply.
std::optional<bool> verdict_of_reply(std::string_view reply);

}  // namespace lynceus::evaluate
