// Runs another program with a file as its standard input and reads its output until it ends or a
// limit is reached. For decoders that may crash, hang or exhaust memory, without harm to the
// caller.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "io/files/file.h"

namespace lynceus::prepare {

/// The child is killed when it exceeds one.
struct ChildLimits {
  double seconds = 60;         ///< run time
  size_t max_bytes = 1 << 20;  ///< of output
};

/// How the child ended: it exited, a signal ended it, or it exceeded a limit.
struct ChildResult {
  int exit_code = -1;  ///< -1: it did not exit by itself
  int signal = 0;
  bool out_of_time = false;
  bool too_much_output = false;
  std::string output;  ///< standard output
};

/// Runs `program` with `arguments`. `input` is its standard input; if it is not open, /dev/null is.
/// Standard error is discarded. IoError if the program cannot be started. Thread-safe.
ChildResult run_child(const std::filesystem::path& program,
                      const std::vector<std::string>& arguments, const io::File& input,
                      const ChildLimits& limits);

}  // namespace lynceus::prepare
