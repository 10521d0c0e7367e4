#include "io/files/hdf5.h"

#include <algorithm>

#include "core/error.h"
#include "core/process/out_of_memory.h"

namespace lynceus::io::hdf5 {
namespace {

constexpr hsize_t kMaxAttributeBytes = 1 << 20;
// An open file takes about 2 MiB; the library crashes where it does not get them.
constexpr size_t kMemoryToOpen = 8 << 20;

herr_t append_frame(unsigned /*depth*/, const H5E_error2_t* frame, void* text) {
  auto& out = *static_cast<std::string*>(text);
  const std::string description = frame->desc == nullptr ? "" : frame->desc;
  if (description.empty()) return 0;
  if (!out.empty()) out += "; ";
  out += description;
  return 0;
}

}  // namespace

std::recursive_mutex& LibraryTurn::mutex() {
  static std::recursive_mutex mutex;
  return mutex;
}

void silence() {
  static const herr_t done = H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  static_cast<void>(done);
}

std::string error_text() {
  std::string text;
  // From the innermost call, which has the reason, to the one made here.
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, append_frame, &text);
  H5Eclear2(H5E_DEFAULT);
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text.empty() ? "HDF5 gave no reason" : text;
}

void fail(std::string_view what, std::string_view path) {
  throw IoError("{}: {}: {}", path, what, error_text());
}

void Handle::close(std::string_view what, std::string_view path) {
  if (!valid()) return;
  const hid_t id = std::exchange(id_, H5I_INVALID_HID);
  check(closer_(id), what, path);
}

Handle file_access(std::string_view path) {
  expect_memory(kMemoryToOpen);
  Handle access = property_list(H5P_FILE_ACCESS, path);
  check(H5Pset_file_locking(access, /*use_file_locking=*/false, /*ignore_when_disabled=*/true),
        "cannot switch off file locks", path);
  return access;
}

Handle create_file(const std::string& path, const Handle& access) {
  return {check(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access), "cannot create", path),
          H5Fclose};
}

Handle create_file(const std::string& path) { return create_file(path, file_access(path)); }

Handle open_file_read_only(const std::string& path) {
  return {
      check(H5Fopen(path.c_str(), H5F_ACC_RDONLY, file_access(path)), "cannot open as HDF5", path),
      H5Fclose};
}

Handle create_dataset(hid_t parent, const std::string& name, hid_t type,
                      const std::vector<hsize_t>& extents, std::string_view path) {
  const Handle creation = property_list(H5P_DATASET_CREATE, path);
  check(H5Pset_layout(creation, H5D_CONTIGUOUS), "cannot set the layout of " + name, path);
  check(H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER), "cannot set the fill time of " + name,
        path);
  // Times would make files with equal content differ.
  check(H5Pset_obj_track_times(creation, false), "cannot switch off times of " + name, path);
  return create_dataset(parent, name, type, extents, creation, path);
}

Handle create_dataset(hid_t parent, const std::string& name, hid_t type,
                      const std::vector<hsize_t>& extents, hid_t creation, std::string_view path) {
  const Handle links = property_list(H5P_LINK_CREATE, path);
  check(H5Pset_create_intermediate_group(links, 1), "cannot set up links", path);
  const Handle space = simple_space(extents, path);
  return {check(H5Dcreate2(parent, name.c_str(), type, space, links, creation, H5P_DEFAULT),
                "cannot create dataset " + name, path),
          H5Dclose};
}

Handle open_dataset(hid_t parent, const std::string& name, std::string_view path) {
  return {check(H5Dopen2(parent, name.c_str(), H5P_DEFAULT), "no dataset " + name, path), H5Dclose};
}

Handle simple_space(const std::vector<hsize_t>& extents, std::string_view path) {
  const hid_t space =
      extents.empty() ? H5Screate(H5S_SCALAR)
                      : H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr);
  return {check(space, "cannot make a dataspace", path), H5Sclose};
}

Handle property_list(hid_t property_class, std::string_view path) {
  silence();
  return {check(H5Pcreate(property_class), "cannot make a property list", path), H5Pclose};
}

std::vector<hsize_t> extents_of(hid_t dataset, std::string_view path) {
  const Handle space(check(H5Dget_space(dataset), "cannot read a dataset's shape", path), H5Sclose);
  const int rank = check(H5Sget_simple_extent_ndims(space), "cannot read a dataset's rank", path);
  std::vector<hsize_t> extents(static_cast<size_t>(rank));
  check(H5Sget_simple_extent_dims(space, extents.data(), nullptr), "cannot read extents", path);
  return extents;
}

void write_attribute(hid_t object, const std::string& name, const std::string& value,
                     std::string_view path) {
  const Handle type(check(H5Tcopy(H5T_C_S1), "cannot make a string type", path), H5Tclose);
  check(H5Tset_size(type, std::max<size_t>(1, value.size())), "cannot size attribute " + name,
        path);
  check(H5Tset_strpad(type, H5T_STR_NULLPAD), "cannot pad attribute " + name, path);
  check(H5Tset_cset(type, H5T_CSET_UTF8), "cannot set the charset of attribute " + name, path);
  const Handle space = simple_space({}, path);
  const Handle attribute(
      check(H5Acreate2(object, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT),
            "cannot create attribute " + name, path),
      H5Aclose);
  check(H5Awrite(attribute, type, value.empty() ? "\0" : value.data()),
        "cannot write attribute " + name, path);
}

void write_attribute(hid_t object, const std::string& name, int64_t value, std::string_view path) {
  const Handle space = simple_space({}, path);
  const Handle attribute(
      check(H5Acreate2(object, name.c_str(), H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT),
            "cannot create attribute " + name, path),
      H5Aclose);
  check(H5Awrite(attribute, H5T_NATIVE_INT64, &value), "cannot write attribute " + name, path);
}

std::string read_string_attribute(hid_t object, const std::string& name, std::string_view path) {
  const Handle attribute(
      check(H5Aopen(object, name.c_str(), H5P_DEFAULT), "no attribute " + name, path), H5Aclose);
  const Handle type(check(H5Aget_type(attribute), "attribute " + name + " has no type", path),
                    H5Tclose);
  const Handle space(check(H5Aget_space(attribute), "attribute " + name + " has no shape", path),
                     H5Sclose);
  if (H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) != 0 ||
      H5Sget_simple_extent_npoints(space) != 1 || H5Tget_size(type) > kMaxAttributeBytes) {
    throw IoError("{}: attribute {}: expected one string of fixed length, found another kind", path,
                  name);
  }
  std::string value(H5Tget_size(type), '\0');
  check(H5Aread(attribute, type, value.data()), "cannot read attribute " + name, path);
  value.resize(std::min(value.size(), value.find('\0')));
  return value;
}

int64_t read_int_attribute(hid_t object, const std::string& name, std::string_view path) {
  const Handle attribute(
      check(H5Aopen(object, name.c_str(), H5P_DEFAULT), "no attribute " + name, path), H5Aclose);
  const Handle type(check(H5Aget_type(attribute), "attribute " + name + " has no type", path),
                    H5Tclose);
  const Handle space(check(H5Aget_space(attribute), "attribute " + name + " has no shape", path),
                     H5Sclose);
  if (H5Tget_class(type) != H5T_INTEGER || H5Sget_simple_extent_npoints(space) != 1) {
    throw IoError("{}: attribute {}: expected one integer, found another kind", path, name);
  }
  int64_t value = 0;
  check(H5Aread(attribute, H5T_NATIVE_INT64, &value), "cannot read attribute " + name, path);
  return value;
}

}  // namespace lynceus::io::hdf5
