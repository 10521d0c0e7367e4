// The safetensors reader against Hugging Face's own vectors and files malformed here; slices
// against the complete tensor; the writer against the reader.
#include "io/weights/safetensors.h"
#include "io/weights/safetensors_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <numeric>
#include <sstream>

#include "core/error.h"
#include "core/random.h"
#include "io/weights/convert.h"

namespace lynceus::io {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

const fs::path kVectors = fs::path(LYNCEUS_SOURCE_DIR) / "tests/data/safetensors";

struct Vector {
  std::string file;
  std::string expected;
};

std::vector<Vector> vectors() {
  std::ifstream manifest(kVectors / "MANIFEST.tsv");
  std::string line;
  std::getline(manifest, line);  // the headings
  std::vector<Vector> all;
  while (std::getline(manifest, line)) {
    std::istringstream columns(line);
    Vector vector;
    std::string bytes;
    std::getline(columns, vector.file, '\t');
    std::getline(columns, bytes, '\t');
    std::getline(columns, vector.expected, '\t');
    all.push_back(vector);
  }
  return all;
}

/// Part of our message for each error of Hugging Face's reader.
const std::map<std::string, std::string> kSays = {
    {"MetadataIncompleteBuffer", "follow the header"},
    {"HeaderTooLarge", "at most 100000000"},
    {"HeaderTooSmall", "expected at least 8 bytes for the header length"},
    {"InvalidHeaderLength", "truncated: header"},
    {"InvalidHeader", "not valid JSON"},
    {"InvalidHeaderDeserialization", "not valid JSON"},
    {"TensorInvalidInfo", "data_offsets span"},
    {"ValidationOverflow", ""},  // an extent out of range, or a product: below
    {"InvalidOffset", "overlap"}};

TEST(Safetensors, HuggingFaceVectors) {
  const auto all = vectors();
  ASSERT_EQ(all.size(), 18u);
  for (const Vector& vector : all) {
    SCOPED_TRACE(vector.file);
    const fs::path path = kVectors / vector.file;
    if (vector.expected == "ok") {
      EXPECT_NO_THROW(SafetensorsFile{path});
    } else {
      const std::string says =
          fs::file_size(path) == 0 ? "is an empty file" : kSays.at(vector.expected);
      EXPECT_THAT([&] { SafetensorsFile{path}; },
                  ThrowsMessage<InputError>(AllOf(HasSubstr(vector.file), HasSubstr(says))));
    }
  }
  EXPECT_THAT([] { SafetensorsFile{kVectors / "test_validation_overflow_2.safetensors"}; },
              ThrowsMessage<InputError>(HasSubstr("overflows")));
}

class SafetensorsTest : public testing::Test {
 protected:
  void TearDown() override { fs::remove(path_); }
  /// A file with this header and `data_bytes` zero bytes.
  void write(const std::string& header, size_t data_bytes) const {
    std::ofstream file(path_, std::ios::binary);
    const uint64_t size = header.size();
    file.write(reinterpret_cast<const char*>(&size), 8);
    file << header << std::string(data_bytes, '\0');
  }
  void expect_refused(const std::string& header, size_t data_bytes, const std::string& says) const {
    SCOPED_TRACE(header.substr(0, 200));
    write(header, data_bytes);
    EXPECT_THAT([&] { SafetensorsFile{path_}; },
                ThrowsMessage<InputError>(AllOf(HasSubstr("safetensors_test"), HasSubstr(says))));
  }
  Tensor counting(const Shape& shape) const {
    Tensor tensor = Tensor::empty(stream_, shape);
    std::iota(tensor.data<float>(), tensor.data<float>() + tensor.size(), 0.0f);
    return tensor;
  }

