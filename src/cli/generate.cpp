#include <fmt/format.h>

#include <cstdio>

#include "cli/answering/generate_command.h"
#include "cli/command.h"
#include "cli/page.h"
#include "core/log.h"
#include "generate/rows/answer_text.h"
#include "parallel/agreement.h"
#include "parallel/mpi_session.h"

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

/// Of --image or --question.
void print_answer(const generate::RowAnswer& answer, const io::Tokenizer& tokenizer) {
  for (const generate::Search::Answer& one : answer.answers)
    fmt::print("{}\n", generate::answer_text(tokenizer, one.tokens));
  std::fflush(stdout);
}

}  // namespace

ExitCode run_generate(const Arguments& arguments) {
  GenerateCommand command;
  const auto world = parallel::make_world();
  CommandLine line;
  parallel::agree(*world, [&] {
    GenerateCommand given;
    line = read_generate_config("generate", arguments, {}, &given, &command);
  });
  if (print_page(line, kHelp, command.reader, *world)) return ExitCode::kDone;
  log::set_up(world->rank(), world->size(), "warn");
  const bool asks_one = command.options.asks_one();
  const generate::AnswerReport report =
      answer_with_model(&command, asks_one ? AnswerSink(print_answer) : AnswerSink());
  if (world->rank() == 0 && !asks_one) {
    print_report(report);
    warn_of_rejected(report, command);
  }
  return ExitCode::kDone;
}

}  // namespace lynceus::cli
