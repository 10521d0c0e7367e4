#include "evaluate/benchmarks/mme_files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "core/text/text_encoding.h"
#include "evaluate/answer_rows.h"
#include "io/files/file.h"
#include "io/files/lines.h"
#include "io/files/missing_file.h"
#include "io/text/lower_case.h"

namespace lynceus::evaluate {
namespace {

namespace fs = std::filesystem;

constexpr MmeTask kTasks[] = {{"existence", "perception", 60},
                              {"count", "perception", 60},
                              {"position", "perception", 60},
                              {"color", "perception", 60},
                              {"posters", "perception", 294},
                              {"celebrity", "perception", 340},
                              {"scene", "perception", 400},
                              {"landmark", "perception", 400},
                              {"artwork", "perception", 400},
                              {"OCR", "perception", 40},
                              {"commonsense_reasoning", "cognition", 140},
                              {"numerical_calculation", "cognition", 40},
                              {"text_translation", "cognition", 40},
                              {"code_reasoning", "cognition", 40}};

std::string file_of(const MmeTask& task) { return std::string(task.name) + ".txt"; }

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells(1);
  for (const char c : line)
    if (c == '\t')
      cells.emplace_back();
    else
      cells.back() += c;
  return cells;
}

YesNo truth_of(const std::string& text, const std::string& what) {
  const std::string truth = io::lower_case(text);
  if (truth != "yes" && truth != "no")
    throw InputError("{}: expected Yes or No, found '{}'", what, text);
  return truth == "yes" ? YesNo::kYes : YesNo::kNo;
}

MmeRow read_line(std::string line, const std::string& where) {
  if (line.ends_with('\r')) line.pop_back();
  if (!is_utf8(line)) throw InputError("{}: expected UTF-8, found other bytes", where);
  if (line.find('\r') != std::string::npos)
    throw InputError("{}: expected an answer in one line, found a carriage return in it", where);
  const std::vector<std::string> cells = cells_of(line);
  if (cells.size() != 4)
    throw InputError(
        "{}: expected 4 cells with tabs between them (image, question, Yes or No, answer), found "
        "{}",
        where, cells.size());
  return {where, cells[0], cells[1], cells[3], truth_of(cells[2], where + ": third cell")};
}

/// Sets the ids; a question that occurs twice is a fault.
void number_rows(MmeTaskRows* task, InputFaults* faults) {
  UniqueIds questions;
  std::map<std::string, int> questions_of;  // of each image
  for (MmeRow& row : task->rows) {
    row.id = fmt::format("{}/{}#{}", task->task->name, row.image, ++questions_of[row.image]);
    questions.add(row.image + ": " + row.question, row.where, faults);
  }
}

void check_pairs(const fs::path& file, const std::vector<MmeRow>& rows, InputFaults* faults) {
  if (rows.size() % 2 != 0)
    faults->add(fmt::format("{}: expected two lines for each image, found {} lines", file.string(),
                            rows.size()));
  for (size_t i = 0; i + 1 < rows.size(); i += 2)
    if (rows[i].image != rows[i + 1].image)
      faults->add(fmt::format("{}: expected the second question of image '{}', found image '{}'",
                              rows[i + 1].where, rows[i].image, rows[i + 1].image));
}

MmeTaskRows read_task(const fs::path& file, const MmeTask& task, InputFaults* faults) {
  MmeTaskRows rows = {&task, {}};
  io::Lines lines(file);
  std::string line;
  bool is_whole = true;
  for (bool is_end = false; !is_end;)
    is_whole &= faults->collect([&] {
      is_end = !lines.next(line);
      if (is_end) return;
      rows.rows.push_back(
          read_line(line, fmt::format("{}:{}", file.string(), lines.line_number())));
    });
  number_rows(&rows, faults);
  if (is_whole && rows.rows.empty())
    faults->add(fmt::format("{}: expected lines with answers, found none", file.string()));
  if (is_whole) check_pairs(file, rows.rows, faults);
  return rows;
}

MmeAnswers read_folder(const fs::path& path, InputFaults* faults) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(path))
    names.insert(entry.path().filename().string());
  MmeAnswers answers;
  for (const MmeTask& task : kTasks) {
    if (names.erase(file_of(task)) == 0) continue;
    answers.files.push_back(file_of(task));
    answers.tasks.push_back(read_task(path / file_of(task), task, faults));
  }
  if (answers.files.empty())
    throw InputError(
        "{}: unknown layout: expected existence.txt, count.txt and the files of the other tasks of "
        "MME, found {} other files",
        path.string(), names.size());
  names.erase("card.json");
  if (!names.empty())
    answers.warnings.push_back(
        fmt::format("{}: not read: {}", path.string(), fmt::join(names, ", ")));
  return answers;
}

