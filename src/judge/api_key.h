// The key of an API. It is read by this program only, sent to the server only, and cut out of every
// text that is printed or stored.
#pragma once

#include <string>

namespace lynceus::judge {

class ApiKey {
 public:
  ApiKey() = default;
  /// From the file; without one from the environment variable; without either there is no key.
  /// InputError for a key of fewer than 8 characters or with others than letters, digits and
  /// -_.~+/=: ; the message does not show it. A file that others may read is a warning.
  static ApiKey read(const std::string& file, const std::string& variable);

  bool empty() const { return key_.empty(); }
  /// "Authorization: Bearer ..."
  std::string header() const;
  /// The text with [key] wherever the key was.
  std::string cut_out_of(std::string text) const;

 private:
  std::string key_;
};

}  // namespace lynceus::judge
