#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>

#include "cli/answering_run.h"
#include "cli/command.h"
#include "cli/page.h"
#include "cli/runtime.h"
#include "core/error.h"
#include "core/log.h"
#include "core/resource.h"
#include "core/text/units.h"
#include "generate/rows/answer_text.h"
#include "generate/rows/generate.h"
#include "io/files/digest.h"
#include "io/weights/hf_config.h"
#include "parallel/agreement.h"
#include "parallel/mpi_session.h"
#include "prepare/video.h"

namespace lynceus::cli {
namespace {

constexpr const char* kHelp =
    R"(usage: lynceus generate --run DIR --input FILE.jsonl --output FILE.jsonl [OPTION VALUE]...
       lynceus generate --run DIR --image FILE --question TEXT [OPTION VALUE]...
       lynceus generate --run DIR --output FILE.jsonl [OPTION VALUE]...

Answers questions about images and videos with the newest intact checkpoint of a run (or that of
--resume STEP), with --checkpoint of a checkpoint or a file of weights. The rows of --input have a
"question" and an "image", "images", "video" or "frames"; the output has the same rows in the same
order, each with "answer_predicted". Without --input and --image it answers the data.validation sets
of the run. What is answered is kept if the command is started again. Rows that cannot be answered
are in FILE.rejected.jsonl with the reason, the settings in FILE.card.json. Decoding settings are
those of --preset, of [generate] and of [describe].

  lynceus generate --run runs/stage2 --image photo.jpg --question 'What is on the table?'
  lynceus generate --run runs/stage2 --input questions.jsonl --output answers.jsonl \
      --preset openvqa-image
  lynceus generate --ranks 4 --parallel.tensor 2 --run runs/stage2 --input questions.jsonl \
      --output answers.jsonl --generate.num_beams 5 --scores

)";

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
    v.field("question", question, "about --image");
    v.field("scores", scores, "write tokens, lengths and sums of log-probabilities, too");
    v.field("overwrite", overwrite, "remove answers that --output has");
  }
  void check(ConfigFaults* faults) const {
    const bool asks = !question.empty() || !image.empty();
    faults->expect(image.empty() || !question.empty(), "question", "a text with --image", "none");
    faults->expect(!asks || input.empty(), "input", "no value together with --question",
                   fmt::format("'{}'", input));
    faults->expect(asks || !output.empty(), "output", "a file", "none");
  }
  bool asks_one() const { return !question.empty(); }
  bool asks_datasets() const { return input.empty() && !asks_one(); }
};

/// All that is configured, and the reader that refers to it.
struct Command {
  DeviceConfig device;
  GenerateOptions options;
  generate::Settings settings;
  generate::WorkConfig work;
  generate::Description description;
  train::RunConfig run;
  ConfigReader reader;
  CheckpointChoice choice;

