#include "parallel/watch/diagnosis.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <tuple>

namespace lynceus::parallel {
namespace {

using States = std::vector<std::optional<RankState>>;

constexpr size_t kMostNamed = 8;

/// A call of one rank, with the name of its group.
struct Call {
  const GroupState* group = nullptr;
  RecordedCall recorded;
};

/// The call that the host is in; without one the oldest on the device that is not done.
std::optional<Call> open_call(const RankState& state) {
  std::optional<Call> oldest;
  for (const GroupState& group : state.groups)
    for (const RecordedCall& call : group.calls) {
      if (call.state == CallState::kInside) return Call{&group, call};
      if (!call.done() && (!oldest || call.seconds > oldest->recorded.seconds))
        oldest = Call{&group, call};
    }
  return oldest;
}

std::optional<Call> newest_done(const RankState& state) {
  std::optional<Call> newest;
  for (const GroupState& group : state.groups)
    for (const RecordedCall& call : group.calls)
      if (call.done() && (!newest || call.seconds < newest->recorded.seconds))
        newest = Call{&group, call};
  return newest;
}

std::string text_of(const Call& call) {
  const RecordedCall& recorded = call.recorded;
  return fmt::format("{} {} ({} bytes) of the {}", name_of(recorded.operation), recorded.number,
                     recorded.bytes, call.group->name);
}

/// The collectives begun by the rank that has begun the fewest, by the name of the group.
std::map<std::string, int64_t> least_begun(const States& states) {
  std::map<std::string, int64_t> least;
  for (const auto& state : states) {
    if (!state) continue;
    for (const GroupState& group : state->groups) {
      const auto [found, is_new] = least.try_emplace(group.name, group.collectives);
      if (!is_new) found->second = std::min(found->second, group.collectives);
    }
  }
  return least;
}

bool waits(const RankState& state, const std::map<std::string, int64_t>& least) {
  const auto open = open_call(state);
  if (!open) return false;
  if (!open->recorded.is_collective()) return true;
  return least.at(open->group->name) < open->recorded.number;
}

/// Ranks with the same text, and that text; in the order of the first rank.
using Ranks = std::vector<std::pair<std::vector<int>, std::string>>;

template <typename Text>
Ranks by_text(const States& states, const Text& text) {
  std::map<std::string, size_t> places;
  Ranks ranks;
  for (size_t rank = 0; rank < states.size(); ++rank) {
    const std::string found = text(states[rank]);
    if (found.empty()) continue;
    const auto [place, is_new] = places.try_emplace(found, ranks.size());
    if (is_new) ranks.push_back({{}, found});
    ranks[place->second].first.push_back(static_cast<int>(rank));
  }
  return ranks;
}

/// Where a rank is, without times, so that ranks in the same place have the same text.
std::string place_of(const std::optional<RankState>& state) {
  if (!state) return "no answer";
  const std::string section = fmt::format("{} after step {}", state->section, state->step);
  if (const auto open = open_call(*state))
    return fmt::format("{}, {} {}", section,
                       open->recorded.state == CallState::kInside ? "in" : "after submitting",
                       text_of(*open));
  if (const auto last = newest_done(*state))
    return fmt::format("{}, in no call; the last was {}", section, text_of(*last));
  return section + ", in no call";
}

/// "rank 2 (node3, process 711)" or "ranks 2,5 (...; ...)".
std::string named(const std::vector<int>& ranks, const std::vector<std::string>& names) {
  std::string who;
  for (size_t i = 0; i < std::min(ranks.size(), kMostNamed); ++i)
    who += (i == 0 ? "" : "; ") + names.at(static_cast<size_t>(ranks[i]));
  if (ranks.size() > kMostNamed) who += "; ...";
  return fmt::format("{} {} ({})", ranks.size() == 1 ? "rank" : "ranks", ranges(ranks), who);
}

/// The first call of a group for which ranks differ: (operation, bytes) by rank. Empty: none.
struct Difference {
  std::string group;
  int64_t number = 0;
  double seconds = 0;  ///< since the first rank began it
  std::map<std::pair<Operation, int64_t>, std::vector<int>> calls;
};

std::optional<Difference> first_difference(const States& states) {
  std::map<std::tuple<std::string, int64_t>, Difference> calls;
  for (const auto& state : states) {
    if (!state) continue;
    for (const GroupState& group : state->groups)
      for (const RecordedCall& call : group.calls) {
        if (!call.is_collective()) continue;
        Difference& all = calls[{group.name, call.number}];
        all.group = group.name;
        all.number = call.number;
        all.seconds = std::max(all.seconds, call.seconds);
        all.calls[{call.operation, call.bytes}].push_back(state->rank);
      }
  }
  std::optional<Difference> first;
  for (const auto& [key, all] : calls)
    if (all.calls.size() > 1 && (!first || all.seconds > first->seconds)) first = all;
  return first;
}

std::string call_text(const std::pair<Operation, int64_t>& call) {
  return fmt::format("{} of {} bytes", name_of(call.first), call.second);
}

/// Without a majority all are named: nobody knows which call is right.
void name_differing(const Difference& found, const std::vector<std::string>& names,
                    Diagnosis* diagnosis) {
  const auto most = std::max_element(
      found.calls.begin(), found.calls.end(),
      [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
  const bool is_majority = std::all_of(found.calls.begin(), found.calls.end(), [&](const auto& x) {
    return x.first == most->first || x.second.size() < most->second.size();
  });
  std::string what;
  for (const auto& [call, ranks] : found.calls) {
    if (is_majority && call == most->first) continue;
    diagnosis->ranks.insert(diagnosis->ranks.end(), ranks.begin(), ranks.end());
    what += fmt::format("{}{} called {}", what.empty() ? "" : ", ", named(ranks, names),
                        call_text(call));
  }
  std::sort(diagnosis->ranks.begin(), diagnosis->ranks.end());
  what += fmt::format(" as call {} of the {}", found.number, found.group);
  if (is_majority)
    what += fmt::format(", but the other ranks {} {}: they differ in what they compute",
                        ranges(most->second), call_text(most->first));
  diagnosis->what = what;
}

void name_hanging(const States& states, const std::vector<int>& ranks,
                  const std::vector<std::string>& names, Diagnosis* diagnosis) {
  diagnosis->ranks = ranks;
  States only(states.size());
  for (const int rank : ranks) only[static_cast<size_t>(rank)] = states[static_cast<size_t>(rank)];
  const Ranks places =
      by_text(only, [](const auto& state) { return state ? place_of(state) : std::string(); });
  for (const auto& [same, place] : places)
    diagnosis->what += fmt::format("{}{} {}: {} for {:.0f} s", diagnosis->what.empty() ? "" : ", ",
                                   named(same, names), same.size() == 1 ? "hangs" : "hang", place,
                                   only[static_cast<size_t>(same.front())]->stalled);
}

/// All ranks are in calls: those in the call with the fewest ranks.
void name_circle(const Ranks& places, const std::vector<std::string>& names, Diagnosis* diagnosis) {
  size_t fewest = std::numeric_limits<size_t>::max();
  for (const auto& [ranks, place] : places) fewest = std::min(fewest, ranks.size());
  for (const auto& [ranks, place] : places) {
    if (ranks.size() != fewest) continue;
    diagnosis->ranks.insert(diagnosis->ranks.end(), ranks.begin(), ranks.end());
    diagnosis->what +=
        fmt::format("{}{} in {}", diagnosis->what.empty() ? "" : ", ", named(ranks, names), place);
  }
  std::sort(diagnosis->ranks.begin(), diagnosis->ranks.end());
  diagnosis->what = "the ranks wait for each other: " + diagnosis->what;
}

}  // namespace

std::string ranges(const std::vector<int>& numbers) {
  std::string text;
  for (size_t i = 0; i < numbers.size();) {
    size_t end = i;
    while (end + 1 < numbers.size() && numbers[end + 1] == numbers[end] + 1) ++end;
    text += fmt::format("{}{}", text.empty() ? "" : ",", numbers[i]);
    if (end > i) text += fmt::format("-{}", numbers[end]);
    i = end + 1;
  }
  return text;
}

double seconds_left(const States& states) {
  const auto least = least_begun(states);
  double left = 0;
  for (const auto& state : states) {
    if (!state || waits(*state, least)) continue;
    if (state->limit == 0) return std::numeric_limits<double>::infinity();
    left = std::max(left, state->limit - state->stalled);
  }
  return left;
}

Diagnosis diagnose(const States& states, const std::vector<std::string>& names) {
  Diagnosis diagnosis;
  const Ranks places = by_text(states, place_of);
  for (const auto& [ranks, place] : places)
    diagnosis.states +=
        fmt::format("\n  {} {}: {}", ranks.size() == 1 ? "rank" : "ranks", ranges(ranks), place);
  std::vector<int> silent, hanging;
  const auto least = least_begun(states);
  for (size_t rank = 0; rank < states.size(); ++rank) {
    if (!states[rank])
      silent.push_back(static_cast<int>(rank));
    else if (!waits(*states[rank], least))
      hanging.push_back(static_cast<int>(rank));
  }
  if (!silent.empty()) {
    diagnosis.kind = Diagnosis::Kind::kSilent;
    diagnosis.ranks = silent;
    diagnosis.what = fmt::format(
        "{} {} not answer: the process is stopped or dead, or its node is not reachable",
        named(silent, names), silent.size() == 1 ? "does" : "do");
  } else if (const auto difference = first_difference(states)) {
    diagnosis.kind = Diagnosis::Kind::kDiffering;
    name_differing(*difference, names, &diagnosis);
  } else if (!hanging.empty() && (places.size() > 1 || !open_call(*states.front()))) {
    diagnosis.kind = Diagnosis::Kind::kHanging;
    name_hanging(states, hanging, names, &diagnosis);
  } else if (places.size() > 1) {
    diagnosis.kind = Diagnosis::Kind::kCircle;
    name_circle(places, names, &diagnosis);
  } else {
    diagnosis.what = "all ranks are in the same call: the network or the MPI library hangs";
  }
  return diagnosis;
}

}  // namespace lynceus::parallel
