// Frozen modules cost no unnecessary memory: live bytes by owner, after a step and between forward
// and backward, equal formulas of the config. Every term of the formulas is a tensor that is
// needed; a saved input, gradient or moment of a frozen parameter would exceed them.
#include <gtest/gtest.h>

#include "tests/train/tiny_model.h"

namespace lynceus::train {
namespace {

using tiny::Kind;

constexpr int64_t kFloat = sizeof(float);

int64_t live(const Runtime& rt, MemoryOwner owner) {
  return static_cast<int64_t>(rt.stream.pool()->live_bytes(owner));
}

int64_t peak(const Runtime& rt, MemoryOwner owner) {
  return static_cast<int64_t>(rt.stream.pool()->peak_bytes(owner));
}

int64_t adapters(const model::ModelConfig& config) {
  int64_t count = 0;
  for (int64_t i = 0; i < config.llm.num_layers; ++i) count += config.adapter.at_layer(i);
  return count;
}

/// Elements of the adapters: norm, down with bias, up with bias, scaling.
int64_t adapter_elements(const model::ModelConfig& config) {
  const int64_t h = config.llm.hidden_size, b = config.bottleneck_size();
  return adapters(config) * (2 * h + (b * h + b) + (h * b + h) + 1);
}

/// Elements of the resampler and the frame positions.
int64_t bridge_elements(const model::ModelConfig& config) {
  const int64_t h = config.llm.hidden_size, v = config.vision.hidden_size;
  const int64_t inner = config.bridge.num_heads * config.bridge.head_dim;
  const int64_t ff = config.bridge.intermediate_factor * h;
  const int64_t layer = 2 * v + 2 * h + inner * h + 2 * inner * v + h * inner + 2 * h + 2 * ff * h;
  return config.bridge.num_latents * h + config.bridge.num_layers * layer + 2 * h +
         config.vision.num_frames * v;
}

/// Elements of the LLM without adapters.
int64_t llm_elements(const model::ModelConfig& config) {
  const model::LlmConfig& llm = config.llm;
  const int64_t h = llm.hidden_size, kv = llm.kv_heads() * llm.head_dim();
  const int64_t layer = 2 * h + 2 * h * h + 2 * kv * h + 3 * h * llm.intermediate_size;
  return 2 * llm.vocab_size * h + h + llm.num_layers * layer;
}

/// Frozen elements that are not packed: the LLM, of which one plain copy serves both directions,
/// and the encoder's vectors and biases.
int64_t unpacked_frozen_elements(const model::ModelConfig& config) {
  const int64_t v = config.vision.hidden_size;
  const int64_t block = 4 * v + 3 * v + (config.vision.intermediate_size + v);
  return llm_elements(config) + v + config.vision.tokens_per_image() * v + v +
         config.vision.num_layers * block;
}

/// Bytes of the encoder's packed weights; checks that their originals are gone.
int64_t packed_bytes(model::LynxModel* model) {
  int64_t bytes = 0;
  const auto add = [&](const model::Linear& linear) {
    EXPECT_TRUE(linear.packed.defined()) << linear.weight.name;
    EXPECT_FALSE(linear.weight.value.defined()) << linear.weight.name;
    bytes += static_cast<int64_t>(linear.packed.bytes());
  };
  add(model->vision.patch_embedding);
  for (const model::VisionBlock& block : model->vision.blocks)
    for (const model::Linear* linear :
         {&block.q_proj, &block.k_proj, &block.v_proj, &block.proj, &block.fc1, &block.fc2})
      add(*linear);
  return bytes;
}

TEST(Memory, GradientsAndMomentsExistForWhatIsTrainedOnly) {
  for (const std::string train : {"bridge,adapter", "adapter", "bridge", "bridge,adapter,llm"}) {
    SCOPED_TRACE(train);
    tiny::Options options;
    options.model.llm.train = train;
    const model::LlmConfig& llm = options.model.llm;
    tiny::Run run(parallel::make_self_communicator(), options);
    run.step(tiny::make_batch(1, {Kind::kImage, Kind::kText, Kind::kVideo}));
    const int64_t trained = (llm.trains("bridge") ? bridge_elements(options.model) : 0) +
                            (llm.trains("adapter") ? adapter_elements(options.model) : 0) +
                            (llm.trains("llm") ? llm_elements(options.model) : 0);
    EXPECT_EQ(live(run.rt(), MemoryOwner::kTrainableWeight), trained * kFloat);
    // Gradients are in one block; each begins at a cache line.
    const auto tensors = static_cast<int64_t>(run.optimizer().parameters().size());
    EXPECT_GE(live(run.rt(), MemoryOwner::kGradient), trained * kFloat);
    EXPECT_LE(live(run.rt(), MemoryOwner::kGradient), trained * kFloat + tensors * 60);
    EXPECT_EQ(live(run.rt(), MemoryOwner::kMoment), 2 * trained * kFloat);
    EXPECT_LE(peak(run.rt(), MemoryOwner::kGradient), trained * kFloat + tensors * 60);
    EXPECT_EQ(peak(run.rt(), MemoryOwner::kMoment), 2 * trained * kFloat);
    EXPECT_EQ(live(run.rt(), MemoryOwner::kActivation), 0) << "a step keeps no activation";
    EXPECT_EQ(live(run.rt(), MemoryOwner::kInput), 0);
  }
}

TEST(Memory, FrozenWeightsArePackedAndTheirOriginalsFreed) {
  tiny::Run run(parallel::make_self_communicator(), {});
  run.step(tiny::make_batch(1, {Kind::kImage}));
  EXPECT_EQ(live(run.rt(), MemoryOwner::kFrozenWeight),
            unpacked_frozen_elements(run.options().model) * kFloat + packed_bytes(&run.model()));
  run.model().visit_parameters([](Parameter& parameter) {
    const bool trains = parameter.name.find("output_adapter") != std::string::npos ||
                        model::in_vision_branch(parameter);
    EXPECT_EQ(parameter.trainable(), trains && !parameter.name.starts_with("vision_encoder."))
        << parameter.name;
  });
}

/// Floats that the stage keeps of a micro-batch of `tokens` rows, `scored` of them scored, if only
/// the bridge and the adapters train.
int64_t saved_floats(const model::ModelConfig& config, int64_t tokens, int64_t scored) {
  const model::LlmConfig& llm = config.llm;
  const int64_t h = llm.hidden_size, kv = llm.kv_heads() * llm.head_dim();
  const int64_t layer = (h + 1)                           // norm: x, 1 / rms
                        + 2 * h + 2 * kv                  // attention: q, out; k, v
                        + llm.num_heads                   // its log-sum-exp
                        + (h + 1)                         // norm: x, 1 / rms
                        + 2 * llm.intermediate_size;      // MLP: gate, up
  const int64_t adapter = (h + 2)                         // norm: x, mean, 1 / std
                          + h                             // down's input: it trains
                          + 2 * config.bottleneck_size()  // before SiLU; up's input: it trains
                          + h;                            // up's output, for scaling's gradient
  const int64_t head = (h + 1) + h;                       // norm: x, 1 / rms; its output's gradient
  return tokens * (llm.num_layers * layer + adapters(config) * adapter) + scored * head;
}

/// Live floats that one forward pass of the stage leaves for backward.
int64_t measured_floats(const tiny::Options& options, int64_t* tokens, int64_t* scored) {
  tiny::Run run(parallel::make_self_communicator(), options);
  run.optimizer();
  const tiny::Batch all = tiny::make_batch(1, {Kind::kText, Kind::kText, Kind::kText});
  ReplicaBatch batch = run.replica_batch(all);
  model::PackedBatch& micro_batch = batch.micro_batches.front();
  run.model().stage.prepare(run.rt(), &micro_batch);
  *tokens = micro_batch.tokens();
  *scored = micro_batch.scored();
  const int64_t before = live(run.rt(), MemoryOwner::kActivation);
  model::LlmStage::Saved saved;
  run.model().stage.forward(run.rt(), micro_batch, {}, options.step.recompute, &saved);
  const int64_t kept = live(run.rt(), MemoryOwner::kActivation) - before;
  run.model().stage.backward(run.rt(), micro_batch, options.step.recompute, &saved, {}, nullptr);
  return kept / kFloat;
}

TEST(Memory, BetweenForwardAndBackwardNoInputOfAFrozenWeightIsKept) {
  tiny::Options options;
  options.model.llm.num_kv_heads = 4;
  options.limits.micro_batch_tokens = 100;
  int64_t tokens = 0, scored = 0;
  const int64_t frozen = measured_floats(options, &tokens, &scored);
  ASSERT_GT(tokens, 0);
  ASSERT_GT(scored, 0);
  EXPECT_EQ(frozen, saved_floats(options.model, tokens, scored));

  // Frozen adapters keep neither the inputs of their two linears nor the input of scaling.
  options.model.llm.train = "bridge";
  EXPECT_EQ(frozen - measured_floats(options, &tokens, &scored),
            tokens * adapters(options.model) *
                (2 * options.model.llm.hidden_size + options.model.bottleneck_size()));

  // The same count includes what a trained LLM keeps: the outputs of both norms and down's input.
  options.model.llm.train = "bridge,adapter,llm";
  const model::LlmConfig& llm = options.model.llm;
  EXPECT_EQ(measured_floats(options, &tokens, &scored) - frozen,
            tokens * llm.num_layers * (2 * llm.hidden_size + llm.intermediate_size));
}

TEST(Memory, RecomputationKeepsTheInputsOfLayersOnly) {
  tiny::Options options;
  options.step.recompute = model::Recompute::kLayer;
  int64_t tokens = 0, scored = 0;
  const int64_t kept = measured_floats(options, &tokens, &scored);
  const int64_t h = options.model.llm.hidden_size;
  EXPECT_EQ(kept, tokens * options.model.llm.num_layers * h + scored * (2 * h + 1));
}

/// Floats that the resampler keeps of `items` samples with `tokens` patch features in all.
int64_t saved_bridge_floats(const model::ModelConfig& config, int64_t items, int64_t tokens) {
  const int64_t h = config.llm.hidden_size, v = config.vision.hidden_size;
  const int64_t inner = config.bridge.num_heads * config.bridge.head_dim;
  const int64_t ff = config.bridge.intermediate_factor * h;
  const int64_t rows = items * config.bridge.num_latents;
  const int64_t layer = tokens * (2 + v)                  // norm_media: statistics, its output
                        + tokens * 2 * inner              // k, v
                        + rows * ((h + 2) + h)            // norm_latents: x, statistics, output
                        + rows * (2 * inner)              // q, out
                        + rows * config.bridge.num_heads  // log-sum-exp
                        + rows * ((h + 2) + h)            // ff_norm: x, statistics, output
                        + rows * 2 * ff;                  // around GELU
  return tokens * v                                       // the features, once for all layers
         + config.bridge.num_layers * layer + rows * (h + 2);
}

TEST(Memory, TheEncoderKeepsNothingAndAFrozenBridgeNeither) {
  for (const bool trains : {true, false}) {
    tiny::Options options;
    if (!trains) options.model.llm.train = "adapter";
    tiny::Run run(parallel::make_self_communicator(), options);
    run.optimizer();
    const tiny::Batch all = tiny::make_batch(1, {Kind::kImage, Kind::kVideo, Kind::kImages});
    const ReplicaBatch batch = run.replica_batch(all);
    const VisionWindow& window = batch.windows.front();
    ASSERT_EQ(window.items.size(), 4U);
    const int64_t before = live(run.rt(), MemoryOwner::kActivation);
    VisionBranchSaved saved;
    vision_forward(run.rt(), run.model(), window, run.pixels(all, batch), &saved, nullptr);
    const int64_t kept = live(run.rt(), MemoryOwner::kActivation) - before;
    const int64_t tokens = (1 + 3 + 2) * options.model.vision.tokens_per_image();
    EXPECT_EQ(kept / kFloat, trains ? saved_bridge_floats(options.model, 4, tokens) : 0);
  }
}

}  // namespace
}  // namespace lynceus::train
