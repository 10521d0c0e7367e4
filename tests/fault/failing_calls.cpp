// Loaded before a program (LD_PRELOAD): the FAIL_NTH-th call of FAIL_CALL (write, fsync, rename or
// ftruncate, each with its variants) on a file whose path contains FAIL_PATH fails with FAIL_ERRNO,
// on the rank FAIL_RANK of mpirun. FAIL_SHORT=1: a write writes one byte instead and succeeds;
// FAIL_DELAY=SECONDS: the call only begins later. Such a call prints a line. Counting begins with
// the process.
// Open MPI's own files (*.lock, for shared file pointers) are left out: if such a write fails on
// one rank, MPI_File_open of 4.1.4 never returns.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

namespace {

template <typename Function>
Function original(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

const char* variable(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : value;
}

bool is_due(const char* call, const char* path) {
  static const std::string wanted = variable("FAIL_CALL", "");
  static const std::string part = variable("FAIL_PATH", "");
  static const long nth = std::atol(variable("FAIL_NTH", "0"));
  static const bool here =
      std::strcmp(variable("FAIL_RANK", "0"), variable("OMPI_COMM_WORLD_RANK", "0")) == 0;
  static std::atomic<long> count{0};
  const std::string name = path;
  if (!here || wanted != call || part.empty() || name.ends_with(".lock")) return false;
  if (name.find(part) == std::string::npos) return false;
  if (++count != nth) return false;
  const double delay = std::atof(variable("FAIL_DELAY", "0"));
  const std::string text = std::string(delay > 0 ? "[delayed" : "[failed") +
                           " on purpose: " + call + " of " + path + "]\n";
  original<ssize_t (*)(int, const void*, size_t)>("write")(STDERR_FILENO, text.data(), text.size());
  std::this_thread::sleep_for(std::chrono::duration<double>(delay));
  return delay == 0;
}

bool is_due(const char* call, int descriptor) {
  char link[64], path[4096];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t size = readlink(link, path, sizeof path - 1);
  if (size < 0) return false;
  path[size] = '\0';
  return is_due(call, path);
}

int error() {
  errno = std::atoi(variable("FAIL_ERRNO", "5"));
  return -1;
}

bool is_short() { return std::strcmp(variable("FAIL_SHORT", "0"), "1") == 0; }

}  // namespace

extern "C" {

ssize_t write(int descriptor, const void* data, size_t size) {
  static const auto call = original<ssize_t (*)(int, const void*, size_t)>("write");
  if (!is_due("write", descriptor)) return call(descriptor, data, size);
  return is_short() && size > 1 ? call(descriptor, data, 1) : error();
}

ssize_t pwrite(int descriptor, const void* data, size_t size, off_t offset) {
  static const auto call = original<ssize_t (*)(int, const void*, size_t, off_t)>("pwrite");
  if (!is_due("write", descriptor)) return call(descriptor, data, size, offset);
  return is_short() && size > 1 ? call(descriptor, data, 1, offset) : error();
}

ssize_t pwrite64(int descriptor, const void* data, size_t size, off64_t offset) {
  return pwrite(descriptor, data, size, offset);
}

ssize_t pwritev(int descriptor, const iovec* parts, int count, off_t offset) {
  static const auto call = original<ssize_t (*)(int, const iovec*, int, off_t)>("pwritev");
  if (!is_due("write", descriptor)) return call(descriptor, parts, count, offset);
  if (!is_short() || count < 1 || parts[0].iov_len < 2) return error();
  const iovec one = {parts[0].iov_base, 1};
  return call(descriptor, &one, 1, offset);
}

int fsync(int descriptor) {
  static const auto call = original<int (*)(int)>("fsync");
  return is_due("fsync", descriptor) ? error() : call(descriptor);
}

int ftruncate(int descriptor, off_t size) noexcept {
  static const auto call = original<int (*)(int, off_t)>("ftruncate");
  return is_due("ftruncate", descriptor) ? error() : call(descriptor, size);
}

int rename(const char* from, const char* to) noexcept {
  static const auto call = original<int (*)(const char*, const char*)>("rename");
  return is_due("rename", to) ? error() : call(from, to);
}

int renameat2(int from_folder, const char* from, int to_folder, const char* to,
              unsigned int flags) noexcept {
  static const auto call =
      original<int (*)(int, const char*, int, const char*, unsigned int)>("renameat2");
  return is_due("rename", to) ? error() : call(from_folder, from, to_folder, to, flags);
}

}  // extern "C"
