// In each step of a batch one rank of the replica chooses the next tokens. This is what it sends to
// the others: the tokens of each prompt's sequences, and the answers of prompts that are done. It
// is sent as bytes, because the others do not know its size.
#pragma once

#include <string>
#include <vector>

#include "generate/search.h"

namespace lynceus::generate {

/// Of one prompt.
struct Decision {
  bool done = false;
  std::vector<Search::Next> next = {};       // if it is not done
  std::vector<Search::Answer> answers = {};  // if it is done
};

/// `failure` is not empty if the searches could not go on.
struct Decisions {
  std::string failure = {};
  std::vector<Decision> prompts = {};
};

std::string to_bytes(const Decisions& decisions);
Decisions decisions_from(const std::string& bytes);

}  // namespace lynceus::generate
