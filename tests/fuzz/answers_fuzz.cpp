// Files of answers to benchmarks, and filled sheets of OwlEval. The first byte chooses the reader.
// What is accepted can be scored and written as JSON.
#include "core/text/text_encoding.h"
#include "evaluate/benchmarks/caption.h"
#include "evaluate/benchmarks/heldout.h"
#include "evaluate/benchmarks/mme.h"
#include "evaluate/benchmarks/mme_questions.h"
#include "evaluate/benchmarks/openvqa.h"
#include "evaluate/benchmarks/options.h"
#include "evaluate/benchmarks/vqa.h"
#include "evaluate/contact_sheet.h"
#include "evaluate/evaluation.h"
#include "evaluate/items.h"
#include "evaluate/owleval/answers.h"
#include "evaluate/owleval/ratings.h"
#include "fuzz/fuzz.h"
#include "io/files/json.h"

using namespace lynceus;

namespace {

/// The results are JSON, whatever the texts of the answers are.
void write(const evaluate::Evaluation& evaluation) {
  fuzz::require(!evaluation.items.empty(), "a score has items");
  io::Json::parse(evaluate::to_json(evaluation), "scores");
  for (const evaluate::Item& item : evaluation.items)
    io::Json::parse(evaluate::to_json(item), "item");
  evaluate::card_lines(evaluation);
}

void read_ratings(const std::filesystem::path& path) {
  evaluate::OwlAnswers answers;
  answers.questions = {{1, "1.jpg", "one"}, {2, "1.jpg", "two"}};
  answers.models = {{"a", {}, {"x", "y"}}, {"b", {}, {"z", ""}}};
  for (const evaluate::Ratings& ratings : evaluate::read_ratings({path}, answers))
    for (const std::vector<int>& scores : ratings.scores)
      fuzz::require(scores.size() == 2 && scores[0] >= 1 && scores[1] <= 5, "scores in range");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string input = fuzz::text_of(data + 1, size - 1);
  const auto path = fuzz::folder().file("answers.jsonl", input);
  fuzz::accepts([&] {
    switch (data[0] % 11) {
      case 0:
        return write(evaluate::evaluate_captions(path));
      case 1:
        return write(evaluate::evaluate_mme(path, /*partial=*/true));
      case 2: {
        fuzz::folder().file("existence.txt", input);
        std::filesystem::remove(path);
        return write(evaluate::evaluate_mme(path.parent_path(), /*partial=*/true));
      }
      case 3:
        return write(evaluate::evaluate_openvqa({path}, evaluate::exact_judge()));
      case 4:
        return write(evaluate::evaluate_vqa({path}));
      case 5: {
        const evaluate::OwlAnswers answers = evaluate::read_owleval({path}, path);
        fuzz::require(!answers.questions.empty(), "answers have questions");
        return;
      }
      case 6:
        return read_ratings(path);
      case 7:
        return write(evaluate::evaluate_options({path}));
      case 8: {
        std::filesystem::create_directories(path.parent_path() / "existence");
        fuzz::folder().file("existence/a.txt", input);
        fuzz::folder().file("existence/a.jpg", "");
        for (const std::string& row : evaluate::mme_questions(path.parent_path(), /*partial=*/true))
          io::Json::parse(row, "row");
        return;
      }
      case 9: {
        fuzz::folder().file("table.tsv", input);
        for (const std::string& row : evaluate::mme_questions_of_table(
                 path.parent_path() / "table.tsv", path.parent_path() / "pictures"))
          io::Json::parse(row, "row");
        return;
      }
      default: {
        const evaluate::Evaluation evaluation = evaluate::evaluate_heldout({.answers = {path}});
        write(evaluation);
        evaluate::make_contact_sheet(
            evaluation, [](size_t) { return std::vector<evaluate::EmbeddedPicture>(); });
      }
    }
  });
  return 0;
}
