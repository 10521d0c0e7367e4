// Queues the launches of the shim (tests/simt/host) in the streams of the stand-in.
#include "simt.h"
#include "tests/standin/queue.h"

namespace lynceus::simt::engine {

void enqueue_launch(void* stream, Launch launch) {
  standin::enqueue(stream, [launch = std::move(launch)] { run(launch); });
}

}  // namespace lynceus::simt::engine
