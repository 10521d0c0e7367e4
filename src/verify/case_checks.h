// What must hold before a reference case is run: there is something to compare, and its files fit
// each other and the model. All faults of a case are told at once.
#pragma once

#include "verify/reference_case.h"

namespace lynceus::verify {

/// The files of one batch: input_ids, attention_mask and labels of one shape, pixels of as many
/// rows and of the encoder's size. Errors: InputError naming the file.
void check_inputs(const io::SafetensorsFile& inputs, const model::ModelConfig& model);

/// Errors: InputError naming the case's directory, a line a fault.
void check_case(const ReferenceCase& reference);

}  // namespace lynceus::verify
