// Derives names, shapes and file offsets from the description in the pickle.
#include "io/weights/torch_file.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "core/text/foreign_file.h"
#include "io/files/zip_entries.h"
#include "io/weights/pickle.h"

namespace lynceus::io {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 3> kWrappers = {"model", "state_dict", "module"};
constexpr const char* kWayOut =
    "rewrite the weights with torch: "
    "torch.save(torch.load(FILE, map_location='cpu'), NEW)";

constexpr const char* kTensorV2 = "torch._utils._rebuild_tensor_v2";
constexpr const char* kTensorV3 = "torch._utils._rebuild_tensor_v3";
constexpr const char* kParameter = "torch._utils._rebuild_parameter";
constexpr const char* kSize = "torch.Size";

struct GlobalType {
  std::string_view global;
  FileType type;
};
constexpr std::array<GlobalType, 10> kStorages{{{"torch.DoubleStorage", FileType::kF64},
                                                {"torch.FloatStorage", FileType::kF32},
                                                {"torch.HalfStorage", FileType::kF16},
                                                {"torch.BFloat16Storage", FileType::kBf16},
                                                {"torch.LongStorage", FileType::kI64},
                                                {"torch.IntStorage", FileType::kI32},
                                                {"torch.ShortStorage", FileType::kI16},
                                                {"torch.CharStorage", FileType::kI8},
                                                {"torch.ByteStorage", FileType::kU8},
                                                {"torch.BoolStorage", FileType::kBool}}};
constexpr std::array<GlobalType, 15> kDtypes{{{"torch.float64", FileType::kF64},
                                              {"torch.float32", FileType::kF32},
                                              {"torch.float16", FileType::kF16},
                                              {"torch.bfloat16", FileType::kBf16},
                                              {"torch.float8_e4m3fn", FileType::kF8E4M3},
                                              {"torch.float8_e5m2", FileType::kF8E5M2},
                                              {"torch.int64", FileType::kI64},
                                              {"torch.int32", FileType::kI32},
                                              {"torch.int16", FileType::kI16},
                                              {"torch.int8", FileType::kI8},
                                              {"torch.uint64", FileType::kU64},
                                              {"torch.uint32", FileType::kU32},
                                              {"torch.uint16", FileType::kU16},
                                              {"torch.uint8", FileType::kU8},
                                              {"torch.bool", FileType::kBool}}};
/// A storage of bytes; the type is part of its tensors.
constexpr std::string_view kUntyped = "torch.storage.UntypedStorage";

template <size_t kCount>
std::optional<FileType> type_of(const std::array<GlobalType, kCount>& table,
                                std::string_view global) {
  for (const GlobalType& row : table)
    if (row.global == global) return row.type;
  return std::nullopt;
}

bool may_be_named(const std::string& global) {
  static constexpr std::array<std::string_view, 7> kOthers = {
      "collections.OrderedDict", kTensorV2, kTensorV3, kParameter, kSize, "torch.device", kUntyped};
  return std::find(kOthers.begin(), kOthers.end(), global) != kOthers.end() ||
         type_of(kStorages, global) || type_of(kDtypes, global);
}

/// Reads the table of contents and the pickle of one file.
class TorchReader {
 public:
  explicit TorchReader(const File& file) : file_(file), shown_(file.path().string()) {}

  /// `way` receives the keys that led to the weights; empty if the weights are the root.
  std::map<std::string, StoredTensor> tensors(std::string* way) {
    refuse_other_formats();
    find_entries();
    const ZipEntry& entry = entries_.at(folder_ + "data.pkl");
    const PickleLimits limits;
    if (entry.size > limits.max_bytes)
      throw InputError("{}: {} has {} bytes, at most {} are accepted", shown_, entry.name,
                       entry.size, limits.max_bytes);
    const Pickle pickle(contents(entry), shown_ + ": " + entry.name, may_be_named, limits);
    pickle_ = &pickle;
    const PickleValue& weights = find_weights(way);
    std::map<std::string, StoredTensor> found;
    for (size_t i = 0; i < weights.items.size(); i += 2) {
      StoredTensor tensor = read_tensor(name_at(weights, i), pickle.item(weights, i + 1));
      const std::string name = tensor.name;
      if (!found.emplace(name, std::move(tensor)).second)
        throw InputError("{}: tensor '{}' appears twice", shown_, name);
    }
    if (!strided_.empty())
      throw InputError(
          "{}: tensors that are not contiguous (transposed, or parts of others):{}\n"
          "call .contiguous() on them and save again",
          shown_, strided_);
    return found;
  }

