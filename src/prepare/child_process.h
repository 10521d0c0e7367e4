// Another program, started with a file as its standard input and read until it ends, or until its
// time is over. Used for decoders that may crash, hang or want all memory: none of that reaches us.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "io/files/file.h"

namespace lynceus::prepare {

struct ChildLimits {
  double seconds = 60;         ///< then it is killed
  size_t max_bytes = 1 << 20;  ///< of output; then it is killed
};

/// What became of it. Exactly one of: it exited, a signal ended it, or a limit did.
struct ChildResult {
  int exit_code = -1;  ///< -1: it did not exit by itself
  int signal = 0;
  bool out_of_time = false;
  bool said_too_much = false;
  std::string output;  ///< standard output
};

/// Runs `program` with `arguments`; `input` is its standard input, or /dev/null when not open. Its
/// standard error is dropped. IoError if it cannot be started. Thread-safe.
ChildResult run_child(const std::filesystem::path& program,
                      const std::vector<std::string>& arguments, const io::File& input,
                      const ChildLimits& limits);

}  // namespace lynceus::prepare
