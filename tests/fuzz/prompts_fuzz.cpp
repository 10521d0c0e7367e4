// Prompt templates and lists of prompts. An accepted template is equal after printing and reading;
// an accepted list gives each sample one of its lines.
#include "io/text/prompt.h"

#include "fuzz/fuzz.h"

using namespace lynceus;

namespace {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return out + "\"";
}

std::string quoted(const io::TurnTemplate& turn) {
  return quoted(turn.before + "{text}" + turn.after);
}

std::string printed(io::LowerCase lower_case) {
  switch (lower_case) {
    case io::LowerCase::kNone:
      return "none";
    case io::LowerCase::kQuestions:
      return "questions";
    case io::LowerCase::kPrompt:
      return "prompt";
  }
  return "";
}

std::string printed(const io::PromptStyle& style) {
  return "name = " + quoted(style.name) + "\ndefault_system = " + quoted(style.default_system) +
         "\nsystem = " + quoted(style.system) + "\nuser = " + quoted(style.user) +
         "\nassistant = " + quoted(style.assistant) +
         "\nlower_case = " + printed(style.lower_case) + "\n";
}

void use(const io::PromptList& list) {
  fuzz::require(list.size() > 0, "a list has a prompt");
  fuzz::require(list.first_only().size() <= 2, "the first of each kind");
  list.fingerprint();
  for (const bool asked : {true, false}) {
    const std::string* prompt = list.pick(asked, 1, 2);
    std::vector<io::Turn> turns{{io::TurnRole::kAssistant, "answer"}};
    if (asked) turns.insert(turns.begin(), {io::TurnRole::kUser, "question"});
    const std::vector<io::Turn> said = list.apply(turns, 1, 2);
    if (prompt == nullptr) {
      fuzz::require(said.size() == turns.size() && said[0].text == turns[0].text,
                    "an unchanged sample");
      continue;
    }
    fuzz::require(said.size() == 2 && said[0].role == io::TurnRole::kUser, "a user's turn");
    fuzz::require(asked ? said[0].text.size() + 6 == prompt->size() + turns[0].text.size()
                        : said[0].text == *prompt,
                  "the prompt around the question");
    fuzz::require(said[0].text.find("{text}") == std::string::npos, "one place for a question");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto path = fuzz::folder().file("fuzzed.ini", fuzz::text_of(data, size));
  fuzz::accepts([&] {
    const std::string text = printed(io::PromptStyle::load(path));
    const auto again = fuzz::folder().file("printed.ini", text);
    fuzz::require(printed(io::PromptStyle::load(again)) == text, "a template read again");
  });
  fuzz::accepts([&] { use(io::PromptList::load(path)); });
  return 0;
}
