// The pairs of two files of per-item results: the same item, scored by the same judge.
#pragma once

#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "evaluate/compare/compare.h"
#include "evaluate/items.h"

namespace lynceus::evaluate {

struct ItemPair {
  const Item* first = nullptr;
  const Item* second = nullptr;
};

/// A set of a benchmark.
using SetName = std::pair<std::string, std::string>;

/// The items of a file by set and judge, in the order of the file.
using ItemsBySet = std::map<SetName, std::map<std::string, std::vector<const Item*>>>;
ItemsBySet items_by_set(const ItemFile& file);

struct PairedItems {
  std::vector<ItemPair> pairs;
  UnpairedItems unpaired;
  bool by_right = false;  ///< the score is `right`, not `value`
};

/// InputError if the items of a pair differ in their question, reference or class.
PairedItems pair_items(std::span<const Item* const> first, std::span<const Item* const> second);

/// The score of an item; it has one.
double score_of(const Item& item, bool by_right);
/// What the bootstrap draws: the media, or the item itself if it has none.
std::string cluster_of(const Item& item);

}  // namespace lynceus::evaluate
