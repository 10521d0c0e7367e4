// Text to token ids and back with a SentencePiece model, the tokenizer of the LLaMA family. Used by
// the prompts and by `prepare` (which can train one).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sentencepiece {
class SentencePieceProcessor;
}

namespace lynceus::io {

class Tokenizer {
 public:
  /// InputError when the file is not a SentencePiece model, or one that the library might not
  /// survive (sentencepiece_check.h).
  explicit Tokenizer(const std::filesystem::path& path);
  ~Tokenizer();
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;

  /// Token ids, no bos, no eos. Thread-safe, as are all the following.
  std::vector<int32_t> encode(std::string_view text) const;
  /// InputError for an id outside [0, size()).
  std::string decode(std::span<const int32_t> token_ids) const;
  /// The text of one piece, with the meta symbol for spaces.
  std::string piece(int32_t token_id) const;

  /// Pieces. The embedding has a row more, [PAD].
  int32_t size() const { return size_; }
  int32_t bos_id() const { return bos_id_; }  ///< -1 where the model has none
  int32_t eos_id() const { return eos_id_; }
  int32_t unk_id() const { return unk_id_; }
  /// Does the model put a space before every text, as LLaMA's does?
  bool adds_prefix_space() const { return adds_prefix_space_; }
  const std::filesystem::path& path() const { return path_; }
  /// XXH3-128 of the model file in hex: two runs agree on the tokenizer iff this agrees.
  const std::string& fingerprint() const { return fingerprint_; }
  /// "FINGERPRINT (320 pieces)", as manifests keep it.
  std::string describe() const;

 private:
  void check_id(int32_t token_id) const;

  std::filesystem::path path_;
  std::unique_ptr<sentencepiece::SentencePieceProcessor> processor_;
  std::string fingerprint_;
  int32_t size_ = 0;
  int32_t bos_id_ = -1;
  int32_t eos_id_ = -1;
  int32_t unk_id_ = -1;
  bool adds_prefix_space_ = false;
};

struct TokenizerTraining {
  int vocab_size = 8000;
  /// "bpe" as LLaMA's, or "unigram".
  std::string model_type = "bpe";
  /// Characters that do not fit are spelled in bytes instead of becoming <unk>.
  bool byte_fallback = true;
};

/// Trains a model on lines of text and writes it to `output`; the same lines give the same file.
/// LLaMA's conventions: unk 0, bos 1, eos 2, no pad, digits apart, text as it is (no Unicode
/// normalisation, newlines kept). InputError with SentencePiece's reason, e.g. when the text is too
/// small for the vocabulary.
void train_tokenizer(std::span<const std::string> lines, const TokenizerTraining& training,
                     const std::filesystem::path& output);
/// The same for the lines of a UTF-8 text file.
void train_tokenizer(const std::filesystem::path& corpus, const TokenizerTraining& training,
                     const std::filesystem::path& output);

}  // namespace lynceus::io
