/* Loaded before a program (LD_PRELOAD): makes one call fail or lie, as a broken machine does.

     DOCTOR_DEFECT=NAME         one of the names below
     DOCTOR_DEFECT_RANK=N       only on this rank of mpirun; default: on all

     clock       the clock is an hour ahead       slow-rank   each message to others takes 20 ms
   longer slow-link   the same between rank 1 and 2    corrupt     a bit of each large message is
   wrong rename      renames report success only      no-locks    file locks are refused write a bit
   of each large write is wrong unlink      removals report success only     fsync       fsync fails
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <mpi.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { kLargeBytes = 1 << 18, kHour = 3600, kDelayMicroseconds = 20000 };

static int rank(void) {
  const char* text = getenv("OMPI_COMM_WORLD_RANK");
  return text == NULL ? 0 : atoi(text);
}
/* Not in mpirun and the shell, which load this file too. */
static int defect_is(const char* name) {
  const char *asked = getenv("DOCTOR_DEFECT"), *only = getenv("DOCTOR_DEFECT_RANK");
  return asked != NULL && strcmp(asked, name) == 0 && (only == NULL || atoi(only) == rank()) &&
         strncmp(program_invocation_short_name, "lynceus", 7) == 0;
}
static void* next(const char* name) { return dlsym(RTLD_NEXT, name); }

/* Time */

int clock_gettime(clockid_t clock, struct timespec* time) {
  static int (*call)(clockid_t, struct timespec*);
  if (call == NULL) call = (int (*)(clockid_t, struct timespec*))next("clock_gettime");
  const int code = call(clock, time);
  if (code == 0 && clock == CLOCK_REALTIME && defect_is("clock")) time->tv_sec += kHour;
  return code;
}

/* Messages. The file is not linked with MPI, so that other programs load it too. */

static int is_large(int count, MPI_Datatype type) {
  int size = 0;
  ((int (*)(MPI_Datatype, int*))next("PMPI_Type_size"))(type, &size);
  return (long)size * count >= kLargeBytes;
}

int MPI_Isend(const void* buffer, int count, MPI_Datatype type, int to, int tag, MPI_Comm group,
              MPI_Request* request) {
  if (is_large(count, type)) {
    const int me = rank();
    if (defect_is("slow-rank") || (defect_is("slow-link") && me + to == 3 && (me == 1 || me == 2)))
      usleep(kDelayMicroseconds);
    if (defect_is("corrupt")) ((char*)buffer)[kLargeBytes / 2] ^= 4;
  }
  return ((int (*)(const void*, int, MPI_Datatype, int, int, MPI_Comm, MPI_Request*))next(
      "PMPI_Isend"))(buffer, count, type, to, tag, group, request);
}

/* Messages from others reach a slow rank late too. */
int MPI_Irecv(void* buffer, int count, MPI_Datatype type, int from, int tag, MPI_Comm group,
              MPI_Request* request) {
  if (is_large(count, type) && defect_is("slow-rank")) usleep(kDelayMicroseconds);
  return ((int (*)(void*, int, MPI_Datatype, int, int, MPI_Comm, MPI_Request*))next("PMPI_Irecv"))(
      buffer, count, type, from, tag, group, request);
}

/* Files */

int rename(const char* from, const char* to) {
  if (defect_is("rename")) return 0;
  return ((int (*)(const char*, const char*))next("rename"))(from, to);
}
int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) {
  if (defect_is("rename")) return 0;
  return ((int (*)(int, const char*, int, const char*, unsigned))next("renameat2"))(
      from_folder, from, to_folder, to, flags);
}
int unlink(const char* path) {
  if (defect_is("unlink")) return 0;
  return ((int (*)(const char*))next("unlink"))(path);
}
int remove(const char* path) {
  if (defect_is("unlink")) return 0;
  return ((int (*)(const char*))next("remove"))(path);
}
int fsync(int file) {
  if (defect_is("fsync")) {
    errno = EIO;
    return -1;
  }
  return ((int (*)(int))next("fsync"))(file);
}
int flock(int file, int operation) {
  if (defect_is("no-locks")) {
    errno = ENOLCK;
    return -1;
  }
  return ((int (*)(int, int))next("flock"))(file, operation);
}

/* A wrong bit in what reaches the file. */
static ssize_t write_changed(ssize_t (*call)(int, const void*, size_t, off_t), int file,
                             const void* data, size_t bytes, off_t offset) {
  if (bytes < kLargeBytes || !defect_is("write")) return call(file, data, bytes, offset);
  char* copy = malloc(bytes);
  memcpy(copy, data, bytes);
  copy[bytes / 2] ^= 4;
  const ssize_t written = call(file, copy, bytes, offset);
  free(copy);
  return written;
}
ssize_t pwrite(int file, const void* data, size_t bytes, off_t offset) {
  return write_changed((ssize_t(*)(int, const void*, size_t, off_t))next("pwrite"), file, data,
                       bytes, offset);
}
ssize_t pwrite64(int file, const void* data, size_t bytes, off_t offset) {
  return write_changed((ssize_t(*)(int, const void*, size_t, off_t))next("pwrite64"), file, data,
                       bytes, offset);
}
static ssize_t write_there(int file, const void* data, size_t bytes, off_t offset) {
  (void)offset;
  return ((ssize_t(*)(int, const void*, size_t))next("write"))(file, data, bytes);
}
ssize_t write(int file, const void* data, size_t bytes) {
  return write_changed(write_there, file, data, bytes, 0);
}
static ssize_t write_parts(const char* name, int file, const struct iovec* parts, int count,
                           off_t offset) {
  struct iovec changed[64];
  if (count > 64) count = 64;
  char* copy = NULL;
  memcpy(changed, parts, (size_t)count * sizeof(parts[0]));
  for (int i = 0; i < count && copy == NULL; ++i)
    if (parts[i].iov_len >= kLargeBytes && defect_is("write")) {
      copy = malloc(parts[i].iov_len);
      memcpy(copy, parts[i].iov_base, parts[i].iov_len);
      copy[parts[i].iov_len / 2] ^= 4;
      changed[i].iov_base = copy;
    }
  const ssize_t written =
      name[0] == 'p'
          ? ((ssize_t(*)(int, const struct iovec*, int, off_t))next(name))(file, changed, count,
                                                                           offset)
          : ((ssize_t(*)(int, const struct iovec*, int))next(name))(file, changed, count);
  free(copy);
  return written;
}
ssize_t writev(int file, const struct iovec* parts, int count) {
  return write_parts("writev", file, parts, count, 0);
}
ssize_t pwritev(int file, const struct iovec* parts, int count, off_t offset) {
  return write_parts("pwritev", file, parts, count, offset);
}
