// Every rank sends its findings as lines "MARK text"; each rank draws the same conclusion from all.
#include "train/nonfinite/nonfinite_origin.h"

#include <algorithm>
#include <set>
#include <sstream>
#include <tuple>

namespace lynceus::train {
namespace {

using Place = NonfiniteOrigin::Place;

constexpr char kValue = 'v', kEncoder = 'e', kForward = 'f', kBackward = 'b', kBridge = 'w',
               kInput = 'i', kOutputGradient = 'h',  // received, and already not finite
    kSum = 's',                                      // the step itself had bad numbers on this rank
    kGradient = 'g',                                 // a gradient of this rank alone
    kSummedGradient = 'r',                           // a gradient after the sum over replicas
    kSample = 'k';

/// Keys come from the corpora and may contain any character.
std::string without_breaks(std::string text) {
  for (char& c : text)
    if (c == '\t' || c == '\n' || c == '\r') c = ' ';
  return text;
}

std::string lines(char mark, const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += fmt::format("{} {}\n", mark, text);
  return all;
}

/// What the probe saw on this rank. The samples are all of the rank where it cannot say which.
std::string lines_of(const Runtime& rt, const NonfiniteProbe& probe, bool has_gradients,
                     const PreparedStep& prepared,
                     const std::vector<const io::Dataset*>& datasets) {
  std::string mine;
  for (const int encoder : probe.encoders()) {
    const parallel::GridShape& shape = rt.grid.shape;
    mine += fmt::format(
        "{} {}\n", kEncoder,
        shape.rank_of(encoder % shape.tensor, rt.grid.data->rank(), encoder / shape.tensor));
  }
  if (probe.input_arrived()) mine += fmt::format("{}\n", kInput);
  if (probe.gradient_arrived()) mine += fmt::format("{}\n", kOutputGradient);
  if (probe.forward_arises()) mine += fmt::format("{}\n", kForward);
  if (probe.backward_arises()) mine += fmt::format("{}\n", kBackward);
  if (has_gradients) mine += fmt::format("{}\n", kBridge);
  for (size_t i = 0; i < prepared.samples.size(); ++i) {
    if (!probe.samples().empty() && !probe.samples().contains(static_cast<int64_t>(i))) continue;
    const PlannedSample& sample = prepared.samples[i];
    const io::Dataset& dataset = *datasets[sample.dataset];
    mine += fmt::format("{} {} {} {}\n", kSample, sample.index, dataset.name(),
                        without_breaks(dataset.key(sample.sample)));
  }
  return mine;
}

/// The findings of one rank.
struct Findings {
  std::map<char, std::vector<std::string>> texts;

  explicit Findings(const std::string& text) {
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);)
      texts[line[0]].push_back(line.size() > 2 ? line.substr(2) : "");
  }
  bool has(char mark) const { return texts.contains(mark); }
  const std::vector<std::string>& of(char mark) const {
    static const std::vector<std::string> none;
    const auto found = texts.find(mark);
    return found == texts.end() ? none : found->second;
  }
};

/// Of a tensor group, to which the values came from another stage through any of its ranks, nothing
/// arises in the group: its sums have spread them.
void forget_received(const parallel::GridShape& shape, std::vector<Findings>* all) {
  constexpr std::pair<char, char> kCauses[] = {{kInput, kForward}, {kOutputGradient, kBackward}};
  for (const auto& [received, arises] : kCauses)
    for (size_t rank = 0; rank < all->size(); ++rank) {
      if (!(*all)[rank].has(received)) continue;
      const auto group =
          rank / static_cast<size_t>(shape.tensor) * static_cast<size_t>(shape.tensor);
      for (size_t other = group; other < group + static_cast<size_t>(shape.tensor); ++other)
        (*all)[other].texts.erase(arises);
    }
}

/// The first mark, in the order of places, that any rank has.
std::pair<Place, char> place_of(const std::vector<Findings>& all) {
  constexpr std::pair<Place, char> kOrder[] = {{Place::kValues, kValue},
                                               {Place::kEncoder, kEncoder},
                                               {Place::kForward, kForward},
                                               {Place::kBackward, kBackward},
                                               {Place::kBridge, kBridge}};
  for (const auto& candidate : kOrder)
    for (const Findings& rank : all)
      if (rank.has(candidate.second)) return candidate;
  return {Place::kNone, kSum};
}

NonfiniteOrigin conclude(const std::vector<Findings>& all) {
  NonfiniteOrigin origin;
  char mark = 0;
  std::tie(origin.place, mark) = place_of(all);
  std::set<int> ranks;
  for (size_t rank = 0; rank < all.size(); ++rank) {
    if (!all[rank].has(mark)) continue;
    if (mark == kEncoder)
      for (const std::string& encoder : all[rank].of(mark)) ranks.insert(std::stoi(encoder));
    else
      ranks.insert(static_cast<int>(rank));
    if (origin.place == Place::kValues) continue;
    for (const std::string& sample : all[rank].of(kSample)) {
      const size_t space = sample.find(' ');
      origin.samples[std::stoll(sample)] = sample.substr(space + 1);
    }
  }
  origin.ranks.assign(ranks.begin(), ranks.end());
  const char parameters = origin.place == Place::kValues ? kValue
                          : origin.place == Place::kNone ? kSummedGradient
                                                         : kGradient;
  for (const int rank : origin.ranks)
    for (const std::string& name : all[rank].of(parameters))
      if (std::find(origin.parameters.begin(), origin.parameters.end(), name) ==
          origin.parameters.end())
        origin.parameters.push_back(name);
  return origin;
}

}  // namespace

const char* name_of(Place place) {
  switch (place) {
    case Place::kValues:
      return "values";
    case Place::kEncoder:
      return "encoder";
    case Place::kForward:
      return "forward";
    case Place::kBackward:
      return "backward";
    case Place::kBridge:
      return "bridge";
    case Place::kNone:
      break;
  }
  return "unknown";
}

const char* describe(Place place) {
  switch (place) {
    case Place::kValues:
      return "in the trained values or their moments";
    case Place::kEncoder:
      return "in the visual tokens";
    case Place::kForward:
      return "in the forward pass";
    case Place::kBackward:
      return "in the backward pass";
    case Place::kBridge:
      return "in the backward pass of the bridge";
    case Place::kNone:
      break;
  }
  return "at an unknown place: computed again, all values are finite, so the memory or a processor "
         "may be faulty";
}

NonfiniteOrigin find_origin(const Runtime& rt, const model::LynxModel& model, Optimizer* optimizer,
                            PreparedStep* prepared, const StepResult& result,
                            const StepOptions& options,
                            const std::vector<const io::Dataset*>& datasets) {
  const GlobalReach& reach = prepared->reach;
  std::string mine = lines(kValue, optimizer->nonfinite_values()) +
                     lines(kSummedGradient, optimizer->nonfinite_gradients(reach));
  if (!result.own_finite) mine += fmt::format("{}\n", kSum);
  NonfiniteProbe probe(rt, *optimizer, reach, prepared->batch);
  compute_again(rt, model, optimizer, &prepared->batch, prepared->pixel_source(), reach, options,
                result.faults, &probe);
  const std::vector<std::string> gradients = optimizer->nonfinite_gradients(reach);
  mine +=
      lines(kGradient, gradients) + lines_of(rt, probe, !gradients.empty(), *prepared, datasets);
  std::vector<Findings> all;
  for (const std::string& text : rt.grid.world->all_gather(mine)) all.emplace_back(text);
  forget_received(rt.grid.shape, &all);
  return conclude(all);
}

}  // namespace lynceus::train
