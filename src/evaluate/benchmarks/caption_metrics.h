// BLEU-1 to BLEU-4, ROUGE-L and CIDEr of captions, equal to those of pycocoevalcap 1.2 on the same
// tokens.
//
// Per n-gram length n of 1 to 4, c_n: n-grams of the candidate that are in a reference (each at
// most as often as in the reference that has it most often), g_n: n-grams of the candidate.
//   BLEU-n   (product over k <= n of (c_k + 1e-15) / (g_k + 1e-9))^(1/n), times exp(1 - r/l) if the
//            candidate (l words) is shorter than the reference nearest to it in length (r words; of
//            two the shorter). Corpus: c, g, l and r are sums.
//            Papineni et al., BLEU, ACL 2002.
//   ROUGE-L  (1 + b^2) P R / (R + b^2 P), b = 1.2; P and R: the longest common subsequence divided
//            by the words of the candidate and of the reference, each the largest over the
//            references. Corpus: mean. Lin, ROUGE, 2004.
//   CIDEr    10 times the mean over n of the mean over the references of
//            exp(-(difference of lengths)^2 / 72) * sum min(h, w) w / (|h| |w|), where h and w are
//            the TF-IDF vectors of the n-grams of candidate and reference, with IDF from all
//            references of the corpus, and lengths count bigrams. Corpus: mean. This is the variant
//            CIDEr-D. Vedantam et al., CIDEr, CVPR 2015.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace lynceus::evaluate {

constexpr int kMostWordsOfNgram = 4;

/// The words of a caption: in lower case, every run of characters outside a-z and 0-9 separates two
/// words. (The tokenizer of pycocoevalcap is a Java program; on plain captions it does the same.)
std::vector<std::string> caption_words(std::string_view caption);

struct CaptionPair {
  std::vector<std::string> candidate;                ///< words
  std::vector<std::vector<std::string>> references;  ///< words; at least one reference
};

struct CaptionScore {
  std::array<double, kMostWordsOfNgram> bleu = {};  ///< [n - 1]
  double rouge_l = 0;
  double cider = 0;
};

struct CaptionScores {
  CaptionScore corpus;
  std::vector<CaptionScore> items;
};

/// Scores of a corpus, which must not be empty. The CIDEr of an item depends on all references.
CaptionScores score_captions(const std::vector<CaptionPair>& pairs);

}  // namespace lynceus::evaluate
