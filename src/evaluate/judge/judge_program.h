// Runs `lynceus-judge` (src/judge), the program that asks a server. It reads the key itself: no key
// passes through this process or a command line.
#pragma once

#include <filesystem>
#include <span>

#include "evaluate/judge/judges.h"
#include "evaluate/judge/replies.h"
#include "evaluate/judge/requests.h"

namespace lynceus::evaluate {

/// Asks the server what the journal has no reply for. Error with the exit code of the program,
/// whose messages are on standard error.
void run_judge_program(const HttpJudge& how, std::span<const JudgeRequest> requests);

/// The replies to these requests in a journal: those whose body was the same.
JudgeReplies replies_to(std::span<const JudgeRequest> requests,
                        const std::filesystem::path& journal);

}  // namespace lynceus::evaluate
