// Files of answers to MME (Fu et al., arXiv 2306.13394), in two layouts:
//
//   a folder  as the official tool reads it: a file TASK.txt for each task, in each line
//               IMAGE <tab> QUESTION <tab> Yes or No, which is right <tab> ANSWER
//             with the two questions of an image in neighbouring lines
//   a file    JSONL rows {"category": TASK, "image", "question", "answer": "Yes" or "No",
//             "answer_predicted": ANSWER} in any order, two for each image of a task. Tabs and line
//             ends in an answer become spaces, as a result file needs it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "evaluate/benchmarks/mme_rules.h"

namespace lynceus::evaluate {

struct MmeTask {
  const char* name;   ///< of its file, without .txt
  const char* group;  ///< perception or cognition
  int64_t questions;  ///< in the published benchmark
};

/// All tasks in the order of the official tool.
std::span<const MmeTask> mme_tasks();

struct MmeRow {
  std::string where;  ///< FILE:LINE
  std::string image, question, answer;
  YesNo truth = YesNo::kOther;
  std::string id = {};  ///< TASK/IMAGE#1, #2
};

/// The answers to a task.
struct MmeTaskRows {
  const MmeTask* task = nullptr;
  std::vector<MmeRow> rows;  ///< the two questions of an image are neighbours
};

struct MmeAnswers {
  std::vector<MmeTaskRows> tasks;         ///< in the order of mme_tasks()
  std::vector<std::string> files = {};    ///< of a folder: names that were read
  std::vector<std::string> missing = {};  ///< tasks without answers
  bool is_complete = true;                ///< all tasks, with the published numbers of questions
  std::vector<std::string> warnings = {};
};

/// InputError that lists all faults: an unknown layout, malformed lines, an odd number of
/// questions, pairs of different images, a question twice, and tasks without answers unless
/// `partial`. Other numbers of questions than the published ones are a warning.
MmeAnswers read_mme(const std::filesystem::path& path, bool partial);

/// Writes TASK.txt for each task into `folder`, which is made if needed.
void write_mme(const std::filesystem::path& folder, const MmeAnswers& answers);

}  // namespace lynceus::evaluate
