#include "evaluate/compare/item_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "evaluate/answer_rows.h"
#include "io/files/file.h"
#include "io/files/json.h"

namespace lynceus::evaluate {
namespace {

namespace fs = std::filesystem;

/// The files of per-item results in a folder, in alphabetical order.
std::vector<fs::path> files_in(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(folder, failed)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("items") && name.ends_with(".jsonl")) files.push_back(entry.path());
  }
  if (failed) throw IoError("{}: {}", folder.string(), failed.message());
  if (files.empty())
    throw InputError("{}: expected per-item results, items*.jsonl, found none", folder.string());
  std::sort(files.begin(), files.end());
  return files;
}

Item read_item(const io::Json& row) {
  Item item;
  item.benchmark = row.at("benchmark").string();
  item.set = text_or_none(row, "set");
  item.class_ = text_or_none(row, "class");
  item.task = text_or_none(row, "task");
  item.id = id_of(row.at("id"));
  item.media = text_or_none(row, "media");
  item.question = text_or_none(row, "question");
  item.reference = text_or_none(row, "reference");
  item.answer = text_or_none(row, "answer");
  item.judge = text_or_none(row, "judge");
  if (const io::Json right = row.at("right"); !right.is_null()) item.right = right.boolean();
  if (const auto value = row.find("value"); value && !value->is_null())
    item.value = value->number();
  return item;
}

}  // namespace

ItemKey key_of(const Item& item) { return {item.benchmark, item.set, item.task, item.id}; }

std::string readable(const ItemKey& key) {
  std::string text = key.benchmark;
  for (const std::string& part : {key.set, key.task, key.id})
    if (!part.empty()) text += " " + part;
  return text;
}

ItemFile read_item_file(const fs::path& path) {
  std::error_code ignored;
  ItemFile found{path.string(), {}};
  InputFaults faults;
  std::map<std::pair<ItemKey, std::string>, std::string> places;
  const auto files = fs::is_directory(path, ignored) ? files_in(path) : std::vector{path};
  for (const fs::path& file : files) {
    io::expect_file(file, "per-item results");
    for (const io::Json& row : read_rows(file, &faults)) {
      faults.collect([&] {
        Item item = read_item(row);
        const auto [first, is_new] =
            places.emplace(std::pair(key_of(item), item.judge), row.where());
        if (!is_new)
          throw InputError(
              "{}: expected each item once with a judge, found {} of judge '{}' again, first in {}",
              row.where(), readable(key_of(item)), item.judge, first->second);
        found.items.push_back(std::move(item));
      });
    }
  }
  faults.raise();
  return found;
}

}  // namespace lynceus::evaluate
