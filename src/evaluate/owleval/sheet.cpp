#include "evaluate/owleval/sheet.h"

#include <fmt/format.h>

#include <map>
#include <vector>

#include "core/error.h"
#include "evaluate/answer_rows.h"
#include "evaluate/owleval/ratings.h"
#include "evaluate/owleval/sheet_page.h"
#include "evaluate/picture.h"
#include "evaluate/words.h"
#include "io/files/file.h"
#include "io/files/json_value.h"
#include "io/files/missing_file.h"

namespace lynceus::evaluate {
namespace {

namespace fs = std::filesystem;
using io::JsonValue;

/// {"width", "height", "source"}
JsonValue embed(const fs::path& path) {
  if (!io::file_exists(path))
    throw InputError("{}: expected a picture of OwlEval, found {}", path.string(),
                     io::missing_text(path));
  const EmbeddedPicture picture = embedded_picture(io::read_text(path), path.string());
  return JsonValue::object(
      {{"width", picture.width}, {"height", picture.height}, {"source", picture.source}});
}

/// With m models on 5 scores at least m - 5 pairs are equal: one for 6, too many beyond.
void check_models(const OwlAnswers& answers, InputFaults* faults) {
  const size_t models = answers.models.size();
  const bool fits = models <= kMostScore ||
                    (models == kMostScore + 1 && answers.questions.size() <= size_t{kMostTies});
  if (!fits)
    faults->add(
        fmt::format("owleval: expected at most {} models, because at most {} of them may "
                    "have the same score on an item and at most {} items may have a tie; "
                    "found {}",
                    kMostScore, kMostTiedModels, kMostTies, models));
}

JsonValue sheet_data(const OwlAnswers& answers, uint64_t seed, const fs::path& images) {
  InputFaults faults;
  check_models(answers, &faults);
  std::map<std::string, JsonValue> pictures;
  JsonValue items = JsonValue::array();
  for (size_t q = 0; q < answers.questions.size(); ++q) {
    const OwlQuestion& question = answers.questions[q];
    faults.collect([&] {
      if (stripped(question.text).empty())
        throw InputError(
            "question {}: expected its text in the answers or in --questions, found "
            "none",
            question.id);
      if (!images.empty() && question.image.empty())
        throw InputError(
            "question {}: expected the name of its image in the answers or in "
            "--questions, found none",
            question.id);
      if (!images.empty() && !pictures.contains(question.image)) {
        pictures[question.image] = JsonValue();
        pictures[question.image] = embed(images / question.image);
      }
    });
    JsonValue shown = JsonValue::array();
    for (const size_t model : shown_order(seed, question.id, answers.models.size()))
      shown.push_back(answers.models[model].answers[q]);
    items.push_back(JsonValue::object({{"id", std::to_string(question.id)},
                                       {"question", question.text},
                                       {"image", question.image},
                                       {"answers", shown}}));
  }
  faults.raise();
  JsonValue embedded = JsonValue::object();
  for (const auto& [name, picture] : pictures) embedded.set(name, picture);
  return JsonValue::object({{"format", kRatingsFormat},
                            {"sheet", sheet_digest(answers, seed)},
                            {"seed", std::to_string(seed)},
                            {"padding", kSheetPadding},
                            {"most_score", kMostScore},
                            {"most_tied_models", kMostTiedModels},
                            {"most_ties", kMostTies},
                            {"items", items},
                            {"pictures", embedded}});
}

}  // namespace

std::string make_sheet(const OwlAnswers& answers, uint64_t seed, const fs::path& images) {
  // "<" would end the script element if an answer contains "</script>".
  const std::string data =
      replaced(sheet_data(answers, seed, images).dump_replacing(), "<", "\\u003c");
  return replaced(kSheetPage, "@DATA@", data);
}

}  // namespace lynceus::evaluate
