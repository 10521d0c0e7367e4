// The scores of one set of answers by several judges.
#pragma once

#include <vector>

#include "evaluate/evaluation.h"

namespace lynceus::evaluate {

/// The first evaluation, with what the others add: their items and warnings; `other_judges`, a list
/// of
/// {"judge", the scores}; `agreements`, as in comparison_json(). The table has the rows of all, and
/// its notes Cohen's kappa of every two judges. One evaluation stays as it is.
Evaluation combine_judges(std::vector<Evaluation> evaluations);

}  // namespace lynceus::evaluate
