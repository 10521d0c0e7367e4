// Writes the generated corpus of shapes to dataset shards.
#pragma once

#include <cstdint>
#include <string>

#include "prepare/output.h"

namespace lynceus::prepare {

struct ShapesConfig {
  int64_t count = 10000;
  uint64_t seed = 1;
  std::string split = "train";
  int size = 84;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.field("count", count, "samples in each dataset");
    v.field("seed", seed, "random seed; the same seed gives the same bytes");
    v.choice("split", split, {"train", "validation"}, "which split to generate");
    v.field("size", size, "side of the images in pixels");
  }
  /// UsageError if a value is out of range or does not fit the common options.
  void check(const PrepareConfig& common) const;
};

/// Writes a dataset for each class of the split, then prints the summary and the majority-answer
/// baselines. For the split train also writes corpus.txt.
void write_shapes(const PrepareConfig& common, const ShapesConfig& config);

}  // namespace lynceus::prepare
