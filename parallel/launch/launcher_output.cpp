#include "parallel/launch/launcher_output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>

namespace lynceus::parallel {
namespace {

bool is_mpirun(pid_t process) {
  std::ifstream file(fmt::format("/proc/{}/comm", process));
  std::string name;
  std::getline(file, name);
  return name == "mpirun" || name == "orterun" || name == "mpiexec" || name == "prterun";
}

/// The same open file, where the system permits it.
int share_error_output(pid_t process) {
#if defined(SYS_pidfd_open) && defined(SYS_pidfd_getfd)
  const auto handle = static_cast<int>(syscall(SYS_pidfd_open, process, 0));
  if (handle < 0) return -1;
  const auto output = static_cast<int>(syscall(SYS_pidfd_getfd, handle, STDERR_FILENO, 0));
  close(handle);
  return output;
#else
  return static_cast<void>(process), -1;
#endif
}

/// Opens it again. Not for a regular file: this would write at another place of it.
int open_error_output(pid_t process) {
  const std::string path = fmt::format("/proc/{}/fd/2", process);
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0 || S_ISREG(status.st_mode)) return -1;
  return open(path.c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
}

}  // namespace

bool write_to_mpirun(const std::string& line) {
  const pid_t parent = getppid();
  if (!is_mpirun(parent)) return false;
  int output = share_error_output(parent);
  if (output < 0) output = open_error_output(parent);
  if (output < 0) return false;
  // The cursor of a terminal may be on the progress line.
  const std::string text = (isatty(output) == 1 ? "\r\x1b[K" : "") + line + "\n";
  const bool written = write(output, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  close(output);
  return written;
}

}  // namespace lynceus::parallel
