// Names of code addresses for messages, from addr2line of binutils.
#pragma once

#include <string>

namespace lynceus::simt::engine {

/// The function that begins at the address, "rms_norm_kernel<float>(...)"; "?" if unknown.
std::string function_at(const void* address);

/// The place of the call before this return address: "file.cu:12, inlined at file.cu:40"; needs -g.
std::string caller_at(const void* return_address);

}  // namespace lynceus::simt::engine
