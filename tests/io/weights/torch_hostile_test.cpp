// Invalid torch files, damaged or malicious: each causes one InputError that names the file and the
// fault, without much memory or time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "core/error.h"
#include "io/files/zip_entries.h"
#include "io/weights/llama_pieces.h"
#include "io/weights/pickle.h"
#include "io/weights/torch_file.h"
#include "io/weights/weight_files.h"
#include "tests/io/weights/torch_archive.h"

namespace lynceus::io {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

class TorchHostile : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/torch_test_XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path store(const std::string& bytes, const std::string& name = "x.pt") const {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return folder_ / name;
  }
  WeightSourcePtr open(const std::string& bytes) const { return open_torch_file(store(bytes)); }
  void refused(const std::string& bytes, const std::string& says) const {
    EXPECT_THAT([&] { open(bytes); },
                ThrowsMessage<InputError>(AllOf(HasSubstr("x.pt"), HasSubstr(says))));
  }
  /// A file with this pickle.
  void refused_value(const std::string& value, const std::string& says) const {
    refused(torch_archive(value).bytes(), says);
  }
  void refused_tensor(const PyTensor& tensor, const std::string& says) const {
    refused_value(py_dict({{"w", tensor.text()}}), says);
  }
  static std::string good_value() { return py_dict({{"w", PyTensor().text()}}); }

  fs::path folder_;
};

std::vector<float> values(const WeightSource& source, const std::string& name) {
  return source.read_whole(Stream{}, name).to_vector<float>();
}

TEST_F(TorchHostile, TheUnchangedArchiveIsAccepted) {
  const float numbers[] = {1, 2, 3, 4, 5, 6};
  ZipArchive archive =
      torch_archive(good_value(), {reinterpret_cast<const char*>(numbers), sizeof(numbers)});
  for (const bool zip64 : {false, true}) {
    archive.zip64 = zip64;
    for (ZipMember& member : archive.members) member.zip64 = zip64;
    archive.comment = "a comment";
    EXPECT_THAT(values(*open(archive.bytes()), "w"), testing::ElementsAre(1, 2, 3, 4, 5, 6));
  }
}

TEST_F(TorchHostile, NewerTorch) {
  ZipArchive archive = torch_archive(
      py_dict({{"w", PyTensor{.storage_type = py_global("torch.storage", "UntypedStorage"),
                              .elements = 24,
                              .offset = 1,
                              .shape = {2},
                              .strides = {1},
                              .rebuild = py_global("torch._utils", "_rebuild_tensor_v3"),
                              .more = py_global("torch", "float32")}
                         .text()}}));
  archive.members.push_back({.name = "x/byteorder", .contents = "little"});
  archive.members.push_back({.name = "x/.data/serialization_id", .contents = "0123"});
  EXPECT_THAT(values(*open(archive.bytes()), "w"), testing::ElementsAre(0, 0));
  archive.members[3].contents = "big";
  archive.members[3].size = archive.members[3].stored = 3;
  refused(archive.bytes(), "x/byteorder");
}

TEST_F(TorchHostile, EveryTruncationIsRefused) {
  const std::string whole = torch_archive(good_value()).bytes();
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_THROW(open(whole.substr(0, size)), InputError) << size;
}

TEST_F(TorchHostile, EveryChangedByteIsRefusedOrHarmless) {
  const std::string whole = torch_archive(good_value()).bytes();
  for (size_t at = 0; at < whole.size(); ++at) {
    for (const int bits : {0x01, 0x80, 0xFF}) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ bits);
      try {
        const auto source = open(changed);
        for (const std::string& name : source->names()) values(*source, name);
      } catch (const InputError&) {
      }
    }
  }
}

