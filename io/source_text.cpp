// See source_text.h.
#include "io/source_text.h"

#include "core/error.h"

namespace lynceus::io {
namespace {

std::vector<Turn> alpaca_turns(const Json& row) {
  std::string question = text_of(row.at("instruction"));
  if (const auto input = row.find("input"); input && !input->is_null()) {
    const std::string context = trimmed(input->string());
    if (!context.empty()) question += "\n" + context;
  }
  return {{TurnRole::kUser, question}, {TurnRole::kAssistant, text_of(row.at("output"))}};
}

Sample sample_of(const Json& row, int64_t index) {
  const auto conversation = row.find("conversations");
  if (conversation.has_value() == row.find("instruction").has_value())
    throw InputError("{}: expected either conversations or instruction, found the keys {}",
                     row.where(), keys_of(row));
  Sample sample;
  sample.turns = conversation ? settled_turns(turns_of(*conversation), conversation->where())
                              : alpaca_turns(row);
  const auto id = row.find("id");
  sample.key = id ? id_of(*id) : fmt::format("row {}", index + 1);
  return sample;
}

}  // namespace

void TextSource::read(int64_t skip, const RowSink& sink) {
  rows_.read_from(skip, sink, [](const Json& row, int64_t index) -> std::vector<Sample> {
    return {sample_of(row, index)};
  });
}

}  // namespace lynceus::io
