#include "evaluate/compare/agreement.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <map>
#include <string>

namespace lynceus::evaluate {
namespace {

using Items = std::vector<const Item*>;
using Judges = std::map<std::string, Items>;

double kappa_in(std::span<const double> table) {
  return cohens_kappa(table).value_or(std::numeric_limits<double>::quiet_NaN());
}

void add_agreement(JudgeAgreement draft, const Items& first, const Items& second,
                   const BootstrapOptions& options, std::vector<JudgeAgreement>* found) {
  std::map<ItemKey, const Item*> others;
  for (const Item* item : second)
    if (item->right) others.emplace(key_of(*item), item);
  ClusterSums sums(4);  // right right, right wrong, wrong right, wrong wrong
  for (const Item* item : first) {
    const auto other = others.find(key_of(*item));
    if (!item->right || other == others.end() || other->second->answer != item->answer) continue;
    std::vector<double> cell(4);
    cell[(*item->right ? 0 : 2) + (*other->second->right ? 0 : 1)] = 1;
    sums.add(cluster_of(*item), cell);
    ++draft.items;
    draft.equal += *item->right == *other->second->right;
  }
  if (draft.items == 0) return;
  draft.kappa = cohens_kappa(sums.totals());
  draft.interval = bootstrap_interval(sums, kappa_in, options);
  found->push_back(draft);
}

bool share_a_judge(const Judges& first, const Judges& second) {
  return std::any_of(first.begin(), first.end(),
                     [&](const auto& judge) { return second.contains(judge.first); });
}

}  // namespace

std::vector<JudgeAgreement> judge_agreements(std::span<const ItemsBySet> files,
                                             const BootstrapOptions& options) {
  BootstrapOptions plain = options;
  plain.confidence = 0.95;
  std::vector<JudgeAgreement> found;
  for (size_t f = 0; f < files.size(); ++f) {
    for (const auto& [name, judges] : files[f]) {
      JudgeAgreement draft{name.first, name.second, f, f, "", "", 0, 0, {}, {}};
      for (auto one = judges.begin(); one != judges.end(); ++one) {
        for (auto other = std::next(one); other != judges.end(); ++other) {
          draft.first_judge = one->first;
          draft.second_judge = other->first;
          add_agreement(draft, one->second, other->second, plain, &found);
        }
      }
      const auto baseline = files[0].find(name);
      if (f == 0 || baseline == files[0].end() || share_a_judge(baseline->second, judges)) continue;
      draft.first_file = 0;
      for (const auto& [first_judge, first] : baseline->second) {
        for (const auto& [second_judge, second] : judges) {
          draft.first_judge = first_judge;
          draft.second_judge = second_judge;
          add_agreement(draft, first, second, plain, &found);
        }
      }
    }
  }
  return found;
}

}  // namespace lynceus::evaluate
