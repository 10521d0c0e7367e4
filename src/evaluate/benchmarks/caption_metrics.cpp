#include "evaluate/benchmarks/caption_metrics.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <set>

#include "io/text/lower_case.h"

namespace lynceus::evaluate {
namespace {

constexpr int kN = kMostWordsOfNgram;
using Words = std::vector<std::string>;
using Counts = std::map<std::string, int64_t>;  // n-gram, its words separated by spaces
using Ngrams = std::array<Counts, kN>;          // [n - 1]

Ngrams count_ngrams(const Words& words) {
  Ngrams ngrams;
  for (size_t begin = 0; begin < words.size(); ++begin) {
    std::string ngram;
    for (size_t n = 0; n < kN && begin + n < words.size(); ++n) {
      if (n > 0) ngram += ' ';
      ngram += words[begin + n];
      ++ngrams[n][ngram];
    }
  }
  return ngrams;
}

/// A caption with what all metrics need of it.
struct Prepared {
  Ngrams candidate;
  std::vector<Ngrams> references;
};

/// The sums that BLEU is made of.
struct BleuCounts {
  int64_t words = 0, reference_words = 0;
  std::array<int64_t, kN> matches = {}, ngrams = {};

  void add(const BleuCounts& other) {
    words += other.words;
    reference_words += other.reference_words;
    for (size_t n = 0; n < kN; ++n) {
      matches[n] += other.matches[n];
      ngrams[n] += other.ngrams[n];
    }
  }
};

BleuCounts bleu_counts(const CaptionPair& pair, const Prepared& prepared) {
  BleuCounts counts;
  counts.words = static_cast<int64_t>(pair.candidate.size());
  const auto distance = [&](const Words& reference) {
    const auto words = static_cast<int64_t>(reference.size());
    return std::pair(std::abs(words - counts.words), words);
  };
  counts.reference_words =
      distance(*std::min_element(
                   pair.references.begin(), pair.references.end(),
                   [&](const Words& a, const Words& b) { return distance(a) < distance(b); }))
          .second;
  for (size_t n = 0; n < kN; ++n) {
    counts.ngrams[n] = std::max<int64_t>(0, counts.words - static_cast<int64_t>(n));
    for (const auto& [ngram, count] : prepared.candidate[n]) {
      int64_t most = 0;
      for (const Ngrams& reference : prepared.references)
        if (const auto found = reference[n].find(ngram); found != reference[n].end())
          most = std::max(most, found->second);
      counts.matches[n] += std::min(count, most);
    }
  }
  return counts;
}

std::array<double, kN> bleu_of(const BleuCounts& counts) {
  constexpr double kSmall = 1e-9, kTiny = 1e-15;
  std::array<double, kN> bleu = {};
  double product = 1;
  for (size_t n = 0; n < kN; ++n) {
    product *= (static_cast<double>(counts.matches[n]) + kTiny) /
               (static_cast<double>(counts.ngrams[n]) + kSmall);
    bleu[n] = std::pow(product, 1.0 / static_cast<double>(n + 1));
  }
  const double ratio = (static_cast<double>(counts.words) + kTiny) /
                       (static_cast<double>(counts.reference_words) + kSmall);
  if (ratio < 1)
    for (double& value : bleu) value *= std::exp(1 - 1 / ratio);
  return bleu;
}

int64_t longest_common_subsequence(const Words& a, const Words& b) {
  std::vector<int64_t> longest(b.size() + 1, 0);  // of the words of a so far and the first of b
  for (const std::string& word : a) {
    int64_t before = 0;  // longest[i] of one word less of a
    for (size_t i = 0; i < b.size(); ++i) {
      const int64_t above = longest[i + 1];
      longest[i + 1] = word == b[i] ? before + 1 : std::max(above, longest[i]);
      before = above;
    }
  }
  return longest.back();
}

double rouge_l(const CaptionPair& pair) {
  constexpr double kBeta2 = 1.2 * 1.2;
  double precision = 0, recall = 0;
  for (const Words& reference : pair.references) {
    const auto common = static_cast<double>(longest_common_subsequence(pair.candidate, reference));
    if (common == 0) continue;
    precision = std::max(precision, common / static_cast<double>(pair.candidate.size()));
    recall = std::max(recall, common / static_cast<double>(reference.size()));
  }
  if (precision == 0 || recall == 0) return 0;
  return (1 + kBeta2) * precision * recall / (recall + kBeta2 * precision);
}

/// The TF-IDF vectors of captions against the references of a corpus.
class Cider {
 public:
  explicit Cider(const std::vector<Prepared>& corpus)
      : log_size_(std::log(static_cast<double>(corpus.size()))) {
    for (const Prepared& pair : corpus)
      for (size_t n = 0; n < kN; ++n) {
        std::set<std::string_view> seen;
        for (const Ngrams& reference : pair.references)
          for (const auto& [ngram, count] : reference[n]) seen.insert(ngram);
        for (const std::string_view ngram : seen) ++documents_[n][std::string(ngram)];
      }
  }

