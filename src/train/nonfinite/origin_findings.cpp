#include "train/nonfinite/origin_findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <sstream>
#include <utility>

namespace lynceus::train {
namespace {

using Place = NonfiniteOrigin::Place;

/// Of a tensor group, to which the values came from another stage through any of its ranks, nothing
/// arises in the group: its sums have spread them.
void forget_received(const parallel::GridShape& shape, std::vector<RankFindings>* all) {
  constexpr std::pair<NonfiniteFinding, NonfiniteFinding> kCauses[] = {
      {NonfiniteFinding::kInput, NonfiniteFinding::kForward},
      {NonfiniteFinding::kOutputGradient, NonfiniteFinding::kBackward}};
  const auto tensor = static_cast<size_t>(shape.tensor);
  for (const auto& [received, arises] : kCauses)
    for (size_t rank = 0; rank < all->size(); ++rank) {
      if (!(*all)[rank].has(received)) continue;
      const size_t group = rank / tensor * tensor;
      for (size_t other = group; other < group + tensor; ++other) (*all)[other].remove(arises);
    }
}

/// The first one, in the order of places, that any rank has.
std::pair<Place, NonfiniteFinding> place_of(const std::vector<RankFindings>& all) {
  constexpr std::pair<Place, NonfiniteFinding> kOrder[] = {
      {Place::kValues, NonfiniteFinding::kValue},
      {Place::kEncoder, NonfiniteFinding::kEncoder},
      {Place::kForward, NonfiniteFinding::kForward},
      {Place::kBackward, NonfiniteFinding::kBackward},
      {Place::kBridge, NonfiniteFinding::kBridge}};
  for (const auto& candidate : kOrder)
    for (const RankFindings& rank : all)
      if (rank.has(candidate.second)) return candidate;
  return {Place::kNone, NonfiniteFinding::kSum};
}

/// `number`: in the replica of `member`; both are ranks.
int rank_in_world(const parallel::GridShape& shape, int member, int number) {
  return shape.rank_of(number % shape.tensor, shape.data_rank(member), number / shape.tensor);
}

/// Where the names of the affected parameters are.
NonfiniteFinding parameters_of(Place place) {
  if (place == Place::kValues) return NonfiniteFinding::kValue;
  return place == Place::kNone ? NonfiniteFinding::kSummedGradient : NonfiniteFinding::kGradient;
}

}  // namespace

RankFindings::RankFindings(const std::string& text) {
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);)
    details_[static_cast<NonfiniteFinding>(line[0])].push_back(line.size() > 2 ? line.substr(2)
                                                                               : "");
}

void RankFindings::add(NonfiniteFinding finding, const std::string& detail) {
  std::string line = detail;
  for (char& c : line)
    if (c == '\t' || c == '\n' || c == '\r') c = ' ';
  details_[finding].push_back(line);
}

void RankFindings::add(NonfiniteFinding finding, const std::vector<std::string>& details) {
  for (const std::string& detail : details) add(finding, detail);
}

const std::vector<std::string>& RankFindings::of(NonfiniteFinding finding) const {
  static const std::vector<std::string> none;
  const auto found = details_.find(finding);
  return found == details_.end() ? none : found->second;
}

std::string RankFindings::text() const {
  std::string text;
  for (const auto& [finding, details] : details_)
    for (const std::string& detail : details)
      text += fmt::format("{} {}\n", static_cast<char>(finding), detail);
  return text;
}

NonfiniteOrigin conclude(const parallel::GridShape& shape, std::vector<RankFindings> all) {
  forget_received(shape, &all);
  NonfiniteOrigin origin;
  const auto [place, finding] = place_of(all);
  origin.place = place;
  std::set<int> ranks;
  for (size_t rank = 0; rank < all.size(); ++rank) {
    if (!all[rank].has(finding)) continue;
    if (finding != NonfiniteFinding::kEncoder) ranks.insert(static_cast<int>(rank));
    if (finding == NonfiniteFinding::kEncoder)
      for (const std::string& encoder : all[rank].of(finding))
        ranks.insert(rank_in_world(shape, static_cast<int>(rank), std::stoi(encoder)));
    if (place == Place::kValues) continue;
    for (const std::string& sample : all[rank].of(NonfiniteFinding::kSample))
      origin.samples[std::stoll(sample)] = sample.substr(sample.find(' ') + 1);
  }
  origin.ranks.assign(ranks.begin(), ranks.end());
  for (const int rank : origin.ranks)
    for (const std::string& name : all[static_cast<size_t>(rank)].of(parameters_of(place)))
      if (std::find(origin.parameters.begin(), origin.parameters.end(), name) ==
          origin.parameters.end())
        origin.parameters.push_back(name);
  return origin;
}

}  // namespace lynceus::train
