// SentencePiece models: an accepted model splits any text into its pieces and joins them again. The
// library is not instrumented: a model that would crash it must be refused before.
#include "io/text/tokenizer.h"

#include "fuzz/fuzz.h"

using namespace lynceus;

namespace {

void use(const io::Tokenizer& tokenizer, const std::string& text) {
  const std::vector<int32_t> ids = tokenizer.encode(text);
  for (const int32_t id : ids) {
    fuzz::require(id >= 0 && id < tokenizer.size(), "an id of the model");
    fuzz::require(!tokenizer.piece(id).empty(), "a piece has text");
  }
  tokenizer.decode(ids);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input = fuzz::text_of(data, size);
  const auto path = fuzz::folder().file("fuzzed.model", input);
  fuzz::accepts([&] {
    const io::Tokenizer tokenizer(path);
    for (const int32_t id : {tokenizer.bos_id(), tokenizer.eos_id(), tokenizer.unk_id()})
      fuzz::require(id >= -1 && id < tokenizer.size(), "an id of the model, or none");
    for (const std::string& text :
         {std::string("aAb  ab\xff\xc3\xa9 1"), std::string(40, 'a'), input.substr(0, 64)})
      fuzz::accepts([&] { use(tokenizer, text); });
  });
  return 0;
}
