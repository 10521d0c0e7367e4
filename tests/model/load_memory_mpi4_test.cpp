// Memory while weights are loaded: a rank never has more than its own slices and 256 MiB. The file
// has 2 GiB, f32 and bf16, with the shapes of a LLaMA of three layers and a large vocabulary. Runs
// on the ranks that the test is started with (2 and 4), in both precisions.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <string>

#include "io/files/file.h"
#include "io/weights/convert.h"
#include "io/weights/weight_files.h"
#include "model/load_weights.h"
#include "model/parameter_value.h"
#include "parallel/mpi_session.h"

namespace lynceus::model {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kAllowance = int64_t{256} << 20;
constexpr int64_t kMarkedRows = 64;  // one row in 64 has one value that is not zero

ModelConfig config() {
  ModelConfig config;
  config.llm.hidden_size = 2048;
  config.llm.intermediate_size = 8192;
  config.llm.num_layers = 3;
  config.llm.num_heads = 32;
  config.llm.num_kv_heads = 8;
  config.llm.vocab_size = 128256;
  config.vision.image_size = 8;
  config.vision.patch_size = 4;
  config.vision.hidden_size = 16;
  config.vision.num_layers = 1;
  config.vision.num_heads = 2;
  config.vision.intermediate_size = 24;
  config.bridge.num_latents = 2;
  config.bridge.num_layers = 1;
  config.bridge.num_heads = 1;
  config.bridge.head_dim = 8;
  config.bridge.intermediate_factor = 1;
  config.adapter.every = 0;
  return config;
}

/// The value of a marked row of a tensor [rows, columns], or [columns] as one row.
struct Mark {
  int64_t row, column;
  float value;
};

Mark mark_of(int64_t row, int64_t columns) {
  return {row, row * 37 % columns, static_cast<float>(1 + row / kMarkedRows % 250)};
}

bool stored_as_bf16(const std::string& name) { return name.find("mlp") != std::string::npos; }

/// Zeros except for the marks. The zeros are holes of the file and take no time to write.
fs::path write_model() {
  const fs::path path = fs::path(testing::TempDir()) / "model.safetensors";
  std::string header;
  uint64_t end = 0;
  std::vector<std::pair<io::ExpectedTensor, uint64_t>> places;
  for (const io::ExpectedTensor& tensor : expected_tensors(config(), of_module(Module::kLlm))) {
    const bool half = stored_as_bf16(tensor.name);
    const uint64_t begin = end;
    end += static_cast<uint64_t>(tensor.shape.elements()) * (half ? 2 : 4);
    header += fmt::format(R"({}"{}":{{"dtype":"{}","shape":{},"data_offsets":[{},{}]}})",
                          header.empty() ? "{" : ",", tensor.name, half ? "BF16" : "F32",
                          tensor.shape.to_string(), begin, end);
    places.emplace_back(tensor, begin);
  }
  header += "}";
  const uint64_t length = header.size();
  io::File file = io::File::create(path);
  file.write_at(0, &length, sizeof(length));
  file.write_at(sizeof(length), header.data(), length);
  const uint64_t data = sizeof(length) + length;
  fs::resize_file(path, data + end);
  for (const auto& [tensor, begin] : places) {
    const int64_t columns = tensor.shape[-1];
    const DType dtype = stored_as_bf16(tensor.name) ? DType::kBf16 : DType::kF32;
    for (int64_t row = 0; row < tensor.shape.elements() / columns; row += kMarkedRows) {
      const Mark mark = mark_of(row, columns);
      std::array<char, 4> bytes{};
      io::convert(&mark.value, DType::kF32, bytes.data(), dtype, 1);
      const auto element = static_cast<uint64_t>(row * columns + mark.column);
      file.write_at(data + begin + element * size_of(dtype), bytes.data(), size_of(dtype));
    }
  }
  return path;
}

/// "VmRSS" or "VmHWM" (its maximum so far), bytes.
int64_t memory(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (word == key + ":") {
      int64_t kibibytes = 0;
      status >> kibibytes;
      return kibibytes * 1024;
    }
  return 0;
}

void forget_peak() { std::ofstream("/proc/self/clear_refs") << 5; }

int64_t bytes_of(const Tensor& tensor) {
  return tensor.defined() ? static_cast<int64_t>(tensor.bytes()) : 0;
}

/// The number of marks in this rank's part; fails the test for a mark with another value.
int64_t check_marks(const Runtime& rt, const Parameter& parameter) {
  const Tensor values = on_host(rt, parameter.value);
  const int64_t columns = parameter.global_shape()[-1], width = values.cols();
  const int axis = parameter.shard.axis;
  const int64_t first_row = axis == 0 && values.rank() == 2 ? parameter.shard.offset : 0;
  const int64_t first_column = axis == values.rank() - 1 ? parameter.shard.offset : 0;
  int64_t found = 0;
  for (int64_t row = 0; row < parameter.global_shape().elements() / columns; row += kMarkedRows) {
    const Mark mark = mark_of(row, columns);
    const int64_t r = row - first_row, c = mark.column - first_column;
    if (r < 0 || r >= values.rows() || c < 0 || c >= width) continue;
    if (values.data<float>()[r * width + c] != mark.value)
      ADD_FAILURE() << parameter.name << " row " << row << " column " << mark.column;
    ++found;
  }
  return found;
}

void check(const fs::path& path, const parallel::GridShape& grid, DType precision) {
  SCOPED_TRACE(grid.to_string() + " " + name_of(precision));
  malloc_trim(0);
  forget_peak();
  const int64_t before = memory("VmRSS");
  const Runtime rt(Stream(), parallel::make_grid(grid, parallel::make_world()), precision);
  LynxModel model = make_lynx(rt, config(), partition_model(config(), 1, ""), 0);
  int64_t held = 0;
  model.visit_parameters([&](Parameter& parameter) {
    held += bytes_of(parameter.value) + bytes_of(parameter.grad) + bytes_of(parameter.rounded);
  });
  load_weights(rt, &model, *io::open_weights(path), of_module(Module::kLlm));
  const int64_t more = memory("VmHWM") - before - held;
  EXPECT_LE(more, kAllowance) << (more >> 20) << " MiB in addition to slices of " << (held >> 20);
  EXPECT_GT(held, int64_t{256} << 20);
  if (rt.grid.world->rank() == 0)
    fmt::print("{}, {}: {} MiB of slices, {} MiB in addition\n", grid.to_string(),
               name_of(precision), held >> 20, more >> 20);
  int64_t marks = 0;
  model.visit_parameters([&](Parameter& parameter) {
    if (parameter.module == Module::kLlm) marks += check_marks(rt, parameter);
  });
  EXPECT_GT(marks, 1000);
}

TEST(LoadMemory, SlicesAndAQuarterOfAGibibyte) {
  const auto world = parallel::make_world();
  const int ranks = world->size();
  if (world->rank() == 0) write_model();
  world->barrier();
  const fs::path path = fs::path(testing::TempDir()) / "model.safetensors";
  EXPECT_GE(fs::file_size(path), uint64_t{2} << 30);
  check(path, {ranks, 1, 1}, DType::kF32);
  check(path, {ranks, 1, 1}, DType::kBf16);
  if (ranks == 4) check(path, {2, 1, 2}, DType::kBf16);  // two read, two receive
}

}  // namespace
}  // namespace lynceus::model