  Command() {
    reader.add(device);
    reader.add(options);
    reader.add(settings);
    reader.add(work);
    reader.add(description);
    reader.add(run);
  }
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
/// of this job.
CommandLine read_config(const Arguments& arguments, Command* command) {
  Command given;
  const CommandLine line = given.reader.read(arguments);
  if (line.help) return line;
  if (!line.positionals.empty())
    throw UsageError("generate: unexpected argument '{}'; options begin with --",
                     line.positionals.front());
  Arguments layered;
  const auto add_file = [&](const std::string& file) {
    layered.insert(layered.end(), {"--config", file});
  };
  command->choice = {given.run.options.run, given.run.options.resume, ""};
  if (!given.options.checkpoint.empty())
    command->choice = choose_checkpoint(given.options.checkpoint);
  if (!command->choice.run.empty()) add_file(command->choice.run + "/config.ini");
  if (!given.options.preset.empty())
    add_file(find_resource("preset", "generate", given.options.preset, ".ini").string());
  layered.insert(layered.end(), arguments.begin(), arguments.end());
  command->reader.read(layered, [&](ConfigFaults* faults) {
    // The config of the run does not decide the grid and the options of this job.
    command->run.parallel = given.run.parallel;
    command->run.options = given.run.options;
    command->run.options.run = command->choice.run;
    command->run.options.resume = command->choice.resume;
    command->check(faults);
  });
  command->reader.check_keys("allow-change", given.run.options.allow_change);
  return line;
}

/// Reads frames of videos by the separate program that `prepare video` starts.
generate::VideoFrames video_frames(const Command& command) {
  prepare::VideoOptions options;
  options.root = "/";
  options.frames = static_cast<int>(command.run.model.vision.num_frames);
  const auto reader = std::make_shared<prepare::VideoReader>(options);
  return [reader](const std::filesystem::path& video) {
    const std::string path = std::filesystem::absolute(video).lexically_normal().string();
    return reader->read(path.substr(1), video.string());
  };
}

std::vector<generate::Row> read_rows(const Runtime& rt, const Command& command,
                                     const AnsweringRun& run) {
  std::vector<generate::Row> rows;
  parallel::agree(*rt.grid.world, [&] {
    if (command.options.asks_one()) {
      rows = {generate::row_of_image(command.options.image, command.options.question)};
    } else if (!command.options.input.empty()) {
      rows = generate::rows_of_file(command.options.input,
                                    {command.options.root, run.config.model.vision.num_frames});
    } else {
      const train::TextOptions text = run.data.text(/*is_training=*/false);
      if (run.data.validation.empty())
        throw UsageError("generate: expected --input, --question or data.validation, found none");
      for (size_t i = 0; i < run.data.validation.size(); ++i)
        for (generate::Row& row : generate::rows_of_dataset(
                 run.data.validation[i],
                 text.prompts.empty() ? train::DatasetPrompts() : text.prompts[i], text.seed))
          rows.push_back(std::move(row));
      if (rows.empty()) throw InputError("data.validation: expected samples, found none");
    }
  });
  // Every rank reads the rows itself: they must be the same.
  std::string all;
  for (const generate::Row& row : rows) all += row.json + "\n" + row.problem + "\n";
  const std::string digest = io::digest128(all.data(), all.size()).hex();
  parallel::agree(*rt.grid.world, [&] {
    const std::string first = rt.grid.world->broadcast(digest, 0);
    if (first != digest)
      throw IoError("{}: rank {} reads other rows than rank 0", command.options.input,
                    rt.grid.world->rank());
  });
  return rows;
}

int64_t context_of(const Command& command) {
  constexpr int64_t kLlama = 2048;
  if (command.work.context > 0) return command.work.context;
  const std::string& weights = command.run.model.llm.weights;
  return weights.empty() ? kLlama : io::read_llama_config(weights).max_position_embeddings;
}

void print_report(const generate::AnswerReport& report, const Command& command) {
  fmt::print("{} of {} rows answered{}, {} tokens, {:.1f} s ({:.1f} tokens/s)\n", report.answered,
             report.rows,
             report.kept > 0 ? fmt::format(" ({} by an earlier start)", report.kept) : "",
             report.tokens, report.seconds, static_cast<double>(report.tokens) / report.seconds);
  if (report.rejected.empty()) return;
  constexpr size_t kMost = 3;
  size_t shown = 0;
  for (const auto& [row, reason] : report.rejected)
    if (shown++ < kMost) log::warn("row {} is rejected: {}", row + 1, reason);
  log::warn("{} rows are rejected: {}.rejected.jsonl", report.rejected.size(),
            command.options.output);
}

}  // namespace

ExitCode run_generate(const Arguments& arguments) {
  Command command;
  const auto world = parallel::make_world();
  CommandLine line;
  parallel::agree(*world, [&] { line = read_config(arguments, &command); });
  if (print_page(line, kHelp, command.reader, *world)) return ExitCode::kDone;
  log::set_up(world->rank(), world->size(), "warn");
  Runtime rt = make_runtime(command.run.parallel, command.device);
  rt.ordered_sums = true;
  const AnsweringRun run = open_answering_run(rt, &command.run, &command.reader, command.choice,
                                              command.options.asks_datasets());
  const std::vector<generate::Row> rows = read_rows(rt, command, run);

  generate::Conversation conversation;
  parallel::agree(*world, [&] {
    conversation = {
        run.data.tokenizer.get(),      run.data.style,     command.settings, command.description,
        command.work.max_input_tokens, context_of(command)};
  });
  const generate::MediaReader media(rt.host(), run.config.model.vision.image_size,
                                    run.config.data.scaled_decode, video_frames(command));
  generate::AnswerOptions options;
  options.decoder.batch_size = command.work.batch_size;
  options.decoder.cache = command.work.cache_type(rt.precision);
  options.decoder.bos = std::max(run.data.tokenizer->bos_id(), 0);
  options.with_scores = command.options.scores;
  options.overwrite = command.options.overwrite;
  options.shows_progress = !command.options.asks_one();

  std::optional<generate::AnswerOutput> file;
  if (!command.options.output.empty())
    file.emplace(command.options.output,
                 generate::make_card(conversation, command.work, rt.precision,
                                     {run.weights, run.checkpoint}));
  const auto print_answer = [&](const generate::RowAnswer& answer) {
    if (!command.options.asks_one() || rt.grid.replica->rank() != 0 || !answer.problem.empty())
      return;
    for (const generate::Search::Answer& one : answer.answers)
      fmt::print("{}\n", generate::answer_text(*run.data.tokenizer, one.tokens));
    std::fflush(stdout);
  };
  const generate::AnswerReport report = generate::answer_rows(
      rt, run.model, rows, conversation, media, options, file ? &*file : nullptr, print_answer);
  if (report.answered == 0)
    throw parallel::AgreedError(ExitCode::kInput, report.rejected.begin()->second);
  if (world->rank() == 0 && !command.options.asks_one()) print_report(report, command);
  return ExitCode::kDone;
}

}  // namespace lynceus::cli
