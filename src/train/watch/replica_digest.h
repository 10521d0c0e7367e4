// Finds silent corruption: the digests of the trained parameters are compared over the ranks that
// hold the same part of the same parameter. Those are updated with the same bits (see
// communicator.h), so a difference is a fault of memory, of a processor, of a device or of the
// network.
//
// Compared are all parameters over grid.data, those that are not split over grid.tensor, and those
// of the vision branch over grid.replica.
#pragma once

#include <span>
#include <string>

#include "parallel/runtime.h"
#include "train/step/optimizer.h"

namespace lynceus::train {

/// Collective over the world. Which parameters differ on which ranks, the same text on all ranks;
/// empty: none. `places`: "node3, process 711" by rank. XXH3-64 of the f32 values; 16 bytes a
/// parameter are reduced over each of three groups.
std::string differing_replicas(const Runtime& rt, std::span<const TrainedParameter> parameters,
                               std::span<const std::string> places);

/// Flips a bit of the first trained parameter, for tests.
void flip_one_bit(const Runtime& rt, std::span<const TrainedParameter> parameters);

}  // namespace lynceus::train
