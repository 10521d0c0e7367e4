// Numbers for people. One system: bytes in KiB, MiB, GiB, TiB (powers of 1024), time in s.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lynceus {

/// "512 B", "7.5 MiB", "1.3 GiB".
std::string bytes_text(uint64_t bytes);
/// "950", "48.9 thousand", "6,738.4 million".
std::string count_text(int64_t count);
/// "0.05 s", "12.3 s", "4 min 10 s", "2 h 5 min".
std::string seconds_text(double seconds);
/// A noun in the plural, in the singular if the count is 1: "row" for "rows". Others are unchanged.
std::string noun_of(std::string_view count, std::string_view plural);
/// "1 sample", "2 samples". `noun`: in the singular, with a regular plural.
std::string counted(int64_t count, std::string_view noun);

}  // namespace lynceus
