// What the deciding rank tells the other ranks of its replica after each step of a batch: how the
// sequences of each prompt continue, and the answers of those that are done. As bytes, because the
// ranks do not know its size.
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
