#include "evaluate/benchmarks/mme_questions.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <optional>
#include <set>
#include <utility>

#include "core/error.h"
#include "core/text/base64.h"
#include "core/text/text_encoding.h"
#include "evaluate/answer_rows.h"
#include "evaluate/benchmarks/mme_files.h"
#include "evaluate/words.h"
#include "io/files/digest.h"
#include "io/files/file.h"
#include "io/files/json_value.h"
#include "io/files/lines.h"
#include "io/files/missing_file.h"
#include "io/files/table.h"
#include "io/text/lower_case.h"

namespace lynceus::evaluate {
namespace {

namespace fs = std::filesystem;
using io::JsonValue;

constexpr size_t kQuestions = 2;  // of an image

struct YesNoQuestion {
  std::string text, truth;
};

/// Yes or No as the rows have it.
std::string truth_of(const std::string& text, const std::string& where) {
  const std::string lower = io::lower_case(text);
  if (lower != "yes" && lower != "no")
    throw InputError("{}: expected Yes or No, found '{}'", where, text);
  return lower == "yes" ? "Yes" : "No";
}

std::string row_of(const std::string& task, const std::string& image,
                   const YesNoQuestion& question) {
  return JsonValue::object({{"category", task},
                            {"image", image},
                            {"question", question.text},
                            {"answer", question.truth}})
      .dump_replacing();
}

YesNoQuestion read_question(const std::string& line, const std::string& where) {
  const size_t tab = line.rfind('\t');
  if (tab == std::string::npos)
    throw InputError("{}: expected a question, a tab and Yes or No, found no tab", where);
  const std::string truth =
      truth_of(std::string(stripped(std::string_view(line).substr(tab + 1))), where);
  const std::string text(stripped(std::string_view(line).substr(0, tab)));
  if (text.empty()) throw InputError("{}: expected a question before the tab, found none", where);
  return {text, truth};
}

std::vector<YesNoQuestion> read_text(const fs::path& file) {
  std::vector<YesNoQuestion> questions;
  io::Lines lines(file);
  for (std::string line; lines.next(line);) {
    const std::string where = fmt::format("{}:{}", file.string(), lines.line_number());
    if (!is_utf8(line)) throw InputError("{}: expected UTF-8, found other bytes", where);
    if (!stripped(line).empty()) questions.push_back(read_question(line, where));
  }
  if (questions.size() != kQuestions)
    throw InputError("{}: expected {} questions, found {}", file.string(), kQuestions,
                     questions.size());
  return questions;
}

/// The picture of a text; InputError if there is none.
fs::path picture_of(const fs::path& text, const fs::path& pictures) {
  for (const char* ending : {".jpg", ".png", ".jpeg"}) {
    fs::path picture = pictures / text.stem();
    picture += ending;
    if (io::file_exists(picture)) return picture;
  }
  throw InputError("{}: expected its picture {}.jpg or .png, found none", text.string(),
                   (pictures / text.stem()).string());
}

void read_task(const fs::path& folder, const MmeTask& task, std::vector<std::string>* rows,
               InputFaults* faults) {
  const fs::path place = folder / task.name;
  const fs::path apart = place / "questions_answers_YN", images = place / "images";
  const fs::path texts = fs::is_directory(apart) ? apart : place;
  const fs::path pictures = fs::is_directory(images) ? images : place;
  std::set<fs::path> files;
  for (const auto& entry : fs::directory_iterator(texts))
    if (entry.path().extension() == ".txt") files.insert(entry.path());
  if (files.empty())
    faults->add(fmt::format("{}: expected texts with questions, found none", texts.string()));
  for (const fs::path& file : files)
    faults->collect([&] {
      const fs::path picture = picture_of(file, pictures);
      for (const YesNoQuestion& question : read_text(file))
        rows->push_back(row_of(task.name, picture.lexically_relative(folder).string(), question));
    });
}

/// The pictures of a table: those that rows have, by the index of the row.
class TablePictures {
 public:
  explicit TablePictures(fs::path folder) : folder_(std::move(folder)) {
    fs::create_directories(folder_);
  }

  /// The name of the picture of a row.
  std::string name_of(const io::Json& row, const std::string& index) {
    const std::string cell = row.at("image").string();
    const std::string key =
        cell.size() < kFewBytes ? cell : io::digest128(cell.data(), cell.size()).hex();
    if (const auto known = names_.find(key); known != names_.end())
      return names_[index] = known->second;
    const std::optional<std::string> bytes = from_base64(cell);
    if (!bytes || bytes->size() < kFewBytes)
      throw InputError("{}: image: expected a picture in base64, or the index of a row before",
                       row.where());
    const std::string name =
        fmt::format("{}.{}", index, bytes->starts_with("\x89PNG") ? "png" : "jpg");
    io::atomic_write_text(folder_ / name, *bytes);
    return names_[index] = names_[key] = name;
  }

 private:
  static constexpr size_t kFewBytes = 48;  // no picture is as small

  fs::path folder_;
  std::map<std::string, std::string> names_;  // by index of a row, and by digest of the base64
};

}  // namespace

std::vector<std::string> mme_questions(const fs::path& folder, bool partial) {
  if (!fs::is_directory(folder))
    throw InputError("{}: expected a folder, found {}", folder.string(), io::missing_text(folder));
  InputFaults faults;
  std::vector<std::string> rows, missing;
  for (const MmeTask& task : mme_tasks()) {
    if (fs::is_directory(folder / task.name))
      read_task(folder, task, &rows, &faults);
    else
      missing.emplace_back(task.name);
  }
  if (missing.size() == mme_tasks().size())
    throw InputError("{}: expected folders of MME's tasks ({}), found none", folder.string(),
                     fmt::join(missing, ", "));
  if (!missing.empty() && !partial)
    faults.add(
        fmt::format("{}: expected a folder of each task, found none of {} (--partial leaves "
                    "them out)",
                    folder.string(), fmt::join(missing, ", ")));
  faults.raise();
  return rows;
}

std::vector<std::string> mme_questions_of_table(const fs::path& table, const fs::path& pictures) {
  InputFaults faults;
  std::vector<std::string> rows;
  UniqueIds ids;
  TablePictures images(pictures);
  io::TableRows lines(table, io::TableFormat::kTsv, /*has_header=*/true);
  for (bool is_end = false; !is_end;)
    faults.collect([&] {
      const std::optional<io::Json> row = lines.next();
      is_end = !row;
      if (is_end) return;
      const std::string index = text_of(row->at("index"));
      if (index.find_first_not_of("0123456789") != std::string::npos)
        throw InputError("{}: index: expected a number, found '{}'", row->where(), index);
      ids.add(index, row->where(), &faults);
      const YesNoQuestion question{text_of(row->at("question")),
                                   truth_of(row->at("answer").string(), row->where())};
      rows.push_back(row_of(text_of(row->at("category")), images.name_of(*row, index), question));
    });
  if (rows.empty() && !faults.any())
    faults.add(fmt::format("{}: expected rows with questions, found none", table.string()));
  faults.raise();
  return rows;
}

}  // namespace lynceus::evaluate
