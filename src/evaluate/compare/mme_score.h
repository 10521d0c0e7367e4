// The score of MME (Fu et al., arXiv 2306.13394): of each task the accuracy over questions plus
// accuracy+, the share of pictures of which all questions are answered right, both in percent; of
// several tasks the sum.
#pragma once

#include <optional>
#include <span>

#include "evaluate/bootstrap.h"
#include "evaluate/compare/compare.h"
#include "evaluate/compare/pairs.h"

namespace lynceus::evaluate {

/// Of the tasks of these items, whose `right` is present. 0 for no items.
double mme_score(std::span<const Item* const> items);

/// Both scores, and the interval of their difference over pictures.
PairedFigure compare_mme_scores(std::span<const ItemPair> pairs, const BootstrapOptions& options);

}  // namespace lynceus::evaluate
