// The small files next to the tensors of a merged export: the configuration of the model, the
// defaults of generation and the tokenizer, as transformers and the released Lynx code read them.
#pragma once

#include <filesystem>
#include <string>

#include "io/text/tokenizer.h"
#include "model/config.h"

namespace lynceus::weight_export {

/// config.json and generation_config.json of a LlamaForCausalLM. max_position_embeddings is copied
/// from model.weights if that is set. dtype: f32, bf16 or f16.
void write_model_files(const std::filesystem::path& directory, const model::LlmConfig& llm,
                       const io::Tokenizer& tokenizer, const std::string& dtype);

/// tokenizer.model, tokenizer_config.json, special_tokens_map.json and, if the model has the row
/// [PAD] after those of the tokenizer, added_tokens.json. transformers 4.28 (of the released Lynx
/// code), 4.38 and 5 then give the token ids of `tokenizer` after BOS.
void write_tokenizer_files(const std::filesystem::path& directory, const model::LlmConfig& llm,
                           const io::Tokenizer& tokenizer);

}  // namespace lynceus::weight_export
