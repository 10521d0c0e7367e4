// What a rank knows about itself, as text by key, so that all ranks can compare it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "parallel/communicator.h"

namespace lynceus::doctor {

using Facts = std::map<std::string, std::string>;

/// Collective. The facts of all ranks, by rank.
std::vector<Facts> gather(parallel::Communicator& world, const Facts& mine);

/// The text of a key; empty: it is missing.
const std::string& text_of(const Facts& facts, const std::string& key);
/// Its number; 0: it is missing.
int64_t number_of(const Facts& facts, const std::string& key);
/// Its numbers, separated by spaces.
std::vector<int> numbers_of(const Facts& facts, const std::string& key);
std::string text_of(const std::vector<int>& numbers);

constexpr const char* kNode = "node";  ///< the key of the node's name
std::vector<std::string> nodes_of(const std::vector<Facts>& ranks);
/// The ranks of each node, ascending.
std::map<std::string, std::vector<int>> ranks_by_node(const std::vector<Facts>& ranks);

}  // namespace lynceus::doctor
