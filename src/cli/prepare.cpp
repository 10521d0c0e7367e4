// lynceus prepare: turns a source into dataset shards (HDF5), and trains a tokenizer when asked.
#include <algorithm>

#include "cli/prepare_command.h"
#include "parallel/mpi_session.h"

namespace lynceus::cli {
namespace {

constexpr const char* kHelp = R"(usage: lynceus prepare SOURCE --output DIR [options]

Turns a source into dataset shards (HDF5 with a digest beside each), and trains a SentencePiece
tokenizer on their texts when asked. Sources:

  jsonl       rows of picture and captions, of question and answer, or of text; JSONL or TSV
  coco        captions in COCO's JSON
  llava       conversations about pictures, LLaVA's JSON
  openvqa     Open-VQA's JSONL, one dataset a class of questions
  text        instructions without pictures, in the shapes of Alpaca and ShareGPT
  webdataset  tar files of pictures and captions, as img2dataset writes them
  video       rows of video and captions, or of question and answer; some frames of each
  shapes      a generated world of colored shapes with captions and questions

A run that was interrupted goes on behind its last complete shard when it is started again. Under
mpirun the ranks share the files of --input; what is written does not depend on their number.
`lynceus prepare SOURCE --help` has the options and examples of a source.
)";

struct NamedSource {
  const char* name;
  RunSource* run;
};

constexpr NamedSource kSources[] = {
    {"jsonl", run_jsonl},     {"coco", run_coco},     {"llava", run_llava},
    {"openvqa", run_openvqa}, {"text", run_text},     {"webdataset", run_webdataset},
    {"video", run_video},     {"shapes", run_shapes},
};

std::string names() {
  std::string all;
  for (const NamedSource& source : kSources)
    all += fmt::format("{}{}", all.empty() ? "" : ", ", source.name);
  return all;
}

}  // namespace

ExitCode run_prepare(const Arguments& arguments) {
  const auto world = parallel::make_world();
  const std::string name = arguments.empty() ? "" : arguments[0];
  if (name == "--help" || name == "-h") {
    if (world->rank() == 0) fmt::print("{}", kHelp);
    return ExitCode::kDone;
  }
  const auto* source = std::find_if(std::begin(kSources), std::end(kSources),
                                    [&](const NamedSource& one) { return one.name == name; });
  parallel::agree(*world, [&] {
    if (source == std::end(kSources))
      throw UsageError("prepare: expected a source as the first word, one of {}; found {}", names(),
                       name.empty() ? "nothing" : "'" + name + "'");
  });
  source->run({arguments.begin() + 1, arguments.end()}, *world);
  return ExitCode::kDone;
}

}  // namespace lynceus::cli
