#include "io/files/decimal.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace lynceus::io {
namespace {

constexpr int64_t kMaxExponent = 1'000'000'000;  // more than a file of numbers can use

int64_t exponent_of(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  int64_t exponent = 0;
  const bool fits = std::from_chars(text.begin(), text.end(), exponent).ec == std::errc() &&
                    exponent <= kMaxExponent && exponent >= -kMaxExponent;
  if (fits) return exponent;
  return text.starts_with('-') ? -kMaxExponent : kMaxExponent;
}

}  // namespace

std::string plain_decimal(std::string_view number) {
  constexpr int64_t kMaxDigits = 40;
  const size_t exponent_at = number.find_first_of("eE");
  // The value is digits * 10^exponent.
  std::string digits;
  int64_t exponent =
      exponent_at == std::string_view::npos ? 0 : exponent_of(number.substr(exponent_at + 1));
  bool in_fraction = false;
  for (const char c : number.substr(0, exponent_at)) {
    if (c == '.') in_fraction = true;
    if (c < '0' || c > '9') continue;
    if (c != '0' || !digits.empty()) digits += c;
    if (in_fraction) --exponent;
  }
  while (digits.ends_with('0')) {
    digits.pop_back();
    ++exponent;
  }
  if (digits.empty()) return "0";
  const std::string sign = number.starts_with('-') ? "-" : "";
  const auto count = static_cast<int64_t>(digits.size());
  if (exponent >= 0 && (exponent == 0 || count + exponent <= kMaxDigits))
    return sign + digits + std::string(static_cast<size_t>(exponent), '0');
  if (exponent > 0 || -exponent > kMaxDigits) return sign + digits + "e" + std::to_string(exponent);
  const int64_t missing = std::max<int64_t>(0, 1 - exponent - count);
  digits.insert(0, static_cast<size_t>(missing), '0');
  return sign + digits.insert(digits.size() - static_cast<size_t>(-exponent), ".");
}

}  // namespace lynceus::io
