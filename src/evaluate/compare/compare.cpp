#include "evaluate/compare/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "core/check.h"
#include "core/error.h"
#include "evaluate/compare/agreement.h"
#include "evaluate/compare/mme_score.h"
#include "evaluate/compare/pairs.h"
#include "evaluate/compare/sentence.h"

namespace lynceus::evaluate {
namespace {

constexpr double kAlpha = 0.05;

double mean_in(std::span<const double> sums) { return sums[1] / sums[0]; }

PairCounts count_pairs(std::span<const ItemPair> pairs) {
  PairCounts counts;
  for (const ItemPair& pair : pairs) {
    const bool first = *pair.first->right;
    const bool second = *pair.second->right;
    ++(first ? (second ? counts.both : counts.only_first)
             : (second ? counts.only_second : counts.neither));
  }
  return counts;
}

ComparedGroup compare_group(std::span<const ItemPair> pairs, bool by_right,
                            const BootstrapOptions& options) {
  ComparedGroup group;
  group.pairs = static_cast<int64_t>(pairs.size());
  ClusterSums sums(2);  // pairs, sum of their differences
  double squares = 0;
  for (const ItemPair& pair : pairs) {
    const double first = score_of(*pair.first, by_right);
    const double second = score_of(*pair.second, by_right);
    group.score.first += first;
    group.score.second += second;
    squares += (second - first) * (second - first);
    sums.add(cluster_of(*pair.first), std::vector<double>{1, second - first});
  }
  const auto count = static_cast<double>(pairs.size());
  group.score.first /= count;
  group.score.second /= count;
  group.media = static_cast<int64_t>(sums.clusters());
  group.score.interval = bootstrap_interval(sums, mean_in, options);
  group.design_effect = design_effect(sums, squares);
  const double mean = sums.totals()[1] / count;
  if (by_right) {
    group.counts = count_pairs(pairs);
    group.p = mcnemar_p(*group.counts);
    group.needed = pairs_needed(*group.counts, group.design_effect);
  } else if (pairs.size() > 1) {
    const double variance = (squares - count * mean * mean) / (count - 1);
    group.needed = pairs_needed(mean, variance, group.design_effect);
  }
  return group;
}

/// The whole set, then its classes with their tasks, as far as they are parts of it.
std::vector<ComparedGroup> compare_groups(const PairedItems& paired,
                                          const BootstrapOptions& options) {
  const auto group_of = [&](const std::string& class_, const std::string& task,
                            const std::function<bool(const Item&)>& is_in) {
    std::vector<ItemPair> pairs;
    for (const ItemPair& pair : paired.pairs)
      if (is_in(*pair.first)) pairs.push_back(pair);
    ComparedGroup group = compare_group(pairs, paired.by_right, options);
    group.class_ = class_;
    group.task = task;
    if (paired.by_right && pairs.front().first->benchmark == "mme")
      group.mme = compare_mme_scores(pairs, options);
    return group;
  };
  std::map<std::string, std::set<std::string>> tasks;  // of each class
  for (const ItemPair& pair : paired.pairs) tasks[pair.first->class_].insert(pair.first->task);
  std::vector<ComparedGroup> groups = {group_of("", "", [](const Item&) { return true; })};
  for (const auto& of_class : tasks) {
    const std::string& name = of_class.first;
    if (tasks.size() > 1)
      groups.push_back(group_of(name, "", [&](const Item& item) { return item.class_ == name; }));
    if (of_class.second.size() < 2) continue;
    for (const std::string& task : of_class.second)
      groups.push_back(group_of(
          name, task, [&](const Item& item) { return item.class_ == name && item.task == task; }));
  }
  return groups;
}

int64_t count_items(const std::map<std::string, std::vector<const Item*>>& by_judge) {
  std::set<ItemKey> keys;
  for (const auto& [judge, items] : by_judge)
    for (const Item* item : items) keys.insert(key_of(*item));
  return static_cast<int64_t>(keys.size());
}

/// One for each set that is in one of the two files, and each judge that scored it in both.
std::vector<Comparison> compare_two(const ItemsBySet& first, const ItemsBySet& second,
                                    const Comparison& draft, const BootstrapOptions& options) {
  std::set<SetName> names;
  for (const auto* sets : {&first, &second})
    for (const auto& [name, judges] : *sets) names.insert(name);
  std::vector<Comparison> found;
  for (const SetName& name : names) {
    Comparison comparison = draft;
    std::tie(comparison.benchmark, comparison.set) = name;
    const auto one = first.find(name);
    const auto other = second.find(name);
    if (one == first.end() || other == second.end()) {
      comparison.unpaired.only_first = one == first.end() ? 0 : count_items(one->second);
      comparison.unpaired.only_second = other == second.end() ? 0 : count_items(other->second);
      comparison.sentence = without_partner(comparison);
      found.push_back(comparison);
      continue;
    }
    bool is_compared = false;
    for (const auto& [judge, items] : one->second) {
      const auto same = other->second.find(judge);
      if (same == other->second.end()) continue;
      is_compared = true;
      const PairedItems paired = pair_items(items, same->second);
      comparison.judge = judge;
      comparison.unpaired = paired.unpaired;
      if (!paired.pairs.empty()) comparison.groups = compare_groups(paired, options);
      found.push_back(std::exchange(comparison, draft));
      std::tie(comparison.benchmark, comparison.set) = name;
    }
    if (is_compared) continue;
    comparison.sentence = without_common_judge(comparison, one->second, other->second);
    found.push_back(comparison);
  }
  return found;
}

/// Corrects the p values of the comparisons of one set and judge with the baseline.
void correct(std::vector<Comparison>* all) {
  std::map<std::tuple<std::string, std::string, std::string>, std::vector<Comparison*>> families;
  for (Comparison& one : *all)
    if (!one.groups.empty() && one.groups.front().p)
      families[{one.benchmark, one.set, one.judge}].push_back(&one);
  for (auto& [name, family] : families) {
    std::vector<double> p_values;
    for (const Comparison* one : family) p_values.push_back(*one->groups.front().p);
    const std::vector<double> corrected = holm(p_values);
    for (size_t i = 0; i < family.size(); ++i) family[i]->corrected_p = corrected[i];
  }
}

bool is_shown(const Comparison& comparison) {
  const ComparedGroup& whole = comparison.groups.front();
  const auto& interval = whole.score.interval;
  const bool leaves_out_zero = interval && (interval->low > 0 || interval->high < 0);
  if (!comparison.corrected_p) return leaves_out_zero;
  // All pairs differ in the same way: there is no interval, and the exact test is enough where
  // every pair has a medium of its own.
  const bool all_differ = !interval && whole.score.difference() != 0 && whole.media == whole.pairs;
  return *comparison.corrected_p < kAlpha && (leaves_out_zero || all_differ);
}

}  // namespace

ComparisonReport compare(std::span<const ItemFile> files, const CompareOptions& options) {
  LYNCEUS_CHECK(files.size() >= 2, "expected two files or more, found {}", files.size());
  BootstrapOptions bootstrap{options.seed, options.resamples, 0.95};
  bootstrap.confidence = 1 - kAlpha / static_cast<double>(files.size() - 1);
  std::vector<ItemsBySet> sets;
  for (const ItemFile& file : files) sets.push_back(items_by_set(file));
  ComparisonReport report;
  for (size_t second = 1; second < files.size(); ++second) {
    Comparison draft;
    draft.second = second;
    draft.confidence = bootstrap.confidence;
    for (Comparison& one : compare_two(sets[0], sets[second], draft, bootstrap))
      report.comparisons.push_back(std::move(one));
  }
  correct(&report.comparisons);
  for (Comparison& one : report.comparisons) {
    if (!one.sentence.empty()) continue;
    one.is_shown = !one.groups.empty() && is_shown(one);
    one.sentence = one.groups.empty() ? without_pairs(one) : sentence_of(one);
  }
  report.agreements = judge_agreements(sets, bootstrap);
  const auto has_pairs = [](const Comparison& one) { return !one.groups.empty(); };
  if (report.agreements.empty() &&
      std::none_of(report.comparisons.begin(), report.comparisons.end(), has_pairs))
    throw InputError(
        "{}: expected items that are in {} too, scored by the same judge; found none: {}",
        files[1].path, files[0].path, report.comparisons.front().sentence);
  return report;
}

std::string file_letter(size_t index) { return std::string(1, static_cast<char>('A' + index)); }

}  // namespace lynceus::evaluate
