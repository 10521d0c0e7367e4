// The datasets of a run, and the tokenizer, template and prompts that turn them into tokens.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

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
  /// The lists of prompts by family, as data.prompts limits them. Unless data.prompts is none,
  /// held-out sets use only the first prompt of each list, so that scores compare.
  std::map<std::string, io::PromptList> prompts, held_out_prompts;
  std::vector<std::string> families, held_out_families;  ///< by dataset; empty: none
  int64_t max_tokens = 0;                                ///< data.max_tokens
  uint64_t seed = 0;                                     ///< train.seed

  /// Refers to this object.
  TextOptions text(bool is_training) const;
  /// By name of the training set: its content and its prompts, which a resume compares.
  std::map<std::string, std::string> fingerprints() const;
  /// One line: the training sets with their shares and prompts, and the missing ones.
  std::string describe() const;
  static std::vector<const io::Dataset*> pointers(const std::vector<io::Dataset>& datasets);
};

/// Opens everything that data.* names and checks that no video has more than `num_frames` frames.
/// Not collective: the caller must agree on errors over all ranks.
RunData open_data(const DataConfig& config, int64_t num_frames, uint64_t seed, bool with_training);

}  // namespace lynceus::train
