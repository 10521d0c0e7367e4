// LLaMA as Meta distributes it: params.json and consolidated.00.pth, .01.pth, .., one file (piece)
// per model-parallel rank of its training. This source joins the pieces and presents them under the
// names and in the layout of Hugging Face. The last column is the axis along which pieces are
// joined:
//
//   tok_embeddings.weight           -> model.embed_tokens.weight       columns, or rows (LLaMA 3)
//   layers.N.attention.w{q,k}       -> ...self_attn.{q,k}_proj         rows, rotary order undone
//   layers.N.attention.wv           -> ...self_attn.v_proj             rows
//   layers.N.attention.wo           -> ...self_attn.o_proj             columns
//   layers.N.feed_forward.w{1,3}    -> ...mlp.{gate,up}_proj           rows
//   layers.N.feed_forward.w2        -> ...mlp.down_proj                columns
//   layers.N.{attention,ffn}_norm   -> ...{input,post_attention}_layernorm   equal in all pieces
//   norm.weight                     -> model.norm.weight                     equal in all pieces
//   output.weight                   -> lm_head.weight                        rows
//
// Rotary order: Meta rotates rows 2i and 2i + 1 of a head together, Hugging Face rows i and
// i + head_dim/2. Therefore row h·head_dim + j·head_dim/2 + i of this source is Meta's row
// h·head_dim + 2i + j (j = 0, 1). The buffers rope.freqs follow from rope_theta and are hidden.
//
// Errors: InputError naming file and tensor.
#pragma once

#include <filesystem>
#include <string_view>

#include "io/weights/hf_config.h"
#include "io/weights/weights.h"

namespace lynceus::io {

inline constexpr std::string_view kPieceName = "consolidated.00.pth";  ///< of the first piece
inline constexpr std::string_view kParamsName = "params.json";

/// `directory` contains params.json and all pieces.
WeightSourcePtr open_llama_pieces(const std::filesystem::path& directory);

/// The values in params.json; the vocabulary size and the width of the MLP come from the shapes of
/// the tensors.
LlamaConfig read_llama_params(const std::filesystem::path& directory);

}  // namespace lynceus::io
