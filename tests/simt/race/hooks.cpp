// The functions that clang's instrumentation calls: before every access (-fsanitize=thread), and
// where -fsanitize=alignment,bounds finds a fault. They replace clang's own library. Copies of
// memory are calls too, which the build renames to lynceus_race_* (tests/simt/tests.cmake).
#include <cstring>

#include "detector.h"

namespace {

namespace engine = lynceus::simt::engine;

inline void access(const void* address, size_t bytes, engine::Access kind, const void* caller) {
  if (engine::running >= 0) lynceus::simt::race::detector->access(address, bytes, kind, caller);
}

/// The first fields of the argument of the handlers of UndefinedBehaviorSanitizer.
struct SourceLocation {
  const char* file;
  uint32_t line;
  uint32_t column;
};

[[noreturn]] void undefined(const char* what, const SourceLocation* location) {
  engine::fail("{}:{}: {}", location->file, location->line, what);
}

}  // namespace

#define LYNCEUS_HOOK(name, bytes, kind)                                        \
  void name(void* address) {                                                   \
    access(address, bytes, engine::Access::kind, __builtin_return_address(0)); \
  }
#define LYNCEUS_HOOKS(bytes)                               \
  LYNCEUS_HOOK(__tsan_read##bytes, bytes, kRead)           \
  LYNCEUS_HOOK(__tsan_write##bytes, bytes, kWrite)         \
  LYNCEUS_HOOK(__tsan_unaligned_read##bytes, bytes, kRead) \
  LYNCEUS_HOOK(__tsan_unaligned_write##bytes, bytes, kWrite)

extern "C" {

LYNCEUS_HOOKS(1)
LYNCEUS_HOOKS(2)
LYNCEUS_HOOKS(4)
LYNCEUS_HOOKS(8)
LYNCEUS_HOOKS(16)
void __tsan_init() {}
void __tsan_vptr_read(void**) {}
void __tsan_vptr_update(void**, void*) {}

void* lynceus_race_memcpy(void* target, const void* source, size_t bytes) {
  if (bytes > 0) {
    access(source, bytes, engine::Access::kRead, __builtin_return_address(0));
    access(target, bytes, engine::Access::kWrite, __builtin_return_address(0));
  }
  return std::memcpy(target, source, bytes);
}
void* lynceus_race_memmove(void* target, const void* source, size_t bytes) {
  if (bytes > 0) {
    access(source, bytes, engine::Access::kRead, __builtin_return_address(0));
    access(target, bytes, engine::Access::kWrite, __builtin_return_address(0));
  }
  return std::memmove(target, source, bytes);
}
void* lynceus_race_memset(void* target, int value, size_t bytes) {
  if (bytes > 0) access(target, bytes, engine::Access::kWrite, __builtin_return_address(0));
  return std::memset(target, value, bytes);
}

void __ubsan_handle_type_mismatch_v1_abort(const SourceLocation* data, uintptr_t) {
  undefined("an address that is not aligned for its type", data);
}
void __ubsan_handle_out_of_bounds_abort(const SourceLocation* data, uintptr_t) {
  undefined("an index beyond its array", data);
}

}  // extern "C"
