#include "evaluate/benchmarks/heldout.h"

#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <utility>

#include "core/error.h"
#include "evaluate/answer_rows.h"
#include "evaluate/contact_sheet.h"
#include "io/dataset/answer_counts.h"
#include "io/dataset/dataset.h"
#include "io/files/file.h"

namespace lynceus::evaluate {
namespace {

namespace fs = std::filesystem;
using io::JsonValue;

const ParseRule kRule = {.name = "tokens of the reference",
                         .text =
                             "an answer is right if it has exactly the tokens of the "
                             "reference, the end token included",
                         .source = "`right` of lynceus generate"};

/// A row, and where its pictures are.
struct Sample {
  Item item;
  std::string key;
  int64_t number = 0;  // in its dataset
  std::string where;
};

Sample read_sample(const io::Json& row) {
  Sample sample;
  sample.where = row.where();
  sample.key = text_or_none(row, "key");
  sample.number = row.at("sample").integer(0);
  Item& item = sample.item;
  item.benchmark = "heldout";
  item.set = text_of(row.at("dataset"));
  item.class_ = text_or_none(row, "class");
  item.id = fmt::format("{}#{}", item.set, sample.number);
  item.media = sample.key.empty() ? item.id : sample.key;
  item.question = text_or_none(row, "question");
  item.reference = joined_references(texts_of(row.at("answer")));
  item.answer = row.at("answer_predicted").string();
  item.right = row.at("right").boolean();
  item.value = *item.right ? 1 : 0;
  item.judge = "tokens";
  return sample;
}

struct Score {
  int64_t questions = 0, right = 0;
  io::AnswerCounts references;

  void add(const Item& item) {
    ++questions;
    right += *item.right;
    references.add(item.reference);
  }
  double accuracy() const { return static_cast<double>(right) / static_cast<double>(questions); }
};

void summarize(const std::vector<Sample>& samples, Evaluation* result) {
  std::map<std::pair<std::string, std::string>, Score> scores;  // by set and class
  Score all;
  for (const Sample& sample : samples) {
    scores[{sample.item.set, sample.item.class_}].add(sample.item);
    all.add(sample.item);
  }
  JsonValue sets = JsonValue::array();
  result->table.text_columns = 2;
  result->table.rows = {{"set", "class", "accuracy", "right", "questions", "baseline"}};
  for (const auto& [place, score] : scores) {
    const auto& [set, class_name] = place;
    const double baseline = score.references.baseline();
    result->table.rows.push_back({set, class_name, percent(score.accuracy()),
                                  std::to_string(score.right), std::to_string(score.questions),
                                  percent(baseline)});
    sets.push_back(JsonValue::object({{"set", set},
                                      {"class", class_name},
                                      {"questions", score.questions},
                                      {"right", score.right},
                                      {"accuracy", score.accuracy()},
                                      {"baseline", baseline}}));
  }
  result->scores.set("accuracy", all.accuracy());
  result->scores.set("right", all.right);
  result->scores.set("questions", all.questions);
  result->scores.set("sets", sets);
}

/// The datasets of the pictures, by name.
std::map<std::string, io::Dataset> open_datasets(const std::vector<std::string>& pictures) {
  std::map<std::string, io::Dataset> datasets;
  for (const std::string& text : pictures) {
    const size_t colon = text.find(':');
    if (colon == 0 || colon == std::string::npos || colon + 1 == text.size())
      throw UsageError("pictures: expected NAME:GLOB, found '{}'", text);
    const std::string name = text.substr(0, colon);
    if (datasets.contains(name))
      throw UsageError("pictures: expected each dataset once, found '{}' again", name);
    datasets.emplace(name, io::Dataset(name, text.substr(colon + 1)));
  }
  return datasets;
}

std::vector<EmbeddedPicture> pictures_of(const Sample& sample,
                                         const std::map<std::string, io::Dataset>& datasets) {
  const auto found = datasets.find(sample.item.set);
  if (found == datasets.end())
    throw InputError("{}: expected the dataset of its pictures, --pictures {}:GLOB, found none",
                     sample.where, sample.item.set);
  const io::Dataset& dataset = found->second;
  if (sample.number >= dataset.size() || dataset.key(sample.number) != sample.key)
    throw InputError("{}: expected sample {} of {} to be '{}', found {}", sample.where,
                     sample.number, dataset.name(), sample.key,
                     sample.number >= dataset.size()
                         ? fmt::format("{} samples", dataset.size())
                         : fmt::format("'{}'", dataset.key(sample.number)));
  std::vector<EmbeddedPicture> pictures;
  for (int i = 0; i < dataset.media_count(sample.number); ++i)
    pictures.push_back(
        embedded_picture(dataset.read_media(sample.number, i), dataset.describe(sample.number)));
  return pictures;
}

void write_sheet(const HeldoutOptions& options, const std::vector<Sample>& samples,
                 const Evaluation& result) {
  const std::map<std::string, io::Dataset> datasets = open_datasets(options.pictures);
  InputFaults faults;
  const std::string page = make_contact_sheet(result, [&](size_t item) {
    std::vector<EmbeddedPicture> pictures;
    faults.collect([&] { pictures = pictures_of(samples[item], datasets); });
    return pictures;
  });
  faults.raise();
  io::atomic_write_text(options.sheet, page);
}

}  // namespace

Evaluation evaluate_heldout(const HeldoutOptions& options) {
  Evaluation result;
  result.benchmark = "heldout";
  InputFaults faults;
  UniqueIds ids;
  std::vector<Sample> samples;
  for (const fs::path& file : options.answers)
    for (const io::Json& row : read_rows(file, &faults))
      faults.collect([&] {
        samples.push_back(read_sample(row));
        ids.add(samples.back().item.id, row.where(), &faults);
      });
  faults.raise();
  summarize(samples, &result);
  for (const Sample& sample : samples) result.items.push_back(sample.item);
  for (const fs::path& file : options.answers)
    result.card.answers.push_back(digest_answers(file, {}));
  result.card.rule = kRule;
  if (!options.sheet.empty()) write_sheet(options, samples, result);
  return result;
}

}  // namespace lynceus::evaluate
