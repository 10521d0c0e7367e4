// Kernels of the shim in the queues of the stand-in.
#include "simt.h"
#include "tests/standin/queue.h"

namespace lynceus::simt::engine {

void enqueue_launch(void* stream, dim3 grid, dim3 block, size_t shared_bytes,
                    std::function<void()> thread) {
  standin::enqueue(stream, [grid, block, shared_bytes, thread = std::move(thread)] {
    run(grid, block, shared_bytes, thread);
  });
}

}  // namespace lynceus::simt::engine
