#include "evaluate/judge/question.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text/ascii.h"

namespace lynceus::evaluate {
namespace {

bool is_letter(char c) {
  // A letter beyond ASCII is part of a word too: "Noël" is not "No".
  return (c >= 'a' && c <= 'z') || (static_cast<unsigned char>(c) & 0x80) != 0;
}

}  // namespace

std::string judge_question(std::string_view question, std::string_view prediction,
                           std::string_view ground_truth) {
  return fmt::format(
      "Given the question \"{}\", does the answer \"{}\" imply the answer \"{}\"? Answer with Yes "
      "or No.",
      question, prediction, ground_truth);
}

std::optional<bool> verdict_of_reply(std::string_view reply) {
  constexpr std::string_view kThoughts = "</think>";
  if (const size_t end = reply.rfind(kThoughts); end != std::string_view::npos)
    reply.remove_prefix(end + kThoughts.size());
  const std::string text = ascii_lower(reply);
  const auto begin = std::find_if(text.begin(), text.end(), is_letter);
  const std::string word(begin, std::find_if_not(begin, text.end(), is_letter));
  if (word == "yes") return true;
  if (word == "no") return false;
  return std::nullopt;
}

}  // namespace lynceus::evaluate
