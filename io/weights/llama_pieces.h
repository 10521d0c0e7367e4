// LLaMA as Meta distributes it: params.json and consolidated.00.pth, .01.pth, .. one file per
// rank of the model parallelism it was trained with. This source joins the pieces and shows them in
// the names and layout of Hugging Face:
//
//   tok_embeddings.weight           -> model.embed_tokens.weight       columns, or rows (LLaMA 3)
//   layers.N.attention.w{q,k}       -> ...self_attn.{q,k}_proj         rows, rotary order undone
//   layers.N.attention.wv           -> ...self_attn.v_proj             rows
//   layers.N.attention.wo           -> ...self_attn.o_proj             columns
//   layers.N.feed_forward.w{1,3}    -> ...mlp.{gate,up}_proj           rows
//   layers.N.feed_forward.w2        -> ...mlp.down_proj                columns
//   layers.N.{attention,ffn}_norm   -> ...{input,post_attention}_layernorm   every piece the same
//   norm.weight, output.weight      -> model.norm.weight, lm_head.weight     the same, rows
//
// Rotary order: Meta rotates neighbours (2i, 2i + 1) of a head, Hugging Face i and i + head_dim/2,
// so row h·head_dim + j·head_dim/2 + i here is row h·head_dim + 2i + j there (j = 0, 1). The
// buffers rope.freqs follow from rope_theta and are hidden.
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

/// A directory that holds params.json and all pieces.
WeightSourcePtr open_llama_pieces(const std::filesystem::path& directory);

/// The numbers of params.json; those that it does not have (vocabulary, width of the MLP) come from
/// the shapes of the tensors.
LlamaConfig read_llama_params(const std::filesystem::path& directory);

}  // namespace lynceus::io
