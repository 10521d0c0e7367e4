#include "evaluate/vqa_normal_form.h"

#include <algorithm>
#include <map>
#include <utility>

#include "evaluate/words.h"
#include "io/text/lower_case.h"

namespace lynceus::evaluate {
namespace {

constexpr std::string_view kPunctuation = ";/[]\"{}()=+\\_->@<`,?!";
/// The script passes a flag of Python's re in the place of a count: re.UNICODE, which is 32.
constexpr int kMostPoints = 32;

constexpr std::string_view kNumbers[] = {"none", "one",   "two",   "three", "four", "five",
                                         "six",  "seven", "eight", "nine",  "ten"};

/// Contractions with one apostrophe, which answers may lack.
constexpr std::string_view kContractions[] = {
    "ain't",       "aren't",       "can't",      "could've",  "couldn't",   "didn't",
    "doesn't",     "don't",        "hadn't",     "hasn't",    "haven't",    "he'd",
    "he's",        "how'd",        "how'll",     "how's",     "isn't",      "it'd",
    "it'll",       "ma'am",        "mightn't",   "might've",  "mustn't",    "must've",
    "needn't",     "not've",       "o'clock",    "oughtn't",  "shan't",     "should've",
    "shouldn't",   "somebody'll",  "somebody's", "someone'd", "someone'll", "someone's",
    "something'd", "something'll", "that's",     "there'd",   "there're",   "there's",
    "they'd",      "they'll",      "they're",    "they've",   "'twas",      "wasn't",
    "we've",       "weren't",      "what'll",    "what're",   "what's",     "what've",
    "when's",      "where'd",      "where's",    "where've",  "who'd",      "who'll",
    "who's",       "who've",       "why'll",     "why're",    "why's",      "won't",
    "would've",    "wouldn't",     "y'all",      "you'd",     "you'll",     "you're",
    "you've"};
/// What the script lists besides: forms with one of two apostrophes, and what differs otherwise.
constexpr std::pair<std::string_view, std::string_view> kOtherForms[] = {
    {"couldn'tve", "couldn't've"},
    {"couldnt've", "couldn't've"},
    {"hadnt've", "hadn't've"},
    {"hadn'tve", "hadn't've"},
    {"hed've", "he'd've"},
    {"he'dve", "he'd've"},
    {"itd've", "it'd've"},
    {"it'dve", "it'd've"},
    {"mightnt've", "mightn't've"},
    {"mightn'tve", "mightn't've"},
    {"ow's'at", "'ow's'at"},
    {"'ows'at", "'ow's'at"},
    {"'ow'sat", "'ow's'at"},
    {"shed've", "she'd've"},
    {"she'dve", "she'd've"},
    {"shouldnt've", "shouldn't've"},
    {"shouldn'tve", "shouldn't've"},
    {"somebodyd've", "somebody'd've"},
    {"somebody'dve", "somebody'd've"},
    {"someoned've", "someone'd've"},
    {"someone'dve", "someone'd've"},
    {"somethingd've", "something'd've"},
    {"something'dve", "something'd've"},
    {"thered've", "there'd've"},
    {"there'dve", "there'd've"},
    {"theyd've", "they'd've"},
    {"they'dve", "they'd've"},
    {"wed've", "we'd've"},
    {"we'dve", "we'd've"},
    {"whod've", "who'd've"},
    {"who'dve", "who'd've"},
    {"wouldnt've", "wouldn't've"},
    {"wouldn'tve", "wouldn't've"},
    {"yall'll", "y'all'll"},
    {"y'allll", "y'all'll"},
    {"yall'd've", "y'all'd've"},
    {"y'alld've", "y'all'd've"},
    {"y'all'dve", "y'all'd've"},
    {"youd've", "you'd've"},
    {"you'dve", "you'd've"},
    {"somebody'd", "somebodyd"}};

const std::map<std::string, std::string, std::less<>>& contractions() {
  static const auto table = [] {
    std::map<std::string, std::string, std::less<>> made;
    for (const std::string_view form : kContractions) made[replaced(form, "'", "")] = form;
    for (const auto& [from, to] : kOtherForms) made[std::string(from)] = to;
    return made;
  }();
  return table;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool has_comma_in_number(std::string_view text) {
  for (size_t at = 1; at + 1 < text.size(); ++at)
    if (text[at] == ',' && is_digit(text[at - 1]) && is_digit(text[at + 1])) return true;
  return false;
}

std::string as_digits(const std::string& word) {
  if (word == "zero") return "0";
  const auto* found = std::find(std::begin(kNumbers), std::end(kNumbers), word);
  return found == std::end(kNumbers) ? word : std::to_string(found - std::begin(kNumbers));
}

}  // namespace

std::string trimmed_answer(std::string_view answer) {
  std::string text(answer);
  std::replace(text.begin(), text.end(), '\n', ' ');
  std::replace(text.begin(), text.end(), '\t', ' ');
  return std::string(stripped(text));
}

std::string without_punctuation(std::string_view text) {
  std::string result(text);
  const bool has_number = has_comma_in_number(text);
  for (const char mark : kPunctuation) {
    const bool is_beside_space = text.find(std::string{mark, ' '}) != std::string_view::npos ||
                                 text.find(std::string{' ', mark}) != std::string_view::npos;
    if (is_beside_space || has_number)
      std::erase(result, mark);
    else
      std::replace(result.begin(), result.end(), mark, ' ');
  }
  std::string kept;
  int points = 0;
  for (size_t at = 0; at < result.size(); ++at) {
    const bool is_removed = result[at] == '.' && points < kMostPoints &&
                            (at + 1 == result.size() || !is_digit(result[at + 1]));
    if (is_removed)
      ++points;
    else
      kept += result[at];
  }
  return kept;
}

std::string with_digits(std::string_view text) {
  std::string result;
  for (const std::string& written : split_words(io::lower_case(text))) {
    std::string word = as_digits(written);
    if (word == "a" || word == "an" || word == "the") continue;
    if (const auto found = contractions().find(word); found != contractions().end())
      word = found->second;
    if (!result.empty()) result += ' ';
    result += word;
  }
  return result;
}

std::string normal_form(std::string_view answer) {
  return with_digits(without_punctuation(trimmed_answer(answer)));
}

}  // namespace lynceus::evaluate
