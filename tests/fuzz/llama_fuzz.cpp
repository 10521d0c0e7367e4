// LLaMA in Meta's pieces: the first line is params.json; each further line is a tensor, NAME ROWS
// [COLUMNS], of the first piece or, after a line that begins with "-", of the second. If they open,
// the model can be built, and slices equal the same elements of the complete tensors.
#include "io/weights/llama_pieces.h"

#include <algorithm>
#include <cstring>
#include <sstream>

#include "fuzz/fuzz.h"
#include "fuzz/llama_config.h"
#include "tests/io/weights/torch_archive.h"

using namespace lynceus;

namespace {

constexpr int64_t kElements = 256;  // in the storage that all tensors of a piece share

std::string storage(int piece) {
  std::string bytes;
  for (int64_t i = 0; i < kElements; ++i) {
    const float value = static_cast<float>(i) + (piece == 0 ? 0.0F : 0.5F);
    bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  return bytes;
}

std::string tensor_of(std::istringstream& numbers) {
  io::PyTensor tensor;
  tensor.elements = kElements;
  tensor.shape.clear();
  for (int64_t extent; tensor.shape.size() < 3 && numbers >> extent;)
    tensor.shape.push_back(extent);
  tensor.strides.assign(tensor.shape.size(), 1);
  if (tensor.shape.size() == 2) tensor.strides[0] = tensor.shape[1];
  return tensor.text();
}

/// Writes the pieces to files and returns their number.
void write_pieces(std::istringstream& lines) {
  std::vector<std::vector<std::pair<std::string, std::string>>> pieces(1);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('-') && pieces.size() == 1) pieces.emplace_back();
    std::istringstream words(line);
    std::string name;
    if (words >> name && name[0] != '-') pieces.back().emplace_back(name, tensor_of(words));
  }
  for (int piece = 0; piece < 2; ++piece) {
    const auto name = fmt::format("consolidated.0{}.pth", piece);
    const auto index = static_cast<size_t>(piece);
    if (index < pieces.size())
      fuzz::folder().file(name,
                          io::torch_archive(io::py_dict(pieces[index]), storage(piece)).bytes());
    else
      std::filesystem::remove(fuzz::folder().path() / name);
  }
}

void compare(const Tensor& whole, const Tensor& part, const io::Slice& slice) {
  const int64_t columns = whole.rank() < 2 ? 1 : whole.dim(1);
  const int64_t part_columns = part.rank() < 2 ? 1 : part.dim(1);
  const int64_t row = slice.axis == 0 ? slice.begin : 0;
  const int64_t column = slice.axis == 1 ? slice.begin : 0;
  for (int64_t i = 0; i < part.dim(0); ++i)
    for (int64_t j = 0; j < part_columns; ++j)
      fuzz::require(part.data<float>()[i * part_columns + j] ==
                        whole.data<float>()[(row + i) * columns + column + j],
                    "a part is a part of the whole");
}

void read(const io::WeightSource& source, const std::string& name) {
  const Shape shape = source.shape(name);
  const Tensor whole = source.read_whole(Stream{}, name);
  for (int axis = 0; axis < shape.rank(); ++axis) {
    const int64_t extent = shape[axis];
    for (const io::Slice& slice :
         {io::Slice{axis, 0, (extent + 1) / 2}, io::Slice{axis, extent / 3, extent - extent / 3}}) {
      const Tensor part = Tensor::empty(Stream{}, slice.of(shape));
      source.read(name, slice, part);
      compare(whole, part, slice);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::istringstream lines(fuzz::text_of(data, size));
  std::string params;
  std::getline(lines, params);
  const auto& directory = fuzz::folder().path();
  fuzz::folder().file(std::string(io::kParamsName), params);
  write_pieces(lines);
  fuzz::accepts([&] { fuzz::check(io::read_llama_params(directory)); });
  fuzz::accepts([&] {
    const io::WeightSourcePtr source = io::open_llama_pieces(directory);
    for (const std::string& name : source->names()) read(*source, name);
  });
  return 0;
}
