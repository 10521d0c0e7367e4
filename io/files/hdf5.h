// Thin RAII over the HDF5 C API, used by dataset shards and checkpoints: a handle that closes
// itself, one check for every return code, the library's own error text inside our exception, and
// the few calls that both kinds of file need. Nothing here is hidden state; ids stay HDF5's own.
//
// The library is not thread-safe in its parallel build: one thread at a time may be in it.
#pragma once

#include <hdf5.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lynceus::io::hdf5 {

/// Stops the library from printing its error stack. Handle's makers below call it; call it yourself
/// before any other first use of the library. Cheap to repeat.
void silence();

/// The library's current error stack as one line ("major: minor: description; ..."), then cleared.
std::string error_text();

/// Throws IoError("{path}: {what}: {HDF5's text}") when an HDF5 call returned a negative value;
/// returns the value otherwise. Works for hid_t, herr_t, htri_t, hssize_t.
template <typename Result>
Result check(Result result, std::string_view what, std::string_view path);
[[noreturn]] void fail(std::string_view what, std::string_view path);

/// Owns one HDF5 id of any kind.
class Handle {
 public:
  using Closer = herr_t (*)(hid_t);

  Handle() = default;
  /// Takes over `id`, which must be a checked, valid id.
  Handle(hid_t id, Closer closer) : id_(id), closer_(closer) {}
  Handle(Handle&& other) noexcept
      : id_(std::exchange(other.id_, H5I_INVALID_HID)), closer_(other.closer_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(closer_, other.closer_);
    return *this;
  }
  ~Handle() {  // on the error path only: whoever cares about the result calls close()
    if (valid()) closer_(id_);
  }

  bool valid() const { return id_ != H5I_INVALID_HID; }
  hid_t get() const { return id_; }
  operator hid_t() const { return id_; }
  /// Closes now and checks the result. `path` is for the message. Nothing if already closed.
  void close(std::string_view what, std::string_view path);

 private:
  hid_t id_ = H5I_INVALID_HID;
  Closer closer_ = nullptr;
};

/// `access` and `creation` may be H5P_DEFAULT. IoError when it cannot be done.
Handle create_file(const std::string& path, hid_t access = H5P_DEFAULT,
                   hid_t creation = H5P_DEFAULT);
Handle open_file_read_only(const std::string& path, hid_t access = H5P_DEFAULT);

/// A dataset of a simple space with the given extents, contiguous layout, no fill values; missing
/// groups in `name` are created.
Handle create_dataset(hid_t parent, const std::string& name, hid_t type,
                      const std::vector<hsize_t>& extents, std::string_view path);
/// As above with an own dataset creation list (e.g. chunked, early allocation).
Handle create_dataset(hid_t parent, const std::string& name, hid_t type,
                      const std::vector<hsize_t>& extents, hid_t creation, std::string_view path);
/// IoError when there is none of that name.
Handle open_dataset(hid_t parent, const std::string& name, std::string_view path);
/// A simple dataspace; empty extents are a scalar.
Handle simple_space(const std::vector<hsize_t>& extents, std::string_view path);
Handle property_list(hid_t property_class, std::string_view path);
/// Extents of a dataset.
std::vector<hsize_t> extents_of(hid_t dataset, std::string_view path);

/// Attributes: fixed-length strings (UTF-8 bytes, padded with zeros) and 64-bit integers.
void write_attribute(hid_t object, const std::string& name, const std::string& value,
                     std::string_view path);
void write_attribute(hid_t object, const std::string& name, int64_t value, std::string_view path);
/// IoError when it is absent or of another kind.
std::string read_string_attribute(hid_t object, const std::string& name, std::string_view path);
int64_t read_int_attribute(hid_t object, const std::string& name, std::string_view path);

template <typename Result>
Result check(Result result, std::string_view what, std::string_view path) {
  if (result < 0) fail(what, path);
  return result;
}

}  // namespace lynceus::io::hdf5
