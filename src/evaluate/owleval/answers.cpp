#include "evaluate/owleval/answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <utility>

#include "core/error.h"
#include "core/random.h"
#include "evaluate/answer_rows.h"
#include "io/files/digest.h"

namespace lynceus::evaluate {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kPublishedQuestions = 82;
constexpr int64_t kMostId = int64_t{1} << 40;

int64_t number_of(const io::Json& row) { return row.at("question_id").integer(0, kMostId); }

using Questions = std::map<int64_t, OwlQuestion>;

Questions read_questions(const fs::path& file, InputFaults* faults) {
  Questions questions;
  if (file.empty()) {
    for (int64_t id = 1; id <= kPublishedQuestions; ++id) questions[id].id = id;
    return questions;
  }
  UniqueIds ids;
  for (const io::Json& row : read_rows(file, faults))
    faults->collect([&] {
      const int64_t id = number_of(row);
      ids.add(std::to_string(id), row.where(), faults);
      questions[id] = {id, text_or_none(row, "image"), text_of(row.at("question"))};
    });
  return questions;
}

/// Takes text and image of a question from a row if they are not known yet.
void complete(const io::Json& row, OwlQuestion* question) {
  if (question->text.empty()) question->text = text_or_none(row, "question");
  if (question->image.empty()) question->image = text_or_none(row, "image");
}

void take_name(const io::Json& row, std::string* name) {
  const std::string found = text_or_none(row, "model_id");
  if (found.empty()) return;
  if (!name->empty() && *name != found)
    throw InputError("{}: key model_id: expected the answers of one model, {}, found {}",
                     row.where(), *name, found);
  *name = found;
}

OwlModel read_model(const fs::path& file, Questions* questions, InputFaults* faults) {
  OwlModel model;
  model.file = file;
  std::map<int64_t, std::string> answers;
  UniqueIds ids;
  for (const io::Json& row : read_rows(file, faults))
    faults->collect([&] {
      const int64_t id = number_of(row);
      const auto question = questions->find(id);
      if (question == questions->end())
        throw InputError("{}: expected one of the {} questions, found question_id {}", row.where(),
                         questions->size(), id);
      ids.add(std::to_string(id), row.where(), faults);
      const auto predicted = row.find("answer_predicted");
      answers[id] = (predicted ? *predicted : row.at("answer")).string();
      complete(row, &question->second);
      take_name(row, &model.name);
    });
  if (model.name.empty()) model.name = file.stem().string();
  for (const auto& [id, question] : *questions) {
    const auto found = answers.find(id);
    if (found == answers.end())
      faults->add(
          fmt::format("{}: expected an answer to each of the {} questions, found none to {}",
                      file.string(), questions->size(), id));
    model.answers.push_back(found == answers.end() ? "" : found->second);
  }
  return model;
}

}  // namespace

OwlAnswers read_owleval(const std::vector<fs::path>& answers, const fs::path& questions) {
  InputFaults faults;
  Questions known = read_questions(questions, &faults);
  faults.raise();
  OwlAnswers all;
  for (const fs::path& file : answers) all.models.push_back(read_model(file, &known, &faults));
  std::sort(all.models.begin(), all.models.end(),
            [](const OwlModel& a, const OwlModel& b) { return a.name < b.name; });
  for (size_t m = 1; m < all.models.size(); ++m)
    if (all.models[m].name == all.models[m - 1].name)
      faults.add(fmt::format(
          "{}: expected a model with a name of its own, found {}, the name of {}",
          all.models[m].file.string(), all.models[m].name, all.models[m - 1].file.string()));
  faults.raise();
  for (const auto& [id, question] : known) all.questions.push_back(question);
  return all;
}

std::vector<size_t> shown_order(uint64_t seed, int64_t question_id, size_t models) {
  std::vector<size_t> order(models);
  std::iota(order.begin(), order.end(), 0);
  const CounterRandom random(seed, "order of the answers in a sheet of OwlEval");
  const uint64_t first = static_cast<uint64_t>(question_id) << 16;
  for (size_t last = models; last > 1; --last)  // Fisher and Yates
    std::swap(order[last - 1], order[random.below(first + last, last)]);
  return order;
}

std::string sheet_digest(const OwlAnswers& answers, uint64_t seed) {
  std::string text = fmt::format("{}\n", seed);
  const auto add = [&](const std::string& part) {
    text += fmt::format("{} {}\n", part.size(), part);
  };
  for (const OwlQuestion& question : answers.questions) {
    text += fmt::format("{}\n", question.id);
    add(question.text);
  }
  for (const OwlModel& model : answers.models) {
    add(model.name);
    for (const std::string& answer : model.answers) add(answer);
  }
  return io::digest128(text.data(), text.size()).hex();
}

}  // namespace lynceus::evaluate