  fs::path path_ = testing::TempDir() + "/safetensors_test.safetensors";
  Stream stream_;
};

std::string entry(const std::string& shape, const std::string& offsets,
                  const std::string& dtype = "\"F32\"") {
  return R"({"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

TEST_F(SafetensorsTest, MalformedHeaders) {
  expect_refused("[]", 0, "expected an object");
  expect_refused("\xEF\xBB\xBF{}", 0, "byte order mark");
  expect_refused("{}", 1, "belong to no tensor");
  expect_refused(R"({"a":1})", 0, "key a");
  expect_refused(R"({"a":{"shape":[1],"data_offsets":[0,4]}})", 4, "'a.dtype' is missing");
  expect_refused(R"({"a":)" + entry("[1]", "[0,4]", "\"F33\"") + "}", 4, "unknown dtype 'F33'");
  expect_refused(R"({"a":)" + entry("[1]", "[0,4]", "7") + "}", 4, "a string");
  expect_refused(R"({"a":)" + entry("[-1]", "[0,4]") + "}", 4, "a.shape[0]");
  expect_refused(R"({"a":)" + entry("[1.0]", "[0,4]") + "}", 4, "an integer");
  expect_refused(R"({"a":)" + entry("[1,1,1,1,1,1,1]", "[0,4]") + "}", 4, "7 axes");
  expect_refused(R"({"a":)" + entry("[1]", "[0]") + "}", 4, "[begin, end]");
  expect_refused(R"({"a":)" + entry("[1]", "[0,4,8]") + "}", 4, "[begin, end]");
  expect_refused(R"({"a":)" + entry("[1]", "[4,0]") + "}", 4, "begin <= end");
  expect_refused(R"({"a":)" + entry("[1]", "[-4,0]") + "}", 4, "data_offsets[0]");
  expect_refused(R"({"a":)" + entry("[1]", "[0,8]") + "}", 8, "has 4 bytes");
  expect_refused(R"({"a":)" + entry("[4294967296,4294967296]", "[0,0]") + "}", 0, "overflows");
  expect_refused(R"({"a":)" + entry("[1]", "[0,4]") + R"(,"a":)" + entry("[1]", "[0,4]") + "}", 4,
                 "appears twice");
  expect_refused(R"({"a":)" + entry("[1]", "[0,4]") + R"(,"b":)" + entry("[1]", "[8,12]") + "}", 12,
                 "leave a gap");
  expect_refused(R"({"a":)" + entry("[2]", "[0,8]") + R"(,"b":)" + entry("[1]", "[4,8]") + "}", 8,
                 "overlap");
  expect_refused(R"({"a":)" + entry("[1]", "[4,8]") + "}", 8, "leave a gap");
  expect_refused(R"({"a":)" + entry("[2]", "[0,8]") + "}", 7, "truncated");
  expect_refused(R"({"__metadata__":{"n":1}})", 0, "__metadata__.n");
  expect_refused(std::string(65, '[') + std::string(65, ']'), 0, "nested deeper");
}

TEST_F(SafetensorsTest, AHeaderLengthIsChecked) {
  std::ofstream(path_, std::ios::binary) << std::string("\x00\xE1\xF5\x05\0\0\0\0{}", 10);
  EXPECT_THAT([&] { SafetensorsFile{path_}; },
              ThrowsMessage<InputError>(HasSubstr("header of 100000000 bytes in a file of 10")));
}

TEST_F(SafetensorsTest, EmptyTensorsAnywhere) {
  write(R"({"a":)" + entry("[1]", "[0,4]") + R"(,"b":)" + entry("[0,3]", "[0,0]") + R"(,"c":)" +
            entry("[2,0]", "[4,4]") + "}",
        4);
  const SafetensorsFile file(path_);
  EXPECT_EQ(file.entries().size(), 3u);
  EXPECT_EQ(file.read(stream_, "b").size(), 0);
  EXPECT_EQ(file.read(stream_, "c").shape(), (Shape{2, 0}));
}

TEST_F(SafetensorsTest, RoundTripOfEveryType) {
  const Tensor f32 = Tensor::from(stream_, {2, 2}, std::vector<float>{1, -2, 0.5f, 3});
  const Tensor f64 = Tensor::from(stream_, {3}, std::vector<double>{1.0 / 3, 2, 3});
  const Tensor i64 = Tensor::from(stream_, {2}, std::vector<int64_t>{-100, 1ll << 40});
  const Tensor i32 = Tensor::from(stream_, {1}, std::vector<int32_t>{-7});
  const Tensor u8 = Tensor::from(stream_, {3}, std::vector<uint8_t>{1, 2, 255});
  const Tensor scalar = Tensor::from(stream_, {}, std::vector<float>{4});
  write_safetensors(
      path_,
      std::vector<NamedTensor>{
          {"z", f32}, {"odd", u8}, {"f64", f64}, {"i64", i64}, {"i32", i32}, {"scalar", scalar}},
      {{"format", "pt"}, {"by", "test"}});
  EXPECT_FALSE(fs::exists(path_.string() + ".tmp"));

  const SafetensorsFile file(path_);
  EXPECT_EQ(file.entries().front().name, "z");  // names stay in the order given
  EXPECT_EQ(file.metadata().at("by"), "test");
  uint64_t header_bytes = 0;
  File::open(path_).read_at(0, &header_bytes, sizeof(header_bytes));
  EXPECT_EQ(header_bytes % 8, 0u);
  const auto equal = [&](const std::string& name, const Tensor& tensor) {
    const Tensor found = file.read(stream_, name);
    EXPECT_EQ(found.dtype(), tensor.dtype());
    EXPECT_EQ(found.shape(), tensor.shape());
    EXPECT_EQ(std::memcmp(found.raw(), tensor.raw(), tensor.bytes()), 0) << name;
  };
  equal("z", f32);
  equal("f64", f64);
  equal("i64", i64);
  equal("i32", i32);
  equal("odd", u8);
  equal("scalar", scalar);
  EXPECT_THAT([&] { file.entry("y"); }, ThrowsMessage<InputError>(HasSubstr("no tensor 'y'")));
  const Tensor wrong = Tensor::empty(stream_, {2}, DType::kF32);
  EXPECT_THAT([&] { file.read("i64", {}, wrong); },
              ThrowsMessage<InputError>(HasSubstr("cannot be read as f32")));
}

TEST_F(SafetensorsTest, TypesThatCannotBeReadAreNamed) {
  write(R"({"a":)" + entry("[4]", "[0,4]", "\"F8_E4M3\"") + "}", 4);
  EXPECT_THAT([&] { SafetensorsFile(path_).read(stream_, "a"); },
              ThrowsMessage<InputError>(AllOf(HasSubstr("'a'"), HasSubstr("F8_E4M3"))));
}

TEST_F(SafetensorsTest, NarrowTypesAreWidened) {
  const Tensor source = Tensor::from(stream_, {4}, std::vector<float>{1, -0.375f, 100, 0.1f});
  SafetensorsWriter writer(path_, {{"b", DType::kBf16, {4}}, {"h", DType::kF16, {4}}});
  writer.write(source);
  writer.write(source);
  writer.close();
  const SafetensorsFile file(path_);
  EXPECT_EQ(file.entry("b").type, FileType::kBf16);
  EXPECT_EQ(file.entry("h").end - file.entry("h").begin, 8u);
  const Tensor out = Tensor::empty(stream_, {4});
  file.read("b", {}, out);
  EXPECT_EQ(out.data<float>()[1], -0.375f);
  EXPECT_EQ(out.data<float>()[3], f32_of_bf16(bf16_of_f32(0.1f)));
  file.read("h", {}, out);
  EXPECT_EQ(out.data<float>()[2], 100.0f);
  EXPECT_EQ(out.data<float>()[3], f32_of_f16(f16_of_f32(0.1f)));
}

/// Every slice of every axis, against elements of the complete tensor.
void check_slices(const SafetensorsFile& file, const Tensor& whole, const Stream& stream) {
  const Shape& shape = whole.shape();
  for (int axis = 0; axis < shape.rank(); ++axis) {
    int64_t inner = 1;
    for (int i = axis + 1; i < shape.rank(); ++i) inner *= shape[i];
    for (const double part : {0.0, 0.3, 0.9}) {
      const auto begin = static_cast<int64_t>(part * static_cast<double>(shape[axis]));
      const int64_t count = std::max<int64_t>(1, (shape[axis] - begin) / 2);
      const Slice slice{axis, begin, count};
      const Tensor out = Tensor::empty(stream, slice.of(shape));
      file.read("t", slice, out);
      const float* found = out.data<float>();
      const float* expected = whole.data<float>();
      for (int64_t i = 0; i < out.size(); ++i) {
        const int64_t outer = i / (count * inner);
        const int64_t source = outer * shape[axis] * inner + begin * inner + i % (count * inner);
        if (found[i] != expected[source])
          FAIL() << "axis " << axis << " begin " << begin << " element " << i << ": " << found[i]
                 << " for " << expected[source];
      }
    }
  }
}

TEST_F(SafetensorsTest, SlicesOfSmallTensors) {
  const Tensor whole = counting({7, 3, 5, 4});
  write_safetensors(path_, std::vector<NamedTensor>{{"first", counting({3})}, {"t", whole}});
  check_slices(SafetensorsFile(path_), whole, stream_);
}

TEST_F(SafetensorsTest, SlicesLargerThanTheBuffer) {
  const Tensor whole = counting({1500, 2900});  // 17 MB: short and long runs, several buffers
  SafetensorsWriter writer(path_, {{"t", DType::kF64, whole.shape()}});
  writer.write(whole);
  writer.close();
  check_slices(SafetensorsFile(path_), whole, stream_);
  const Tensor all = Tensor::empty(stream_, whole.shape());
  SafetensorsFile(path_).read("t", {}, all);
  EXPECT_EQ(std::memcmp(all.raw(), whole.raw(), whole.bytes()), 0);
}

TEST_F(SafetensorsTest, ASliceOutsideIsABug) {
  write_safetensors(path_, std::vector<NamedTensor>{{"t", counting({4, 2})}});
  const SafetensorsFile file(path_);
  const Tensor out = Tensor::empty(stream_, {2, 2});
  EXPECT_THROW(file.read("t", {0, 3, 2}, out), InternalError);
  EXPECT_THROW(file.read("t", {2, 0, 2}, out), InternalError);
  EXPECT_THROW(file.read("t", {0, 0, 3}, out), InternalError);
}

TEST_F(SafetensorsTest, AnUnfinishedWriterLeavesNoFile) {
  {
    SafetensorsWriter writer(path_, {{"t", DType::kF32, {2}}});
    EXPECT_THROW(writer.write(counting({3})), InternalError);
  }
  EXPECT_FALSE(fs::exists(path_));
  EXPECT_FALSE(fs::exists(path_.string() + ".tmp"));
}

TEST_F(SafetensorsTest, RandomDamageNeverCrashes) {
  write_safetensors(path_, std::vector<NamedTensor>{{"a", counting({4, 2})}, {"b", counting({3})}});
  const std::string good = read_text(path_);
  const CounterRandom random(7, "damage");
  int refused = 0;
  for (uint64_t round = 0; round < 1000; ++round) {
    std::string bad = good;
    bad[random.below(2 * round, bad.size())] = static_cast<char>(random.bits(2 * round + 1));
    std::ofstream(path_, std::ios::binary) << bad;
    try {
      const SafetensorsFile file(path_);
      for (const SafetensorsEntry& found : file.entries()) file.read(stream_, found.name);
    } catch (const InputError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 300);
}

}  // namespace
}  // namespace lynceus::io
