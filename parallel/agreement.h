// Agreement over a group on whether a step failed, so that one message is printed and all ranks
// leave together.
#pragma once

#include <functional>
#include <string>

#include "core/error.h"

namespace lynceus::parallel {

class Communicator;

/// Collective. Runs `step` on every rank: if it threw on any rank, every rank throws AgreedError
/// with the text and exit code of the first failing rank. The step itself communicates only where
/// all ranks fail at the same place. Costs one all-reduce if no rank failed.
void agree(Communicator& world, const std::function<void()>& step);

/// What agree() throws: every rank has the same error, so rank 0 can print it for all and no rank
/// waits in a collective.
class AgreedError : public Error {
  using Error::Error;
};

/// Runs `step`; the text of what it threw, empty if it returned.
std::string failure_of(const std::function<void()>& step);

/// Collective, for ranks that continue after a failure: the failure of the first rank that has one,
/// "rank 2: ...", on every rank; empty if no rank has one. Costs one all-reduce if no rank failed.
std::string agreed_failure(Communicator& world, const std::string& failure);

}  // namespace lynceus::parallel
