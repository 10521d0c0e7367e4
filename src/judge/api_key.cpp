#include "judge/api_key.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>

#include "core/error.h"
#include "core/log.h"
#include "io/files/file.h"

namespace lynceus::judge {
namespace {

constexpr size_t kFewest = 8;
constexpr size_t kMostBytes = 16 << 10;

bool fits_header(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("-_.~+/=:").find(c) != std::string_view::npos;
}

void check(const std::string& key, const std::string& where) {
  if (key.size() < kFewest)
    throw InputError("{}: expected a key of at least {} characters, found {}", where, kFewest,
                     key.size());
  if (!std::all_of(key.begin(), key.end(), fits_header))
    throw InputError(
        "{}: expected a key of letters, digits and -_.~+/=: in one line, found other characters",
        where);
}

void warn_if_readable(const std::string& file) {
  struct stat status = {};
  if (::stat(file.c_str(), &status) == 0 && (status.st_mode & (S_IRGRP | S_IROTH)) != 0)
    log::warn("{}: others may read this key; `chmod 600 {}` keeps it private", file, file);
}

}  // namespace

ApiKey ApiKey::read(const std::string& file, const std::string& variable) {
  ApiKey found;
  if (!file.empty()) {
    io::expect_file(file, "a key");
    found.key_ = io::read_text(file, kMostBytes);
    while (!found.key_.empty() &&
           std::string_view(" \t\r\n").find(found.key_.back()) != std::string_view::npos)
      found.key_.pop_back();
    check(found.key_, file);
    warn_if_readable(file);
  } else if (const char* value = variable.empty() ? nullptr : std::getenv(variable.c_str());
             value != nullptr && *value != '\0') {
    found.key_ = value;
    check(found.key_, "environment variable " + variable);
  }
  return found;
}

std::string ApiKey::header() const { return "Authorization: Bearer " + key_; }

std::string ApiKey::cut_out_of(std::string text) const {
  if (empty()) return text;
  for (size_t at = 0; (at = text.find(key_, at)) != std::string::npos;)
    text.replace(at, key_.size(), "[key]");
  return text;
}

}  // namespace lynceus::judge
