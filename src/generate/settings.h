// How answers are decoded: the sections [generate] and [describe]. configs/generate/ holds the
// settings of the paper and of the released code. Names are those of Hugging Face transformers.
#pragma once

#include <cstdint>
#include <string>

#include "core/config/faults.h"

namespace lynceus::generate {

/// The decoding of one round. One beam is greedy decoding or sampling, several are beam search or
/// beam sampling.
struct Decoding {
  int64_t max_new_tokens = 64;
  int64_t min_length = 0;
  int64_t min_new_tokens = 0;
  int64_t num_beams = 1;
  double length_penalty = 1.0;
  std::string early_stopping = "false";
  int64_t no_repeat_ngram_size = 0;
  double repetition_penalty = 1.0;
  bool do_sample = false;
  double temperature = 1.0;
  int64_t top_k = 0;
  double top_p = 1.0;

  /// `section`: generate or describe.
  template <typename Visitor>
  void visit_in(Visitor& v, const std::string& section) {
    v.field(section + ".max_new_tokens", max_new_tokens, "most tokens of an answer, EOS included");
    v.field(section + ".min_length", min_length,
            "no EOS while the answer is shorter; generate.length lynx counts BOS, too");
    v.field(section + ".min_new_tokens", min_new_tokens,
            "no EOS while the answer is shorter, without BOS");
    v.field(section + ".num_beams", num_beams, "beams of a row; 1: no beam search");
    v.field(section + ".length_penalty", length_penalty,
            "beams: the sum of log-probabilities is divided by length^this; more than 0 favours "
            "long answers, less than 0 short ones");
    v.choice(section + ".early_stopping", early_stopping, {"false", "true", "never"},
             "beams, when a row with num_beams finished answers ends: if the best open one cannot "
             "win at its present length; at once; or if it cannot win at any length");
    v.field(section + ".no_repeat_ngram_size", no_repeat_ngram_size,
            "no sequence of this many tokens occurs twice in an answer; 0: off");
    v.field(section + ".repetition_penalty", repetition_penalty,
            "divides positive and multiplies negative scores of tokens that the answer has; 1: "
            "off");
    v.field(section + ".do_sample", do_sample, "draw tokens at random");
    v.field(section + ".temperature", temperature, "sampling: scores are divided by this");
    v.field(section + ".top_k", top_k, "sampling: keep this many most probable tokens; 0: all");
    v.field(section + ".top_p", top_p,
            "sampling: keep the fewest most probable tokens whose probabilities exceed this; 1: "
            "all");
  }
  void check_in(const std::string& section, ConfigFaults* faults) const;
};

/// The section [generate].
struct Settings : Decoding {
  int64_t num_return_sequences = 1;
  uint64_t seed = 1;
  std::string length = "lynx";

  template <typename Visitor>
  void visit(Visitor& v) {
    v.section("generate", "how answers are decoded");
    visit_in(v, "generate");
    v.field("generate.num_return_sequences", num_return_sequences, "answers of a row, best first");
    v.field("generate.seed", seed, "sampling: draws follow from it, the row and the step");
    v.choice("generate.length", length, {"lynx", "hf"},
             "rules of transformers 4.28, which the released Lynx code uses: BOS counts in "
             "lengths and penalties; or of 4.38: it does not");
  }
  void check(ConfigFaults* faults) const;
  bool lynx() const { return length == "lynx"; }
  /// Number of BOS in front of an answer that count in its history and its length.
  int64_t counted_bos() const { return lynx() ? 1 : 0; }
};

/// The section [describe]: the model first answers a request for a description, which stays in the
/// conversation before the question of the row.
struct Description {
  bool first = false;
  std::string request = "Describe the image in detail";
  Decoding decoding;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.section("describe", "a description of the picture before the answer");
    v.field("describe.first", first,
            "answer describe.request first; it stays in the conversation before the question");
    v.field("describe.request", request, "the request for a description");
    decoding.visit_in(v, "describe");
  }
  void check(ConfigFaults* faults) const;
  /// How the description is decoded: seed and length rule as in `settings`, one answer.
  Settings settings(const Settings& settings) const;
};

}  // namespace lynceus::generate
