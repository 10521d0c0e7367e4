#include "evaluate/items.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "io/files/file.h"

namespace lynceus::evaluate {

std::string joined_references(std::span<const std::string> references) {
  return fmt::format("{}", fmt::join(references, " | "));
}

std::string to_json(const Item& item) {
  std::string text;
  const auto add = [&](const std::string& key, const io::JsonValue& value) {
    text += fmt::format("{}\"{}\": {}", text.empty() ? "{" : ", ", key, value.dump_replacing());
  };
  add("benchmark", item.benchmark);
  add("set", item.set);
  add("class", item.class_);
  add("task", item.task);
  add("id", item.id);
  add("media", item.media);
  add("question", item.question);
  add("reference", item.reference);
  add("answer", item.answer);
  add("right", item.right ? io::JsonValue(*item.right) : io::JsonValue());
  add("value", item.value ? io::JsonValue(*item.value) : io::JsonValue());
  add("judge", item.judge);
  for (const auto& [key, value] : item.more) add(key, value);
  return text + "}";
}

void write_items(const std::filesystem::path& file, std::span<const Item> items) {
  std::string text;
  for (const Item& item : items) text += to_json(item) + "\n";
  io::atomic_write_text(file, text);
}

}  // namespace lynceus::evaluate
