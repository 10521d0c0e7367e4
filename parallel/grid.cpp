#include "parallel/grid.h"

#include <fmt/core.h>

#include "parallel/agreement.h"
#include "parallel/device_communicator.h"
#include "parallel/mpi_session.h"

namespace lynceus::parallel {

namespace {

void check_shape(const GridShape& shape, int world) {
  const struct {
    const char* key;
    int size;
  } axes[] = {{"parallel.tensor", shape.tensor},
              {"parallel.pipeline", shape.pipeline},
              {"parallel.data", shape.data}};
  for (const auto& [key, size] : axes) {
    if (size < 1 || size > kMaxAxis)
      throw UsageError("{}: expected 1 to {}, found {}", key, kMaxAxis, size);
  }
  const int64_t product = shape.world();
  if (product != world)
    throw UsageError(
        "world has {} ranks but parallel.tensor {} x parallel.pipeline {} x parallel.data {} = {}: "
        "start {} ranks or change one of the three",
        world, shape.tensor, shape.pipeline, shape.data, product, product);
}

}  // namespace

std::string GridShape::to_string() const {
  return fmt::format("{} tensor x {} pipeline x {} data", tensor, pipeline, data);
}

Grid make_grid(const GridShape& shape, std::unique_ptr<Communicator> world, const Stream& compute,
               const DeviceOptions& options) {
  agree(*world, [&] { check_shape(shape, world->size()); });
  const int rank = world->rank();
  const int tensor_rank = shape.tensor_rank(rank);
  const int data_rank = shape.data_rank(rank);
  const int stage = shape.stage(rank);
  DeviceOptions chosen = options;
  agree(*world,
        [&] { chosen.transport = choose_transport(*world, compute.device(), options.transport); });
  Grid grid;
  grid.shape = shape;
  grid.saving = make_background_group(*world);
  grid.saving->set_name("saving group");
  grid.world = make_device_world(std::move(world), compute, chosen);
  grid.world->set_name("world");
  const auto group = [&](int color, int key, const char* name) {
    auto made = split_device_world(*grid.world, color, key, name);
    made->set_name(grid.world->size() == made->size() ? fmt::format("{} group", name)
                                                      : fmt::format("{} group {}", name, color));
    return made;
  };
  grid.tensor = group(data_rank + shape.data * stage, tensor_rank, "tensor");
  grid.pipeline = group(tensor_rank + shape.tensor * data_rank, stage, "pipeline");
  grid.data = group(tensor_rank + shape.tensor * stage, data_rank, "data");
  grid.replica = group(data_rank, tensor_rank + shape.tensor * stage, "replica");
  return grid;
}

Grid make_grid(const GridShape& shape, std::unique_ptr<Communicator> world, const Stream& compute) {
  return make_grid(shape, std::move(world), compute, {});
}

}  // namespace lynceus::parallel
