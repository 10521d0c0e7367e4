// Compares every file of a case with its config before anything is computed.
#include "verify/case_checks.h"

#include <fmt/format.h>

#include <map>

#include "model/load_weights.h"
#include "model/lynx.h"

namespace lynceus::verify {
namespace {

using Faults = std::vector<std::string>;

void expect_shape(const io::SafetensorsFile& file, const std::string& name, const Shape& expected,
                  Faults* faults) {
  if (!file.has(name))
    faults->push_back(fmt::format("{}: expected {}, found none", file.path().string(), name));
  else if (file.entry(name).shape != expected)
    faults->push_back(fmt::format("{}: {} has shape {}, expected {}", file.path().string(), name,
                                  file.entry(name).shape.to_string(), expected.to_string()));
}

void expect_type(const io::SafetensorsFile& file, const std::string& name, io::FileType type,
                 Faults* faults) {
  if (file.has(name) && file.entry(name).type != type)
    faults->push_back(fmt::format("{}: {} is {}, expected {}", file.path().string(), name,
                                  io::name_of(file.entry(name).type), io::name_of(type)));
}

/// Entries named `prefix` + parameter must have the parameter's shape. -> their number
int64_t expect_parameters(const io::SafetensorsFile& file, const std::string& prefix,
                          const std::map<std::string, Shape>& shapes, Faults* faults) {
  int64_t count = 0;
  for (const auto& entry : file.entries()) {
    if (!entry.name.starts_with(prefix)) continue;
    ++count;
    const auto parameter = shapes.find(entry.name.substr(prefix.size()));
    if (parameter != shapes.end()) expect_shape(file, entry.name, parameter->second, faults);
  }
  return count;
}

void check_expected(const ReferenceCase& reference, const std::map<std::string, Shape>& shapes,
                    Faults* faults) {
  const io::SafetensorsFile& expected = *reference.expected;
  const ReferenceBatch& batch = reference.batches.front();
  if (!expected.has("loss") || expected.entry("loss").shape.elements() != 1)
    faults->push_back(fmt::format("{}: expected loss, a single number", expected.path().string()));
  if (expected.has("logits"))
    expect_shape(
        expected, "logits",
        {static_cast<int64_t>(batch.samples.size()), batch.columns, reference.model.llm.vocab_size},
        faults);
  if (expect_parameters(expected, "grad.", shapes, faults) == 0)
    faults->push_back(fmt::format("{}: expected grad.NAME of every trained parameter, found none",
                                  expected.path().string()));
}

void check_trajectory(const ReferenceTrajectory& trajectory, Faults* faults) {
  const std::string name = trajectory.name.empty() ? "" : trajectory.name + ": ";
  if (trajectory.losses.empty() || trajectory.losses.size() != trajectory.grad_norms.size())
    faults->push_back(
        fmt::format("trajectory.json: {}expected as many losses as grad_norms_before_clip, at "
                    "least one, found {} and {}",
                    name, trajectory.losses.size(), trajectory.grad_norms.size()));
}

}  // namespace

void check_inputs(const io::SafetensorsFile& inputs, const model::ModelConfig& model) {
  Faults faults;
  const Shape rows = inputs.entry("input_ids").shape;
  if (rows.rank() != 2 || rows.elements() == 0)
    throw InputError("{}: input_ids has shape {}, expected [rows, columns]", inputs.path().string(),
                     rows.to_string());
  for (const char* name : {"input_ids", "attention_mask", "labels"}) {
    expect_shape(inputs, name, rows, &faults);
    expect_type(inputs, name, io::FileType::kI64, &faults);
  }
  if (inputs.has("pixels")) {
    const Shape pixels = inputs.entry("pixels").shape;
    const int64_t side = model.vision.image_size;
    const bool video = pixels.rank() == 5;
    expect_shape(inputs, "pixels",
                 video ? Shape{rows[0], pixels[1], 3, side, side} : Shape{rows[0], 3, side, side},
                 &faults);
    expect_type(inputs, "pixels", io::FileType::kF32, &faults);
    if (video && (pixels[1] < 1 || pixels[1] > model.vision.num_frames))
      faults.push_back(fmt::format("{}: pixels has {} frames, expected 1 to {}",
                                   inputs.path().string(), pixels[1], model.vision.num_frames));
  }
  if (!faults.empty()) throw InputError("{}", fmt::join(faults, "\n"));
}

void check_model(const Runtime& rt, const std::filesystem::path& directory,
                 const model::ModelConfig& model, const io::WeightSource& weights,
                 const std::string& layers) {
  try {
    model::validate_layout(model, rt.grid.tensor->size(), rt.grid.pipeline->size());
    model::partition_model(model, rt.grid.pipeline->size(), layers);
  } catch (const UsageError& error) {
    throw UsageError("{}: {}", directory.string(), error.what());
  }
  model::check_weights(model, weights);
}

void check_case(const ReferenceCase& reference) {
  Faults faults;
  std::map<std::string, Shape> shapes;
  for (const io::ExpectedTensor& tensor : model::expected_tensors(reference.model))
    shapes[tensor.name] = tensor.shape;
  if (reference.batches.empty())
    faults.push_back("config.json: turns: expected at least one, found none");
  else if (reference.expected)
    check_expected(reference, shapes, &faults);
  else if (!reference.in_turns)
    faults.push_back("expected.safetensors: expected loss and gradients, found no file");
  else if (reference.trajectories.empty())
    faults.push_back("trajectory.json: expected the losses of a case in turns, found no file");
  if (reference.final && expect_parameters(*reference.final, "", shapes, &faults) == 0)
    faults.push_back("final.safetensors: expected parameters, found none");
  for (const ReferenceTrajectory& trajectory : reference.trajectories)
    check_trajectory(trajectory, &faults);
  if (!faults.empty())
    throw InputError("{}: {}", reference.directory.string(), fmt::join(faults, "\n"));
}

}  // namespace lynceus::verify
