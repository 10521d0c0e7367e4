#include <chrono>

#include "cli/command.h"
#include "cli/one_rank.h"
#include "core/text/units.h"
#include "export/export.h"

namespace lynceus::cli {
namespace {

constexpr const char* kHelp =
    R"(usage: lynceus export --checkpoint RUN_OR_CHECKPOINT --output DIR [OPTION VALUE]...

Writes the trained weights of a checkpoint, or of the newest intact checkpoint of a run. The default
is one file model.safetensors with the names of the released Lynx code. With --what merged it is a
Hugging Face directory that transformers and model.weights can read: config.json, tokenizer.model,
the LLM in model.safetensors, and the bridge and adapters in lynx.safetensors. More than --shard-gib
GiB are split into several files with an index. Runs on one rank. The output directory appears when
it is complete.

  lynceus export --checkpoint runs/stage1 --output export/stage1
  lynceus export --checkpoint runs/stage1/checkpoints/step-00000600 --output export/stage1 \
      --dtype bf16 --overwrite
  lynceus export --checkpoint runs/stage1 --output export/merged --what merged --dtype f16

)";

}  // namespace

ExitCode run_export(const Arguments& arguments) {
  weight_export::ExportConfig config;
  ConfigReader reader;
  reader.add(config);
  const auto line =
      begin_on_one_rank("export", kHelp, arguments, &reader, [&config](const CommandLine& given) {
        if (!given.positionals.empty())
          throw UsageError("export: unexpected argument '{}'; options begin with --",
                           given.positionals.front());
        ConfigFaults faults;
        config.check(&faults);
        faults.raise();
      });
  if (!line) return ExitCode::kDone;
  const auto begin = std::chrono::steady_clock::now();
  const weight_export::ExportAccount account = weight_export::export_checkpoint(config);
  for (const std::string& sentence : account.left_out) fmt::print("{}\n", sentence);
  fmt::print("exported {} tensors of {} ({}) to {}, {:.1f} s\n", account.tensors,
             account.checkpoint.string(), bytes_text(account.bytes), config.output,
             std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  return ExitCode::kDone;
}

}  // namespace lynceus::cli
