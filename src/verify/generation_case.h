// A reference case about generation: prompts and what the released code answers to them. The
// directory has one of
//
//   tokens.json       greedy tokens, with both conventions for the positions of padded rows
//   beam_rows.json    settings, and the best answer of each row
//   expected.json     runs named in config.json: tokens, beams with sums, probabilities, draws
//
// and weights.safetensors, of which overlay.safetensors replaces tensors.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "generate/engine/feed.h"
#include "io/weights/safetensors.h"
#include "io/weights/weights.h"
#include "model/config.h"

namespace lynceus::verify {

/// A step of beam sampling: what may be drawn, and what was drawn.
struct GivenStep {
  std::vector<generate::Choice> possible;          // without values
  std::vector<std::pair<int32_t, int32_t>> drawn;  // beam and token, in order
};

/// A row of a run.
struct ExpectedRow {
  std::vector<generate::Search::Answer> answers;  // best first
  std::vector<GivenStep> steps;                   // of beam sampling
};

/// Rows decoded with the same settings.
struct GenerationRun {
  std::string name;
  generate::Settings settings;
  int32_t eos = -1;
  bool has_padded_positions = false;  // those of the padded row, as in training
  bool has_sums = false;
  std::vector<ExpectedRow> rows;
};

/// The distributions that a token is drawn from after given tokens.
struct GivenTokens {
  std::vector<std::vector<int32_t>> tokens;  // by row
  std::vector<GenerationRun> runs;           // without rows
  std::vector<std::vector<float>> expected;  // by run: [steps, rows, vocab]
};

struct GenerationCase {
  std::filesystem::path directory;
  model::ModelConfig model;
  io::WeightSourcePtr weights;
  int32_t bos = 1;
  std::vector<std::vector<int32_t>> token_ids;         // by row
  std::vector<std::vector<int32_t>> padded_positions;  // by row: [visual + text]
  generate::PromptMedia media;                         // of each row; no items: text only
  Tensor pixels;                                       // f32 [rows, frames, 3, R, R]
  std::vector<GenerationRun> runs;
  std::optional<GivenTokens> given;
};

bool is_generation_case(const std::filesystem::path& directory);
/// Errors: InputError naming file and key.
GenerationCase read_generation_case(const std::filesystem::path& directory, const Stream& stream);

}  // namespace lynceus::verify