std::string in_one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\t' || c == '\n' || c == '\r'; }, ' ');
  return text;
}

/// Index of the task in kTasks, and the row.
std::pair<size_t, MmeRow> read_object(const io::Json& row) {
  const std::string category = text_of(row.at("category"));
  const auto* task = std::find_if(std::begin(kTasks), std::end(kTasks),
                                  [&](const MmeTask& known) { return known.name == category; });
  if (task == std::end(kTasks))
    throw InputError("{}: key category: expected a task of MME, found '{}'", row.where(), category);
  const io::Json truth = row.at("answer");
  return {
      static_cast<size_t>(task - std::begin(kTasks)),
      {row.where(), in_one_line(text_of(row.at("image"))), in_one_line(text_of(row.at("question"))),
       in_one_line(row.at("answer_predicted").string()), truth_of(truth.string(), truth.where())}};
}

/// The rows of a task with those of an image next to each other, in the order of first appearance.
std::vector<MmeRow> paired(const std::vector<MmeRow>& rows, const MmeTask& task,
                           InputFaults* faults) {
  std::map<std::string, std::vector<const MmeRow*>> images;
  for (const MmeRow& row : rows) images[row.image].push_back(&row);
  std::vector<MmeRow> pairs;
  for (const MmeRow& row : rows) {
    const auto& of_image = images.at(row.image);
    if (of_image.front() != &row) continue;
    if (of_image.size() != 2)
      faults->add(fmt::format("{}: expected two questions of image '{}' in the task {}, found {}",
                              row.where, row.image, task.name, of_image.size()));
    for (const MmeRow* each : of_image) pairs.push_back(*each);
  }
  return pairs;
}

MmeAnswers read_file(const fs::path& path, InputFaults* faults) {
  std::vector<std::vector<MmeRow>> tasks(std::size(kTasks));
  for (const io::Json& row : read_rows(path, faults))
    faults->collect([&] {
      auto [task, read] = read_object(row);
      tasks[task].push_back(std::move(read));
    });
  MmeAnswers answers;
  for (size_t t = 0; t < tasks.size(); ++t) {
    if (tasks[t].empty()) continue;
    answers.tasks.push_back({&kTasks[t], paired(tasks[t], kTasks[t], faults)});
    number_rows(&answers.tasks.back(), faults);
  }
  return answers;
}

/// Compares with the published benchmark.
void check_counts(const fs::path& path, bool partial, MmeAnswers* answers, InputFaults* faults) {
  std::vector<std::string> other_counts;
  for (const MmeTask& task : kTasks) {
    const auto found = std::find_if(answers->tasks.begin(), answers->tasks.end(),
                                    [&](const MmeTaskRows& rows) { return rows.task == &task; });
    if (found == answers->tasks.end()) {
      answers->missing.emplace_back(task.name);
      if (!partial)
        faults->add(fmt::format(
            "{}: expected the answers of the task {}, found none; --partial leaves out tasks "
            "without answers",
            path.string(), task.name));
    } else if (const auto rows = static_cast<int64_t>(found->rows.size()); rows != task.questions) {
      other_counts.push_back(fmt::format("{} {} of {}", task.name, rows, task.questions));
    }
  }
  if (!other_counts.empty())
    answers->warnings.push_back(
        fmt::format("{}: expected the numbers of questions as published, found {}: the scores are "
                    "not those of whole tasks",
                    path.string(), fmt::join(other_counts, ", ")));
  answers->is_complete = answers->missing.empty() && other_counts.empty();
}

}  // namespace

std::span<const MmeTask> mme_tasks() { return kTasks; }

MmeAnswers read_mme(const fs::path& path, bool partial) {
  std::error_code failure;
  if (!fs::exists(path, failure))
    throw InputError(
        "{}: expected a folder with a file of answers for each task of MME, or a JSONL file, found "
        "{}",
        path.string(), io::missing_text(path));
  InputFaults faults;
  MmeAnswers answers =
      fs::is_directory(path) ? read_folder(path, &faults) : read_file(path, &faults);
  if (!answers.tasks.empty() || !faults.any()) check_counts(path, partial, &answers, &faults);
  faults.raise();
  return answers;
}

void write_mme(const fs::path& folder, const MmeAnswers& answers) {
  std::error_code failure;
  fs::create_directories(folder, failure);
  if (failure) throw IoError("{}: {}", folder.string(), failure.message());
  for (const MmeTaskRows& task : answers.tasks) {
    std::string text;
    for (const MmeRow& row : task.rows)
      text += fmt::format("{}\t{}\t{}\t{}\n", row.image, row.question,
                          row.truth == YesNo::kYes ? "Yes" : "No", row.answer);
    io::atomic_write_text(folder / file_of(*task.task), text);
  }
}

}  // namespace lynceus::evaluate
