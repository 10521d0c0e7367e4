// The directory that an export makes: written under another name, durable, then renamed, so that a
// directory of the name that was asked for is whole. And its small files beside the tensors.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "io/text/tokenizer.h"
#include "model/config.h"

namespace lynceus::weight_export {

/// UsageError if `output` is there, unless it may be overwritten and holds nothing but what an
/// export writes.
void refuse_existing(const std::filesystem::path& output, bool overwrite);

class ExportDirectory {
 public:
  /// Makes OUTPUT.partial, emptied of an interrupted export. IoError without `bytes` of free space.
  ExportDirectory(std::filesystem::path output, bool overwrite, uint64_t bytes);
  /// Removes it unless commit() was called.
  ~ExportDirectory();
  ExportDirectory(const ExportDirectory&) = delete;
  ExportDirectory& operator=(const ExportDirectory&) = delete;

  const std::filesystem::path& path() const { return partial_; }
  /// Renames it to OUTPUT; an earlier export there goes first.
  void commit();

 private:
  std::filesystem::path output_;
  std::filesystem::path partial_;
  bool overwrite_;
  bool committed_ = false;
};

/// config.json of a LlamaForCausalLM. What only its original knows (max_position_embeddings) comes
/// from model.weights where that is there. dtype: f32, bf16 or f16.
void write_llama_config(const std::filesystem::path& directory, const model::LlmConfig& llm,
                        const io::Tokenizer& tokenizer, const std::string& dtype);
void copy_durably(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace lynceus::weight_export
