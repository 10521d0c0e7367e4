// The datasets that a config names: single ones by data.source, a mixture below one folder by
// data.mixture and data.root, held-out ones by data.validation. Which of a mixture are there, and
// which list of prompts each gets. Used by the session.
#pragma once

#include <string>
#include <vector>

#include "train/config.h"

namespace lynceus::train {

/// One dataset as a config names it.
struct SourceLine {
  std::string name;
  double weight = 1;    ///< any positive number
  std::string family;   ///< list of prompts; empty: the line names none
  std::string pattern;  ///< of its files; of a mixture below data.root; empty: named after it
};

/// UsageError naming key and line: NAME:WEIGHT:GLOB.
std::vector<SourceLine> parse_sources(const DataConfig& config);
/// UsageError likewise: NAME:WEIGHT[:FAMILY[:GLOB]]; also for a name that appears twice.
std::vector<SourceLine> parse_mixture(const DataConfig& config);
/// UsageError likewise: NAME:GLOB.
std::vector<SourceLine> parse_validation(const DataConfig& config);

/// What a run trains on.
struct ChosenSources {
  std::vector<SourceLine> present;  ///< with patterns that open as they are
  std::vector<std::string> absent;  ///< names of the mixture's that are left out
};

/// All of data.source, and of data.mixture what is there below data.root: NAME.h5, NAME-1.h5 and so
/// on, NAME/*.h5, or what the line's own pattern matches. A data.source takes the place of the
/// mixture's line of the same name. Without data.root the mixture counts for nothing. UsageError:
/// nothing is named. InputError: nothing is there, or something is not and data.missing is refuse.
ChosenSources choose_sources(const DataConfig& config);

/// The list of prompts for a dataset: what the mixture's line of that name says, else `task` (of
/// its first shard) where that is a family (io/text/prompt.h), else "".
std::string prompt_family(const std::vector<SourceLine>& mixture, const std::string& name,
                          const std::string& task);

}  // namespace lynceus::train
