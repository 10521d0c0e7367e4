// The configuration of the model: sections [model] [vision] [bridge] [adapter]. Each struct visits
// its own fields once; the reader, --help, --print-config and the manifest all come from that
// visit.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/config/faults.h"
#include "io/weights/rope_scaling.h"

namespace lynceus::model {

/// LLaMA family. Defaults: LLaMA-7B.
struct LlmConfig {
  std::string weights;
  std::optional<int64_t> given_vocab_size;  ///< model.vocab_size; empty: auto
  int64_t hidden_size = 4096;
  int64_t intermediate_size = 11008;
  int64_t num_layers = 32;
  int64_t num_heads = 32;
  int64_t num_kv_heads = 0;
  int64_t vocab_size = 0;  ///< rows of embed_tokens, [PAD] included; resolved
  double rms_norm_eps = 1e-6;
  double rope_theta = 10000.0;
  std::string rope_scaling = "none";
  bool tie_word_embeddings = false;
  double init_std = 0.02;
  std::string init_from;
  std::string train = "bridge,adapter";

  int64_t kv_heads() const { return num_kv_heads == 0 ? num_heads : num_kv_heads; }
  int64_t head_dim() const { return hidden_size / num_heads; }
  /// Of `rope_scaling`, which check() has accepted.
  io::RopeScaling scaling() const { return io::RopeScaling::from_text(rope_scaling).value(); }
  /// Whether `module` (bridge, adapter, llm) is in the list `train`.
  bool trains(const std::string& module) const;
  /// Whether the list has a word that is none of these.
  bool trains_unknown() const;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.section("model", "the LLM: LLaMA family");
    v.field("model.weights", weights,
            "directory in the layout of Hugging Face (config.json) or Meta (params.json); empty: "
            "random values");
    v.field("model.vocab_size", given_vocab_size,
            "rows of the embedding, or auto: tokenizer + [PAD]");
    v.field("model.hidden_size", hidden_size, "width of the residual stream");
    v.field("model.intermediate_size", intermediate_size, "width of the MLP");
    v.field("model.num_layers", num_layers, "decoder layers");
    v.field("model.num_heads", num_heads, "query heads");
    v.field("model.num_kv_heads", num_kv_heads, "key/value heads; 0: as many as query heads");
    v.field("model.rms_norm_eps", rms_norm_eps, "epsilon of the RMSNorms");
    v.field("model.rope_theta", rope_theta, "base of the rotary angles");
    v.field("model.rope_scaling", rope_scaling,
            "scaling of the rotary angles: none, linear:FACTOR, dynamic:FACTOR:POSITIONS or "
            "llama3:FACTOR:LOW:HIGH:POSITIONS");
    v.field("model.tie_word_embeddings", tie_word_embeddings,
            "the embedding is also the output matrix: there is no lm_head.weight");
    v.field("model.init_std", init_std, "standard deviation of random weights");
    v.field("model.init_from", init_from,
            "checkpoint of a run that trained the LLM: its LLM weights replace the random ones");
    v.field("model.train", train, "what is trained: any of bridge, adapter, llm");
  }
};

/// EVA-CLIP ViT. Defaults: ViT-g.
struct VisionConfig {
  std::string weights;
  int64_t image_size = 224;
  int64_t patch_size = 14;
  int64_t hidden_size = 1408;
  int64_t num_layers = 39;
  int64_t num_heads = 16;
  int64_t intermediate_size = 6144;
  double layer_norm_eps = 1e-6;
  int64_t num_frames = 5;
  bool frame_position = true;
  int64_t images_per_pass = 4;
  double init_std = 0;

  int64_t grid() const { return image_size / patch_size; }
  int64_t tokens_per_image() const { return 1 + grid() * grid(); }
  int64_t head_dim() const { return hidden_size / num_heads; }

