// A weight source: named global tensors that can be read in slices. They come from one file,
// several files, rules that generate values, or a combination of these under other names. The model
// lists the tensors that it expects, match_weights() compares the two lists before any memory is
// allocated, then every rank reads its slices.
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
  /// Of the global tensor; InputError if there is no such tensor.
  virtual Shape shape(const std::string& name) const = 0;
  /// Type of the stored elements; nullopt if they are generated or joined from several tensors.
  virtual std::optional<FileType> stored_type(const std::string& name) const;
  /// Reads a slice of the global tensor into `out`, [slice.of(shape(name))] on the host, f32 or
  /// bf16 (stored values are rounded to it). Thread-safe.
  virtual void read(const std::string& name, const Slice& slice, const Tensor& out) const = 0;
  /// For messages: the file or directory.
  virtual std::string describe() const = 0;
  /// For messages: the name that a tensor has, or would have, in the file.
  virtual std::string name_in_file(const std::string& name) const { return name; }
  /// The files that are read, for the digest of frozen weights: no duplicates, in an order that
  /// does not depend on the location of the directories.
  virtual std::vector<std::filesystem::path> files() const = 0;

  /// The complete tensor as f32.
  Tensor read_whole(const Stream& stream, const std::string& name,
                    MemoryOwner owner = MemoryOwner::kInput) const;
  /// Reads the local part of a sharded tensor into `out`. Rows of `out` past shard.global_extent
  /// are padding and become zero (axis 0 only). The caller has checked the shapes.
  void read_shard(const std::string& name, const TensorShard& shard, const Tensor& out) const;
};
using WeightSourcePtr = std::shared_ptr<const WeightSource>;

/// The tensors whose names begin with `remove`, which is replaced by `add`; others are hidden.
/// with_prefix(source, "", "LLM.") gives a Hugging Face LLaMA directory Lynx names.
WeightSourcePtr with_prefix(WeightSourcePtr source, std::string remove, std::string add);

/// All tensors of all sources. InputError naming both sources if a name is in two of them.
WeightSourcePtr combine(std::vector<WeightSourcePtr> sources);

struct ExpectedTensor {
  std::string name;
  Shape shape;  ///< global
};

/// Buffers in old Hugging Face files; they are not needed.
inline const std::vector<std::string> kIgnoredWeights = {"*.rotary_emb.inv_freq"};

/// One InputError with the number and the first of the missing tensors, of those with another
/// shape, and of the unexpected ones that match no pattern of `ignored`. `note` is added to it.
void match_weights(const WeightSource& source, std::span<const ExpectedTensor> expected,
                   std::span<const std::string> ignored = kIgnoredWeights,
                   const std::string& note = "");

/// Whether `text` matches `pattern`, in which '*' matches any text.
bool matches_pattern(std::string_view text, std::string_view pattern);

}  // namespace lynceus::io
