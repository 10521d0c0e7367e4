// Errors headed by the config key that named the file. Used where a session opens files.
#pragma once

#include <fmt/format.h>

#include <string>

#include "core/error.h"

namespace lynceus::train {

/// step(), its errors headed by `key`.
template <typename Step>
auto under_key(const std::string& key, const Step& step) {
  try {
    return step();
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("{}: {}", key, error.what()));
  }
}

}  // namespace lynceus::train