TEST_F(TorchHostile, Archives) {
  const auto refused_after = [&](const std::function<void(ZipArchive&)>& spoil,
                                 const std::string& says) {
    for (const bool zip64 : {false, true}) {
      ZipArchive archive = torch_archive(good_value());
      archive.zip64 = zip64;
      for (ZipMember& member : archive.members) member.zip64 = zip64;
      spoil(archive);
      SCOPED_TRACE(says);
      refused(archive.bytes(), says);
    }
  };
  const uint64_t far = 1 << 20;
  refused_after([](ZipArchive& a) { a.members[1].method = 8; }, "'x/data/0' is compressed");
  refused_after([](ZipArchive& a) { a.members[1].flags |= 1; }, "'x/data/0' is encrypted");
  refused_after([](ZipArchive& a) { a.members[1].stored = 7; }, "'x/data/0' has 24 bytes");
  refused_after([&](ZipArchive& a) { a.members[1].size = a.members[1].stored = far; },
                "'x/data/0', 1048576 bytes");
  refused_after([&](ZipArchive& a) { a.members[1].header_shift = far; }, "into the directory");
  refused_after([](ZipArchive& a) { a.members[1].header_shift = 1; }, "no local header");
  refused_after([](ZipArchive& a) { a.members[1].local_name = "x/data/9"; }, "called 'x/data/9'");
  refused_after([](ZipArchive& a) { a.members[1].name = "x/version"; }, "called");
  refused_after([](ZipArchive& a) { a.members.push_back(a.members[1]); }, "appears twice");
  refused_after([](ZipArchive& a) { a.count_shift = 1; }, "claims 4 entries");
  refused_after([](ZipArchive& a) { a.count_shift = -1; }, "claims 2 entries");
  refused_after([&](ZipArchive& a) { a.directory_shift = far; }, "reaches past");
  refused_after([](ZipArchive& a) { a.directory_shift = -1; }, "the directory are not an entry");
  refused_after([&](ZipArchive& a) { a.size_shift = far; }, "reaches past");
  refused_after([](ZipArchive& a) { a.size_shift = -1; }, "past the end of the directory");
  refused_after([](ZipArchive& a) { a.members[0].name = a.members[0].local_name = "x/data"; },
                "expected one entry NAME/data.pkl, found 0");
  refused_after([](ZipArchive& a) { a.members[2].name = a.members[2].local_name = "y/data.pkl"; },
                "expected one entry NAME/data.pkl, found 2");
}

TEST_F(TorchHostile, EntriesThatShareBytes) {
  // The second local header lies inside the first entry's contents.
  ZipArchive inner;
  inner.members = {{.name = "x/data/0", .contents = std::string(24, '\0')}};
  const std::string header = inner.bytes().substr(0, 30 + 8 + 24);
  ZipArchive archive = torch_archive(good_value());
  archive.members[2] = {.name = "x/other", .contents = header};
  const auto second = static_cast<int64_t>(30 + 8 + 24);
  archive.members[1].header_shift = second + 30 + 7;
  refused(archive.bytes(), "overlap");
}

TEST_F(TorchHostile, OtherFiles) {
  refused("", "x.pt is an empty file; expected a torch file");
  refused("<html>", "x.pt is an HTML page");
  refused("version https://git-lfs.github.com/spec/v1\n", "x.pt is a Git LFS pointer");
  refused("just some text", "not a torch file");
  refused(py_pickle("N"), "before 1.6");
  std::string tar(512, '\0');
  tar.replace(257, 5, "ustar");
  refused(tar, "tar archive of torch before 1.6");
  EXPECT_THROW(open_torch_file(folder_ / "gone.pt"), IoError);
  refused("PK\3\4" + std::string(100, 'x'), "no end record");
}

TEST_F(TorchHostile, ForeignGlobals) {
  for (const char* name : {"system", "popen"}) {
    refused_value(py_global("os", name) + "(" + py_text("true") + "tR",
                  fmt::format("'os.{}'", name));
    refused_value(py_text("os") + py_text(name) + "\x93", fmt::format("'os.{}'", name));
  }
  // Also where no weight needs them, and in any spelling.
  refused_value(py_dict({{"w", PyTensor().text()}, {"args", py_global("argparse", "Namespace")}}),
                "'argparse.Namespace'");
  refused_value(py_global("torch", "load"), "'torch.load'");
  refused_value(py_global("torch._utils\t", "_rebuild_tensor_v2"), "torch._utils?.");
  refused_value(py_global("builtins", "eval"), "'builtins.eval'");
  // The allowed ones have one use each.
  refused_value(py_global("torch._utils", "_rebuild_tensor_v2") + "NR", "expected a global with");
  refused_value("N)R", "expected a global with");
  refused_value(py_global("collections", "OrderedDict") + "NbN", "expected a dict, found a global");
}

