// Writes torch files byte by byte, so that tests can make them invalid.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace lynceus::io {

/// An integer as `bytes` little-endian bytes.
inline std::string little(uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i, value >>= 8) text += static_cast<char>(value & 0xFF);
  return text;
}

/// A zip archive of stored entries. The members are the fields of its headers; tests change them.
struct ZipMember {
  std::string name;
  std::string contents;
  std::string local_name = name;
  uint16_t flags = 0x0800;
  uint16_t method = 0;
  uint64_t size = contents.size();
  uint64_t stored = contents.size();
  int64_t header_shift = 0;  // of the local header's offset in the directory
  bool zip64 = false;
};

struct ZipArchive {
  std::vector<ZipMember> members;
  bool zip64 = false;
  int64_t count_shift = 0;  // of the count in the end record
  int64_t directory_shift = 0;
  int64_t size_shift = 0;
  std::string comment = {};

  std::string bytes() const {
    std::string text;
    std::string directory;
    for (const ZipMember& member : members) {
      const uint64_t header = text.size() + static_cast<uint64_t>(member.header_shift);
      text += "PK\3\4" + little(45, 2) + little(member.flags, 2) + little(member.method, 2) +
              little(0, 8) + little(member.stored, 4) + little(member.size, 4) +
              little(member.local_name.size(), 2) + little(0, 2) + member.local_name +
              member.contents;
      const std::string extra = member.zip64
                                    ? little(1, 2) + little(24, 2) + little(member.size, 8) +
                                          little(member.stored, 8) + little(header, 8)
                                    : "";
      const auto short_or = [&](uint64_t value) {
        return little(member.zip64 ? 0xFFFFFFFF : value, 4);
      };
      directory += "PK\1\2" + little(45, 2) + little(45, 2) + little(member.flags, 2) +
                   little(member.method, 2) + little(0, 8) + short_or(member.stored) +
                   short_or(member.size) + little(member.name.size(), 2) + little(extra.size(), 2) +
                   little(0, 10) + short_or(header) + member.name + extra;
    }
    const uint64_t count = members.size() + static_cast<uint64_t>(count_shift);
    const uint64_t begin = text.size() + static_cast<uint64_t>(directory_shift);
    const uint64_t size = directory.size() + static_cast<uint64_t>(size_shift);
    text += directory;
    if (zip64)
      text += "PK\6\6" + little(44, 8) + little(45, 2) + little(45, 2) + little(0, 8) +
              little(count, 8) + little(count, 8) + little(size, 8) + little(begin, 8) + "PK\6\7" +
              little(0, 4) + little(text.size(), 8) + little(1, 4);
    text += "PK\5\6" + little(0, 4) + little(zip64 ? 0xFFFF : count, 2) +
            little(zip64 ? 0xFFFF : count, 2) + little(zip64 ? 0xFFFFFFFF : size, 4) +
            little(zip64 ? 0xFFFFFFFF : begin, 4) + little(comment.size(), 2) + comment;
    return text;
  }
};

/// Pieces of a pickle.
inline std::string py_text(const std::string& text) { return "X" + little(text.size(), 4) + text; }
inline std::string py_integer(int64_t value) {
  return "\x8a\x08" + little(static_cast<uint64_t>(value), 8);
}
inline std::string py_tuple(const std::vector<int64_t>& values) {
  std::string text = "(";
  for (const int64_t value : values) text += py_integer(value);
  return text + "t";
}
inline std::string py_global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}

/// A tensor as torch.save describes it; tests change the fields.
struct PyTensor {
  std::string storage_type = py_global("torch", "FloatStorage");
  std::string key = "0";
  int64_t elements = 6;
  int64_t offset = 0;
  std::vector<int64_t> shape = {2, 3};
  std::vector<int64_t> strides = {3, 1};
  std::string rebuild = py_global("torch._utils", "_rebuild_tensor_v2");
  std::string more = {};  // further arguments

  std::string text() const {
    return rebuild + "((" + py_text("storage") + storage_type + py_text(key) + py_text("cpu") +
           py_integer(elements) + "tQ" + py_integer(offset) + py_tuple(shape) + py_tuple(strides) +
           "\x89" + py_global("collections", "OrderedDict") + ")R" + more + "tR";
  }
};

/// The pickle of {name: value, ..}.
inline std::string py_dict(const std::vector<std::pair<std::string, std::string>>& items) {
  std::string text = "}(";
  for (const auto& [name, value] : items) text += py_text(name) + value;
  return text + "u";
}
inline std::string py_pickle(const std::string& value) { return "\x80\x02" + value + "."; }

/// A torch file whose pickle is `value` and whose storage "0" has these bytes.
inline ZipArchive torch_archive(const std::string& value,
                                const std::string& storage = std::string(24, '\0')) {
  return {.members = {{.name = "x/data.pkl", .contents = py_pickle(value)},
                      {.name = "x/data/0", .contents = storage},
                      {.name = "x/version", .contents = "3\n"}}};
}

}  // namespace lynceus::io
