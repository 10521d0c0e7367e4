// MANIFEST.json describes a committed checkpoint. A checkpoint is committed if and only if its
// directory has its final name and contains a valid manifest.
//
// The manifest lists every global tensor with the XXH3-128 digest of each of its row blocks (the
// same on every grid, so two checkpoints can be compared), the digest of every byte of state.h5
// that is not tensor data, everything that a resume needs, and, as its last key, the digest of its
// own text.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/dtype.h"
#include "core/tensor.h"
#include "io/files/digest.h"

namespace lynceus::io {

constexpr const char* kManifestName = "MANIFEST.json";
constexpr const char* kStateFileName = "state.h5";

/// The number of rows (first axis) that share one digest: about 4 MiB of rows, at least one row. A
/// scalar is one row.
int64_t digest_block_rows(const Shape& shape, DType dtype);
/// The number of rows (1 for a scalar) and of blocks.
int64_t digest_rows(const Shape& shape);
int64_t digest_blocks(const Shape& shape, DType dtype);

/// One global tensor of state.h5.
struct ManifestTensor {
  std::string name;  ///< path inside state.h5, "NAME/value"
  Shape shape;       ///< global
  DType dtype = DType::kF32;
  std::vector<Digest128> blocks;  ///< digest_blocks(shape, dtype) of them, in row order

  uint64_t bytes() const { return static_cast<uint64_t>(shape.elements()) * size_of(dtype); }
};

/// A range of bytes of a file.
struct ByteRange {
  uint64_t offset = 0;
  uint64_t size = 0;
  bool operator==(const ByteRange&) const = default;
};

/// Identity and location of weights that the checkpoints of the run do not contain.
struct FrozenWeights {
  std::string identity;    ///< "random SEED STD", or a digest of what was read
  std::string checkpoint;  ///< the one with them; empty: loaded from the config's paths

  bool operator==(const FrozenWeights&) const = default;
};

/// A step whose update was left out because a number was not finite.
struct LeftOutStep {
  int64_t step = 0;          ///< its number, from 1
  bool rolled_back = false;  ///< true: the run went back, and no later step uses its samples
  int64_t first_sample = 0;  ///< its samples, as indexes in the run: from this one
  int64_t end_sample = 0;    ///< up to the one before this

  bool operator==(const LeftOutStep&) const = default;
};

struct Manifest {
  // Set by the trainer.
  int64_t step = 0;          ///< optimizer steps done
  int64_t samples_seen = 0;  ///< in these steps
  std::string software;      ///< name and version of the program that wrote it
  std::vector<std::pair<std::string, std::string>> config;  ///< resolved, in order
  std::map<std::string, uint64_t> seeds;
  std::map<std::string, FrozenWeights> frozen_weights;  ///< by module: llm, vision, ...
  std::string tokenizer;                                ///< fingerprint and size
  std::string prompt_template;                  ///< fingerprint and name; empty up to version 0.1.0
  std::map<std::string, std::string> datasets;  ///< name -> fingerprint
  std::map<std::string, int64_t> parameter_steps;  ///< Adam's count per parameter
  int64_t damaged_samples = 0;                     ///< of samples_seen: replaced and not scored
  std::vector<LeftOutStep> left_out;               ///< in the order in which they happened

  // Set by the writer of the checkpoint.
  uint64_t file_bytes = 0;              ///< of state.h5
  std::vector<ByteRange> frame;         ///< its bytes that are not tensor data, ascending
  Digest128 frame_digest;               ///< of those bytes, in order
  std::vector<ManifestTensor> tensors;  ///< ascending by name

  /// nullptr if there is no such tensor.
  const ManifestTensor* find(const std::string& name) const;
};

/// The file's text, digest included.
std::string to_text(const Manifest& manifest);
/// InputError "ORIGIN: not a committed checkpoint: ..." naming the key if anything is invalid:
/// digest, format, version, types, order of the tensors, coverage of the file.
Manifest parse_manifest(const std::string& text, const std::string& origin);
/// Reads DIRECTORY/MANIFEST.json.
Manifest read_manifest(const std::filesystem::path& directory);

}  // namespace lynceus::io