  double score(const Prepared& pair) const {
    double sum = 0;
    for (size_t n = 0; n < kN; ++n) {
      double over_references = 0;
      for (const Ngrams& reference : pair.references)
        over_references += similarity(pair.candidate, reference, n);
      sum += over_references;
    }
    return 10 * sum / kN / static_cast<double>(pair.references.size());
  }

 private:
  double weight(const std::string& ngram, int64_t count, size_t n) const {
    const auto found = documents_[n].find(ngram);
    const double documents = found == documents_[n].end() ? 1 : static_cast<double>(found->second);
    return static_cast<double>(count) * (log_size_ - std::log(documents));
  }

  double norm(const Ngrams& caption, size_t n) const {
    double sum = 0;
    for (const auto& [ngram, count] : caption[n]) {
      const double value = weight(ngram, count, n);
      sum += value * value;
    }
    return std::sqrt(sum);
  }

  static int64_t bigrams(const Ngrams& caption) {
    int64_t sum = 0;
    for (const auto& [ngram, count] : caption[1]) sum += count;
    return sum;
  }

  double similarity(const Ngrams& candidate, const Ngrams& reference, size_t n) const {
    double product = 0;
    for (const auto& [ngram, count] : candidate[n]) {
      const auto found = reference[n].find(ngram);
      if (found == reference[n].end()) continue;
      const double other = weight(ngram, found->second, n);
      product += std::min(weight(ngram, count, n), other) * other;
    }
    const double norms = norm(candidate, n) * norm(reference, n);
    if (norms != 0) product /= norms;
    const auto difference = static_cast<double>(bigrams(candidate) - bigrams(reference));
    return product * std::exp(-difference * difference / (2 * 6.0 * 6.0));
  }

  double log_size_;
  std::array<Counts, kN> documents_;  // items with a reference that has the n-gram
};

}  // namespace

std::vector<std::string> caption_words(std::string_view caption) {
  Words words;
  bool is_open = false;
  for (const char c : io::lower_case(caption)) {
    const bool is_word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (is_word && !is_open) words.emplace_back();
    if (is_word) words.back() += c;
    is_open = is_word;
  }
  return words;
}

CaptionScores score_captions(const std::vector<CaptionPair>& pairs) {
  std::vector<Prepared> corpus;
  for (const CaptionPair& pair : pairs) {
    Prepared prepared = {count_ngrams(pair.candidate), {}};
    for (const Words& reference : pair.references)
      prepared.references.push_back(count_ngrams(reference));
    corpus.push_back(std::move(prepared));
  }
  const Cider cider(corpus);
  CaptionScores scores;
  BleuCounts all;
  for (size_t i = 0; i < pairs.size(); ++i) {
    const BleuCounts counts = bleu_counts(pairs[i], corpus[i]);
    all.add(counts);
    scores.items.push_back({bleu_of(counts), rouge_l(pairs[i]), cider.score(corpus[i])});
    scores.corpus.rouge_l += scores.items.back().rouge_l;
    scores.corpus.cider += scores.items.back().cider;
  }
  scores.corpus.bleu = bleu_of(all);
  scores.corpus.rouge_l /= static_cast<double>(pairs.size());
  scores.corpus.cider /= static_cast<double>(pairs.size());
  return scores;
}

}  // namespace lynceus::evaluate
