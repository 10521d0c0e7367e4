// Numbers of JSON as text of one form, for use as names. Exact for any number of digits.
#pragma once

#include <string>
#include <string_view>

#include "io/files/json.h"

namespace lynceus::io {

/// A number of JSON text in one form for each value: 1, 1.0 and 10e-1 are "1", 0.50 is "0.5",
/// 18446744073709551617.0 has all its digits. Beyond 40 digits or zeros, digits and an exponent.
std::string plain_decimal(std::string_view number);

/// plain_decimal() of a number of a document: exact if it is a member of an object, elsewhere to 15
/// digits or as an integer of 64 bits. InputError for another value.
std::string decimal_of(const Json& number);

}  // namespace lynceus::io
