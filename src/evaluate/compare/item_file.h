// Reads per-item results (evaluate/items.h) for a comparison.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "evaluate/items.h"

namespace lynceus::evaluate {

/// The per-item results of one system.
struct ItemFile {
  std::string path;  ///< as the user gave it
  std::vector<Item> items;
};

/// Reads a file of per-item results, or all files items*.jsonl of a folder. InputError listing the
/// rows that are malformed, and items that occur twice with one judge.
ItemFile read_item_file(const std::filesystem::path& path);

/// What names an item in every file: benchmark, set, task and id.
struct ItemKey {
  std::string benchmark, set, task, id;
  auto operator<=>(const ItemKey&) const = default;
};
ItemKey key_of(const Item& item);
/// "openvqa images 17".
std::string readable(const ItemKey& key);

}  // namespace lynceus::evaluate
