// Converts text to token ids and back with a SentencePiece model, the tokenizer of the LLaMA
// family. Can also train a model.
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
  /// InputError if the file is not a SentencePiece model or fails check_sentencepiece_model().
  explicit Tokenizer(const std::filesystem::path& path);
  ~Tokenizer();
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;

  /// Token ids without bos and eos. All const member functions are thread-safe.
  std::vector<int32_t> encode(std::string_view text) const;
  /// InputError for an id outside [0, size()).
  std::string decode(std::span<const int32_t> token_ids) const;
  /// The text of one piece, with U+2581 for a space.
  std::string piece(int32_t token_id) const;

  /// Number of pieces. The embedding has one more row, [PAD].
  int32_t size() const { return size_; }
  int32_t bos_id() const { return bos_id_; }  ///< -1 if the model has none
  int32_t eos_id() const { return eos_id_; }
  int32_t unk_id() const { return unk_id_; }
  /// Whether the model adds a space before every text, as LLaMA's does.
  bool adds_prefix_space() const { return adds_prefix_space_; }
  const std::filesystem::path& path() const { return path_; }
  /// Digest of the model file in hex (digest_file()). Equal fingerprints mean the same tokenizer.
  const std::string& fingerprint() const { return fingerprint_; }
  /// "FINGERPRINT (320 pieces)", as in manifests.
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
  /// "bpe", as in LLaMA, or "unigram".
  std::string model_type = "bpe";
  /// Characters outside the vocabulary are encoded as bytes instead of <unk>.
  bool byte_fallback = true;
};

/// Trains a model on lines of text and writes it to `output`; the same lines give the same file.
/// LLaMA's conventions: unk 0, bos 1, eos 2, no pad, digits split, text unchanged (no Unicode
/// normalization, spaces and newlines kept). InputError with SentencePiece's reason, e.g. if the
/// text is too small for the vocabulary.
void train_tokenizer(std::span<const std::string> lines, const TokenizerTraining& training,
                     const std::filesystem::path& output);
/// The same for the nonempty lines of a UTF-8 text file.
void train_tokenizer(const std::filesystem::path& corpus, const TokenizerTraining& training,
                     const std::filesystem::path& output);

}  // namespace lynceus::io
