// Dataset shards that are valid HDF5 but may be invalid shards: every array and attribute may have
// another type, shape, layout, place or content, or be absent, and the sidecar may be right or
// wrong. No byte of HDF5's own structure is mutated, because the library does not survive that: the
// sidecar's digest protects it from damaged structure. An input that begins like a sidecar is used
// as the sidecar of an intact shard.
#include "io/dataset/shard.h"

#include <fuzzer/FuzzedDataProvider.h>
#include <xxhash.h>

#include "fuzz/fuzz.h"
#include "io/files/hdf5.h"

using namespace lynceus;
namespace hdf5 = io::hdf5;

namespace {

constexpr const char* kPath = "shard";  // in messages

struct Array {
  const char* name;
  hid_t type;
  std::vector<uint64_t> values;  // of an intact shard of two samples
};

std::vector<Array> sound_arrays(bool shares) {
  std::vector<Array> arrays = {
      {"media/bytes", H5T_STD_U8LE, {1, 2, 3}},
      {"media/offset", H5T_STD_U64LE, {0, 2, 3}},
      {"media/digest", H5T_STD_U64LE, {io::digest64("\1\2", 2), io::digest64("\3", 1)}},
      {"sample/media_begin", H5T_STD_U64LE, {0, 1, 2}},
      {"sample/turn_begin", H5T_STD_U64LE, {0, 2, 3}},
      {"sample/text_length", H5T_STD_U32LE, {2, 1}},
      {"sample/kind", H5T_STD_U8LE, {0, 1}},
      {"sample/key_bytes", H5T_STD_U8LE, {'k', 'l'}},
      {"sample/key_offset", H5T_STD_U64LE, {0, 1, 2}},
      {"text/bytes", H5T_STD_U8LE, {'a', 'b', 'c'}},
      {"text/offset", H5T_STD_U64LE, {0, 1, 2, 3}},
      {"text/role", H5T_STD_U8LE, {1, 2, 2}}};
  if (shares) {
    arrays[3].values = {0, 1, 4};
    arrays.push_back({"sample/media", H5T_STD_U64LE, {0, 1, 0, 1}});
  }
  return arrays;
}

hid_t any_type(FuzzedDataProvider& bytes) {
  const hid_t types[] = {H5T_STD_U8LE,  H5T_STD_U16LE,   H5T_STD_U32LE,    H5T_STD_U64LE,
                         H5T_STD_I64LE, H5T_STD_U64BE,   H5T_IEEE_F64LE,   H5T_C_S1,
                         H5T_STD_B8LE,  H5T_STD_REF_OBJ, H5T_NATIVE_HBOOL, H5T_STD_I8LE};
  return bytes.PickValueInArray(types);
}

std::vector<hsize_t> any_extents(FuzzedDataProvider& bytes) {
  std::vector<hsize_t> extents(bytes.ConsumeIntegralInRange<size_t>(0, 3));
  for (hsize_t& extent : extents)
    extent = bytes.ConsumeBool() ? bytes.ConsumeIntegralInRange<hsize_t>(0, 8)
                                 : bytes.ConsumeIntegral<hsize_t>() >> 8;
  return extents;
}

/// The difference from an intact array; kNone when the input is used up.
enum class Change {
  kNone,
  kValue,
  kValues,
  kCount,
  kType,
  kShape,
  kLayout,
  kAbsent,
  kLink,
  kMaxValue = kLink
};

void make_link(hid_t file, const char* name, FuzzedDataProvider& bytes) {
  const hdf5::Handle links = hdf5::property_list(H5P_LINK_CREATE, kPath);
  H5Pset_create_intermediate_group(links, 1);
  const std::string target = bytes.ConsumeRandomLengthString(12);
  if (bytes.ConsumeBool())
    H5Lcreate_soft(target.c_str(), file, name, links, H5P_DEFAULT);
  else
    H5Lcreate_external("other.h5", target.c_str(), file, name, links, H5P_DEFAULT);
}

hdf5::Handle any_layout(const std::vector<hsize_t>& extents, FuzzedDataProvider& bytes) {
  hdf5::Handle creation = hdf5::property_list(H5P_DATASET_CREATE, kPath);
  const int layout = bytes.ConsumeIntegralInRange(0, 3);
  if (layout == 0) H5Pset_layout(creation, H5D_COMPACT);
  if (layout == 1) {
    const std::vector<hsize_t> chunk(extents.size(), 2);
    H5Pset_chunk(creation, static_cast<int>(chunk.size()), chunk.data());
    if (bytes.ConsumeBool()) H5Pset_deflate(creation, 1);
  }
  if (layout == 2) H5Pset_external(creation, "other.raw", 0, 1 << 20);
  if (layout == 3) H5Pset_alloc_time(creation, H5D_ALLOC_TIME_EARLY);
  return creation;
}

/// A file must stay small: storage that is never written is not allocated.
void make_array(hid_t file, Array array, FuzzedDataProvider& bytes) {
  const auto change = bytes.ConsumeBool() ? bytes.ConsumeEnum<Change>() : Change::kNone;
  if (change == Change::kAbsent) return;
  if (change == Change::kLink) return make_link(file, array.name, bytes);
  std::vector<uint64_t>& values = array.values;
  if (change == Change::kValue)
    values[bytes.ConsumeIntegralInRange<size_t>(0, values.size() - 1)] =
        bytes.ConsumeBool() ? bytes.ConsumeIntegralInRange<uint64_t>(0, 8)
                            : bytes.ConsumeIntegral<uint64_t>();
  if (change == Change::kValues)
    for (uint64_t& value : values) value = bytes.ConsumeIntegralInRange<uint64_t>(0, 4);
  if (change == Change::kCount) values.resize(bytes.ConsumeIntegralInRange<size_t>(0, 9));
  if (change == Change::kType) array.type = any_type(bytes);
  const std::vector<hsize_t> extents =
      change == Change::kShape ? any_extents(bytes) : std::vector<hsize_t>{values.size()};
  hdf5::Handle dataset;
  if (change == Change::kLayout) {
    const hdf5::Handle creation = any_layout(extents, bytes);
    dataset = hdf5::create_dataset(file, array.name, array.type, extents, creation, kPath);
    if (H5Pget_external_count(creation) != 0) return;  // a write would create that file
  } else {
    dataset = hdf5::create_dataset(file, array.name, array.type, extents, kPath);
  }
  const bool fits = extents.size() == 1 && extents[0] == values.size();
  if (fits && !values.empty() && bytes.remaining_bytes() != 1)
    H5Dwrite(dataset, H5T_NATIVE_UINT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
}

template <typename Value>
void make_attribute(hid_t file, const char* name, const Value& value, FuzzedDataProvider& bytes) {
  if (!bytes.ConsumeBool()) return hdf5::write_attribute(file, name, value, kPath);
  switch (bytes.ConsumeIntegralInRange(0, 4)) {
    case 0:
      return;
    case 1:
      return hdf5::write_attribute(file, name, bytes.ConsumeRandomLengthString(40), kPath);
    case 2:
      return hdf5::write_attribute(file, name, bytes.ConsumeIntegral<int64_t>(), kPath);
    default: {  // another type, an array of it, or a string of variable length
      const hdf5::Handle text(H5Tcopy(H5T_C_S1), H5Tclose);
      const bool variable = bytes.ConsumeBool();
      if (variable) H5Tset_size(text, H5T_VARIABLE);
      const hdf5::Handle space =
          hdf5::simple_space({bytes.ConsumeIntegralInRange<hsize_t>(0, 3)}, kPath);
      const hdf5::Handle attribute(
          hdf5::check(H5Acreate2(file, name, variable ? text.get() : any_type(bytes), space,
                                 H5P_DEFAULT, H5P_DEFAULT),
                      "attribute", kPath),
          H5Aclose);
    }
  }
}

/// False if the library refuses to write such a file.
bool make_file(const std::filesystem::path& path, FuzzedDataProvider& bytes) {
  try {
    hdf5::Handle file = hdf5::create_file(path.string());
    const bool shares = bytes.ConsumeBool();
    for (const Array& array : sound_arrays(shares)) make_array(file, array, bytes);
    make_attribute(file, "format", std::string(io::kShardFormat), bytes);
    make_attribute(file, "version", shares ? io::kSharedMediaVersion : io::kShardVersion, bytes);
    make_attribute(file, "num_samples", int64_t{2}, bytes);
    for (const char* name : {"task", "source", "created_by"})
      make_attribute(file, name, std::string("fuzz"), bytes);
    file.close("file", kPath);
    return true;
  } catch (const IoError&) {
    return false;
  }
}

/// A sidecar with the right digest for any range of the file.
io::ShardSidecar any_sidecar(const std::filesystem::path& path, FuzzedDataProvider& bytes) {
  const std::string contents = io::read_text(path);
  io::ShardSidecar sidecar;
  sidecar.size = contents.size();
  sidecar.blobs_begin = bytes.ConsumeIntegralInRange<uint64_t>(0, sidecar.size);
  sidecar.blobs_end = bytes.ConsumeIntegralInRange<uint64_t>(sidecar.blobs_begin, sidecar.size);
  const std::string outside =
      contents.substr(0, sidecar.blobs_begin) + contents.substr(sidecar.blobs_end);
  sidecar.outside = io::digest128(outside.data(), outside.size());
  return sidecar;
}

std::string sidecar_of(const std::filesystem::path& path, FuzzedDataProvider& bytes) {
  if (!bytes.ConsumeBool()) try {
      return io::ShardSidecar::measure(path).to_text();
    } catch (const IoError&) {  // there are no blobs
    }
  return any_sidecar(path, bytes).to_text();
}

void read(const std::filesystem::path& path) {
  const io::ShardReader shard(path);
  for (int64_t sample = 0; sample < shard.size(); ++sample) {
    shard.key(sample);
    shard.turns(sample);
    shard.text_length(sample);
    shard.kind(sample);
    for (int media = 0; media < shard.media_count(sample); ++media)
      fuzz::accepts([&] { shard.read_media(sample, media); });
  }
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  // The library keeps all its memory for the next input: it allocates more per file and array than
  // a file here is long, and allocation from the system would take most of the time.
  H5set_free_list_limits(-1, -1, -1, -1, -1, -1);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto path = fuzz::folder().path() / "fuzzed.h5";
  const std::string input = fuzz::text_of(data, size);
  const bool is_sidecar = input.starts_with("lynceus-shard");
  FuzzedDataProvider bytes(data, is_sidecar ? 0 : size);
  if (!make_file(path, bytes)) return 0;
  fuzz::folder().file("fuzzed.h5.xxh", is_sidecar ? input : sidecar_of(path, bytes));
  const bool accepted = fuzz::accepts([&] { read(path); });
  if (size == 0) fuzz::require(accepted, "an intact shard is accepted");
  return 0;
}
