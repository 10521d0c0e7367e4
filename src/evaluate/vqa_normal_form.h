// The normal form of answers in the VQA challenge (Antol et al., VQA: Visual Question Answering,
// ICCV 2015), as in its script GT-Vision-Lab/VQA, PythonEvaluationTools/vqaEvaluation/vqaEval.py,
// commit a013f00.
#pragma once

#include <string>
#include <string_view>

namespace lynceus::evaluate {

constexpr const char* kVqaSource =
    "GT-Vision-Lab/VQA a013f00, PythonEvaluationTools/vqaEvaluation/vqaEval.py";

/// Line ends and tabs become spaces, and spaces at both ends are removed.
std::string trimmed_answer(std::string_view answer);

/// Without punctuation. Each of the characters ; / [ ] " { } ( ) = + \ _ - > < @ ` , ? ! is removed
/// if the text has it next to a space, or if the text has a comma between two digits; otherwise it
/// becomes a space. Then the first 32 points that no digit follows are removed.
std::string without_punctuation(std::string_view text);

/// In lower case; the numbers none to ten as digits; without a, an, the; contractions with their
/// apostrophes; words separated by one space.
std::string with_digits(std::string_view text);

/// All three in this order.
std::string normal_form(std::string_view answer);

}  // namespace lynceus::evaluate
