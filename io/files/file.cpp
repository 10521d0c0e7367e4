#include "io/files/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "core/text/foreign_file.h"
#include "core/text/units.h"
#include "io/files/missing_file.h"

namespace lynceus::io {
namespace {

namespace fs = std::filesystem;

// Linux transfers at most about 2 GiB per call; smaller pieces also keep a call interruptible.
constexpr size_t kMaxTransfer = size_t{1} << 30;

[[noreturn]] void fail(const char* call, const fs::path& path, int error) {
  throw IoError("{} '{}': {}", call, path.string(), std::generic_category().message(error));
}

[[noreturn]] void fail_dangling(const fs::path& path, const fs::path& target) {
  throw IoError("'{}' is a link to '{}', which does not exist", path.string(), target.string());
}

void refuse_dangling_link(const fs::path& path, int error_of_open) {
  std::error_code error;
  if (error_of_open != ENOENT) return;
  const fs::path target = fs::read_symlink(path, error);
  if (!error) fail_dangling(path, target);
}

int open_descriptor(const fs::path& path, int flags) {
  int descriptor;
  do {
    descriptor = ::open(path.c_str(), flags | O_CLOEXEC, 0666);
  } while (descriptor < 0 && errno == EINTR);
  if (descriptor < 0) {
    const int error = errno;
    refuse_dangling_link(path, error);
    fail("open", path, error);
  }
  return descriptor;
}

struct stat status_of(int descriptor, const fs::path& path) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) fail("fstat", path, errno);
  return status;
}

void sync_descriptor(int descriptor, const fs::path& path) {
  int result;
  do {
    result = ::fsync(descriptor);
  } while (result != 0 && errno == EINTR);
  if (result != 0) fail("fsync", path, errno);
}

void sync_by_name(const fs::path& path, int flags) {
  const int descriptor = open_descriptor(path, flags);
  try {
    sync_descriptor(descriptor, path);
  } catch (...) {
    ::close(descriptor);
    throw;
  }
  ::close(descriptor);
}

fs::path directory_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

constexpr uint64_t kMaxLinkBytes = 4096;

/// Whether a text begins like the links of a Hugging Face cache: ../../blobs/DIGEST.
bool is_link_to_blob(std::string_view text) {
  const bool leads_up = text.starts_with("../");
  while (text.starts_with("../")) text.remove_prefix(3);
  return leads_up && text.starts_with("blobs/");
}

/// The line of a text file of one line, otherwise an empty text.
std::string only_line(std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  const bool one_line =
      std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; });
  return one_line ? text : "";
}

}  // namespace

File::File(int descriptor, fs::path path) : descriptor_(descriptor), path_(std::move(path)) {}

File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

