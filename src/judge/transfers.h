// Requests in flight, by libcurl's multi interface. Only transfers.cpp includes libcurl.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "judge/api_key.h"

namespace lynceus::judge {

struct HttpReply {
  size_t tag = 0;
  long status = 0;                    ///< 0: there is no complete reply
  std::string body;                   ///< at most 4 MiB
  std::string failure;                ///< of the transfer; empty: none
  std::optional<double> retry_after;  ///< seconds, if the server named them
};

/// POSTs JSON to one URL. Redirects are not followed: the key goes to the named server only. Not
/// thread-safe.
class Transfers {
 public:
  Transfers(std::string url, const ApiKey& key, double timeout_seconds);
  ~Transfers();
  Transfers(const Transfers&) = delete;
  Transfers& operator=(const Transfers&) = delete;

  void start(size_t tag, const std::string& body);
  size_t running() const;
  /// Waits for at most `seconds` and returns what has ended.
  std::vector<HttpReply> wait(double seconds);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lynceus::judge
