// WeightSource: where named global tensors come from, readable in slices, whatever lies on disk:
// one safetensors file, a directory of shards, a rule (generated_weights.h), or a combination of
// them under other names. The model names what it expects once, match_weights() compares the two
// lists before anything is allocated, then every rank reads its slices.
//
// Names are the released Lynx names: "LLM.model.layers.0...", "vision_encoder...", "bridge...".
// Errors: InputError naming the file and the tensor.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/parameter.h"
#include "io/weights/safetensors.h"

namespace lynceus::io {

class WeightSource {
 public:
  virtual ~WeightSource() = default;

  /// Sorted.
  virtual std::vector<std::string> names() const = 0;
  virtual bool has(const std::string& name) const = 0;
  /// Of the global tensor; InputError if there is none of that name.
  virtual Shape shape(const std::string& name) const = 0;
  /// Of the elements as they are stored; nothing where they are made or joined from others.
  virtual std::optional<FileType> stored_type(const std::string& name) const;
  /// A part of the global tensor into `out`: host, slice.of(shape(name)), f32 or bf16, to which
  /// what is stored is rounded. Thread-safe.
  virtual void read(const std::string& name, const Slice& slice, const Tensor& out) const = 0;
  /// For messages: the file or directory.
  virtual std::string describe() const = 0;
  /// What is read, for the digest of frozen weights: no file twice, in an order that does not
  /// depend on where the directories lie.
  virtual std::vector<std::filesystem::path> files() const = 0;

  /// All of it, as f32.
  Tensor read_whole(const Stream& stream, const std::string& name,
                    MemoryOwner owner = MemoryOwner::kInput) const;
  /// The local part of a sharded tensor into `out`. Rows of `out` past shard.global_extent are
  /// padding and become zero (axis 0 only). The caller has matched the shapes.
  void read_shard(const std::string& name, const TensorShard& shard, const Tensor& out) const;
};
using WeightSourcePtr = std::shared_ptr<const WeightSource>;

/// A *.safetensors file, a *.index.json of shards, a *.gen.json rule, or a directory that holds
/// model.safetensors, model.safetensors.index.json, weights.safetensors or weights.gen.json (the
/// first that is there). TensorShard paths of an index stay below its directory.
WeightSourcePtr open_weights(const std::filesystem::path& path);

/// Tensors whose names begin with `remove`, shown with `add` in its place; the others are hidden.
/// An HF LLaMA directory becomes Lynx's by with_prefix(source, "", "LLM.").
WeightSourcePtr with_prefix(WeightSourcePtr source, std::string remove, std::string add);

/// All tensors of all sources; one name in two of them is an InputError naming both places.
WeightSourcePtr combine(std::vector<WeightSourcePtr> sources);

struct ExpectedTensor {
  std::string name;
  Shape shape;  ///< global
};

/// Buffers that checkpoints of the time carry and nobody reads.
inline const std::vector<std::string> kIgnoredWeights = {"*.rotary_emb.inv_freq"};

/// Throws one InputError that lists every missing name, every unexpected name that matches no
/// pattern of `ignored` ('*' stands for any text), and every wrong shape.
void match_weights(const WeightSource& source, std::span<const ExpectedTensor> expected,
                   std::span<const std::string> ignored = kIgnoredWeights);

/// Whether `text` is `pattern`, in which '*' stands for any text.
bool matches_pattern(std::string_view text, std::string_view pattern);

}  // namespace lynceus::io
