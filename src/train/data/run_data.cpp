// Opens what data.* names: tokenizer, template, datasets, prompts.
#include "train/data/run_data.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/resource.h"
#include "train/data/dataset_choice.h"
#include "train/data/text_choice.h"
#include "train/under_key.h"

namespace lynceus::train {
namespace {

const std::string kWithPrompts = " with prompts ";
const std::string kWithCaptionPrompts = " with prompts for captions ";

/// Checked before any step, because the plan of a step covers the samples of all ranks.
void refuse_long_videos(const std::string& key, const std::vector<io::Dataset>& datasets,
                        int64_t most_frames) {
  for (const io::Dataset& dataset : datasets)
    for (int64_t sample = 0; sample < dataset.size(); ++sample)
      if (const int64_t frames = dataset.media_count(sample);
          frames > most_frames && dataset.kind(sample) == io::MediaKind::kFrames)
        throw InputError("{}: {}: expected at most vision.num_frames = {} frames, found {}", key,
                         dataset.describe(sample), most_frames, frames);
}

io::PromptList load_prompts(const std::string& key, const std::string& name) {
  return io::PromptList::load(find_resource(key, "prompts", name, ".txt"));
}

/// Whether the checkpoint used `list` for all samples of a dataset, captions or not.
bool is_for_all(const io::Manifest* recorded, const std::string& dataset,
                const io::PromptList& list) {
  if (recorded == nullptr) return false;
  const auto found = recorded->datasets.find(dataset);
  return found != recorded->datasets.end() &&
         found->second.ends_with(kWithPrompts + list.fingerprint());
}

/// The family of each dataset (empty: none), the lists of these families, and whether each is for
/// captions only. `held_out`: only the first prompt of each list.
void choose_prompts(const DataConfig& config, const std::vector<io::Dataset>& datasets,
                    bool held_out, const io::Manifest* recorded, std::vector<std::string>* families,
                    std::map<std::string, io::PromptList>* lists,
                    std::vector<bool>* captions_only) {
  const std::vector<DatasetLine> mixture = parse_mixture(config);
  const bool by_family = config.prompts != "none";
  const bool first = held_out || config.prompts == "single";
  for (const io::Dataset& dataset : datasets) {
    const std::string task = dataset.size() > 0 ? dataset.info(0).task : "";
    std::string key = "data.mixture " + dataset.name();
    std::string family = by_family ? prompt_family(mixture, dataset.name(), task) : "";
    const bool has_family = !family.empty();
    if (!has_family) {
      key = "data.caption_prompts";
      family = config.caption_prompts;
    }
    if (!family.empty() && !lists->contains(family)) {
      const io::PromptList all = load_prompts(key, family);
      lists->emplace(family, first ? all.first_only() : all);
    }
    captions_only->push_back(!has_family && !family.empty() &&
                             !is_for_all(recorded, dataset.name(), lists->at(family)));
    families->push_back(std::move(family));
  }
}

}  // namespace

TextOptions RunData::text(bool is_training) const {
  const auto& lists = is_training ? prompts : held_out_prompts;
  const auto& names = is_training ? families : held_out_families;
  const auto& limited = is_training ? captions_only : held_out_captions_only;
  std::vector<DatasetPrompts> by_dataset;
  for (size_t i = 0; i < names.size(); ++i)
    by_dataset.push_back({names[i].empty() ? nullptr : &lists.at(names[i]), limited[i]});
  return {tokenizer.get(), style, std::move(by_dataset), max_tokens, seed};
}

std::map<std::string, std::string> RunData::fingerprints() const {
  std::map<std::string, std::string> fingerprints;
  for (size_t i = 0; i < training.size(); ++i) {
    std::string& fingerprint = fingerprints[training[i].name()];
    fingerprint = training[i].fingerprint();
    if (!families[i].empty())
      fingerprint += (captions_only[i] ? kWithCaptionPrompts : kWithPrompts) +
                     prompts.at(families[i]).fingerprint();
  }
  return fingerprints;
}

std::string RunData::describe() const {
  double sum = 0;
  for (const double weight : weights) sum += weight;
  std::vector<std::string> present;
  for (size_t i = 0; i < training.size(); ++i)
    present.push_back(fmt::format("{} {:.3g} %{}", training[i].name(), 100 * weights[i] / sum,
                                  families[i].empty() ? "" : fmt::format(" ({})", families[i])));
  std::string text = fmt::format("samples from {}", fmt::join(present, ", "));
  if (!absent.empty())
    text += fmt::format("; {} missing and left out: {}", absent.size(), fmt::join(absent, ", "));
  return text;
}

std::vector<const io::Dataset*> RunData::pointers(const std::vector<io::Dataset>& datasets) {
  std::vector<const io::Dataset*> pointers;
  for (const io::Dataset& dataset : datasets) pointers.push_back(&dataset);
  return pointers;
}

RunData open_data(const DataConfig& config, const DataTerms& terms) {
  RunData data;
  data.max_tokens = config.max_tokens;
  data.seed = terms.seed;
  data.tokenizer = under_key("data.tokenizer",
                             [&] { return std::make_unique<io::Tokenizer>(config.tokenizer); });
  data.style = load_template(config, terms.recorded, terms.template_may_change);
  const auto open = [](const char* key, const DatasetLine& line) {
    return under_key(key, [&] { return io::Dataset(line.name, line.pattern); });
  };
  if (terms.with_training) {
    ChosenDatasets chosen = choose_datasets(config);
    data.absent = std::move(chosen.absent);
    for (const DatasetLine& line : chosen.present) {
      data.training.push_back(open("data.source", line));
      data.weights.push_back(line.weight);
    }
  }
  for (const DatasetLine& line : parse_validation(config))
    data.validation.push_back(open("data.validation", line));
  refuse_long_videos("data.source", data.training, terms.num_frames);
  refuse_long_videos("data.validation", data.validation, terms.num_frames);
  choose_prompts(config, data.training, false, terms.recorded, &data.families, &data.prompts,
                 &data.captions_only);
  choose_prompts(config, data.validation, true, nullptr, &data.held_out_families,
                 &data.held_out_prompts, &data.held_out_captions_only);
  return data;
}

}  // namespace lynceus::train
