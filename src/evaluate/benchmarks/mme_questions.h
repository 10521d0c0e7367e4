// The questions of MME (Fu et al., arXiv 2306.13394). In the folders that its authors give away:
//
//   FOLDER/TASK/IMAGE.jpg, IMAGE.txt                        or
//   FOLDER/TASK/images/IMAGE.jpg, questions_answers_YN/IMAGE.txt
//
// Each text has two lines: QUESTION <tab> Yes or No, which is right. Or in one table, MME.tsv of
// VLMEvalKit, with the columns index, category (the task), question, answer (Yes or No) and image:
// a picture in base64, or the index of the row that has it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace lynceus::evaluate {

/// The questions as rows in JSON, {"category": TASK, "image": path below `folder`, "question",
/// "answer": "Yes" or "No"}, by task, in the order of mme_tasks(), then by name of the image.
/// InputError that lists all faults: an unknown layout, texts without a picture, other lines, and
/// tasks without a folder unless `partial`.
std::vector<std::string> mme_questions(const std::filesystem::path& folder, bool partial);

/// The same of a table, in its order. Its pictures become files in `pictures`, which is made if
/// needed; "image" is their name. InputError that lists all faults: missing columns, other answers,
/// pictures that are no base64.
std::vector<std::string> mme_questions_of_table(const std::filesystem::path& table,
                                                const std::filesystem::path& pictures);

}  // namespace lynceus::evaluate
