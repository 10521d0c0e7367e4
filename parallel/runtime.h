// Runtime: the one argument that says where I am.
#pragma once

#include "core/stream.h"
#include "parallel/grid.h"

namespace lynceus {

struct Runtime {
  Stream stream;
  parallel::Grid grid;
};

}  // namespace lynceus