 private:
  template <typename... Args>
  [[noreturn]] void fail(const std::string& tensor, fmt::format_string<Args...> format,
                         Args&&... args) const {
    throw InputError("{}: tensor '{}': {}", shown_, tensor,
                     fmt::format(format, std::forward<Args>(args)...));
  }

  // The archive.

  void refuse_other_formats() const {
    if (is_zip(file_)) return;
    const std::string head = file_.head(kForeignHeadBytes);
    const bool pickled = head.starts_with('\x80');
    const bool tarred = head.size() > 262 && head.compare(257, 5, "ustar") == 0;
    if (pickled || tarred)
      throw InputError("{}: expected a zip archive, found a {} of torch before 1.6; {}", shown_,
                       pickled ? "bare pickle" : "tar archive", kWayOut);
    refuse_foreign(head, shown_, "a torch file (a zip archive)");
    throw InputError("{}: not a torch file: expected a zip archive", shown_);
  }

  std::string contents(const ZipEntry& entry) const {
    std::string bytes(entry.size, '\0');
    file_.read_at(entry.begin, bytes.data(), bytes.size());
    return bytes;
  }

  void find_entries() {
    for (ZipEntry& entry : read_zip_entries(file_)) {
      const std::string name = entry.name;
      entries_[name] = std::move(entry);
    }
    // NAME is the name that the file had when it was written.
    int pickles = 0;
    for (const auto& [name, entry] : entries_)
      if (const size_t slash = name.find('/'); name.substr(slash + 1) == "data.pkl") {
        folder_ = name.substr(0, slash + 1);
        ++pickles;
      }
    if (pickles != 1)
      throw InputError("{}: not a torch file: expected one entry NAME/data.pkl, found {}", shown_,
                       pickles);
    if (const auto order = entries_.find(folder_ + "byteorder"); order != entries_.end())
      if (order->second.size > 16 || contents(order->second) != "little")
        throw InputError(
            "{}: {}: expected 'little', found another value: big-endian files cannot be read",
            shown_, order->first);
  }

  // The dict of the weights.

  bool is_call(const PickleValue& value, std::string_view global) const {
    return value.kind == PickleKind::kCall && pickle_->item(value, 0).global == global;
  }
  bool is_tensor(const PickleValue& value) const {
    return is_call(value, kTensorV2) || is_call(value, kTensorV3) || is_call(value, kParameter);
  }

  std::string name_at(const PickleValue& dict, size_t key) const {
    const PickleValue& name = pickle_->item(dict, key);
    if (name.kind != PickleKind::kText)
      throw InputError("{}: expected names of tensors, found {}", shown_, name_of(name.kind));
    const bool plain = std::none_of(name.text.begin(), name.text.end(),
                                    [](unsigned char c) { return c < 0x20 || c == 0x7F; });
    if (!plain || name.text.size() > 1000)
      throw InputError("{}: invalid tensor name of {} bytes{}", shown_, name.text.size(),
                       plain ? "" : " with control characters");
    return std::string(name.text);
  }

