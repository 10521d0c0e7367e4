// Loaded before a program (LD_PRELOAD): every call that takes or tests a file lock fails with the
// errno in WITHOUT_LOCKS, as on NFS without a lock service (ENOLCK) or on Lustre without -o flock
// (ENOSYS). Each refused call prints a line, so that a test sees that there were some.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <initializer_list>

namespace {

int refuse() {
  constexpr char kText[] = "[file lock refused]\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kText, sizeof kText - 1);
  const char* number = std::getenv("WITHOUT_LOCKS");
  errno = number == nullptr ? ENOLCK : std::atoi(number);
  return -1;
}

bool is_lock(int command) {
  for (const int lock : {F_GETLK, F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW})
    if (command == lock) return true;
  return false;
}

int pass_on(const char* name, int descriptor, int command, void* argument) {
  using Function = int (*)(int, int, ...);
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name))(descriptor, command, argument);
}

}  // namespace

extern "C" {

int flock(int, int) noexcept { return refuse(); }

int fcntl(int descriptor, int command, ...) {
  va_list rest;
  va_start(rest, command);
  void* argument = va_arg(rest, void*);
  va_end(rest);
  return is_lock(command) ? refuse() : pass_on("fcntl", descriptor, command, argument);
}

int fcntl64(int descriptor, int command, ...) {
  va_list rest;
  va_start(rest, command);
  void* argument = va_arg(rest, void*);
  va_end(rest);
  return is_lock(command) ? refuse() : pass_on("fcntl64", descriptor, command, argument);
}

}  // extern "C"
