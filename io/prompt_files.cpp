// Reading prompt templates and lists of instructions. See prompt.h.
#include <algorithm>
#include <map>
#include <string_view>

#include "core/check.h"
#include "core/error.h"
#include "core/random.h"
#include "io/file.h"
#include "io/prompt.h"

namespace lynceus::io {
namespace {

constexpr uint64_t kMaxFileBytes = 1 << 20;
constexpr std::string_view kPlace = "{text}";

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

template <typename Visit>
void for_each_line(const std::string& text, Visit visit) {
  int number = 1;
  for (size_t begin = 0; begin < text.size(); ++number) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = trimmed(std::string_view(text).substr(begin, end - begin));
    if (!line.empty() && line[0] != '#' && line[0] != ';') visit(number, line);
    begin = end + 1;
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

bool parse_bool(const std::string& text, const std::string& where) {
  if (text == "true") return true;
  if (text == "false") return false;
  throw InputError("{}: expected true or false, found \"{}\"", where, text);
}

}  // namespace

PromptStyle PromptStyle::load(const std::filesystem::path& path) {
  PromptStyle style;
  style.name = path.stem().string();
  std::map<std::string, bool> seen{{"name", false},      {"system", false},
                                   {"user", false},      {"default_system", false},
                                   {"assistant", false}, {"lower_case", false}};
  for_each_line(read_text(path, kMaxFileBytes), [&](int number, std::string_view line) {
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
    if (known->second) throw InputError("{}: expected once, found again", where);
    known->second = true;
    const std::string value = unescaped(trimmed(line.substr(equals + 1)), where);
    if (key == "name") style.name = value;
    if (key == "default_system") style.default_system = value;
    if (key == "system") style.system = split(value, where);
    if (key == "user") style.user = split(value, where);
    if (key == "assistant") style.assistant = split(value, where);
    if (key == "lower_case") style.lower_case = parse_bool(value, where);
  });
  for (const char* key : {"user", "assistant"}) {
    if (!seen.at(key)) throw InputError("{}: expected the key {}, found none", path.string(), key);
  }
  return style;
}

PromptList::PromptList(std::vector<std::string> prompts) : prompts_(std::move(prompts)) {
  LYNCEUS_CHECK(!prompts_.empty(), "a list of no prompts");
}

PromptList PromptList::load(const std::filesystem::path& path) {
  std::vector<std::string> prompts;
  for_each_line(read_text(path, kMaxFileBytes), [&](int number, std::string_view line) {
    if (count_places(line) > 1) {
      throw InputError("{}:{}: expected {{text}} at most once, found \"{}\"", path.string(), number,
                       line);
    }
    prompts.emplace_back(line);
  });
  if (prompts.empty()) {
    throw InputError("{}: expected one instruction a line, found none", path.string());
  }
  return PromptList(std::move(prompts));
}

const std::string& PromptList::pick(uint64_t seed, uint64_t sample_index) const {
  const CounterRandom random(seed, "prompt");
  return prompts_[random.below(sample_index, prompts_.size())];
}

std::vector<Turn> PromptList::apply(std::vector<Turn> turns, uint64_t seed,
                                    uint64_t sample_index) const {
  const std::string& prompt = pick(seed, sample_index);
  const size_t place = prompt.find(kPlace);
  for (size_t i = 0; i < turns.size(); ++i) {
    if (turns[i].role == TurnRole::kUser) {
      if (place != std::string::npos) {
        turns[i].text =
            prompt.substr(0, place) + turns[i].text + prompt.substr(place + kPlace.size());
      }
      break;
    }
    if (turns[i].role == TurnRole::kAssistant) {
      if (place == std::string::npos) {
        turns.insert(turns.begin() + static_cast<std::ptrdiff_t>(i), {TurnRole::kUser, prompt});
      }
      break;
    }
  }
  return turns;
}

}  // namespace lynceus::io
