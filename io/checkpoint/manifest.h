// MANIFEST.json: what a committed checkpoint says about itself. A checkpoint is committed exactly
// when a manifest that holds true stands in a finally named directory.
//
// It lists every global tensor with the XXH3-128 digest of each of its row blocks (the same on
// every grid, so two checkpoints compare), the digest of every byte of state.h5 that is not a
// tensor, all that a resume must know, and, as its last key, the digest of its own text. Written by
// checkpoint_writer.cpp, read by checkpoint_reader.cpp and src/train.
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

/// How many rows (first axis) of a tensor share one digest: about 4 MiB of them, at least one. A
/// scalar is one row.
int64_t digest_block_rows(const Shape& shape, DType dtype);
/// Rows (1 for a scalar) and how many blocks they make.
int64_t digest_rows(const Shape& shape);
int64_t digest_blocks(const Shape& shape, DType dtype);

/// One global tensor of state.h5.
struct ManifestTensor {
  std::string name;  ///< path inside state.h5, "NAME/value"
  Shape shape;       ///< global
  DType dtype = DType::kF32;
  std::vector<Digest128> blocks;  ///< digest_blocks(shape, dtype) of them, by row

  uint64_t bytes() const { return static_cast<uint64_t>(shape.elements()) * size_of(dtype); }
};

/// A range of bytes of a file.
struct ByteRange {
  uint64_t offset = 0;
  uint64_t size = 0;
  bool operator==(const ByteRange&) const = default;
};

/// Weights of the run that its checkpoints do not hold: what tells them from others, and where they
/// are to be had again.
struct FrozenWeights {
  std::string identity;    ///< "random SEED STD", or a digest of what was read
  std::string checkpoint;  ///< that holds them; empty: from where the config says

  bool operator==(const FrozenWeights&) const = default;
};

struct Manifest {
  // Said by the trainer.
  int64_t step = 0;          ///< optimizer steps done
  int64_t samples_seen = 0;  ///< samples behind them
  std::string software;      ///< name and version of the program that wrote it
  std::vector<std::pair<std::string, std::string>> config;  ///< resolved, in order
  std::map<std::string, uint64_t> seeds;
  std::map<std::string, FrozenWeights> frozen_weights;  ///< by module: llm, vision, ...
  std::string tokenizer;                                ///< fingerprint and size
  std::map<std::string, std::string> datasets;          ///< name -> fingerprint
  std::map<std::string, int64_t> parameter_steps;       ///< Adam's count per parameter
  int64_t damaged_samples = 0;  ///< of samples_seen: replaced and not scored

  // Said by the writer of the checkpoint.
  uint64_t file_bytes = 0;              ///< of state.h5
  std::vector<ByteRange> frame;         ///< what of it is not tensor data, ascending
  Digest128 frame_digest;               ///< of those bytes, in order
  std::vector<ManifestTensor> tensors;  ///< ascending by name

  const ManifestTensor* find(const std::string& name) const;
};

/// The file's text, digest included.
std::string to_text(const Manifest& manifest);
/// InputError "ORIGIN: not a committed checkpoint: ..." naming the key for anything that does not
/// hold: digest, format, version, types, tiling of the tensors, cover of the file.
Manifest parse_manifest(const std::string& text, const std::string& origin);
/// Reads DIRECTORY/MANIFEST.json.
Manifest read_manifest(const std::filesystem::path& directory);

}  // namespace lynceus::io