TEST_F(TorchHostile, Bombs) {
  refused_value(std::string(70, ']') + std::string(69, 'a'), "deeper than 64");
  refused_value(")" + std::string(70, '\x85'), "deeper than 64");
  refused_value(std::string(1'100'000, '('), "more than 1000000 marks");
  refused_value(std::string(1'100'000, 'N'), "more than 1000000 values");
  std::string again = "Nq";
  again += '\0';
  for (int i = 0; i < 1'100'000; ++i) again += std::string("h\0", 2);
  refused_value(again, "more than 1000000 values on the stack");
  refused_value("Nr" + little(0xFFFFFFF0, 4), "memo entry 4294967280");
  refused_value("X" + little(0xFFFFFFF0, 4), "truncated");
  refused_value("\x8e" + little(~0ull, 8), "truncated");
  refused_value("\x95" + little(~0ull, 8), "a frame is incomplete");
  refused_value("\x8a\xff" + std::string(255, '\0'), "an integer of 255 bytes");
  // Expanded, each line would double the size; the reader must not expand it.
  std::string doubling = py_text("lol") + "q" + '\0' + "0";
  for (char i = 1; i < 60; ++i)
    doubling += std::string("h") + static_cast<char>(i - 1) + "h" + static_cast<char>(i - 1) +
                "\x86q" + i + "0";
  refused_value(doubling + py_dict({{"x", "h" + std::string(1, '\x3b')}}), "x: a tuple");
}

TEST_F(TorchHostile, CyclicPickles) {
  const std::string key = py_text("model");
  refused_value("}q" + std::string(1, '\0') + key + "h" + std::string(1, '\0') + "s",
                "nested too deeply");
  refused_value("]q" + std::string(1, '\0') + "h" + std::string(1, '\0') + "a", "found a list");
}

TEST_F(TorchHostile, Machines) {
  refused_value("a", "fewer than 1");
  refused_value("(N(a", "fewer than 1");
  refused_value("NN", "left on the stack");
  refused_value("(N", "left on the stack");
  refused_value("e", "there is no mark");
  refused_value("}(Nu", "a key without a value");
  refused_value("Ns", "fewer than 2");
  refused_value("NNs", "the stack is empty");
  refused_value("NNNs", "expected a dict, found None");
  refused_value("h" + std::string(1, '\x07'), "no memo entry 7");
  refused_value("i", "opcode 0x69");
  refused_value("cos\n", "a name does not end");
  refused_value("NN\x93", "a global without a name");
  refused_value("N.N", "2 bytes after its end");
  ZipArchive archive = torch_archive(good_value());
  for (const std::string head : {"\x80\x01N.", "\x80\x06N.", "N.", ""}) {
    archive.members[0] = {.name = "x/data.pkl", .contents = head};
    EXPECT_THROW(open(archive.bytes()), InputError) << head;
  }
}

TEST_F(TorchHostile, Dicts) {
  refused_value("}", "an empty dict");
  refused_value("N", "found None");
  refused_value(py_dict({{"w", PyTensor().text()}, {"w", PyTensor().text()}}), "'w' appears twice");
  refused_value(py_dict({{"w", PyTensor().text()}, {"step", "K\x05"}}), "step: an integer");
  refused_value("}K\x05" + PyTensor().text() + "s", "expected names of tensors");
  refused_value(py_dict({{"a\nb", PyTensor().text()}}), "control characters");
  refused_value(py_dict({{std::string(2000, 'a'), PyTensor().text()}}), "2000 bytes");
  refused_value(py_dict({{"model", py_dict({})}}), "an empty dict");
}

