// Names of code addresses, for messages: binutils' addr2line is asked, once a message.
#pragma once

#include <string>

namespace lynceus::simt::engine {

/// The function that begins at the address: "rms_norm_kernel<float>(...)"; "?" where unknown.
std::string function_at(const void* address);

/// Where the call before this return address stands: "file.cu:12, inlined at file.cu:40"; needs -g.
std::string caller_at(const void* return_address);

}  // namespace lynceus::simt::engine