File::File(File&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      end_(other.end_),
      path_(std::move(other.path_)) {}

File& File::operator=(File&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(end_, other.end_);
  std::swap(path_, other.path_);
  return *this;
}

File File::open(const fs::path& path) {
  File file = open_regular(path);
  if (file.size() > kMaxLinkBytes) return file;
  const std::string text = file.head(kMaxLinkBytes);
  if (is_lfs_pointer(text)) refuse_foreign(text, path.string(), "");
  if (!is_link_to_blob(text)) return file;
  const std::string link = only_line(text);
  if (link.empty()) return file;
  const fs::path target = (directory_of(path) / link).lexically_normal();
  std::error_code error;
  if (!fs::is_regular_file(target, error)) fail_dangling(path, link);
  return open_regular(target);
}

File File::open_regular(const fs::path& path) {
  // Non-blocking, so that a named pipe is refused below; otherwise open() waits for a writer.
  File file(open_descriptor(path, O_RDONLY | O_NONBLOCK), path);
  const struct stat status = status_of(file.descriptor_, path);
  if (S_ISDIR(status.st_mode)) fail("open", path, EISDIR);
  if (!S_ISREG(status.st_mode)) throw IoError("open '{}': not a regular file", path.string());
  return file;
}

File File::create(const fs::path& path) {
  return File(open_descriptor(path, O_RDWR | O_CREAT | O_TRUNC), path);
}

File File::open_writable(const fs::path& path) { return File(open_descriptor(path, O_RDWR), path); }

File File::open_appending(const fs::path& path) {
  File file(open_descriptor(path, O_RDWR | O_CREAT), path);
  file.end_ = file.size();
  return file;
}

uint64_t File::size() const { return static_cast<uint64_t>(status_of(descriptor_, path_).st_size); }

void File::read_at(uint64_t offset, void* target, size_t size) const {
  char* out = static_cast<char*>(target);
  for (size_t done = 0; done < size;) {
    const ssize_t got = ::pread(descriptor_, out + done, std::min(size - done, kMaxTransfer),
                                static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("read", path_, errno);
    if (got == 0)
      throw IoError("read '{}': found the end of the file at byte {}, expected bytes {} to {}",
                    path_.string(), offset + done, offset, offset + size);
    done += static_cast<size_t>(got);
  }
}

std::string File::head(size_t most) const {
  std::string bytes(static_cast<size_t>(std::min<uint64_t>(size(), most)), '\0');
  read_at(0, bytes.data(), bytes.size());
  return bytes;
}

void File::write_at(uint64_t offset, const void* source, size_t size) {
  const char* in = static_cast<const char*>(source);
  for (size_t done = 0; done < size;) {
    const ssize_t put = ::pwrite(descriptor_, in + done, std::min(size - done, kMaxTransfer),
                                 static_cast<off_t>(offset + done));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail("write", path_, errno);
    // POSIX allows a nonempty write to return zero; retrying forever would hang.
    if (put == 0) fail("write", path_, ENOSPC);
    done += static_cast<size_t>(put);
  }
}

void File::append(const void* source, size_t size) {
  write_at(end_, source, size);
  end_ += size;
}

void File::reserve(uint64_t size) {
  const auto length = static_cast<off_t>(size);
  int result;
  do {  // SA_RESTART does not cover fallocate
    result = ::fallocate(descriptor_, 0, 0, length);
    if (result != 0 && errno == EOPNOTSUPP) result = ::ftruncate(descriptor_, length);
  } while (result != 0 && errno == EINTR);
  if (result != 0)
    throw IoError("{}: no space for {}: {}", path_.string(), bytes_text(size),
                  std::generic_category().message(errno));
}

void File::sync() { sync_descriptor(descriptor_, path_); }

void File::close() {
  if (descriptor_ < 0) return;
  // Linux closes the descriptor even if it returns EINTR, so it must not be closed again.
  const int result = ::close(std::exchange(descriptor_, -1));
  if (result != 0 && errno != EINTR) fail("close", path_, errno);
}

bool file_exists(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  fail("stat", path, errno);
}

void expect_file(const fs::path& path, std::string_view what) {
  std::error_code unknown;  // a path without access fails when it is opened
  if (fs::status(path, unknown).type() != fs::file_type::not_found) return;
  throw InputError("{}: expected {}, found {}", path.string(), what, missing_text(path));
}

void truncate_file(const fs::path& path, uint64_t size) {
  std::error_code error;
  fs::resize_file(path, size, error);
  if (error) throw IoError("cannot truncate {}: {}", path.string(), error.message());
}

void sync_file(const fs::path& path) { sync_by_name(path, O_RDONLY); }

void sync_directory(const fs::path& path) { sync_by_name(path, O_RDONLY | O_DIRECTORY); }

void rename_file(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0)
    fail("rename", from.string() + "' to '" + to.string(), errno);
}

void rename_new(const fs::path& from, const fs::path& to) {
  const std::string both = from.string() + "' to '" + to.string();
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return;
  // Some network file systems do not support the flag: check first, then rename.
  if (errno != EINVAL && errno != ENOSYS) fail("rename", both, errno);
  std::error_code error;
  if (fs::exists(fs::symlink_status(to, error))) fail("rename", both, EEXIST);
  rename_file(from, to);
}

void atomic_write_text(const fs::path& path, std::string_view text) {
  fs::path temporary = path;
  temporary += ".tmp";
  try {
    File file = File::create(temporary);
    file.append(text.data(), text.size());
    file.sync();
    file.close();
    rename_file(temporary, path);
  } catch (...) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw;
  }
  sync_directory(directory_of(path));
}

std::string read_text(const fs::path& path, uint64_t max_bytes) {
  const File file = File::open(path);
  const uint64_t size = file.size();
  if (size > max_bytes)
    throw InputError("'{}': {} bytes, at most {} are accepted", path.string(), size, max_bytes);
  std::string text(size, '\0');
  file.read_at(0, text.data(), text.size());
  return text;
}

fs::path follow_link_text(const fs::path& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return path;
  const uint64_t size = fs::file_size(path, error);
  if (error || size == 0 || size > kMaxLinkBytes) return path;
  const std::string text = only_line(File::open_regular(path).head(kMaxLinkBytes));
  if (text.empty() || fs::path(text).is_absolute()) return path;
  const fs::path target = (directory_of(path) / text).lexically_normal();
  return fs::is_regular_file(target, error) ? target : path;
}

}  // namespace lynceus::io
