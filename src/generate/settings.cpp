// The ranges of the sections [generate] and [describe], and what contradicts each other in them.
#include "generate/settings.h"

#include <cmath>

#include "core/random.h"

namespace lynceus::generate {
namespace {

constexpr int64_t kMostTokens = 1 << 20;
constexpr int64_t kMostSequences = 1024;

}  // namespace

void Decoding::check_in(const std::string& section, ConfigFaults* faults) const {
  const auto key = [&](const char* name) { return section + "." + name; };
  const bool length_valid = faults->within(key("max_new_tokens"), max_new_tokens, 1, kMostTokens);
  // As transformers: BOS counts in min_length.
  const bool min_length_valid = faults->at_least(key("min_length"), min_length, 0);
  if (length_valid && min_length_valid) {
    faults->expect(min_length <= max_new_tokens + 1, key("min_length"),
                   fmt::format("at most {} + 1 ({})", key("max_new_tokens"), max_new_tokens + 1),
                   min_length);
  }
  if (faults->at_least(key("min_new_tokens"), min_new_tokens, 0) && length_valid) {
    faults->expect(min_new_tokens <= max_new_tokens, key("min_new_tokens"),
                   fmt::format("at most {} ({})", key("max_new_tokens"), max_new_tokens),
                   min_new_tokens);
  }
  faults->within(key("num_beams"), num_beams, 1, kMostSequences);
  faults->expect(std::isfinite(length_penalty), key("length_penalty"), "a finite number",
                 length_penalty);
  faults->at_least(key("no_repeat_ngram_size"), no_repeat_ngram_size, 0);
  faults->expect(std::isfinite(repetition_penalty) && repetition_penalty > 0,
                 key("repetition_penalty"), "more than 0; 1 is off", repetition_penalty);
  faults->expect(
      std::isfinite(temperature) && temperature > 0, key("temperature"),
      fmt::format("more than 0; {} = false always takes the best token", key("do_sample")),
      temperature);
  faults->at_least(key("top_k"), top_k, 0);
  faults->expect(top_p > 0 && top_p <= 1, key("top_p"), "more than 0 and at most 1; 1 is off",
                 top_p);
}

void Settings::check(ConfigFaults* faults) const {
  check_in("generate", faults);
  if (!faults->within("generate.num_return_sequences", num_return_sequences, 1, kMostSequences) ||
      num_beams < 1) {
    return;
  }
  // Under lynx each sample is a search of its own; under hf one search returns its best.
  const bool from_one_search = !do_sample || (length == "hf" && num_beams > 1);
  faults->expect(!from_one_search || num_return_sequences <= num_beams,
                 "generate.num_return_sequences",
                 fmt::format("at most generate.num_beams ({})", num_beams), num_return_sequences);
}

void Description::check(ConfigFaults* faults) const {
  decoding.check_in("describe", faults);
  faults->expect(!first || !request.empty(), "describe.request",
                 "a text, because describe.first is on", "''");
}

Settings Description::settings(const Settings& settings) const {
  Settings result;
  static_cast<Decoding&>(result) = decoding;
  result.length = settings.length;
  // Other draws than those of the answer.
  result.seed = mix64(settings.seed ^ hash_name("describe"));
  return result;
}

}  // namespace lynceus::generate
