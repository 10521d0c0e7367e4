// Consecutive unscored text is encoded as one string, and each answer as a separate string. So the
// tokens before an answer are the same in training and in generation.
//
// The assistant prefix of a template ends with the space before the answer. Many SentencePiece
// models add a space before every text, so the space is removed; for other models it is moved to
// the start of the answer.
#include "io/text/prompt.h"

#include <algorithm>

#include "core/check.h"
#include "core/error.h"
#include "core/text/ascii.h"
#include "io/text/lower_case.h"

namespace lynceus::io {
namespace {

/// A text that is encoded as one string.
struct Segment {
  std::string text;
  bool scored = false;  // an eos follows
};

class Renderer {
 public:
  Renderer(const PromptStyle& style, bool adds_prefix_space)
      : style_(style), adds_prefix_space_(adds_prefix_space) {}

  /// `open_answer`: ends with the assistant's prefix, for an answer to follow.
  std::vector<Segment> render(std::span<const Turn> turns, bool open_answer) {
    const bool is_chat = std::any_of(turns.begin(), turns.end(),
                                     [](const Turn& turn) { return turn.role != TurnRole::kText; });
    const bool has_system = !turns.empty() && turns[0].role == TurnRole::kSystem;
    if (is_chat && !has_system && !style_.default_system.empty()) {
      wrap(style_.system, style_.default_system);
    }
    for (const Turn& turn : turns) add(turn);
    if (open_answer) {
      open(style_.assistant.before);
    } else if (asked_) {
      flush();
    }
    return std::move(segments_);
  }

 private:
  void add(const Turn& turn) {
    switch (turn.role) {
      case TurnRole::kSystem:
        return wrap(style_.system, turn.text);
      case TurnRole::kUser:
        return wrap(style_.user, style_.lower_case == LowerCase::kQuestions ? ascii_lower(turn.text)
                                                                            : turn.text);
      case TurnRole::kAssistant: {
        const std::string space = open(style_.assistant.before);
        segments_.push_back({space + turn.text, true});
        prompt_ = style_.assistant.after;
        asked_ = false;
        return;
      }
      case TurnRole::kText:
        flush();
        segments_.push_back({turn.text, true});
        return;
    }
  }

  void wrap(const TurnTemplate& shape, const std::string& text) {
    prompt_ += shape.before + text + shape.after;
    asked_ = true;
  }

  /// Ends the prompt with the assistant's prefix; returns the text that the answer must start with.
  std::string open(const std::string& prefix) {
    prompt_ += prefix;
    const bool spaced = prompt_.ends_with(' ');
    if (spaced) prompt_.pop_back();
    flush();
    return spaced && !adds_prefix_space_ ? " " : "";
  }

  void flush() {
    if (style_.lower_case == LowerCase::kPrompt) prompt_ = lower_case(prompt_);
    if (!prompt_.empty()) segments_.push_back({std::move(prompt_), false});
    prompt_.clear();
    asked_ = false;
  }

  const PromptStyle& style_;
  bool adds_prefix_space_;
  std::vector<Segment> segments_;
  std::string prompt_;  // not yet a segment
  bool asked_ = false;  // prompt_ has a turn, not only the text after the last answer
};

struct Context {
  const Tokenizer& tokenizer;
  const PromptStyle& style;

