// Checks before a reference case is run: it has something to compare, and its files fit each other
// and the model. All faults of a case are reported at once.
#pragma once

#include "parallel/runtime.h"
#include "verify/reference_case.h"

namespace lynceus::verify {

/// One batch: input_ids, attention_mask and labels must have the same shape, pixels as many rows
/// and the encoder's image size. Errors: InputError naming the file.
void check_inputs(const io::SafetensorsFile& inputs, const model::ModelConfig& model);

/// UsageError naming the case if its model cannot be split over the grid; InputError if `weights`
/// do not fit to it. `layers`: VerifyOptions::layers.
void check_model(const Runtime& rt, const std::filesystem::path& directory,
                 const model::ModelConfig& model, const io::WeightSource& weights,
                 const std::string& layers);

/// Errors: InputError naming the directory of the case, one line per fault.
void check_case(const ReferenceCase& reference);

}  // namespace lynceus::verify
