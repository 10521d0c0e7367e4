// The shared memory of the running block, filled with NaNs when a block begins. Dynamic memory ends
// at a guard page; the padding for its 128-byte alignment, and the red zone after each static
// array, must keep their NaNs.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "engine.h"

namespace lynceus::simt::engine {

constexpr unsigned char kPoison = 0xff;  // NaN in every floating type
constexpr size_t kMostShared = 227 * 1024;

class BlockMemory {
 public:
  BlockMemory();
  BlockMemory(const BlockMemory&) = delete;
  BlockMemory& operator=(const BlockMemory&) = delete;

  void begin_launch(size_t dynamic_bytes);
  void begin_block();
  void* dynamic_shared() { return dynamic_; }
  /// The same address for the same key until the launch ends.
  void* static_shared(const void* key, size_t bytes);
  /// Describes a write outside the block's memory; empty: there was none.
  std::string damage() const;
  bool owns(const void* address, size_t bytes) const;
  /// The object that contains the address or ends right before it: "static memory + 12".
  std::string describe(const void* address) const;
  Range range() const { return {arena_, guard().end}; }
  Range guard() const;

 private:
  struct Object {
    const void* key;
    unsigned char* begin;
    size_t bytes;
  };
  unsigned char* arena_;
  unsigned char* guard_;  // the page after the arena
  unsigned char* dynamic_;
  size_t dynamic_bytes_ = 0;
  size_t static_bytes_ = 0;  // used, from the start of the arena
  std::vector<Object> objects_;
};

}  // namespace lynceus::simt::engine
