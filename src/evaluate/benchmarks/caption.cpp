#include "evaluate/benchmarks/caption.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "core/error.h"
#include "evaluate/answer_rows.h"
#include "evaluate/benchmarks/caption_metrics.h"

namespace lynceus::evaluate {
namespace {

using io::JsonValue;

const ParseRule kRule = {
    .name = "caption words",
    .text =
        "lower case; every run of characters outside a-z and 0-9 separates two words; metrics "
        "of pycocoevalcap 1.2",
    .source = "tylin/coco-caption, pycocoevalcap (PyPI)"};

JsonValue bleu_of(const CaptionScore& score) {
  JsonValue list = JsonValue::array();
  for (const double value : score.bleu) list.push_back(value);
  return list;
}

Item read_item(const io::Json& row, size_t number, CaptionPair* pair) {
  Item item;
  item.benchmark = "caption";
  item.set = "captions";
  const auto id = row.find("id");
  item.id = id ? id_of(*id) : std::to_string(number);
  const std::string image = text_or_none(row, "image");
  item.media = image.empty() ? item.id : image;
  const auto predicted = row.find("answer_predicted");
  item.answer = (predicted ? *predicted : row.at("candidate")).string();
  const std::vector<std::string> references = texts_of(row.at("references"));
  item.reference = joined_references(references);
  item.judge = "cider";
  pair->candidate = caption_words(item.answer);
  for (size_t i = 0; i < references.size(); ++i) {
    pair->references.push_back(caption_words(references[i]));
    if (pair->references.back().empty())
      throw InputError("{}[{}]: expected a caption with words, found '{}'",
                       row.at("references").where(), i, references[i]);
  }
  return item;
}

void tabulate(const CaptionScore& score, size_t empty, Evaluation* result) {
  auto& rows = result->table.rows;
  rows = {{"metric", "score"}};
  for (size_t n = 0; n < score.bleu.size(); ++n) {
    result->scores.set(fmt::format("bleu_{}", n + 1), score.bleu[n]);
    rows.push_back({fmt::format("BLEU-{}", n + 1), fmt::format("{:.4f}", score.bleu[n])});
  }
  rows.push_back({"ROUGE-L", fmt::format("{:.4f}", score.rouge_l)});
  rows.push_back({"CIDEr", fmt::format("{:.4f}", score.cider)});
  result->table.notes.push_back(
      fmt::format("{} captions, {} of them without words", result->items.size(), empty));
}

}  // namespace

Evaluation evaluate_captions(const std::filesystem::path& answers) {
  Evaluation result;
  result.benchmark = "caption";
  InputFaults faults;
  UniqueIds ids;
  std::vector<CaptionPair> pairs;
  for (const io::Json& row : read_rows(answers, &faults))
    faults.collect([&] {
      CaptionPair pair;
      Item item = read_item(row, result.items.size() + 1, &pair);
      if (row.find("id")) ids.add(item.id, row.where(), &faults);
      result.items.push_back(std::move(item));
      pairs.push_back(std::move(pair));
    });
  faults.raise();
  const CaptionScores scores = score_captions(pairs);
  size_t empty = 0;
  for (size_t i = 0; i < pairs.size(); ++i) {
    const CaptionScore& score = scores.items[i];
    result.items[i].value = score.cider;
    result.items[i].more = {
        {"bleu", bleu_of(score)}, {"rouge_l", score.rouge_l}, {"cider", score.cider}};
    empty += pairs[i].candidate.empty();
  }
  result.scores.set("bleu", bleu_of(scores.corpus));
  result.scores.set("rouge_l", scores.corpus.rouge_l);
  result.scores.set("cider", scores.corpus.cider);
  result.scores.set("captions_without_words", empty);
  tabulate(scores.corpus, empty, &result);
  result.card = {.answers = {digest_answers(answers, {})}, .rule = kRule, .judge = ""};
  return result;
}

}  // namespace lynceus::evaluate
