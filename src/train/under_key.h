// Errors that begin with the config key that named the file.
#pragma once

#include <fmt/format.h>

#include <string>

#include "core/error.h"

namespace lynceus::train {

/// Calls step(); `key` precedes the text of its errors.
template <typename Step>
auto under_key(const std::string& key, const Step& step) {
  try {
    return step();
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("{}: {}", key, error.what()));
  }
}

}  // namespace lynceus::train
