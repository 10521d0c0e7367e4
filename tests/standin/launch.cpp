// Queues the launches of the shim (tests/simt/host) in the streams of the stand-in.
#include "simt.h"
#include "tests/standin/queue.h"
#include "tests/standin/runtime.h"

namespace lynceus::simt::engine {

void enqueue_launch(void* stream, Launch launch) {
  const auto lock = standin::locked();
  ++standin::counts().launches;
  standin::enqueue(stream, [launch = std::move(launch)] { run(launch); });
}

}  // namespace lynceus::simt::engine
