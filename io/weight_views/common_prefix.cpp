// A part's prefix in the file is what precedes the part's first name; then all names must be there.
#include "io/weight_views/common_prefix.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "core/error.h"
#include "io/weights/name_list.h"
#include "io/weights/selected_weights.h"

namespace lynceus::io {
namespace {

/// Names of a part, without the prefix of the part.
struct Part {
  std::string prefix;         // in `needed`
  std::string stored_prefix;  // in the file
  std::vector<std::string> names;
  bool complete = false;  // the file has all names under stored_prefix

  bool renamed() const { return prefix != stored_prefix; }
};

std::string first_segment(const std::string& name) { return name.substr(0, name.find('.')); }

std::vector<Part> parts_of(std::span<const std::string> needed,
                           std::span<const std::string> prefixes) {
  std::vector<Part> parts;
  for (const std::string& prefix : prefixes) parts.push_back({prefix, prefix, {}, false});
  for (const std::string& name : needed)
    for (Part& part : parts)
      if (name.starts_with(part.prefix)) {
        part.names.push_back(name.substr(part.prefix.size()));
        break;
      }
  std::erase_if(parts, [](const Part& part) { return part.names.empty(); });
  return parts;
}

/// Every prefix under which `source` has all names of the part.
std::vector<std::string> complete_prefixes(const WeightSource& source, const Part& part) {
  std::vector<std::string> complete;
  for (const std::string& name : source.names()) {
    if (!name.ends_with(part.names.front())) continue;
    const std::string prefix = name.substr(0, name.size() - part.names.front().size());
    if (!prefix.empty() && !prefix.ends_with('.')) continue;
    if (std::all_of(part.names.begin(), part.names.end(),
                    [&](const std::string& rest) { return source.has(prefix + rest); }))
      complete.push_back(prefix);
  }
  return complete;
}

void find_prefix(const WeightSource& source, Part* part) {
  const std::vector<std::string> found = complete_prefixes(source, *part);
  part->complete = !found.empty();
  if (found.empty() || std::count(found.begin(), found.end(), part->prefix) > 0) return;
  if (found.size() > 1)
    throw InputError("{}: expected the tensors of one model, found them under {}",
                     source.describe(), name_list(found));
  part->stored_prefix = found.front();
}

bool names_another_module(const std::string& name) {
  static constexpr std::array<const char*, 7> kWords = {
      "vision", "visual", "projector", "image_newline", "resampler", "qformer", "audio"};
  return std::any_of(kWords.begin(), kWords.end(),
                     [&](const char* word) { return name.find(word) != std::string::npos; });
}

/// "vision_tower." of "vision_tower.a.b" and of "model.vision_tower.a.b".
std::string module_in(const std::string& name) {
  const size_t begin = name.starts_with("model.") ? 6 : 0;
  return name.substr(begin, name.find('.', begin) - begin) + ".";
}

/// The name of the model for a name in the file; nullopt: it is of no part. What is below a removed
/// prefix belongs to the model, known or not.
std::optional<std::string> shown_name(const std::string& name, const std::vector<Part>& parts) {
  for (const Part& part : parts) {
    if (!name.starts_with(part.stored_prefix)) continue;
    const std::string rest = name.substr(part.stored_prefix.size());
    const std::string top = first_segment(rest);
    const bool known =
        std::any_of(part.names.begin(), part.names.end(),
                    [&](const std::string& wanted) { return first_segment(wanted) == top; });
    if (known || (part.renamed() && !part.stored_prefix.empty() && !names_another_module(rest)))
      return part.prefix + rest;
  }
  return std::nullopt;
}

/// What precedes the part's own prefix in the file; empty if that is another one there.
std::string added_prefix(const Part& part) {
  if (!part.stored_prefix.ends_with(part.prefix)) return "";
  const std::string added =
      part.stored_prefix.substr(0, part.stored_prefix.size() - part.prefix.size());
  return added.ends_with('.') ? added : "";
}

std::string describe(const std::vector<Part>& parts, const std::map<std::string, int>& left) {
  std::vector<std::string> sentences, modules;
  for (const Part& part : parts) {
    if (!part.renamed()) continue;
    const std::string added = added_prefix(part);
    const std::string sentence =
        added.empty() ? fmt::format("'{}' is read as '{}'", part.stored_prefix, part.prefix)
                      : fmt::format("the prefix '{}' is removed", added);
    if (std::count(sentences.begin(), sentences.end(), sentence) == 0)
      sentences.push_back(sentence);
  }
  int tensors = 0;
  for (const auto& [module, count] : left) {
    tensors += count;
    modules.push_back("'" + module + "'");
  }
  if (tensors > 0)
    sentences.push_back(fmt::format("{} tensor{} of {} left out", tensors, tensors == 1 ? "" : "s",
                                    name_list(modules)));
  return fmt::format("{}", fmt::join(sentences, ", "));
}

}  // namespace

WeightSourcePtr without_common_prefix(WeightSourcePtr source, std::span<const std::string> needed,
                                      std::span<const std::string> prefixes) {
  std::vector<Part> parts = parts_of(needed, prefixes);
  for (Part& part : parts) find_prefix(*source, &part);
  const bool renamed =
      std::any_of(parts.begin(), parts.end(), [](const Part& part) { return part.renamed(); });
  const bool complete =
      std::any_of(parts.begin(), parts.end(), [](const Part& part) { return part.complete; });
  std::map<std::string, std::string> inner;
  std::map<std::string, int> left;
  for (const std::string& name : source->names()) {
    const auto shown = shown_name(name, parts);
    if (!shown && (renamed || (complete && names_another_module(name))))
      ++left[module_in(name)];
    else
      inner[shown.value_or(name)] = name;
  }
  if (!renamed && left.empty()) return source;
  return selected(std::move(source), std::move(inner), describe(parts, left));
}

}  // namespace lynceus::io
