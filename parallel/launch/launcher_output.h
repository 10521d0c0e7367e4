// The standard error of mpirun, for a line that must appear at once.
#pragma once

#include <string>

namespace lynceus::parallel {

/// Writes a line to the standard error of the mpirun that is this process's parent. While mpirun
/// ends its ranks it forwards none of their output. False: there is no such parent, or its output
/// cannot be reached.
bool write_to_mpirun(const std::string& line);

}  // namespace lynceus::parallel
