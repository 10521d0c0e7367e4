// RAII wrapper of the HDF5 C API: a handle that closes itself, a check of every return code that
// puts the library's error text into the exception, and the calls that dataset shards and
// checkpoints share.
//
// The library's parallel build is not thread-safe: only one thread at a time may call it, the one
// that has the LibraryTurn. A checkpoint is saved by a thread of its own, which keeps the turn
// until the save has ended; code that may run meanwhile takes a turn, and so waits for the save.
#pragma once

#include <hdf5.h>

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lynceus::io::hdf5 {

/// Stops the library from printing its error stack. The functions below that create or open files
/// or property lists call it. Call it before any other first use of the library. Cheap to repeat.
void silence();

/// Returns the library's error stack as one line ("description; description; ...") and clears it.
std::string error_text();

/// Throws IoError("{path}: {what}: {HDF5's text}") if an HDF5 call returned a negative value,
/// otherwise returns the value. For hid_t, herr_t, htri_t and hssize_t.
template <typename Result>
Result check(Result result, std::string_view what, std::string_view path);
[[noreturn]] void fail(std::string_view what, std::string_view path);

/// The right to call the library, for its lifetime. A thread that has it may take it again.
class LibraryTurn {
 public:
  LibraryTurn() : lock_(mutex()) {}

 private:
  static std::recursive_mutex& mutex();
  std::lock_guard<std::recursive_mutex> lock_;
};

/// Owns one HDF5 id of any kind.
class Handle {
 public:
  using Closer = herr_t (*)(hid_t);

  Handle() = default;
  /// Takes ownership of `id`, which must be valid.
  Handle(hid_t id, Closer closer) : id_(id), closer_(closer) {}
  Handle(Handle&& other) noexcept
      : id_(std::exchange(other.id_, H5I_INVALID_HID)), closer_(other.closer_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(closer_, other.closer_);
    return *this;
  }
  ~Handle() {  // ignores errors; close() reports them
    if (valid()) closer_(id_);
  }

  bool valid() const { return id_ != H5I_INVALID_HID; }
  hid_t get() const { return id_; }
  operator hid_t() const { return id_; }
  /// Closes now and checks the result. `path` is for the message. No effect if already closed.
  void close(std::string_view what, std::string_view path);

 private:
  hid_t id_ = H5I_INVALID_HID;
  Closer closer_ = nullptr;
};

/// The access list that every file is created and opened with; the caller may set more in it.
/// File locks are off: some file systems have none (Lustre without -o flock, NFS without a lock
/// service), and a lease keeps other processes away from a file that is being written.
/// Error of ExitCode::kIo if there is no memory for another open file.
Handle file_access(std::string_view path);

/// `access`: a list from file_access(). IoError on failure.
Handle create_file(const std::string& path, const Handle& access);
Handle create_file(const std::string& path);
Handle open_file_read_only(const std::string& path);

/// Creates a contiguous dataset of the given extents, without fill values, and the missing groups
/// in `name`.
Handle create_dataset(hid_t parent, const std::string& name, hid_t type,
                      const std::vector<hsize_t>& extents, std::string_view path);
/// The same with the caller's dataset creation list (e.g. chunked, early allocation).
Handle create_dataset(hid_t parent, const std::string& name, hid_t type,
                      const std::vector<hsize_t>& extents, hid_t creation, std::string_view path);
/// IoError if it does not exist.
Handle open_dataset(hid_t parent, const std::string& name, std::string_view path);
/// A simple dataspace; a scalar if `extents` is empty.
Handle simple_space(const std::vector<hsize_t>& extents, std::string_view path);
Handle property_list(hid_t property_class, std::string_view path);
std::vector<hsize_t> extents_of(hid_t dataset, std::string_view path);

/// Attributes: fixed-length strings (UTF-8 bytes, padded with zeros) and 64-bit integers.
void write_attribute(hid_t object, const std::string& name, const std::string& value,
                     std::string_view path);
void write_attribute(hid_t object, const std::string& name, int64_t value, std::string_view path);
/// IoError if it is missing or of another kind.
std::string read_string_attribute(hid_t object, const std::string& name, std::string_view path);
int64_t read_int_attribute(hid_t object, const std::string& name, std::string_view path);

template <typename Result>
Result check(Result result, std::string_view what, std::string_view path) {
  if (result < 0) fail(what, path);
  return result;
}

}  // namespace lynceus::io::hdf5
