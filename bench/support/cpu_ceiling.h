// What the processor gives the better of two libraries: the ceiling that a step in f32 on CPUs is
// measured against.
#pragma once

namespace lynceus::bench {

/// GFLOP/s at 2048³ of the better of oneDNN and OpenBLAS, in a process that was started with a fit
/// OPENBLAS_CORETYPE.
double measure_cpu_ceiling();

/// The same in a child process (this program with --ceiling): OpenBLAS reads OPENBLAS_CORETYPE when
/// it is loaded, and its buffers shall not count as this program's memory.
double cpu_ceiling_of_child();

}  // namespace lynceus::bench
