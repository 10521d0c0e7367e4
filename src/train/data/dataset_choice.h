// The datasets that a config names: single ones by data.source, a mixture in one folder by
// data.mixture and data.root, held-out ones by data.validation. Finds which datasets of a mixture
// exist and which list of prompts each one uses.
#pragma once

#include <string>
#include <vector>

#include "train/config.h"

namespace lynceus::train {

/// One dataset as a config names it.
struct DatasetLine {
  std::string name;
  double weight = 1;    ///< any positive number
  std::string family;   ///< list of prompts; empty: none is named
  std::string pattern;  ///< glob of its files, below data.root for a mixture; empty: by its name
};

/// The lines of data.source, NAME:WEIGHT:GLOB. UsageError naming key and line for a line that is
/// not of this form, a weight that is not positive, or a name that occurs twice.
std::vector<DatasetLine> parse_datasets(const DataConfig& config);
/// The lines of data.mixture, NAME:WEIGHT[:FAMILY[:GLOB]]; the same errors.
std::vector<DatasetLine> parse_mixture(const DataConfig& config);
/// The lines of data.validation, NAME:GLOB; the same errors.
std::vector<DatasetLine> parse_validation(const DataConfig& config);

/// The datasets that a run trains on.
struct ChosenDatasets {
  std::vector<DatasetLine> present;  ///< with complete patterns
  std::vector<std::string> absent;   ///< names of datasets of the mixture that do not exist
};

/// All datasets of data.source, and those of data.mixture that exist below data.root: NAME.h5,
/// NAME-1.h5 and so on, NAME/*.h5, or the files that the line's own pattern matches. A line of
/// data.source replaces the line of data.mixture with the same name. Without data.root the mixture
/// is ignored. UsageError: no dataset is named. InputError: no dataset exists, or one is missing
/// and data.missing is refuse.
ChosenDatasets choose_datasets(const DataConfig& config);

/// The list of prompts for a dataset: the family in the mixture's line of that name, else `task`
/// (of its first shard) if that is a family (io/text/prompt_files.h), else "".
std::string prompt_family(const std::vector<DatasetLine>& mixture, const std::string& name,
                          const std::string& task);

}  // namespace lynceus::train
