#include "evaluate/verdict.h"

#include <algorithm>

#include "evaluate/vqa_normal_form.h"

namespace lynceus::evaluate {

bool matches_exactly(std::string_view answer, std::span<const std::string> references) {
  const std::string given = normal_form(answer);
  return !given.empty() &&
         std::any_of(references.begin(), references.end(),
                     [&](const std::string& reference) { return normal_form(reference) == given; });
}

Judge exact_judge() {
  return {.name = "exact",
          .rule = "equal to a reference after the normalisation of VQA",
          .source = kVqaSource,
          .decide = [](std::span<const JudgedItem> items) {
            std::vector<Judgement> verdicts;
            for (const JudgedItem& item : items)
              verdicts.emplace_back(matches_exactly(item.answer, item.references));
            return verdicts;
          }};
}

}  // namespace lynceus::evaluate
