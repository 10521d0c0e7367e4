#include "evaluate/compare/pairs.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/check.h"
#include "core/error.h"
#include "evaluate/answer_rows.h"

namespace lynceus::evaluate {
namespace {

bool has_score(const Item& item, bool by_right) {
  return by_right ? item.right.has_value() : item.value.has_value();
}

/// Both are the same question of the same version of the benchmark.
void expect_same(const Item& first, const Item& second, InputFaults* faults) {
  const auto expect = [&](const char* key, const std::string& one, const std::string& other) {
    if (one != other)
      faults->add(fmt::format("{}: {}: expected the same in both files, found '{}' and '{}'",
                              readable(key_of(first)), key, one, other));
  };
  expect("question", first.question, second.question);
  expect("reference", first.reference, second.reference);
  expect("class", first.class_, second.class_);
}

}  // namespace

ItemsBySet items_by_set(const ItemFile& file) {
  ItemsBySet sets;
  for (const Item& item : file.items) sets[{item.benchmark, item.set}][item.judge].push_back(&item);
  return sets;
}

PairedItems pair_items(std::span<const Item* const> first, std::span<const Item* const> second) {
  PairedItems paired;
  const auto has_right = [](const Item* item) { return item->right.has_value(); };
  paired.by_right = std::any_of(first.begin(), first.end(), has_right) ||
                    std::any_of(second.begin(), second.end(), has_right);
  std::map<ItemKey, const Item*> others;
  for (const Item* item : second) others.emplace(key_of(*item), item);
  InputFaults faults;
  for (const Item* item : first) {
    const auto found = others.find(key_of(*item));
    if (found == others.end()) {
      ++paired.unpaired.only_first;
      continue;
    }
    const Item* other = found->second;
    others.erase(found);
    expect_same(*item, *other, &faults);
    if (has_score(*item, paired.by_right) && has_score(*other, paired.by_right))
      paired.pairs.push_back({item, other});
    else
      ++paired.unpaired.not_scored;
  }
  paired.unpaired.only_second = static_cast<int64_t>(others.size());
  faults.raise();
  return paired;
}

double score_of(const Item& item, bool by_right) {
  LYNCEUS_CHECK(has_score(item, by_right), "{} has no score", readable(key_of(item)));
  return by_right ? (*item.right ? 1.0 : 0.0) : *item.value;
}

std::string cluster_of(const Item& item) {
  return item.media.empty() ? readable(key_of(item)) : item.media;
}

}  // namespace lynceus::evaluate