TEST_F(TorchHostile, Tensors) {
  refused_tensor({.offset = 1}, "exceeds its storage");
  refused_tensor({.shape = {3, 3}}, "exceeds its storage");
  refused_tensor({.offset = -1}, "an offset of 0 or more");
  refused_tensor({.offset = INT64_MAX}, "exceeds its storage");
  refused_tensor({.shape = {-2, -3}}, "a shape of 0 or more");
  refused_tensor({.shape = {INT64_MAX, INT64_MAX}}, "overflows");
  refused_tensor({.shape = {1, 1, 1, 1, 1, 1, 1}}, "7 axes");
  refused_tensor({.strides = {1, 2}}, "w [2, 3] with strides [1, 2]");
  refused_tensor({.shape = {2, 2}, .strides = {0, 0}}, "with strides [0, 0]");
  refused_tensor({.strides = {1}}, "1 strides");
  refused_tensor({.elements = 7}, "its storage has 7 elements of 4 bytes");
  refused_tensor({.elements = -1}, "a storage of 0 or more");
  refused_tensor({.elements = INT64_MAX}, "its storage has");
  refused_tensor({.key = "1"}, "its storage is not in the archive");
  refused_tensor({.key = "../version"}, "its storage is not in the archive");
  refused_tensor({.storage_type = py_global("torch", "float32")}, "no type");
  refused_tensor({.storage_type = "N"}, "no type");
  refused_tensor({.storage_type = py_global("torch.storage", "UntypedStorage"), .elements = 24},
                 "its element type is missing");
  refused_tensor({.rebuild = py_global("torch._utils", "_rebuild_tensor_v3"), .more = "N"},
                 "its element type is missing");
  refused_tensor({.rebuild = py_global("torch._utils", "_rebuild_tensor_v3")},
                 "arguments describe");
  refused_tensor({.rebuild = py_global("torch._utils", "_rebuild_parameter")},
                 "expected a parameter with a tensor, found a storage");
  refused_value(py_dict({{"w", py_global("torch._utils", "_rebuild_tensor_v2") + ")R"}}),
                "0 arguments");
  refused_value(py_dict({{"w", py_global("torch._utils", "_rebuild_tensor_v2") + "NQ" + "\x85R"}}),
                "the description of its storage is unknown");
  refused_value(py_dict({{"w", py_global("torch._utils", "_rebuild_tensor_v2") + "K\x05\x85R"}}),
                "expected a storage, found an integer");
}

TEST_F(TorchHostile, StridesOfOneIndexMeanNothing) {
  const std::string value =
      py_dict({{"w", PyTensor{.shape = {1, 6, 1}, .strides = {99, 1, 7}}.text()},
               {"none", PyTensor{.shape = {0, 3}, .strides = {5, 5}}.text()}});
  EXPECT_EQ(values(*open(torch_archive(value).bytes()), "w").size(), 6u);
}

/// Pieces of a LLaMA whose shapes do not fit each other.
TEST_F(TorchHostile, PiecesThatDoNotFit) {
  store(R"({"dim": 4, "n_heads": 1, "n_layers": 1, "norm_eps": 1e-5})", "params.json");
  const auto piece = [&](const char* file, const std::vector<int64_t>& shape) {
    const PyTensor tensor{.shape = shape, .strides = {shape.back(), 1}};
    store(torch_archive(py_dict({{"layers.0.attention.wo.weight", tensor.text()}})).bytes(), file);
  };
  const auto refused_pieces = [&](const std::string& says) {
    EXPECT_THAT([&] { open_weights(folder_); }, ThrowsMessage<InputError>(HasSubstr(says)));
  };
  piece("consolidated.00.pth", {3, 2});
  EXPECT_EQ(open_weights(folder_)->shape("model.layers.0.self_attn.o_proj.weight"), (Shape{3, 2}));
  piece("consolidated.01.pth", {3, 1});
  EXPECT_EQ(open_weights(folder_)->shape("model.layers.0.self_attn.o_proj.weight"), (Shape{3, 3}));
  piece("consolidated.01.pth", {2, 2});
  refused_pieces("does not match the first piece's [3, 2]");
  const PyTensor flat{.shape = {6}, .strides = {1}};
  store(torch_archive(py_dict({{"layers.0.attention.wo.weight", flat.text()}})).bytes(),
        "consolidated.00.pth");
  refused_pieces("has shape [6], expected 2 axes");
}

TEST_F(TorchHostile, PiecesWithoutVocabulary) {
  store(R"({"dim": 4, "n_heads": 1, "n_layers": 1, "norm_eps": 1e-5})", "params.json");
  const auto with_rows = [&](int64_t mlp, int64_t vocabulary) {
    const PyTensor gate{.shape = {mlp, 1}, .strides = {1, 1}};
    const PyTensor output{.shape = {vocabulary, 0}, .strides = {1, 1}};
    store(torch_archive(py_dict({{"layers.0.feed_forward.w1.weight", gate.text()},
                                 {"output.weight", output.text()}}))
              .bytes(),
          "consolidated.00.pth");
    return read_llama_params(folder_);
  };
  EXPECT_EQ(with_rows(3, 7).vocab_size, 7);
  for (const int64_t rows : {int64_t{0}, int64_t{1} << 60})
    EXPECT_THAT([&] { with_rows(3, rows); },
                ThrowsMessage<InputError>(HasSubstr("'lm_head.weight' has")));
  EXPECT_THAT([&] { with_rows(0, 7); }, ThrowsMessage<InputError>(HasSubstr("has 0 rows")));
}

}  // namespace
}  // namespace lynceus::io
