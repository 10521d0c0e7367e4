// A reference case: a small model with inputs and what a trusted implementation computes from them.
// tests/oracle/README.md describes the format.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io/files/json.h"
#include "io/weights/safetensors.h"
#include "io/weights/weights.h"
#include "model/config.h"
#include "train/config.h"
#include "train/data/replica_batch.h"

namespace lynceus::verify {

/// One batch of a case.
struct ReferenceBatch {
  std::vector<train::SampleInput> samples;  ///< all of them; index = row of the case's inputs
  std::vector<std::vector<int64_t>> padded_columns;  ///< by sample: the column of each packed row
  Tensor pixels;  ///< f32 [B, frames, 3, R, R]; undefined: text only
  int64_t frames = 0;
  int64_t columns = 0;  ///< of a padded row: visual tokens and text
};

/// Three numbers that represent a tensor which a case does not store.
struct Fingerprint {
  double sum = 0;
  double l2 = 0;
  double cosine = 0;  ///< Σ value · cos(flat index)
};

/// One AdamW run of a case.
struct ReferenceTrajectory {
  std::string name;  ///< "" for the main one
  double max_grad_norm = 1;
  bool frame_position_trains = true;
  std::vector<double> losses;  ///< before each update
  std::vector<double> grad_norms;
  double last_loss = -1;  ///< after the last update; negative: not given
};

struct ReferenceCase {
  std::filesystem::path directory;
  std::string name;
  model::ModelConfig model;
  train::OptimizerConfig optimizer;
  double label_smoothing = 0;
  io::WeightSourcePtr weights;
  std::vector<ReferenceBatch> batches;            ///< one, or one a step
  bool in_turns = false;                          ///< a batch a step, trajectories only
  std::unique_ptr<io::SafetensorsFile> expected;  ///< null: a case in turns
  std::unique_ptr<io::SafetensorsFile> final;     ///< parameters after the last update; null: none
  std::map<std::string, Fingerprint> final_fingerprints;  ///< of final parameters, stored or not
  std::vector<ReferenceTrajectory> trajectories;
  std::vector<std::string> untouched;          ///< parameters that the run must not change
  std::map<std::string, double> torch_errors;  ///< of PyTorch's bf16, relative L2 by gradient
  double smoothed_loss = -1;  ///< loss with label smoothing 0.1; negative: not given
};

/// Whether the directory contains a case about resolutions of the vision encoder (without an LLM).
bool is_resolution_case(const std::filesystem::path& directory);
/// Reads and checks a case. Errors: InputError naming file and key.
ReferenceCase read_reference_case(const std::filesystem::path& directory, const Stream& stream);

/// A tensor of any floating type as f64.
Tensor read_f64(const Stream& stream, const io::SafetensorsFile& file, const std::string& name);

/// The model of a case's config.json; sizes that it does not have follow from the weights.
model::ModelConfig read_model_config(const io::Json& config, const io::WeightSource& weights);
/// The `vit` object of a case's config.json.
model::VisionConfig read_vision_config(const io::Json& vit);

}  // namespace lynceus::verify
