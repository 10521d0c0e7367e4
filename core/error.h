// Errors by who has to act, with the documented exit code of each kind.
//
// Throw one of these with a message that names the file, the key, the expected and the found value.
// Only main.cpp catches them all; nothing below it exits.
#pragma once

#include <fmt/core.h>

#include <stdexcept>
#include <string>

namespace lynceus {

/// Exit codes of the `lynceus` binary; scripts rely on them.
enum class ExitCode : int {
  kDone = 0,
  kInternal = 1,    ///< a broken invariant: a bug of this program
  kUsage = 2,       ///< the command line or a config file
  kInput = 3,       ///< data, weights, tokenizer, a reference case
  kIo = 4,          ///< the file system, or no memory left
  kNumeric = 5,     ///< NaN, a failed comparison
  kRequeue = 75,    ///< stopped on request after a commit: run me again
  kCrashLoop = 93,  ///< the run fails again and again: do not run me again
  kWatchdog = 124   ///< a rank made no progress: the watchdog has ended the job
};

class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message);
  Error(ExitCode code, fmt::string_view format, fmt::format_args args);
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

template <ExitCode kCode>
class ErrorOf : public Error {
 public:
  explicit ErrorOf(const std::string& message) : Error(kCode, message) {}
  template <typename... Args>
  explicit ErrorOf(fmt::format_string<Args...> format, Args&&... args)
      : Error(kCode, format, fmt::make_format_args(args...)) {}
};

using InternalError = ErrorOf<ExitCode::kInternal>;
using UsageError = ErrorOf<ExitCode::kUsage>;
using InputError = ErrorOf<ExitCode::kInput>;
using IoError = ErrorOf<ExitCode::kIo>;
using NumericError = ErrorOf<ExitCode::kNumeric>;

}  // namespace lynceus
