// Compares a block of rows at a time, so that neither matrix is in memory as a whole.
#include "io/weight_views/tied_head.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "core/error.h"
#include "io/weights/selected_weights.h"

namespace lynceus::io {

WeightSourcePtr without_tied_head(WeightSourcePtr source, const std::string& head) {
  if (!source->has(head)) return source;
  std::map<std::string, std::string> names;
  for (const std::string& name : source->names())
    if (name != head) names[name] = name;
  return selected(std::move(source), std::move(names), "without '" + head + "', which is tied");
}

void check_tied_head(const WeightSource& source, const std::string& embedding,
                     const std::string& head) {
  if (!source.has(head) || !source.has(embedding)) return;
  const Shape shape = source.shape(embedding);
  bool equal = source.shape(head) == shape;
  constexpr int64_t kRows = 1024;
  const int64_t rows = shape.rank() == 2 && equal ? shape[0] : 0;
  for (int64_t row = 0; equal && row < rows; row += kRows) {
    const Slice slice{0, row, std::min(kRows, rows - row)};
    const Tensor a = Tensor::empty(Stream{}, slice.of(shape));
    const Tensor b = Tensor::empty(Stream{}, slice.of(shape));
    source.read(embedding, slice, a);
    source.read(head, slice, b);
    equal = std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
  }
  if (!equal)
    throw InputError(
        "{}: tie_word_embeddings is true, but {} differs from {}: expected equal tensors, or "
        "tie_word_embeddings = false in config.json",
        source.describe(), head, embedding);
}

}  // namespace lynceus::io
