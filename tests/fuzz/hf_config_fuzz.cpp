// config.json of a LLaMA: an accepted one describes a model that can be built.
#include "fuzz/fuzz.h"
#include "fuzz/llama_config.h"

using namespace lynceus;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input = fuzz::text_of(data, size);
  fuzz::accepts(
      [&] { fuzz::check(io::parse_llama_config(io::Json::parse(input, "config.json"))); });
  return 0;
}
