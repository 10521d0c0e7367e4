#include "core/process/out_of_memory.h"

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>

#include "core/error.h"

namespace lynceus {

namespace {

void (*call_before_exit)(int) = [](int) {};

/// Only calls that need no memory.
[[noreturn]] void end(const char* what, ExitCode code) {
  // Another thread may fail while this one writes.
  static std::atomic<bool> said = false;
  if (said.exchange(true))
    while (true) pause();
  for (const char* part : {"lynceus: ", what, "\n"})
    if (write(STDERR_FILENO, part, std::strlen(part)) < 0) break;
  call_before_exit(static_cast<int>(code));
  std::_Exit(static_cast<int>(code));
}

/// An exception left a thread or an OpenMP region.
[[noreturn]] void end_with_exception() {
  try {
    if (const auto error = std::current_exception()) std::rethrow_exception(error);
  } catch (const Error& error) {
    end(error.what(), error.code());
  } catch (const std::bad_alloc&) {
    end(kOutOfMemory, ExitCode::kIo);
  } catch (const std::exception& error) {
    end(error.what(), ExitCode::kInternal);
  } catch (...) {
  }
  std::abort();
}

}  // namespace

void end_when_out_of_memory(void (*before_exit)(int code)) {
  call_before_exit = before_exit;
  std::set_new_handler([] { end(kOutOfMemory, ExitCode::kIo); });
  std::set_terminate(end_with_exception);
}

}  // namespace lynceus
