// Judges: whether an answer says the same as a reference.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lynceus::evaluate {

/// What a judge is asked about one item.
struct JudgedItem {
  std::string id;  ///< unique among the items of a call
  std::string question;
  std::vector<std::string> references;  ///< at least one; one of them is enough
  std::string answer;
};

/// A judgement: right, wrong, or absent where the judge has given none.
using Judgement = std::optional<bool>;

struct Judge {
  std::string name;    ///< as in protocol cards and per-item results
  std::string rule;    ///< one sentence for the protocol card
  std::string source;  ///< where the rule is from
  /// One judgement for each item, in their order. Errors are thrown.
  std::function<std::vector<Judgement>(std::span<const JudgedItem>)> decide;
};

/// Whether the answer equals one of the references after normal_form() of VQA
/// (evaluate/vqa_normal_form.h) on both. An answer without words is wrong.
bool matches_exactly(std::string_view answer, std::span<const std::string> references);

/// The judge `exact`: matches_exactly(). For tests and smoke runs: a right answer in other words
/// counts as wrong.
Judge exact_judge();

}  // namespace lynceus::evaluate
