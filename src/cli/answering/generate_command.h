// A command that answers rows with a model: its options, and the work, which `lynceus generate` and
// `lynceus evaluate BENCHMARK --run` share.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <string>

#include "cli/answering_run.h"
#include "cli/runtime.h"
#include "core/config/config.h"
#include "generate/rows/generate.h"
#include "train/run/run_config.h"

namespace lynceus::cli {

/// Options outside all sections.
struct GenerateOptions {
  std::string checkpoint, preset, input, output, root, image, question;
  bool scores = false, overwrite = false;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.field("checkpoint", checkpoint,
            "instead of --run: a run, RUN/checkpoints/step-N, or a file of weights such as the "
            "released pretrain_lynx.pt");
    v.field("preset", preset,
            "settings of a name in configs/generate, or of a file; [generate] and [describe] "
            "override them; empty: none");
    v.field("input", input, "rows in JSONL, or one JSON array of them");
    v.field("output", output, "file of the answers");
    v.field("root", root, "folder that paths in the rows begin at; empty: that of --input");
    v.field("image", image, "one image instead of --input");
    v.field("question", question, "about --image; with --input: of rows without one");
    v.field("scores", scores, "write tokens, lengths and sums of log-probabilities, too");
    v.field("overwrite", overwrite, "remove answers that --output has");
  }
  void check(ConfigFaults* faults) const {
    const bool asks = !question.empty() || !image.empty();
    faults->expect(image.empty() || !question.empty(), "question", "a text with --image", "none");
    faults->expect(image.empty() || input.empty(), "input", "no value together with --image",
                   fmt::format("'{}'", input));
    faults->expect((asks && input.empty()) || !output.empty(), "output", "a file", "none");
  }
  bool asks_one() const { return !question.empty() && input.empty(); }
  bool asks_datasets() const { return input.empty() && !asks_one(); }
};

/// All that is configured, and the reader that refers to it.
struct GenerateCommand {
  DeviceConfig device;
  GenerateOptions options;
  generate::Settings settings;
  generate::WorkConfig work;
  generate::Description description;
  train::RunConfig run;
  ConfigReader reader;
  CheckpointChoice choice;
  bool scores_options = false;  ///< rows have options, whose likelihood is wanted

  GenerateCommand() {
    reader.add(device);
    reader.add(options);
    reader.add(settings);
    reader.add(work);
    reader.add(description);
    reader.add(run);
  }
  GenerateCommand(const GenerateCommand&) = delete;
  GenerateCommand& operator=(const GenerateCommand&) = delete;
  void check(ConfigFaults* faults) const {
    device.check(faults);
    options.check(faults);
    settings.check(faults);
    work.check(faults);
    description.check(faults);
    run.check(faults);
  }
};

/// Reads the config.ini of the run, the preset, then the command line. Grid and options are those
/// of this job. `given` reads the command line alone and is as `command`. `name`: of the command,
/// for messages. `preset_of`: the preset where --preset is not given; empty: none.
CommandLine read_generate_config(
    const std::string& name, const Arguments& arguments,
    const std::function<std::string(const GenerateOptions&)>& preset_of, GenerateCommand* given,
    GenerateCommand* command);

/// Called on rank 0 of each replica with each answer.
using AnswerSink =
    std::function<void(const generate::RowAnswer& answer, const io::Tokenizer& tokenizer)>;

/// Collective: loads the model and answers the rows. AgreedError of kInput if none could be.
generate::AnswerReport answer_with_model(GenerateCommand* command, const AnswerSink& sink);

/// On rank 0: the line about the answers.
void print_report(const generate::AnswerReport& report);
/// On rank 0: warnings about rejected rows.
void warn_of_rejected(const generate::AnswerReport& report, const GenerateCommand& command);

}  // namespace lynceus::cli
