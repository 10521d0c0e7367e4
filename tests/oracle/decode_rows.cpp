// Decodes one row for check_decoding.py, which computes the logits.
//
//   decode_rows VOCAB_SIZE BOS EOS [--given-draws] [--generate.KEY VALUE...]
//
// Standard input: before each step the logits of the live sequences, f32. With --given-draws also
// after each line "choices": the number of draws and their indices, i32.
// Standard output, lines of JSON: {"choices": [[beam, token, probability, value]...]} with
// --given-draws, {"next": [[token, parent]...]}, and at the end {"answers": [...]}.
#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <vector>

#include "core/config/config.h"
#include "core/error.h"
#include "generate/search.h"

namespace lynceus::generate {
namespace {

template <typename Value>
std::vector<Value> read_values(size_t count) {
  std::vector<Value> values(count);
  if (std::fread(values.data(), sizeof(Value), count, stdin) != count) {
    throw InputError("decode_rows: standard input ended early");
  }
  return values;
}

void ask_for_draws(int64_t, std::span<const Choice> choices, int64_t, std::vector<int32_t>* drawn) {
  std::string text;
  for (const auto& [beam, token, value, probability] : choices) {
    text +=
        fmt::format("{}[{},{},{},{}]", text.empty() ? "" : ",", beam, token, probability, value);
  }
  fmt::print("{{\"choices\":[{}]}}\n", text);
  std::fflush(stdout);
  *drawn = read_values<int32_t>(static_cast<size_t>(read_values<int32_t>(1)[0]));
}

void print_answers(const std::vector<Search::Answer>& answers) {
  std::string text;
  for (const Search::Answer& answer : answers) {
    text += fmt::format(R"({}{{"tokens":[{}],"ended":{},"length":{},"sum":{},"score":{}}})",
                        text.empty() ? "" : ",", fmt::join(answer.tokens, ","), answer.ended,
                        answer.length, answer.sum, answer.score);
  }
  fmt::print("{{\"answers\":[{}]}}\n", text);
}

void decode_row(const std::vector<std::string>& arguments) {
  const Search::Vocabulary vocabulary{std::stoll(arguments.at(0)), std::stoi(arguments.at(1)),
                                      std::stoi(arguments.at(2))};
  const bool given = arguments.size() > 3 && arguments[3] == "--given-draws";
  Settings settings;
  ConfigReader reader;
  reader.add(settings);
  reader.read({arguments.begin() + (given ? 4 : 3), arguments.end()},
              [&](ConfigFaults* faults) { settings.check(faults); });
  Search search(settings, vocabulary, 0, given ? Draw(ask_for_draws) : Draw());
  while (!search.done()) {
    search.advance(read_values<float>(static_cast<size_t>(search.live() * vocabulary.size)));
    std::string text;
    for (const auto& [token, parent] : search.next()) {
      text += fmt::format("{}[{},{}]", text.empty() ? "" : ",", token, parent);
    }
    fmt::print("{{\"next\":[{}]}}\n", text);
    std::fflush(stdout);
  }
  print_answers(search.answers());
}

}  // namespace
}  // namespace lynceus::generate

int main(int count, char** arguments) {
  try {
    lynceus::generate::decode_row({arguments + 1, arguments + count});
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
