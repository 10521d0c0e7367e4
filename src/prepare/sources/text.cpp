#include "prepare/sources/text.h"

#include "core/error.h"
#include "prepare/row_text.h"

namespace lynceus::prepare {
namespace {

std::vector<io::Turn> alpaca_turns(const io::Json& row) {
  std::string question = text_of(row.at("instruction"));
  if (const auto input = row.find("input"); input && !input->is_null()) {
    const std::string context = trimmed(input->string());
    if (!context.empty()) question += "\n" + context;
  }
  return {{io::TurnRole::kUser, question}, {io::TurnRole::kAssistant, text_of(row.at("output"))}};
}

io::Sample sample_of(const io::Json& row, int64_t index) {
  const auto conversation = row.find("conversations");
  if (conversation.has_value() == row.find("instruction").has_value())
    throw InputError("{}: expected either conversations or instruction, found the keys {}",
                     row.where(), keys_of(row));
  io::Sample sample;
  sample.turns = conversation ? alternating_turns(turns_of(*conversation), conversation->where())
                              : alpaca_turns(row);
  const auto id = row.find("id");
  sample.key = id ? id_of(*id) : fmt::format("row {}", index + 1);
  return sample;
}

}  // namespace

void TextSource::read(int64_t skip, const RowSink& sink) {
  rows_.read_from(skip, sink, [](const io::Json& row, int64_t index) -> std::vector<io::Sample> {
    return {sample_of(row, index)};
  });
}

}  // namespace lynceus::prepare
