// `lynceus prepare shapes`: a generated corpus.
#include "cli/prepare/command.h"
#include "cli/prepare/pages.h"
#include "parallel/agreement.h"
#include "prepare/sources/shapes_writer.h"

namespace lynceus::cli {
namespace {

void prepare_shapes(const prepare::PrepareConfig& common, const prepare::ShapesConfig& config,
                    parallel::Communicator& world) {
  parallel::agree(world, [&] {
    if (world.size() > 1)
      throw UsageError("prepare shapes: expected one rank, found {}", world.size());
  });
  prepare::write_shapes(common, config);
}

}  // namespace

void run_shapes(const Arguments& arguments, parallel::Communicator& world) {
  run_source("shapes", kShapesHelp, arguments, world, prepare_shapes);
}

}  // namespace lynceus::cli
