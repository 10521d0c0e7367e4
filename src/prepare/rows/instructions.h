// A row of instructions in the forms that are in use:
//
//   {"conversations": [{"from": "human", "value": "<image>\nWhat is it?"},
//                      {"from": "gpt", "value": "A cat."}, ...]}                 LLaVA, ShareGPT
//   {"messages": [{"role": "user", "content": "..."}, ...]}                            OpenAI
//   {"instruction": "...", "input": "...", "output": "...", "history": [["...", "..."], ...]}  Alpaca
//
// each with or without "system", the text of the system turn; "tools" or "functions", which are
// appended to it; "image" or "images", a path or a list; "video" or "videos", one path; or, without
// these, the name of an image or a video under "file_name", "path" and the like.
#pragma once

#include <optional>
#include <vector>

#include "io/dataset/sample.h"
#include "io/files/json.h"

namespace lynceus::prepare {

struct Instructions {
  std::vector<io::Turn> turns;  ///< with placeholders
  std::vector<io::Json> images;
  std::optional<io::Json> video;
};

/// RejectedRow for a row with content that is not read, and for an image and a video in one row.
Instructions instructions_of(const io::Json& row);

/// The turns of a sample with `media` images or frames, checked, without placeholders. If a single
/// question is only a placeholder, it is left out: the answer is a caption. `dropped`: the number
/// of turns without a partner, which are left out too.
std::vector<io::Turn> turns_of(const Instructions& instructions, size_t media,
                               const std::string& where, size_t& dropped);

}  // namespace lynceus::prepare
