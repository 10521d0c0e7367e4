#include "cli/answering/generate_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "cli/answering/videos.h"
#include "core/error.h"
#include "core/log.h"
#include "core/resource.h"
#include "parallel/agreement.h"

namespace lynceus::cli {
namespace {

std::vector<generate::Row> read_rows(const Runtime& rt, const GenerateCommand& command,
                                     const AnsweringRun& run,
                                     const generate::Conversation& conversation) {
  std::vector<generate::Row> rows;
  parallel::agree(*rt.grid.world, [&] {
    if (command.options.asks_one()) {
      rows = {generate::row_of_image(command.options.image, command.options.question)};
    } else if (!command.options.input.empty()) {
      rows = generate::rows_of_file(
          command.options.input,
          {command.options.root, run.config.model.vision.num_frames, command.options.question,
           command.scores_options, added_members(conversation, command.options.scores)});
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
  generate::expect_same_rows(
      *rt.grid.world, rows,
      command.options.input.empty() ? "data.validation" : command.options.input);
  return rows;
}

generate::Conversation conversation_of(const GenerateCommand& command, const AnsweringRun& run) {
  const int64_t context = command.work.context > 0
                              ? command.work.context
                              : generate::context_of(command.run.model.llm.weights);
  generate::Conversation conversation{
      run.data.tokenizer.get(),      run.data.style, command.settings, command.description,
      command.work.max_input_tokens, context};
  if (!command.options.asks_one()) conversation.question = command.options.question;
  conversation.scores_options = command.scores_options;
  return conversation;
}

generate::AnswerOptions options_of(const GenerateCommand& command, const AnsweringRun& run,
                                   DType precision) {
  generate::AnswerOptions options;
  options.decoder.batch_size = command.work.batch_size;
  options.decoder.cache = command.work.cache_type(precision);
  options.decoder.bos = std::max(run.data.tokenizer->bos_id(), 0);
  options.with_scores = command.options.scores;
  options.overwrite = command.options.overwrite;
  options.shows_progress = !command.options.asks_one();
  return options;
}

/// What --checkpoint, --run and --resume ask for. UsageError if they contradict each other.
CheckpointChoice chosen(const std::string& name, const GenerateCommand& given) {
  const auto is_given = [&](const char* key) { return given.reader.origin(key) != "default"; };
  const std::string& checkpoint = given.options.checkpoint;
  if (checkpoint.empty()) return {given.run.options.run, given.run.options.resume, ""};
  if (is_given("run")) throw UsageError("{}: expected --run or --checkpoint, found both", name);
  CheckpointChoice choice = choose_checkpoint(checkpoint);
  if (!is_given("resume")) return choice;
  if (choice.resume != "auto")
    throw UsageError("{}: --resume: expected a run in --checkpoint, found {}", name, checkpoint);
  choice.resume = given.run.options.resume;
  return choice;
}

}  // namespace

CommandLine read_generate_config(
    const std::string& name, const Arguments& arguments,
    const std::function<std::string(const GenerateOptions&)>& preset_of, GenerateCommand* given,
    GenerateCommand* command) {
  const CommandLine line = given->reader.read(arguments);
  if (line.help) return line;
  if (!line.positionals.empty())
    throw UsageError("{}: unexpected argument '{}'; options begin with --", name,
                     line.positionals.front());
  Arguments layered;
  const auto add_file = [&](const std::string& file) {
    layered.insert(layered.end(), {"--config", file});
  };
  command->choice = chosen(name, *given);
  if (!command->choice.run.empty()) add_file(command->choice.run + "/config.ini");
  std::string preset = given->options.preset;
  if (preset.empty() && preset_of) preset = preset_of(given->options);
  if (!preset.empty()) add_file(find_resource("preset", "generate", preset, ".ini").string());
  layered.insert(layered.end(), arguments.begin(), arguments.end());
  command->reader.read(layered, [&](ConfigFaults* faults) {
    // The config of the run does not decide the grid and the options of this job.
    command->run.parallel = given->run.parallel;
    command->run.options = given->run.options;
    command->run.options.run = command->choice.run;
    command->run.options.resume = command->choice.resume;
    command->check(faults);
  });
  command->reader.check_keys("allow-change", given->run.options.allow_change);
  return line;
}

generate::AnswerReport answer_with_model(GenerateCommand* command, const AnswerSink& sink) {
  Runtime rt = make_runtime(command->run.parallel, command->device);
  rt.ordered_sums = true;
  const AnsweringRun run = open_answering_run(rt, &command->run, &command->reader, command->choice,
                                              command->options.asks_datasets());
  generate::Conversation conversation;
  parallel::agree(*rt.grid.world, [&] { conversation = conversation_of(*command, run); });
  const std::vector<generate::Row> rows = read_rows(rt, *command, run, conversation);
  const generate::MediaReader media(rt.host(), run.config.model.vision.image_size,
                                    run.config.data.scaled_decode,
                                    video_frames(command->run.model.vision.num_frames));
  std::optional<generate::AnswerOutput> file;
  if (!command->options.output.empty())
    file.emplace(command->options.output,
                 generate::make_card(conversation, command->work, rt.precision,
                                     {run.weights, run.checkpoint}, command->options.scores));
  const auto take = [&](const generate::RowAnswer& answer) {
    if (sink && rt.grid.replica->rank() == 0) sink(answer, *run.data.tokenizer);
  };
  generate::AnswerReport report =
      generate::answer_rows(rt, run.model, rows, conversation, media,
                            options_of(*command, run, rt.precision), file ? &*file : nullptr, take);
  if (report.answered == 0)
    throw parallel::AgreedError(ExitCode::kInput, report.rejected.begin()->second);
  return report;
}

void print_report(const generate::AnswerReport& report) {
  fmt::print("{} of {} rows answered{}, {} tokens, {:.1f} s ({:.1f} tokens/s)\n", report.answered,
             report.rows,
             report.kept > 0 ? fmt::format(" ({} by an earlier start)", report.kept) : "",
             report.tokens, report.seconds, static_cast<double>(report.tokens) / report.seconds);
}

void warn_of_rejected(const generate::AnswerReport& report, const GenerateCommand& command) {
  if (report.rejected.empty()) return;
  constexpr size_t kMost = 3;
  size_t shown = 0;
  for (const auto& [row, reason] : report.rejected)
    if (shown++ < kMost) log::warn("row {} is rejected: {}", row + 1, reason);
  log::warn("rejected rows: {}, in {}.rejected.jsonl", report.rejected.size(),
            command.options.output);
}

}  // namespace lynceus::cli
