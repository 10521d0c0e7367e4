#include "doctor/facts.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdlib>
#include <sstream>

#include "io/files/json.h"
#include "io/files/json_value.h"

namespace lynceus::doctor {

std::vector<Facts> gather(parallel::Communicator& world, const Facts& mine) {
  std::vector<Facts> all;
  for (const std::string& text : world.all_gather(io::JsonValue(mine).dump_replacing())) {
    Facts& facts = all.emplace_back();
    for (const auto& [key, value] : io::Json::parse(text, "facts of a rank").members())
      facts[key] = value.string();
  }
  return all;
}

const std::string& text_of(const Facts& facts, const std::string& key) {
  static const std::string kNone;
  const auto found = facts.find(key);
  return found == facts.end() ? kNone : found->second;
}

int64_t number_of(const Facts& facts, const std::string& key) {
  return std::strtoll(text_of(facts, key).c_str(), nullptr, 10);
}

std::vector<int> numbers_of(const Facts& facts, const std::string& key) {
  std::vector<int> numbers;
  std::istringstream words(text_of(facts, key));
  for (int number = 0; words >> number;) numbers.push_back(number);
  return numbers;
}

std::string text_of(const std::vector<int>& numbers) {
  return fmt::format("{}", fmt::join(numbers, " "));
}

std::vector<std::string> nodes_of(const std::vector<Facts>& ranks) {
  std::vector<std::string> nodes;
  for (const Facts& facts : ranks) nodes.push_back(text_of(facts, kNode));
  return nodes;
}

std::map<std::string, std::vector<int>> ranks_by_node(const std::vector<Facts>& ranks) {
  std::map<std::string, std::vector<int>> by_node;
  for (size_t rank = 0; rank < ranks.size(); ++rank)
    by_node[text_of(ranks[rank], kNode)].push_back(static_cast<int>(rank));
  return by_node;
}

}  // namespace lynceus::doctor
