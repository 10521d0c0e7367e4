#include "train/nonfinite/nonfinite_origin.h"

#include <fmt/format.h>

#include <utility>

#include "train/nonfinite/origin_findings.h"

namespace lynceus::train {
namespace {

using Place = NonfiniteOrigin::Place;

/// Adds what the probe saw on this rank. The samples are all of the rank where it cannot say which.
void add_findings(const NonfiniteProbe& probe, const PreparedStep& prepared,
                  const std::vector<const io::Dataset*>& datasets, RankFindings* mine) {
  for (const int encoder : probe.encoders())
    mine->add(NonfiniteFinding::kEncoder, std::to_string(encoder));
  if (probe.input_arrived()) mine->add(NonfiniteFinding::kInput);
  if (probe.gradient_arrived()) mine->add(NonfiniteFinding::kOutputGradient);
  if (probe.forward_arises()) mine->add(NonfiniteFinding::kForward);
  if (probe.backward_arises()) mine->add(NonfiniteFinding::kBackward);
  for (size_t i = 0; i < prepared.samples.size(); ++i) {
    if (!probe.samples().empty() && !probe.samples().contains(static_cast<int64_t>(i))) continue;
    const PlannedSample& sample = prepared.samples[i];
    const io::Dataset& dataset = *datasets[sample.dataset];
    mine->add(NonfiniteFinding::kSample,
              fmt::format("{} {} {}", sample.index, dataset.name(), dataset.key(sample.sample)));
  }
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
  RankFindings mine;
  mine.add(NonfiniteFinding::kValue, optimizer->nonfinite_values());
  mine.add(NonfiniteFinding::kSummedGradient, optimizer->nonfinite_gradients(reach));
  if (!result.own_finite) mine.add(NonfiniteFinding::kSum);
  NonfiniteProbe probe(rt, *optimizer, reach, prepared->batch);
  compute_again(rt, model, optimizer, &prepared->batch, prepared->pixel_source(), reach, options,
                result.faults, &probe);
  const std::vector<std::string> gradients = optimizer->nonfinite_gradients(reach);
  mine.add(NonfiniteFinding::kGradient, gradients);
  if (!gradients.empty()) mine.add(NonfiniteFinding::kBridge);
  add_findings(probe, *prepared, datasets, &mine);
  std::vector<RankFindings> all;
  for (const std::string& text : rt.grid.world->all_gather(mine.text())) all.emplace_back(text);
  return conclude(rt.grid.shape, std::move(all));
}

}  // namespace lynceus::train
