#include "io/text/prompt_files.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "core/check.h"
#include "core/error.h"
#include "core/random.h"
#include "core/text/foreign_file.h"
#include "core/text/text_encoding.h"
#include "io/files/digest.h"
#include "io/files/file.h"
#include "io/files/json.h"
#include "io/files/lines.h"

namespace lynceus::io {
namespace {

constexpr uint64_t kMaxFileBytes = 1 << 20;
constexpr std::string_view kPlace = "{text}";

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

/// Visits the lines of a file, with their numbers, that are neither blank nor comments.
template <typename Visit>
void for_each_line(const std::filesystem::path& path, Visit visit) {
  const std::string whole = read_text(path, kMaxFileBytes);
  if (!whole.empty()) refuse_foreign(whole, path.string(), "text in UTF-8");
  const std::string_view text = utf8_text(whole, path.string());
  int number = 1;
  for (size_t begin = 0; begin < text.size(); ++number) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = trimmed(text.substr(begin, end - begin));
    if (!line.empty() && line[0] != '#' && line[0] != ';') visit(number, line);
    begin = end + 1;
  }
}

/// InputError for JSON and for bytes that are no text, whose lines would be taken for instructions.
void refuse_other_than_lines(const std::filesystem::path& path) {
  const std::string text = read_text(path, kMaxFileBytes);
  const size_t first = text.find_first_not_of(" \t\r\n");
  bool is_json = first != std::string::npos && (text[first] == '{' || text[first] == '[');
  if (is_json) try {
      Json::parse(text, path.string());
    } catch (const InputError&) {  // such as "[photo] What is it?"
      is_json = false;
    }
  if (is_json) throw InputError("{}: expected one instruction a line, found JSON", path.string());
  if (const size_t at = invalid_utf8(text); at != std::string_view::npos)
    throw InputError("{}: expected UTF-8, found other bytes at position {}", path.string(), at);
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x20 || byte == '\t' || byte == '\r' || byte == '\n') continue;
    throw InputError("{}: expected text, found the byte {:#04x} at position {}", path.string(),
                     byte, i);
  }
}

std::string unescaped(std::string_view value, const std::string& where) {
  if (value.starts_with('"')) {
    if (value.size() < 2 || !value.ends_with('"')) {
      throw InputError("{}: expected a closing quote, found {}", where, value);
    }
    value = value.substr(1, value.size() - 2);
  }
  std::string text;
  for (size_t i = 0; i < value.size(); ++i) {
    if (value[i] != '\\') {
      text += value[i];
      continue;
    }
    const char next = ++i < value.size() ? value[i] : '\0';
    if (next != 'n' && next != '\\' && next != '"') {
      throw InputError("{}: expected \\n, \\\\ or \\\" after a backslash, found {}", where, value);
    }
    text += next == 'n' ? '\n' : next;
  }
  return text;
}

size_t count_places(std::string_view text) {
  size_t count = 0;
  for (size_t at = text.find(kPlace); at != std::string_view::npos; ++count) {
    at = text.find(kPlace, at + kPlace.size());
  }
  return count;
}

TurnTemplate split(const std::string& text, const std::string& where) {
  if (count_places(text) != 1) {
    throw InputError("{}: expected a template with one {{text}}, found \"{}\"", where, text);
  }
  const size_t at = text.find(kPlace);
  return {text.substr(0, at), text.substr(at + kPlace.size())};
}

LowerCase parse_lower_case(const std::string& text, const std::string& where) {
  if (text == "none" || text == "false") return LowerCase::kNone;
  if (text == "questions" || text == "true") return LowerCase::kQuestions;
  if (text == "prompt") return LowerCase::kPrompt;
  throw InputError("{}: expected none, questions or prompt, found \"{}\"", where, text);
}

/// The first turn of the user or the assistant.
template <typename Turns>
auto first_turn(Turns& turns) {
  return std::find_if(turns.begin(), turns.end(), [](const Turn& turn) {
    return turn.role == TurnRole::kUser || turn.role == TurnRole::kAssistant;
  });
}

}  // namespace

