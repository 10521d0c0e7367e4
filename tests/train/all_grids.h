// Every tensor x pipeline x data grid of up to eight ranks, so that eight ranks can try them all.
#pragma once

#include <vector>

#include "parallel/grid.h"

namespace lynceus::train::tiny {

/// A grid and the first of its ranks.
struct Seat {
  parallel::GridShape shape;
  int first_rank = 0;
};

/// All grids of up to eight ranks, packed into rounds; the grids of a round run concurrently.
inline std::vector<std::vector<Seat>> rounds_of_all_grids() {
  std::vector<std::vector<Seat>> rounds;
  std::vector<int> used;
  for (int world = 8; world >= 1; --world)
    for (int tensor = 1; tensor <= world; ++tensor)
      for (int pipeline = 1; tensor * pipeline <= world; ++pipeline) {
        if (world % (tensor * pipeline) != 0) continue;
        const parallel::GridShape shape{tensor, pipeline, world / (tensor * pipeline)};
        size_t round = 0;
        while (round < rounds.size() && used[round] + world > 8) ++round;
        if (round == rounds.size()) {
          rounds.emplace_back();
          used.push_back(0);
        }
        rounds[round].push_back({shape, used[round]});
        used[round] += world;
      }
  return rounds;
}

}  // namespace lynceus::train::tiny
