// The datasets of a run, and the tokenizer, template and prompts that turn them into tokens.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io/checkpoint/manifest.h"
#include "io/dataset/dataset.h"
#include "io/text/prompt.h"
#include "io/text/tokenizer.h"
#include "train/config.h"
#include "train/data/batch_loader.h"

namespace lynceus::train {

struct RunData {
  std::unique_ptr<io::Tokenizer> tokenizer;
  std::vector<io::Dataset> training, validation;
  std::vector<double> weights;      ///< of the training sets
  std::vector<std::string> absent;  ///< names of datasets of the mixture that do not exist
  io::PromptStyle style;
  /// The lists of prompts by family, as data.prompts limits them. Held-out sets use only the first
  /// prompt of each list, so that scores compare.
  std::map<std::string, io::PromptList> prompts, held_out_prompts;
  std::vector<std::string> families, held_out_families;  ///< by dataset; empty: none
  /// By dataset: its list is data.caption_prompts, which is for captions only.
  std::vector<bool> captions_only, held_out_captions_only;
  int64_t max_tokens = 0;  ///< data.max_tokens
  uint64_t seed = 0;       ///< train.seed

  /// Refers to this object.
  TextOptions text(bool is_training) const;
  /// By name of the training set: its content and its prompts, which a resume compares. A list for
  /// captions only is marked, because up to version 0.1.0 data.caption_prompts was for all samples.
  std::map<std::string, std::string> fingerprints() const;
  /// One line: the training sets with their shares and prompts, and the missing ones.
  std::string describe() const;
  static std::vector<const io::Dataset*> pointers(const std::vector<io::Dataset>& datasets);
};

/// What open_data() must know besides data.*.
struct DataTerms {
  int64_t num_frames = 0;  ///< vision.num_frames: no video has more
  uint64_t seed = 1;       ///< train.seed
  bool with_training = true;
  const io::Manifest* recorded =
      nullptr;                       ///< of the checkpoint that the run continues; may be null
  bool template_may_change = false;  ///< --allow-change data.prompt
};

/// Opens everything that data.* names (after choose_text()) and checks the videos. Not collective:
/// the caller must agree on errors over all ranks.
RunData open_data(const DataConfig& config, const DataTerms& terms);

}  // namespace lynceus::train
