// The rate of the better of two libraries on this processor: the ceiling for a step in f32 on CPUs.
#pragma once

namespace lynceus::bench {

/// GFLOP/s at 2048³ of the better of oneDNN and OpenBLAS, in a process that was started with a
/// suitable OPENBLAS_CORETYPE.
double measure_cpu_ceiling();

/// The same in a child process (this program with --ceiling): OpenBLAS reads OPENBLAS_CORETYPE when
/// it is loaded, and its buffers must not count as memory of this program.
double cpu_ceiling_of_child();

}  // namespace lynceus::bench
