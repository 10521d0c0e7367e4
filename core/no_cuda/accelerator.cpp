// A build without CUDA: device_count() is 0, so the functions that need a device are never called.
#include "core/accelerator.h"

#include "core/error.h"

namespace lynceus::accelerator {
namespace {

[[noreturn]] void not_built() { throw InternalError("this program was built without CUDA"); }

}  // namespace

bool is_built() { return false; }
int device_count() { return 0; }
std::string why_no_device() { return "this program was built without CUDA"; }
std::string architectures() { return ""; }
bool device_is_unusable() { return false; }
std::string device_name(int) { not_built(); }
std::string device_identity(int) { not_built(); }
std::string pci_address(int) { not_built(); }
size_t free_bytes(int) { not_built(); }
Queue make_queue(int, Priority) { not_built(); }
void synchronize(const Queue&) { not_built(); }
bool is_done(const Queue&) { not_built(); }
Event record(const Queue&) { not_built(); }
Event record_time(const Queue&) { not_built(); }
void wait(const Queue&, const Event&) { not_built(); }
void synchronize(const Event&) { not_built(); }
bool is_done(const Event&) { not_built(); }
double milliseconds_between(const Event&, const Event&) { not_built(); }
void* allocate(const Queue&, size_t) { not_built(); }
void release(const Queue&, void*) {}
void* allocate_pinned(int, size_t) { not_built(); }
void release_pinned(void*) {}
void copy(const Queue&, void*, const void*, size_t) { not_built(); }
void fill_zero(const Queue&, void*, size_t) { not_built(); }
bool begin_range(const char*) { return false; }
void end_range() {}

}  // namespace lynceus::accelerator
