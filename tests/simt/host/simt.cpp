// Ballots, asynchronous copies and the matrix unit as warp collectives on fibers. Fragments are
// laid out as kernels/cuda/hardware/simt.h says.
#include "simt.h"

namespace lynceus::simt {
namespace {

struct Ballot {
  bool vote;
  unsigned result;
};

void count_votes(const engine::Lanes& lanes) {
  unsigned votes = 0;
  for (int i = 0; i < kWarp; ++i)
    if (lanes[i] != nullptr && static_cast<Ballot*>(lanes[i])->vote) votes |= 1u << i;
  for (void* operand : lanes)
    if (operand != nullptr) static_cast<Ballot*>(operand)->result = votes;
}

struct Fragments {
  float* c;
  const uint32_t* a;
  const uint32_t* b;
};

float half_of(uint32_t pair, int index) {
  const auto bits = static_cast<uint16_t>(index == 0 ? pair : pair >> 16);
  return static_cast<float>(std::bit_cast<BFloat16>(bits));
}

void multiply(const engine::Lanes& lanes) {
  float a[16][16], b[16][8];
  for (int i = 0; i < kWarp; ++i) {
    const auto* const mine = static_cast<const Fragments*>(lanes[i]);
    const int g = i / 4, t = i % 4;
    for (int r = 0; r < 4; ++r)
      for (int half = 0; half < 2; ++half)
        a[g + r % 2 * 8][2 * t + r / 2 * 8 + half] = half_of(mine->a[r], half);
    for (int r = 0; r < 2; ++r)
      for (int half = 0; half < 2; ++half) b[2 * t + 8 * r + half][g] = half_of(mine->b[r], half);
  }
  for (int i = 0; i < kWarp; ++i) {
    auto* const mine = static_cast<Fragments*>(lanes[i]);
    for (int r = 0; r < 4; ++r) {
      const int row = i / 4 + r / 2 * 8, col = 2 * (i % 4) + r % 2;
      float sum = mine->c[r];
      for (int k = 0; k < 16; ++k) sum += a[row][k] * b[k][col];
      mine->c[r] = sum;
    }
  }
}

struct Row {
  uint16_t values[8];  // read when the lane arrives: reading later would act as a barrier
  uint32_t* r;
};

template <bool kTransposed>
void distribute(const engine::Lanes& lanes) {
  for (int matrix = 0; matrix < 4; ++matrix) {
    const auto value = [&](int row, int col) -> uint32_t {
      return static_cast<const Row*>(lanes[matrix * 8 + row])->values[col];
    };
    for (int i = 0; i < kWarp; ++i) {
      const int row = i / 4, col = 2 * (i % 4);
      const uint32_t low = kTransposed ? value(col, row) : value(row, col);
      const uint32_t high = kTransposed ? value(col + 1, row) : value(row, col + 1);
      static_cast<const Row*>(lanes[i])->r[matrix] = low | high << 16;
    }
  }
}

template <bool kTransposed>
void load_rows(uint32_t (&r)[4], const void* row, const Site& site, const void* caller) {
  if (reinterpret_cast<uintptr_t>(row) % 16 != 0)
    engine::fail("{}: a matrix row that is not aligned to 16 bytes", engine::place(site));
  if (!engine::shared_memory().contains(row))
    engine::fail("{}: a matrix row that is not in shared memory", engine::place(site));
  engine::tell_access(row, 16, engine::Access::kRead, caller);
  Row operand{{}, r};
  std::memcpy(operand.values, row, 16);
  engine::collective(
      {engine::Kind::kLoadMatrix, kWholeWarp, site, &operand, distribute<kTransposed>});
}

}  // namespace

unsigned ballot(bool vote, unsigned mask, Site site) {
  Ballot operand{vote, 0};
  engine::collective({engine::Kind::kBallot, mask, site, &operand, count_votes});
  return operand.result;
}

void copy_async(void* shared, const void* global, bool valid, Site site) {
  engine::start_copy({shared, valid ? global : nullptr, __builtin_return_address(0)}, site);
}
void commit_copies() { engine::commit_copies(); }
void wait_for_copies(int pending) { engine::wait_for_copies(pending); }

void mma_bf16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], Site site) {
  Fragments operand{c, a, b};
  engine::collective({engine::Kind::kMma, kWholeWarp, site, &operand, multiply});
}

void load_matrix(uint32_t (&r)[4], const void* row, Site site) {
  load_rows<false>(r, row, site, __builtin_return_address(0));
}
void load_matrix_transposed(uint32_t (&r)[4], const void* row, Site site) {
  load_rows<true>(r, row, site, __builtin_return_address(0));
}

}  // namespace lynceus::simt