  std::vector<Segment> render(std::span<const Turn> turns, bool open_answer) const {
    return Renderer(style, tokenizer.adds_prefix_space()).render(turns, open_answer);
  }
};

/// The first `bytes` bytes, or fewer to keep the last UTF-8 character complete.
std::string head(const std::string& text, size_t bytes) {
  while (bytes > 0 && bytes < text.size() && (static_cast<uint8_t>(text[bytes]) & 0xC0) == 0x80) {
    --bytes;
  }
  return text.substr(0, bytes);
}

/// The longest head of turns[question] for which the prompt of the turns has at most `budget`
/// tokens; empty if none is short enough.
std::string longest_question(const Context& context, std::span<const Turn> turns, size_t question,
                             int64_t budget) {
  std::vector<Turn> shortened(turns.begin(), turns.end());
  const std::string& text = turns[question].text;
  size_t fits = 0;
  size_t too_long = text.size();
  while (too_long - fits > 1) {
    const size_t middle = fits + (too_long - fits) / 2;
    shortened[question].text = head(text, middle);
    int64_t tokens = 0;
    for (const Segment& segment : context.render(shortened, true)) {
      tokens += static_cast<int64_t>(context.tokenizer.encode(segment.text).size()) +
                (segment.scored ? 1 : 0);
    }
    (tokens <= budget ? fits : too_long) = middle;
  }
  return head(text, fits);
}

/// Index of the last user turn before `end`; `end` if there is none.
size_t last_question(std::span<const Turn> turns, size_t end) {
  for (size_t i = end; i-- > 0;) {
    if (turns[i].role == TurnRole::kUser) return i;
  }
  return end;
}

TokenizedSample encode(const Context& context, const std::vector<Segment>& segments) {
  TokenizedSample sample;
  const auto push = [&](int32_t id, bool scored) {
    sample.token_ids.push_back(id);
    sample.scored.push_back(scored ? 1 : 0);
  };
  if (context.tokenizer.bos_id() >= 0) push(context.tokenizer.bos_id(), false);
  for (const Segment& segment : segments) {
    for (const int32_t id : context.tokenizer.encode(segment.text)) push(id, segment.scored);
    if (segment.scored && context.tokenizer.eos_id() >= 0) push(context.tokenizer.eos_id(), true);
  }
  return sample;
}

/// Shortens the question before the first answer if the answer would not fit.
TokenizedSample make_room(const Context& context, std::span<const Turn> turns, int64_t max_tokens,
                          TokenizedSample whole) {
  const auto first_scored = std::find(whole.scored.begin(), whole.scored.end(), 1);
  const int64_t prompt_tokens = first_scored - whole.scored.begin();
  const int64_t answer_tokens = std::find(first_scored, whole.scored.end(), 0) - first_scored;
  const int64_t reserved = std::min(answer_tokens, std::max<int64_t>(1, max_tokens / 4));
  const auto answer = std::find_if(turns.begin(), turns.end(), [](const Turn& turn) {
    return turn.role == TurnRole::kAssistant || turn.role == TurnRole::kText;
  });
  const auto before_answer = static_cast<size_t>(answer - turns.begin());
  const size_t question = last_question(turns, before_answer);
  if (prompt_tokens + reserved <= max_tokens || question == before_answer) return whole;
  std::vector<Turn> shortened(turns.begin(), turns.end());
  const int64_t bos = context.tokenizer.bos_id() >= 0 ? 1 : 0;
  shortened[question].text =
      longest_question(context, turns.first(before_answer), question, max_tokens - reserved - bos);
  return encode(context, context.render(shortened, false));
}

}  // namespace

TokenizedSample tokenize_sample(const Tokenizer& tokenizer, const PromptStyle& style,
                                std::span<const Turn> turns, int64_t max_tokens) {
  LYNCEUS_CHECK(max_tokens > 0, "max_tokens {}", max_tokens);
  const Context context{tokenizer, style};
  TokenizedSample sample = encode(context, context.render(turns, false));
  const auto whole = static_cast<int64_t>(sample.token_ids.size());
  if (whole <= max_tokens) return sample;
  sample = make_room(context, turns, max_tokens, std::move(sample));
  size_t kept = std::min(sample.token_ids.size(), static_cast<size_t>(max_tokens));
  // A question whose answer was cut off teaches nothing.
  const bool has_answer = std::find(sample.scored.begin(), sample.scored.begin() + kept, 1) !=
                          sample.scored.begin() + kept;
  while (has_answer && sample.scored[kept - 1] == 0) --kept;
  sample.token_ids.resize(kept);
  sample.scored.resize(kept);
  sample.cut = whole - static_cast<int64_t>(kept);
  return sample;
}

std::vector<int32_t> tokenize_prompt(const Tokenizer& tokenizer, const PromptStyle& style,
                                     std::span<const Turn> turns) {
  const Context context{tokenizer, style};
  return encode(context, context.render(turns, /*open_answer=*/true)).token_ids;
}

}  // namespace lynceus::io