  const PickleValue& find_weights(std::string* way) const {
    const PickleValue* dict = &pickle_->root();
    // The number of steps is limited because a dict may contain itself.
    for (int step = 0; step < 8; ++step) {
      if (dict->kind != PickleKind::kDict)
        throw InputError("{}: expected a dict of tensors, found {}", shown_, name_of(dict->kind));
      std::string others;
      std::vector<std::pair<std::string, const PickleValue*>> inner;
      for (size_t i = 0; i < dict->items.size(); i += 2) {
        const PickleValue& value = pickle_->item(*dict, i + 1);
        if (is_tensor(value)) continue;
        const PickleValue& key = pickle_->item(*dict, i);
        const std::string name =
            key.kind == PickleKind::kText ? name_at(*dict, i) : name_of(key.kind);
        if (others.size() < 2000) others += fmt::format("\n  {}: {}", name, name_of(value.kind));
        if (value.kind == PickleKind::kDict &&
            std::find(kWrappers.begin(), kWrappers.end(), name) != kWrappers.end())
          inner.emplace_back(name, &value);
      }
      if (dict->items.empty())
        throw InputError("{}: expected tensors, found an empty dict", shown_);
      if (others.empty()) return *dict;
      if (inner.size() != 1)
        throw InputError(
            "{}: expected a dict of only tensors, or a dict with exactly one dict named "
            "'model', 'state_dict' or 'module'; found other values{}:{}",
            shown_, way->empty() ? "" : " in '" + *way + "'", others);
      *way += (way->empty() ? "" : ".") + inner[0].first;
      dict = inner[0].second;
    }
    throw InputError("{}: the dicts are nested too deeply: '{}'", shown_, *way);
  }

  // One tensor.

  const PickleValue& argument(const std::string& name, const PickleValue& call,
                              size_t position) const {
    const PickleValue& arguments = pickle_->item(call, 1);
    if (position >= arguments.items.size())
      fail(name, "{} arguments describe it, expected more", arguments.items.size());
    return pickle_->item(arguments, position);
  }
  uint64_t natural(const std::string& name, const char* what, const PickleValue& value) const {
    if (value.kind != PickleKind::kInteger || value.integer < 0)
      fail(name, "expected {} of 0 or more, found {} {}", what, name_of(value.kind), value.integer);
    return static_cast<uint64_t>(value.integer);
  }
  std::vector<int64_t> naturals(const std::string& name, const char* what,
                                const PickleValue& value) const {
    const PickleValue& list = is_call(value, kSize) ? argument(name, value, 0) : value;
    if (list.kind != PickleKind::kTuple && list.kind != PickleKind::kList)
      fail(name, "expected {} as a tuple, found {}", what, name_of(list.kind));
    if (list.items.size() > Shape::kMaxRank)
      fail(name, "{} axes, at most {} are supported", list.items.size(), Shape::kMaxRank);
    std::vector<int64_t> numbers;
    for (size_t i = 0; i < list.items.size(); ++i)
      numbers.push_back(static_cast<int64_t>(natural(name, what, pickle_->item(list, i))));
    return numbers;
  }

  StoredTensor read_tensor(const std::string& name, const PickleValue& value) {
    if (!is_call(value, kParameter)) return read_rebuilt(name, value);
    const PickleValue& inner = argument(name, value, 0);
    if (!is_call(inner, kTensorV2) && !is_call(inner, kTensorV3))
      fail(name, "expected a parameter with a tensor, found {}", name_of(inner.kind));
    return read_rebuilt(name, inner);
  }

  StoredTensor read_rebuilt(const std::string& name, const PickleValue& call) {
    StoredTensor tensor;
    tensor.name = name;
    std::optional<FileType> type;
    const ZipEntry& storage = find_storage(name, argument(name, call, 0), &type);
    if (is_call(call, kTensorV3)) type = type_of(kDtypes, argument(name, call, 6).global);
    if (!type) fail(name, "its element type is missing");
    tensor.type = *type;
    const uint64_t element = size_of(tensor.type);
    const uint64_t offset = natural(name, "an offset", argument(name, call, 1));
    const std::vector<int64_t> shape = naturals(name, "a shape", argument(name, call, 2));
    const std::vector<int64_t> strides = naturals(name, "strides", argument(name, call, 3));
    tensor.shape = Shape(shape);
    const auto bytes = bytes_of(tensor.shape, element);
    if (!bytes) fail(name, "the size of shape {} overflows", tensor.shape.to_string());
    if (strides.size() != shape.size())
      fail(name, "{} strides for shape {}", strides.size(), tensor.shape.to_string());
    if (offset > storage.size / element || *bytes > storage.size - offset * element)
      fail(name, "{} of shape {} from element {} exceeds its storage of {} bytes",
           name_of(tensor.type), tensor.shape.to_string(), offset, storage.size);
    if (*bytes > 0) note_strides(name, shape, strides);
    tensor.begin = storage.begin + offset * element;
    return tensor;
  }

