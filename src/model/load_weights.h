// Fills a model from weights on disk. One data replica reads, each of its ranks only its slices;
// the others receive by broadcast.
#pragma once

#include <vector>

#include "io/weights/weights.h"
#include "model/lynx.h"

namespace lynceus::model {

ParameterFilter of_module(Module module);

/// Names and global shapes of the selected parameters of the complete model (all stages), without
/// allocating any.
std::vector<io::ExpectedTensor> expected_tensors(const ModelConfig& config,
                                                 const ParameterFilter& filter = {});

/// Throws one InputError about missing, unexpected and wrongly shaped tensors of `source`; `note`
/// is added to it. The grid of vision_encoder.pos_embed may be any square.
void check_weights(const ModelConfig& config, const io::WeightSource& source,
                   const ParameterFilter& filter = {}, const std::string& note = "");

/// Sets the selected parameters from the tensors of the same names. Collective over the world; only
/// rank 0's replica reads `source`. The positions of the vision encoder are interpolated to the
/// model's resolution. Throws parallel::AgreedError on every rank if a rank cannot read.
void load_weights(const Runtime& rt, LynxModel* model, const io::WeightSource& source,
                  const ParameterFilter& filter = {});

/// A parameter whose values differ between a model and a weight source.
struct DifferingTensor {
  std::string name;
  double largest = 0;  ///< largest absolute difference of two values; infinite: another shape, NaN
};

/// Compares the selected parameters with the tensors of the same names, bit by bit after conversion
/// to the model's type; the row of [PAD], which is a computed mean, up to rounding. Collective over
/// the world; only rank 0's replica reads `source`. -> those that differ, by name, on every rank.
/// To be called before LynxModel::pack().
std::vector<DifferingTensor> differing_tensors(const Runtime& rt, LynxModel* model,
                                               const io::WeightSource& source,
                                               const ParameterFilter& filter);

}  // namespace lynceus::model
