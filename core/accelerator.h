// What a device other than the host offers: queues of work, memory, copies, events. Implemented
// over the CUDA runtime (core/cuda/) and, with the same symbols, for builds without it
// (core/no_cuda/), where no device is found. Streams, pools, tensors and transports are made of it.
//
// Errors: InternalError with the runtime's text; out of memory is the pool's to report.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

namespace lynceus::accelerator {

/// A queue of work (cudaStream_t) on one device, ended with its last owner.
using Queue = std::shared_ptr<void>;
/// A moment in a queue (cudaEvent_t).
struct Event {
  std::shared_ptr<void> handle;
};

enum class Priority { kNormal, kLow };

/// Whether this program can use devices at all.
bool is_built();
/// Devices this process may use: 0 without a driver or without CUDA in the build.
int device_count();
/// Why device_count() is 0: "built without CUDA", or what the runtime says.
std::string why_no_device();
/// "NVIDIA H200"
std::string device_name(int index);
/// The same text in whichever process asks for the same device, and for no other device anywhere.
std::string device_identity(int index);
/// Bytes that are free on the device now.
size_t free_bytes(int index);

Queue make_queue(int index, Priority priority = Priority::kNormal);
/// Returns when all work given to the queue is done.
void synchronize(const Queue& queue);
/// Whether all work given to the queue so far is done.
bool is_done(const Queue& queue);

Event record(const Queue& queue);
/// What is given to `queue` from now on waits for the event.
void wait(const Queue& queue, const Event& event);
void synchronize(const Event& event);
bool is_done(const Event& event);
/// Milliseconds from one event to a later one, both done.
double milliseconds_between(const Event& begin, const Event& end);

/// Memory for work given to this queue from now on; null: there is no more.
void* allocate(const Queue& queue, size_t bytes);
/// Free once the work given to the queue so far is done.
void release(const Queue& queue, void* data);

/// Host memory that a device copies from and to without help; null: there is no more.
void* allocate_pinned(int index, size_t bytes);
void release_pinned(void* data);

/// Host and device memory in either place. Host memory that is not pinned has been read when this
/// returns; nothing else is done before the queue has come to it.
void copy(const Queue& queue, void* target, const void* source, size_t bytes);
void fill_zero(const Queue& queue, void* target, size_t bytes);

/// A named range of this thread's time for a profiler (NVTX). -> whether end_range() must follow.
bool begin_range(const char* name);
void end_range();

}  // namespace lynceus::accelerator