  /// The entry that a persistent id ('storage', type, key, device, elements) refers to.
  const ZipEntry& find_storage(const std::string& name, const PickleValue& value,
                               std::optional<FileType>* type) const {
    if (value.kind != PickleKind::kPersistent)
      fail(name, "expected a storage, found {}", name_of(value.kind));
    const PickleValue& id = pickle_->item(value, 0);
    if (id.kind != PickleKind::kTuple || id.items.size() < 5 ||
        pickle_->item(id, 0).text != "storage" || pickle_->item(id, 2).kind != PickleKind::kText)
      fail(name, "the description of its storage is unknown");
    const std::string& global = pickle_->item(id, 1).global;
    *type = type_of(kStorages, global);
    if (!*type && global != kUntyped) fail(name, "its storage has no type");
    const uint64_t element = *type ? size_of(**type) : 1;
    const uint64_t elements = natural(name, "a storage", pickle_->item(id, 4));
    const auto found = entries_.find(folder_ + "data/" + std::string(pickle_->item(id, 2).text));
    if (found == entries_.end()) fail(name, "its storage is not in the archive");
    const ZipEntry& entry = found->second;
    if (entry.size % element != 0 || entry.size / element != elements)
      fail(name, "its storage has {} elements of {} bytes, the entry {} has {} bytes", elements,
           element, entry.name, entry.size);
    return entry;
  }

  /// Notes strides that are not row-major. The stride of an axis of extent 1 has no meaning.
  void note_strides(const std::string& name, const std::vector<int64_t>& shape,
                    const std::vector<int64_t>& strides) {
    int64_t expected = 1;
    bool contiguous = true;
    for (size_t axis = shape.size(); axis-- > 0;) {
      contiguous = contiguous && (shape[axis] == 1 || strides[axis] == expected);
      expected *= shape[axis];
    }
    if (!contiguous && strided_.size() < 2000)
      strided_ += fmt::format("\n  {} {} with strides {}", name, Shape(shape).to_string(),
                              Shape(strides).to_string());
  }

  const File& file_;
  std::string shown_;
  std::map<std::string, ZipEntry> entries_;
  std::string folder_;
  const Pickle* pickle_ = nullptr;
  std::string strided_;  // one line per tensor that is not contiguous
};

class TorchSource : public WeightSource {
 public:
  explicit TorchSource(const fs::path& path) : file_(File::open(follow_link_text(path))) {
    tensors_ = TorchReader(file_).tensors(&way_);
  }

  std::vector<std::string> names() const override {
    std::vector<std::string> all;
    for (const auto& [name, tensor] : tensors_) all.push_back(name);
    return all;
  }
  bool has(const std::string& name) const override { return tensors_.contains(name); }
  Shape shape(const std::string& name) const override { return tensor(name).shape; }
  std::optional<FileType> stored_type(const std::string& name) const override {
    return tensor(name).type;
  }
  void read(const std::string& name, const Slice& slice, const Tensor& out) const override {
    read_slice(file_, tensor(name), slice, out);
  }
  std::string describe() const override {
    const std::string path = file_.path().string();
    return way_.empty() ? path : fmt::format("{} ('{}')", path, way_);
  }
  std::vector<fs::path> files() const override { return {file_.path()}; }

 private:
  const StoredTensor& tensor(const std::string& name) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) throw InputError("{}: there is no tensor '{}'", describe(), name);
    return found->second;
  }

  File file_;
  std::string way_;
  std::map<std::string, StoredTensor> tensors_;
};

}  // namespace

bool is_torch_name(const std::string& name) {
  return name.ends_with(".pt") || name.ends_with(".pth") || name.ends_with(".bin");
}

WeightSourcePtr open_torch_file(const fs::path& path) {
  return std::make_shared<TorchSource>(path);
}

}  // namespace lynceus::io
