#include "parallel/agreement.h"

#include <fmt/core.h>

#include <exception>
#include <filesystem>
#include <optional>

#include "core/process/out_of_memory.h"
#include "parallel/communicator.h"

namespace lynceus::parallel {

namespace {

struct Failure {
  ExitCode code;
  std::string text;
};

std::optional<Failure> run(const std::function<void()>& step) {
  try {
    step();
    return std::nullopt;
  } catch (const Error& error) {
    return Failure{error.code(), error.what()};
  } catch (const std::filesystem::filesystem_error& error) {
    return Failure{ExitCode::kIo, error.what()};
  } catch (const std::exception& error) {
    if (is_out_of_memory(error)) return Failure{ExitCode::kIo, kOutOfMemory};
    return Failure{ExitCode::kInternal, error.what()};
  }
}

/// The lowest rank that failed.
std::optional<int> first_failing_rank(Communicator& world, bool failed) {
  const int64_t none = world.size();
  const int64_t first = world.all_reduce(failed ? world.rank() : none, ReduceOp::kMin);
  if (first == none) return std::nullopt;
  return static_cast<int>(first);
}

}  // namespace

void agree(Communicator& world, const std::function<void()>& step) {
  const std::optional<Failure> failure = run(step);
  const std::optional<int> root = first_failing_rank(world, failure.has_value());
  if (!root) return;
  const std::string text = world.broadcast(failure ? failure->text : std::string(), *root);
  int64_t code = failure ? static_cast<int64_t>(failure->code) : 0;
  world.broadcast(Tensor::borrow(&code, {1}, DType::kI64), *root);
  throw AgreedError(static_cast<ExitCode>(code), text);
}

std::string failure_of(const std::function<void()>& step) {
  const std::optional<Failure> failure = run(step);
  return failure ? failure->text : std::string();
}

std::string agreed_failure(Communicator& world, const std::string& failure) {
  const std::optional<int> root = first_failing_rank(world, !failure.empty());
  if (!root) return {};
  return world.broadcast(fmt::format("rank {}: {}", *root, failure), *root);
}

}  // namespace lynceus::parallel
