#include "judge/server_url.h"

#include <algorithm>
#include <string_view>

#include "core/error.h"

namespace lynceus::judge {
namespace {

constexpr std::string_view kPath = "/chat/completions";

/// What stands between :// and the path.
std::string_view authority_of(std::string_view url) {
  const size_t begin = url.find("://") + 3;
  return url.substr(begin, url.find_first_of("/?#", begin) - begin);
}

}  // namespace

std::string completions_url(const std::string& url) {
  const bool has_scheme = url.starts_with("http://") || url.starts_with("https://");
  const bool is_plain =
      std::all_of(url.begin(), url.end(), [](char c) { return c > ' ' && c < 127; });
  if (!has_scheme || !is_plain || authority_of(url).empty())
    throw UsageError("url: expected http://HOST:PORT/v1 or https://HOST/v1, found '{}'", url);
  if (authority_of(url).find('@') != std::string_view::npos)
    throw UsageError("url: expected no name and password in it; a key belongs in --key-file FILE");
  if (url.find_first_of("?#") != std::string::npos)
    throw UsageError("url: expected no ? and # in it, found '{}'", url);
  std::string trimmed = url;
  while (trimmed.ends_with('/')) trimmed.pop_back();
  return trimmed.ends_with(kPath) ? trimmed : trimmed + std::string(kPath);
}

bool sends_in_clear(const std::string& url) {
  if (!url.starts_with("http://")) return false;
  std::string_view host = authority_of(url);
  host =
      host.starts_with('[') ? host.substr(0, host.find(']') + 1) : host.substr(0, host.find(':'));
  return host != "localhost" && host != "[::1]" && !host.starts_with("127.");
}

}  // namespace lynceus::judge
