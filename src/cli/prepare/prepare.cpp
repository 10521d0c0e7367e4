#include <fmt/ranges.h>

#include <algorithm>

#include "cli/command.h"
#include "cli/prepare/command.h"
#include "core/log.h"
#include "core/text/spelling.h"
#include "parallel/agreement.h"
#include "parallel/mpi_session.h"

namespace lynceus::cli {
namespace {

constexpr const char* kHelp =
    R"(usage: lynceus prepare SOURCE --input FILE... --output DIR [--OPTION VALUE]...

Converts a corpus to dataset shards, which `lynceus train` reads: HDF5 files, each with a digest file.
--train-tokenizer also trains a SentencePiece tokenizer on the texts. SOURCE is the format of the
corpus:

  jsonl       JSON, TSV or CSV: images with captions or questions, or plain text
  folder      folders of images, each with its captions in a .txt file next to it
  coco        COCO captions, JSON
  llava       LLaVA conversations about images or videos, JSON
  openvqa     Open-VQA, JSONL; one dataset per class of questions
  text        instructions: Alpaca, ShareGPT or OpenAI, JSON
  webdataset  tar files of images and captions, as img2dataset writes them
  video       JSONL, TSV or CSV: videos with captions or questions
  shapes      no files: generates images of colored shapes with captions and questions

To continue an interrupted run, start the same command again: complete shards are kept. Under mpirun
the ranks share the input files; the output does not depend on the number of ranks.

  lynceus prepare coco --input captions_train2017.json --root train2017 --output data/coco
  mpirun -n 8 lynceus prepare webdataset --input laion/*.tar --output data/laion

`lynceus prepare SOURCE --help` lists the options of a source, with examples.
)";

struct NamedSource {
  const char* name;
  RunSource* run;
};

constexpr NamedSource kSources[] = {
    {"jsonl", run_jsonl},           {"folder", run_folder},   {"coco", run_coco},
    {"llava", run_llava},           {"openvqa", run_openvqa}, {"text", run_text},
    {"webdataset", run_webdataset}, {"video", run_video},     {"shapes", run_shapes},
};

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const NamedSource& source : kSources) all.emplace_back(source.name);
  return all;
}

std::string guess(const std::string& name) {
  const std::string near = name.empty() ? "" : nearest_name(name, names());
  return near.empty() ? "" : fmt::format(", did you mean {}?", near);
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
      throw UsageError("prepare: expected a source as the first argument, one of {}; found {}{}",
                       fmt::join(names(), ", "), name.empty() ? "none" : "'" + name + "'",
                       guess(name));
  });
  log::set_up(world->rank(), world->size(), "warn");
  source->run({arguments.begin() + 1, arguments.end()}, *world);
  return ExitCode::kDone;
}

}  // namespace lynceus::cli
