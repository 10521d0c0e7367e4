// The address of a judge.
#pragma once

#include <string>

namespace lynceus::judge {

/// URL/chat/completions, for http://HOST[:PORT]/PATH or https; a URL that ends so is unchanged.
/// UsageError for another scheme, spaces, or a name and password in it: these would be stored with
/// each reply.
std::string completions_url(const std::string& url);

/// Whether the connection is not encrypted and leaves this machine.
bool sends_in_clear(const std::string& url);

}  // namespace lynceus::judge
