// A device other than the host: queues of work, memory, copies, events. Implemented over the CUDA
// runtime (core/cuda/) and, with the same symbols, for builds without it (core/no_cuda/), where no
// device is found. Streams, pools, tensors and transports are built on it.
//
// A process computes on one device, that of its first queue. Threads that have not chosen one use
// it: a call on a thread without a device would open a context, with memory of its own, on device
// 0.
//
// Errors: InternalError with the runtime's text. Allocation failures return null; the pool reports
// them.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

namespace lynceus::accelerator {

/// A queue of work (cudaStream_t) on one device, destroyed with its last owner.
using Queue = std::shared_ptr<void>;
/// A moment in a queue (cudaEvent_t).
struct Event {
  std::shared_ptr<void> handle;
};

/// Which work a device prefers where it has the choice: what other ranks wait for, then the step,
/// then what is computed ahead of it.
enum class Priority { kCommunication, kNormal, kLow };

/// Whether this program can use devices at all.
bool is_built();
/// Devices this process may use: 0 without a driver or without CUDA in the build.
int device_count();
/// Why device_count() is 0: "built without CUDA", or the runtime's text.
std::string why_no_device();
/// What the device code was compiled for, "80-real 90a-real" (LYNCEUS_CUDA_ARCHITECTURES); ""
/// without CUDA.
std::string architectures();
/// Whether this machine has a device that the runtime cannot use: an error other than "no device",
/// or a device file (/dev/nvidia0) without a device, unless CUDA_VISIBLE_DEVICES hides it.
bool device_is_unusable();
/// "NVIDIA H200"
std::string device_name(int index);
/// The same text in every process for the same device; different for any other device.
std::string device_identity(int index);
/// Its address on the PCI bus as in /sys/bus/pci/devices, "0000:3b:00.0"; empty: unknown.
std::string pci_address(int index);
/// Bytes free on the device now.
size_t free_bytes(int index);

Queue make_queue(int index, Priority priority = Priority::kNormal);
/// Returns when all work submitted to the queue is done.
void synchronize(const Queue& queue);
/// Whether all work submitted to the queue so far is done.
bool is_done(const Queue& queue);

Event record(const Queue& queue);
/// The same, for milliseconds_between().
Event record_time(const Queue& queue);
/// Work submitted to `queue` from now on waits for the event.
void wait(const Queue& queue, const Event& event);
void synchronize(const Event& event);
bool is_done(const Event& event);
/// Milliseconds from one event of record_time() to a later one, both done.
double milliseconds_between(const Event& begin, const Event& end);

/// Memory for work submitted to this queue from now on; null: out of memory.
void* allocate(const Queue& queue, size_t bytes);
/// Freed once the work submitted to the queue so far is done.
void release(const Queue& queue, void* data);

/// Host memory that a device accesses directly; null: out of memory.
void* allocate_pinned(int index, size_t bytes);
void release_pinned(void* data);

/// Each of `target` and `source` is host or device memory. Runs in queue order; only a source in
/// host memory that is not pinned has been read when this returns.
void copy(const Queue& queue, void* target, const void* source, size_t bytes);
void fill_zero(const Queue& queue, void* target, size_t bytes);

/// Begins a named range of this thread's time for a profiler (NVTX). Returns whether end_range()
/// must follow.
bool begin_range(const char* name);
void end_range();

}  // namespace lynceus::accelerator