PromptStyle PromptStyle::load(const std::filesystem::path& path) {
  PromptStyle style;
  style.name = path.stem().string();
  std::map<std::string, bool> seen{{"name", false},      {"system", false},
                                   {"user", false},      {"default_system", false},
                                   {"assistant", false}, {"lower_case", false}};
  for_each_line(path, [&](int number, std::string_view line) {
    const size_t equals = line.find('=');
    const std::string key(trimmed(line.substr(0, equals)));
    const std::string where = fmt::format("{}:{}: {}", path.string(), number, key);
    const auto known = seen.find(key);
    if (equals == std::string_view::npos || known == seen.end()) {
      throw InputError(
          "{}: expected KEY = VALUE with a key of name, system, default_system, user, "
          "assistant, lower_case",
          where);
    }
    if (known->second) throw InputError("{}: this key is given twice", where);
    known->second = true;
    const std::string value = unescaped(trimmed(line.substr(equals + 1)), where);
    if (key == "name") style.name = value;
    if (key == "default_system") style.default_system = value;
    if (key == "system") style.system = split(value, where);
    if (key == "user") style.user = split(value, where);
    if (key == "assistant") style.assistant = split(value, where);
    if (key == "lower_case") style.lower_case = parse_lower_case(value, where);
  });
  for (const char* key : {"user", "assistant"}) {
    if (!seen.at(key)) throw InputError("{}: expected the key {}, found none", path.string(), key);
  }
  return style;
}

std::string PromptStyle::fingerprint() const {
  std::string text;
  for (const std::string& part : {default_system, system.before, system.after, user.before,
                                  user.after, assistant.before, assistant.after})
    text += fmt::format("{} {}\n", part.size(), part);
  text += std::to_string(static_cast<int>(lower_case));
  return digest128(text.data(), text.size()).hex();
}

bool has_question(std::span<const Turn> turns) {
  const auto first = first_turn(turns);
  return first != turns.end() && first->role == TurnRole::kUser;
}

PromptList::PromptList(std::vector<std::string> prompts) {
  LYNCEUS_CHECK(!prompts.empty(), "an empty list of prompts");
  for (std::string& prompt : prompts) {
    (count_places(prompt) > 0 ? wordings_ : instructions_).push_back(std::move(prompt));
  }
}

PromptList PromptList::load(const std::filesystem::path& path) {
  std::vector<std::string> prompts;
  for_each_line(path, [&](int number, std::string_view line) {
    if (count_places(line) > 1) {
      throw InputError("{}:{}: expected {{text}} at most once, found \"{}\"", path.string(), number,
                       line);
    }
    prompts.emplace_back(line);
  });
  refuse_other_than_lines(path);
  if (prompts.empty()) {
    throw InputError("{}: expected one instruction a line, found none", path.string());
  }
  return PromptList(std::move(prompts));
}

PromptList PromptList::first_only() const {
  PromptList list = *this;
  for (auto* prompts : {&list.wordings_, &list.instructions_}) {
    if (prompts->size() > 1) prompts->resize(1);
  }
  return list;
}

const std::string* PromptList::pick(bool asked, uint64_t seed, uint64_t sample_index) const {
  const std::vector<std::string>& prompts = asked ? wordings_ : instructions_;
  if (prompts.empty()) return nullptr;
  const CounterRandom random(seed, "prompt");
  return &prompts[random.below(sample_index, prompts.size())];
}

std::vector<Turn> PromptList::apply(std::vector<Turn> turns, uint64_t seed,
                                    uint64_t sample_index) const {
  const auto first = first_turn(turns);
  if (first == turns.end()) return turns;
  const bool asked = first->role == TurnRole::kUser;
  const std::string* prompt = pick(asked, seed, sample_index);
  if (prompt == nullptr) return turns;
  if (asked) {
    const size_t place = prompt->find(kPlace);
    first->text = prompt->substr(0, place) + first->text + prompt->substr(place + kPlace.size());
  } else {
    turns.insert(first, {TurnRole::kUser, *prompt});
  }
  return turns;
}

std::string PromptList::fingerprint() const {
  std::string text;
  for (const auto* prompts : {&wordings_, &instructions_}) {
    for (const std::string& prompt : *prompts) text += prompt + "\n";
  }
  return digest128(text.data(), text.size()).hex();
}

}  // namespace lynceus::io
