#include "core/process/out_of_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <system_error>

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
  } catch (const std::exception& error) {
    if (is_out_of_memory(error)) end(kOutOfMemory, ExitCode::kIo);
    end(error.what(), ExitCode::kInternal);
  } catch (...) {
  }
  std::abort();
}

}  // namespace

bool is_out_of_memory(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return true;
  const auto* refused = dynamic_cast<const std::system_error*>(&error);
  return refused != nullptr && (refused->code() == std::errc::resource_unavailable_try_again ||
                                refused->code() == std::errc::not_enough_memory);
}

void expect_memory(size_t bytes) {
  void* const probe =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (probe == MAP_FAILED) throw Error(ExitCode::kIo, kOutOfMemory);
  munmap(probe, bytes);
}

void end_when_out_of_memory(void (*before_exit)(int code)) {
  call_before_exit = before_exit;
  std::set_new_handler([] { end(kOutOfMemory, ExitCode::kIo); });
  std::set_terminate(end_with_exception);
}

}  // namespace lynceus
