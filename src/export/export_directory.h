// The directory of an export. It is written under another name, synchronized to disk, then renamed,
// so that a directory with the requested name is complete. Also its small files next to the
// tensors.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "io/text/tokenizer.h"
#include "model/config.h"

namespace lynceus::weight_export {

/// UsageError if `output` exists, unless it may be overwritten and contains only files that an
/// export writes.
void refuse_existing(const std::filesystem::path& output, bool overwrite);

class ExportDirectory {
 public:
  /// Creates OUTPUT.partial, without files of an interrupted export. IoError if there are fewer
  /// than `bytes` of free space.
  ExportDirectory(std::filesystem::path output, bool overwrite, uint64_t bytes);
  /// Removes it unless commit() was called.
  ~ExportDirectory();
  ExportDirectory(const ExportDirectory&) = delete;
  ExportDirectory& operator=(const ExportDirectory&) = delete;

  const std::filesystem::path& path() const { return partial_; }
  /// Renames it to OUTPUT; an earlier export there is removed.
  void commit();

 private:
  std::filesystem::path output_;
  std::filesystem::path partial_;
  bool overwrite_;
  bool committed_ = false;
};

/// config.json of a LlamaForCausalLM. max_position_embeddings is copied from model.weights if that
/// is set. dtype: f32, bf16 or f16.
void write_llama_config(const std::filesystem::path& directory, const model::LlmConfig& llm,
                        const io::Tokenizer& tokenizer, const std::string& dtype);
/// Copies a file and synchronizes it to disk.
void copy_durably(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace lynceus::weight_export