  template <typename Visitor>
  void visit(Visitor& v) {
    v.section("vision", "the frozen vision encoder: EVA ViT");
    v.field("vision.weights", weights,
            "file or directory, safetensors or torch, Lynx or EVA names; empty: random values");
    v.field("vision.image_size", image_size, "side of the square input, pixels");
    v.field("vision.patch_size", patch_size, "side of a patch, pixels");
    v.field("vision.hidden_size", hidden_size, "width");
    v.field("vision.num_layers", num_layers, "blocks");
    v.field("vision.num_heads", num_heads, "attention heads");
    v.field("vision.intermediate_size", intermediate_size, "width of the MLP");
    v.field("vision.layer_norm_eps", layer_norm_eps, "epsilon of the LayerNorms");
    v.field("vision.num_frames", num_frames, "maximum number of frames of a video");
    v.field("vision.frame_position", frame_position, "add a trained embedding to each video frame");
    v.field("vision.images_per_pass", images_per_pass, "images encoded at once");
    v.field("vision.init_std", init_std,
            "standard deviation of random weights; 0: 1 / sqrt(fan in)");
  }
};

/// From patch features to visual tokens. Defaults: Lynx's resampler.
struct BridgeConfig {
  std::string kind = "resampler";
  int64_t num_latents = 32;
  int64_t num_layers = 3;
  int64_t num_heads = 8;
  int64_t head_dim = 64;
  int64_t intermediate_factor = 4;
  int64_t hidden_size = 0;
  bool vision_norm = false;
  double layer_norm_eps = 1e-5;
  double init_std = 0;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.section("bridge", "from patch features to visual tokens");
    v.choice("bridge.kind", kind, {"resampler", "affine", "mlp"}, "the bridge");
    v.field("bridge.num_latents", num_latents, "visual tokens of a media item (resampler)");
    v.field("bridge.num_layers", num_layers, "depth (resampler)");
    v.field("bridge.num_heads", num_heads, "attention heads (resampler)");
    v.field("bridge.head_dim", head_dim, "size of a head (resampler)");
    v.field("bridge.intermediate_factor", intermediate_factor,
            "feed-forward width / width (resampler)");
    v.field("bridge.hidden_size", hidden_size, "hidden width (mlp); 0: twice the vision width");
    v.field("bridge.vision_norm", vision_norm,
            "LayerNorm on the patch features first (affine, mlp)");
    v.field("bridge.layer_norm_eps", layer_norm_eps, "epsilon of the LayerNorms");
    v.field("bridge.init_std", init_std,
            "standard deviation of random weights; 0: 1 / sqrt(fan in)");
  }
};

/// A bottleneck adapter after every n-th decoder layer.
struct AdapterConfig {
  int64_t every = 2;
  int64_t bottleneck_size = 0;
  double layer_norm_eps = 1e-5;
  double init_std = 0.02;

  bool at_layer(int64_t layer) const { return every > 0 && layer % every == 0; }

  template <typename Visitor>
  void visit(Visitor& v) {
    v.section("adapter", "bottleneck adapters after decoder layers 0, n, 2n, ...");
    v.field("adapter.every", every, "n; 0: no adapters");
    v.field("adapter.bottleneck_size", bottleneck_size,
            "width of the bottleneck; 0: half of model.hidden_size");
    v.field("adapter.layer_norm_eps", layer_norm_eps, "epsilon of the LayerNorm");
    v.field("adapter.init_std", init_std,
            "standard deviation of the random weights of both linears");
  }
};

struct ModelConfig {
  LlmConfig llm;
  VisionConfig vision;
  BridgeConfig bridge;
  AdapterConfig adapter;

  int64_t bottleneck_size() const {
    return adapter.bottleneck_size == 0 ? llm.hidden_size / 2 : adapter.bottleneck_size;
  }
  /// Visual tokens of a media item of `frames` images (1: an image).
  int64_t visual_tokens(int64_t frames) const {
    if (frames == 0) return 0;
    return bridge.kind == "resampler" ? bridge.num_latents : frames * vision.tokens_per_image();
  }
  /// Adds every value that cannot be a model, with the key to change.
  void check(ConfigFaults* faults) const;
  /// Throws one UsageError with everything that check() finds.
  void validate() const;

  template <typename Visitor>
  void visit(Visitor& v) {
    llm.visit(v);
    vision.visit(v);
    bridge.visit(v);
    adapter.visit(v);
  }
};

/// Throws UsageError if the model cannot be split over `tensor` ranks or `pipeline` stages, with
/// one sentence for each reason and the number to change.
void validate_layout(const ModelConfig& config, int tensor, int pipeline);

}  // namespace lynceus::model
